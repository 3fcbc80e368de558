"""Waiting for a slot: windows, order, cancellation, the shared state."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

import anyio
import anyio.abc
import attrs
import httpx
import pytest

from newsleopard_async import NewsLeopard
from newsleopard_async.clock import Clock, SystemClock
from newsleopard_async.errors import DailyQuotaExhausted
from newsleopard_async.models.options import RateLimits
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.limits import limiter as limiters
from newsleopard_async.transport.limits.limiter import Limiter, shared_queue
from newsleopard_async.transport.limits.queue import RequestQueue, Slot, goes_first_at
from tests.constants import KEY
from tests.transport.limits.limiting import exchange, lists_are_empty, make_limiter

pytestmark = pytest.mark.quick

PERIOD_S = 1.005
UPLINK_S = 0.150


@attrs.define
class Line:
    """Callers of a limiter, started one after the other, and the order in which they go."""

    limiter: Limiter
    tasks: anyio.abc.TaskGroup
    went: list[str] = attrs.field(factory=list)
    scopes: dict[str, anyio.CancelScope] = attrs.field(factory=dict)

    async def join(self, *names: str, polite: bool = False, again: bool = False) -> None:
        """Start callers; each is in line before the next one starts."""
        for name in names:
            self.tasks.start_soon(self._call, name, polite, again)
            await anyio.wait_all_tasks_blocked()

    async def _call(self, name: str, polite: bool, again: bool) -> None:
        with anyio.CancelScope() as self.scopes[name]:
            await exchange(self.limiter, polite=polite, again=again)
            self.went.append(name)


@pytest.mark.anyio
async def test_first_n_go_at_once() -> None:
    """The burst is kept: as many as the window allows need not wait."""
    clock = ManualClock()
    limiter = make_limiter(clock, (10, 1))

    for _ in range(10):
        await limiter.acquire()

    assert clock.monotonic() == 0.0


def never(_: Slot) -> None:
    """Leave a slot as it is."""


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("at_start", "after_s", "then", "next_at"),
    [
        pytest.param(never, 0.3, Slot.answered, 0.3 + PERIOD_S, id="answered"),
        pytest.param(Slot.sent, 9.0, never, PERIOD_S + UPLINK_S, id="sent, unanswered"),
        pytest.param(Slot.sent, 0.1, Slot.answered, 0.1 + PERIOD_S, id="answered soon"),
        pytest.param(Slot.sent, 0.5, Slot.answered, PERIOD_S + UPLINK_S, id="answered late"),
        pytest.param(never, 30.0, Slot.lost, 30 + PERIOD_S + UPLINK_S, id="lost"),
        pytest.param(Slot.sent, 0.5, Slot.lost, PERIOD_S + UPLINK_S, id="sent, then lost"),
        pytest.param(never, 5.0, Slot.refused, 5 + PERIOD_S, id="refused"),
        pytest.param(never, 5.0, Slot.give_back, 5.0, id="given back"),
        pytest.param(Slot.sent, 0.5, Slot.give_back, PERIOD_S + UPLINK_S, id="sent after all"),
    ],
)
async def test_slot_frees_by_the_earlier_of_answer_and_sending(
    at_start: Callable[[Slot], None],
    after_s: float,
    then: Callable[[Slot], None],
    next_at: float,
) -> None:
    """A slot is free a period after the request can last have reached the server."""
    clock = ManualClock()
    limiter = make_limiter(clock, (1, 1))
    slot = await limiter.acquire()
    at_start(slot)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(limiter.acquire)
        await clock.sleep(after_s)
        then(slot)

    assert clock.monotonic() == pytest.approx(max(next_at, after_s))


@pytest.mark.anyio
async def test_departure_sets_the_wake_up_time_of_waiting_requests() -> None:
    """Who waited without knowing for how long goes once the sent request's time is over."""
    clock = ManualClock()
    limiter = make_limiter(clock, (1, 1))
    slot = await limiter.acquire()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(limiter.acquire)
        await clock.sleep(3)
        slot.sent()

    assert clock.monotonic() == pytest.approx(3 + PERIOD_S + UPLINK_S)


@pytest.mark.anyio
async def test_slot_is_held_until_its_outcome_is_known() -> None:
    """While a request was neither sent nor answered, no other request uses its slot."""
    clock = ManualClock(auto_advance=False)
    limiter = make_limiter(clock, (1, 1))
    slot = await limiter.acquire()

    async with anyio.create_task_group() as tasks:
        line = Line(limiter, tasks)
        await line.join("next")
        clock.advance(3_600)
        await anyio.wait_all_tasks_blocked()
        held = list(line.went)
        slot.give_back()

    assert held == []
    assert line.went == ["next"]


@pytest.mark.anyio
async def test_every_window_is_kept() -> None:
    """A request goes when the last of its windows lets it."""
    clock = ManualClock()
    limiter = make_limiter(clock, (2, 1), (3, 10))
    went_at: list[float] = []

    for _ in range(5):
        await exchange(limiter)
        went_at.append(clock.monotonic())

    assert went_at == pytest.approx([0, 0, PERIOD_S, 10.05, 10.05])


@pytest.mark.anyio
async def test_clients_of_one_state_are_judged_by_their_own_limits() -> None:
    """Every client counts the requests of all, each against its own windows."""
    clock = ManualClock()
    queue = RequestQueue(clock)
    wide = Limiter(RateLimits(windows=((3, 1),)), queue, clock)
    narrow = Limiter(RateLimits(windows=((1, 5),)), queue, clock)

    await exchange(narrow)
    await exchange(wide)
    await exchange(wide)
    wide_went_at = clock.monotonic()
    await exchange(narrow)

    assert wide_went_at == 0.0
    assert clock.monotonic() == pytest.approx(5.025)


@pytest.mark.anyio
async def test_first_come_first_served() -> None:
    """Callers go in the order in which they came, one window at a time."""
    clock = ManualClock(auto_advance=False)
    limiter = make_limiter(clock, (1, 1))
    await exchange(limiter)

    async with anyio.create_task_group() as tasks:
        line = Line(limiter, tasks)
        await line.join("a", "b", "c")
        for _ in range(3):
            clock.advance(PERIOD_S)
            await anyio.wait_all_tasks_blocked()

    assert line.went == ["a", "b", "c"]


@pytest.mark.anyio
async def test_polls_let_others_go_first() -> None:
    """A polite caller that came first goes last."""
    clock = ManualClock(auto_advance=False)
    limiter = make_limiter(clock, (1, 1))
    await exchange(limiter)

    async with anyio.create_task_group() as tasks:
        line = Line(limiter, tasks)
        await line.join("poll 1", "poll 2", polite=True)
        await line.join("a", "b")
        for _ in range(4):
            clock.advance(PERIOD_S)
            await anyio.wait_all_tasks_blocked()

    assert line.went == ["a", "b", "poll 1", "poll 2"]


@pytest.mark.anyio
async def test_poll_that_has_waited_long_goes_in_the_order_of_its_coming() -> None:
    """After 3 s a poll counts by its time of arrival, like any other request."""
    clock = ManualClock(auto_advance=False)
    limiter = make_limiter(clock, (1, 1))
    slot = await limiter.acquire()

    async with anyio.create_task_group() as tasks:
        line = Line(limiter, tasks)
        await line.join("a")
        clock.advance(0.1)
        await line.join("poll", polite=True)
        clock.advance(0.1)
        await line.join("b")
        clock.advance(3)
        await line.join("young poll", polite=True)
        await line.join("c")
        slot.answered()
        for _ in range(5):
            clock.advance(PERIOD_S)
            await anyio.wait_all_tasks_blocked()

    assert line.went == ["a", "poll", "b", "c", "young poll"]


@pytest.mark.anyio
async def test_poll_with_a_deadline_goes_first_in_time() -> None:
    """It goes before those that came before it, and after those that the gateway has refused."""
    clock = ManualClock(auto_advance=False)
    limiter = make_limiter(clock, (1, 1))
    slot = await limiter.acquire()

    async with anyio.create_task_group() as tasks:
        line = Line(limiter, tasks)
        await line.join("a", "b")
        await line.join("refused", again=True)
        before = goes_first_at.set(clock.monotonic() + 0.5)
        await line.join("request")
        await line.join("poll", "poll that was cancelled", polite=True)
        goes_first_at.reset(before)
        clock.advance(0.5)
        await anyio.wait_all_tasks_blocked()
        line.scopes["poll that was cancelled"].cancel()
        slot.answered()
        for _ in range(5):
            clock.advance(PERIOD_S)
            await anyio.wait_all_tasks_blocked()

    assert line.went == ["refused", "poll", "a", "b", "request"]


@pytest.mark.anyio
async def test_polls_are_sent_while_the_queue_is_never_empty() -> None:
    """Callers that call again immediately, without end, do not prevent a poll."""
    clock = ManualClock()
    limiter = make_limiter(clock, (10, 1))

    async def keep_busy() -> None:
        while True:
            await exchange(limiter)

    async with anyio.create_task_group() as tasks:
        for _ in range(30):
            tasks.start_soon(keep_busy)
        await clock.sleep(10)
        began_s = clock.monotonic()
        await exchange(limiter, polite=True)
        took_s = clock.monotonic() - began_s
        tasks.cancel_scope.cancel()

    assert took_s < 3 + 2 * PERIOD_S


@pytest.mark.anyio
async def test_refused_request_has_priority_over_new_ones() -> None:
    """It has priority over requests without an attempt, so that it never waits too long."""
    clock = ManualClock(auto_advance=False)
    limiter = make_limiter(clock, (1, 1))
    slot = await limiter.acquire()

    async with anyio.create_task_group() as tasks:
        line = Line(limiter, tasks)
        await line.join("a", "b")
        await line.join("refused", again=True)
        slot.give_back()
        for _ in range(3):
            clock.advance(PERIOD_S)
            await anyio.wait_all_tasks_blocked()

    assert line.went == ["refused", "a", "b"]


@pytest.mark.anyio
async def test_client_with_other_limits_does_not_wait_for_those_behind_which_it_stands() -> None:
    """A client with lower limits fails immediately, at any position in the queue."""
    clock = ManualClock()
    queue = RequestQueue(clock)
    wide = Limiter(RateLimits(windows=((1, 60), (10, 86_400))), queue, clock)
    narrow = Limiter(RateLimits(windows=((1, 86_400),)), queue, clock)
    await exchange(wide)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(exchange, wide)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(DailyQuotaExhausted):
            await narrow.acquire()
        asked_at = clock.monotonic()

    assert asked_at == 0.0


@pytest.mark.anyio
@pytest.mark.parametrize("leaving", ["a", "b", "c"])
async def test_cancelled_waiter_leaves_its_place_to_the_next(leaving: str) -> None:
    """After a waiter has left, the others are sent in order, and not later than without it."""
    clock = ManualClock(auto_advance=False)
    limiter = make_limiter(clock, (1, 1))
    await exchange(limiter)

    async with anyio.create_task_group() as tasks:
        line = Line(limiter, tasks)
        await line.join("a", "b", "c")
        line.scopes[leaving].cancel()
        await anyio.wait_all_tasks_blocked()
        for _ in range(2):
            clock.advance(PERIOD_S)
            await anyio.wait_all_tasks_blocked()

    assert line.went == [name for name in "abc" if name != leaving]


@pytest.mark.anyio
async def test_cancelled_before_it_begins_takes_nothing() -> None:
    """A caller that is cancelled already takes no slot."""
    clock = ManualClock()
    limiter = make_limiter(clock, (1, 1))

    with anyio.CancelScope() as scope:
        scope.cancel()
        await limiter.acquire()
    await limiter.acquire()

    assert scope.cancelled_caught
    assert clock.monotonic() == 0.0
    assert limiter.usage.used == 1


@pytest.mark.asyncio
async def test_task_cancelled_when_it_gets_its_slot_returns_it() -> None:
    """A turn that comes together with asyncio's own cancellation goes to the next."""
    clock = ManualClock(auto_advance=False)
    limiter = make_limiter(clock, (1, 1))
    slot = await limiter.acquire()
    leaving = asyncio.create_task(limiter.acquire())
    next_one = asyncio.create_task(limiter.acquire())
    await anyio.wait_all_tasks_blocked()

    slot.give_back()
    leaving.cancel()
    await next_one

    assert leaving.cancelled()
    assert limiter.usage.used == 1


@pytest.mark.asyncio
async def test_task_cancelled_after_a_slot_without_wait_returns_it() -> None:
    """Even a turn that came at once is not lost with asyncio's own cancellation."""
    clock = ManualClock()
    limiter = make_limiter(clock, (1, 1))
    leaving = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0)

    leaving.cancel()
    await asyncio.wait([leaving])
    await limiter.acquire()

    assert leaving.cancelled()
    assert clock.monotonic() == 0.0


@pytest.mark.anyio
async def test_acquire_is_a_checkpoint() -> None:
    """Even a caller that need not wait lets others run."""
    clock = ManualClock()
    limiter = make_limiter(clock, (1_000_000, 1))
    ran = anyio.Event()

    async def other() -> None:
        ran.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        while not ran.is_set():
            await limiter.acquire()

    assert limiter.usage.used < 10


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("ends", "next_at"),
    [
        # Events after the end of a slot, for example a body that breaks off, change nothing.
        ("sent answered wait sent lost answered give_back", PERIOD_S),
        # If the departure of a request is not reported, returning it after its answer does nothing.
        ("answered give_back", PERIOD_S),
        # A second report of the departure moves its instant, and the request counts once.
        ("sent wait sent", 0.5 + PERIOD_S + UPLINK_S),
    ],
)
async def test_only_the_first_end_of_a_slot_counts(ends: str, next_at: float) -> None:
    """The last report of its departure before that counts, too."""
    clock = ManualClock()
    limiter = make_limiter(clock, (1, 1), (10, 86_400))
    slot = await limiter.acquire()

    for end in ends.split():
        await clock.sleep(0.5) if end == "wait" else getattr(slot, end)()
    await limiter.acquire()

    assert clock.monotonic() == pytest.approx(next_at)
    assert limiter.usage.used == 2


@pytest.mark.anyio
async def test_closing_and_reopening_cannot_burst() -> None:
    """A key's state outlives the client, so that a second client waits for the first one's."""
    clock = ManualClock()
    limits = RateLimits(windows=((1, 1),))
    first = Limiter(limits, shared_queue("key", "https://api", clock), clock)
    await exchange(first)
    del first

    second = Limiter(limits, shared_queue("key", "https://api", clock), clock)
    await exchange(second)

    assert clock.monotonic() == pytest.approx(PERIOD_S)


@pytest.mark.anyio
async def test_each_key_origin_and_clock_has_its_own_state() -> None:
    """Only the same key, at the same origin, on an equal clock, shares limits."""
    clock, other_clock = ManualClock(), ManualClock()
    limits = RateLimits()

    def client(key: str, origin: str, clock: Clock) -> Limiter:
        return Limiter(limits, shared_queue(key, origin, clock), clock)

    first, same = client("key", "https://api", clock), client("key", "https://api", clock)
    others = [
        client("other", "https://api", clock),
        client("key", "https://other", clock),
        client("key", "https://api", other_clock),
    ]
    real, equal = client("key", "o", SystemClock()), client("key", "o", SystemClock())

    assert first.queue is same.queue
    assert len({each.queue for each in (first, *others)}) == 4
    assert real.queue is equal.queue


def test_each_event_loop_has_its_own_state() -> None:
    """Two event loops never share a state, because its primitives would hang."""
    clock = ManualClock()

    async def get() -> RequestQueue:
        return shared_queue("key", "https://api", clock)

    assert anyio.run(get) is not anyio.run(get)


@pytest.mark.anyio
async def test_state_keeps_no_key() -> None:
    """Only a hash of key and origin is kept."""
    clock = ManualClock()

    queue = shared_queue("a-secret-key", "https://api", clock)
    everything = repr([limiters._registry.get(), vars(queue)])

    assert "digest" in everything
    assert "a-secret-key" not in everything


def kept_states() -> list[RequestQueue]:
    """Return the states that this event loop keeps."""
    kept = limiters._registry.get().by_key.values()
    return [each.queue for among in kept for each in among if each.queue is not None]


@pytest.mark.anyio
@pytest.mark.parametrize("closing", ["closed", "garbage"])
async def test_clients_that_are_gone_keep_nothing(closing: str) -> None:
    """A service with a client a tenant does not grow with each of them."""
    clock = ManualClock()
    wire = httpx.MockTransport(lists_are_empty)
    for number in range(50):
        nl = NewsLeopard(f"{KEY}{number}", http_transport=wire, clock=clock)
        await nl.contacts.list_lists()
        if closing == "closed":
            await nl.aclose()
        await clock.sleep(1)
    del nl
    gc.collect()
    await clock.sleep(5)
    for number in range(5):
        nl = NewsLeopard(f"{KEY}{number}", http_transport=wire, clock=clock)
        assert nl.usage.used == 1
        await nl.aclose()

    states, by_key = kept_states(), dict(limiters._registry.get().by_key)
    # Past the day, the counts go too.
    await clock.sleep(86_400)
    for _ in range(50):
        Limiter(RateLimits(), shared_queue(KEY, "https://api", clock), clock).close()

    assert len(states) <= 5
    assert len(by_key) == 50
    assert len(limiters._registry.get().by_key) <= 2


@pytest.mark.anyio
@pytest.mark.parametrize("reason", ["client", "window", "open slot", "export", "gate", "day gone"])
async def test_state_that_still_counts_is_kept(reason: str) -> None:
    """While a client, a window, the gate or an export needs it, a state is not dropped."""
    clock = ManualClock()
    limits = RateLimits(windows=((1, 60), (10, 86_400)))
    limiter = Limiter(limits, shared_queue(KEY, "https://api", clock), clock)
    if reason == "open slot":
        await limiter.acquire()
    elif reason != "client":
        slot = await limiter.acquire(export_of="c1" if reason == "export" else None)
        slot.answered()
    if reason in ("gate", "day gone"):
        limiter.throttled(daily=None)
    if reason == "day gone":
        limiter.queue.state.day.declare_gone(clock.monotonic(), clock.now())
    waits_s = {"window": 59, "export": 3_599, "gate": 299, "day gone": 3_600}
    await clock.sleep(waits_s.get(reason, 3_600))
    queue = limiter.queue
    if reason != "client":
        limiter.close()

    assert shared_queue(KEY, "https://api", clock) is queue


@pytest.mark.anyio
async def test_short_clients_one_after_the_other_keep_the_limit() -> None:
    """Five clients of ten calls each never send eleven requests in a second."""
    clock = ManualClock()
    arrived_at: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        arrived_at.append(clock.monotonic())
        return lists_are_empty(request)

    for _ in range(5):
        wire = httpx.MockTransport(answer)
        async with NewsLeopard(KEY, http_transport=wire, clock=clock) as nl:
            for _ in range(10):
                await nl.contacts.list_lists()

    assert len(arrived_at) == 50
    assert all(late - early >= 1 for early, late in zip(arrived_at, arrived_at[10:], strict=False))


@pytest.mark.anyio
async def test_closed_client_still_has_its_usage() -> None:
    """Its view of the day outlives it."""
    nl = NewsLeopard(KEY, http_transport=httpx.MockTransport(lists_are_empty), clock=ManualClock())
    async with nl:
        await nl.contacts.list_lists()

    assert nl.usage.used == 1


def test_client_closed_on_another_event_loop_changes_no_state() -> None:
    """Another event loop has no states; those of the client's own loop ended with it."""
    clock = ManualClock()

    async def begin() -> Limiter:
        return Limiter(RateLimits(), shared_queue(KEY, "https://api", clock), clock)

    async def end(limiter: Limiter) -> None:
        limiter.close()

    limiter = anyio.run(begin)
    anyio.run(end, limiter)

    assert limiter not in limiter.queue.clients


@pytest.mark.anyio
async def test_key_that_comes_and_goes_is_kept_once_for_each_clock() -> None:
    """Its day's count is the same each time, and of an unused clock nothing is left."""
    clock, other_clock = ManualClock(), ManualClock()

    async def count(on: ManualClock) -> int:
        limiter = Limiter(RateLimits(), shared_queue(KEY, "https://api", on), on)
        used = limiter.usage.used
        if on is clock:
            await exchange(limiter)
        await on.sleep(10)
        if meanwhile:
            limiters._registry.get().tidy()
        limiter.close()
        return used

    meanwhile, clocks = False, (clock, other_clock, clock, clock, other_clock)
    counts = [await count(on) for on in clocks]
    meanwhile = True
    counts.append(await count(clock))
    states = limiters._registry.get()

    assert counts == [0, 0, 1, 2, 0, 3]
    assert [len(among) for among in states.by_key.values()] == [1]
    assert (len(states.with_queue), len(states.without_queue)) == (0, 1)


@pytest.mark.anyio
async def test_slot_that_is_taken_at_once_overtakes_nobody() -> None:
    """Not even with wider limits, and it is free again if it is given back."""
    queue = RequestQueue(clock := ManualClock())
    narrow = Limiter(RateLimits(windows=((1, 1.0),)), queue, clock)
    wide = Limiter(RateLimits(windows=((10, 1.0),)), queue, clock)
    first = narrow.at_once()
    assert first is not None

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(narrow.acquire)
        await anyio.wait_all_tasks_blocked()
        overtaking = wide.at_once()
        first.give_back()
        if overtaking is not None:
            tasks.cancel_scope.cancel()

    assert overtaking is None
    assert narrow.at_once() is None
    assert wide.at_once() is not None
