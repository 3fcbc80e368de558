"""How one value becomes the text of a cell: of a record, of a data frame, of a workbook.

- Text stays as it is, a number is written out in decimals, a truth value is ``true`` or ``false``.
- A date and a datetime with its time zone are ISO 8601. A datetime without a zone is a date if it
  is midnight, since pandas, NumPy, Oracle and openpyxl have no other dates; any other is refused.
  A time of day is ISO 8601, too.
- None and what stands for a missing value (NaN, ``pandas.NA``, ``NaT``, ``msgspec.UNSET``) are an
  empty cell.
- A UUID is its usual text, an enum's member its value, a scalar of NumPy what it is in Python.
- Anything else is refused, and never shown.
"""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

__all__ = ["CellError", "cell_of", "is_missing"]


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
        case bool():
            return "true" if value else "false"
        case int():
            return _number(value)
        case _ if is_missing(value):
            return ""
        case float() | Decimal():
            return _number(value)
        case date():
            return _day_or_instant(value)
        case _:
            return _of_other_type(value)


def is_missing(value: object) -> bool:
    """Whether a value stands for none: None, any NaN, pandas' NA and NaT, msgspec's UNSET."""
    match value:
        case None:
            return True
        case Decimal():
            return value.is_nan()
        case float() | datetime():
            # pandas' NaT is a datetime, and equal to nothing, as a NaN is.
            return bool(value != value)  # noqa: PLR0124
        case _:
            # They are told by their names: comparing pandas' NA gives itself.
            return type(value).__name__ in {"NAType", "UnsetType"}


def _number(value: float | Decimal) -> str:
    """Write a number without an exponent, which not everybody reads as a number."""
    exact = Decimal(float.__repr__(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite():
        raise CellError("is infinite; give None for an empty cell")
    return format(exact, "f")


def _day_or_instant(value: date) -> str:
    if isinstance(value, datetime) and value.utcoffset() is None:
        if value.time() != time.min:
            raise CellError("is a datetime without a time zone; give it one, or write it as text")
        value = value.date()
    return value.isoformat()


def _of_other_type(value: Any) -> str:
    if isinstance(value, Enum):
        return cell_of(value.value)
    if isinstance(value, (UUID, time)):
        return str(value)
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return cell_of(_python_value(value))
    raise CellError(
        f"is a {type(value).__name__}; give text, a number, a date or None in its place"
    )


def _python_value(scalar: Any) -> object:
    """Return a scalar of NumPy as Python has it."""
    kind = scalar.dtype.kind
    if kind == "f":
        # A float of 32 bits by its own digits, and not by those of the nearest double.
        return float(str(scalar))
    if kind == "M":
        # Nanoseconds would become a number.
        return scalar.astype("datetime64[us]").item()
    return scalar.item()
