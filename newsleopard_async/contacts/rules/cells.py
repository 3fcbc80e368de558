"""Cells that are judged together; how often a rule found something; numbers and formulas."""

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


@attrs.define
class LineTally:
    """Counts everything, and keeps the first places; fed in the order of the lines.

    Attributes:
        count: How often it was found.
        places: The first lines, at most twenty.
    """

    count: int = 0
    places: list[int] = attrs.field(factory=list)

    def add(self, count: int, lines: Iterable[int]) -> None:
        """Count so many more, of which the lines are read no further than is needed."""
        self.count += count
        self.places.extend(islice(lines, MOST_PLACES - len(self.places)))

    @property
    def where(self) -> str:
        """The lines for a message: the first five, and how many more."""
        shown = ", ".join(map(str, self.places[:_MOST_SHOWN]))
        more = self.count - _MOST_SHOWN
        rest = f" and {more:,} more" if more > 0 else ""
        return f"{'line' if self.count == 1 else 'lines'} {shown}{rest}"

    def finding(
        self,
        level: Level,
        rule: str,
        message: str,
        *,
        column: str | None = None,
        scope: Scope = "rows",
    ) -> Finding:
        """Make a finding of it."""
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
        """Make an error of bad rows; a note if they were left out.

        Args:
            rule: The rule.
            says: What the rows are, such as ``without an address``.
            remedy: What to do about them.
            left_out: Whether they were left out.
            column: The column that it is about.
            scope: What the error is about.
        """
        what = f"{counted(self.count, 'row')} {says} ({self.where})"
        if left_out:
            return self.finding("note", rule, f"had {what}, left out", column=column)
        return self.finding("error", rule, f"has {what}; {remedy}", column=column, scope=scope)


NUMBER: Final = re.compile(r"[+-]?(?:[0-9]++|[0-9]{1,3}(?:,[0-9]{3})++)(?:\.[0-9]++)?")
"""With commas between thousands, or without."""


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
        """The cells as they stand in the rows."""
        return self.column.cells

    @property
    def joined(self) -> str:
        """All of them, each after a line feed, to be searched in one go."""
        return self.column.joined

    def lines_of(self, condition: Callable[[str], object]) -> list[int]:
        """Return the lines of the cells that a condition holds for."""
        return [line for cell, line in zip(self.cells, self.lines, strict=True) if condition(cell)]

    def filled(self) -> Cells:
        """Return those that are not empty."""
        may_be_empty = "\n\n" in self.joined or self.joined.endswith("\n")
        if not may_be_empty or all(self.cells):
            return self
        filled = Column.of(list(filter(None, self.cells)))
        return Cells(filled, list(compress(self.lines, self.cells)))


class CellRule(Protocol):
    """Looks at the cells of one column, batch by batch."""

    def __init__(self, column: str) -> None: ...

    def check(self, cells: Cells) -> None:
        """Take the next cells."""

    def findings(self) -> Iterator[Finding]:
        """Yield what was found, once everything was looked at."""


_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""The beginnings that make spreadsheets execute a cell, OWASP's "CSV injection"."""

# It takes a call, a sheet, another program or an operator to execute anything.
_HARMLESS: Final = re.compile(r"[-+]+[^-+*/^&=<>(){}!|]*|@[-\w.\s]*|\s+")
_OPERAND: Final = re.compile(r"[^\W_]")
_OPEN_END: Final = ("=", "+", "-", "*", "/", "^", "&", "<", ">")
_PHONE: Final = re.compile(
    # A number with what stands between its digits, or two of them; what is longer is none.
    r"[+][0-9][-+0-9 ().\u00a0/~]{0,60}"
    # If text follows a digit, such as an extension or a name, no formula can be read from it.
    r"(?:(?<=[0-9)]) *[^-+*/^&=<>%:!|\s0-9.~)][^!|=]*)?"
)
_FEWEST_PHONE_DIGITS: Final = 7


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would execute a cell."""
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
