"""Whether, when and how often a request is repeated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from newsleopard_async.models.options import RetryPolicy
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.outcome import Answer, NotSent, Outcome, ReplyLost
from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.retry import Retrying
from tests.constants import START

pytestmark = pytest.mark.anyio


class Attempts:
    """Attempts that end by a script, the last entry for ever; notes when each began."""

    def __init__(self, clock: ManualClock, *outcomes: Outcome, lasting_s: float = 0.0) -> None:
        self.clock = clock
        self.outcomes = outcomes
        self.lasting_s = lasting_s
        self.began_at: list[float] = []

    async def __call__(self) -> Outcome:
        """Make one attempt."""
        self.began_at.append(self.clock.monotonic())
        await self.clock.sleep(self.lasting_s)
        return self.outcomes[min(len(self.began_at), len(self.outcomes)) - 1]

    @property
    def waits_s(self) -> list[float]:
        """How long it took from one beginning to the next."""
        return [later - earlier for earlier, later in pairwise(self.began_at)]


def largest(low: float, high: float) -> float:
    """Draw the upper end, in the place of a random number."""
    return high


async def test_no_attempt_begins_after_the_total_time() -> None:
    """The bound on the whole holds where the number of attempts does not."""
    clock = ManualClock()
    attempts = Attempts(clock, ReplyLost("ReadTimeout"), lasting_s=30)
    policy = RetryPolicy(max_attempts=1_000, max_total_s=100)

    await Retrying(policy, clock, jitter=largest)(attempts, Kind.READ)

    assert len(attempts.began_at) == 4
    assert attempts.began_at[-1] <= 100


async def test_total_time_runs_from_the_first_attempt_that_begins() -> None:
    """The wait in the queue for a slot does not count."""
    clock = ManualClock()
    retrying = Retrying(RetryPolicy(max_attempts=3, max_total_s=100), clock)
    count = 0

    async def attempt_after_a_queue() -> Outcome:
        nonlocal count
        count += 1
        await clock.sleep(200 if count == 1 else 0)
        retrying.begin()
        return ReplyLost("ReadTimeout")

    await retrying(attempt_after_a_queue, Kind.READ)

    assert count == 3


async def test_bounds_of_the_waits_double_up_to_the_cap() -> None:
    """Backoff is exponential."""
    clock = ManualClock()
    attempts = Attempts(clock, NotSent("ConnectError"))
    policy = RetryPolicy(max_attempts=7, base_s=0.5, cap_s=4.0)

    await Retrying(policy, clock, jitter=largest)(attempts, Kind.READ)

    assert attempts.waits_s == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


async def test_jitter_is_full() -> None:
    """Each wait is drawn from zero up to its bound, so that clients do not beat in time."""
    clock = ManualClock()
    drawn: list[tuple[float, float]] = []

    def draw(low: float, high: float) -> float:
        drawn.append((low, high))
        return high / 2

    attempts = Attempts(clock, NotSent("ConnectError"))
    policy = RetryPolicy(max_attempts=4, base_s=2.0)
    await Retrying(policy, clock, jitter=draw)(attempts, Kind.READ)

    assert drawn[:3] == [(0.0, 2.0), (0.0, 4.0), (0.0, 8.0)]
    assert attempts.waits_s == [1.0, 2.0, 4.0]


async def test_waits_are_random_unless_told() -> None:
    """The default draws from the whole range."""
    clock = ManualClock()
    attempts = Attempts(clock, NotSent("ConnectError"))
    policy = RetryPolicy(max_attempts=200, max_total_s=1e9, base_s=10.0, cap_s=10.0)

    await Retrying(policy, clock)(attempts, Kind.READ)

    assert all(0 <= wait_s <= 10 for wait_s in attempts.waits_s)
    assert min(attempts.waits_s) < 1
    assert max(attempts.waits_s) > 9


@pytest.mark.slow
async def test_very_late_attempt_still_has_a_finite_wait() -> None:
    """Two to the power of a thousand attempts would not fit a float."""
    clock = ManualClock()
    attempts = Attempts(clock, NotSent("ConnectError"))
    policy = RetryPolicy(max_attempts=1_100, max_total_s=1e9, cap_s=1.0)

    await Retrying(policy, clock, jitter=largest)(attempts, Kind.READ)

    assert len(attempts.began_at) == 1_100


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_above_the_cap_ends_the_attempts(status: int) -> None:
    """A client does not sleep for an hour unless the caller has allowed that."""
    clock = ManualClock(START)
    attempts = Attempts(clock, Answer(status, retry_after="61"))

    await Retrying(RetryPolicy(retry_after_cap_s=60), clock)(attempts, Kind.READ)

    assert attempts.began_at == [0.0]
    assert clock.monotonic() == 0


async def test_retry_after_beyond_the_total_time_ends_the_attempts() -> None:
    """The bound on the whole also holds for the server's Retry-After."""
    clock = ManualClock(START)
    attempts = Attempts(clock, Answer(429, retry_after="50"))

    await Retrying(RetryPolicy(max_total_s=40), clock)(attempts, Kind.READ)

    assert attempts.began_at == [0.0]


async def test_error_of_an_attempt_ends_the_loop() -> None:
    """What the limiter or the body raises is not repeated, and arrives unwrapped."""
    clock = ManualClock()

    async def failing() -> Outcome:
        raise LookupError("as it is")

    attempt: Callable[[], Awaitable[Outcome]] = failing
    with pytest.raises(LookupError, match="as it is"):
        await Retrying(RetryPolicy(), clock)(attempt, Kind.READ)
