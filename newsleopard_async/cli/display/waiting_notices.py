"""Says on the standard error why a command waits, and the warnings of the library.

Without a notice, a command that the rate limit refuses would be silent for two minutes.
"""

from __future__ import annotations

import logging
import os
from typing import Final

from rich.console import Console

from newsleopard_async.cli.display.terminal import safe_text
from newsleopard_async.cli.library_messages import in_users_language
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.log import NAME

__all__ = ["ShowsWarnings", "announce_waits"]

_NOTICED_S: Final = 2.0
"""Chosen: a person does not wonder about a shorter wait."""


def announce_waits(console: Console, *, only_warnings: bool = False) -> None:
    """Print notices from now on; a log that the user has asked for replaces them.

    Args:
        console: The standard error.
        only_warnings: Whether waits are not announced, because a program reads the output.
    """
    logger = logging.getLogger(NAME)
    for each in [each for each in logger.handlers if isinstance(each, _WaitNotices)]:
        if each.console is console:
            return  # a command can have several clients
        logger.removeHandler(each)
    if os.environ.get("NEWSLEOPARD_LOG", "").strip():
        return
    logger.addHandler(_WaitNotices(console, logging.WARNING if only_warnings else logging.INFO))
    if not only_warnings:
        logger.setLevel(logging.INFO)


class _WaitNotices(logging.Handler):
    """Prints the records that a person should see."""

    def __init__(self, console: Console, level: int) -> None:
        super().__init__(level)
        self.console = console
        self._warnings: set[str] = set()
        self._is_refused = False

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record if it is a warning, or about a wait."""
        text = self._text(record)
        if text:
            self.console.print(safe_text(in_users_language(text), "yellow"), soft_wrap=True)

    def _text(self, record: logging.LogRecord) -> str:
        if record.levelno >= logging.WARNING:
            return "" if _are_shown() else self._once(record.getMessage())
        delay_s = getattr(record, "nl_delay_s", None)
        if delay_s is None:
            # For example that requests are accepted again.
            self._is_refused = False
            return ""
        if delay_s < _NOTICED_S or self._is_refused:
            return ""
        if not record.msg.startswith("the platform refused"):
            return record.getMessage()
        self._is_refused = True
        return _("The rate limit refuses requests. Waiting up to 2 minutes; Ctrl-C ends it.")

    def _once(self, warning: str) -> str:
        """Return a warning unless it was printed before: each client of a command has its own."""
        if warning in self._warnings:
            return ""
        self._warnings.add(warning)
        return warning


class ShowsWarnings(logging.Handler):
    """A handler of a command that shows all warnings itself, so that none is printed twice."""


def _are_shown() -> bool:
    handlers = logging.getLogger(NAME).handlers
    return any(isinstance(each, ShowsWarnings) for each in handlers)
