"""``newsleopard check``: the arguments and options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

import click

from newsleopard_async.cli.contacts_check import run_check
from newsleopard_async.cli.failures import ExitStatus
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import json_option
from newsleopard_async.models.findings import Fix

__all__ = ["check"]


def _columns(
    _: click.Context, __: click.Parameter, pairs: tuple[str, ...]
) -> dict[str, str] | None:
    """Parse each pair: the name in the file, and the name to use after the last =."""
    columns: dict[str, str] = {}
    for pair in pairs:
        old, equals, new = pair.rpartition("=")
        if not equals:
            raise click.BadParameter(f"{pair} has no =; write it as 電子郵件=EMAIL")
        if old in columns:
            raise click.BadParameter(f"{old} is named twice; name it once")
        columns[old] = new
    return columns or None


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--encoding", help="The encoding of the file, such as big5 or gb18030; detected by default."
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    callback=_columns,
    metavar="NAME=EMAIL",
    help="Use another name for a column of the file; repeatable.",
)
@click.option(
    "--skip",
    type=click.Path(path_type=Path),
    help="Leave out the addresses in this file.",
)
@click.option(
    "--fix",
    type=click.Choice(get_args(Fix)),
    multiple=True,
    help="A problem to put right; repeatable.",
)
@click.option(
    "--write-to",
    type=click.Path(path_type=Path),
    help="Write the CSV there that would be uploaded.",
)
@click.option(
    "--left-out-to",
    type=click.Path(path_type=Path),
    help="Write bad rows there, instead of into the folder of the file.",
)
@click.option("--deep", is_flag=True, help="Check addresses with email-validator as well.")
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@json_option
def check(path: Path, *, as_json: bool, **options: Any) -> None:
    """Check a FILE of contacts; nothing is sent.

    FILE can also be a pipe, and - is the standard input. The exit status is 0 if the contacts can
    be sent to, and 1 if they cannot.
    """
    session = Session(as_json=as_json)
    passed = run_check(session.console, path, as_json=as_json, **options)
    sys.exit(ExitStatus.DONE if passed else ExitStatus.REFUSED)
