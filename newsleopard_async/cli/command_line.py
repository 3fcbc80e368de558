"""The command ``newsleopard``: its commands, loaded when they are used, and how it ends."""

from __future__ import annotations

import ast
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Final, NoReturn

import click
from click.exceptions import NoSuchCommand
from click.shell_completion import CompletionItem

from newsleopard_async.cli.display.help_format import (
    HelpContext,
    in_users_language,
    parameter_in_users_language,
    translated_help,
)
from newsleopard_async.cli.display.log_notices import restored_log
from newsleopard_async.cli.display.output_streams import OutputFailed
from newsleopard_async.cli.ending_signals import EndingSignal, ending_signals
from newsleopard_async.cli.failures import ExitStatus, failure_of, print_failure
from newsleopard_async.cli.translation import translated, users_language
from newsleopard_async.disclosure import shown
from newsleopard_async.errors import NewsLeopardError

__all__ = ["newsleopard"]

_COMMANDS: Final = "newsleopard_async.cli.commands"

_SECTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "Prepare": {
        "check": "check_command",
        "rehearse": "rehearse_command",
        "import": "import_command:import_contacts",
        "timezones": "timezones_command",
    },
    "Look": {
        "status": "status_command",
        "report": "report_command",
        "summary": "summary_command",
        "balance": "balance_command",
        "lists": "lists_command",
    },
    "Send and take back": {
        "send": "send_command",
        "resume": "resume_command",
        "cancel": "cancel_command",
    },
    "Runs and workers": {
        "runs": "runs_command",
        "resolve": "runs_command",
        "retry": "runs_command",
        "worker": "worker_command",
    },
    "Set up": {
        "profile": "profile_command",
        "doctor": "doctor_command",
        "probe": "probe_command",
        "completion": "completion_command",
    },
    "Try without an account": {"demo": "demo_command", "emulator": "emulator_command"},
}
"""The commands in the order of the help, and the module of each; its function has its name, or the
name that follows."""

_MODULES: Final = {
    name: module for section in _SECTIONS.values() for name, module in section.items()
}


_SHOWN: Final = (click.ClickException, click.Abort, NewsLeopardError, OSError, OutputFailed)
"""The errors with a panel; any other is an error of this program, and has its traceback."""


class _Commands(click.Group):
    """A group that loads a command when it is used, and reports each error once."""

    context_class: type[click.Context] = HelpContext

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of all commands."""
        return list(_MODULES)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """Load a command."""
        return in_users_language(_load(cmd_name)) if cmd_name in _MODULES else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a command line; a wrong name gets the similar ones."""
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand as error:
            raise NoSuchCommand(error.command_name, possibilities=_MODULES, ctx=ctx) from None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the options, with their help in the user's language."""
        return list(map(parameter_in_users_language, super().get_params(ctx)))

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the parts of the usage in the user's language."""
        return list(map(translated, super().collect_usage_pieces(ctx)))

    def format_help_text(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the help of the group in the user's language."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(translated_help(self.help or ""))

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the commands of each section, with the first sentence of its help."""
        width = max(map(len, _MODULES)) + 2
        for title, names in _SECTIONS.items():
            with formatter.section(translated(title)):
                formatter.write_dl([(name.ljust(width - 2), _short_help(name)) for name in names])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands, with the first sentences of their help."""
        return [
            CompletionItem(name, help=_short_help(name))
            for name in _MODULES
            if name.startswith(incomplete)
        ] + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; click ends the line of ^C, which only a terminal has."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            if sys.stderr.isatty():
                raise
            raise click.Abort from interrupt

    @staticmethod
    def titles() -> tuple[str, ...]:
        """Return the titles of the sections, in English."""
        return tuple(_SECTIONS)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command, and end the process with the status of its outcome."""
        del standalone_mode
        given = list(sys.argv[1:] if args is None else args)
        as_json = "--json" in given
        with (
            users_language(for_program=as_json),
            restored_log(),
            ending_signals() as ending,
        ):
            try:
                status = super().main(
                    given, prog_name, complete_var, standalone_mode=False, **extra
                )
            except _SHOWN as error:
                _end(error, ending, as_json=as_json)
            sys.exit(status if isinstance(status, int) else ExitStatus.DONE)


def _load(name: str) -> click.Command:
    module, function = _place_of(name)
    command: click.Command = pkgutil.resolve_name(f"{_COMMANDS}.{module}:{function}")
    return command


def _place_of(name: str) -> tuple[str, str]:
    """Return the module and the function of a command."""
    module, _separator, function = _MODULES[name].partition(":")
    return module, function or name


def _short_help(name: str) -> str:
    """Return the first sentence of a command's help."""
    try:
        command = click.Command(name, help=_docstring_of(name))
    except FileNotFoundError:  # installed without its source
        command = _load(name)
    return in_users_language(command).get_short_help_str(limit=200)


def _docstring_of(name: str) -> str | None:
    """Read a docstring from the source, because loading all commands takes more than a second."""
    module, function = _place_of(name)
    source = resources.files(_COMMANDS).joinpath(f"{module}.py").read_text("utf-8")
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return next(ast.get_docstring(node) for node in functions if node.name == function)


def _end(error: BaseException, ending: EndingSignal, *, as_json: bool) -> NoReturn:
    if isinstance(error, OutputFailed) and error.is_closed_pipe:
        sys.exit(ExitStatus.UNREAD)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        sys.exit(ExitStatus.USAGE)
    if isinstance(error, click.ClickException):
        # A message about an argument contains it, for example the name of a file.
        error.message = shown(error.message)  # type: ignore[misc]  # only here it is reworded
    ended_by = None if ending.received is None else ending.received.name
    failure = failure_of(error, ended_by=ended_by)
    print_failure(failure, as_json=as_json)
    sys.exit(failure.status)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="newsleopard-async", prog_name="newsleopard")
@click.help_option("-h", "--help")
def newsleopard() -> None:
    """Send mail through the NewsLeopard (電子豹) Campaign API, or try it without an account."""
