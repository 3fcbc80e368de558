"""Long work in slices, so that a search does not block the other requests of a server."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import ExitStack, closing
from datetime import datetime
from typing import Final, TypeVar

import anyio
import anyio.lowlevel

from newsleopard_async.emulator.http.app import catch_up_in_slices
from newsleopard_async.emulator.platform.account import Account

__all__ = ["Slices", "catch_up", "in_slices"]

T = TypeVar("T")
Slices = Generator[None, None, T]
"""A generator that yields after every few milliseconds of work, and returns its result."""

_RUNNING: Final[set[object]] = set()
"""The running searches of all emulators of the process, because they share its event loop."""

_REST: Final = 2
"""Chosen: many concurrent searches use half of the time together.

The other half remains for all other requests. Without it, each of them would wait for a slice of
each search.
"""


async def in_slices(account: Account, work: Slices[T]) -> T:
    """Run long work in slices, each under the lock, and let other tasks run between two slices.

    If no other work runs, the next slice follows immediately. With more work, the pause after each
    slice is longer.
    """
    with closing(work), ExitStack() as stack:
        _RUNNING.add(work)
        stack.callback(_RUNNING.discard, work)
        while True:
            begin = time.monotonic()
            with account.lock:
                try:
                    next(work)
                except StopIteration as done:
                    result: T = done.value
                    return result
            rest = _REST * (len(_RUNNING) - 1) * (time.monotonic() - begin)
            await (anyio.sleep(rest) if rest > 0 else anyio.lowlevel.checkpoint())


async def catch_up(account: Account) -> datetime:
    """Process all that is due, in slices, and return the emulator's time."""
    await catch_up_in_slices(account)
    with account.lock:
        return account.present()
