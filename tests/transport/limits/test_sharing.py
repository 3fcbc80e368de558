"""Several processes over shared limits, as they are seen at the server; in simulated time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any
from unittest import mock

import anyio
import attrs
import pytest

from newsleopard_async.clock import Clock
from newsleopard_async.errors import (
    ConfigurationError,
    ConnectionFailed,
    DailyQuotaExhausted,
    NewsLeopardError,
    RateLimited,
)
from newsleopard_async.models.options import RateLimits
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.limits.day import DayCount
from newsleopard_async.transport.limits.exports import ExportedLately
from newsleopard_async.transport.limits.limit_state import Demand, Hold
from newsleopard_async.transport.limits.limiter import Limiter
from newsleopard_async.transport.limits.permits import apply
from newsleopard_async.transport.limits.queue import RequestQueue
from newsleopard_async.transport.limits.quota import QuotaReply, QuotaUpdate
from newsleopard_async.transport.limits.sharing import SharedLimitState
from newsleopard_async.transport.limits.windows import Slot

pytestmark = pytest.mark.anyio

UPLINK_S = 0.150


@attrs.define
class MemoryQuota:
    """Stores the value in memory; each way to it and back takes up to 2 ms."""

    clock: Clock
    kept: dict[str, Any] | None = None
    name: str = "memory"
    calls: int = 0
    is_first: bool = True
    failing: NewsLeopardError | None = None
    meanwhile: Callable[[], object] = lambda: None

    async def update(self, change: QuotaUpdate) -> QuotaReply:
        """Apply a change."""
        self.calls += 1
        await self.clock.sleep(random.uniform(0, 0.002))
        if self.failing is not None:
            raise self.failing
        now, wall = self.clock.monotonic(), self.clock.now()
        self.kept, verdict = apply(self.kept, change, now, wall, is_first=self.is_first)
        self.meanwhile()
        await self.clock.sleep(random.uniform(0, 0.002))
        return verdict

    def close(self) -> None:
        """Nothing is open."""


@attrs.define
class Fleet:
    """Processes that share a key.

    Attributes:
        jitter_s: The longest that a request takes to the server.
        answer_s: How long the server takes.
        arrivals: When a request reached the server, and of which process.
    """

    jitter_s: float
    answer_s: float
    clock: ManualClock = attrs.field(factory=ManualClock)
    quota: MemoryQuota = attrs.field(
        default=attrs.Factory(lambda self: MemoryQuota(self.clock), takes_self=True)
    )
    arrivals: list[tuple[float, int]] = attrs.field(factory=list)

    def process(self, limits: RateLimits | None = None) -> Limiter:
        """Start a process."""
        state = SharedLimitState(self.quota, self.clock, DayCount(), has_day=True)
        queue = RequestQueue(self.clock, state=state)
        return Limiter(limits or RateLimits(), queue, self.clock)

    async def send(self, limiter: Limiter, number: int) -> None:
        """Take a request to the server and its answer back."""
        slot = await limiter.acquire()
        try:
            await self.clock.sleep(0.001)
            slot.sent()
            await self.clock.sleep(random.uniform(0, self.jitter_s))
            self.arrivals.append((self.clock.monotonic(), number))
            await self.clock.sleep(self.answer_s)
            slot.answered()
            limiter.accepted()
        finally:
            slot.give_back()

    async def run(self, *requests: int) -> None:
        """Send so many requests of each process at once."""
        async with anyio.create_task_group() as tasks:
            for number, count in enumerate(requests):
                limiter = self.process()
                for _ in range(count):
                    tasks.start_soon(self.send, limiter, number)

    @property
    def violations(self) -> int:
        """How many requests arrived as the eleventh within a second."""
        times = sorted(at for at, _ in self.arrivals)
        return sum(later - at < 1 for at, later in zip(times, times[10:], strict=False))

    @property
    def use(self) -> float:
        """Which share of ten requests a second arrived."""
        times = sorted(at for at, _ in self.arrivals)
        return (len(times) - 10) / (times[-1] - times[0]) / 10

    @property
    def fairness(self) -> float:
        """Jain's index over the processes, of the first half: 1 if all had as much."""
        first = sorted(self.arrivals)[: len(self.arrivals) // 2]
        counts = Counter(number for _, number in first).values()
        processes = len({number for _, number in self.arrivals})
        return sum(counts) ** 2 / (processes * sum(count**2 for count in counts))

    @property
    def calls(self) -> float:
        """How many calls of the store a request took."""
        return self.quota.calls / len(self.arrivals)


@pytest.mark.parametrize(
    ("processes", "jitter_s", "answer_s", "least_use", "most_calls"),
    [
        pytest.param(4, 0.0, 0.0, 0.95, 1.6, id="4-quick"),
        pytest.param(4, 0.03, 0.03, 0.83, 1.6, id="4-jitter"),
        pytest.param(4, UPLINK_S, 0.1, 0.83, 1.6, id="4-slow"),
        pytest.param(4, 0.0, 1.0, 0.83, 1.6, id="4-slow-server"),
        pytest.param(16, 0.0, 0.0, 0.8, 3.0, id="16-quick"),
        pytest.param(16, 0.03, 0.03, 0.8, 3.0, id="16-jitter"),
    ],
)
@pytest.mark.slow
async def test_processes_keep_the_limit_together_and_use_it(
    processes: int, jitter_s: float, answer_s: float, least_use: float, most_calls: float
) -> None:
    """No eleventh request within a second; little is given away, and to each its part."""
    random.seed(processes)
    fleet = Fleet(jitter_s, answer_s)

    await fleet.run(*[160 // processes] * processes)

    assert (len(fleet.arrivals), fleet.violations) == (160, 0)
    assert fleet.use >= least_use
    assert fleet.calls <= most_calls
    assert fleet.fairness >= 0.9


async def test_permit_that_is_given_back_is_no_request_of_the_day() -> None:
    """The day's last request goes to another process, which waits for it to be known."""
    fleet = Fleet(0.0, 0.0)
    limits = RateLimits(windows=((10, 1.0), (100, 86_400.0)))
    first, second = fleet.process(limits), fleet.process(limits)
    for _ in range(99):
        await fleet.send(first, 1)
    last = await first.acquire()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fleet.send, second, 2)
        await fleet.clock.sleep(2)
        last.give_back()

    assert [number for _, number in fleet.arrivals].count(2) == 1
    with pytest.raises(DailyQuotaExhausted):
        await first.acquire()


async def test_report_that_fails_beside_all_calls_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The caller's Redis client can raise anything, and no task awaits the report."""
    fleet = Fleet(0.0, 0.0)
    limiter = fleet.process()
    slot = await limiter.acquire()

    with mock.patch.object(MemoryQuota, "update", side_effect=RuntimeError("the loop is closed")):
        slot.sent()
        await fleet.clock.sleep(1)

    assert "could not be reported" in caplog.text
    await limiter.report()
    assert fleet.quota.kept is not None
    assert fleet.quota.kept["places"][0][3] is True


async def test_small_demands_are_met_early() -> None:
    """A client with many requests does not delay a client with few."""
    random.seed(1)
    fleet = Fleet(0.0, 0.0)

    await fleet.run(120, 10, 10, 10)

    ends = {number: at for at, number in sorted(fleet.arrivals)}
    assert fleet.violations == 0
    assert max(ends[number] for number in (1, 2, 3)) < 6
    assert ends[0] > 13


async def test_day_has_as_many_requests_as_are_allowed() -> None:
    """All processes together send them all, and each of the others gets an error."""
    fleet = Fleet(0.0, 0.0)
    limits = RateLimits(windows=((10, 1.0), (100, 86_400.0)))
    errors: list[NewsLeopardError] = []

    async def send(limiter: Limiter) -> None:
        try:
            await fleet.send(limiter, 0)
        except DailyQuotaExhausted as error:
            errors.append(error)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            process = fleet.process(limits)
            for _ in range(40):
                tasks.start_soon(send, process)

    assert (len(fleet.arrivals), len(set(map(id, errors)))) == (100, 60)


@pytest.mark.parametrize("leaving", [0, 1])
async def test_request_cancelled_at_any_moment_keeps_no_slot(leaving: int) -> None:
    """The other ones of its process and of others go, no later than they would have."""
    limits = RateLimits(windows=((1, 1.0),))
    for moment in range(0, 1_300, 61):
        random.seed(moment)
        fleet = Fleet(0.0, 0.0)
        process, other = fleet.process(limits), fleet.process(limits)
        scopes = [anyio.CancelScope(), anyio.CancelScope()]
        await fleet.send(process, 9)

        async with anyio.create_task_group() as tasks:
            for number, scope in enumerate(scopes):
                tasks.start_soon(send_within, scope, fleet, process, number)
            await fleet.clock.sleep(moment / 1_000)
            scopes[leaving].cancel()
            tasks.start_soon(fleet.send, other, 2)

        went = [number for _, number in fleet.arrivals]
        last_s = fleet.arrivals[-1][0]
        assert sorted({*went, leaving}) == [0, 1, 2, 9]
        # The request that must wait for the withdrawn one is sent at its own time.
        assert last_s < 1.05 * len(went)
        assert fleet.violations == 0
        await process.report()
        assert (await fleet.quota.update(NOTHING)).used == len(went)


async def send_within(
    scope: anyio.CancelScope, fleet: Fleet, limiter: Limiter, number: int
) -> None:
    """Send a request that may be cancelled until it has its place."""
    with scope:
        await fleet.send(limiter, number)


@pytest.mark.parametrize(
    "error",
    [ConnectionFailed("away", reason="refused", host="redis"), ConfigurationError("full")],
    ids=["away", "unusable"],
)
async def test_store_that_fails_gives_each_who_waits_an_error(error: NewsLeopardError) -> None:
    """Each waiter gets its own error, even a stop. Later all requests and reports work."""
    fleet = Fleet(0.0, 0.0)
    process = fleet.process()
    await fleet.send(process, 0)
    fleet.quota.failing = error
    caught: list[NewsLeopardError] = []

    async def fail(urgent: bool) -> None:
        with pytest.raises(type(error), match=str(error)) as info:
            await process.acquire(urgent=urgent)
        caught.append(info.value)

    async with anyio.create_task_group() as tasks:
        for urgent in (False, False, True):
            tasks.start_soon(fail, urgent)
    await process.report()
    fleet.quota.failing = None

    assert len({id(each) for each in caught} - {id(error)}) == 3
    assert [vars(each) for each in caught] == [vars(error)] * 3
    await fleet.send(process, 0)
    await process.report()
    process.queue.state.close()
    assert fleet.quota.kept is not None
    assert [(place[3], place[2] < 3) for place in fleet.quota.kept["places"]] == [(True, True)] * 2


async def test_what_the_store_did_not_take_is_reported_later() -> None:
    """By the next permit that is asked for, however long that takes."""
    fleet = Fleet(0.0, 0.0)
    process = fleet.process()
    slot = await process.acquire()
    fleet.quota.failing = ConnectionFailed("away", reason="refused", host="redis")

    slot.sent()
    slot.refused()
    process.throttled(daily=False)
    await fleet.clock.sleep(7)
    calls = fleet.quota.calls
    fleet.quota.failing = None
    await fleet.send(process, 0)

    assert calls < 10
    assert fleet.quota.kept is not None
    assert fleet.quota.kept["gate"][0] == "PROBING"


@pytest.mark.parametrize("is_known", [False, True])
async def test_what_stops_a_campaign_goes_before_all_others(is_known: bool) -> None:
    """Before waiting requests of its own process and of others."""
    random.seed(0)
    fleet = Fleet(0.0, 0.0)
    busy, other = fleet.process(), fleet.process()
    async with anyio.create_task_group() as tasks:
        for number in (0, 1):
            for _ in range(40):
                tasks.start_soon(fleet.send, (busy, other)[number], number)
        await fleet.clock.sleep(2.5)
        began = fleet.clock.monotonic()
        slot = await (busy if is_known else fleet.process()).acquire(urgent=True)
        took_s = fleet.clock.monotonic() - began
        slot.sent()
        slot.answered()

    assert took_s < 1.1
    assert fleet.violations == 0


async def shut(fleet: Fleet) -> None:
    """Have the server refuse a process."""
    process = fleet.process()
    slot = await process.acquire()
    slot.sent()
    slot.refused()
    process.throttled(daily=None, retry_after_s=30.0)
    await process.report()


async def lose_the_day(fleet: Fleet) -> None:
    """Have the server refuse a process until it gives up the day."""
    process = fleet.process()
    with contextlib.suppress(DailyQuotaExhausted):
        while True:
            slot = await process.acquire()
            slot.sent()
            slot.refused()
            process.throttled(daily=None)


async def use_up_the_day(fleet: Fleet) -> None:
    """Have a process send all that is allowed."""
    await fleet.quota.update(attrs.evolve(NOTHING, seen=9_950))


NOTHING = QuotaUpdate(
    windows=(),
    uplink_s=UPLINK_S,
    allowance=None,
    has_day=True,
    day=datetime(2026, 1, 5, tzinfo=UTC).toordinal(),
    seen=0,
    chance=0.5,
)


@pytest.mark.parametrize("trouble", [lose_the_day, use_up_the_day])
async def test_what_stops_a_campaign_is_held_by_no_trouble_of_others(
    trouble: Callable[[Fleet], Awaitable[None]],
) -> None:
    """It is sent immediately, while each other request fails for today."""
    fleet = Fleet(0.0, 0.0)
    await trouble(fleet)
    process = fleet.process()
    random.seed(0)
    began = fleet.clock.monotonic()
    errors: list[DailyQuotaExhausted] = []

    async def fail() -> None:
        with pytest.raises(DailyQuotaExhausted) as caught:
            await process.acquire()
        errors.append(caught.value)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fail)
        # In line before the store has answered.
        await fleet.clock.sleep(0.0001)
        slot = await process.acquire(urgent=True)
    slot.sent()
    slot.answered()
    process.accepted()
    await process.report()

    assert fleet.clock.monotonic() - began < 0.1
    assert errors[0].resets_at == datetime(2026, 1, 6, tzinfo=UTC)
    assert (process.usage.remaining == 0) is (trouble is use_up_the_day)


async def test_hold_is_kept_by_all_and_opened_for_all() -> None:
    """One refusal shuts the gate of all processes, and one accepted probe opens it for all."""
    random.seed(0)
    fleet = Fleet(0.0, 0.5)
    await shut(fleet)
    shut_s = fleet.clock.monotonic()

    await fleet.run(3, 3)

    (first_s, first), *rest = sorted(fleet.arrivals)
    assert first_s >= shut_s + 30
    assert len(rest) == 5
    assert min(at for at, number in rest if number == first) < first_s + 0.52
    assert min(at for at, number in rest if number != first) < first_s + 1.1


async def test_limits_of_one_who_waits_are_no_error_for_another() -> None:
    """A poll is denied the last of the day, and a short patience is its owner's alone."""
    fleet = Fleet(0.0, 0.0)
    state = SharedLimitState(fleet.quota, fleet.clock, DayCount(), has_day=True)
    queue = RequestQueue(fleet.clock, state=state)
    hasty = Limiter(RateLimits(), queue, fleet.clock, longest_hold_s=1.0)
    patient = Limiter(RateLimits(), queue, fleet.clock)
    endless = Limiter(RateLimits(windows=((10, 1.0),)), queue, fleet.clock)
    await shut(fleet)
    await fleet.quota.update(attrs.evolve(NOTHING, seen=9_900))
    random.seed(0)
    ends: list[str] = []

    async def fail(limiter: Limiter, error: type[NewsLeopardError], *, polite: bool) -> None:
        with pytest.raises(error):
            await limiter.acquire(polite=polite)
        ends.append(error.__name__)

    async def go(limiter: Limiter) -> None:
        slot = await limiter.acquire()
        slot.sent()
        slot.answered()
        limiter.accepted()
        ends.append("went")

    async with anyio.create_task_group() as tasks:
        for call in (
            partial(fail, patient, DailyQuotaExhausted, polite=True),
            partial(fail, hasty, RateLimited, polite=False),
            partial(go, patient),
            partial(go, endless),
        ):
            tasks.start_soon(call)
            # Less than the store takes for the first one's answer.
            await fleet.clock.sleep(0.0001)

    assert ends == ["DailyQuotaExhausted", "RateLimited", "went", "went"]


async def test_refusal_is_not_forgotten_by_what_was_asked_before(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A reply from before a refusal opens no gate, and writes no log line."""
    fleet = Fleet(0.0, 0.0)
    process = fleet.process()
    slot = await process.acquire()
    slot.sent()

    holds: list[Hold | None] = []

    def be_refused() -> None:
        slot.refused()
        holds.append(process.throttled(daily=False))

    fleet.quota.meanwhile = be_refused
    with caplog.at_level(logging.INFO, "newsleopard_async"):
        await process.learn_day()
        be_refused()

    assert [hold is not None for hold in holds] == [True, False]
    assert not caplog.messages


async def test_each_process_logs_the_server_behaviour_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """That requests go evenly from now on, and that they are accepted again."""
    fleet = Fleet(0.0, 0.0)
    processes = [fleet.process(), fleet.process()]
    slots = [await process.acquire() for process in processes for _ in range(2)]
    with caplog.at_level(logging.INFO, "newsleopard_async"):
        for slot, process in zip(slots, [processes[0]] * 2 + [processes[1]] * 2, strict=True):
            slot.sent()
            slot.refused()
            process.throttled(daily=False)
        for process in processes:
            await process.learn_day()
        for _ in range(4):
            for number, process in enumerate(processes):
                await fleet.send(process, number)

    said = Counter(message.partition(";")[0] for message in caplog.messages)
    assert said == {
        "the platform accepts requests again": 2,
        "the server throttles below the configured limits": 2,
    }
    with caplog.at_level(logging.INFO, "newsleopard_async"):
        await fleet.process().learn_day()
    # A process that begins later does not warn again.
    assert [caplog.records[-1].levelname, len(caplog.records)] == ["INFO", 5]
    times = [at for at, _ in fleet.arrivals][1:]
    assert all(later - at >= 0.105 for at, later in pairwise(times))


async def test_permit_that_is_late_is_not_used() -> None:
    """A process that was busy or stopped asks again, because others have sent meanwhile."""
    fleet = Fleet(0.0, 0.0)
    process = fleet.process()
    async with anyio.create_task_group() as tasks:
        for _ in range(11):
            tasks.start_soon(fleet.send, process, 0)
        await fleet.clock.sleep(0.9)
        permit = process.queue.state.go_at(ANY, fleet.clock.monotonic(), fleet.clock.now())
        late = process.queue.state.go_at(ANY, permit + 0.051, fleet.clock.now())

    assert permit < 1.2
    assert late == math.inf
    assert fleet.violations == 0
    await process.report()
    assert process.usage.used == 11


ANY = Demand(RateLimits(), False, 60.0)


def test_slot_whose_event_loop_has_ended_ends_quietly() -> None:
    """The garbage collector can close the rest of a task later."""

    async def leave() -> Slot:
        return await Fleet(0.0, 0.0).process().acquire()

    asyncio.run(leave()).give_back()


async def test_permit_that_comes_when_all_have_left_is_given_back() -> None:
    """The day can end for waiting requests while the store is asked for the first one."""
    fleet = Fleet(0.0, 0.0)
    limits = RateLimits(windows=((10, 1.0), (3, 86_400.0)))
    process = fleet.process(limits)
    slots = [await process.acquire() for _ in range(2)]
    state = process.queue.state
    now, wall = fleet.clock.monotonic(), fleet.clock.now()
    state.day.seed(1, now, wall)

    def send_all() -> None:
        while slots:
            slots.pop().sent()

    fleet.quota.meanwhile = send_all
    with pytest.raises(DailyQuotaExhausted):
        await process.acquire()
    await process.report()

    assert fleet.quota.kept is not None
    assert len(fleet.quota.kept["places"]) == 2


HOUR_S = 3_600.0


async def export(limiter: Limiter, campaign: str, end: Callable[[Slot], None] | None) -> None:
    """Export a campaign; ``end`` is the outcome of the request, if it was sent."""
    slot = await limiter.acquire(export_of=campaign)
    if end is not None:
        slot.sent()
        end(slot)
    slot.give_back()
    await limiter.report()


@pytest.mark.parametrize(
    ("end", "wait_s"),
    [(Slot.answered, HOUR_S), (Slot.lost, HOUR_S), (Slot.refused, 0), (None, 0)],
    ids=["answered", "lost", "refused", "not sent"],
)
async def test_hour_of_an_export_holds_for_all(
    end: Callable[[Slot], None] | None, wait_s: float
) -> None:
    """What one process has exported no other one does, unless it was refused or never left."""
    fleet = Fleet(0.0, 0.0)
    one, other = fleet.process(), fleet.process()

    await export(one, "c1", end)

    if wait_s:
        with pytest.raises(ExportedLately) as caught:
            await other.acquire(export_of="c1")
        assert caught.value.retry_after_s == pytest.approx(wait_s, abs=0.1)
    else:
        await export(other, "c1", Slot.answered)
    await export(other, "c2", Slot.answered)


async def test_exports_of_all_keep_their_distance() -> None:
    """Also while one is on its way, or was only claimed."""
    fleet = Fleet(0.0, 0.0)
    limits = RateLimits(windows=((10, 1.0),), export_every_s=10.0)
    processes = [fleet.process(limits) for _ in range(3)]
    went: list[float] = []

    async def send(number: int) -> None:
        slot = await processes[number].acquire(export_of=f"c{number}")
        went.append(fleet.clock.monotonic())
        await fleet.clock.sleep(3)
        slot.sent()
        slot.answered()

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(send, number)

    assert all(later - at >= 10 for at, later in pairwise(went))
    assert went[-1] < 30


async def test_claim_of_an_export_is_given_back_if_the_store_fails() -> None:
    """Who cannot ask has exported nothing."""
    fleet = Fleet(0.0, 0.0)
    process = fleet.process()
    fleet.quota.failing = ConnectionFailed("away", reason="refused", host="redis")

    with pytest.raises(ConnectionFailed):
        await process.acquire(export_of="c1")
    fleet.quota.failing = None

    await export(process, "c1", Slot.answered)


async def test_exports_at_an_emulator_are_each_process_own() -> None:
    """Its day is not shared, since it begins anew at each start."""
    fleet = Fleet(0.0, 0.0)
    processes = []
    for _ in range(2):
        state = SharedLimitState(fleet.quota, fleet.clock, DayCount(), has_day=False)
        queue = RequestQueue(fleet.clock, state=state)
        limits = RateLimits(windows=((10, 1.0), (3, 86_400.0)))
        processes.append(Limiter(limits, queue, fleet.clock))

    for process in processes:
        for end in (Slot.refused, Slot.answered):
            await export(process, "c1", end)
        await fleet.send(process, 0)
        with pytest.raises(DailyQuotaExhausted):
            await process.acquire()

    assert [process.usage.used for process in processes] == [3, 3]
