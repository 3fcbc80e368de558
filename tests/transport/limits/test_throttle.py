"""What follows a refusal: the hold, the probes, the end of the day, the slower pace."""

from __future__ import annotations

import logging
from collections import deque
from datetime import UTC, datetime
from itertools import pairwise

import anyio
import httpx
import pytest

from newsleopard_async import NewsLeopard, RetryPolicy
from newsleopard_async.errors import DailyQuotaExhausted, RateLimited
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.limits.gate import GONE_AFTER_S
from newsleopard_async.transport.limits.limiter import Limiter
from newsleopard_async.transport.limits.queue import Slot
from tests.constants import KEY
from tests.transport.limits.limiting import make_limiter

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 1, 6, tzinfo=UTC)
JITTER = 0.5
MINUTE_S = 60.0


async def exchange(limiter: Limiter) -> Slot:
    """Send a request that is accepted at once."""
    slot = await limiter.acquire()
    slot.sent()
    slot.answered()
    limiter.accepted()
    return slot


async def be_refused(
    limiter: Limiter, *, daily: bool | None = None, retry_after_s: float | None = None
) -> None:
    """Send a request that is refused at once."""
    slot = await limiter.acquire()
    slot.sent()
    slot.refused()
    limiter.throttled(daily=daily, retry_after_s=retry_after_s)


async def lose_the_day(limiter: Limiter) -> None:
    """Send requests that are refused, until the day is given up."""
    with pytest.raises(DailyQuotaExhausted) as caught:
        await _be_refused_for_ever(limiter)
    assert caught.value.resets_at == MIDNIGHT


async def _be_refused_for_ever(limiter: Limiter, *, daily: bool | None = None) -> None:
    while True:
        await be_refused(limiter, daily=daily)


async def test_refusal_stops_all_requests_until_a_probe_is_accepted() -> None:
    """After a refusal one request is sent alone. If it is accepted, all others are sent."""
    clock = ManualClock()
    limiter = make_limiter(clock)
    await be_refused(limiter)
    went: list[tuple[bool, float]] = []

    async def call() -> None:
        slot = await limiter.acquire()
        went.append((slot.is_probe, clock.monotonic()))
        await clock.sleep(0.5)
        slot.answered()
        limiter.accepted()

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(call)

    (first_is_probe, probe_at), *rest = went
    assert first_is_probe
    assert 1 <= probe_at <= 1 + JITTER
    assert rest == [(False, probe_at + 0.5)] * 4


async def test_two_minutes_of_refused_probes_exhaust_the_day() -> None:
    """All waiting and all new requests fail with the exhausted day."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock)
    gone_at: list[float] = []

    async def call() -> None:
        await lose_the_day(limiter)
        gone_at.append(clock.monotonic())

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(call)
    with pytest.raises(DailyQuotaExhausted):
        await limiter.acquire()

    assert len(set(gone_at)) == 1
    assert len(gone_at) == 5
    assert 2 * MINUTE_S <= gone_at[0] <= 3 * MINUTE_S
    assert limiter.usage.used <= 14
    assert limiter.usage.remaining == 0


@pytest.mark.parametrize("daily", [None, False], ids=["either text", "the second's text"])
async def test_day_that_is_gone_is_probed_by_one_every_five_minutes(daily: bool | None) -> None:
    """One caller sends a probe, and the others get their error for as long as it is refused."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock)
    await lose_the_day(limiter)

    for _ in range(3):
        await clock.sleep(4.9 * MINUTE_S)
        with pytest.raises(DailyQuotaExhausted):
            await limiter.acquire()
        await clock.sleep(0.1 * MINUTE_S)
        probe = await limiter.acquire()
        with pytest.raises(DailyQuotaExhausted):
            await limiter.acquire()
        probe.refused()
        limiter.throttled(daily=None)
    await clock.sleep(5 * MINUTE_S)
    await be_refused(limiter, daily=daily)

    # The second's own text says that the day is not gone after all.
    assert (limiter.usage.remaining == 0) is (daily is None)


@pytest.mark.parametrize("daily", [None, False], ids=["the day is gone", "given up"])
async def test_lost_outcome_of_a_probe_does_not_shut_the_gate_for_ever(daily: bool | None) -> None:
    """A caller can be cancelled between the head of the probe's answer and the rest of it."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock)
    with pytest.raises(RateLimited):
        await _be_refused_for_ever(limiter, daily=daily)
    await clock.sleep(5 * MINUTE_S)
    (await limiter.acquire()).answered()

    await clock.sleep(5 * MINUTE_S)
    await exchange(limiter)

    assert limiter.usage.remaining


async def test_wrong_conclusion_about_the_day_is_corrected() -> None:
    """An accepted probe ends it for everybody, without a new process."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock)
    await lose_the_day(limiter)
    await clock.sleep(5 * MINUTE_S)

    probe = await exchange(limiter)
    other = await exchange(limiter)

    assert (probe.is_probe, other.is_probe) == (True, False)
    assert limiter.usage.remaining


async def test_server_that_refuses_everything_is_an_error_after_two_minutes() -> None:
    """After two minutes all waiting requests fail, with any text; probes continue."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock)
    told: list[float] = []

    async def call() -> None:
        with pytest.raises(RateLimited, match="refused every request") as caught:
            await _be_refused_for_ever(limiter, daily=False)
        assert not isinstance(caught.value, DailyQuotaExhausted)
        told.append(caught.value.retry_after_s)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(call)
    told_at = clock.monotonic()
    await clock.sleep(max(told))
    await exchange(limiter)
    await exchange(limiter)

    assert len(told) == 50
    assert 2 * MINUTE_S <= told_at <= 3 * MINUTE_S


async def test_first_request_after_a_lost_day_goes_alone() -> None:
    """The reset is a guess, so that the first request of the next day is a probe."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock)
    await lose_the_day(limiter)

    await clock.sleep(12 * 3_600)
    probe = await exchange(limiter)
    other = await exchange(limiter)

    assert probe.is_probe
    assert not other.is_probe


async def test_refusals_about_the_second_never_end_the_day() -> None:
    """However often the server says "too many requests", the day is not given up."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock)

    with pytest.raises(RateLimited):
        await _be_refused_for_ever(limiter, daily=False)
    used = limiter.usage

    assert used.remaining == 9_950 - used.used
    assert clock.monotonic() >= GONE_AFTER_S


async def test_longer_retry_after_is_waited_for() -> None:
    """A Retry-After above our own delay is kept."""
    clock = ManualClock()
    limiter = make_limiter(clock)
    await be_refused(limiter, retry_after_s=45.0)

    await exchange(limiter)

    assert clock.monotonic() == 45.0


async def test_very_long_retry_after_is_an_error_for_all_requests() -> None:
    """Waiting and new requests fail immediately instead of waiting for minutes."""
    clock = ManualClock()
    limiter = make_limiter(clock, (1, 60))
    slot = await limiter.acquire()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_expect_hold, limiter, 200.0)
        await anyio.wait_all_tasks_blocked()
        slot.refused()
        limiter.throttled(daily=None, retry_after_s=200.0)
    await clock.sleep(100)
    await _expect_hold(limiter, 100.0)

    assert clock.monotonic() == 100


@pytest.mark.parametrize(
    "header",
    [
        "3600",
        "604800",
        "9" * 400,
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "-5",
        "1e400",
        "nan",
        "1.5",
    ],
)
async def test_no_header_keeps_other_callers_out_for_longer_than_five_minutes(header: str) -> None:
    """The caller is told what the server asked for; a single request tries again soon."""
    clock = ManualClock(NOON)
    answers = [httpx.Response(429, headers={"Retry-After": header})]

    def answer(_: httpx.Request) -> httpx.Response:
        return answers.pop() if answers else httpx.Response(200, json=[])

    once = RetryPolicy(max_attempts=1)
    async with NewsLeopard(
        KEY, http_transport=httpx.MockTransport(answer), clock=clock, retry=once
    ) as nl:
        with pytest.raises(RateLimited):
            await nl.contacts.list_lists()
        await clock.sleep(300)
        began_s = clock.monotonic()
        await nl.contacts.list_lists()

    assert clock.monotonic() == began_s


class OneKeyOfMany(httpx.AsyncBaseTransport):
    """A server that accepts 10 requests in any second, from all clients together."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.taken_at: deque[float] = deque()
        self.taken = self.refused = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Take a request or refuse it, with the text that may be about the day."""
        await self.clock.sleep(0.02)
        now = self.clock.monotonic()
        while self.taken_at and self.taken_at[0] <= now - 1:
            self.taken_at.popleft()
        if len(self.taken_at) >= 10:
            self.refused += 1
            return httpx.Response(429, json={"message": "Limit Exceeded"})
        self.taken_at.append(now)
        self.taken += 1
        return httpx.Response(200, json=[])


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("at_once", [1, 40])
async def test_ten_processes_with_one_key_are_all_served_in_the_end(at_once: int) -> None:
    """The processes do not know each other. No one finds the day exhausted, or gives up."""
    clock = ManualClock(NOON)
    server = OneKeyOfMany(clock)

    async def process(number: int) -> None:
        # To the client, another key is another process; to the server all are one.
        async with NewsLeopard(f"{KEY}{number}", http_transport=server, clock=clock) as nl:
            left = list(range(40))

            async def work() -> None:
                while left:
                    left.pop()
                    await nl.contacts.list_lists()

            async with anyio.create_task_group() as tasks:
                for _ in range(at_once):
                    tasks.start_soon(work)

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(process, number)

    assert server.taken == 400
    # docs/limits.md has these numbers. In 20 runs it took 44 to 118 s, with 125 to 219 refusals.
    assert clock.monotonic() < 240
    assert server.refused < 400


async def _expect_hold(limiter: Limiter, hold_s: float) -> None:
    with pytest.raises(RateLimited) as caught:
        await limiter.acquire()
    assert not isinstance(caught.value, DailyQuotaExhausted)
    assert caught.value.retry_after_s == hold_s


async def test_hold_that_is_known_late_is_an_error_for_waiting_requests() -> None:
    """A refusal that is read some time after the answer's head still reaches all who wait."""
    clock = ManualClock()
    limiter = make_limiter(clock, (1, 60))
    slot = await limiter.acquire()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_expect_hold, limiter, 200.0)
        slot.answered()
        await clock.sleep(2)
        limiter.throttled(daily=None, retry_after_s=200.0)

    assert clock.monotonic() == 2.0


async def test_acceptance_that_is_known_late_lets_all_go_at_once() -> None:
    """The probe's verdict opens the gate when it is read, before another probe is due."""
    clock = ManualClock()
    limiter = make_limiter(clock)
    await be_refused(limiter)
    probe = await limiter.acquire()
    probe_at = clock.monotonic()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(limiter.acquire)
        probe.answered()
        await clock.sleep(0.5)
        limiter.accepted()

    assert clock.monotonic() == probe_at + 0.5


async def test_lost_probe_is_followed_by_another() -> None:
    """A probe with a lost answer changes nothing; after the same delay another one is sent."""
    clock = ManualClock()
    limiter = make_limiter(clock)
    await be_refused(limiter)

    probe = await limiter.acquire()
    lost_at = clock.monotonic()
    probe.lost()
    second = await exchange(limiter)

    assert second.is_probe
    assert 1 <= clock.monotonic() - lost_at <= 1 + JITTER


async def test_probe_without_an_outcome_is_followed_by_another() -> None:
    """A probe whose caller was cancelled is followed by another one."""
    clock = ManualClock()
    limiter = make_limiter(clock)
    await be_refused(limiter)

    (await limiter.acquire()).answered()
    second = await exchange(limiter)
    third = await exchange(limiter)

    assert second.is_probe
    assert not third.is_probe


async def test_probe_that_was_not_sent_is_replaced_at_once() -> None:
    """A probe that never left costs no further wait."""
    clock = ManualClock()
    limiter = make_limiter(clock)
    await be_refused(limiter)
    probe = await limiter.acquire()
    given_back_at = clock.monotonic()

    probe.give_back()
    second = await exchange(limiter)

    assert second.is_probe
    assert clock.monotonic() == given_back_at


async def test_throttled_below_the_limits_slows_down_and_warns_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Three refusals, then an acceptance: requests go evenly, and one warning tells it."""
    clock = ManualClock()
    limiter = make_limiter(clock)

    async def throttle_thrice() -> None:
        for _ in range(3):
            await be_refused(limiter, daily=False)
        await exchange(limiter)

    await throttle_thrice()
    await clock.sleep(10)
    went_at: list[float] = []
    for _ in range(5):
        await exchange(limiter)
        went_at.append(clock.monotonic())
    await throttle_thrice()

    gaps = [later - earlier for earlier, later in pairwise(went_at)]
    assert gaps == pytest.approx([0.11] * 4)
    warned = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert [(record.name, record.levelno) for record in warned] == [
        ("newsleopard_async", logging.WARNING)
    ]
    assert "one per 0.110 s" in caplog.text


async def test_refusals_about_the_day_do_not_slow_the_pace() -> None:
    """What the day's end has refused says nothing about the rate."""
    clock = ManualClock(NOON)
    limiter = make_limiter(clock)
    await lose_the_day(limiter)
    await clock.sleep(12 * 3_600)
    woke_at = clock.monotonic()

    for _ in range(5):
        await exchange(limiter)

    assert clock.monotonic() == woke_at
