"""What tests of the limits use: a limiter alone, a request that is answered at once."""

from __future__ import annotations

from typing import Any

import httpx

from newsleopard_async.models.options import RateLimits
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.limits.limiter import Limiter
from newsleopard_async.transport.limits.queue import RequestQueue, Slot

__all__ = ["exchange", "lists_are_empty", "make_limiter"]


def make_limiter(clock: ManualClock, *windows: tuple[int, float], **limits: Any) -> Limiter:
    """Return the only client of a new state; by default it has the windows of a key."""
    if windows:
        limits["windows"] = windows
    return Limiter(RateLimits(**limits), RequestQueue(clock), clock)


async def exchange(limiter: Limiter, **how: Any) -> Slot:
    """Send a request that is answered at once."""
    slot = await limiter.acquire(**how)
    slot.sent()
    slot.answered()
    return slot


def lists_are_empty(_: httpx.Request) -> httpx.Response:
    """Answer any request as if there were no lists."""
    return httpx.Response(200, json=[])
