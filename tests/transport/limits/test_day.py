"""The day's requests: what is counted, denied, given back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from unittest import mock

import anyio
import httpx
import pytest

from newsleopard_async import NewsLeopard
from newsleopard_async.errors import DailyQuotaExhausted
from newsleopard_async.models.options import RateLimits
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.limits.day import DayCount, day_allowance, day_limit
from newsleopard_async.transport.limits.limit_state import LimitState
from newsleopard_async.transport.limits.limiter import Limiter
from newsleopard_async.transport.limits.queue import RequestQueue
from newsleopard_async.transport.limits.windows import Slot, SlotLog
from tests.constants import KEY
from tests.transport.limits.limiting import exchange, make_limiter

pytestmark = pytest.mark.anyio

DAY_S = 86_400.0
HOUR_S = 3_600.0
MIDNIGHT = datetime(2026, 1, 6, tzinfo=UTC)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


async def be_denied(limiter: Limiter, *, polite: bool = False) -> None:
    """Ask for a slot on a day that is used up."""
    with pytest.raises(DailyQuotaExhausted):
        await limiter.acquire(polite=polite)


@pytest.mark.parametrize(
    ("limit", "polite", "allowance"),
    [
        (10_000, False, 9_950),
        (10_000, True, 9_900),
        (300_000, False, 298_500),
        (399, False, 398),
        (199, False, 199),
        (99, True, 99),
        (1, False, 1),
        (1, True, 1),
    ],
)
def test_half_a_percent_stays_in_hand(limit: int, polite: bool, allowance: int) -> None:
    """Half a percent of a day, and for polls a whole one, is kept back, rounded down."""
    assert day_allowance(limit, polite=polite) == allowance


async def test_used_up_day_is_an_error_at_once() -> None:
    """When the day is used up, the caller learns when to come back, and does not wait."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock, (2, DAY_S))
    await exchange(limiter)
    await exchange(limiter)

    with pytest.raises(DailyQuotaExhausted) as caught:
        await limiter.acquire()

    assert caught.value.resets_at == MIDNIGHT
    assert caught.value.retry_after_s == 12 * HOUR_S
    assert clock.now() == NOON


async def test_used_up_day_is_an_error_for_all_waiting_requests() -> None:
    """Waiting requests fail when the day is used up, not when they become first in the queue."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock, (1, 60), (2, DAY_S))
    await exchange(limiter)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(exchange, limiter)
        await anyio.wait_all_tasks_blocked()
        for _ in range(4):
            tasks.start_soon(be_denied, limiter)

    assert clock.monotonic() == pytest.approx(60.3)
    assert limiter.usage.used == 2


async def test_requests_go_again_after_midnight() -> None:
    """The count begins anew at 00:00 UTC."""
    clock = ManualClock(MIDNIGHT - timedelta(seconds=10))
    limiter = make_limiter(clock, (1, DAY_S))
    await exchange(limiter)

    await clock.sleep(9.9)
    await be_denied(limiter)
    await clock.sleep(0.1)
    await exchange(limiter)

    assert limiter.usage.used == 1
    assert limiter.usage.resets_at == MIDNIGHT + timedelta(days=1)


async def test_slot_held_across_midnight_counts_on_the_day_it_was_sent() -> None:
    """Taken yesterday and sent today, a request is one of today's."""
    clock = ManualClock(MIDNIGHT - timedelta(seconds=1))
    limiter = make_limiter(clock, (10, DAY_S))
    await exchange(limiter)
    held = await limiter.acquire()

    await clock.sleep(2)
    before = limiter.usage.used
    held.sent()
    after = limiter.usage.used
    held.answered()

    assert (before, after, limiter.usage.used) == (1, 1, 1)


async def test_request_answered_before_midnight_is_none_of_the_next_days() -> None:
    """Where nothing tells the sending, the answer does, and the day is over for it."""
    clock = ManualClock(MIDNIGHT - timedelta(seconds=1))
    limiter = make_limiter(clock, (10, DAY_S))
    (await limiter.acquire()).answered()

    await clock.sleep(2)

    assert limiter.usage.used == 0


async def test_every_attempt_that_was_sent_counts() -> None:
    """Refused and lost ones count; one that was never sent does not."""
    clock = ManualClock()
    limiter = make_limiter(clock, (10, DAY_S))

    for end in (Slot.answered, Slot.refused, Slot.lost, Slot.give_back):
        end(await limiter.acquire())

    assert limiter.usage.used == 3


async def test_polls_are_denied_the_last_hundredth() -> None:
    """The last requests of a day are for others than polls."""
    clock = ManualClock()
    queue = RequestQueue(clock, LimitState(DayCount(9_899)))
    limiter = Limiter(RateLimits(windows=((10_000, DAY_S),)), queue, clock)

    await limiter.acquire(polite=True)
    with pytest.raises(DailyQuotaExhausted):
        await limiter.acquire(polite=True)
    await limiter.acquire()

    assert queue.state.used(clock.monotonic(), clock.now()) == 9_901


async def test_waiting_polls_fail_when_the_last_hundredth_begins() -> None:
    """A waiting poll fails when the last hundredth begins, not when it becomes first."""
    clock = ManualClock()
    queue = RequestQueue(clock, LimitState(DayCount(97)))
    limiter = Limiter(RateLimits(windows=((1, 60), (100, DAY_S))), queue, clock)
    await exchange(limiter)
    denied_at: list[float] = []

    async def poll() -> None:
        await be_denied(limiter, polite=True)
        denied_at.append(clock.monotonic())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(exchange, limiter)
        tasks.start_soon(poll)
        await clock.sleep(1)
        queue.state.day.seed(99, clock.monotonic(), clock.now())
        queue.serve()

    assert denied_at == [1.0]
    assert clock.monotonic() == pytest.approx(60.3)


async def test_usage_is_the_days_estimate() -> None:
    """Usage has the used and the remaining requests, and the reset time, JSON-safe."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock, (1_000, DAY_S))
    await exchange(limiter)
    await limiter.acquire()

    assert limiter.usage.to_dict() == {
        "used": 2,
        "limit": 1_000,
        "remaining": 993,
        "resets_at": "2026-01-06T00:00:00Z",
    }


async def test_usage_without_a_daily_limit_has_no_remainder() -> None:
    """If the client has no daily limit, the remainder is unknown."""
    clock = ManualClock()
    limiter = make_limiter(clock, (10, 1))
    await exchange(limiter)

    usage = limiter.usage

    assert (usage.used, usage.limit, usage.remaining) == (1, None, None)


@pytest.mark.parametrize("end", [Slot.answered, Slot.lost])
async def test_request_on_its_way_at_midnight_counts_on_both_days(
    end: Callable[[Slot], None],
) -> None:
    """It may have arrived before or after."""
    clock = ManualClock(MIDNIGHT - timedelta(seconds=1))
    limiter = make_limiter(clock, (10, DAY_S))
    slot = await limiter.acquire()
    slot.sent()
    before = limiter.usage.used

    await clock.sleep(2)
    end(slot)

    assert (before, limiter.usage.used) == (1, 1)


class SetClock(ManualClock):
    """A clock whose wall can be set."""

    ahead = timedelta()

    def now(self) -> datetime:
        """Return the wall clock's time."""
        return super().now() + self.ahead


async def test_client_keeps_its_count_when_the_wall_clock_is_corrected() -> None:
    """Set over midnight and back, the clock does not give the day's requests a second time."""
    clock = SetClock(MIDNIGHT - timedelta(seconds=30))
    limits = RateLimits(windows=((1_000, 1), (20, DAY_S)))
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=[]))
    async with NewsLeopard(KEY, http_transport=transport, clock=clock, rate_limits=limits) as nl:
        for _ in range(20):
            await nl.contacts.list_lists()
        clock.ahead = timedelta(minutes=1)
        assert nl.usage.used == 0
        clock.ahead = timedelta()

        with pytest.raises(DailyQuotaExhausted):
            await nl.contacts.list_lists()

    assert nl.usage.used == 20


def test_tightest_limit_a_day_is_the_one() -> None:
    """Of several limits a day the smallest holds."""
    limits = RateLimits(windows=((30, DAY_S), (10, DAY_S), (20, 1)))

    assert day_limit(limits) == 10


def test_lost_request_counts_to_its_last_moment() -> None:
    """The log looks back as far as the longest delay of a request that was lost."""
    log = SlotLog()
    log.add(lost := Slot(mock.Mock()))
    lost.lost_at = 0.0
    log.settle(lost)

    free_at = log.next_free_at(1, 1, 0.15, now=1.1549)

    assert free_at == pytest.approx(1.155)


def test_past_requests_are_forgotten() -> None:
    """What counts against no window any more takes no memory."""
    log = SlotLog()

    for number in range(1_000):
        log.next_free_at(10, 1, 0.15, now=float(number))
        log.add(slot := Slot(mock.Mock()))
        slot.answered_at = float(number)
        log.settle(slot)

    assert len(log) <= 3


async def test_client_that_runs_for_long_keeps_few_requests() -> None:
    """The ledger forgets what is over, exports included."""
    clock = ManualClock()
    limits = RateLimits(windows=((1, 1),), export_every_s=1.0)
    queue = RequestQueue(clock)
    limiter = Limiter(limits, queue, clock)

    for number in range(50):
        (await limiter.acquire(export_of=f"c{number}")).answered()

    assert len(queue.state._log) <= 3
    assert len(queue.state.exports.log) <= 3


def test_request_that_was_forgotten_can_be_taken_out() -> None:
    """Taking out what is no longer in the log changes nothing."""
    log = SlotLog()

    log.drop(Slot(mock.Mock()))

    assert len(log) == 0
