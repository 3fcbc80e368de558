"""How a command ends: its exit status, and an error as one panel or as one line of JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

import attrs
import click
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from newsleopard_async import errors
from newsleopard_async.cli.cli_messages import for_command_line
from newsleopard_async.cli.display.line_breaks import WideConsole
from newsleopard_async.cli.display.output_streams import OutputFailed
from newsleopard_async.cli.display.terminal import safe_text
from newsleopard_async.cli.library_messages import in_users_language
from newsleopard_async.cli.translation import N_, is_chinese, reason_of
from newsleopard_async.cli.translation import translated as _

__all__ = ["CommandFailure", "ExitStatus", "failure_of", "print_failure"]


class ExitStatus(IntEnum):
    """What a program that runs a command needs to know about its end."""

    DONE = 0
    REFUSED = 1
    """A check or the platform refused; a person must change something."""
    USAGE = 2
    """The arguments or the set-up are wrong; nothing was sent."""
    UNKNOWN = 3
    """A request possibly took effect; do not repeat it under another key."""
    QUOTA = 4
    """The rate limit or the day's quota; the same command works later."""
    UNREACHABLE = 5
    """The network, the platform or the file storage failed; the same command is safe."""
    UNFINISHED = 6
    """Another run has the key, or the platform's job takes longer; the same command works later."""
    INTERRUPTED = 130
    """Ctrl-C; the number that shells use: 128 + SIGINT."""
    HUNG_UP = 129
    """The terminal was closed: 128 + SIGHUP; otherwise like Ctrl-C."""
    TERMINATED = 143
    """The system has ended the command: 128 + SIGTERM; otherwise like Ctrl-C."""
    UNREAD = 141
    """The reader of the output has ended, as head does; the number of shells: 128 + SIGPIPE."""


@attrs.frozen(kw_only=True)
class CommandFailure:
    """An error, as it is shown.

    Attributes:
        kind: The class of the error, for programs.
        status: The exit status.
        title: What happened, in a few words.
        message: What happened, with its details.
        advice: The way out; empty if the message has it.
        parts: The problems, if the message consists of several; each is a line of its own.
        notes: What was done and what was not, and commands that help.
        facts: Other fields of the JSON.
    """

    kind: str
    status: ExitStatus
    title: str
    message: str
    advice: str = ""
    parts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = attrs.field(factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the failure as JSON-safe data."""
        return {
            "type": self.kind,
            "exit_status": int(self.status),
            "message": self.message,
            "advice": self.advice,
            "notes": list(self.notes),
            **self.facts,
        }


_KINDS: Final[Mapping[type[BaseException], tuple[ExitStatus, str, str]]] = {
    errors.ConfigurationError: (ExitStatus.USAGE, N_("The set-up is wrong"), ""),
    errors.InvalidRequest: (
        ExitStatus.REFUSED,
        N_("Not valid"),
        N_("Nothing was sent by this command. Correct it, and run the command again."),
    ),
    errors.InUse: (
        ExitStatus.UNFINISHED,
        N_("Another run has it"),
        N_("That run sends it. Wait for its end, or run the same command again later."),
    ),
    errors.ConnectionFailed: (
        ExitStatus.UNREACHABLE,
        N_("The server cannot be reached"),
        N_("Running the same command again is safe. newsleopard doctor finds the reason."),
    ),
    errors.OutcomeUnknown: (
        ExitStatus.UNKNOWN,
        N_("It is unknown whether it took effect"),
        N_("Do not send it again under another key. Run the same command later: it looks first."),
    ),
    errors.DailyQuotaExhausted: (
        ExitStatus.QUOTA,
        N_("The quota of the day is used up"),
        N_("Run the same command after the quota begins again."),
    ),
    errors.RateLimited: (
        ExitStatus.QUOTA,
        N_("The rate limit is reached"),
        N_(
            "Run the same command again later. If it is refused again, the quota of the day is "
            "possibly used up."
        ),
    ),
    errors.AuthenticationError: (
        ExitStatus.REFUSED,
        N_("The key is refused"),
        N_("Check the key of the account in the console; newsleopard doctor tries it."),
    ),
    errors.SenderNotVerified: (
        ExitStatus.REFUSED,
        N_("The sender is not verified"),
        N_("Verify the address in the console (寄件人驗證), or use another sender."),
    ),
    errors.InsufficientBalance: (
        ExitStatus.REFUSED,
        N_("The balance is too low"),
        N_("Top up, or send to fewer recipients; newsleopard balance shows it."),
    ),
    errors.NotOffered: (
        ExitStatus.REFUSED,
        N_("This account does not have this function"),
        N_("Use the console for it."),
    ),
    errors.CampaignNotReportable: (
        ExitStatus.REFUSED,
        N_("The campaign has no report"),
        N_("Check its code; newsleopard status shows whether it was sent."),
    ),
    errors.ServerError: (
        ExitStatus.UNREACHABLE,
        N_("The platform has an error"),
        N_("Running the same command again is safe."),
    ),
    errors.APIError: (ExitStatus.REFUSED, N_("The platform refused it"), ""),
    errors.UnexpectedResponse: (
        ExitStatus.UNREACHABLE,
        N_("The answer is not the platform's"),
        N_("A proxy possibly wrote it; newsleopard doctor finds the reason."),
    ),
    errors.StorageError: (
        ExitStatus.UNREACHABLE,
        N_("The file storage failed"),
        N_("Running the same command again is safe."),
    ),
    errors.ImportIncomplete: (
        ExitStatus.REFUSED,
        N_("Too many rows were rejected"),
        N_("Correct the rows, or allow more by --max-rejected."),
    ),
    errors.ImportFailed: (ExitStatus.REFUSED, N_("The import failed"), ""),
    errors.CampaignFailed: (ExitStatus.REFUSED, N_("The campaign was not sent completely"), ""),
    errors.DeadlineExceeded: (
        ExitStatus.UNFINISHED,
        N_("The platform is not finished"),
        N_("Its job continues. Run the same command again later."),
    ),
}
"""The exit status, the title and the way out for each class of error."""


_SIGNALS: Final[Mapping[str, ExitStatus]] = {
    "SIGHUP": ExitStatus.HUNG_UP,
    "SIGTERM": ExitStatus.TERMINATED,
}
"""The exit status for each signal that interrupts a command like Ctrl-C."""


def failure_of(error: BaseException, *, ended_by: str | None = None) -> CommandFailure:
    """Return how an error is shown.

    Args:
        error: An error of the library or of click, an interruption, or an error of the system.
        ended_by: The name of the signal that has interrupted the command; None for Ctrl-C.
    """
    failure = _failure_of(error)
    if ended_by is None or failure.status is not ExitStatus.INTERRUPTED:
        return failure
    message = _("Interrupted by {signal}.").format(signal=ended_by)
    return attrs.evolve(failure, status=_SIGNALS[ended_by], message=message)


def _failure_of(error: BaseException) -> CommandFailure:
    notes = tuple(getattr(error, "__notes__", ()))
    match error:
        case errors.NewsLeopardError():
            return _failure_of_library(error, notes)
        case click.Abort():
            return _failure_of_abort(error)
        case KeyboardInterrupt():
            return _interruption(notes)
        case click.ClickException():
            return _failure_of_click(error, notes)
        case OutputFailed():
            return CommandFailure(
                kind=type(error).__name__,
                status=ExitStatus.UNFINISHED,
                title=_("The output cannot be written"),
                message=reason_of(error.reason),
                advice=_("What the command has done is done; only its output is lost."),
                notes=notes,
            )
        case OSError():
            message = reason_of(error)
            if error.filename is not None:
                message = f"{error.filename}: {message}"
            return CommandFailure(
                kind=type(error).__name__,
                status=ExitStatus.USAGE,
                title=_("The system refused it"),
                message=message,
                notes=notes,
            )
        case _:
            raise error


def _failure_of_library(error: errors.NewsLeopardError, notes: tuple[str, ...]) -> CommandFailure:
    kind = next(each for each in type(error).__mro__ if each in _KINDS)
    status, title, advice = _KINDS[kind]
    return CommandFailure(
        kind=type(error).__name__,
        status=status,
        title=_(title),
        message=for_command_line(str(error)),
        advice=_(advice),
        parts=_parts_of(error),
        notes=notes,
        facts=_facts_of(error),
    )


def _parts_of(error: errors.NewsLeopardError) -> tuple[str, ...]:
    problems = error.problems if isinstance(error, errors.InvalidRequest) else ()
    if len(problems) < 2:
        return ()
    return tuple(for_command_line(str(problem)) for problem in problems)


def _facts_of(error: errors.NewsLeopardError) -> dict[str, Any]:
    """Return the attributes of an error that a program can use."""
    facts: dict[str, Any] = {"request_id": error.request_id}
    if isinstance(error, errors.InvalidRequest):
        facts["problems"] = [attrs.asdict(each) for each in error.problems]
    for name in _FACTS:
        value = getattr(error, name, None)
        if value is not None:
            facts[name] = value.isoformat() if isinstance(value, datetime) else value
    return facts


_FACTS: Final = (
    *("code", "excerpt", "host", "look_again_at", "reason", "recipients", "remaining"),
    *("resets_at", "retry_after_s"),
)


def _failure_of_abort(abort: click.Abort) -> CommandFailure:
    # click hides the reason of a question that ended.
    cause = abort.__cause__ or abort.__context__
    if isinstance(cause, KeyboardInterrupt):
        return _interruption(tuple(getattr(cause, "__notes__", ())))
    return CommandFailure(
        kind="Abort",
        status=ExitStatus.REFUSED,
        title=_("Not confirmed"),
        message=" ".join(abort.args)
        or _("Nothing was sent or changed. --yes confirms without a question."),
    )


def _interruption(notes: tuple[str, ...]) -> CommandFailure:
    return CommandFailure(
        kind="Interrupted",
        status=ExitStatus.INTERRUPTED,
        title=_("Interrupted"),
        message=_("Interrupted by Ctrl-C."),
        notes=notes,
    )


def _failure_of_click(error: click.ClickException, notes: tuple[str, ...]) -> CommandFailure:
    context = getattr(error, "ctx", None)
    advice = ""
    if context is not None:
        advice = _("Help: {command} --help").format(command=context.command_path)
    return CommandFailure(
        kind=type(error).__name__,
        status=ExitStatus.USAGE,
        title=_("The command is not complete"),
        message=_in_chinese(error.format_message()) if is_chinese() else error.format_message(),
        advice=advice,
        notes=notes,
    )


def _in_chinese(message: str) -> str:
    """Replace what click does not translate: full stops, spaces and the name of a variable."""
    message = re.sub(r" \(env\svar: ('\w+')\) ?", r"（環境變數：\1）", message)
    return re.sub(r"(?<=')\.(?: |$)|。 ", "。", message)


def _lines_of(failure: CommandFailure) -> list[str]:
    """Return the message in the user's language, with a line for each problem of several."""
    if not failure.parts:
        return [in_users_language(failure.message)]
    text = _("{count} problems were found.").format(count=len(failure.parts))
    return [text, *(f"- {in_users_language(part)}" for part in failure.parts)]


def print_failure(failure: CommandFailure, *, as_json: bool) -> None:
    """Write a failure to the standard error.

    A terminal shows one panel. A file or a pipe gets lines without a frame, which can be searched.
    """
    if as_json:
        click.echo(json.dumps({"error": failure.to_dict()}), err=True)
        return
    console = WideConsole(stderr=True, highlight=False)
    message = _lines_of(failure)
    if not console.is_terminal:
        both = _("{title}: {message}").format(title=failure.title, message=message.pop(0))
        others = (*message, *filter(None, (failure.advice, *failure.notes)))
        for line in map(safe_text, (both, *others)):
            console.print(line, soft_wrap=True)
        return
    parts: list[RenderableType] = [*map(safe_text, message)]
    if failure.advice:
        parts += [Text(), safe_text(failure.advice, "bold")]
    if failure.notes:
        parts += [Text(), *(safe_text(each) for each in failure.notes)]
    style = "yellow" if failure.kind == "Interrupted" else "red"
    panel = Panel(
        Group(*parts),
        title=Text(failure.title, style="bold"),
        title_align="left",
        border_style=style,
    )
    console.print(panel)
