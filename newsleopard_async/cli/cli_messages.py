"""Messages as they read on the command line: with its own options, and not Python's arguments."""

from __future__ import annotations

import ast
import re
import shlex
from typing import Final

import attrs

from newsleopard_async.models.findings import ContactsReport

__all__ = [
    "ABOUT_SENDS",
    "OPTIONS",
    "for_command_line",
    "report_for_command_line",
    "send_message_for_command_line",
    "shell_quote",
]

OPTIONS: Final = {
    "columns": "--column",
    "deep": "--deep",
    "encoding": "--encoding",
    "fix": "--fix",
    "left_out_to": "--left-out-to",
    "skip": "--skip",
    "strict": "--strict",
    "write_to": "--write-to",
}
"""The arguments of `check_contacts`, and the options that give them."""

ABOUT_SENDS: Final = {
    "campaign_sn": "--campaign-sn",
    "checkpoint": "KEY",
    "decision": "DECISION",
    "send_key": "KEY",
    "slots": "--slots",
}
"""The fields that a refusal about a send names, and what gives them on the command line."""

_NAMES: Final = "|".join(OPTIONS)
_ARGUMENT: Final = re.compile(rf"""\b({_NAMES})=(True\b|'[^']*'|"[^"]*"|\{{.*?['"]\}})?""")
_FIELD: Final = re.compile(rf"(?:(?<=^)|(?<=; )|(?<=: ))({_NAMES})(?=: )")
_RESOLVE: Final = re.compile(r"""await error\.checkpoint\.resolve\("(\w+)"(, campaign_sn="…")?\)""")
_BY_ITSELF: Final = (
    (
        re.compile("Then run the same call again with the same send key or checkpoint"),
        "Then it goes on by itself",
    ),
    (
        re.compile(r"Or only run it again after (.+? UTC): it (looks|searches|reads)"),
        r"Or leave it: after \1 the next attempt \2",
    ),
)
"""What a caller of Python is told, and what is so of a durable send."""

_PLACE: Final = re.compile(r"\b(?:Durable|RedisStore|SqlStore)\('([^']+)'\)")
_FIELD_OF_SEND: Final = re.compile(rf"(?:(?<=^)|(?<=; ))({'|'.join(ABOUT_SENDS)})(?=: )")
_WORD: Final = re.compile(r"[\w@%+=:,./-]+")
_ELSEWHERE: Final = re.compile(
    r" \(part_bytes=[^)]*\)|, or give json\.loads\(\) of it as records|pass api_key, or "
)
"""What the command line has no option for."""


def for_command_line(message: str) -> str:
    """Return a message with the options of the command line in the place of arguments."""
    message = _ELSEWHERE.sub("", message)
    message = _FIELD.sub(lambda match: OPTIONS[match[1]], message)
    message = _PLACE.sub(r"\1", message)
    message = _FIELD_OF_SEND.sub(lambda match: ABOUT_SENDS[match[1]], message)
    return _ARGUMENT.sub(_option, message)


def send_message_for_command_line(message: str, send_key: str, *, goes_on: bool) -> str:
    """Return what is noted of a send, with the commands that decide about it.

    Args:
        message: What its last run ended with.
        send_key: Its key.
        goes_on: Whether it goes on by itself after that.
    """

    def command(match: re.Match[str]) -> str:
        code = " --campaign-sn SN" if match[2] else ""
        return f"newsleopard resolve {shell_quote(send_key)} {match[1]}{code}"

    message = _RESOLVE.sub(command, message)
    for python, durable in _BY_ITSELF if goes_on else ():
        message = python.sub(durable, message)
    return message


def _option(match: re.Match[str]) -> str:
    option, value = OPTIONS[match[1]], match[2]
    if value is None or value == "True":
        return option
    try:
        given = ast.literal_eval(value)
    except (SyntaxError, ValueError):
        # A name with quotes and escapes in it; its place is in the rest of the message.
        return option
    pairs = given.items() if isinstance(given, dict) else ()
    values = [f"{old}={new}" for old, new in pairs] or [str(given)]
    return " ".join(f"{option} {shell_quote(each)}" for each in values)


def shell_quote(value: str) -> str:
    """Quote what a shell would not take for one word; unlike shlex, no 中文 by itself."""
    return value if _WORD.fullmatch(value) else shlex.quote(value)


def report_for_command_line(report: ContactsReport) -> ContactsReport:
    """Word every finding of a report."""
    findings = (
        attrs.evolve(each, message=for_command_line(each.message)) for each in report.findings
    )
    return attrs.evolve(report, findings=tuple(findings))
