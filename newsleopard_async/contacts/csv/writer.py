"""Writes two files: the clean CSV, and the rows that are left out of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter

from newsleopard_async.contacts.csv.batch import Batch, Column
from newsleopard_async.contacts.csv.separators import COMMA, folded

__all__ = ["CleanWriter", "LeftOutWriter"]


class CleanWriter:
    """Writes the clean CSV: EMAIL, NAME, and the other columns in their order.

    Args:
        names: The names of the columns.
        order: The index in a row of the cell of each column.
        separator: The separator of the cells in the file that was read.
    """

    def __init__(self, names: Sequence[str], order: Sequence[int], *, separator: str) -> None:
        self._names = names
        self._order = order
        self._separator = separator
        self._in_order = itemgetter(*order)
        self._is_ordered = list(order) == list(range(len(order)))

    def header(self) -> bytes:
        """Return the first line."""
        return _written([self._names])

    def write(self, batch: Batch, *, removed: Collection[int] = ()) -> bytes:
        """Return the text of rows.

        Args:
            batch: The rows.
            removed: The indices of rows that are left out.
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
        # The row keeps its number of cells, so that the platform finds the same problem.
        return [*(row[index] for index in order if index < len(row)), *row[len(order) :]]


class LeftOutWriter:
    """Writes the rows that are left out, unchanged, with the columns LINE and REASON.

    The two columns follow the columns of the header. Surplus cells of a row follow after them.

    Args:
        names: The names of the columns in the header.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._has_begun = False

    def write(self, batch: Batch, reasons: Mapping[int, Sequence[str]]) -> bytes:
        """Return the text of the rows that have reasons.

        Args:
            batch: The rows.
            reasons: The rules that a row breaks, by the index of the row.
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
    """Return the text of rows of two or more cells like `_written`, in a third of its time."""
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
    """Return the text of rows by RFC 4180, with line feeds and without unneeded quotes."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
