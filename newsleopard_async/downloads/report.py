"""Report files on this disk, read and counted, whatever their encoding and columns (T119)."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import tzinfo
from pathlib import Path
from typing import Final

import attrs

from newsleopard_async.downloads.columns import (
    address_columns,
    cell_at,
    is_address,
    is_url,
    name_column,
    not_blank,
    other_address_columns,
    read_header,
    reason_column,
    url_columns,
    values_of,
)
from newsleopard_async.downloads.lines import address_key
from newsleopard_async.downloads.rows import next_slice, rows_of_file, run_through
from newsleopard_async.downloads.times import TimeColumn, time_columns, time_of
from newsleopard_async.errors import InvalidRequest, Problem
from newsleopard_async.models.reports import ReportRow

__all__ = ["Tally", "count_report", "report_rows"]

_REMEDY: Final = re.compile("; |, which ")
"""Where a message of a file goes on to what its owner can do."""


async def report_rows(
    path: Path, *, zone: tzinfo, encoding: str | None
) -> AsyncGenerator[ReportRow, None]:
    """Go through a report file, off the event loop.

    Args:
        zone: The zone of times that name none.
        encoding: The file's, where it cannot be found out.

    Raises:
        InvalidRequest: the file is gone, or no text in a known encoding.
    """
    with closing(_rows(path, zone, encoding)) as rows:
        while some := await next_slice(rows):
            for row in some:
                yield row


@attrs.define
class Tally:
    """What a report file comes to; an address is held as 15 to 31 bytes, or fewer if it is short.

    Attributes:
        rows: How many there are.
        addresses: What stands for each address in them, once.
    """

    rows: int = 0
    addresses: set[bytes] = attrs.field(factory=set)

    @property
    def people(self) -> int | None:
        """How many addresses there are; None where there are rows, and no address was found."""
        return len(self.addresses) or (None if self.rows else 0)


async def count_report(path: Path, *, encoding: str | None) -> Tally:
    """Count a report file, off the event loop.

    Raises:
        InvalidRequest: the file is gone, or no text in a known encoding.
    """
    tally = Tally()
    with closing(_count(path, encoding, tally)) as work:
        await run_through(work)
    return tally


@attrs.frozen
class _Columns:
    """The places of the columns that have a meaning; of several, the best comes first.

    Attributes:
        strangers: Those of addresses that are not the recipient's.
    """

    names: tuple[str, ...]
    emails: tuple[int, ...]
    strangers: frozenset[int]
    name: int | None
    at: tuple[TimeColumn, ...]
    urls: tuple[int, ...]
    reason: int | None

    @classmethod
    def of(cls, names: tuple[str, ...]) -> _Columns:
        return cls(
            names=names,
            emails=address_columns(names),
            strangers=other_address_columns(names),
            name=name_column(names),
            at=time_columns(names),
            urls=url_columns(names),
            reason=reason_column(names),
        )

    def email_of(self, cells: Sequence[str]) -> str:
        """Return the address: in the column that is called so, else the first that looks so."""
        for place in (*self.emails, *range(len(cells))):
            if place not in self.strangers and is_address(cell := cell_at(cells, place)):
                return cell
        return ""

    def url_of(self, cells: Sequence[str]) -> str | None:
        """Return where a link leads, and not what stands on it."""
        found = (cell_at(cells, place) for place in self.urls)
        return next(filter(is_url, found), None)

    def row(self, cells: Sequence[str], zone: tzinfo) -> ReportRow:
        return ReportRow(
            email=self.email_of(cells),
            name=cell_at(cells, self.name),
            at=time_of(self.at, cells, zone),
            url=self.url_of(cells),
            reason=cell_at(cells, self.reason) or None,
            values=values_of(self.names, cells),
        )


def _rows(path: Path, zone: tzinfo, encoding: str | None) -> Generator[ReportRow, None, None]:
    with _table(path, encoding) as (columns, rows):
        for cells in rows:
            yield columns.row(cells, zone)


def _count(path: Path, encoding: str | None, tally: Tally) -> Generator[None, None, None]:
    with _table(path, encoding) as (columns, rows):
        for cells in rows:
            tally.rows += 1
            email = columns.email_of(cells)
            if email:
                tally.addresses.add(address_key(email))
            yield


@contextmanager
def _table(
    path: Path, encoding: str | None
) -> Generator[tuple[_Columns, Iterator[Sequence[str]]], None, None]:
    """Open a file for as long as the context lasts."""
    try:
        with closing(rows_of_file(path, encoding)) as file:
            names, rows = read_header(file)
            yield _Columns.of(names), (cells for _, cells in not_blank(rows))
    except InvalidRequest as error:
        raise InvalidRequest(_problem_of(path, each) for each in error.problems) from None
    except OSError as error:
        raise InvalidRequest.of(
            "files",
            "readable",
            f"{path} cannot be read: {error.strerror}; download the report again",
        ) from None


def _problem_of(path: Path, problem: Problem) -> Problem:
    """Say of a report what is said of a file of contacts, which its owner could mend."""
    if problem.field != "file":
        return problem
    message = problem.message
    if problem.rule != "encoding":
        what = _REMEDY.split(message, maxsplit=1)[0]
        message = f"{what}; download the report again, or make a CSV in UTF-8 of it"
    return Problem("files", problem.rule, f"{path} {message}")
