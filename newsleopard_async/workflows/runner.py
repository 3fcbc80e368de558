"""The seam that carries a pipeline: run a step, run one at most once, sleep.

A pipeline is plain code over a runner; a step is a registered module-level function of a
client and plain data, giving plain data. The pipeline knows nothing of how it is carried:
the `LocalRunner` just awaits, and tells of progress; another one may record each step, or
run it elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, Protocol, TypeVar

import anyio.lowlevel
import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.plain import to_plain
from newsleopard_async.workflows.events import Event, Progress, tell

__all__ = ["STEPS", "LocalRunner", "Runner", "Step", "step"]

Given = TypeVar("Given")
Gives = TypeVar("Gives")

_LOW_QUOTA: Final = 0.1
_log: Final = logging.getLogger("newsleopard_async")


@attrs.frozen
class Step(Generic[Given, Gives]):
    """A named piece of work of a pipeline.

    Attributes:
        name: By which a record of it is found again.
        run: What it does.
        gives: The type of its result, by which a record is read back.
    """

    name: str
    run: Callable[[NewsLeopard, Given], Awaitable[Gives]]
    gives: Any


STEPS: Final[dict[str, Step[Any, Any]]] = {}
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


class Runner(Protocol):
    """What a pipeline needs in order to happen."""

    async def step(self, step: Step[Given, Gives], given: Given) -> Gives:
        """Run a step whose repetition changes nothing."""
        ...

    async def once(self, step: Step[Given, Gives], given: Given) -> Gives:
        """Run a step that must not happen twice."""
        ...

    async def wait(self, step: Step[Any, Any], seconds: float, known: object) -> None:
        """Let time pass between two looks at a job; ``known`` is what the last one gave."""
        ...

    def monotonic(self) -> float:
        """Return seconds on the clock that `wait` lets pass."""
        ...

    def quota_is_low(self) -> bool:
        """Whether so little is left of the day's requests that polls should be rare."""
        ...


class LocalRunner:
    """Carries a pipeline in this task, in this process."""

    def __init__(self, nl: NewsLeopard, pipeline: str, progress: Progress | None) -> None:
        self._nl = nl
        self._pipeline = pipeline
        self._progress = progress
        self._began_s = nl.clock.monotonic()

    async def step(self, step: Step[Given, Gives], given: Given) -> Gives:
        """Run a step whose repetition changes nothing."""
        result = await self._run(step, given)
        await self._tell(step, "finished", to_plain(result))
        return result

    async def once(self, step: Step[Given, Gives], given: Given) -> Gives:
        """Run a step that must not happen twice; here nothing would repeat it."""
        result = await self._run(step, given)
        try:
            await self._tell(step, "finished", to_plain(result))
            # A cancellation that is pending must strike here and not where it drops the result.
            await anyio.lowlevel.checkpoint()
        except BaseException:
            # Cancelled since the answer: the caller would never learn what was done.
            _log.warning("cancelled after %s, which gave: %s", step.name, to_plain(result))
            raise
        return result

    async def _run(self, step: Step[Given, Gives], given: Given) -> Gives:
        await self._tell(step, "started")
        try:
            return await step.run(self._nl, given)
        except Exception as error:
            await self._tell(step, "failed", type(error).__name__)
            raise

    async def wait(self, step: Step[Any, Any], seconds: float, known: object) -> None:
        """Let time pass between two looks at a job."""
        await self._tell(step, "waiting", to_plain(known))
        await self._nl.clock.sleep(seconds)

    def monotonic(self) -> float:
        """Return seconds on the client's clock."""
        return self._nl.clock.monotonic()

    def quota_is_low(self) -> bool:
        """Whether less than a tenth of the day's requests is left."""
        usage = self._nl.usage
        if usage.limit is None or usage.remaining is None:
            return False
        return usage.remaining < usage.limit * _LOW_QUOTA

    async def _tell(self, step: Step[Any, Any], state: str, result: Any = None) -> None:
        elapsed_s = self.monotonic() - self._began_s
        await tell(
            self._progress,
            Event(
                pipeline=self._pipeline,
                step=step.name,
                state=state,
                elapsed_s=elapsed_s,
                result=result,
            ),
        )
