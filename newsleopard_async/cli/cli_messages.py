"""Rewrites messages for the command line: with its options instead of Python's arguments."""

from __future__ import annotations

import ast
import re
from typing import Final

import attrs

from newsleopard_async.cli.run_commands import RunCommands, shell_quote
from newsleopard_async.models.findings import ContactsReport

__all__ = [
    "ABOUT_SENDS",
    "OPTIONS",
    "for_command_line",
    "report_for_command_line",
    "send_message_for_command_line",
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
_AGAIN: Final = re.compile("Then run the same call again with the same send key or checkpoint")
_FOR_DURABLE: Final = (
    (_AGAIN, "Then it continues automatically"),
    (
        re.compile(r"Or only run it again after (.+? UTC): it (looks|searches|reads)"),
        r"Or leave it: after \1 the next attempt \2",
    ),
)
"""Sentences for a caller in Python, and their replacements for a durable send."""

_PLACE: Final = re.compile(r"\b(?:Durable|RedisStore|SqlStore)\('([^']+)'\)")
_FIELD_OF_SEND: Final = re.compile(rf"(?:(?<=^)|(?<=; ))({'|'.join(ABOUT_SENDS)})(?=: )")
_ELSEWHERE: Final = re.compile(
    r" \(part_bytes=[^)]*\)|, or pass json\.loads\(\) of it as records|pass api_key, or "
    r"|pass allow_http=True or "
)
"""Ways out for which the command line has no option."""

_BY_CODE: Final = "give its code by --list"

_OF_SENDS: Final = (
    (re.compile(r"\bpass if_list_exists='reuse'"), "add --reuse-list"),
    (re.compile(r"\bpass list_sn\b|\b(?:pass|give) its code as list_sn\b"), _BY_CODE),
    (re.compile(r"\blist_sn\b"), "--list"),
    (re.compile(r"\blist_name\b"), "--list-name"),
    (re.compile(r"\bexclude_lists(?=: |\b)"), "--exclude-list"),
    (re.compile(r"\bmax_rejected=(?=[\d.])"), "--max-rejected "),
    (re.compile(r"\bmax_rejected\b"), "--max-rejected"),
    (re.compile(r"\bpart_bytes=(?: of import_contacts or send_campaign)?"), "--part-bytes"),
    (re.compile(r"\bcontacts=(?=,|$)"), "--contacts"),
    (re.compile(r"\brejected_rows shows\b"), "newsleopard import --rejected-to writes to a file"),
    (re.compile(r", for example with_lists\(campaign, \[sn\]\)"), ": --list SN, or --contacts"),
    (re.compile(r"\bsuch as timedelta\(hours=4\)"), "such as 4h"),
    (re.compile(r"(?:(?<=^)|(?<=; ))part_bytes(?=: )"), "--part-bytes"),
    (re.compile(r"\bschedule=SendAt\(…\) of the campaign"), "--at"),
    (re.compile(r"\bchoose a later time, or SendNow\(\)"), "choose a later time, or leave it out"),
    (re.compile(r"\bSendNow\(\)"), "an immediate send"),
    (re.compile(r"""\bresolve\("abandon"\), call_off or cancel\b"""), "a person"),
    (re.compile(r"\bcall_off\b"), "newsleopard cancel"),
)
"""Names of Python in messages of the import and of the send, and what a command has instead."""


def for_command_line(message: str) -> str:
    """Return a message with options of the command line instead of arguments."""
    message = _ELSEWHERE.sub("", message)
    for python, option in _OF_SENDS:
        message = python.sub(option, message)
    message = _FIELD.sub(lambda match: OPTIONS[match[1]], message)
    message = _PLACE.sub(r"\1", message)
    message = _FIELD_OF_SEND.sub(lambda match: ABOUT_SENDS[match[1]], message)
    return _ARGUMENT.sub(_option, message)


def send_message_for_command_line(message: str, commands: RunCommands, *, is_durable: bool) -> str:
    """Return the message of a send, with commands instead of calls to decide about it.

    Args:
        message: The message of its last run.
        commands: The commands about it.
        is_durable: Whether it is a durable send, which continues automatically after a decision.
    """

    def command(match: re.Match[str]) -> str:
        options = ("--campaign-sn SN",) if match[2] else ()
        return commands("resolve", match[1], options=options)

    message = _RESOLVE.sub(command, message)
    if not is_durable:
        again = f"Then run {commands('resume')}"
        return _AGAIN.sub(lambda _: again, message)
    for python, durable in _FOR_DURABLE:
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


def report_for_command_line(report: ContactsReport) -> ContactsReport:
    """Return the report with all messages rewritten for the command line."""
    findings = (
        attrs.evolve(each, message=for_command_line(each.message)) for each in report.findings
    )
    return attrs.evolve(report, findings=tuple(findings))
