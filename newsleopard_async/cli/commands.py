"""The commands of ``newsleopard``, with their arguments and options."""

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

from newsleopard_async.cli.check_command import run_check
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
"""The exit status that shells use for a command that Ctrl-C ended: 128 + SIGINT."""


class _Commands(click.Group):
    """Commands whose messages about arguments, such as file names, have no effect on a terminal."""

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
    help="The number of contacts to generate.",
)
@click.option("--pace", type=click.FloatRange(0.01, 1.0), default=1.0, hidden=True)
def demo(contacts: int, pace: float) -> None:
    """Run a whole campaign against an emulator on this machine.

    It generates and imports contacts, sends them mails and exports the report over real HTTP. No
    account is needed, nothing leaves this machine, and all files are deleted at the end.
    """
    console = Console(highlight=False)
    try:
        run_demo(console, contacts, pace=pace)
    except KeyboardInterrupt:
        message = "Interrupted. The emulator is stopped and its files are deleted."
        _fail(console, message, _INTERRUPTED)
    except TimeoutError:
        message = f"Not done after {LIMIT_S:.0f} s; try again when this machine is less busy."
        _fail(console, message, 1)
    except NewsLeopardError as error:
        _fail(console, f"{type(error).__name__}: {error}", 1)


newsleopard.add_command(emulator)


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
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check(path: Path, **options: Any) -> None:
    """Check a FILE of contacts; nothing is sent.

    FILE can also be a pipe, and - is the standard input. The exit status is 0 if the contacts can
    be sent to, 1 if they cannot, and 2 if they could not be checked.
    """
    try:
        passed = run_check(Console(highlight=False), path, **options)
    except KeyboardInterrupt:
        _fail(Console(stderr=True), "Interrupted.", _INTERRUPTED)
    except NewsLeopardError as error:
        _fail(Console(stderr=True), f"{type(error).__name__}: {for_command_line(str(error))}", 2)
    sys.exit(0 if passed else 1)


def _url(context: click.Context, _: click.Parameter, url: str | None) -> str | None:
    """Warn about a password that all users of this host can see."""
    if url and _is_given(context, "url") and has_password(url):
        warning = (
            f"All users of this host can see the password in --url; set {URL_VARIABLE} instead."
        )
        _errors().print(safe_text(warning, "yellow"), soft_wrap=True)
    return url or None


_URL = click.option(
    "--url",
    envvar=URL_VARIABLE,
    show_envvar=True,
    callback=_url,
    help="The database of the sends: sqlite:////folder/sends.db, or "
    "postgresql://user@host/database.",
)


def _health(_: click.Context, __: click.Parameter, text: str | None) -> Address | None:
    try:
        return None if text is None else read_address(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@newsleopard.command()
@click.argument("app", required=False)
@_URL
@click.option(
    "--slots", type=click.IntRange(min=1), help="The number of simultaneous sends.  [default: 20]"
)
@click.option(
    "--health",
    callback=_health,
    metavar="HOST:PORT",
    help="Answer /live and /ready there over HTTP; without a HOST, on this machine only.",
)
@click.option("--json", "as_json", is_flag=True, help="Print events as lines of JSON.")
@click.pass_context
def worker(context: click.Context, /, **options: Any) -> None:
    """Process durable sends, until SIGTERM or Ctrl-C.

    APP names a Durable as module:name, such as app:durable; or a function that returns one. Modules
    in the current folder can be imported. Without an APP, the worker processes the sends of the
    account "main" in the database at --url, with the key in NEWSLEOPARD_API_KEY. Contacts are then
    local files, which works only with SQLite.

    After SIGTERM the worker takes no more sends, waits for the answer of a submit that is being
    sent, and gives all other sends to the next worker. This takes at most 70 s, and usually no
    time. A second signal ends it immediately. NEWSLEOPARD_LOG=info logs what it does.

    The exit status is 0 if it has left, 1 if it did not leave in time, 2 if it could not begin.
    """
    chosen = WorkerOptions(**options)
    if chosen.app is not None and _is_given(context, "url"):
        raise click.UsageError("name either an APP or --url; the APP has its own URL")
    with _ending():
        try:
            run_worker(chosen)
        except OSError as error:
            message = f"Cannot listen on {chosen.health}: {error.strerror}; choose another --health"
            _fail(_errors(), message, 2)


_KEY = click.argument("send_key", metavar="KEY")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the send as a line of JSON.")
_URL_OF_ANY = click.option(
    "--url",
    envvar=URL_VARIABLE,
    show_envvar=True,
    callback=_url,
    help="The store of the sends: sqlite:////…, postgresql://… or redis://…; by default the files "
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
    help=f"Show only sends in this state; repeatable. One of {', '.join(STATES)}.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each send as a line of JSON.")
def runs(send_key: str | None, url: str | None, states: tuple[str, ...], as_json: bool) -> None:
    """Show all sends, or all fields of the send with one KEY.

    Sends are the durable sends of a database, or the runs with a send key in any other store. Sends
    that need a person come first. The command changes nothing and blocks no worker.

    The exit status is 0; 1 if no send has this KEY; 2 if the store could not be read.
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
@click.option("--campaign-sn", metavar="SN", help="The code of the campaign, for sent.")
@_URL_OF_ANY
@_JSON
def resolve(
    send_key: str, decision: Decision, campaign_sn: str | None, url: str | None, as_json: bool
) -> None:
    """Decide about a send that is held.

    Whether it was submitted is unknown. First check the console (活動列表). sent: the campaign
    exists; name its code by --campaign-sn. resubmit: it does not exist, so submit it. abandon:
    never send anything under this KEY.

    A durable send then continues automatically. The exit status is 0; 1 if there is nothing to
    decide or it is too early; 2 if the store could not be reached.
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

    This works for a send of any worker. The exit status is 0 if nothing was sent and nothing will
    be sent under this KEY; 1 if it is too late, or no send has this KEY; 2 if the database could
    not be reached.
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
    """Begin the next attempt at a durable send now.

    This also works for a send that has failed, after you have corrected the problem in its message.
    The exit status is 0; 1 if no send has this KEY; 2 if the database could not be reached.
    """
    options = CommandOptions(Console(highlight=False), url, as_json)
    with _ending():
        anyio.run(retry_send, options, send_key)


@contextlib.contextmanager
def _ending() -> Iterator[None]:
    """Turn an error of a command about sends into one line and an exit status."""
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
    # Without line breaks, so that a log has it in one line.
    console.print(safe_text(message, "red"), soft_wrap=True)
    sys.exit(code)
