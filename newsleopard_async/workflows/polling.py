"""Poll a job at the platform: at growing intervals, with jitter, until a deadline."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar, cast

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.errors import (
    APIError,
    AuthenticationError,
    DeadlineExceeded,
    Problem,
    ServerError,
)
from newsleopard_async.log import Log
from newsleopard_async.models import Polling
from newsleopard_async.models.validation import problems_of_type
from newsleopard_async.transport.limits.queue import goes_first_at
from newsleopard_async.webhooks.receiver import ExpectedWebhook, Webhooks
from newsleopard_async.workflows.runner import AnyStep, Runner, Step

__all__ = [
    "GOES_ON",
    "delays_s",
    "excusing",
    "expecting",
    "may_be_too_early",
    "poll",
    "problems_of_polling",
    "problems_of_webhook",
    "registering",
]

_log: Final = Log()

_LAST_POLL_S: Final = 5.0
"""How long the poll that begins at the deadline can last; at most a tenth of the deadline.

Chosen: 5 s are enough for its slot and its answer.
"""

_UNAUTHORIZED: Final = 401
"""The HTTP status of a refused API key."""

GOES_ON: Final = "the job continues at the platform"
"""What is usually true of a job that is not ready before the deadline."""

Given = TypeVar("Given")
Gives = TypeVar("Gives")


def problems_of_polling(polling: object) -> Iterator[Problem]:
    """Yield a problem if it is not a `Polling`. It is used late, so it is checked early."""
    if polling is not None:
        yield from problems_of_type("polling", polling, Polling, "Polling(…)")


def problems_of_webhook(webhook: object) -> Iterator[Problem]:
    """Yield a problem if it is neither a receiver of webhooks nor None."""
    if webhook is not None:
        yield from problems_of_type(
            "webhook", webhook, Webhooks, "newsleopard_async.webhooks.Webhooks(url)"
        )


@contextlib.contextmanager
def expecting(
    webhook: Webhooks | None, run: Runner, step: AnyStep
) -> Iterator[ExpectedWebhook | None]:
    """Expect the webhook of the job that a step begins, before the step begins."""
    if webhook is None:
        yield None
    else:
        with webhook.expect(f"{run.token}/{step.key}") as expected:
            yield expected


def registering(step: Step[Given, Gives], webhook: ExpectedWebhook | None) -> Step[Given, Gives]:
    """Return a step that registers a webhook; the URL is not part of its stored input."""
    if webhook is None:
        return step

    async def run(nl: NewsLeopard, given: Given, /) -> Gives:
        webhook.is_registered = True
        return await step.run(nl, given, webhook_url=webhook.url)

    return attrs.evolve(step, run=run)


def delays_s(polling: Polling, seed: str) -> Iterator[float]:
    """Yield the waits between polls, without end; the same seed gives the same waits.

    The seed is the code of the job, so many jobs spread out, and a repeated pipeline waits the
    same times.
    """
    chance = random.Random(seed)  # noqa: S311 - spreads polls, guards nothing
    wait_s = min(polling.max_s, polling.first_s)
    while True:
        yield wait_s * (1 + polling.jitter * chance.uniform(-1, 1))
        wait_s = min(polling.max_s, wait_s * polling.factor)


def may_be_too_early(error: APIError) -> bool:
    """Return whether the platform refused a poll that it can answer later.

    Any refusal counts, with or without a code (T50, T117), except refusals of the key and server
    errors.
    """
    if isinstance(error, (AuthenticationError, ServerError)):
        return False
    return error.status != _UNAUTHORIZED


def excusing(
    step: Step[Given, Gives], excuses: Callable[[APIError], bool] = may_be_too_early
) -> Step[Given, Gives | None]:
    """Return a step that returns None if its refusal is excused."""

    async def run(nl: NewsLeopard, given: Given, /) -> Gives | None:
        try:
            return await step.run(nl, given)
        except APIError as error:
            if not excuses(error):
                raise
        return None

    return attrs.evolve(cast("Step[Given, Gives | None]", step), run=run)


async def poll(
    run: Runner,
    step: Step[Given, Gives],
    given: Given,
    *,
    is_done: Callable[[Gives, float], bool],
    polling: Polling,
    what: str,
    excused_s: float = 0.0,
    late: str = GOES_ON,
    webhook: ExpectedWebhook | None = None,
) -> Gives:
    """Repeat a step until its result is final.

    A webhook triggers one poll immediately. Until it comes, each wait has the longest interval. The
    deadline is the same with and without a webhook.

    Args:
        run: The runner of the pipeline.
        step: The step that reads the job.
        given: The input of the step.
        is_done: Returns whether a result is final; its second argument is the seconds since the
            first poll.
        polling: The intervals and the deadline.
        what: The job in a few words, for the error.
        excused_s: For so many seconds from now, a refusal means "not ready".
        late: The state of the job at the deadline, for the error.
        webhook: The webhook that the platform calls when the job has ended.

    Raises:
        DeadlineExceeded: the deadline passed; the last result is in `.last`.
        APIError: a poll was refused later than that.
    """
    wait = _Wait(run, polling, what, excused_s, late, webhook)
    last_poll_s = min(_LAST_POLL_S, polling.deadline_s / 10)
    excused = excusing(step, wait.excuses)
    async with run.poll_step(step):
        if webhook is not None and webhook.is_registered:
            await wait.until_next_poll(step, None)
        while True:
            bounded = _within(max(wait.left_s, last_poll_s), excused, wait.too_late)
            result = await run.step(bounded, given, keep=False)
            if result is not None:
                if is_done(result, wait.elapsed_s):
                    wait.log_missing_webhook()
                    return result
                wait.last, wait.refused = result, None
            if wait.left_s <= 0:
                raise wait.too_late()
            await wait.until_next_poll(step, result)


@attrs.define
class _Wait:
    """The time since the first poll of a job, and the last result.

    Attributes:
        last: The last result.
        refused: The refusal of the last poll, if it was refused.
        is_told: Whether a webhook has come, or none is expected.
    """

    run: Runner
    polling: Polling
    what: str
    excused_s: float
    late: str
    webhook: ExpectedWebhook | None
    began_s: float = attrs.field(init=False)
    delays: Iterator[float] = attrs.field(init=False)
    is_told: bool = False
    last: Any = None
    refused: APIError | None = None

    @began_s.default
    def _begin(self) -> float:
        return self.run.monotonic()

    @delays.default
    def _delays(self) -> Iterator[float]:
        return delays_s(self.polling, self.what)

    @property
    def elapsed_s(self) -> float:
        return self.run.monotonic() - self.began_s

    @property
    def left_s(self) -> float:
        return self.polling.deadline_s - self.elapsed_s

    async def until_next_poll(self, step: AnyStep, known: object) -> None:
        """Wait until the next poll is due."""
        webhook = None if self.is_told else self.webhook
        is_rare = self.run.quota_is_low() or (webhook is not None and webhook.is_registered)
        wanted_s = self.polling.max_s if is_rare else next(self.delays)
        wake = None if webhook is None else webhook.wait
        await self.run.wait(step, min(wanted_s, self.left_s), known, wake=wake)
        self.is_told = webhook is None or webhook.has_come

    def log_missing_webhook(self) -> None:
        """Log that a registered webhook has not come, because that makes the job slower."""
        if self.webhook and self.webhook.is_registered and not self.webhook.has_come:
            _log.info(
                "%s has ended, and its webhook has not come to this process; check whether the "
                "platform can reach the URL of Webhooks(…)",
                self.what,
            )

    def excuses(self, error: APIError) -> bool:
        self.refused = error
        return self.elapsed_s < self.excused_s and may_be_too_early(error)

    def too_late(self) -> DeadlineExceeded:
        why = "" if self.refused is None else f"; the last poll was refused: {self.refused}"
        late = DeadlineExceeded(
            f"{self.what} was not ready within {self.polling.deadline_s:g} s; {self.late}{why}",
            last=self.last,
        )
        return late if self.refused is None else late.with_answer_of(self.refused)


def _within(
    seconds: float, step: Step[Given, Gives], too_late: Callable[[], DeadlineExceeded]
) -> Step[Given, Gives]:
    """Limit the time of a poll: its wait for a slot, its requests and their repetitions.

    After half of the time the poll has priority over all other requests. So it gets its slot, and
    half of the time is left for the answer.
    """

    async def run(nl: NewsLeopard, given: Given) -> Gives:
        before = goes_first_at.set(nl.clock.monotonic() + seconds / 2)
        try:
            with nl.clock.deadline(seconds):
                return await step.run(nl, given)
        finally:
            goes_first_at.reset(before)
        raise too_late()

    return attrs.evolve(step, run=run)
