"""The events of a pipeline: what they are, and how they reach the caller."""

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
"""The calls of the storage, whose ids help the vendor less."""

_LONGEST_S: Final = 60.0
"""Chosen: as long as a hook around an attempt may take by default. A queue that is never emptied
must not hold a pipeline for ever."""

Plan = tuple[tuple[StepName, ...], ...]
"""What a pipeline is going to do: its phases in order, each with the steps that stand for it."""

OF_CONTACTS: Final[Plan] = (("check_contacts",),)
OF_BALANCE: Final[Plan] = (("get_balance", "count_subscribers"),)
OF_WAIT: Final[Plan] = (("get_status", "find_finished"),)
OF_EARLIER: Final[Plan] = (("find_earlier",),)
OF_LIST: Final[Plan] = (("find_list", "find_lists", "create_list"),)


def of_import(*, in_parts: bool) -> Plan:
    """Plan an import; parts are uploaded and waited for in turns, so that all is one phase."""
    sending: tuple[StepName, ...] = ("import_text", "upload_file")
    waiting: tuple[StepName, ...] = ("get_import",)
    return ((*sending, *waiting),) if in_parts else (sending, waiting)


@attrs.frozen(kw_only=True)
class Event(Plain):
    """Something happened in a pipeline.

    Attributes:
        pipeline: Its name, as in ``send_campaign``; or ``check_contacts``.
        step: The step's name, as in ``upload_file``; ``check_contacts`` is the first one if
            there are contacts.
        state: ``started``, ``finished``, ``failed``, ``resumed`` if an earlier run finished
            it, or ``waiting``: for a job at the platform after each look that did not see its
            end, for the time of a campaign, for other imports into the list, or for another
            run of the send key or checkpoint.
        elapsed_s: Seconds since the pipeline began.
        result: What a finished or resumed step returned, as plain data; the class of a failed
            one's error; else what is known of the wait. For ``check_contacts``, how far it
            is: ``bytes`` and ``rows``. For an upload or a download, how many ``bytes`` have
            moved in this attempt, and ``of_bytes``, the size, if that is known.
        part: Which part of the contacts it is about, from 1, if they are imported in parts.
        parts: How many parts there are.
        number: Which phase of the pipeline it is in, from 1, as in "step 3 of 6"; it never
            falls. A phase that an earlier run did, or that is not needed, is left out.
        steps: How many phases the pipeline has.
        request_id: The id of the request that a finished, failed or resumed step made last, to
            quote to the vendor; None if it made none, or none is known.
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
"""Called with every event; it may be async. An error that it raises is logged, and ends nothing.

One that takes more than 60 s for an event is cancelled, and not called again.
"""


def problems_of_progress(progress: object) -> Iterator[Problem]:
    """Yield a problem unless it can be called, if it is there at all."""
    if progress is not None and not callable(progress):
        yield wrong_type("progress", progress, "a function of an event")


class StepLike(Protocol):
    """The step that an event is about; `runner.Step` is one."""

    @property
    def name(self) -> StepName:
        """Its name."""
        ...

    @property
    def serves(self) -> StepName | None:
        """The step in whose phase it counts, if it has none of its own."""
        ...

    @property
    def part(self) -> int:
        """Which part of the contacts it is about, from 1."""
        ...

    @property
    def parts(self) -> int:
        """How many there are."""
        ...


@attrs.define(eq=False)
class OpenStep:
    """A step that is under way, and listens to the transport below it.

    A progress callback may be slow. So the events of a transfer are emitted beside the step: an
    upload must not stand still meanwhile.
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
        """The id of the last answer: of the API, or of the storage if no other was asked."""
        return self._api_id or self._storage_id

    def answered(self, operation: str, request_id: str | None) -> None:
        """Keep the id of an answer."""
        if operation in _OF_STORAGE:
            self._storage_id = request_id
        else:
            self._api_id = request_id

    def polled(self) -> None:
        """Note a look at a job, of which a watch has many."""
        self._polls += 1
        self._span.event("poll", {"newsleopard.poll": self._polls})

    async def moved(self, moved_bytes: int, total_bytes: int | None) -> None:
        """Let an event be emitted; the transport calls it a few times a second."""
        self._moved = {"bytes": moved_bytes, "of_bytes": total_bytes}
        self._woken.set()

    @contextlib.asynccontextmanager
    async def emitting(self) -> AsyncIterator[None]:
        """Emit what moves in a task of its own, whose end is waited for."""
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
    """Emits the events of a pipeline, which begins now.

    Attributes:
        pipeline: Its name.
        progress: Called with every event; what happens there never harms the pipeline.
        clock: The clock that its time is measured by.
        plan: Its phases.

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
        """Emit that a step has started, and, if it raises, that it has failed."""
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
        """Return the phase of a step: the next one that it stands for, or else the present one."""
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

    A step that reads an answer, and finds that it is about something else, has not seen its id.
    """
    if not isinstance(error, NewsLeopardError):
        return None
    if error.request_id is None and isinstance(error, UnexpectedResponse):
        error.request_id = heard
    return error.request_id
