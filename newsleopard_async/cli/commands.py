"""What ``newsleopard`` understands."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, get_args

import anyio
import click
from click.core import ParameterSource
from rich.console import Console

from newsleopard_async.cli.check_command import CheckOptions, run_check
from newsleopard_async.cli.cli_messages import for_command_line
from newsleopard_async.cli.demo import CONTACTS, LIMIT_S, run_demo
from newsleopard_async.cli.emulator_command import emulator
from newsleopard_async.cli.health import Address, read_address
from newsleopard_async.cli.locations import URL_VARIABLE, has_password
from newsleopard_async.cli.sends import STATES, CommandOptions, list_runs, show_run
from newsleopard_async.cli.sends import cancel as cancel_send
from newsleopard_async.cli.sends import resolve as decide
from newsleopard_async.cli.sends import retry as retry_send
from newsleopard_async.cli.terminal import safe_text
from newsleopard_async.cli.worker_command import WorkerOptions, run_worker
from newsleopard_async.disclosure import shown
from newsleopard_async.errors import InUse, InvalidRequest, NewsLeopardError
from newsleopard_async.models.findings import Fix
from newsleopard_async.workflows.decision import Decision

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


newsleopard.add_command(emulator)


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
        _fail(Console(stderr=True), f"{type(error).__name__}: {for_command_line(str(error))}", 2)
    sys.exit(0 if passed else 1)


def _url(context: click.Context, _: click.Parameter, url: str | None) -> str | None:
    """Warn of a password that every user of this host can see."""
    if url and _is_given(context, "url") and has_password(url):
        warning = (
            "The password in --url can be seen by all users of this host; set "
            f"{URL_VARIABLE} instead."
        )
        _errors().print(safe_text(warning, "yellow"), soft_wrap=True)
    return url or None


_URL = click.option(
    "--url",
    envvar=URL_VARIABLE,
    show_envvar=True,
    callback=_url,
    help="Where the sends are: sqlite:////folder/sends.db, or postgresql://user@host/database.",
)


def _health(_: click.Context, __: click.Parameter, text: str | None) -> Address | None:
    try:
        return None if text is None else read_address(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@newsleopard.command()
@click.argument("app", required=False)
@_URL
@click.option("--slots", type=click.IntRange(min=1), help="How many sends at once.  [default: 20]")
@click.option(
    "--health",
    callback=_health,
    metavar="HOST:PORT",
    help="Answer /live and /ready there over HTTP; without a HOST, on this machine only.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what happens as lines of JSON.")
@click.pass_context
def worker(context: click.Context, /, **options: Any) -> None:
    """Carry durable sends out, until SIGTERM or Ctrl-C.

    APP names a Durable as module:name, such as app:durable; or a function that returns one. The
    current folder can be imported from. Without an APP, the sends are those in the database at
    --url, of the account "main", whose key is NEWSLEOPARD_API_KEY. Contacts are then local files,
    which go with SQLite alone.

    At SIGTERM it takes no more, lets a submit that is on its way run to its answer, and gives
    everything else to the next worker. That takes 70 s at most, and mostly none. A second signal
    ends it at once. NEWSLEOPARD_LOG=info shows what it does.

    The exit status is 0 if it has left, 1 if it could not in time, 2 if it could not begin.
    """
    chosen = WorkerOptions(**options)
    if chosen.app is not None and _is_given(context, "url"):
        raise click.UsageError("give an APP or --url; the APP has a URL of its own")
    with _ending():
        try:
            run_worker(chosen)
        except OSError as error:
            _fail(_errors(), f"Cannot listen on {chosen.health}: {error.strerror}", 2)


_KEY = click.argument("send_key", metavar="KEY")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print it as a line of JSON.")
_URL_OF_ANY = click.option(
    "--url",
    envvar=URL_VARIABLE,
    show_envvar=True,
    callback=_url,
    help="Where the sends are: sqlite:////…, postgresql://… or redis://…; by default in the files "
    "of this user.",
)


@newsleopard.command()
@click.argument("send_key", metavar="[KEY]", required=False)
@_URL_OF_ANY
@click.option(
    "--state",
    "states",
    type=click.Choice(STATES),
    multiple=True,
    metavar="STATE",
    help=f"Only those in this state; repeatable. One of {', '.join(STATES)}.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each.")
def runs(send_key: str | None, url: str | None, states: tuple[str, ...], as_json: bool) -> None:
    """Show sends, or all that is known of one KEY.

    They are the durable sends of a database, or the runs with a send key of any other store. Those
    that need a person come first. Nothing is changed, and nobody is kept waiting.

    The exit status is 0, 1 if there is no such KEY, and 2 if it could not be looked at.
    """
    options = CommandOptions(Console(highlight=False), url, as_json)
    with _ending():
        if send_key is None:
            anyio.run(list_runs, options, states)
        elif not anyio.run(show_run, options, send_key):
            sys.exit(1)


@newsleopard.command()
@_KEY
@click.argument("decision", metavar="sent|resubmit|abandon", type=click.Choice(get_args(Decision)))
@click.option("--campaign-sn", metavar="SN", help="The code of the campaign, with sent.")
@_URL_OF_ANY
@_JSON
def resolve(
    send_key: str, decision: Decision, campaign_sn: str | None, url: str | None, as_json: bool
) -> None:
    """Decide about a send that is held.

    It is not known whether it was submitted. Look in the console first (活動列表). sent: it is
    there; give its code by --campaign-sn. resubmit: it is not there, so submit it. abandon: send
    nothing under this KEY, ever.

    A durable send then goes on by itself. The exit status is 0, 1 if there is nothing to decide
    or it is too early, and 2 if it could not be reached.
    """
    options = CommandOptions(Console(highlight=False), url, as_json)
    with _ending():
        anyio.run(decide, options, send_key, decision, campaign_sn)


@newsleopard.command()
@_KEY
@_URL
@_JSON
def cancel(send_key: str, url: str | None, as_json: bool) -> None:
    """Cancel a durable send that was not submitted yet.

    It does not matter which worker is carrying it. The exit status is 0 if nothing was sent and
    nothing will be under this KEY; 1 if it is too late, or there is no such KEY; 2 if it could not
    be reached.
    """
    options = CommandOptions(Console(highlight=False), url, as_json)
    with _ending():
        if not anyio.run(cancel_send, options, send_key):
            sys.exit(1)


@newsleopard.command()
@_KEY
@_URL
@_JSON
def retry(send_key: str, url: str | None, as_json: bool) -> None:
    """Let the next attempt at a durable send begin now.

    Also one that has failed, once you have put right what its message names. The exit status is
    0, 1 if there is no such KEY, and 2 if it could not be reached.
    """
    options = CommandOptions(Console(highlight=False), url, as_json)
    with _ending():
        anyio.run(retry_send, options, send_key)


@contextlib.contextmanager
def _ending() -> Iterator[None]:
    """End in one line what a command about sends cannot do."""
    try:
        yield
    except KeyboardInterrupt:
        _fail(_errors(), "Interrupted.", _INTERRUPTED)
    except (InvalidRequest, InUse) as error:
        _fail(_errors(), for_command_line(str(error)), 1)
    except NewsLeopardError as error:
        _fail(_errors(), for_command_line(str(error)), 2)


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _errors() -> Console:
    return Console(stderr=True, highlight=False)


def _fail(console: Console, message: str, code: int) -> NoReturn:
    # In one line, for those that read it from a log.
    console.print(safe_text(message, "red"), soft_wrap=True)
    sys.exit(code)
