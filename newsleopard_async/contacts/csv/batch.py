"""Batches: rows that are read together, and their columns."""

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
    """Compile a pattern of one cell for `Column.are_all`, which matches all cells together.

    A match of the whole column takes a third of the time of a match per cell.
    """
    # Not *+: before CPython 3.11.5 it misses matches that need backtracking inside (gh-106052).
    return re.compile(rf"(?>(?:\n(?:{pattern})(?=\n|\Z))*)")


class Column:
    """The cells of one column, stored as one text until the cells are read.

    Args:
        joined: All cells in one text, each after a line feed, for one search.
        cells: The cells, if `joined` was made from them.
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
        """Whether a cell contains a line feed, so the text does not show where cells end."""
        return self._count != len(self)

    def are_all(self, pattern: re.Pattern[str]) -> bool:
        """Return whether all cells match a pattern; False if a cell contains a line feed.

        Args:
            pattern: A pattern from `all_cells`.
        """
        return not self.has_breaks and pattern.fullmatch(self.joined) is not None

    def with_cells(self, cells: Sequence[str]) -> Column:
        """Return a column of other cells; the column itself, if all cells are the same objects."""
        return self if all(map(is_, cells, self.cells)) else Column.of(cells)


Change = Callable[[Column], Column]
"""Returns the column itself, if no cell changes."""


@attrs.define
class Batch:
    """Rows, and columns if all rows have one length; rows are built from columns when needed.

    The header is a row, and blank lines are not rows.

    Attributes:
        rows: The cells of each row.
        lines: The line in which each row begins, from 1.
        raw: The text of the rows in UTF-8, each line with a line feed; possibly without quotes.
        columns: The cells of each column, or None.
        is_as_read: Whether `raw` still contains the same rows.
        broken: The indices of rows with a line break in a cell.
        unclosed: The indices of rows with a quote that is never closed; only their first line is
            in the row.
        stray: The indices of rows with a quote that should have been doubled.
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
            # A million lists slow the garbage collector down, and most files never need them.
            self._rows = list(map(list, zip(*self.columns, strict=True)))
        return self._rows

    def below_first(self) -> Batch:
        """Return the batch without its first row."""
        return attrs.evolve(
            self.without((0,)), raw=self.raw.partition(b"\n")[2], is_as_read=self.is_as_read
        )

    def changed(self, change: Change, at: int | None = None) -> Batch:
        """Return the batch with changed cells; the batch itself, if no cell changed.

        Args:
            change: Returns the new cells, in their order.
            at: The index of the column; None changes all columns.
        """
        if self.columns is not None:
            columns = list(self.columns)
            for index in range(len(columns)) if at is None else (at,):
                columns[index] = change(columns[index])
            if all(map(is_, columns, self.columns)):
                return self
            return attrs.evolve(self, rows=None, columns=columns, is_as_read=False)
        rows = self._changed_rows(change) if at is None else self._changed_at(change, at)
        return self if rows is None else attrs.evolve(self, rows=rows, is_as_read=False)

    def reshaped(self, reshape: Callable[[list[str]], list[str]]) -> Batch:
        """Return the batch with reshaped rows, except rows with a quote that is never closed.

        Args:
            reshape: Returns a new row, or the same object if the row does not change.
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
        # If a quote is never closed, it is unknown where the cells of the row end.
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
        """Yield for each row the number of cells that differ from the other batch."""
        for row, others in zip(self.rows, other.rows, strict=True):
            yield sum(map(ne, row, others))

    def without_blank_lines(self) -> Batch:
        """Remove rows without a cell, and rows with only one cell that is blank."""
        blank = [
            index
            for index, row in enumerate(self.rows)
            if len(row) < 2 and not "".join(row).strip()
        ]
        return self.without(blank)

    def blank_rows(self) -> list[int]:
        """Return the indices of the rows that contain only separators and blanks."""
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
        """Return the batch without some rows."""
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
