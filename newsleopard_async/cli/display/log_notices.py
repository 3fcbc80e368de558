"""Shows on the standard error what the library logs for a person: warnings, and why it waits.

Without a notice, a command that the rate limit refuses would be silent for two minutes.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

import click
from rich.console import Console

from newsleopard_async.cli.cli_messages import for_command_line
from newsleopard_async.cli.display.terminal import safe_text
from newsleopard_async.cli.library_messages import in_users_language
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.log import NAME

__all__ = ["restored_log", "show_log"]

_NOTICED_S: Final = 2.0
"""Chosen: a person does not wonder about a shorter wait."""


def show_log(console: Console, *, as_json: bool = False, known: Collection[str] = ()) -> None:
    """Show warnings and long waits from now on; a log that the user has asked for replaces them.

    Args:
        console: The standard error.
        as_json: Whether a warning is one line of JSON. Then waits are shown only on a terminal.
        known: The messages that the command itself has shown; a warning with one of them is left
            out. It can grow later.
    """
    _hide()
    if os.environ.get("NEWSLEOPARD_LOG", "").strip():
        return
    handler = _LogNotices(console, as_json=as_json, known=known)
    logger = logging.getLogger(NAME)
    logger.addHandler(handler)
    logger.setLevel(handler.level)


@contextmanager
def restored_log() -> Iterator[None]:
    """End at the end of a command what `show_log` began in it."""
    try:
        yield
    finally:
        _hide()


def _hide() -> None:
    logger = logging.getLogger(NAME)
    for each in [each for each in logger.handlers if isinstance(each, _LogNotices)]:
        logger.removeHandler(each)
        logger.setLevel(each.earlier_level)


class _LogNotices(logging.Handler):
    """Writes the records that a person should see, above the steps that a terminal redraws."""

    def __init__(self, console: Console, *, as_json: bool, known: Collection[str]) -> None:
        has_waits = console.is_terminal or not as_json
        super().__init__(logging.INFO if has_waits else logging.WARNING)
        self.earlier_level = logging.getLogger(NAME).level
        self._console = console
        self._as_json = as_json
        self._known = known
        self._warnings: set[str] = set()
        self._is_refused = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record if it is a warning, or about a long wait."""
        try:
            if record.levelno >= logging.WARNING:
                self._warn(for_command_line(record.getMessage()))
            elif notice := self._notice_of(record):
                self._print(notice)
        except Exception:  # noqa: BLE001 - a notice that cannot be written breaks nothing
            self.handleError(record)

    def _warn(self, warning: str) -> None:
        """Write a warning once: each client of a command has its own."""
        if warning in self._warnings or any(each in warning for each in self._known):
            return
        self._warnings.add(warning)
        if self._as_json:
            click.echo(json.dumps({"warning": warning}), err=True)
        else:
            self._print(in_users_language(warning))

    def _notice_of(self, record: logging.LogRecord) -> str:
        """Return the notice of a long wait; empty for other records."""
        delay_s = getattr(record, "nl_delay_s", None)
        if delay_s is None:
            # For example that requests are accepted again.
            self._is_refused = False
            return ""
        if delay_s < _NOTICED_S or self._is_refused:
            return ""
        if not record.msg.startswith("the platform refused"):
            return in_users_language(record.getMessage())
        self._is_refused = True
        return _("The rate limit refuses requests. Waiting up to 2 minutes; Ctrl-C ends it.")

    def _print(self, text: str) -> None:
        self._console.print(safe_text(text, "yellow"), soft_wrap=True)
