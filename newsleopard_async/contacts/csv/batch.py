"""Rows that were read together, and their columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, islice
from operator import is_, ne
from typing import Final

import attrs

__all__ = ["Batch", "Column", "all_cells"]

_BLANK_HINT: Final = re.compile(r"\n(?:\s|\Z)")


def all_cells(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of one cell so that `Column.are_all` asks it of all of them at once.

    A match of the whole column takes a third of the time of a match per cell.
    """
    # Not *+, which before CPython 3.11.5 misses what takes backtracking inside (gh-106052).
    return re.compile(rf"(?>(?:\n(?:{pattern})(?=\n|\Z))*)")


class Column:
    """The cells of one column, kept as one text until somebody asks for a cell.

    Args:
        joined: All of them, each after a line feed, to be searched in one go.
        cells: The same, if `joined` was made of them.
    """

    __slots__ = ("_cells", "_count", "joined")

    def __init__(self, joined: str, cells: Sequence[str] | None = None) -> None:
        self.joined: str = joined
        self._cells = cells
        self._count = joined.count("\n")

    @classmethod
    def of(cls, cells: Sequence[str]) -> Column:
        """Join cells."""
        return cls("\n" + "\n".join(cells) if cells else "", cells)

    def __len__(self) -> int:
        return self._count if self._cells is None else len(self._cells)

    def __iter__(self) -> Iterator[str]:
        return iter(self.cells)

    @property
    def cells(self) -> Sequence[str]:
        """The cells."""
        if self._cells is None:
            self._cells = self.joined.split("\n")[1:]
        return self._cells

    @property
    def has_breaks(self) -> bool:
        """Whether a cell has a line feed in it, so that the text does not show where one ends."""
        return self._count != len(self)

    def are_all(self, pattern: re.Pattern[str]) -> bool:
        """Whether each cell is of a pattern; False if that is not seen at once.

        Args:
            pattern: As `all_cells` compiles it.
        """
        return not self.has_breaks and pattern.fullmatch(self.joined) is not None

    def with_cells(self, cells: Sequence[str]) -> Column:
        """Return a column of other cells; itself, if each is the same object."""
        return self if all(map(is_, cells, self.cells)) else Column.of(cells)


Change = Callable[[Column], Column]
"""Returns the column itself, if no cell changes."""


@attrs.define
class Batch:
    """Rows, and columns where all rows are of one length; each is made of the other when asked for.

    The header is a row like any other, and blank lines are none.

    Attributes:
        rows: The cells of each; None where there are the columns.
        lines: The physical line in which each begins, from 1.
        raw: Where the rows were read from, in UTF-8, each line with a line feed; quotes may be
            left out of it.
        columns: The cells of each column, or None.
        is_as_read: Whether the rows are the lines that they were read from.
        broken: Indices of the rows with a line break in a cell.
        unclosed: Indices of the rows whose quote is never closed; they are their first line.
        stray: Indices of the rows with a quote that should have been doubled.
    """

    _rows: list[list[str]] | None
    lines: Sequence[int]
    raw: bytes = b""
    columns: Sequence[Column] | None = None
    is_as_read: bool = False
    broken: Sequence[int] = ()
    unclosed: Sequence[int] = ()
    stray: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def rows(self) -> list[list[str]]:
        """The cells of each row."""
        if self._rows is None:
            assert self.columns is not None
            # A million lists keep the garbage collector busy; most files never need them.
            self._rows = list(map(list, zip(*self.columns, strict=True)))
        return self._rows

    def below_first(self) -> Batch:
        """Return it without its first row."""
        return attrs.evolve(
            self.without((0,)), raw=self.raw.partition(b"\n")[2], is_as_read=self.is_as_read
        )

    def changed(self, change: Change, at: int | None = None) -> Batch:
        """Return it with cells changed; itself, if none was.

        Args:
            change: Returns the new cells, in their order.
            at: The column; None for all of them.
        """
        if self.columns is not None:
            places = range(len(self.columns)) if at is None else (at,)
            columns = list(self.columns)
            for place in places:
                columns[place] = change(columns[place])
            if all(map(is_, columns, self.columns)):
                return self
            return attrs.evolve(self, rows=None, columns=columns, is_as_read=False)
        rows = self._changed_rows(change) if at is None else self._changed_at(change, at)
        return self if rows is None else attrs.evolve(self, rows=rows, is_as_read=False)

    def reshaped(self, reshape: Callable[[list[str]], list[str]]) -> Batch:
        """Return it with rows reshaped, those aside whose quote is never closed.

        Args:
            reshape: Returns a new row; each that stays is the same object.
        """
        if self.columns is not None:
            return self
        unclosed = frozenset(self.unclosed)
        rows = [row if index in unclosed else reshape(row) for index, row in enumerate(self.rows)]
        if all(map(is_, rows, self.rows)):
            return self
        return attrs.evolve(self, rows=rows, is_as_read=False)

    def _changed_rows(self, change: Change) -> list[list[str]] | None:
        cells = Column.of(list(chain.from_iterable(self.rows)))
        changed = change(cells)
        if changed is cells:
            return None
        rest = iter(changed)
        return [list(islice(rest, len(row))) for row in self.rows]

    def _changed_at(self, change: Change, at: int) -> list[list[str]] | None:
        # If a quote is never closed, nobody knows which cell is which.
        unclosed = frozenset(self.unclosed)
        indices = [
            index for index, row in enumerate(self.rows) if len(row) > at and index not in unclosed
        ]
        cells = Column.of([self.rows[index][at] for index in indices])
        changed = change(cells)
        if changed is cells:
            return None
        rows = list(self.rows)
        for index, cell in zip(indices, changed, strict=True):
            rows[index] = [*rows[index][:at], cell, *rows[index][at + 1 :]]
        return rows

    def differences(self, other: Batch) -> Iterator[int]:
        """Yield for each row how many cells differ from another's."""
        for row, others in zip(self.rows, other.rows, strict=True):
            yield sum(map(ne, row, others))

    def without_blank_lines(self) -> Batch:
        """Leave out rows without a cell, and those of a single one that is blank."""
        blank = [
            index
            for index, row in enumerate(self.rows)
            if len(row) < 2 and not "".join(row).strip()
        ]
        return self.without(blank)

    def blank_rows(self) -> list[int]:
        """Return the indices of the rows that hold separators and blanks alone."""
        if self.columns is None:
            return [index for index, row in enumerate(self.rows) if not "".join(row).strip()]
        if _BLANK_HINT.search(self.columns[0].joined) is None:
            return []
        columns = [column.cells for column in self.columns]
        return [
            index
            for index, cell in enumerate(columns[0])
            if not cell.strip() and not any(cells[index].strip() for cells in columns)
        ]

    def without(self, indices: Collection[int]) -> Batch:
        """Leave out some rows."""
        if not indices:
            return self
        removed = frozenset(indices)
        kept = [index for index in range(len(self)) if index not in removed]
        index_of = {old: new for new, old in enumerate(kept)}
        columns = self.columns
        return attrs.evolve(
            self,
            rows=[self.rows[index] for index in kept] if columns is None else None,
            lines=[self.lines[index] for index in kept],
            columns=columns
            and [Column.of([column.cells[index] for index in kept]) for column in columns],
            is_as_read=False,
            broken=[index_of[index] for index in self.broken if index in index_of],
            unclosed=[index_of[index] for index in self.unclosed if index in index_of],
            stray=[index_of[index] for index in self.stray if index in index_of],
        )
