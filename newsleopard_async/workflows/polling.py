"""Watching a job at the server: ever slower, with jitter, and never for ever."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar, cast

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.errors import DeadlineExceeded, Problem
from newsleopard_async.models import Polling
from newsleopard_async.models.validation import problems_of_type
from newsleopard_async.transport.limits.queue import goes_first_at
from newsleopard_async.workflows.runner import Runner, Step

__all__ = ["delays_s", "problems_of_polling", "watch"]

_LAST_LOOK_S: Final = 5.0
"""How long the look that begins at the deadline may last; a tenth of the deadline at most.

Chosen: time enough for its turn and its answer.
"""

Given = TypeVar("Given")
Gives = TypeVar("Gives")


def problems_of_polling(polling: object) -> Iterator[Problem]:
    """Yield a problem unless it says how to poll; it is needed only when much has been done."""
    if polling is not None:
        yield from problems_of_type("polling", polling, Polling, "Polling(…)")


def delays_s(polling: Polling, seed: str) -> Iterator[float]:
    """Give the waits between looks, without end; the same for the same seed.

    The jitter comes from the job's code, so that many jobs spread out and a pipeline that
    is run again waits as it did before.
    """
    chance = random.Random(seed)  # noqa: S311 - spreads polls, guards nothing
    wait_s = min(polling.max_s, polling.first_s)
    while True:
        yield wait_s * (1 + polling.jitter * chance.uniform(-1, 1))
        wait_s = min(polling.max_s, wait_s * polling.factor)


async def watch(
    run: Runner,
    step: Step[Given, Gives],
    given: Given,
    *,
    is_done: Callable[[Gives, float], bool],
    polling: Polling,
    what: str,
) -> Gives:
    """Repeat a step until its result is final.

    Args:
        run: Carries it.
        step: Looks at the job.
        given: Its input.
        is_done: Judges a result; gets the seconds since the first look too.
        polling: How often, and until when.
        what: The job in a few words, for the error.

    Raises:
        DeadlineExceeded: the deadline passed; the last result is in `.last`.
    """
    began_s = run.monotonic()
    delays = delays_s(polling, what)
    last_look_s = min(_LAST_LOOK_S, polling.deadline_s / 10)
    too_late = DeadlineExceeded(
        f"{what} was not ready within {polling.deadline_s:g} s; it goes on at the platform"
    )

    def left_s() -> float:
        return began_s + polling.deadline_s - run.monotonic()

    while True:
        look = _within(max(left_s(), last_look_s), step, too_late)
        result = await run.step(look, given, keep=False)
        if is_done(result, run.monotonic() - began_s):
            return result
        too_late.last = cast("Any", result)
        if left_s() <= 0:
            raise too_late
        wanted_s = polling.max_s if run.quota_is_low() else next(delays)
        await run.wait(step, min(wanted_s, left_s()), result)


def _within(
    seconds: float, step: Step[Given, Gives], too_late: DeadlineExceeded
) -> Step[Given, Gives]:
    """Bound a look at a job: its turn in the limiter, its requests, and their repetitions.

    Half of the time is for its turn: then it goes before others, however many there are. So a
    job that is done in time is seen to be, and the other half is left for the answer.
    """

    async def run(nl: NewsLeopard, given: Given) -> Gives:
        before = goes_first_at.set(nl.clock.monotonic() + seconds / 2)
        try:
            with nl.clock.deadline(seconds):
                return await step.run(nl, given)
        finally:
            goes_first_at.reset(before)
        raise too_late

    return attrs.evolve(step, run=run)
