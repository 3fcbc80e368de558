"""The events of a run in a loop: ``async for event in …``.

The pipeline waits for each call of a progress callback. Code that forwards events, for example as
server-sent events, needs a loop that runs at its own speed:

- `EventFeed` is a callback, and any number of loops can read its events. Another task runs the
  pipeline, for example in the background. A loop can begin late and end early.
- `events` runs the pipeline itself, within a block, and ends with the block.

No generator runs a pipeline and yields its events. A generator that is not exhausted
is closed by the garbage collector, at any time and in any task, and that breaks a task group.
"""

from __future__ import annotations

import contextlib
import functools
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from operator import itemgetter
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

import anyio
from anyio.abc import TaskGroup

from newsleopard_async.disclosure import hides_variables
from newsleopard_async.errors import InvalidRequest, Problem
from newsleopard_async.log import Log
from newsleopard_async.models.validation import raise_problems, wrong_type
from newsleopard_async.workflows.progress import Event, Progress, problems_of_progress

__all__ = ["EventFeed", "PipelineRun", "events"]

T = TypeVar("T")

_log: Final = Log()

_MOST: Final = 1_000
"""How many events a feed keeps. Chosen: a run without parts has fewer than 1,000 events, and they
take some hundred kilobytes."""

_NO_BLOCK: Final = """events(…) runs a pipeline, and it needs a block; write
    async with workflows.events(…) as run:
        async for event in run: …"""


class EventFeed:
    """The events of one run, for any number of loops: pass it as ``progress=`` and loop over it.

    Every loop begins with the first event, even if it begins late, and ends when the pipeline has
    ended. A slow loop never delays the pipeline. It misses only a ``waiting`` event that a later
    one of the same step has replaced, unless it is more than 1,000 events behind.
    Use a feed in one event loop only.

    Attributes:
        is_over: Whether the pipeline has ended.
        outcome: The return value of the pipeline; None before its end, and if it failed.
        error: The exception that ended the pipeline, cancellation included; else None.
    """

    def __init__(self) -> None:
        self.is_over: bool = False
        self.outcome: Any = None
        self.error: BaseException | None = None
        self._has_begun = False
        self._count = 0
        self._kept: list[tuple[int, Event]] = []
        self._woken: anyio.Event | None = None

    def __call__(self, event: Event) -> None:
        """Add an event; the pipeline calls this."""
        self._count += 1
        if self._kept and _replaces(event, self._kept[-1][1]):
            self._kept.pop()
        self._kept.append((self._count, event))
        del self._kept[:-_MOST]
        self._wake()

    def __aiter__(self) -> AsyncIterator[Event]:
        """Loop over the events from the first one on; the loop can end at any time."""
        return _Loop(self)

    async def _after(self, seen: int) -> tuple[int, Event] | None:
        """Return the next event and its number; None after the last event."""
        while True:
            place = bisect_right(self._kept, seen, key=itemgetter(0))
            if place < len(self._kept):
                return self._kept[place]
            if self.is_over:
                return None
            # All loops share one event, so a loop that is cancelled here needs no cleanup.
            self._woken = self._woken or anyio.Event()
            await self._woken.wait()

    @contextlib.contextmanager
    def serving(self) -> Iterator[Callable[[object], None]]:
        """Collect the events of a run inside the context; yields a function for its outcome.

        Raises:
            InvalidRequest: it has collected the events of a run before.
        """
        if self._has_begun:
            raise InvalidRequest.of(
                "progress", "used", "this EventFeed has served a run; create one for each run"
            )
        self._has_begun = True
        try:
            yield self._finish
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.is_over = True
            self._wake()

    def _finish(self, outcome: object) -> None:
        self.outcome = outcome

    def _wake(self) -> None:
        if self._woken is not None:
            self._woken.set()
            self._woken = None


class _Loop:
    """A loop over a feed. It is not a generator, because trio warns of unfinished generators."""

    def __init__(self, feed: EventFeed) -> None:
        self._feed = feed
        self._seen = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        found = await self._feed._after(self._seen)  # noqa: SLF001 - a part of it
        if found is None:
            raise StopAsyncIteration
        self._seen, event = found
        return event


def _replaces(event: Event, last: Event) -> bool:
    """Return whether an event is a later ``waiting`` of the same step."""
    if event.state != "waiting" or last.state != "waiting":
        return False
    return (event.pipeline, event.step, event.part) == (last.pipeline, last.step, last.part)


class PipelineRun(Generic[T]):
    """A pipeline that runs inside a block: see `events`."""

    def __init__(self, work: Callable[..., Awaitable[T]], progress: Progress | None) -> None:
        self._work = work
        self._progress = progress
        self._feed = EventFeed()
        self._ends_program = False
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        if self._tasks is not None:
            raise TypeError("events(…) runs a pipeline once; call it again for another run")
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._run, self._tasks)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        is_cancelled = isinstance(exc, anyio.get_cancelled_exc_class())
        # A task group would wrap an error of the block, so the error does not go through it.
        exception = (exc_type, exc, traceback) if is_cancelled else (None, None, None)
        is_swallowed = await self._tasks.__aexit__(*exception)
        error = self._feed.error
        if error is not None and self._ends_program:
            raise error
        if isinstance(error, Exception):
            if exc is None:
                raise error
            _log.error("the block failed, and then its pipeline failed: %s", error)
        return is_swallowed if is_cancelled else None

    def __aiter__(self) -> AsyncIterator[Event]:
        """Loop over the events, from the first one to the last, in any number of loops."""
        if self._tasks is None:
            raise TypeError(_NO_BLOCK)
        return aiter(self._feed)

    @property
    def outcome(self) -> T:
        """The return value of the pipeline.

        Raises:
            RuntimeError: it has not ended, was stopped, or failed.
        """
        if self._feed.error is not None or not self._feed.is_over:
            raise RuntimeError(
                "no outcome exists: the pipeline is still running, was stopped, or failed"
            )
        outcome: T = self._feed.outcome
        return outcome

    async def _run(self, tasks: TaskGroup) -> None:
        try:
            with self._feed.serving() as record_result:
                record_result(await self._work(progress=self._on_event))
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:  # noqa: BLE001 - it is raised when the block ends
            if not isinstance(error, Exception):
                # The cancellation ends the block now.
                self._ends_program = True
                tasks.cancel_scope.cancel()

    def _on_event(self, event: Event) -> Awaitable[None] | None:
        self._feed(event)
        return None if self._progress is None else self._progress(event)


@hides_variables
def events(
    pipeline: Callable[..., Awaitable[T]],
    /,
    *args: Any,
    progress: Progress | None = None,
    **options: Any,
) -> PipelineRun[T]:
    """Run a pipeline within a block, and loop over its events.

    ::

        async with workflows.events(workflows.send_campaign, nl, CAMPAIGN) as run:
            async for event in run:
                print(event.number, event.steps, event.step, event.state)
        outcome = run.outcome

    The loop ends when the pipeline has ended. If the block ends earlier, it cancels the pipeline;
    the checkpoint keeps the finished steps. An error of the pipeline is raised unchanged.

    Args:
        pipeline: One of the pipelines.
        args: Its positional arguments.
        progress: A callback that is also called with every event.
        options: Its keyword arguments.

    Raises:
        InvalidRequest: ``pipeline`` was already called, or ``progress`` cannot be called or is an
            `EventFeed`; pass a feed to the pipeline itself.
    """
    raise_problems([*_problems_of_pipeline(pipeline), *problems_of_progress(progress)])
    if isinstance(progress, EventFeed):
        raise InvalidRequest.of(
            "progress", "feed", "pass an EventFeed to the pipeline itself, or loop over this run"
        )
    return PipelineRun(functools.partial(pipeline, *args, **options), progress)


def _problems_of_pipeline(pipeline: object) -> Iterator[Problem]:
    if not callable(pipeline):
        yield wrong_type("pipeline", pipeline, "a pipeline, with its arguments after it")
