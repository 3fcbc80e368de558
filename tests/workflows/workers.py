"""Processes that work on the runs of one store, one after the other or at the same time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from newsleopard_async import NewsLeopard, OutcomeUnknown, workflows
from newsleopard_async.stores import Store
from newsleopard_async.workflows import Event
from tests.clients import Bench, csv_of
from tests.constants import CAMPAIGN, KEY

__all__ = ["given", "hold", "interrupt", "send", "worker"]


def given(key: str = "k", rows: int = 3) -> dict[str, Any]:
    """Return the arguments of a run by its key."""
    return {"campaign": CAMPAIGN, "contacts": csv_of(rows), "list_name": f"會員 {key}"}


@asynccontextmanager
async def worker(bench: Bench, store: Store, key: str = KEY) -> AsyncIterator[NewsLeopard]:
    """Be another process."""
    async with NewsLeopard(key, http_transport=bench.wire, clock=bench.clock, store=store) as nl:
        yield nl


async def send(bench: Bench, store: Store, key: str = "k", **changes: Any) -> Any:
    """Send a campaign in a separate process."""
    async with worker(bench, store) as nl:
        return await workflows.send_campaign(nl, **given(key) | changes, send_key=key)


async def interrupt(bench: Bench, store: Store, key: str = "k") -> None:
    """Send a campaign in a process that is stopped while it imports."""
    with anyio.CancelScope() as scope:

        def stop(event: Event) -> None:
            if event.step == "get_import":
                scope.cancel()

        await send(bench, store, key, progress=stop)
    assert scope.cancelled_caught


async def hold(bench: Bench, store: Store, key: str = "k") -> None:
    """Send a campaign with an unknown outcome, which is not listed yet."""
    bench.emulator.lose_reply_to("submit_campaign")
    with pytest.raises(OutcomeUnknown):
        await send(bench, store, key)
