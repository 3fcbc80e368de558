"""``newsleopard check``: checks a file of contacts before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
from rich import box
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from newsleopard_async import ContactsReport, Finding, check_contacts
from newsleopard_async.cli.cli_messages import report_for_command_line
from newsleopard_async.cli.streams import open_contacts
from newsleopard_async.cli.terminal import safe_text, write_json
from newsleopard_async.contacts.sources import Contacts
from newsleopard_async.models.findings import counted
from newsleopard_async.workflows import Event

__all__ = ["findings_table", "run_check", "summary_table"]

_STYLES: Final = {"error": "bold red", "warning": "yellow", "note": "dim"}
_WIDE_COLUMNS: Final = 80
"""Chosen: in fewer columns, messages beside three other columns would be very narrow."""


def run_check(console: Console, path: Path, *, strict: bool, as_json: bool, **options: Any) -> bool:
    """Check a file, print the findings, and return whether it can be sent.

    Args:
        console: Where the findings are printed.
        path: The file.
        strict: Whether warnings count as errors.
        as_json: Whether the report is printed as JSON.
        options: The options of `check_contacts`.
    """
    with (
        open_contacts(path) as (contacts, title),
        console.status(safe_text(f"Reading {title}")) as status,
    ):
        report = anyio.run(partial(_check, contacts, title, status, **options))
    report = report_for_command_line(report)
    if as_json:
        write_json(report.to_dict())
    else:
        _print(console, title, report, strict=strict)
    return report.ok and not (strict and report.warnings)


async def _check(contacts: Contacts, title: str, status: Status, **options: Any) -> ContactsReport:
    def show(event: Event) -> None:
        if event.state == "waiting" and isinstance(event.result, dict):
            status.update(safe_text(f"Reading {title}: {event.result['rows']:,} rows"))

    return await check_contacts(contacts, progress=show, **options)


def _print(console: Console, title: str, report: ContactsReport, *, strict: bool) -> None:
    console.print(summary_table(report, title=title))
    if report.findings:
        console.print(findings_table(report.findings, width=console.width))
    errors, warnings = len(report.errors), len(report.warnings)
    if errors or (strict and warnings):
        found = counted(errors, "error") if errors else counted(warnings, "warning")
        console.print(f"Correct {found} before you send to it.", style="red")
    elif warnings:
        console.print(
            f"It can be sent; check {counted(warnings, 'warning')} first.", style="yellow"
        )
    else:
        console.print("It can be sent.", style="green")


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
        ("Rows", f"{report.rows:,}"),
        ("Addresses", f"{report.unique:,} different" if report.unique else "–"),
        ("Columns", ", ".join(report.columns) or "–"),
        ("Encoding", report.encoding or "–"),
    ]
    if not report.fatal_errors:  # otherwise nothing is uploaded
        facts += [
            ("To upload", f"{report.size_bytes:,} bytes"),
            ("Requests", f"about {report.requests:,} for import and campaign"),
        ]
    if report.trimmed:
        facts.append(("Trimmed", counted(report.trimmed, "cell")))
    if report.dropped:
        facts.append(("Dropped", f"{counted(report.dropped, 'row')} with a repeated address"))
    if report.skipped:
        facts.append(
            ("Skipped", f"{counted(report.skipped, 'row')} with an address in the list of --skip")
        )
    if report.left_out:
        facts.append(("Left out", f"{counted(report.left_out, 'row')}, in {report.left_out_to}"))
    return facts


def findings_table(findings: Sequence[Finding], *, width: int) -> Table:
    """Return a table with one row per finding.

    On a narrow terminal, the message is below the rule and not beside it.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    if width < _WIDE_COLUMNS:
        table.add_column("Found", overflow="fold")
        for finding in findings:
            title = Text(f"{finding.level} {finding.rule}\n", style=_STYLES[finding.level])
            table.add_row(title + safe_text(finding.message, "not bold"), end_section=True)
        return table
    table.add_column("Level", no_wrap=True)
    table.add_column("Rule", no_wrap=True)
    table.add_column("Times", justify="right", no_wrap=True)
    table.add_column("What", overflow="fold")
    for finding in findings:
        level = Text(finding.level, style=_STYLES[finding.level])
        table.add_row(level, finding.rule, f"{finding.count:,}", safe_text(finding.message))
    return table
