"""Asks a person before a command does what cannot be taken back."""

from __future__ import annotations

import sys

import click

from newsleopard_async.cli.translation import translated as _

__all__ = ["confirm", "require_terminal"]


def require_terminal(*, yes: bool) -> None:
    """Refuse a command that would ask where nothing can answer.

    Raises:
        click.UsageError: the standard input is not a terminal, and ``--yes`` is missing.
    """
    if not (yes or sys.stdin.isatty()):
        raise click.UsageError(_("the command asks first, which needs a terminal; add --yes"))


def confirm(question: str) -> None:
    """Ask on the standard error; return only if the answer is yes.

    It must run outside of an event loop, in which Ctrl-C would not end the question.

    Raises:
        click.Abort: the answer is no, or there is none.
    """
    click.confirm(question, abort=True, err=True)
