"""Whether, when and how often a request is repeated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async.models.options import RetryPolicy
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.outcome import Answer, NotSent, Outcome, ReplyLost, retry_after_s
from newsleopard_async.transport.repeating import Kind, decide
from newsleopard_async.transport.retry import Retrying
from tests.constants import START

GOOD = Answer(200, b"{}")
WEEK_S = 604_800.0


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


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("outcome", [GOOD, Answer(302), Answer(400), Answer(403), Answer(404)])
def test_answer_to_be_read_is_not_repeated(kind: Kind, outcome: Outcome) -> None:
    """What the server decided is not asked for again."""
    assert not decide(kind, outcome, 1)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("outcome", [Answer(429), NotSent("ConnectError")])
def test_what_had_no_effect_is_repeated(kind: Kind, outcome: Outcome) -> None:
    """A refusal at the gateway and a request that was not sent changed nothing."""
    assert decide(kind, outcome, 1)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("outcome", [Answer(408), Answer(500), ReplyLost("ReadTimeout")])
def test_what_may_have_had_an_effect_is_repeated_where_harmless(
    kind: Kind, outcome: Outcome
) -> None:
    """Reads, imports, uploads and stops may come twice; creations and submits may not."""
    harmless = {Kind.READ, Kind.IMPORT, Kind.UPLOAD, Kind.STOP}
    assert decide(kind, outcome, 1) == (kind in harmless)


@pytest.mark.parametrize(
    ("outcome", "attempt", "expected"),
    [
        (Answer(500), 1, True),
        (Answer(500, b" \r\n"), 1, True),
        (Answer(500), 2, False),
        (Answer(500, b"oops"), 2, True),
        (Answer(502), 2, True),
        (ReplyLost("ReadError"), 2, True),
    ],
)
def test_empty_500_of_a_grouped_import_is_repeated_once(
    outcome: Outcome,
    attempt: int,
    expected: bool,
) -> None:
    """It may be a hiccup or mean an unknown list (T51): one repetition tells."""
    assert decide(Kind.IMPORT, outcome, attempt, empty_500_once=True) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", 0.0),
        ("17", 17.0),
        (" 17 ", 17.0),
        ("Mon, 05 Jan 2026 02:00:30 GMT", 30.0),
        ("Mon, 05 Jan 2026 02:00:30 -0000", 30.0),
        ("Mon, 05 Jan 2026 10:00:30 +0800", 30.0),
        ("Mon, 05 Jan 2026 01:59:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("5, 5", None),
        ("Mon, 99 Jan 2026 02:00:30 GMT", None),
        ("Mon, 01 Jan 99999999999999 00:00:00 GMT", None),
        ("9" * 400, WEEK_S),
        ("Fri, 31 Dec 9999 23:59:59 GMT", WEEK_S),
    ],
)
def test_retry_after_is_read(value: str | None, expected: float | None) -> None:
    """Seconds and dates are understood; nonsense says nothing."""
    assert retry_after_s(Answer(429, retry_after=value), START) == expected


def test_retry_after_needs_an_answer() -> None:
    """Where no answer came, no server asked for anything."""
    assert retry_after_s(ReplyLost("ReadTimeout"), START) is None


@given(st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} .*"))
def test_no_retry_after_crashes(value: str) -> None:
    """A header holds what the server, or a proxy, put into it."""
    asked_s = retry_after_s(Answer(429, retry_after=value), START)

    assert asked_s is None or 0 <= asked_s <= WEEK_S


@pytest.mark.anyio
async def test_success_is_returned_at_once() -> None:
    """Nothing is repeated that went well."""
    clock = ManualClock()
    attempts = Attempts(clock, GOOD)

    outcome = await Retrying(RetryPolicy(), clock)(attempts, Kind.READ)

    assert outcome is GOOD
    assert attempts.began_at == [0.0]


@pytest.mark.anyio
async def test_number_of_attempts_is_capped() -> None:
    """The last failure is returned when the attempts are used up."""
    clock = ManualClock()
    lost = ReplyLost("ReadTimeout")
    attempts = Attempts(clock, lost)

    outcome = await Retrying(RetryPolicy(max_attempts=4), clock)(attempts, Kind.READ)

    assert outcome is lost
    assert len(attempts.began_at) == 4


@pytest.mark.anyio
async def test_one_attempt_never_repeats() -> None:
    """The smallest number of attempts turns repetition off."""
    clock = ManualClock()
    attempts = Attempts(clock, NotSent("ConnectError"))

    await Retrying(RetryPolicy(max_attempts=1), clock)(attempts, Kind.READ)

    assert len(attempts.began_at) == 1


@pytest.mark.anyio
async def test_no_attempt_begins_after_the_total_time() -> None:
    """The bound on the whole holds where the number of attempts does not."""
    clock = ManualClock()
    attempts = Attempts(clock, ReplyLost("ReadTimeout"), lasting_s=30)
    policy = RetryPolicy(max_attempts=1_000, max_total_s=100)

    await Retrying(policy, clock, jitter=largest)(attempts, Kind.READ)

    assert len(attempts.began_at) == 4
    assert attempts.began_at[-1] <= 100


@pytest.mark.anyio
async def test_total_time_runs_from_the_first_attempt_that_begins() -> None:
    """Standing in line for a slot is no reason to give up."""
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


@pytest.mark.anyio
async def test_bounds_of_the_waits_double_up_to_the_cap() -> None:
    """Backoff is exponential."""
    clock = ManualClock()
    attempts = Attempts(clock, NotSent("ConnectError"))
    policy = RetryPolicy(max_attempts=7, base_s=0.5, cap_s=4.0)

    await Retrying(policy, clock, jitter=largest)(attempts, Kind.READ)

    assert attempts.waits_s == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


@pytest.mark.anyio
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


@pytest.mark.anyio
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
@pytest.mark.anyio
async def test_very_late_attempt_still_has_a_finite_wait() -> None:
    """Two to the power of a thousand attempts would not fit a float."""
    clock = ManualClock()
    attempts = Attempts(clock, NotSent("ConnectError"))
    policy = RetryPolicy(max_attempts=1_100, max_total_s=1e9, cap_s=1.0)

    await Retrying(policy, clock, jitter=largest)(attempts, Kind.READ)

    assert len(attempts.began_at) == 1_100


def asked(seconds: int) -> str:
    """Ask for a wait in seconds."""
    return str(seconds)


def dated(seconds: int) -> str:
    """Ask for a wait by a date, so much after the clock's start."""
    return f"{START + timedelta(seconds=seconds):%a, %d %b %Y %H:%M:%S GMT}"


@pytest.mark.anyio
@pytest.mark.parametrize("form", [asked, dated])
async def test_retry_after_is_waited_for(form: Callable[[int], str]) -> None:
    """The server knows better than our backoff when to come back."""
    clock = ManualClock(START)
    attempts = Attempts(clock, Answer(429, retry_after=form(42)), GOOD)

    outcome = await Retrying(RetryPolicy(), clock)(attempts, Kind.SUBMIT)

    assert outcome is GOOD
    assert attempts.began_at == [0.0, 42.0]


@pytest.mark.anyio
@pytest.mark.parametrize("form", [asked, dated])
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_above_the_cap_ends_the_attempts(
    form: Callable[[int], str], status: int
) -> None:
    """Nobody sleeps for an hour without having been asked to."""
    clock = ManualClock(START)
    attempts = Attempts(clock, Answer(status, retry_after=form(61)))

    await Retrying(RetryPolicy(retry_after_cap_s=60), clock)(attempts, Kind.READ)

    assert attempts.began_at == [0.0]
    assert clock.monotonic() == 0


@pytest.mark.anyio
async def test_retry_after_beyond_the_total_time_ends_the_attempts() -> None:
    """The bound on the whole holds for the server's wish, too."""
    clock = ManualClock(START)
    attempts = Attempts(clock, Answer(429, retry_after="50"))

    await Retrying(RetryPolicy(max_total_s=40), clock)(attempts, Kind.READ)

    assert attempts.began_at == [0.0]


@pytest.mark.anyio
async def test_error_of_an_attempt_ends_the_loop() -> None:
    """What the limiter or the body raises is not repeated, and arrives unwrapped."""
    clock = ManualClock()

    async def failing() -> Outcome:
        raise LookupError("as it is")

    attempt: Callable[[], Awaitable[Outcome]] = failing
    with pytest.raises(LookupError, match="as it is"):
        await Retrying(RetryPolicy(), clock)(attempt, Kind.READ)
