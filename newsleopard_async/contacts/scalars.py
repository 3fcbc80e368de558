"""How one value of a record becomes the text of a cell."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

__all__ = ["CellError", "cell_of"]


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
