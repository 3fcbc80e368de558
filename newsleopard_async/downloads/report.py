"""Reads and counts downloaded report files with any encoding and columns (T119)."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import tzinfo
from itertools import chain, islice
from pathlib import Path
from typing import Final

import attrs

from newsleopard_async.contacts.csv.separators import looks_like_address
from newsleopard_async.disclosure import hides_variables
from newsleopard_async.downloads.line_finder import address_key
from newsleopard_async.downloads.rows import next_slice, rows_of_file
from newsleopard_async.downloads.table_headers import (
    EMAIL,
    NAME,
    REASON,
    URL,
    cell_at,
    is_known_header,
    is_numbered,
    is_total,
    is_url,
    may_be_address,
    not_blank,
    places,
    read_header,
    values_of,
)
from newsleopard_async.downloads.times import TimeColumn, time_columns, time_of
from newsleopard_async.errors import InvalidRequest, Problem
from newsleopard_async.models.reports import ReportRow

__all__ = ["ReportCounts", "count_report", "report_rows"]

_WAY_OUT: Final = re.compile("; |, which ")
"""The signs in a message before the way out."""

_NOT_A_REPORT: Final = (
    "and no known column or address, so it is possibly an error message that was saved as a report"
)


@hides_variables
async def report_rows(
    path: Path, *, kind: str, zone: tzinfo, encoding: str | None
) -> AsyncGenerator[ReportRow, None]:
    """Yield the rows of a report file, which threads read.

    Args:
        kind: The type of the file, which decides which time is the event's.
        zone: The zone of times without a zone.
        encoding: The encoding of the file, if it cannot be detected.

    Raises:
        InvalidRequest: the file is missing, is not a report, or its encoding is unknown.
    """
    with closing(_rows(path, kind, zone, encoding)) as rows:
        while some := await next_slice(rows):
            for row in some:
                yield row


@attrs.define
class ReportCounts:
    """The counts of a report file.

    Attributes:
        rows: The number of rows.
        addresses: The keys of the different addresses, of at most 31 bytes each.
    """

    rows: int = 0
    addresses: set[bytes] = attrs.field(factory=set)

    @property
    def people(self) -> int | None:
        """The number of addresses; None if the file has rows, but no address was found."""
        return len(self.addresses) or (None if self.rows else 0)


@hides_variables
async def count_report(path: Path, *, encoding: str | None) -> ReportCounts:
    """Count the rows and addresses of a report file, which threads read.

    Raises:
        InvalidRequest: the file is missing, is not a report, or its encoding is unknown.
    """
    counts = ReportCounts()
    with closing(_count(path, encoding, counts)) as work:
        while await next_slice(work):
            pass
    return counts


@attrs.frozen
class _ReportColumns:
    """The columns with a known meaning; if several have one meaning, the best comes first."""

    names: tuple[str, ...]
    emails: tuple[int, ...] | None
    name: int | None
    at: tuple[TimeColumn, ...]
    urls: tuple[int, ...]
    reasons: tuple[int, ...]

    @classmethod
    def of(cls, names: tuple[str, ...], kind: str) -> _ReportColumns:
        return cls(
            names=names,
            emails=_email_columns(names),
            name=next(iter(places(names, NAME)), None),
            at=time_columns(names, kind),
            urls=places(names, URL),
            reasons=places(names, REASON),
        )

    def row(self, cells: Sequence[str], zone: tzinfo) -> ReportRow:
        return ReportRow(
            email=_email_of(cells, self.emails) or "",
            name=cell_at(cells, self.name),
            at=time_of(self.at, cells, zone),
            url=_first(cells, self.urls, is_url),
            reason=_first(cells, self.reasons, bool),
            values=values_of(self.names, cells),
        )


def _email_columns(names: Sequence[str]) -> tuple[int, ...] | None:
    """Return the columns of addresses; None without a header, when any column can be one."""
    return None if is_numbered(names) else places(names, EMAIL)


def _email_of(cells: Sequence[str], emails: Sequence[int] | None) -> str | None:
    if emails is None:
        return _first(cells, range(len(cells)), looks_like_address)
    return _first(cells, emails, may_be_address)


def _first(cells: Sequence[str], columns: Sequence[int], fits: Callable[[str], bool]) -> str | None:
    """Return the first cell of these columns that fits."""
    return next(filter(fits, (cell_at(cells, place) for place in columns)), None)


def _rows(
    path: Path, kind: str, zone: tzinfo, encoding: str | None
) -> Generator[ReportRow, None, None]:
    with _table(path, encoding) as (names, rows):
        columns = _ReportColumns.of(names, kind)
        for cells in rows:
            row = columns.row(cells, zone)
            if row.email or not is_total(cells):
                yield row


def _count(path: Path, encoding: str | None, counts: ReportCounts) -> Generator[None, None, None]:
    with _table(path, encoding) as (names, rows):
        emails = _email_columns(names)
        for cells in rows:
            email = _email_of(cells, emails)
            if email is not None:
                counts.addresses.add(address_key(email))
            elif is_total(cells):
                continue
            counts.rows += 1
            yield


@contextmanager
def _table(
    path: Path, encoding: str | None
) -> Generator[tuple[tuple[str, ...], Iterator[Sequence[str]]], None, None]:
    """Open a file; it is closed at the end of the context."""
    try:
        with closing(rows_of_file(path, encoding, is_of_platform=True)) as file:
            names, numbered = read_header(file)
            rows = (cells for _, cells in not_blank(numbered))
            first = list(islice(rows, 1))
            if names and not first and not is_known_header(names):
                raise InvalidRequest.of("file", "not-text", "has only one line, " + _NOT_A_REPORT)
            yield names, chain(first, rows)
    except InvalidRequest as error:
        raise InvalidRequest(_problem_of(path, each) for each in error.problems) from None
    except OSError as error:
        raise InvalidRequest.of(
            "files",
            "readable",
            f"{path} cannot be read: {error.strerror}; download the report again",
        ) from None


def _problem_of(path: Path, problem: Problem) -> Problem:
    """Change the way out of a file of contacts to the way out of a report."""
    if problem.field != "file":
        return problem
    message = problem.message
    if problem.rule != "encoding":
        fault = _WAY_OUT.split(message, maxsplit=1)[0]
        message = f"{fault}; download the report again, or convert it to a CSV file in UTF-8"
    return Problem("files", problem.rule, f"{path} {message}")
