"""``newsleopard import``: imports contacts into a list, and shows the rows that were rejected."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import aclosing, nullcontext
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import attrs

from newsleopard_async import (
    ListSn,
    NewsLeopard,
    NewsLeopardError,
    OutcomeUnknown,
    RejectedRow,
    workflows,
)
from newsleopard_async.aio import in_thread
from newsleopard_async.cli.contacts.contacts_input import ContactsInput
from newsleopard_async.cli.contacts.streams import open_contacts
from newsleopard_async.cli.display.pipeline_display import DoneSteps
from newsleopard_async.cli.display.shown_values import count_text
from newsleopard_async.cli.display.tables import FactsTable, headed_table
from newsleopard_async.cli.display.terminal import safe_text, write_json
from newsleopard_async.cli.library_messages import error_text
from newsleopard_async.cli.run_commands import shell_quote
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import ngettext
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.contacts.contacts_options import check_output
from newsleopard_async.files import replacing
from newsleopard_async.log import NAME
from newsleopard_async.workflows import ImportReport

__all__ = ["ImportInput", "run_import"]

SHOWN_ROWS: Final = 5
"""Chosen: enough to see what is wrong; the file has all."""


@attrs.frozen(kw_only=True)
class ImportInput:
    """An import as it is on the command line.

    Attributes:
        path: The contacts; ``-`` is the standard input.
        how: How they are read.
        list_sn: The list to import into.
        list_name: Or the name of a new list.
        reuse_list: Whether an existing list of that name is used.
        part_bytes: The largest size of a part.
        strict: Whether warnings refuse.
        checkpoint: The file with which an interrupted import continues.
        rejected_to: The file for the rows that the platform rejects.
    """

    path: Path
    how: ContactsInput
    list_sn: str | None
    list_name: str | None
    reuse_list: bool
    part_bytes: int | None
    strict: bool
    checkpoint: Path | None
    rejected_to: Path | None

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `import_contacts`."""
        return {
            **self.how.arguments(),
            "list_sn": None if self.list_sn is None else ListSn(self.list_sn),
            "list_name": self.list_name,
            "if_list_exists": "reuse" if self.reuse_list else "refuse",
            "part_bytes": self.part_bytes,
            "strict": self.strict,
            "checkpoint": self.checkpoint,
        }


@attrs.define
class _Rejected:
    """The first rejected rows; the others are only in the file, if it could be written."""

    file: Path | None
    first: list[RejectedRow] = attrs.field(factory=list)
    count: int = 0


def run_import(session: Session, given: ImportInput) -> None:
    """Import contacts, and print the result.

    Raises: as `import_contacts`, with notes about what was done.
        OSError: the system refuses it, with notes.
    """
    done = DoneSteps()
    with open_contacts(given.path) as (contacts, _title):
        try:
            session.run_async(partial(_check_rejected_to, given))
            report = session.run(partial(_import, session, given, contacts, done))
            rejected = session.run(partial(_read_rejected, given, report))
        except (KeyboardInterrupt, NewsLeopardError, OSError) as error:
            for note in _notes(given, done, error):
                error.add_note(note)
            raise
    if session.as_json:
        write_json(report.to_dict())
        return
    session.console.print(_result_table(report, rejected))
    if rejected.first:
        session.console.print(_rejected_table(rejected.first))


async def _check_rejected_to(given: ImportInput) -> None:
    """Refuse a file for the rejected rows that could not be written after the import."""
    if given.rejected_to is not None:
        await check_output("--rejected-to", given.rejected_to, given.path, given.how.left_out_to)


async def _import(
    session: Session, given: ImportInput, contacts: Any, done: DoneSteps, nl: NewsLeopard
) -> ImportReport:
    with session.pipeline_display(done) as display:
        return await workflows.import_contacts(nl, contacts, progress=display, **given.arguments())


def _notes(given: ImportInput, done: DoneSteps, error: BaseException) -> Iterator[str]:
    """Yield what was done, and how the import continues."""
    list_sn = done.results.get("create_list")
    if list_sn is not None:
        yield _("Done: the list {list_sn} was created.").format(list_sn=list_sn)
    import_sn = done.results.get("upload_file") or done.results.get("import_text")
    if import_sn is not None:
        yield _("Done: the contacts were sent (import {import_sn}).").format(import_sn=import_sn)
    if "get_import" in done.results:
        yield _("Done: the import has ended.")
    elif import_sn is not None:
        yield _("The import continues at the platform.")
    elif isinstance(error, KeyboardInterrupt):
        is_sent = "import_text" in done.begun or "upload_file" in done.begun
        yield (
            _("No contacts were imported, or not all of them.")
            if is_sent
            else _("No contacts were imported.")
        )
    if note := _way_on(given, done, error):
        yield note


def _way_on(given: ImportInput, done: DoneSteps, error: BaseException) -> str:
    """Return the command that continues; empty if the error itself says what to do."""
    if given.checkpoint is not None:
        return _("Run the same command again: it continues, by the file {checkpoint}.").format(
            checkpoint=given.checkpoint
        )
    list_sn = done.results.get("create_list")
    if list_sn is not None:
        command = f"newsleopard import {shell_quote(str(given.path))} --list {list_sn}"
        return _("Repeating an import is safe: {command}").format(command=command)
    if isinstance(error, OutcomeUnknown) or "create_list" in done.begun:
        # The request for the list was sent, so the list can exist.
        command = f"newsleopard lists --search {shell_quote(given.list_name or '')}"
        return _("Look for the list: {command}").format(command=command)
    if isinstance(error, KeyboardInterrupt):
        return _("Repeating an import is safe: run the same command again.")
    return ""


async def _read_rejected(given: ImportInput, report: ImportReport, nl: NewsLeopard) -> _Rejected:
    """Read the rejected rows, and write them to a file; a failure does not fail the import.

    If the file cannot be written, the rows are read again, so that the first ones are shown.
    """
    found = _Rejected(file=given.rejected_to)
    if not (report.rejected_count or any(each.error_url for each in _results(report))):
        return found
    is_file = str(given.path) != "-" and given.path.is_file()
    rows = workflows.rejected_rows(
        nl,
        report,
        contacts=given.path if is_file else None,
        contacts_encoding=given.how.encoding,
        contacts_columns=given.how.columns,
    )
    to = given.rejected_to
    try:
        with nullcontext() if to is None else replacing(to) as file:
            async with aclosing(rows):
                async for row in rows:
                    found.count += 1
                    if len(found.first) < SHOWN_ROWS:
                        found.first.append(row)
                    if file is not None:
                        await in_thread(partial(_write_row, file, row, is_first=found.count == 1))
    except (NewsLeopardError, OSError) as error:
        if isinstance(error, OSError) and to is not None:
            _warn(_("{path} cannot be written: {reason}"), error, path=to)
            return await _read_rejected(attrs.evolve(given, rejected_to=None), report, nl)
        found.file = None
        _warn(_("The rejected rows cannot be read: {reason}"), error)
    return found


def _warn(text: str, error: Exception, **fields: object) -> None:
    """Log a warning, which the command shows as text or, with --json, as JSON."""
    logging.getLogger(NAME).warning("%s", text.format(reason=error_text(error), **fields))


def _results(report: ImportReport) -> Sequence[Any]:
    return report.parts or (report.result,)


def _write_row(file: IO[bytes], row: RejectedRow, *, is_first: bool) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    if is_first:
        # The mark by which spreadsheets recognise UTF-8.
        file.write(b"\xef\xbb\xbf")
        writer.writerow(["LINE", "REASON", *row.values])
    writer.writerow([row.line or "", row.reason or "", *row.values.values()])
    file.write(text.getvalue().encode())


def _result_table(report: ImportReport, rejected: _Rejected) -> FactsTable:
    result = report.result
    table = FactsTable()
    table.add_row(_("List"), safe_text(report.list_sn))
    table.add_row(_("Import"), safe_text(report.import_sn))
    table.add_row(_("Rows"), count_text(result.file_count))
    table.add_row(_("Imported"), count_text(result.inserted))
    table.add_row(_("Repeated"), count_text(result.duplicates))
    style = "yellow" if result.errors else ""
    table.add_row(_("Rejected"), safe_text(count_text(result.errors), style))
    if rejected.file is not None and rejected.count:
        text = ngettext("{rows:,} row in {file}", "{rows:,} rows in {file}", rejected.count)
        text = text.format(rows=rejected.count, file=rejected.file)
        table.add_row(_("Rejected rows"), safe_text(text))
    return table


def _rejected_table(rows: Sequence[RejectedRow]) -> Any:
    """Return the first rejected rows by their lines; their contacts are only in the file."""
    table = headed_table(_("First rejected rows"))
    table.add_column(_("Line"), justify="right", no_wrap=True)
    table.add_column(_("Reason"), overflow="fold")
    for row in rows:
        table.add_row(count_text(row.line), safe_text(row.reason or "–"))
    return table
