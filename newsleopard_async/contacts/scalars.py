"""How one value of a record, a data frame or a workbook becomes the text of a cell.

- Text stays as it is. A number is written in decimals, a bool as ``true`` or ``false``.
- A date, a time of day, and a datetime with a time zone are written in ISO 8601. A datetime
  without a zone is written as a date if it is midnight, because pandas, NumPy, Oracle and openpyxl
  have no other dates; any other is refused.
- ``None`` and other missing values (NaN, ``pandas.NA``, ``NaT``, ``msgspec.UNSET``) are an empty
  cell.
- A UUID is written as its usual text, an enum's member as its value, a scalar of NumPy as the
  Python value.
- Anything else is refused, and no message shows it.
"""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

__all__ = ["CellError", "cell_of", "is_missing"]


class CellError(ValueError):
    """A value that cannot become a cell; the message gives the reason and does not show it."""


def cell_of(value: object) -> str:
    """Return a value as text.

    Raises:
        CellError: the value has no unambiguous text.
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
    """Return whether a value is missing: None, any NaN, pandas' NA and NaT, msgspec's UNSET."""
    match value:
        case None:
            return True
        case Decimal():
            return value.is_nan()
        case float() | datetime():
            # pandas' NaT is a datetime. Like NaN, it is not equal to itself.
            return bool(value != value)  # noqa: PLR0124
        case _:
            # They are recognised by their class names: a comparison with pandas' NA returns NA.
            return type(value).__name__ in {"NAType", "UnsetType"}


def _number(value: float | Decimal) -> str:
    """Return a number without an exponent, which not every program reads as a number."""
    exact = Decimal(float.__repr__(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite():
        raise CellError("is infinite; pass None for an empty cell")
    return format(exact, "f")


def _day_or_instant(value: date) -> str:
    if isinstance(value, datetime) and value.utcoffset() is None:
        if value.time() != time.min:
            raise CellError("is a datetime without a time zone; give it one, or pass it as text")
        value = value.date()
    return value.isoformat()


def _of_other_type(value: Any) -> str:
    if isinstance(value, Enum):
        return cell_of(value.value)
    if isinstance(value, (UUID, time)):
        return str(value)
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return cell_of(_python_value(value))
    raise CellError(f"is a {type(value).__name__}; pass text, a number, a date or None instead")


def _python_value(scalar: Any) -> object:
    """Return the Python value of a scalar of NumPy."""
    kind = scalar.dtype.kind
    if kind == "f":
        # str() writes the digits of a 32-bit float, not of the nearest double.
        return float(str(scalar))
    if kind == "M":
        # item() returns a plain number for nanoseconds.
        return scalar.astype("datetime64[us]").item()
    return scalar.item()
