"""Checks of values before they are sent; each yields all problems that it finds."""

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

# U+2028 and U+2029 are not control characters, but they also break a header line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ADDRESS = re.compile(
    r"(?P<local>[^\s@<>()\[\],;:\\\"]{1,64})@(?P<domain>[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*)"
)


def raise_problems(problems: Iterable[Problem]) -> None:
    """Raise one InvalidRequest with all problems, if there are any."""
    found = tuple(problems)
    if found:
        raise InvalidRequest(found)


def wrong_type(field: str, value: object, wanted: str) -> Problem:
    """Return the problem of a value with a wrong type; it does not show the value."""
    return Problem(field, "type", f"must be {wanted}, not {type(value).__name__}")


def problems_of_type(
    field: str, value: object, cls: type | tuple[type, ...], wanted: str
) -> Iterator[Problem]:
    """Yield a problem unless the value is an instance; a bool does not count as a number."""
    if not isinstance(value, cls) or (isinstance(value, bool) and cls is not bool):
        yield wrong_type(field, value, wanted)


def problems_of_count(
    field: str, value: object, *, low: int = 0, high: int | None = None
) -> Iterator[Problem]:
    """Yield a problem unless the value is a whole number in a range."""
    if not isinstance(value, int) or isinstance(value, bool):
        yield wrong_type(field, value, "a whole number")
    elif high is not None and not low <= value <= high:
        yield Problem(field, "range", f"must be from {low} to {high:,}")
    elif value < low:
        yield Problem(field, "range", f"must be at least {low}")


def problems_of_max_rejected(value: object) -> Iterator[Problem]:
    """Yield a problem unless the value is a limit of rejected rows: a number, a share, or None."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        yield wrong_type("max_rejected", value, "a number of rows, a share, or None")
    elif not value >= 0:  # also refuses NaN
        yield Problem("max_rejected", "range", "must not be negative; None allows any number")


def problems_of_time(field: str, value: object, zone: str = "UTC") -> Iterator[Problem]:
    """Yield a problem unless the value is a datetime with a time zone.

    Args:
        zone: The example of a zone in the message.
    """
    if not isinstance(value, datetime):
        yield wrong_type(field, value, f"a datetime with a time zone, for example tzinfo={zone}")
    elif value.utcoffset() is None:
        yield Problem(field, "aware", f"has no time zone; add one, for example tzinfo={zone}")
    elif not _is_in_utc(value):
        yield Problem(field, "exists", "has no date in UTC; choose a year from 2 to 9998")


def _is_in_utc(when: datetime) -> bool:
    try:
        when.astimezone(UTC)
    except OverflowError:
        return False
    return True


def problems_of_text(field: str, value: object, *, wanted: str = "text") -> Iterator[Problem]:
    """Yield the problems of a text, which can have several lines."""
    if not isinstance(value, str):
        yield wrong_type(field, value, wanted)
    elif not value.strip():
        yield Problem(field, "required", "is empty; write a text")
    else:
        yield from problems_of_encoding(field, value)


def problems_of_line(field: str, value: object) -> Iterator[Problem]:
    """Yield the problems of a text in one line, for example of a mail header."""
    yield from problems_of_text(field, value)
    if isinstance(value, str) and _CONTROL.search(value):
        yield Problem(field, "one-line", "contains a line break or control character; remove it")


def problems_of_encoding(field: str, value: str) -> Iterator[Problem]:
    """Yield a problem if the text cannot be sent as UTF-8."""
    if _SURROGATE.search(value):
        yield Problem(
            field,
            "encoding",
            "contains half of a surrogate pair, which UTF-8 cannot encode; decode the source again",
        )


def problems_of_address(field: str, value: object) -> Iterator[Problem]:
    """Yield the problems of the mail address of a sender."""
    found = list(problems_of_line(field, value))
    yield from found
    if not found and isinstance(value, str):
        yield from _problems_of_address_text(field, value)


def _problems_of_address_text(field: str, value: str) -> Iterator[Problem]:
    if not value.isascii():
        yield Problem(
            field,
            "ascii",
            "contains a character outside ASCII (perhaps ＠); write a domain as xn--…",
        )
    elif not (match := _ADDRESS.fullmatch(value)) or _has_bad_dots(match["local"]):
        yield Problem(field, "address", "is not a mail address alone; write it as name@example.com")


def _has_bad_dots(local: str) -> bool:
    return local.startswith(".") or local.endswith(".") or ".." in local
