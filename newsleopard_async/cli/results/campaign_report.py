"""``newsleopard report``: exports a report, and shows or writes what it contains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from newsleopard_async import workflows
from newsleopard_async.aio import in_thread
from newsleopard_async.cli.display.pipeline_display import DoneSteps
from newsleopard_async.cli.display.terminal import safe_text, write_json
from newsleopard_async.cli.results.campaign_facts import CampaignFacts, read_facts, with_known_zeros
from newsleopard_async.cli.results.funnel import funnel_table, stages_of
from newsleopard_async.cli.results.report_rows import write_rows
from newsleopard_async.cli.runs.campaign_target import code_of
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import ngettext
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.contacts.contacts_options import check_output
from newsleopard_async.files import write_durably
from newsleopard_async.models.metrics import ReportSummary
from newsleopard_async.temporary import private_folder
from newsleopard_async.workflows import CampaignReport

__all__ = ["ReportInput", "explaining_interrupt", "show_report"]


@attrs.frozen(kw_only=True)
class ReportInput:
    """What ``newsleopard report`` was given.

    Attributes:
        code: The campaign, as the user names it.
        to: The folder for the files; None for a folder that is removed at the end.
        html: The file for the page; None for none.
        rows: The type of the rows to write as CSV; None for none.
        csv: The file for the rows; ``-`` is the standard output.
    """

    code: str
    to: Path | None = None
    html: Path | None = None
    rows: str | None = None
    csv: str = "-"

    @property
    def rows_file(self) -> Path | None:
        """The file for the rows; None without rows, or if they are the standard output."""
        return None if self.rows is None or self.prints_rows else Path(self.csv)

    @property
    def prints_rows(self) -> bool:
        """Whether the standard output is the rows, and nothing else."""
        return self.rows is not None and self.csv == "-"


@attrs.frozen
class _Report:
    """A report and what is known of its campaign."""

    report: CampaignReport
    facts: CampaignFacts
    summary: ReportSummary
    html: str | None
    written_rows: int | None

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.report.to_dict(),
            "name": self.facts.name,
            "recipients": self.facts.recipients,
            "html": self.html,
            "summary": self.summary.to_dict(),
        }


def show_report(session: Session, given: ReportInput) -> None:
    """Export a report, and print its funnel.

    Raises: as `code_of`, `export_report` and `CampaignReport.rows`.
        OSError: a file cannot be written.
    """
    done = DoneSteps()
    with explaining_interrupt(done):
        made = session.run_async(partial(_make, session, given, done))
    if session.as_json:
        write_json(made.to_dict())
    elif not given.prints_rows:
        console = session.console
        summary = with_known_zeros(made.summary, made.facts)
        stages = stages_of(summary, recipients=made.facts.recipients)
        console.print(funnel_table(stages, made.facts.title, width=console.width))
    _say_where(session, given, made)


@contextmanager
def explaining_interrupt(done: DoneSteps) -> Iterator[None]:
    """Add to Ctrl-C whether the platform continues an export.

    Args:
        done: The steps of the pipeline that exports.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        exports = [step for step in done.begun if step in ("export_report", "download_files")]
        if not exports:
            interrupt.add_note(_("The command only reads; the campaign is not changed."))
        elif exports[-1] == "export_report":
            interrupt.add_note(_("The platform continues the export. Run the same command again."))
        raise


async def _make(session: Session, given: ReportInput, done: DoneSteps) -> _Report:
    await _check_files(given)
    campaign_sn = await code_of(session, given.code)
    with _folder(given.to) as folder:
        with session.pipeline_display(done) as progress:
            async with session.client() as nl:
                report = await workflows.export_report(
                    nl, campaign_sn, download_to=folder, progress=progress
                )
                facts = await read_facts(nl, campaign_sn)
        summary = await report.summary()
        written = None
        if given.html is not None:
            await _write_page(given.html, report, facts, summary)
        if given.rows is not None:
            written = await write_rows(report, given.rows, given.csv)
    if given.to is None:
        report = attrs.evolve(report, files=())
    html = None if given.html is None else str(given.html)
    return _Report(report, facts, summary, html, written)


async def _check_files(given: ReportInput) -> None:
    """Refuse files that could not be written, because an export is possible only once an hour."""
    if given.html is not None:
        await check_output("--html", given.html, given.rows_file)
    if given.rows_file is not None:
        await check_output("--csv", given.rows_file)


async def _write_page(
    path: Path, report: CampaignReport, facts: CampaignFacts, summary: ReportSummary
) -> None:
    """Write the page with all charts, which has no contact data."""
    from newsleopard_async.cli.results.report_page.activity import read_activity
    from newsleopard_async.cli.results.report_page.report_html import ReportData, report_html

    activity = await read_activity(report, facts.sent_begin)
    created = [each.created for each in report.available if each.created is not None]
    made_at = max(created, default=datetime.now(UTC))
    page = report_html(ReportData(facts=facts, summary=summary, activity=activity, made_at=made_at))
    await in_thread(partial(write_durably, path, page.encode()))


@contextmanager
def _folder(to: Path | None) -> Iterator[Path]:
    """Give the folder for the files; without a choice, one that is removed at the end."""
    if to is not None:
        yield to
        return
    with private_folder() as folder:
        yield folder


def _say_where(session: Session, given: ReportInput, made: _Report) -> None:
    """Print on the standard error what was written where."""
    if session.as_json:
        return
    lines = []
    if made.report.unchanged:
        lines.append(_("Nothing new has happened since the last report."))
    if given.to is not None:
        files = len(made.report.files)
        text = ngettext(
            "{files} file of personal data is in {folder}.",
            "{files} files of personal data are in {folder}.",
            files,
        )
        lines.append(text.format(files=files, folder=given.to))
    if given.html is not None:
        lines.append(_("The page is {path}.").format(path=given.html))
    if made.written_rows is not None and not given.prints_rows:
        text = ngettext(
            "{rows:,} row of personal data is in {path}.",
            "{rows:,} rows of personal data are in {path}.",
            made.written_rows,
        )
        lines.append(text.format(rows=made.written_rows, path=given.csv))
    if made.written_rows == 0:
        lines.append(_("The report has no rows of the type {kind}.").format(kind=given.rows))
    for line in lines:
        session.errors.print(safe_text(line, "dim"), soft_wrap=True)
