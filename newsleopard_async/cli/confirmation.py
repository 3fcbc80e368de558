"""Asks a person before a command does what cannot be taken back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

import click

from newsleopard_async.cli.translation import translated as _

__all__ = ["confirm", "require_terminal"]

_TERMINAL: Final = Path("/dev/tty")
"""The terminal of this process; Windows has no such file."""


def require_terminal(*, yes: bool, has_data_on_stdin: bool = False) -> None:
    """Refuse a command that would ask where nothing can answer.

    Args:
        yes: Whether it is confirmed already.
        has_data_on_stdin: Whether the standard input is data, so that the answer is read from the
            terminal itself.

    Raises:
        click.UsageError: a terminal and ``--yes`` are missing.
    """
    if yes:
        return
    if has_data_on_stdin:
        with _terminal_as_stdin():
            return
    if sys.stdin is None or not sys.stdin.isatty():
        raise _no_terminal()


def confirm(question: str, *, has_data_on_stdin: bool = False, done: str = "") -> None:
    """Ask on the standard error; return only if the answer is yes.

    It must run outside of an event loop, in which Ctrl-C would not end the question.

    Args:
        question: The question.
        has_data_on_stdin: Whether the standard input is data.
        done: What the command has done before, for the message about another answer.

    Raises:
        click.Abort: the answer is no, or there is none.
    """
    with _terminal_as_stdin() if has_data_on_stdin else nullcontext():
        try:
            click.confirm(question, abort=True, err=True)
        except click.Abort as abort:
            if isinstance(abort.__context__, KeyboardInterrupt):
                # The message begins below the question.
                click.echo(err=True)
                abort.__context__.add_note(done or _("Nothing was sent or changed."))
                raise
            raise click.Abort(*filter(None, [done])) from None


@contextmanager
def _terminal_as_stdin() -> Iterator[None]:
    try:
        terminal = _TERMINAL.open(encoding="utf-8", errors="replace")
    except OSError:
        raise _no_terminal() from None
    before = sys.stdin
    with terminal:
        sys.stdin = terminal
        try:
            yield
        finally:
            sys.stdin = before


def _no_terminal() -> click.UsageError:
    return click.UsageError(_("the command asks first, which needs a terminal; add --yes"))
