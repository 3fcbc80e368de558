"""What ``newsleopard`` understands."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, get_args

import click
from rich.console import Console

from newsleopard_async.cli.checking import CheckOptions, run_check
from newsleopard_async.cli.demo import CONTACTS, LIMIT_S, run_demo
from newsleopard_async.cli.serving import EmulatorOptions, read_switches, run_emulator
from newsleopard_async.cli.terminal import said
from newsleopard_async.cli.wording import worded
from newsleopard_async.disclosure import shown
from newsleopard_async.errors import NewsLeopardError
from newsleopard_async.models.findings import Fix

__all__ = ["newsleopard"]

_INTERRUPTED = 130
"""What a shell expects of a command that Ctrl-C ended."""


class _Commands(click.Group):
    """Commands whose refusals of arguments, such as names of files, steer no terminal."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the arguments of the group."""
        with _refusing():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Read the arguments of a command and run it."""
        with _refusing():
            return super().invoke(ctx)


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        error.message = shown(error.message)  # type: ignore[misc]  # nothing else rewords it
        raise


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="newsleopard-async", prog_name="newsleopard")
def newsleopard() -> None:
    """Send mail through the NewsLeopard (電子豹) Campaign API, or try it without an account."""


@newsleopard.command()
@click.option(
    "--contacts",
    type=click.IntRange(1, 100_000),
    default=CONTACTS,
    show_default=True,
    help="How many contacts to make up.",
)
@click.option("--pace", type=click.FloatRange(0.01, 1.0), default=1.0, hidden=True)
def demo(contacts: int, pace: float) -> None:
    """Run a whole campaign against an emulator on this machine.

    Contacts are made up, imported, mailed and reported on over real HTTP. No account is needed,
    nothing leaves this machine, and nothing stays behind on it.
    """
    console = Console(highlight=False)
    try:
        run_demo(console, contacts, pace=pace)
    except KeyboardInterrupt:
        _fail(console, "Interrupted. The emulator is stopped and its files are gone.", _INTERRUPTED)
    except TimeoutError:
        _fail(console, f"Not done after {LIMIT_S:.0f} s; this machine is very busy.", 1)
    except NewsLeopardError as error:
        _fail(console, f"{type(error).__name__}: {error}", 1)


def _keys(_: click.Context, __: click.Parameter, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a key that no client can send, as the empty one of an unset variable."""
    if not all(key.strip() for key in keys):
        raise click.BadParameter("a key is empty")
    return keys


def _switches(
    _: click.Context, __: click.Parameter, pairs: tuple[str, ...]
) -> Mapping[str, object]:
    try:
        return read_switches(pairs)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@newsleopard.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8025, show_default=True, help="0 for any."
)
@click.option(
    "--api-key",
    "api_keys",
    multiple=True,
    required=True,
    callback=_keys,
    help="A key to accept; repeatable.",
)
@click.option(
    "--profile",
    type=click.Choice(["documented", "vendor-2026"]),
    default="documented",
    show_default=True,
    help="Which description of the platform to follow.",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    callback=_switches,
    metavar="NAME=VALUE",
    help="Set a switch of the emulator, such as first_page=1; repeatable.",
)
@click.option("--sample-lists", is_flag=True, help="Begin with lists of odd names and a segment.")
def emulator(**options: Any) -> None:
    """Serve an emulated NewsLeopard until Ctrl-C."""
    chosen = EmulatorOptions(**options)
    try:
        run_emulator(chosen)
    except OSError as error:
        place = f"{chosen.host}:{chosen.port}"
        _fail(Console(stderr=True), f"Cannot listen on {place}: {error.strerror}", 1)


def _columns(
    _: click.Context, __: click.Parameter, pairs: tuple[str, ...]
) -> dict[str, str] | None:
    """Read each as the name in the file, and after the last = the name to use."""
    columns: dict[str, str] = {}
    for pair in pairs:
        old, equals, new = pair.rpartition("=")
        if not equals:
            raise click.BadParameter("write it as 電子郵件=EMAIL")
        if old in columns:
            raise click.BadParameter(f"{old} is given twice")
        columns[old] = new
    return columns or None


@newsleopard.command()
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
    help="What to mend; repeatable.",
)
@click.option(
    "--write-to",
    type=click.Path(path_type=Path),
    help="Write the CSV there as it would be uploaded.",
)
@click.option(
    "--left-out-to",
    type=click.Path(path_type=Path),
    help="Where bad rows go, instead of beside the file.",
)
@click.option("--deep", is_flag=True, help="Judge addresses by email-validator as well.")
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check(path: Path, **options: Any) -> None:
    """Check a FILE of contacts; nothing is sent.

    FILE may be a pipe as well, and - is the standard input. The exit status is 0 if it can be
    sent, 1 if it cannot, and 2 if it could not be checked.
    """
    try:
        passed = run_check(Console(highlight=False), path, CheckOptions(**options))
    except KeyboardInterrupt:
        _fail(Console(stderr=True), "Interrupted.", _INTERRUPTED)
    except NewsLeopardError as error:
        _fail(Console(stderr=True), f"{type(error).__name__}: {worded(str(error))}", 2)
    sys.exit(0 if passed else 1)


def _fail(console: Console, message: str, code: int) -> NoReturn:
    console.print(said(message, "red"))
    sys.exit(code)
