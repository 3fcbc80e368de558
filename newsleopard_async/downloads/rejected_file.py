"""The platform's file of rejected rows, read, and its rows found again in the contacts."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import attrs

from newsleopard_async.downloads.columns import (
    EMAIL,
    NAME,
    REASON,
    NumberedRow,
    cell_at,
    email_column,
    folded,
    is_clear_beginning,
    not_blank,
    place_name,
    places,
    read_header,
    values_of,
)
from newsleopard_async.downloads.lines import LineFinder
from newsleopard_async.downloads.rows import Rereadable, rows_of_file
from newsleopard_async.models.reports import RejectedRow

__all__ = ["MOST_ROWS_WITH_LINES", "RejectedFile"]


_log: Final = logging.getLogger("newsleopard_async")

MOST_ROWS_WITH_LINES: Final = 100_000
"""Of more rejected rows than this the lines are not looked for: each takes some 400 bytes."""


@attrs.define
class RejectedFile:
    """The platform's file on this disk, and the contacts that its rows came from.

    Attributes:
        is_empty: Whether there was no row, once it was read.
    """

    path: Path
    contacts: Rereadable | None
    encoding: str | None = None
    is_empty: bool = attrs.field(default=False, init=False)
    _has_header: bool = attrs.field(default=True, init=False)
    _given: tuple[str, ...] | None = attrs.field(default=None, init=False)
    _lines: Sequence[int] = attrs.field(default=(), init=False)

    def look_for_header(self, errors: int) -> Generator[None, None, None]:
        """Tell a header from a row without an address, of which there are no more than errors.

        It may be interrupted wherever it yields, as `find_lines` may.
        """
        with closing(rows_of_file(self.path, self.encoding)) as rejected:
            count = 0
            for _, cells in not_blank(rejected):
                if not count and is_clear_beginning(cells):
                    return
                count += 1
                yield
            self._has_header = count > errors

    def find_lines(self) -> Generator[None, None, None]:
        """Look the rows up in the contacts.

        The contacts may be gone since, or be other ones: then nothing is found.
        """
        if self.contacts is None:
            return
        with closing(_Given(self.contacts)) as given:
            names, rows = read_header(given.rows)
            if not names:
                return
            self._given = names
            finder = yield from self._finder(names)
            if finder is None:
                return
            for line, cells in rows:
                finder.see(line, cells)
                if finder.is_done:
                    break
                yield
            finder.finish()
            self._lines = () if given.is_broken else finder.lines

    def _finder(self, given: Sequence[str]) -> Generator[None, None, LineFinder | None]:
        """Expect all rejected rows, unless they are too many."""
        with self._table() as table:
            finder = LineFinder.between(table.names, given)
            for cells in table.rows:
                if len(finder.lines) == MOST_ROWS_WITH_LINES:
                    return None
                finder.expect(table.split(cells)[0])
                yield
        return finder

    def read(self) -> Generator[RejectedRow, None, None]:
        """Go through the file."""
        self.is_empty = True
        with self._table() as table:
            for number, cells in enumerate(table.rows):
                self.is_empty = False
                yield table.row(cells, line=self._lines[number] if self._lines else 0)

    @contextmanager
    def _table(self) -> Iterator[_Table]:
        with closing(rows_of_file(self.path, self.encoding)) as rejected:
            yield _Table.of(rejected, self._given, has_header=self._has_header)


class _Given:
    """The contacts' rows, which end where those cannot be read.

    Args:
        contacts: They are the caller's, and may raise anything: it costs no rejected row.

    Attributes:
        rows: Header first.
        is_broken: Whether they ended so.
    """

    def __init__(self, contacts: Rereadable) -> None:
        self.rows = self._read(contacts)
        self.is_broken = False

    def _read(self, contacts: Rereadable) -> Generator[NumberedRow, None, None]:
        try:
            yield from contacts.rows()
        except Exception as error:  # noqa: BLE001 - whatever the caller's own objects raise
            self.is_broken = True
            # Its text may show a contact.
            _log.info(
                "contacts cannot be read again (%s); rejected rows come without lines",
                type(error).__name__,
            )

    def close(self) -> None:
        """Close the file, if it is one."""
        self.rows.close()


@attrs.frozen
class _Table:
    """The rejected rows, and what their columns are.

    Attributes:
        names: The columns, but for the reason.
        reason: The place of the reason among all columns, or None.
        is_last: Whether it is the last one: then it ends a row of too many or too few cells too.
        rows: The cells of each row.
    """

    names: tuple[str, ...]
    email: int
    reason: int | None
    is_last: bool
    rows: Iterator[list[str]]

    @classmethod
    def of(
        cls, rejected: Iterator[NumberedRow], given: Sequence[str] | None, *, has_header: bool
    ) -> _Table:
        names, rows = read_header(rejected, has_header=has_header)
        reason = _reason_column(names, given)
        rest = tuple(name for place, name in enumerate(names) if place != reason)
        return cls(
            names=rest,
            email=email_column(rest),
            reason=reason,
            is_last=reason == len(rest),
            rows=(cells for _, cells in not_blank(rows)),
        )

    def split(self, cells: list[str]) -> tuple[list[str], str | None]:
        """Take the reason out of a row."""
        place = len(cells) - 1 if self.is_last and len(cells) > 1 else self.reason
        if place is None or place >= len(cells):
            return cells, None
        return cells[:place] + cells[place + 1 :], cells[place].strip() or None

    def row(self, cells: list[str], *, line: int) -> RejectedRow:
        """Build what the caller gets."""
        rest, reason = self.split(cells)
        return RejectedRow(
            line=line or None,
            email=cell_at(rest, self.email),
            reason=reason,
            values=values_of(self.names, rest),
        )


def _reason_column(names: Sequence[str], given: Sequence[str] | None) -> int | None:
    """Return the place of the column that says why.

    It is one that the contacts did not have, and no address; of several, the one that is called
    so, or the last. Where the contacts are not known, it is any but the name and the addresses.
    Cells without any name in a single column are addresses.
    """
    if list(names) == [place_name(0)]:
        return None
    if given is None:
        given = [names[place] for place in places(names, NAME)[:1]]
    known, addresses = Counter(map(folded, given)), places(names, EMAIL)
    others = []
    for place, name in enumerate(names):
        if known[folded(name)]:
            known[folded(name)] -= 1
        elif place not in addresses:
            others.append(place)
    named = places([names[place] for place in others], REASON)
    return None if not others else others[named[0] if named else -1]
