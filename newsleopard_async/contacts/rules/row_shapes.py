"""The rules of whole rows: their number of cells, line breaks, NULs, quotes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from newsleopard_async.contacts.csv.batch import Batch
from newsleopard_async.contacts.rules.cells import LineTally
from newsleopard_async.models.findings import Finding, counted, either, listed

__all__ = ["RowShapes", "filled"]


class RowShapes:
    """Checks the number of cells, line breaks, NULs and quotes of rows.

    Args:
        names: The names of the columns for messages, in the order of the file.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._short = LineTally()
        self._padded = LineTally()
        self._long = LineTally()
        self._fewest_cells = len(names)
        self._breaks: dict[str, LineTally] = {}
        self._unclosed = LineTally()
        self._nuls: dict[str, LineTally] = {}
        self._stray = LineTally()

    def check(self, batch: Batch) -> dict[int, list[str]]:
        """Return the rules that rows break, by their index."""
        found: dict[int, list[str]] = {}
        for index in self._of_other_counts(batch):
            found.setdefault(index, []).append("column-count")
            self._count(batch.rows[index], batch.lines[index])
        for index in batch.unclosed:
            found.setdefault(index, []).append("line-break")
            self._unclosed.add(1, (batch.lines[index],))
        for index in batch.broken:
            if self._mark(self._breaks, batch.rows[index], "\n", batch.lines[index]):
                found.setdefault(index, []).append("line-break")
        for index in range(len(batch)) if b"\0" in batch.raw else ():
            if self._mark(self._nuls, batch.rows[index], "\0", batch.lines[index]):
                found.setdefault(index, []).append("null-byte")
        self._stray.add(len(batch.stray), (batch.lines[index] for index in batch.stray))
        return found

    def _of_other_counts(self, batch: Batch) -> Iterator[int]:
        width = len(self._names)
        if batch.columns is not None:
            return
        # A quote that is not closed possibly contains separators.
        unclosed = frozenset(batch.unclosed)
        for index, row in enumerate(batch.rows):
            if len(row) != width and index not in unclosed:
                yield index

    def _count(self, row: Sequence[str], line: int) -> None:
        width = len(self._names)
        if len(row) < width:
            self._short.add(1, (line,))
            self._fewest_cells = min(self._fewest_cells, len(row))
        else:
            (self._long if has_surplus(row, width) else self._padded).add(1, (line,))

    def _mark(
        self, tallies: dict[str, LineTally], row: Sequence[str], character: str, line: int
    ) -> bool:
        """Count a row once for each column that contains a character; return whether any does."""
        last = len(self._names) - 1
        columns = {self._names[min(at, last)] for at, cell in enumerate(row) if character in cell}
        for column in columns:
            tallies.setdefault(column, LineTally()).add(1, (line,))
        return bool(columns)

    def findings(self, *, left_out: bool) -> Iterator[Finding]:
        """Yield the findings.

        Args:
            left_out: Whether the rows were left out.
        """
        yield from self._findings_of_counts(left_out)
        if self._unclosed.count:
            yield self._unclosed.error(
                "line-break",
                "with a quote that is opened and never closed",
                "close it or double it" + _or_leave_out(self._unclosed),
                left_out=left_out,
                scope="whole",
            )
        yield from self._findings_of_characters(left_out)
        if self._stray.count:
            yield self._stray.finding(
                "note",
                "quote",
                f"has {counted(self._stray.count, 'row')} with a quote inside a cell that should "
                f"have been doubled ({self._stray.where}); it stays in the cell, and is written "
                "doubled",
            )

    def _findings_of_counts(self, left_out: bool) -> Iterator[Finding]:
        than = f"cells than the {len(self._names)} of the header"
        missing = listed(self._names[self._fewest_cells :])
        fill = (
            f"the last are missing ({missing}), since a spreadsheet omits empty cells at the end; "
            "let fix='fill-rows' add them, empty"
        )
        for tally, says, remedy in (
            (self._short, f"with fewer {than}", fill),
            (
                self._padded,
                f"with more {than}, and the last are empty",
                "let fix='fill-rows' remove these",
            ),
            (self._long, f"with more {than}", "put quotes around cells that contain a separator"),
        ):
            if tally.count:
                yield tally.error(
                    "column-count", says, remedy + _or_leave_out(tally), left_out=left_out
                )

    def _findings_of_characters(self, left_out: bool) -> Iterator[Finding]:
        # How the platform reads these rows is unknown, so they make the whole file unusable.
        for column, tally in self._breaks.items():
            yield tally.error(
                "line-break",
                f"with a line break inside the cell {column}",
                "replace it by a space" + _or_leave_out(tally),
                left_out=left_out,
                column=column,
                scope="whole",
            )
        for column, tally in self._nuls.items():
            yield tally.error(
                "null-byte",
                f"with a NUL in {column}, which damaged exports contain",
                "export it again" + _or_leave_out(tally),
                left_out=left_out,
                column=column,
                scope="whole",
            )


def has_surplus(row: Sequence[str], width: int) -> bool:
    """Return whether a row has more than blanks beyond this number of cells."""
    return bool("".join(row[width:]).strip())


def filled(row: list[str], width: int) -> list[str]:
    """Return a row with this number of cells, if only empty cells need to be added or removed."""
    if len(row) == width or has_surplus(row, width):
        return row
    return [*row[:width], *[""] * (width - len(row))]


def _or_leave_out(tally: LineTally) -> str:
    return f", or let fix='leave-out-bad-rows' leave {either(tally.count, 'it', 'them')} out"
