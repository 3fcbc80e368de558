"""What a pipeline tells of its progress."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from inspect import isawaitable
from typing import Any, Final

import attrs

from newsleopard_async.errors import Problem
from newsleopard_async.models.validation import wrong_type
from newsleopard_async.plain import Plain

__all__ = ["Event", "Progress", "problems_of_progress", "tell"]

_log: Final = logging.getLogger("newsleopard_async")


@attrs.frozen(kw_only=True)
class Event(Plain):
    """Something happened in a pipeline.

    Attributes:
        pipeline: ``import_contacts``, ``send_campaign``, ``export_report`` or
            ``check_contacts``.
        step: The step's name, as in ``upload_file``; ``check_contacts`` is the first one
            wherever there are contacts.
        state: ``started``, ``finished``, ``failed``, ``resumed`` where an earlier run
            finished it, or ``waiting`` between two looks.
        elapsed_s: Seconds since the pipeline began.
        result: What a finished or resumed step gave, as plain data; the class of a failed
            one's error; else what is known of the wait. Of ``check_contacts``, how far it
            is: ``bytes`` and ``rows``.
    """

    pipeline: str
    step: str
    state: str
    elapsed_s: float
    result: Any = None


Progress = Callable[[Event], Awaitable[None] | None]
"""Called with every event; it may be async, and what it raises is logged and goes no further."""


def problems_of_progress(progress: object) -> Iterator[Problem]:
    """Yield a problem unless it can be called, if it is there at all."""
    if progress is not None and not callable(progress):
        yield wrong_type("progress", progress, "a function of an event")


async def tell(progress: Progress | None, event: Event) -> None:
    """Hand an event to whoever asked; nothing that happens there may harm the pipeline."""
    if progress is None:
        return
    try:
        answer = progress(event)
        if isawaitable(answer):
            await answer
    except Exception:  # noqa: BLE001 - whatever it raises stays here
        _log.exception("the progress callback failed at %s", event.step)
