"""The rows that an import rejected: download them, read them, and find them in the contacts.

The platform's file is a CSV of the failed rows with their reasons. More is not documented (T49).
It is personal data, and is on the disk only while it is read.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing, closing
from itertools import islice
from pathlib import Path
from typing import Final

from newsleopard_async.client import NewsLeopard
from newsleopard_async.contacts.rules.renaming import problems_of_columns, rename_columns
from newsleopard_async.contacts.sources import Contacts, as_source
from newsleopard_async.disclosure import hides_variables
from newsleopard_async.downloads.rejected_file import read_rejected
from newsleopard_async.downloads.rows import contact_rows, next_slice
from newsleopard_async.downloads.table_headers import Rows
from newsleopard_async.errors import StorageError
from newsleopard_async.log import Log
from newsleopard_async.models import ImportResult, ReportLink, ReportType
from newsleopard_async.models.reports import RejectedRow
from newsleopard_async.models.validation import problems_of_type, raise_problems
from newsleopard_async.plain import redact_url
from newsleopard_async.temporary import private_folder
from newsleopard_async.workflows.outcomes import ImportReport
from newsleopard_async.workflows.steps import with_fresh_url

__all__ = ["rejected_rows"]

_log: Final = Log()


_REFUSED: Final = 300
"""Statuses from 300 on are refusals."""

_REJECTED: Final = ReportType("rejected")


@hides_variables
def rejected_rows(
    nl: NewsLeopard,
    report: ImportReport | ImportResult,
    *,
    contacts: Contacts | None = None,
    contacts_encoding: str | None = None,
    contacts_columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
) -> AsyncGenerator[RejectedRow, None]:
    """Read the rows that the platform rejected, in an ``async for``.

    The platform's file is on the disk only during the loop. If its link has expired, a
    fresh one is fetched. The line of a row is found by its address and its cells in the original
    contacts. If the contacts cannot be read again, the rows have no lines.
    The search takes one pass over the contacts and a few hundred bytes of memory per rejected row.
    If there are more than 100,000 rejected rows, no row has a line. To stop early, use
    ``contextlib.aclosing``, which removes the file immediately. If the platform counts
    rejected rows and its file has none, a warning is logged.

    Args:
        nl: The client.
        report: The report of the import or its result; it can have been stored.
        contacts: The imported contacts, to find the lines of the rows: a path, bytes, text, a data
            frame, or a list or another collection of records. Lines of a workbook are its rows, and
            record n is line n + 1. Other sources can be read only once, and give no lines.
        contacts_encoding: The encoding of the contacts, as for the import.
        contacts_columns: The ``columns`` of the import, if it had any.
        encoding: The encoding of the platform's file, if it cannot be detected.

    Raises:
        InvalidRequest: an argument is not valid; or the file is a message and not
            rows, or is not text in a known encoding.
        StorageError: the platform gives no file, or it cannot be downloaded.
        APIError: status 400 without a code: the platform deletes an import after 30 days.
        ConfigurationError: the temporary folder cannot be written.
    """
    reports = (ImportReport, ImportResult)
    raise_problems(
        [
            *problems_of_type("nl", nl, NewsLeopard, "a NewsLeopard client"),
            *problems_of_type("report", report, reports, "an ImportReport or an ImportResult"),
            *problems_of_columns(contacts_columns or {}),
        ]
    )
    if isinstance(contacts, str):
        as_source(contacts)  # refuses a path that was passed as text, and reads nothing
    results = (report,) if isinstance(report, ImportResult) else report.parts or (report.result,)

    def read_contacts() -> Rows | None:
        rows = contact_rows(contacts, contacts_encoding)
        if rows is None or not contacts_columns:
            return rows
        return _renamed(rows, contacts_columns)

    return _rows_of_parts(nl, results, read_contacts, encoding)


def _renamed(rows: Rows, columns: Mapping[str, str]) -> Rows:
    """Rename the columns as for the import."""
    with closing(rows):
        yield from (
            (line, list(rename_columns(cells, columns, line=line).cells))
            for line, cells in islice(rows, 1)
        )
        yield from rows


@hides_variables
async def _rows_of_parts(
    nl: NewsLeopard,
    results: Iterable[ImportResult],
    contacts: Callable[[], Rows | None],
    encoding: str | None,
) -> AsyncGenerator[RejectedRow, None]:
    """Yield the rows of all parts, which were imported in the order of the contacts."""
    last_line = 0
    for result in results:
        rows = contacts()
        remaining = _below(rows, last_line) if rows is not None and last_line else rows
        async with aclosing(_rows(nl, result, remaining, encoding)) as rejected:
            async for row in rejected:
                last_line = max(last_line, row.line or 0)
                yield row


def _below(rows: Rows, line: int) -> Rows:
    """Leave out the lines of earlier parts, because a later row can be identical."""
    with closing(rows):
        yield from islice(rows, 1)
        yield from (row for row in rows if row[0] > line)


@hides_variables
async def _rows(
    nl: NewsLeopard,
    result: ImportResult,
    contacts: Rows | None,
    encoding: str | None,
) -> AsyncGenerator[RejectedRow, None]:
    if not (result.error_url or result.errors):
        return
    with private_folder() as folder:
        path = folder / "rejected.csv"
        await _download(nl, result, path)
        is_empty = True
        file = read_rejected(path, contacts, errors=result.errors or 0, encoding=encoding)
        with closing(file):
            while some := await next_slice(file):
                for row in some:
                    if row is not None:
                        is_empty = False
                        yield row
        if is_empty and result.errors:
            _warn_of_no_row(result)


def _warn_of_no_row(result: ImportResult) -> None:
    _log.warning(
        "the platform counts %s rejected rows in import %s, but its file of rejected rows is "
        "empty; check the import in the console",
        result.errors,
        result.import_sn,
    )


async def _download(nl: NewsLeopard, result: ImportResult, path: Path) -> None:
    """Download by the stored link if it still works, else by a fresh one."""
    known = _link(result)
    if known is not None and await _is_downloaded(nl, known, path):
        return

    async def download() -> None:
        fresh = _link(await nl.contacts.get_import(result.import_sn))
        if fresh is None:
            raise StorageError(
                f"the platform gives no file of the rejected rows of import {result.import_sn}; "
                "check the import in the console"
            )
        await nl.reports.download(fresh, path)

    await with_fresh_url(download)


async def _is_downloaded(nl: NewsLeopard, link: ReportLink, path: Path) -> bool:
    """Try a link that can have expired."""
    try:
        await nl.reports.download(link, path)
    except StorageError as error:
        if error.expired or (error.status or 0) >= _REFUSED:
            return False
        raise
    return True


def _link(result: ImportResult) -> ReportLink | None:
    """Return the link to the file, unless it is missing or its query was removed."""
    url = result.error_url
    if not url or ("?" in url and redact_url(url) == url):
        return None
    return ReportLink(type=_REJECTED, url=url)
