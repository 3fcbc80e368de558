"""``newsleopard check``: checks contacts and campaigns before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import attrs
from rich import box
from rich.console import Console, Group
from rich.status import Status
from rich.table import Table
from rich.text import Text

from newsleopard_async import (
    CheckReport,
    ContactsReport,
    Finding,
    check_campaign,
    check_contacts,
)
from newsleopard_async.cli.cli_messages import for_command_line, report_for_command_line
from newsleopard_async.cli.contacts.streams import open_contacts
from newsleopard_async.cli.display.terminal import safe_text, write_json
from newsleopard_async.cli.library_messages import in_users_language
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import ngettext
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.contacts.sources import Contacts
from newsleopard_async.models import Mailing
from newsleopard_async.workflows import Event

__all__ = ["CheckInput", "findings_table", "run_check", "summary_table"]

_STYLES: Final = {"error": "bold red", "warning": "yellow", "note": "dim"}
_WIDE_COLUMNS: Final = 80
"""Chosen: in fewer columns, messages beside three other columns would be very narrow."""


@attrs.frozen(kw_only=True)
class CheckInput:
    """What is checked.

    Attributes:
        contacts: The file of contacts; None without contacts.
        campaign: The campaign; None without one.
        options: The options of `check_contacts`.
        strict: Whether warnings count as errors.
    """

    contacts: Path | None
    campaign: Mailing | None
    options: Mapping[str, Any] = attrs.field(repr=False)
    strict: bool


def run_check(session: Session, given: CheckInput) -> bool:
    """Check contacts and a campaign, print the findings, and return whether they can be sent."""
    report, title = None, ""
    if given.contacts is not None:
        report, title = _checked(session.errors, given.contacts, given.options)
    found = None if given.campaign is None else _check_campaign(given.campaign, report)
    reports = [each for each in (report, found) if each is not None]
    if session.as_json:
        _write(report, found)
    else:
        if report is not None:
            session.console.print(summary_table(report, title=title))
        _print_findings(session.console, reports, strict=given.strict)
    warnings = any(each.warnings for each in reports)
    return all(each.ok for each in reports) and not (given.strict and warnings)


def _checked(
    console: Console, path: Path, options: Mapping[str, Any]
) -> tuple[ContactsReport, str]:
    # The usual spinner has no form in ASCII.
    spinner = "line" if console.options.ascii_only else "dots"
    with (
        open_contacts(path) as (contacts, title),
        console.status(
            safe_text(_("Reading {title}").format(title=title)), spinner=spinner
        ) as status,
    ):
        report = anyio.run(partial(_check, contacts, title, status, **options))
    return report_for_command_line(report), title


async def _check(contacts: Contacts, title: str, status: Status, **options: Any) -> ContactsReport:
    def show(event: Event) -> None:
        if event.state == "waiting" and isinstance(event.result, dict):
            text = _("Reading {title}: {rows:,} rows")
            status.update(safe_text(text.format(title=title, rows=event.result["rows"])))

    return await check_contacts(contacts, progress=show, **options)


def _check_campaign(campaign: Mailing, contacts: ContactsReport | None) -> CheckReport:
    """Check a campaign, with the columns and the number of the contacts if they are known."""
    if contacts is None or contacts.fatal_errors:
        return check_campaign(campaign, now=datetime.now(UTC))
    return check_campaign(
        campaign,
        columns=contacts.columns,
        recipients=None if campaign.lists else contacts.unique,
        now=datetime.now(UTC),
    )


def _write(contacts: ContactsReport | None, campaign: CheckReport | None) -> None:
    if campaign is None and contacts is not None:
        write_json(contacts.to_dict())
        return
    reports = {"contacts": contacts, "campaign": campaign}
    write_json({name: each and each.to_dict() for name, each in reports.items()})


def _print_findings(console: Console, reports: Sequence[CheckReport], *, strict: bool) -> None:
    findings = [finding for report in reports for finding in report]
    if findings:
        console.print(findings_table(findings, width=console.width))
    errors = sum(len(report.errors) for report in reports)
    warnings = sum(len(report.warnings) for report in reports)
    if errors:
        text = ngettext(
            "Correct {errors} error before you send it.",
            "Correct {errors} errors before you send it.",
            errors,
        )
        console.print(text.format(errors=errors), style="red")
    elif warnings and strict:
        text = ngettext(
            "Correct {warnings} warning before you send it.",
            "Correct {warnings} warnings before you send it.",
            warnings,
        )
        console.print(text.format(warnings=warnings), style="red")
    elif warnings:
        text = ngettext(
            "It can be sent; check {warnings} warning first.",
            "It can be sent; check {warnings} warnings first.",
            warnings,
        )
        console.print(text.format(warnings=warnings), style="yellow")
    else:
        console.print(_("It can be sent."), style="green")


def summary_table(report: ContactsReport, *, title: str) -> Table:
    """Return a table of the facts about the contacts."""
    table = Table(
        title=safe_text(title),
        title_justify="left",
        title_style="bold",
        box=None,
        show_header=False,
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, value in _facts(report):
        table.add_row(name, safe_text(value))
    return table


def _facts(report: ContactsReport) -> list[tuple[str, str]]:
    facts = [
        (_("Rows"), f"{report.rows:,}"),
        (_("Addresses"), _addresses(report.unique)),
        (_("Columns"), ", ".join(report.columns) or "–"),
        (_("Encoding"), report.encoding or "–"),
    ]
    if not report.fatal_errors:  # otherwise nothing is uploaded
        size, requests = report.size_bytes, report.requests
        text = _("about {requests:,} for import and campaign").format(requests=requests)
        facts += [
            (_("To upload"), _("{bytes:,} bytes").format(bytes=size)),
            (_("Requests"), text),
        ]
    return [*facts, *_changes(report)]


def _addresses(unique: int) -> str:
    return _("{unique:,} different").format(unique=unique) if unique else "–"


def _changes(report: ContactsReport) -> list[tuple[str, str]]:
    """Return what the fixes have changed."""
    changes = []
    if report.trimmed:
        text = ngettext("{cells:,} cell", "{cells:,} cells", report.trimmed)
        changes.append((_("Trimmed"), text.format(cells=report.trimmed)))
    if report.dropped:
        text = ngettext(
            "{rows:,} row with a repeated address",
            "{rows:,} rows with a repeated address",
            report.dropped,
        )
        changes.append((_("Dropped"), text.format(rows=report.dropped)))
    if report.skipped:
        text = ngettext(
            "{rows:,} row with an address in the list of --skip",
            "{rows:,} rows with an address in the list of --skip",
            report.skipped,
        )
        changes.append((_("Skipped"), text.format(rows=report.skipped)))
    if report.left_out:
        text = ngettext("{rows:,} row, in {file}", "{rows:,} rows, in {file}", report.left_out)
        text = text.format(rows=report.left_out, file=report.left_out_to)
        changes.append((_("Left out"), text))
    return changes


def findings_table(findings: Sequence[Finding], *, width: int) -> Table:
    """Return a table with one row per finding.

    On a narrow terminal, the message is below the rule and not beside it.
    """
    levels = {"error": _("error"), "warning": _("warning"), "note": _("note")}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    if width < _WIDE_COLUMNS:
        table.add_column(_("Found"), overflow="fold")
        for finding in findings:
            title = Text(f"{levels[finding.level]} {finding.rule}", style=_STYLES[finding.level])
            # Two texts, because their sum would not break lines of 中文 as `safe_text` does.
            table.add_row(Group(title, safe_text(_message_of(finding))), end_section=True)
        return table
    table.add_column(_("Level"), no_wrap=True)
    table.add_column(_("Rule"), no_wrap=True)
    table.add_column(_("Times"), justify="right", no_wrap=True)
    table.add_column(_("What"), overflow="fold")
    for finding in findings:
        level = Text(levels[finding.level], style=_STYLES[finding.level])
        table.add_row(level, finding.rule, f"{finding.count:,}", safe_text(_message_of(finding)))
    return table


def _message_of(finding: Finding) -> str:
    """Return the message; only contacts are what a message without a field is about."""
    message = for_command_line(finding.message)
    if finding.field != "contacts":
        message = f"{finding.field}: {message}"
    return in_users_language(message)
