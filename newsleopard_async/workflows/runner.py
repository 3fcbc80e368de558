"""The seam that carries a pipeline: run a step, run one at most once, let time pass.

A pipeline is plain code over a runner; a step is a registered module-level function of a
client and plain data, giving plain data. The pipeline knows nothing of how it is carried.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.transport.attempt import Witness

__all__ = ["STEPS", "OnceStep", "Runner", "Step", "once_step", "step"]

Given = TypeVar("Given")
Gives = TypeVar("Gives")


@attrs.frozen
class Step(Generic[Given, Gives]):
    """A named piece of work of a pipeline whose repetition changes nothing.

    Attributes:
        name: By which a record of it is found again.
        run: What it does.
        gives: The type of its result, by which a record is read back.
    """

    name: str
    run: Callable[[NewsLeopard, Given], Awaitable[Gives]]
    gives: Any


@attrs.frozen
class OnceStep(Generic[Given, Gives]):
    """A named piece of work that must not happen twice; it lets a witness see it happen.

    Attributes:
        name: By which a record of it is found again.
        run: What it does.
        gives: The type of its result, by which a record is read back.
        request: What it sends, for an error.
    """

    name: str
    run: Callable[[NewsLeopard, Given, Witness], Awaitable[Gives]]
    gives: Any
    request: str


AnyStep = Step[Any, Any] | OnceStep[Any, Any]

STEPS: Final[dict[str, AnyStep]] = {}
"""Every step by its name, for a runner that has only the name."""


def step(
    gives: Any,
) -> Callable[[Callable[[NewsLeopard, Given], Awaitable[Gives]]], Step[Given, Gives]]:
    """Register a module-level function as the step of its name."""

    def register(run: Callable[[NewsLeopard, Given], Awaitable[Gives]]) -> Step[Given, Gives]:
        registered = Step(run.__name__, run, gives)
        STEPS[registered.name] = registered
        return registered

    return register


def once_step(
    gives: Any, request: str
) -> Callable[[Callable[[NewsLeopard, Given, Witness], Awaitable[Gives]]], OnceStep[Given, Gives]]:
    """Register a module-level function as a step that must not happen twice."""

    def register(
        run: Callable[[NewsLeopard, Given, Witness], Awaitable[Gives]],
    ) -> OnceStep[Given, Gives]:
        registered = OnceStep(run.__name__, run, gives, request)
        STEPS[registered.name] = registered
        return registered

    return register


class Runner(Protocol):
    """What a pipeline needs in order to happen."""

    @property
    def token(self) -> str:
        """Made up for this run, and the same whenever it goes on."""
        ...

    async def step(self, step: Step[Given, Gives], given: Given, *, keep: bool = True) -> Gives:
        """Run a step, or give what it gave before.

        Args:
            step: What to run.
            given: Its input.
            keep: Whether the result is worth keeping; that of a poll is not.
        """
        ...

    async def once(self, step: OnceStep[Given, Gives], given: Given) -> Gives:
        """Run a step that must not happen twice, or give what it gave before.

        Raises:
            OutcomeUnknown: it may have happened, now or in an earlier run.
        """
        ...

    def has(self, step: AnyStep) -> bool:
        """Whether something is kept of a step: its result, or that it may have happened."""
        ...

    def held_since(self, step: AnyStep) -> datetime | None:
        """Return since when it is not known whether a step happened; None where it is."""
        ...

    async def settle(self, step: AnyStep, result: Any) -> None:
        """Note what a step gave that was found out by other means."""
        ...

    async def forget(self, step: AnyStep) -> None:
        """Note that a step did not happen, which was found out by other means."""
        ...

    async def wait(self, step: AnyStep, seconds: float, known: object) -> None:
        """Let time pass between two looks at a job; ``known`` is what the last one gave."""
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
