"""The two files that are written: the CSV that goes out, and the rows that are left out of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter

from newsleopard_async.contacts.csv.batch import Batch, Column
from newsleopard_async.contacts.csv.separators import COMMA, folded

__all__ = ["CleanWriter", "LeftOutWriter"]


class CleanWriter:
    """Writes what goes out: EMAIL, NAME, and the other columns in their order.

    Args:
        names: Of the columns, as they go out.
        order: Where in a row the cell of each of them stands.
        separator: What stood between the cells.
    """

    def __init__(self, names: Sequence[str], order: Sequence[int], *, separator: str) -> None:
        self._names = names
        self._order = order
        self._separator = separator
        self._in_order = itemgetter(*order)
        self._is_ordered = list(order) == list(range(len(order)))

    def header(self) -> bytes:
        """Write the first line."""
        return _written([self._names])

    def write(self, batch: Batch, *, removed: Collection[int] = ()) -> bytes:
        """Write rows.

        Args:
            removed: Indices of those that do not go out.
        """
        if batch.is_as_read and self._is_ordered and self._separator == COMMA and not removed:
            return batch.raw
        batch = batch.without(removed)
        if batch.columns is not None and len(batch):
            return _written_columns([batch.columns[index] for index in self._order])
        rows: Sequence[Sequence[str]] = batch.rows
        if not self._is_ordered:
            rows = [self._reordered(row) for row in rows]
        return _written(rows)

    def _reordered(self, row: Sequence[str]) -> Sequence[str]:
        order = self._order
        if len(row) == len(order):
            cells: Sequence[str] = self._in_order(row)
            return cells
        # As many cells as it had, so that the platform finds the same fault.
        return [*(row[index] for index in order if index < len(row)), *row[len(order) :]]


class LeftOutWriter:
    """Writes the rows that are left out: as they were, with their line and the reason.

    The two stand below the header's columns; what a row has beyond those follows after them.

    Args:
        names: Of the columns, as they stand in the header.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._has_begun = False

    def write(self, batch: Batch, reasons: Mapping[int, Sequence[str]]) -> bytes:
        """Write rows.

        Args:
            reasons: Why, by their index.
        """
        if not reasons:
            return b""
        rows = self._with_reasons(batch, reasons)
        if self._has_begun:
            return _written(rows)
        self._has_begun = True
        return _written([self._first_row(), *rows])

    def _first_row(self) -> list[str]:
        taken = set(map(folded, self._names))
        own = ("LINE", "REASON")
        return [*self._names, *(_free(name, taken) for name in own)]

    def _with_reasons(
        self, batch: Batch, reasons: Mapping[int, Sequence[str]]
    ) -> Iterator[list[str]]:
        width = len(self._names)
        for index in sorted(reasons):
            row = batch.rows[index]
            missing = [""] * (width - len(row))
            why = " ".join(reasons[index])
            yield [*row[:width], *missing, str(batch.lines[index]), why, *row[width:]]


def _free(name: str, taken: Collection[str]) -> str:
    while folded(name) in taken:
        name += "_"
    return name


def _written_columns(columns: Iterable[Column]) -> bytes:
    """Write rows of two or more cells as `_written` does, in a third of its time."""
    rows = zip(*map(_quoted, columns), strict=True)
    return ("\n".join(map(COMMA.join, rows)) + "\n").encode()


def _quoted(column: Column) -> Iterable[str]:
    if not column.has_breaks and COMMA not in column.joined and '"' not in column.joined:
        return column
    return [
        '"' + cell.replace('"', '""') + '"' if "," in cell or '"' in cell or "\n" in cell else cell
        for cell in column
    ]


def _written(rows: Iterable[Iterable[str]]) -> bytes:
    """Write rows by RFC 4180, with line feeds and no more quotes than it takes."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
