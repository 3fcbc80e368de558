"""Rows that were read together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, islice
from operator import is_, ne

import attrs

__all__ = ["Batch"]

Columns = Sequence[Sequence[str]]
Change = Callable[[Sequence[str]], list[str]]


@attrs.define
class Batch:
    """Rows, and columns where all rows are of one length; each is made of the other when asked for.

    The header is a row like any other, and blank lines are none.

    Attributes:
        rows: The cells of each; None where there are the columns.
        lines: The physical line in which each begins, from 1.
        text: Where the rows were read from, each line with a line feed.
        columns: The cells of each column, or None.
        is_plain: Whether no cell holds a quote or a line break.
        is_as_read: Whether the rows are the lines of the text.
        broken: Indices of the rows with a line break in a cell.
        unclosed: Indices of the rows whose quote is never closed; they are their first line.
        stray: Indices of the rows with a quote that should have been doubled.
    """

    _rows: list[list[str]] | None
    lines: Sequence[int]
    text: str = ""
    columns: Columns | None = None
    is_plain: bool = False
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
            self.without((0,)), text=self.text.partition("\n")[2], is_as_read=self.is_as_read
        )

    def changed(self, change: Change, at: int | None = None) -> Batch:
        """Return it with cells changed; itself, if none was.

        Args:
            change: Returns the new cells, in their order; each that stays is the same object.
            at: The column; None for all of them.
        """
        if self.columns is not None:
            columns, is_same = list(self.columns), True
            for place in range(len(columns)) if at is None else (at,):
                columns[place] = change(self.columns[place])
                is_same = is_same and all(map(is_, columns[place], self.columns[place]))
            if is_same:
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
        cells = list(chain.from_iterable(self.rows))
        changed = change(cells)
        if all(map(is_, changed, cells)):
            return None
        rest = iter(changed)
        return [list(islice(rest, len(row))) for row in self.rows]

    def _changed_at(self, change: Change, at: int) -> list[list[str]] | None:
        # If a quote is never closed, nobody knows which cell is which.
        unclosed = frozenset(self.unclosed)
        indices = [
            index for index, row in enumerate(self.rows) if len(row) > at and index not in unclosed
        ]
        cells = [self.rows[index][at] for index in indices]
        changed = change(cells)
        if all(map(is_, changed, cells)):
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
        first = self.columns[0]
        if all(map(str.strip, first)):
            return []
        return [
            index
            for index, cell in enumerate(first)
            if not cell.strip() and not any(column[index].strip() for column in self.columns)
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
            columns=columns and [[column[index] for index in kept] for column in columns],
            is_as_read=False,
            broken=[index_of[index] for index in self.broken if index in index_of],
            unclosed=[index_of[index] for index in self.unclosed if index in index_of],
            stray=[index_of[index] for index in self.stray if index in index_of],
        )
