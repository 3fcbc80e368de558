"""The rows that an import rejected: fetched, read, and found again in the contacts.

The platform's file is a CSV of the failed rows with their reasons; no more is known of it (T49).
It is personal data, and is on the disk only while it is read.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path
from typing import Final

from newsleopard_async.client import NewsLeopard
from newsleopard_async.downloads.rejected_file import RejectedFile
from newsleopard_async.downloads.rows import Rereadable, next_slice, run_through
from newsleopard_async.errors import StorageError
from newsleopard_async.files import private_folder
from newsleopard_async.models import ImportResult, ReportLink, ReportType
from newsleopard_async.models.reports import RejectedRow
from newsleopard_async.plain import redact_url

__all__ = ["rejected_rows"]

_log: Final = logging.getLogger("newsleopard_async")


_FRESH_LINKS: Final = 3
"""How many fresh links one download may use up."""

_REFUSED: Final = 300
"""From here on a status is a refusal."""

_REJECTED: Final = ReportType("rejected")


async def rejected_rows(
    nl: NewsLeopard,
    result: ImportResult,
    contacts: Rereadable | None,
    encoding: str | None = None,
) -> AsyncGenerator[RejectedRow, None]:
    """Fetch the file of an import's rejected rows, and go through it.

    Args:
        contacts: The contacts that were imported, to find the rows' lines in.
        encoding: The file's, where it cannot be found out.

    Raises:
        StorageError: there is no file, or it cannot be downloaded.
        APIError: status 400 without a code: the import is older than 30 days.
        InvalidRequest: the file is no text in a known encoding.
        ConfigurationError: the temporary folder cannot be written.
    """
    if not (result.error_url or result.errors):
        return
    with private_folder() as folder:
        path = folder / "rejected.csv"
        await _download(nl, result, path)
        file = RejectedFile(path, contacts, encoding)
        for work in (file.look_for_header(result.errors or 0), file.find_lines()):
            with closing(work):
                await run_through(work)
        with closing(file.read()) as rows:
            while some := await next_slice(rows):
                for row in some:
                    yield row
        if file.is_empty and result.errors:
            _warn_of_no_row(result)


def _warn_of_no_row(result: ImportResult) -> None:
    _log.warning(
        "the platform counts %s rejected rows in import %s, and its file of them has none; "
        "look at the import in the console",
        result.errors,
        result.import_sn,
    )


async def _download(nl: NewsLeopard, result: ImportResult, path: Path) -> None:
    """Download by the link that is known, if it still works, else by a fresh one."""
    known = _link(result)
    if known is not None and await _is_downloaded(nl, known, path):
        return
    left = _FRESH_LINKS
    while True:
        left -= 1
        fresh = _link(await nl.contacts.get_import(result.import_sn))
        if fresh is None:
            raise StorageError(
                f"the platform gives no file of the rows of import {result.import_sn} that it "
                "rejected; look at the import in the console"
            )
        try:
            await nl.reports.download(fresh, path)
        except StorageError as error:
            if not (error.expired and left):
                raise
        else:
            return


async def _is_downloaded(nl: NewsLeopard, link: ReportLink, path: Path) -> bool:
    """Try a link that may have been kept for long."""
    try:
        await nl.reports.download(link, path)
    except StorageError as error:
        if error.expired or (error.status or 0) >= _REFUSED:
            return False
        raise
    return True


def _link(result: ImportResult) -> ReportLink | None:
    """Return the link to the file, unless there is none or its query was cut off."""
    url = result.error_url
    if not url or ("?" in url and redact_url(url) == url):
        return None
    return ReportLink(type=_REJECTED, url=url)
