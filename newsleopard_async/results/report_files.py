"""Report files on this disk, read and counted, whatever their encoding and columns (T119)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import tzinfo
from pathlib import Path

import attrs

from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models.report_rows import ReportRow
from newsleopard_async.results.columns import (
    EMAIL,
    NAME,
    REASON,
    URL,
    cell_at,
    column_of,
    has_address,
    not_blank,
    read_header,
    time_column_of,
    values_of,
)
from newsleopard_async.results.csv_rows import rows_of_file
from newsleopard_async.results.lines import address_key
from newsleopard_async.results.slices import next_slice, run_through
from newsleopard_async.results.times import read_time

__all__ = ["Tally", "count_report", "report_rows"]


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
    """The places of the columns that have a meaning, where they are there."""

    names: tuple[str, ...]
    email: int | None
    name: int | None
    at: int | None
    url: int | None
    reason: int | None

    @classmethod
    def of(cls, names: tuple[str, ...]) -> _Columns:
        return cls(
            names=names,
            email=column_of(names, EMAIL),
            name=column_of(names, NAME),
            at=time_column_of(names),
            url=column_of(names, URL),
            reason=column_of(names, REASON),
        )

    def email_of(self, cells: Sequence[str]) -> str:
        """Return the address: by the name of its column, else by its shape."""
        if self.email is not None:
            return cell_at(cells, self.email)
        return next((cell.strip() for cell in cells if has_address(cell)), "")

    def row(self, cells: Sequence[str], zone: tzinfo) -> ReportRow:
        return ReportRow(
            email=self.email_of(cells),
            name=cell_at(cells, self.name),
            at=read_time(cell_at(cells, self.at), zone),
            url=cell_at(cells, self.url) or None,
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
            if has_address(email):
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
    except OSError as error:
        raise InvalidRequest.of(
            "files",
            "readable",
            f"{path} cannot be read: {error.strerror}; download the report again",
        ) from None
