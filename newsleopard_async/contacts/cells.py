"""Values of records as cells of a CSV.

The rules:

- text stays as it is, None is an empty cell, a number is written out in decimals, a truth value
  is ``true`` or ``false``, a date and a datetime with its time zone are ISO 8601;
- anything else is refused by the number of its record and its column, and never shown;
- a cell is quoted where it must be, so that it reads back as it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

__all__ = ["CellError", "cell_of", "csv_row"]

_TO_QUOTE: Final = re.compile(r'["\r\n;|\t，]')
"""The separators of others too: a header with one in it must not pass for theirs."""


class CellError(ValueError):
    """A value that cannot be a cell; says why, and does not show it."""


def cell_of(value: object) -> str:
    """Write a value as text.

    Raises:
        CellError: it is nothing that has one way to be written.
    """
    match value:
        case str():
            # An enum's own str() would be its name.
            return str.__str__(value)
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float() | Decimal():
            return _number(value)
        case datetime() if value.utcoffset() is None:
            raise CellError("is a datetime without a time zone; give it one, or write it as text")
        case date():
            return value.isoformat()
        case _:
            raise CellError(
                f"is a {type(value).__name__}; give text, a number, a date or None in its place"
            )


def _number(value: float | Decimal) -> str:
    """Write a number without an exponent, which not everybody reads as a number."""
    exact = Decimal(float.__repr__(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite():
        raise CellError("is no finite number; give None for an empty cell")
    return format(exact, "f")


def csv_row(cells: Sequence[str]) -> str:
    """Write a row of a CSV, with its line feed."""
    row = ",".join(cells)
    # Most rows need no quotes, and are done with one look.
    if row.count(",") != len(cells) - 1 or _TO_QUOTE.search(row):
        row = ",".join([_quoted(cell) for cell in cells])
    # A row of one blank cell would be a blank line, which is no row.
    return f"{row}\n" if row.strip() else f'"{row}"\n'


def _quoted(cell: str) -> str:
    if "," in cell or _TO_QUOTE.search(cell):
        doubled = cell.replace('"', '""')
        return f'"{doubled}"'
    return cell
