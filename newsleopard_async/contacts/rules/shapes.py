"""The rules of whole rows: their number of cells, line breaks, NULs, quotes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from newsleopard_async.contacts.csv.batch import Batch
from newsleopard_async.contacts.rules import ROW_RULES
from newsleopard_async.contacts.rules.cells import Tally
from newsleopard_async.models.findings import Finding, Scope, counted, either

__all__ = ["Shapes"]


class Shapes:
    """Looks at rows as they were read.

    Args:
        names: Of the columns, as they are shown, in the order of the file.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._counts = Tally()
        self._breaks: dict[str, Tally] = {}
        self._unclosed = Tally()
        self._nuls: dict[str, Tally] = {}
        self._stray = Tally()

    def look(self, batch: Batch) -> dict[int, list[str]]:
        """Return the rules that rows break, by their index."""
        found: dict[int, list[str]] = {}
        for index in self._of_other_counts(batch):
            found.setdefault(index, []).append("column-count")
            self._counts.add(1, (batch.lines[index],))
        for index in batch.unclosed:
            found.setdefault(index, []).append("line-break")
            self._unclosed.add(1, (batch.lines[index],))
        for index in batch.broken:
            if self._mark(self._breaks, batch.rows[index], "\n", batch.lines[index]):
                found.setdefault(index, []).append("line-break")
        for index in range(len(batch)) if "\0" in batch.text else ():
            if self._mark(self._nuls, batch.rows[index], "\0", batch.lines[index]):
                found.setdefault(index, []).append("null-byte")
        self._stray.add(len(batch.stray), (batch.lines[index] for index in batch.stray))
        return found

    def _of_other_counts(self, batch: Batch) -> Iterator[int]:
        width = len(self._names)
        if batch.columns is not None:
            return
        # A quote that is not closed may have taken separators with it.
        unclosed = frozenset(batch.unclosed)
        for index, row in enumerate(batch.rows):
            if len(row) != width and index not in unclosed:
                yield index

    def _mark(self, tallies: dict[str, Tally], row: Sequence[str], sought: str, line: int) -> bool:
        """Count a row once for each column that holds a character, and tell if any does."""
        last = len(self._names) - 1
        columns = {self._names[min(at, last)] for at, cell in enumerate(row) if sought in cell}
        for column in columns:
            tallies.setdefault(column, Tally()).add(1, (line,))
        return bool(columns)

    def findings(self, *, left_out: bool) -> Iterator[Finding]:
        """Yield what was found.

        Args:
            left_out: Whether the rows were left out.
        """
        if self._counts.count:
            yield _finding(
                self._counts,
                "column-count",
                f"{counted(self._counts.count, 'row')} of more or fewer cells than the "
                f"{len(self._names)} of the header ({self._counts.where})",
                "put quotes around cells that hold a separator",
                left_out=left_out,
            )
        if self._unclosed.count:
            yield _finding(
                self._unclosed,
                "line-break",
                f"{counted(self._unclosed.count, 'row')} with a quote that is opened and never "
                f"closed ({self._unclosed.where})",
                "close it or double it",
                left_out=left_out,
            )
        yield from self._findings_of_characters(left_out)
        if self._stray.count:
            yield self._stray.finding(
                "note",
                "quote",
                f"has {counted(self._stray.count, 'row')} with a quote inside a cell that should "
                f"have been doubled ({self._stray.where}); it stays in the cell, and goes out "
                "doubled",
            )

    def _findings_of_characters(self, left_out: bool) -> Iterator[Finding]:
        for column, tally in self._breaks.items():
            yield _finding(
                tally,
                "line-break",
                f"{counted(tally.count, 'row')} with a line break inside the cell {column} "
                f"({tally.where})",
                "put a space in its place",
                column=column,
                left_out=left_out,
            )
        for column, tally in self._nuls.items():
            yield _finding(
                tally,
                "null-byte",
                f"{counted(tally.count, 'row')} with a NUL in {column} ({tally.where}), as damaged "
                "exports have",
                "export it again",
                column=column,
                left_out=left_out,
            )


def _finding(
    tally: Tally, rule: str, what: str, remedy: str, *, left_out: bool, column: str | None = None
) -> Finding:
    if left_out:
        return tally.finding("note", rule, f"had {what}, left out", column=column)
    them = either(tally.count, "it", "them")
    message = f"has {what}; {remedy}, or let fix='leave-out-bad-rows' leave {them} out"
    # The platform rejects a row by its number of cells; what a NUL or a line break does is unknown.
    scope: Scope = "rows" if rule in ROW_RULES else "whole"
    return tally.finding("error", rule, message, column=column, scope=scope)
