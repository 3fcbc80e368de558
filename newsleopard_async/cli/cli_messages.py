"""Rewrites messages for the command line: with its options instead of Python's arguments."""

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
"""The fields that a problem of a send names, and the options and arguments that set them."""

_NAMES: Final = "|".join(OPTIONS)
_ARGUMENT: Final = re.compile(rf"""\b({_NAMES})=(True\b|'[^']*'|"[^"]*"|\{{.*?['"]\}})?""")
_FIELD: Final = re.compile(rf"(?:(?<=^)|(?<=; )|(?<=: ))({_NAMES})(?=: )")
_RESOLVE: Final = re.compile(r"""await error\.checkpoint\.resolve\("(\w+)"(, campaign_sn="…")?\)""")
_FOR_DURABLE: Final = (
    (
        re.compile("Then run the same call again with the same send key or checkpoint"),
        "Then it continues automatically",
    ),
    (
        re.compile(r"Or only run it again after (.+? UTC): it (looks|searches|reads)"),
        r"Or leave it: after \1 the next attempt \2",
    ),
)
"""Sentences for a caller in Python, and their replacements for a durable send."""

_PLACE: Final = re.compile(r"\b(?:Durable|RedisStore|SqlStore)\('([^']+)'\)")
_FIELD_OF_SEND: Final = re.compile(rf"(?:(?<=^)|(?<=; ))({'|'.join(ABOUT_SENDS)})(?=: )")
_WORD: Final = re.compile(r"[\w@%+=:,./-]+")
_ELSEWHERE: Final = re.compile(
    r" \(part_bytes=[^)]*\)|, or pass json\.loads\(\) of it as records|pass api_key, or "
)
"""Ways out for which the command line has no option."""


def for_command_line(message: str) -> str:
    """Return a message with options of the command line instead of arguments."""
    message = _ELSEWHERE.sub("", message)
    message = _FIELD.sub(lambda match: OPTIONS[match[1]], message)
    message = _PLACE.sub(r"\1", message)
    message = _FIELD_OF_SEND.sub(lambda match: ABOUT_SENDS[match[1]], message)
    return _ARGUMENT.sub(_option, message)


def send_message_for_command_line(message: str, send_key: str, *, is_durable: bool) -> str:
    """Return the message of a send, with commands instead of calls to decide about it.

    Args:
        message: The message of its last run.
        send_key: Its key.
        is_durable: Whether it is a durable send, which continues automatically after a decision.
    """

    def command(match: re.Match[str]) -> str:
        code = " --campaign-sn SN" if match[2] else ""
        return f"newsleopard resolve {shell_quote(send_key)} {match[1]}{code}"

    message = _RESOLVE.sub(command, message)
    for python, durable in _FOR_DURABLE if is_durable else ():
        message = python.sub(durable, message)
    return message


def _option(match: re.Match[str]) -> str:
    option, value = OPTIONS[match[1]], match[2]
    if value is None or value == "True":
        return option
    try:
        parsed = ast.literal_eval(value)
    except (SyntaxError, ValueError):
        # A name with quotes and escapes; the rest of the message contains it.
        return option
    pairs = parsed.items() if isinstance(parsed, dict) else ()
    values = [f"{old}={new}" for old, new in pairs] or [str(parsed)]
    return " ".join(f"{option} {shell_quote(each)}" for each in values)


def shell_quote(value: str) -> str:
    """Quote text that a shell would not read as one word; unlike shlex, 中文 is not quoted."""
    return value if _WORD.fullmatch(value) else shlex.quote(value)


def report_for_command_line(report: ContactsReport) -> ContactsReport:
    """Return the report with all messages rewritten for the command line."""
    findings = (
        attrs.evolve(each, message=for_command_line(each.message)) for each in report.findings
    )
    return attrs.evolve(report, findings=tuple(findings))
