"""Shows the warnings that the library logs while a command works."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import click
from rich.console import Console

from newsleopard_async.cli.cli_messages import for_command_line
from newsleopard_async.cli.display.terminal import safe_text
from newsleopard_async.cli.display.waiting_notices import ShowsWarnings
from newsleopard_async.cli.library_messages import in_users_language
from newsleopard_async.cli.session import Session
from newsleopard_async.log import NAME

__all__ = ["showing_warnings"]


class _WarningsHandler(ShowsWarnings):
    """Writes warnings to the standard error, above the steps that a terminal redraws."""

    def __init__(self, console: Console, *, as_json: bool, known: Collection[str]) -> None:
        super().__init__(logging.WARNING)
        self._console = console
        self._as_json = as_json
        self._known = known

    def emit(self, record: logging.LogRecord) -> None:
        """Write a warning, unless the command has shown it already."""
        try:
            message = for_command_line(record.getMessage())
            if any(each in message for each in self._known):
                return
            if self._as_json:
                click.echo(json.dumps({"warning": message}), err=True)
            else:
                text = safe_text(in_users_language(message), "yellow")
                self._console.print(text, soft_wrap=True)
        except Exception:  # noqa: BLE001 - a warning that cannot be written breaks nothing
            self.handleError(record)


@contextmanager
def showing_warnings(session: Session, *, known: Collection[str] = ()) -> Iterator[None]:
    """Show the warnings of the library while the block runs.

    Args:
        session: The session.
        known: The messages of findings that the command has shown.
    """
    handler = _WarningsHandler(session.errors, as_json=session.as_json, known=known)
    logger = logging.getLogger(NAME)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
