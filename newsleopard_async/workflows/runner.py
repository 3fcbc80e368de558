"""The seam that carries a pipeline: run a step, at most once if need be, and let time pass.

A pipeline is plain code over a runner; a step is a module-level function of a client and
plain data, giving plain data. The pipeline knows nothing of how it is carried.
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
        name: By which a record of it is found again.
        run: What it does.
        gives: The type of its result, by which a record is read back.
        request: The request that must not happen twice, for an error: ``run`` then takes an
            `Observer` that sees it happen. None if repeating the step changes nothing.
        writes: Whether it changes something at the platform, so that its intent is kept too,
            though it may be repeated: from then on its input is fixed.
        part: Which part of the contacts it is about, from 1, if there are several.
        parts: How many there are; 1 if they are not divided.
        serves: The step in whose phase of the plan it counts, if it is in no phase of its own.
        keeps: What of a result is kept, logged and shown, if the rest is for this run alone.
            ``gives`` is then the type of that.
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
        """The name of its record: that of a further part has a number."""
        return self.name if self.part == 1 else f"{self.name}.{self.part}"

    def of_part(self, part: int, parts: int) -> Self:
        """Return the step for a part of the contacts."""
        return attrs.evolve(self, part=part, parts=parts)

    def serving(self, step: AnyStep) -> Self:
        """Return the step as a means to another one, in whose phase it counts."""
        return attrs.evolve(self, serves=step.name)


AnyStep = Step[Any, Any]


def step(
    gives: Any,
    *,
    request: str | None = None,
    writes: bool = False,
    keeps: Callable[[Any], Any] = _all_of_it,
) -> Callable[[Run[Given, Gives]], Step[Given, Gives]]:
    """Make a step of a module-level function, under its name."""

    def make(run: Run[Given, Gives]) -> Step[Given, Gives]:
        name = cast("StepName", run.__name__)
        return Step(name, run, gives, request, writes, keeps=keeps)

    return make


class Runner(Protocol):
    """What a pipeline needs in order to happen."""

    @property
    def token(self) -> str:
        """Made up for this run, or of its send key; the same whenever it goes on."""
        ...

    @property
    def send_key(self) -> str | None:
        """Its send key, if it has one."""
        ...

    @property
    def marker(self) -> str:
        """What is added to the name of the campaign."""
        ...

    @property
    def sought_marker(self) -> str:
        """What is looked for in names of campaigns; it finds any submit of this run."""
        ...

    async def step(self, step: Step[Given, Gives], given: Given, *, keep: bool = True) -> Gives:
        """Run a step, or give what it gave before.

        Args:
            step: What to run.
            given: Its input.
            keep: Whether the result is worth keeping; that of a poll is not, and that of a
                step that must not happen twice always is.

        Raises:
            OutcomeUnknown: it must not happen twice, and may have happened, now or in an
                earlier run.
        """
        ...

    def has(self, step: AnyStep) -> bool:
        """Whether something is kept of a step: its result, or that it may have happened."""
        ...

    def in_doubt_since(self, step: AnyStep) -> datetime | None:
        """Return since when it is not known whether a step happened; None where it is."""
        ...

    async def has_news(self, step: AnyStep) -> bool:
        """Whether the run that had begun a step has found out by now what became of it.

        It may have been stopped on the wire, and be back with the answer.
        """
        ...

    def done_at(self, step: AnyStep) -> datetime | None:
        """Return when it was noted what a step gave; None if it is not known."""
        ...

    def request_id(self, step: AnyStep) -> str | None:
        """Return the id of the request that a step made, now or in an earlier run."""
        ...

    def is_answered(self, step: AnyStep) -> bool:
        """Whether the server said that a step happened, by an answer that cannot be used."""
        ...

    async def record_result(self, step: AnyStep, result: Any) -> None:
        """Note what a step gave that was found out by other means."""
        ...

    async def forget(self, step: AnyStep) -> None:
        """Note that a step did not happen, which was found out by other means."""
        ...

    def poll_step(self, step: AnyStep) -> AbstractAsyncContextManager[None]:
        """Make all looks at a job one step: one start, a wait after each look, one end.

        Every step that is run inside is a look. It is repeated as often as it is run, nothing is
        kept of it, and it has no event of its own. Inside another watch, looks belong to that.

        Args:
            step: What the events are about.
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
        """Let time pass between two looks at a job.

        Args:
            step: What looks.
            seconds: How long.
            known: What the last look gave.
            wake: Returns when there may be something to see, which ends the wait.
        """
        ...

    def list_lock(
        self, step: AnyStep, what: str, *, within_s: float
    ) -> AbstractAsyncContextManager[None]:
        """Wait until no other run of this key does the same, and keep others away meanwhile.

        Args:
            step: What waits, for the events.
            what: What is done, in a few words for the error: ``imports into the list …``.
            within_s: How long to wait, in seconds.

        Raises:
            DeadlineExceeded: others did not end in time.
        """
        ...

    def monotonic(self) -> float:
        """Return seconds on the clock that `wait` lets pass."""
        ...

    def now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC."""
        ...

    def quota_is_low(self) -> bool:
        """Whether so little is left of the day's requests that polls should be rare."""
        ...
