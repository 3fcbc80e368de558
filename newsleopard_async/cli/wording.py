"""Messages as they read on the command line: with its own options, and not Python's arguments."""

from __future__ import annotations

import ast
import re
import shlex
from typing import Final

import attrs

from newsleopard_async.models.findings import ContactsReport

__all__ = ["OPTIONS", "report_worded", "worded"]

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

_NAMES: Final = "|".join(OPTIONS)
_ARGUMENT: Final = re.compile(rf"""\b({_NAMES})=(True\b|'[^']*'|"[^"]*"|\{{.*?['"]\}})?""")
_FIELD: Final = re.compile(rf"(?:(?<=^)|(?<=; )|(?<=: ))({_NAMES})(?=: )")
_WORD: Final = re.compile(r"[\w@%+=:,./-]+")
_ELSEWHERE: Final = re.compile(r" \(part_bytes=[^)]*\)|, or give json\.loads\(\) of it as records")
"""What the command line has no option for."""


def worded(message: str) -> str:
    """Return a message with the options of the command line in the place of arguments."""
    message = _ELSEWHERE.sub("", message)
    message = _FIELD.sub(lambda match: OPTIONS[match[1]], message)
    return _ARGUMENT.sub(_option, message)


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
    return " ".join(f"{option} {_quoted(each)}" for each in values)


def _quoted(value: str) -> str:
    """Quote what a shell would not take for one word; unlike shlex, no 中文 by itself."""
    return value if _WORD.fullmatch(value) else shlex.quote(value)


def report_worded(report: ContactsReport) -> ContactsReport:
    """Word every finding of a report."""
    findings = (attrs.evolve(each, message=worded(each.message)) for each in report.findings)
    return attrs.evolve(report, findings=tuple(findings))
