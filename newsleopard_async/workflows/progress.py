"""The events of a pipeline, and how the caller receives them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from inspect import isawaitable
from typing import Final, Literal, Protocol

import anyio
import attrs

from newsleopard_async import telemetry
from newsleopard_async.aio import cancel_requests, is_cancelled, propagate_cancellation
from newsleopard_async.clock import Clock
from newsleopard_async.errors import NewsLeopardError, Problem, UnexpectedResponse
from newsleopard_async.log import Log
from newsleopard_async.models.validation import raise_problems, wrong_type
from newsleopard_async.plain import Plain, PlainData

__all__ = [
    "OF_BALANCE",
    "OF_CONTACTS",
    "OF_EARLIER",
    "OF_LIST",
    "OF_WAIT",
    "Event",
    "EventState",
    "Events",
    "OpenStep",
    "Plan",
    "Progress",
    "StepLike",
    "StepName",
    "of_import",
    "problems_of_progress",
    "span_of",
]

_log: Final = Log()


EventState = Literal["started", "waiting", "finished", "failed", "resumed"]

StepName = Literal[
    "check_contacts",
    "find_list",
    "find_lists",
    "create_list",
    "import_text",
    "upload_file",
    "get_import",
    "submit",
    "find_sent",
    "get_report_state",
    "export_report",
    "download_files",
    "get_status",
    "find_finished",
    "hold_until",
    "get_balance",
    "count_subscribers",
    "get_metrics",
    "pause_campaign",
    "delete_campaigns",
    "submit_once",
    "upload_once",
    "send_event",
    "find_earlier",
    "wait_for_other",
]
"""The steps of all pipelines."""

_TRANSFERS: Final[frozenset[StepName]] = frozenset({"upload_file", "upload_once", "download_files"})
"""The steps that move bytes to or from the storage."""

_OF_STORAGE: Final = frozenset({"upload", "upload_once", "download"})
"""The operations of the file storage; their request ids help the vendor less."""

_LONGEST_S: Final = 60.0
"""Chosen: 60 s, as for a hook around an attempt. A callback that puts events into a full queue must
not block a pipeline without limit."""

Plan = tuple[tuple[StepName, ...], ...]
"""The phases of a pipeline in order, each with the steps that belong to it."""

OF_CONTACTS: Final[Plan] = (("check_contacts",),)
OF_BALANCE: Final[Plan] = (("get_balance", "count_subscribers"),)
OF_WAIT: Final[Plan] = (("get_status", "find_finished"),)
OF_EARLIER: Final[Plan] = (("find_earlier",),)
OF_LIST: Final[Plan] = (("find_list", "find_lists", "create_list"),)


def of_import(*, in_parts: bool) -> Plan:
    """Return the plan of an import; parts are uploaded and polled alternately, so in one phase."""
    sending: tuple[StepName, ...] = ("import_text", "upload_file")
    waiting: tuple[StepName, ...] = ("get_import",)
    return ((*sending, *waiting),) if in_parts else (sending, waiting)


@attrs.frozen(kw_only=True)
class Event(Plain):
    """An event of a pipeline.

    Attributes:
        pipeline: The name of the pipeline, such as ``send_campaign``; or ``check_contacts``.
        step: The name of the step, such as ``upload_file``; with contacts, the first step is
            ``check_contacts``.
        state: ``started``, ``finished``, ``failed``, ``resumed`` if an earlier run finished
            the step, or ``waiting``. A run waits for a job at the platform (one event after each
            poll), for the time of a campaign, for other imports into the list, or for another
            run of the send key or checkpoint.
        elapsed_s: Seconds since the pipeline began.
        result: The result of a finished or resumed step, as plain data; the class of the error of
            a failed step; else the state of the wait. For ``check_contacts``, the ``bytes`` and
            ``rows`` so far. For an upload or a download, the ``bytes`` that have
            moved in this attempt, and ``of_bytes``, the size, if it is known.
        part: The number of the part of the contacts, from 1, if they are imported in parts.
        parts: The number of parts.
        number: The number of the phase of the pipeline, from 1, as in "step 3 of 6"; it never
            decreases. A phase that an earlier run did, or that is not needed, is left out.
        steps: The number of phases of the pipeline.
        request_id: The id of the last request of a finished, failed or resumed step, to
            quote to the vendor; None if it is unknown, or the step sent no request.
    """

    pipeline: str
    step: StepName
    state: EventState
    elapsed_s: float
    result: PlainData = None
    part: int | None = None
    parts: int | None = None
    number: int | None = None
    steps: int | None = None
    request_id: str | None = None


Progress = Callable[[Event], Awaitable[None] | None]
"""Called with every event; it can be async. An error that it raises is logged, and stops nothing.

A call that takes more than 60 s is cancelled, and the callback is not called again.
"""


def problems_of_progress(progress: object) -> Iterator[Problem]:
    """Yield a problem if it is neither callable nor None."""
    if progress is not None and not callable(progress):
        yield wrong_type("progress", progress, "a function of an event")


class StepLike(Protocol):
    """The step of an event; `runner.Step` is one."""

    @property
    def name(self) -> StepName:
        """The name of the step."""
        ...

    @property
    def serves(self) -> StepName | None:
        """The step whose phase it belongs to, if it has no phase of its own."""
        ...

    @property
    def part(self) -> int:
        """The number of the part of the contacts, from 1."""
        ...

    @property
    def parts(self) -> int:
        """The number of parts."""
        ...


@attrs.frozen
class EventStep:
    """A step that is only shown by events, and has no record."""

    name: StepName
    serves: StepName | None = None
    part: int = 1
    parts: int = 1


@attrs.define(eq=False)
class OpenStep:
    """A running step, as the listener of its requests.

    A progress callback can be slow. So a separate task emits the events of a transfer, and the
    upload does not wait for the callback.
    """

    _events: Events
    _of: StepLike
    _span: telemetry.Span
    _polls: int = 0
    _api_id: str | None = None
    _storage_id: str | None = None
    _moved: PlainData = None
    _is_over: bool = False
    _woken: anyio.Event = attrs.field(factory=anyio.Event)

    @property
    def request_id(self) -> str | None:
        """The id of the last answer of the API, or of the storage if the API sent none."""
        return self._api_id or self._storage_id

    def answered(self, operation: str, request_id: str | None) -> None:
        """Store the id of an answer."""
        if operation in _OF_STORAGE:
            self._storage_id = request_id
        else:
            self._api_id = request_id

    def polled(self) -> None:
        """Count a poll of the step."""
        self._polls += 1
        self._span.event("poll", {"newsleopard.poll": self._polls})

    async def moved(self, moved_bytes: int, total_bytes: int | None) -> None:
        """Request an event; the transport calls this a few times a second."""
        self._moved = {"bytes": moved_bytes, "of_bytes": total_bytes}
        self._woken.set()

    @contextlib.asynccontextmanager
    async def emitting(self) -> AsyncIterator[None]:
        """Emit the events of a transfer in a task, and wait for its end."""
        raised: BaseException | None = None

        async def emit() -> None:
            nonlocal raised
            try:
                await self._emit()
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as error:  # noqa: BLE001 - it ends the program, and is raised below
                raised = error
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(emit)
            try:
                yield
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as error:  # noqa: BLE001 - raised below, out of the group
                raised = error
            finally:
                self._is_over = True
                self._woken.set()
        if raised is not None:
            try:
                raise raised
            finally:
                del raised

    async def _emit(self) -> None:
        is_over = False
        while not is_over:
            await self._woken.wait()
            self._woken = anyio.Event()
            is_over, moved, self._moved = self._is_over, self._moved, None
            if moved is not None:
                await self._events.emit(self._of, "waiting", moved)


@attrs.define
class Events:
    """Emits the events of a pipeline; its time begins now.

    Attributes:
        pipeline: The name of the pipeline.
        progress: Called with every event; its errors do not stop the pipeline.
        clock: The clock that measures the time.
        plan: The phases of the pipeline.

    Raises:
        InvalidRequest: ``progress`` cannot be called.
    """

    pipeline: str
    progress: Progress | None
    clock: Clock
    plan: Plan
    _number: int = attrs.field(default=1, init=False)
    _began_s: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        raise_problems(problems_of_progress(self.progress))

    @_began_s.default
    def _begin(self) -> float:
        return self.clock.monotonic()

    @contextlib.asynccontextmanager
    async def begin(self, of: StepLike) -> AsyncIterator[OpenStep]:
        """Emit that a step has started, and that it has failed if it raises."""
        await self.emit(of, "started")
        transfers = self.progress is not None and of.name in _TRANSFERS
        try:
            with span_of(of) as span:
                opened = OpenStep(self, of, span)
                async with opened.emitting() if transfers else contextlib.nullcontext():
                    yield opened
        except Exception as error:
            await self.emit(
                of, "failed", type(error).__name__, request_id=_id_of(error, opened.request_id)
            )
            raise

    async def emit(
        self,
        of: StepLike,
        state: EventState,
        result: PlainData = None,
        *,
        request_id: str | None = None,
    ) -> None:
        """Emit an event of a step."""
        if self.progress is None:
            return
        event = Event(
            pipeline=self.pipeline,
            step=of.name,
            state=state,
            elapsed_s=self.clock.monotonic() - self._began_s,
            result=result,
            part=of.part if of.parts > 1 else None,
            parts=of.parts if of.parts > 1 else None,
            number=self._number_of(of.serves or of.name),
            steps=len(self.plan),
            request_id=request_id,
        )
        requests = cancel_requests()
        try:
            answer = self.progress(event)
            if isawaitable(answer):
                with self.clock.deadline(_LONGEST_S) as scope:
                    await answer
                if scope.cancelled_caught:
                    self.progress = None
                    _log.error("the progress callback hung at %s and is not called again", of.name)
        except (Exception, anyio.get_cancelled_exc_class()) as error:
            if not isinstance(error, Exception) and is_cancelled():
                raise
            _log.exception("the progress callback failed at %s", of.name)
        await propagate_cancellation(requests)

    def _number_of(self, step: StepName) -> int:
        """Return the phase of a step: the next one that contains it, else the present one."""
        later = range(self._number, len(self.plan) + 1)
        self._number = next((each for each in later if step in self.plan[each - 1]), self._number)
        return self._number


def span_of(of: StepLike, *, is_resumed: bool = False) -> AbstractContextManager[telemetry.Span]:
    """Open the span of a step."""
    return telemetry.span(
        f"newsleopard.step.{of.name}",
        attributes={
            "newsleopard.step.part": of.part if of.parts > 1 else None,
            "newsleopard.step.parts": of.parts if of.parts > 1 else None,
            "newsleopard.resumed": is_resumed or None,
        },
    )


def _id_of(error: Exception, heard: str | None) -> str | None:
    """Return the id of the answer that an error is about.

    A step that finds the wrong object in an answer does not know the id of the answer.
    """
    if not isinstance(error, NewsLeopardError):
        return None
    if error.request_id is None and isinstance(error, UnexpectedResponse):
        error.request_id = heard
    return error.request_id
