"""Reads the platform's file of rejected rows, and finds its rows in the contacts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from newsleopard_async.contacts.csv.separators import folded
from newsleopard_async.downloads.line_finder import LineFinder
from newsleopard_async.downloads.rows import ContactsUnreadable, rows_of_file
from newsleopard_async.downloads.table_headers import (
    EMAIL,
    NAME,
    REASON,
    NumberedRow,
    Rows,
    cell_at,
    email_column,
    is_clear_beginning,
    is_of_address,
    not_blank,
    place_name,
    places,
    read_header,
    values_of,
)
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models.reports import RejectedRow

__all__ = ["MOST_ROWS_WITH_LINES", "read_rejected"]

MOST_ROWS_WITH_LINES: Final = 100_000
"""With more rejected rows, their lines are not searched. Chosen: 40 MB at 400 bytes per row."""


def read_rejected(
    path: Path,
    contacts: Rows | None,
    *,
    errors: int,
    encoding: str | None = None,
) -> Generator[RejectedRow | None, None, None]:
    """Yield the rows of the platform's file of rejected rows.

    Args:
        path: The file.
        contacts: The rows that were imported, from `contact_rows`.
        errors: The number of rows that the platform counts in the file.
        encoding: The encoding of the file, if it cannot be detected.
    Returns: The rows; before the first row, None at each point where the work can be interrupted.

    Raises:
        InvalidRequest: the file is not a CSV file, or its encoding is unknown.
    """
    has_header = yield from _has_header(path, encoding, errors)
    table = partial(_opened_table, path, encoding, has_header)
    columns, lines = yield from _find_lines(table, contacts)
    with table(columns) as rejected:
        for number, cells in enumerate(rejected.rows):
            yield rejected.row(cells, line=lines[number] if lines else None)


def _has_header(path: Path, encoding: str | None, errors: int) -> Generator[None, None, bool]:
    """Return whether the first row is a header; without one, there are at most `errors` rows."""
    with closing(rows_of_file(path, encoding, is_of_platform=True)) as rejected:
        count, is_prose = 0, True
        for _, cells in not_blank(rejected):
            if not count and is_clear_beginning(cells):
                return True
            count += 1
            is_prose = is_prose and _is_prose(cells)
            yield
    if is_prose and count:
        raise InvalidRequest.of(
            "file",
            "not-text",
            "contains a message instead of CSV rows; check the import in the console",
        )
    return count > errors


def _is_prose(cells: Sequence[str]) -> bool:
    """Return whether a line is a sentence, for example an error that was saved as the file.

    A row has at least an address and a reason, and no space after each comma.
    """
    if len(cells) == 1:
        return " " in cells[0].strip()
    return all(cell.startswith(" ") for cell in cells[1:])


def _find_lines(
    table: Callable[[Sequence[str] | None], AbstractContextManager[_RejectedTable]],
    contacts: Rows | None,
) -> Generator[None, None, tuple[tuple[str, ...] | None, Sequence[int]]]:
    """Return the columns of the contacts and the line of each rejected row, or no lines.

    No row is found if the contacts were deleted or replaced after the import.
    """
    names: tuple[str, ...] | None = None
    if contacts is None:
        return names, ()
    try:
        with closing(contacts):
            header, rows = read_header(contacts)
            names = header or None
            with table(names) as rejected:
                finder = LineFinder.between(rejected.names, header)
                for cells in rejected.rows:
                    if len(finder.lines) == MOST_ROWS_WITH_LINES:
                        return names, ()
                    finder.expect(rejected.split(cells)[0])
                    yield
            for line, cells in rows:
                finder.compare(line, cells)
                if finder.is_done:
                    break
                yield
            finder.finish()
    except ContactsUnreadable:
        return names, ()
    return names, finder.lines


@contextmanager
def _opened_table(
    path: Path, encoding: str | None, has_header: bool, contact_columns: Sequence[str] | None
) -> Iterator[_RejectedTable]:
    """Open the file; it is closed at the end of the context."""
    with closing(rows_of_file(path, encoding, is_of_platform=True)) as rejected:
        yield _RejectedTable.of(rejected, contact_columns, has_header=has_header)


@attrs.frozen
class _RejectedTable:
    """The rejected rows and their columns.

    Attributes:
        names: The columns without the reason.
        reason: The index of the reason in all columns, or None.
        is_last: Whether the reason is the last column. Then it is the last cell even of a row with
            too many or too few cells.
        rows: The cells of each row.
    """

    names: tuple[str, ...]
    email: int
    reason: int | None
    is_last: bool
    rows: Iterator[list[str]]

    @classmethod
    def of(
        cls,
        rejected: Iterator[NumberedRow],
        contact_columns: Sequence[str] | None,
        *,
        has_header: bool,
    ) -> _RejectedTable:
        names, rows = read_header(rejected, has_header=has_header)
        reason = _reason_column(names, contact_columns)
        rest = tuple(name for place, name in enumerate(names) if place != reason)
        return cls(
            names=rest,
            email=email_column(rest),
            reason=reason,
            is_last=reason == len(rest),
            rows=(cells for _, cells in not_blank(rows)),
        )

    def split(self, cells: list[str]) -> tuple[list[str], str | None]:
        """Return the cells of a row without the reason, and the reason."""
        place = len(cells) - 1 if self.is_last and len(cells) > 1 else self.reason
        if place is None or place >= len(cells):
            return cells, None
        return cells[:place] + cells[place + 1 :], cells[place].strip() or None

    def row(self, cells: list[str], *, line: int | None) -> RejectedRow:
        """Return the row for the caller."""
        rest, reason = self.split(cells)
        return RejectedRow(
            line=line or None,
            email=cell_at(rest, self.email),
            reason=reason,
            values=values_of(self.names, rest),
        )


def _reason_column(names: Sequence[str], contact_columns: Sequence[str] | None) -> int | None:
    """Return the index of the column with the reason.

    It is a column that the contacts do not have, and not an address. If there are several, it is
    the column with a name of reasons, or the last. If the contacts are unknown, it can be any
    column except the name and the addresses. A single column without a name has addresses.
    """
    if list(names) == [place_name(0)]:
        return None
    if contact_columns is None:
        contact_columns = [names[place] for place in places(names, NAME)[:1]]
    known, addresses = Counter(map(folded, contact_columns)), places(names, EMAIL)
    others = []
    for place, name in enumerate(names):
        if known[folded(name)]:
            known[folded(name)] -= 1
        elif place not in addresses and not is_of_address(name):
            others.append(place)
    named = places([names[place] for place in others], REASON)
    return None if not others else others[named[0] if named else -1]
