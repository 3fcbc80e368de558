"""Urgent requests: they have priority, and are sent once even if no other request is."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import anyio
import attrs
import httpx
import pytest

from newsleopard_async.errors import (
    DailyQuotaExhausted,
    NewsLeopardError,
    OutcomeUnknown,
    RateLimited,
)
from newsleopard_async.models.options import RateLimits, RetryPolicy
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.limits.limiter import Limiter
from newsleopard_async.transport.limits.queue import RequestQueue, Slot, goes_first
from tests.transport.scripted import (
    READ,
    STOP,
    THROTTLED,
    Scripted,
    Step,
    answer,
    json_answer,
    make_api,
)

pytestmark = pytest.mark.quick

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def make_limiter(clock: ManualClock, *windows: tuple[int, float]) -> Limiter:
    """Build the only client of a new state."""
    limits = RateLimits(windows=windows or ((10, 1), (200, 86_400)))
    return Limiter(limits, RequestQueue(clock), clock)


def settle(limiter: Limiter, slot: Slot, *, refused: bool, retry_after_s: float = 0.0) -> None:
    """Answer a request."""
    slot.sent()
    if refused:
        slot.refused()
        limiter.throttled(daily=None, retry_after_s=retry_after_s)
    else:
        slot.answered()
        limiter.accepted()


async def stop(limiter: Limiter, *, refused: bool) -> Slot:
    """Send an urgent request for the first time."""
    slot = await limiter.acquire(urgent=True)
    settle(limiter, slot, refused=refused)
    return slot


async def be_refused(limiter: Limiter, *, daily: bool | None) -> None:
    """Send requests that are refused until one may not go."""
    while True:
        slot = await limiter.acquire()
        slot.refused()
        limiter.throttled(daily=daily)


async def lose_the_day(limiter: Limiter, clock: ManualClock) -> None:
    """Have every probe refused until the day counts as gone."""
    with pytest.raises(DailyQuotaExhausted):
        await be_refused(limiter, daily=None)


async def use_up_the_day(limiter: Limiter, clock: ManualClock) -> None:
    """Count as many requests as the day has."""
    limiter.queue.state.day.seed(200, clock.monotonic(), clock.now())


async def be_held(limiter: Limiter, clock: ManualClock) -> None:
    """Be told to wait for longer than anybody does."""
    settle(limiter, await limiter.acquire(), refused=True, retry_after_s=290.0)


async def be_given_up(limiter: Limiter, clock: ManualClock) -> None:
    """Have every probe refused with the second's text until no one waits."""
    with pytest.raises(RateLimited):
        await be_refused(limiter, daily=False)


Trouble = Callable[[Limiter, ManualClock], Awaitable[None]]
TROUBLES = pytest.mark.parametrize("trouble", [lose_the_day, use_up_the_day, be_held, be_given_up])


@pytest.mark.anyio
async def test_urgent_request_has_priority() -> None:
    """Before what was refused before, before old polls, and first attempts before others."""
    clock = ManualClock()
    limiter = make_limiter(clock, (1, 10))
    holding = await limiter.acquire()
    went: list[str] = []

    async def call(name: str, acquire: Callable[[], Awaitable[Slot]]) -> None:
        settle(limiter, await acquire(), refused=False)
        went.append(name)

    acquire = limiter.acquire
    async with anyio.create_task_group() as tasks:
        for name, turn in {
            "poll": functools.partial(acquire, polite=True),
            "firm": functools.partial(acquire),
            "again": functools.partial(acquire, again=True),
            "stop again": functools.partial(acquire, urgent=True, again=True),
            "stop": functools.partial(acquire, urgent=True),
            "urgent poll": functools.partial(acquire, urgent=True, polite=True),
        }.items():
            tasks.start_soon(call, name, turn)
            await clock.sleep(1)
        settle(limiter, holding, refused=False)

    assert went == ["stop", "urgent poll", "stop again", "again", "poll", "firm"]


@pytest.mark.anyio
@TROUBLES
async def test_urgent_one_goes_at_once_until_it_is_refused(trouble: Trouble) -> None:
    """If other requests fail immediately, an urgent one is tried once."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock)
    await trouble(limiter, clock)
    began_s = clock.monotonic()

    await stop(limiter, refused=True)
    for urgent in (False, True):
        with pytest.raises(RateLimited):
            await limiter.acquire(urgent=urgent, again=True)

    assert clock.monotonic() == began_s


@pytest.mark.anyio
@TROUBLES
async def test_accepted_urgent_request_opens_the_gate(trouble: Trouble) -> None:
    """It shows that the server accepts requests again, unless we ourselves count to the end."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock)
    await trouble(limiter, clock)

    await stop(limiter, refused=False)

    if trouble is use_up_the_day:
        with pytest.raises(DailyQuotaExhausted):
            await limiter.acquire()
    else:
        await limiter.acquire()


@pytest.mark.anyio
@pytest.mark.parametrize("ending", [Slot.refused, Slot.lost, Slot.give_back])
async def test_early_probe_shortens_no_hold(ending: Callable[[Slot], None]) -> None:
    """The server's hold stays as long as before for all other requests."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock)
    await be_held(limiter, clock)

    slot = await limiter.acquire(urgent=True)
    ending(slot)
    if ending is Slot.refused:
        limiter.throttled(daily=None)
    with pytest.raises(RateLimited) as caught:
        await limiter.acquire()

    assert slot.is_probe
    assert caught.value.retry_after_s == pytest.approx(290)


@pytest.mark.anyio
async def test_hold_of_an_early_probe_ends_with_its_acceptance() -> None:
    """A hold that came to nothing does not come back with the next refusal."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock)
    await be_held(limiter, clock)
    await stop(limiter, refused=False)

    settle(limiter, await limiter.acquire(), refused=True)
    await limiter.acquire()

    assert clock.monotonic() < 2


@pytest.mark.anyio
async def test_many_early_probes_are_no_proof_about_the_day() -> None:
    """Three refusals in one moment say no more than one."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock)
    await be_held(limiter, clock)
    await clock.sleep(150)

    for _ in range(5):
        await stop(limiter, refused=True)

    assert limiter.usage.remaining
    with pytest.raises(RateLimited) as caught:
        await limiter.acquire()
    assert not isinstance(caught.value, DailyQuotaExhausted)


@pytest.mark.anyio
async def test_urgent_one_goes_beside_a_probe_that_is_on_its_way() -> None:
    """If it would not be waited for otherwise; the verdict stays the probe's."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock)
    await lose_the_day(limiter, clock)
    probe = await limiter.acquire(urgent=True)

    beside = await stop(limiter, refused=True)
    settle(limiter, probe, refused=False)
    await limiter.acquire()

    assert (probe.is_probe, beside.is_probe) == (True, False)


@pytest.mark.anyio
async def test_urgent_one_does_not_wait_for_a_probe_that_hangs() -> None:
    """The answer can take a minute, in which a thousand mails are sent."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock)
    settle(limiter, await limiter.acquire(), refused=True)
    probe = await limiter.acquire()
    probe_s = clock.monotonic()

    beside = await stop(limiter, refused=False)
    went_s = clock.monotonic()
    settle(limiter, probe, refused=False)
    await limiter.acquire()

    assert (probe.is_probe, beside.is_probe) == (True, False)
    assert went_s == probe_s


@pytest.mark.anyio
async def test_urgent_ones_keep_the_seconds_limit() -> None:
    """However the day stands, no second has more requests than it may."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock, (2, 1), (200, 86_400))
    await use_up_the_day(limiter, clock)
    at: list[float] = []

    for _ in range(6):
        await stop(limiter, refused=False)
        at.append(clock.monotonic())

    assert at == pytest.approx([0, 0, 1.005, 1.005, 2.01, 2.01])


@pytest.mark.anyio
async def test_short_hold_is_kept_by_the_urgent_one_too() -> None:
    """A probe that is due in a second is worth waiting for, and the urgent one is it."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock)
    settle(limiter, await limiter.acquire(), refused=True)

    slot = await stop(limiter, refused=False)

    assert slot.is_probe
    assert 1 <= clock.monotonic() <= 1.5


DAY_IS_USED_UP = RateLimits(windows=((10, 1), (1, 86_400)))
URGENT = attrs.evolve(STOP, urgent=True)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("then", "error"),
    [
        ([answer(204)], None),
        ([THROTTLED], RateLimited),
        ([httpx.ConnectError("x"), answer(204)], None),
        ([answer(502), answer(204)], None),
        ([httpx.ReadTimeout("x"), answer(400)], OutcomeUnknown),
    ],
)
async def test_stop_is_sent_on_a_used_up_day_until_it_is_refused(
    then: list[Step], error: type[NewsLeopardError] | None
) -> None:
    """An attempt that was not sent does not count, and a lost one had possibly no effect."""
    transport = Scripted(json_answer(200, []), *then)
    api = make_api(
        transport,
        clock=ManualClock(NOON),
        limits=DAY_IS_USED_UP,
        retry=RetryPolicy(max_attempts=2),
    )
    await api.call(READ)

    if error is None:
        await api.call(URGENT)
    else:
        with pytest.raises(error):
            await api.call(URGENT)

    assert len(transport.sent) == 1 + len(then)


@pytest.mark.anyio
async def test_everything_in_a_context_may_be_urgent() -> None:
    """The reads for a stop are urgent too, including those of other modules."""
    api = make_api(Scripted(json_answer(200, [])), clock=ManualClock(NOON), limits=DAY_IS_USED_UP)
    await api.call(READ)

    token = goes_first.set(True)
    await api.call(READ)
    goes_first.reset(token)

    with pytest.raises(DailyQuotaExhausted):
        await api.call(READ)
