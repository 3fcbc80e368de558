"""Runs a probe, and shows the shapes of the answers and the emulator that answers alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
from rich.padding import Padding

from newsleopard_async import NewsLeopard
from newsleopard_async.cli.display.tables import headed_table
from newsleopard_async.cli.display.terminal import safe_text, write_json
from newsleopard_async.cli.probing.answer_shapes import shape_of
from newsleopard_async.cli.probing.deductions import Deduction, NoValue, deductions_of
from newsleopard_async.cli.probing.questions import (
    QUESTIONS,
    ProbeOptions,
    ProbeReply,
    Question,
    ask,
)
from newsleopard_async.cli.run_commands import shell_quote
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import ngettext
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.transport.redact import Secret

__all__ = ["ProbeFindings", "print_findings", "print_questions", "probe_account"]

_REQUEST_IDS: Final = ("x-amzn-requestid", "x-request-id", "x-amz-request-id", "apigw-requestid")
"""The headers in which a gateway or proxy writes the id of a request."""


@attrs.frozen(kw_only=True)
class ProbeFindings:
    """All that a probe found, without any value.

    Attributes:
        replies: The questions and their answers.
        shapes: The shape of each answer, by the name of its question.
        deductions: What the answers say about the emulator's assumptions.
    """

    replies: Sequence[tuple[Question, ProbeReply]] = attrs.field(repr=False)
    shapes: Mapping[str, Mapping[str, Sequence[str]]]
    deductions: Sequence[Deduction]

    @property
    def command(self) -> str:
        """The command that starts an emulator that answers alike."""
        switches = [
            f"--set {shell_quote(f'{each.point.switch}={_written(each.value)}')}"
            for each in self.deductions
            if each.is_known and not each.is_default
        ]
        return " ".join(["newsleopard emulator", *switches])

    @property
    def headers(self) -> tuple[str, ...]:
        """The names of all headers."""
        return tuple(sorted({name for _, reply in self.replies for name in reply.headers}))

    @property
    def request_id_header(self) -> str | None:
        """The header that has the id of a request; None if there is none."""
        return next((name for name in _REQUEST_IDS if name in self.headers), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the findings as JSON-safe data."""
        return {
            "requests": [
                {
                    "question": question.name,
                    "request": _request_line(question),
                    "status": reply.status,
                    "body": _body(reply),
                    "shape": self.shapes[question.name],
                }
                for question, reply in self.replies
            ],
            "headers": list(self.headers),
            "request_id_header": self.request_id_header,
            "points": [
                {
                    "point": each.point.trap,
                    "switch": each.point.switch,
                    "value": each.value if each.is_known else None,
                    "state": _state(each),
                }
                for each in self.deductions
            ],
            "command": self.command,
        }


def print_questions(session: Session, options: ProbeOptions) -> None:
    """Print what will be asked, on the standard error."""
    chosen = [each for each in QUESTIONS if each.name != "import" or options.import_sn is not None]
    text = _("At most {count} requests, which only read, are sent to {url}:")
    url = session.profile.base_url or _("the API")
    session.errors.print(safe_text(text.format(count=len(chosen), url=url)))
    for each in chosen:
        session.errors.print(
            Padding(
                safe_text(f"{_request_line(each)}: {_(each.about)}"), (0, 0, 0, 2), expand=False
            )
        )


def probe_account(session: Session, options: ProbeOptions) -> ProbeFindings:
    """Ask all questions.

    Raises:
        NewsLeopardError: the key is refused, the quota is used up, or no answer came.
    """

    def before(question: Question) -> None:
        if not session.as_json:
            session.errors.print(safe_text(_request_line(question), "dim"), soft_wrap=True)

    async def work(nl: NewsLeopard) -> ProbeFindings:
        found = [pair async for pair in ask(nl, options, before=before)]
        key = nl._api.key  # noqa: SLF001 - it has no public name, and is only compared
        shapes = {
            question.name: shape_of(reply.data, key)
            for question, reply in found
            if not reply.is_empty and reply.is_json
        }
        return _findings(found, shapes, key)

    return session.run(work)


def _findings(
    found: list[tuple[Question, ProbeReply]],
    shapes: Mapping[str, Mapping[str, Sequence[str]]],
    key: Secret | None,
) -> ProbeFindings:
    from newsleopard_async.emulator import Switches

    replies = {question.name: reply for question, reply in found}
    defaults = attrs.asdict(Switches(), recurse=False)
    deductions = tuple(deductions_of(replies, defaults, key))
    every = {question.name: shapes.get(question.name, {}) for question, _reply in found}
    return ProbeFindings(replies=found, shapes=every, deductions=deductions)


def print_findings(session: Session, findings: ProbeFindings) -> None:
    """Print the findings."""
    if session.as_json:
        write_json(findings.to_dict())
        return
    console = session.console
    for question, reply in findings.replies:
        line = f"{_request_line(question)}  HTTP {reply.status}, {_body(reply)}"
        console.print(safe_text(line, "bold"))
        for path, texts in findings.shapes[question.name].items():
            console.print(
                Padding(safe_text(f"{path}: {' | '.join(texts)}"), (0, 0, 0, 2), expand=False)
            )
    console.print()
    headers = _("Headers: {names}. The id of a request is in {name}.").format(
        names=", ".join(findings.headers), name=findings.request_id_header or _("none of them")
    )
    console.print(safe_text(headers))
    console.print(_points_table(findings))
    _print_command(session, findings)


def _points_table(findings: ProbeFindings) -> Any:
    table = headed_table()
    table.add_column(_("Point"), no_wrap=True)
    table.add_column(_("Switch"), overflow="fold")
    table.add_column(_("This account"), overflow="fold")
    for each in findings.deductions:
        texts = {
            "unknown": _("not shown by these answers"),
            "no-switch": _("another form, for which the emulator has no switch"),
            "default": _("{value}, as the emulator's default"),
            "other": "{value}",
        }
        text = texts[_state(each)].format(value=_written(each.value))
        style = "bold" if _state(each) in ("other", "no-switch") else "dim"
        table.add_row(each.point.trap, safe_text(each.point.switch), safe_text(text, style))
    return table


def _print_command(session: Session, findings: ProbeFindings) -> None:
    console = session.console
    unknown = sum(each.value is NoValue.UNKNOWN for each in findings.deductions)
    if unknown:
        text = ngettext(
            "{count} point was not shown: the account has nothing that could show it.",
            "{count} points were not shown: the account has nothing that could show them.",
            unknown,
        )
        console.print(safe_text(text.format(count=unknown)))
    console.print(safe_text(_("An emulator that answers alike:")))
    # Without line breaks, so that a user can copy it.
    console.print(safe_text(f"  {findings.command}", "bold"), soft_wrap=True)


def _request_line(question: Question) -> str:
    return f"{question.method} {question.path}"


def _body(reply: ProbeReply) -> str:
    if reply.is_empty:
        return _("no content")
    return _("JSON") if reply.is_json else _("content that is not JSON")


def _state(deduction: Deduction) -> str:
    if isinstance(deduction.value, NoValue):
        return str(deduction.value.value)
    return "default" if deduction.is_default else "other"


def _written(value: object) -> str:
    """Return a value as ``newsleopard emulator --set`` reads it."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
