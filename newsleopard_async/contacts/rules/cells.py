"""Cells that are checked together, the tally of a rule's findings, numbers and formulas."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress, islice
from typing import Final, Protocol

import attrs

from newsleopard_async.contacts.csv.batch import Column
from newsleopard_async.models.findings import MOST_PLACES, Finding, Level, Scope, counted

__all__ = ["NUMBER", "CellRule", "Cells", "LineTally", "is_formula"]

_MOST_SHOWN: Final = 5
"""Chosen: a message stays one readable sentence; `Finding.places` has more lines."""


@attrs.define
class LineTally:
    """Counts occurrences, and stores their first lines; they are added in the order of the lines.

    Attributes:
        count: The number of occurrences.
        places: The first lines, at most twenty.
    """

    count: int = 0
    places: list[int] = attrs.field(factory=list)

    def add(self, count: int, lines: Iterable[int]) -> None:
        """Add occurrences; their lines are read only as far as needed."""
        self.count += count
        self.places.extend(islice(lines, MOST_PLACES - len(self.places)))

    @property
    def where(self) -> str:
        """The text for a message: the first five lines, and the number of further ones."""
        shown, more = self._shown
        if more:
            return f"lines {shown} and {more:,} more"
        return f"{'line' if self.count == 1 else 'lines'} {shown}"

    @property
    def positions(self) -> str:
        """The same text for places that are positions in a list."""
        shown, more = self._shown
        if more:
            return f"positions {shown} and {more:,} more"
        return f"{'position' if self.count == 1 else 'positions'} {shown}"

    @property
    def _shown(self) -> tuple[str, int]:
        """The first five places, and the number of further ones."""
        shown = ", ".join(map(str, self.places[:_MOST_SHOWN]))
        return shown, max(self.count - _MOST_SHOWN, 0)

    def finding(
        self,
        level: Level,
        rule: str,
        message: str,
        *,
        column: str | None = None,
        scope: Scope = "rows",
    ) -> Finding:
        """Build a finding."""
        return Finding(
            level=level,
            rule=rule,
            message=message,
            line=self.places[0],
            column=column,
            count=self.count,
            places=tuple(self.places),
            scope=scope,
        )

    def error(
        self,
        rule: str,
        says: str,
        remedy: str,
        *,
        left_out: bool,
        column: str | None = None,
        scope: Scope = "rows",
    ) -> Finding:
        """Build an error about bad rows; a note if they were left out.

        Args:
            rule: The rule.
            says: The problem of the rows, such as ``without an address``.
            remedy: The way out.
            left_out: Whether the rows were left out.
            column: The column with the problem.
            scope: Whether the rows or the whole file cannot be imported.
        """
        what = f"{counted(self.count, 'row')} {says} ({self.where})"
        if left_out:
            return self.finding("note", rule, f"had {what}, left out", column=column)
        return self.finding("error", rule, f"has {what}; {remedy}", column=column, scope=scope)


NUMBER: Final = re.compile(r"[+-]?(?:[0-9]++|[0-9]{1,3}(?:,[0-9]{3})++)(?:\.[0-9]++)?")
"""A number, with or without commas between thousands."""


@attrs.frozen
class Cells:
    """Cells of one column that were read together.

    Attributes:
        column: The cells.
        lines: The line of each.
    """

    column: Column
    lines: Sequence[int]

    @property
    def cells(self) -> Sequence[str]:
        """The cells as they are in the rows."""
        return self.column.cells

    @property
    def joined(self) -> str:
        """All cells in one text, each after a line feed, for one search."""
        return self.column.joined

    def lines_of(self, condition: Callable[[str], object]) -> list[int]:
        """Return the lines of the cells that meet a condition."""
        return [line for cell, line in zip(self.cells, self.lines, strict=True) if condition(cell)]

    def filled(self) -> Cells:
        """Return the cells that are not empty."""
        may_be_empty = "\n\n" in self.joined or self.joined.endswith("\n")
        if not may_be_empty or all(self.cells):
            return self
        filled = Column.of(list(filter(None, self.cells)))
        return Cells(filled, list(compress(self.lines, self.cells)))


class CellRule(Protocol):
    """Checks the cells of one column, batch by batch."""

    def __init__(self, column: str) -> None: ...

    def check(self, cells: Cells) -> None:
        """Check the next cells."""

    def findings(self) -> Iterator[Finding]:
        """Yield the findings, after all cells were checked."""


_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""The first characters that make a spreadsheet execute a cell. Source: OWASP, "CSV injection"."""

# Only a call, a sheet, another program or an operator makes a formula execute something.
_HARMLESS: Final = re.compile(r"[-+]+[^-+*/^&=<>(){}!|]*|@[-\w.\s]*|\s+")
_OPERAND: Final = re.compile(r"[^\W_]")
_OPEN_END: Final = ("=", "+", "-", "*", "/", "^", "&", "<", ">")
_PHONE: Final = re.compile(
    # One or two numbers with separators between the digits; longer text is not a phone number.
    r"[+][0-9][-+0-9 ().\u00a0/~]{0,60}"
    # If text such as an extension or a name follows a digit, the cell is not a formula.
    r"(?:(?<=[0-9)]) *[^-+*/^&=<>%:!|\s0-9.~)][^!|=]*)?"
)
_FEWEST_PHONE_DIGITS: Final = 7
"""Chosen: local numbers have seven digits or more; +1+2 is a formula."""


def is_formula(cell: str) -> bool:
    """Return whether a spreadsheet would execute a cell."""
    return (
        cell.startswith(_FORMULA)
        # A cell without a letter or digit, or with an operator at its end, is not a formula.
        and _OPERAND.search(cell) is not None
        and not cell.rstrip().endswith(_OPEN_END)
        and _HARMLESS.fullmatch(cell) is None
        and not _is_phone(cell)
    )


def _is_phone(cell: str) -> bool:
    digits = sum(map(str.isdigit, cell))
    return digits >= _FEWEST_PHONE_DIGITS and _PHONE.fullmatch(cell) is not None
