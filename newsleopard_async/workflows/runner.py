"""The interface between a pipeline and its runner: run a step, at most once if needed, and wait.

A pipeline is plain code over a runner. A step is a module-level function of a client and
plain data that returns plain data. The pipeline does not depend on the kind of runner.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Concatenate, Generic, Protocol, Self, TypeVar, cast

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.workflows.progress import StepName

__all__ = ["AnyStep", "Runner", "Step", "step"]

Given = TypeVar("Given")
Gives = TypeVar("Gives")


Run = Callable[Concatenate[NewsLeopard, Given, ...], Awaitable[Gives]]


def _all_of_it(result: Any) -> Any:
    return result


@attrs.frozen
class Step(Generic[Given, Gives]):
    """A named piece of work of a pipeline.

    Attributes:
        name: The name of its record.
        run: The function.
        gives: The type of its result, to read the record.
        request: The request that must not happen twice, for an error; ``run`` then takes an
            `Observer`. None if repeating the step changes nothing.
        writes: Whether it changes something at the platform but can be repeated. Its intent
            is stored, and after that its input is fixed.
        part: The number of its part of the contacts, from 1.
        parts: The number of parts; 1 if the contacts are not divided.
        serves: The step whose phase of the plan it belongs to, if it has no phase of its own.
        keeps: Returns the part of a result that is stored, logged and shown, if the rest is only
            for this run. ``gives`` is then the type of that part.
    """

    name: StepName
    run: Run[Given, Gives]
    gives: Any
    request: str | None = None
    writes: bool = False
    part: int = 1
    parts: int = 1
    serves: StepName | None = None
    keeps: Callable[[Any], Any] = _all_of_it

    @property
    def key(self) -> str:
        """The name of its record; for a further part, with its number."""
        return self.name if self.part == 1 else f"{self.name}.{self.part}"

    def of_part(self, part: int, parts: int) -> Self:
        """Return the step for a part of the contacts."""
        return attrs.evolve(self, part=part, parts=parts)

    def serving(self, step: AnyStep) -> Self:
        """Return the step as a helper of another step, in the phase of that step."""
        return attrs.evolve(self, serves=step.name)


AnyStep = Step[Any, Any]


def step(
    gives: Any,
    *,
    request: str | None = None,
    writes: bool = False,
    keeps: Callable[[Any], Any] = _all_of_it,
) -> Callable[[Run[Given, Gives]], Step[Given, Gives]]:
    """Turn a module-level function into a step with its name."""

    def make(run: Run[Given, Gives]) -> Step[Given, Gives]:
        name = cast("StepName", run.__name__)
        return Step(name, run, gives, request, writes, keeps=keeps)

    return make


class Runner(Protocol):
    """The interface that a pipeline uses to run its steps."""

    @property
    def token(self) -> str:
        """The token of this run, or of its send key; a resumed run has the same one."""
        ...

    @property
    def send_key(self) -> str | None:
        """The send key of the run, if it has one."""
        ...

    @property
    def marker(self) -> str:
        """The text that is added to the name of the campaign."""
        ...

    @property
    def sought_marker(self) -> str:
        """The text to search for in names of campaigns; it matches any submit of this run."""
        ...

    async def step(self, step: Step[Given, Gives], given: Given, *, keep: bool = True) -> Gives:
        """Run a step, or return its stored result.

        Args:
            step: The step.
            given: Its input.
            keep: Whether to store the result; polls are not stored, and the result of a
                step that must not happen twice always is.

        Raises:
            OutcomeUnknown: the step must not happen twice, and possibly happened, now or in an
                earlier run.
        """
        ...

    def has(self, step: AnyStep) -> bool:
        """Whether a step has a record: its result, or its intent."""
        ...

    def in_doubt_since(self, step: AnyStep) -> datetime | None:
        """Return since when the outcome of a step is unknown; None if it is known."""
        ...

    async def has_outcome(self, step: AnyStep) -> bool:
        """Return whether the outcome of a step is no longer in doubt.

        The run that had begun the step was possibly suspended, and has now reported the outcome.
        """
        ...

    def done_at(self, step: AnyStep) -> datetime | None:
        """Return when the result of a step was stored; None if it was not."""
        ...

    def request_id(self, step: AnyStep) -> str | None:
        """Return the id of the request of a step, in this run or an earlier one."""
        ...

    def is_answered(self, step: AnyStep) -> bool:
        """Return whether the answer to a step reported success, but cannot be used."""
        ...

    async def record_result(self, step: AnyStep, result: Any) -> None:
        """Store the result of a step that was found out in another way."""
        ...

    async def forget(self, step: AnyStep) -> None:
        """Remove the record of a step that did not happen."""
        ...

    def poll_step(self, step: AnyStep) -> AbstractAsyncContextManager[None]:
        """Combine all polls of a job into one step: one start, a wait after each poll, one end.

        Every step that is run inside is a poll. It can be repeated, its result is not stored, and
        it has no events of its own. A nested call adds its polls to the outer one.

        Args:
            step: The step that the events show.
        """
        ...

    async def wait(
        self,
        step: AnyStep,
        seconds: float,
        known: object,
        *,
        wake: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """Wait between two polls of a job.

        Args:
            step: The step that polls.
            seconds: The longest wait.
            known: The result of the last poll.
            wake: Returns when the job possibly has news; this ends the wait.
        """
        ...

    def list_lock(
        self, step: AnyStep, what: str, *, within_s: float
    ) -> AbstractAsyncContextManager[None]:
        """Exclude all other runs of this key that do the same.

        Args:
            step: The step that waits, for the events.
            what: What is locked, in a few words for the error: ``imports into the list …``.
            within_s: How long to wait, in seconds.

        Raises:
            DeadlineExceeded: other runs did not end before the deadline.
        """
        ...

    def monotonic(self) -> float:
        """Return seconds on the clock that `wait` uses."""
        ...

    def now(self) -> datetime:
        """Return the time of the wall clock, aware and in UTC."""
        ...

    def quota_is_low(self) -> bool:
        """Return whether so little of the daily quota is left that polls should be rare."""
        ...
