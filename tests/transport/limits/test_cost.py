"""What a request costs while many wait does not grow with their number.

Held through the client: a limiter that is asked alone would not show how many the client makes.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from newsleopard_async import CampaignSn, NewsLeopard, RateLimits
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.limits.limit_state import LimitState
from tests.constants import KEY
from tests.transport.limits.limiting import lists_are_empty

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WAITING = 500
MOST_EACH = 8
"""Decisions for each request; measured: 44 in all if cancelled, 6.2 each if served."""


@pytest.fixture
def decisions(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count how often the ledger is asked."""
    counted: Counter[str] = Counter()
    for name in ("refusal", "go_at"):
        asked = getattr(LimitState, name)

        def count(*args: Any, name: str = name, asked: Any = asked) -> Any:
            counted[name] += 1
            return asked(*args)

        monkeypatch.setattr(LimitState, name, count)
    return counted


async def call_at_once(*, cancelled: bool) -> None:
    """Ask for the lists many times at once, by two clients of one key."""
    clock, transport = ManualClock(), httpx.MockTransport(lists_are_empty)
    async with (
        NewsLeopard(KEY, http_transport=transport, clock=clock) as one,
        NewsLeopard(KEY, http_transport=transport, clock=clock) as other,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(WAITING // 2):
            tasks.start_soon(one.contacts.list_lists)
            tasks.start_soon(other.contacts.list_lists)
        if cancelled:
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()


@pytest.mark.matrix
@pytest.mark.parametrize("cancelled", [False, True], ids=["served", "cancelled"])
async def test_waiting_requests_cost_a_few_decisions_each(
    decisions: Counter[str], *, cancelled: bool
) -> None:
    """500 requests that wait, to be served or to be cancelled, are decided in linear time."""
    await call_at_once(cancelled=cancelled)

    assert 0 < max(decisions.values()) <= MOST_EACH * WAITING, decisions


async def test_exports_that_wait_cost_the_others_nothing(decisions: Counter[str]) -> None:
    """Requests pass hundreds of exports that keep their distance, without a look at each."""
    clock, transport = ManualClock(), httpx.MockTransport(lists_are_empty)
    limits = RateLimits(windows=((10, 1),), export_every_s=10.0)
    async with (
        NewsLeopard(KEY, http_transport=transport, clock=clock, rate_limits=limits) as nl,
        anyio.create_task_group() as tasks,
    ):
        for number in range(500):
            tasks.start_soon(nl.reports.export, CampaignSn(f"c{number}"))
        await clock.sleep(1)
        decisions.clear()
        for _ in range(50):
            await nl.contacts.list_lists()
        tasks.cancel_scope.cancel()

    assert decisions["go_at"] <= 2 * MOST_EACH * 50
