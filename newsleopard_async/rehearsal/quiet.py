"""Keep out of the log what only looks as if it had happened.

A log that says that a campaign was accepted must mean it. What a rehearsal finds is in the
rehearsal; errors, such as those of a caller's callback, are logged all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

__all__ = ["quiet"]

_LOGGERS: Final = ("newsleopard_async", "newsleopard_async.emulator")

_is_on_stage: Final = ContextVar("newsleopard_async_is_on_stage", default=False)


class _NotOnStage(logging.Filter):
    """Lets pass what is logged elsewhere, and errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR or not _is_on_stage.get()


_FILTER: Final = _NotOnStage()


@contextmanager
def quiet() -> Iterator[None]:
    """Log nothing below an error from this task and what it begins."""
    for name in _LOGGERS:
        # Adding the same filter again changes nothing.
        logging.getLogger(name).addFilter(_FILTER)
    token = _is_on_stage.set(True)
    try:
        yield
    finally:
        _is_on_stage.reset(token)
