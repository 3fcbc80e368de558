"""The events of a pipeline: what they are, and how they reach the caller."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from inspect import isawaitable
from typing import Final, Literal

import attrs

from newsleopard_async.clock import Clock
from newsleopard_async.errors import Problem
from newsleopard_async.models.validation import refuse, wrong_type
from newsleopard_async.plain import Plain, PlainData

__all__ = ["Event", "EventState", "Events", "Progress", "StepName", "problems_of_progress"]

_log: Final = logging.getLogger("newsleopard_async")


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
]
"""The steps of all pipelines."""


@attrs.frozen(kw_only=True)
class Event(Plain):
    """Something happened in a pipeline.

    Attributes:
        pipeline: Its name, as in ``send_campaign``; or ``check_contacts``.
        step: The step's name, as in ``upload_file``; ``check_contacts`` is the first one
            wherever there are contacts.
        state: ``started``, ``finished``, ``failed``, ``resumed`` if an earlier run finished
            it, or ``waiting``: for a job at the platform after each look that did not see its
            end, for the time of a campaign, or for other imports into the list.
        elapsed_s: Seconds since the pipeline began.
        result: What a finished or resumed step gave, as plain data; the class of a failed
            one's error; else what is known of the wait. Of ``check_contacts``, how far it
            is: ``bytes`` and ``rows``.
        part: Which part of the contacts it is about, from 1, if they are imported in parts.
        parts: How many parts there are.
    """

    pipeline: str
    step: StepName
    state: EventState
    elapsed_s: float
    result: PlainData = None
    part: int | None = None
    parts: int | None = None


Progress = Callable[[Event], Awaitable[None] | None]
"""Called with every event; it may be async, and what it raises is logged and goes no further."""


def problems_of_progress(progress: object) -> Iterator[Problem]:
    """Yield a problem unless it can be called, if it is there at all."""
    if progress is not None and not callable(progress):
        yield wrong_type("progress", progress, "a function of an event")


@attrs.frozen
class Events:
    """Emits the events of a pipeline, which begins now.

    Attributes:
        pipeline: Its name.
        progress: Called with every event; what happens there never harms the pipeline.
        clock: The clock that its time is measured by.

    Raises:
        InvalidRequest: ``progress`` cannot be called.
    """

    pipeline: str
    progress: Progress | None
    clock: Clock
    _began_s: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        refuse(problems_of_progress(self.progress))

    @_began_s.default
    def _begin(self) -> float:
        return self.clock.monotonic()

    @contextlib.asynccontextmanager
    async def begin(self, step: StepName, *, of: tuple[int, int] = (1, 1)) -> AsyncIterator[None]:
        """Emit that a step has started, and, if it raises, that it has failed."""
        await self.emit(step, "started", of=of)
        try:
            yield
        except Exception as error:
            await self.emit(step, "failed", type(error).__name__, of=of)
            raise

    async def emit(
        self,
        step: StepName,
        state: EventState,
        result: PlainData = None,
        *,
        of: tuple[int, int] = (1, 1),
    ) -> None:
        """Emit an event; ``of`` is the part, and how many there are."""
        if self.progress is None:
            return
        event = Event(
            pipeline=self.pipeline,
            step=step,
            state=state,
            elapsed_s=self.clock.monotonic() - self._began_s,
            result=result,
            part=of[0] if of[1] > 1 else None,
            parts=of[1] if of[1] > 1 else None,
        )
        try:
            answer = self.progress(event)
            if isawaitable(answer):
                await answer
        except Exception:  # noqa: BLE001 - whatever it raises stays here
            _log.exception("the progress callback failed at %s", step)
