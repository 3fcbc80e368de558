"""Rules that values obey before they are sent; each yields every problem it finds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from newsleopard_async.errors import InvalidRequest, Problem

__all__ = [
    "problems_of_address",
    "problems_of_count",
    "problems_of_encoding",
    "problems_of_line",
    "problems_of_max_rejected",
    "problems_of_text",
    "problems_of_time",
    "problems_of_type",
    "raise_problems",
    "wrong_type",
]

# The line separators that are no control characters break a header line all the same.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ADDRESS = re.compile(
    r"(?P<local>[^\s@<>()\[\],;:\\\"]{1,64})@(?P<domain>[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*)"
)


def raise_problems(problems: Iterable[Problem]) -> None:
    """Raise one InvalidRequest with all the problems, if there are any."""
    found = tuple(problems)
    if found:
        raise InvalidRequest(found)


def wrong_type(field: str, value: object, wanted: str) -> Problem:
    """Build the problem of a value of another type; the value itself is not shown."""
    return Problem(field, "type", f"must be {wanted}, not {type(value).__name__}")


def problems_of_type(
    field: str, value: object, cls: type | tuple[type, ...], wanted: str
) -> Iterator[Problem]:
    """Yield a problem unless the value is of the class; a bool is no number."""
    if not isinstance(value, cls) or (isinstance(value, bool) and cls is not bool):
        yield wrong_type(field, value, wanted)


def problems_of_count(
    field: str, value: object, *, low: int = 0, high: int | None = None
) -> Iterator[Problem]:
    """Yield what is wrong with a whole number that must be in a range."""
    if not isinstance(value, int) or isinstance(value, bool):
        yield wrong_type(field, value, "a whole number")
    elif high is not None and not low <= value <= high:
        yield Problem(field, "range", f"must be from {low} to {high:,}")
    elif value < low:
        yield Problem(field, "range", f"must be at least {low}")


def problems_of_max_rejected(value: object) -> Iterator[Problem]:
    """Yield what is wrong with how many rows may be rejected: a number, a share, or None."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        yield wrong_type("max_rejected", value, "a number of rows, a share, or None")
    elif not value >= 0:  # which NaN is not, either
        yield Problem("max_rejected", "range", "must not be negative; None allows any number")


def problems_of_time(field: str, value: object, zone: str = "UTC") -> Iterator[Problem]:
    """Yield a problem unless the value is an instant, which a datetime without a zone is not.

    Args:
        zone: The zone that is shown as an example.
    """
    if not isinstance(value, datetime):
        yield wrong_type(field, value, f"a datetime with a time zone, as in tzinfo={zone}")
    elif value.utcoffset() is None:
        yield Problem(field, "aware", f"has no time zone; give it one, as in tzinfo={zone}")
    elif not _is_in_utc(value):
        yield Problem(field, "exists", "lies beyond the ends of the calendar in UTC")


def _is_in_utc(when: datetime) -> bool:
    try:
        when.astimezone(UTC)
    except OverflowError:
        return False
    return True


def problems_of_text(field: str, value: object, *, wanted: str = "text") -> Iterator[Problem]:
    """Yield what is wrong with a text that may have several lines."""
    if not isinstance(value, str):
        yield wrong_type(field, value, wanted)
    elif not value.strip():
        yield Problem(field, "required", "is empty; give it a text")
    else:
        yield from problems_of_encoding(field, value)


def problems_of_line(field: str, value: object) -> Iterator[Problem]:
    """Yield what is wrong with a text of one line, such as one that becomes a mail header."""
    yield from problems_of_text(field, value)
    if isinstance(value, str) and _CONTROL.search(value):
        yield Problem(field, "one-line", "holds a line break or control character; remove it")


def problems_of_encoding(field: str, value: str) -> Iterator[Problem]:
    """Yield a problem if the text cannot be sent as UTF-8."""
    if _SURROGATE.search(value):
        yield Problem(
            field,
            "encoding",
            "holds half a surrogate pair, which no UTF-8 can carry; decode the source again",
        )


def problems_of_address(field: str, value: object) -> Iterator[Problem]:
    """Yield what is wrong with the mail address of a sender."""
    found = list(problems_of_line(field, value))
    yield from found
    if not found and isinstance(value, str):
        yield from _problems_of_address_text(field, value)


def _problems_of_address_text(field: str, value: str) -> Iterator[Problem]:
    if not value.isascii():
        yield Problem(
            field, "ascii", "holds a character outside ASCII (perhaps ＠); write a domain as xn--…"
        )
    elif not (match := _ADDRESS.fullmatch(value)) or _has_bad_dots(match["local"]):
        yield Problem(
            field, "address", "is no bare mail address; write it as name@example.com, nothing else"
        )


def _has_bad_dots(local: str) -> bool:
    return local.startswith(".") or local.endswith(".") or ".." in local
