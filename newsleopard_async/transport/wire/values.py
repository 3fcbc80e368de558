"""Reads single values of an answer: each function takes the value and its path."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, TypeVar

import attrs

from newsleopard_async.disclosure import shown
from newsleopard_async.models.codes import is_code
from newsleopard_async.transport.settings import DEFAULT_BASE_URL
from newsleopard_async.transport.urls import problem_of_storage_url, split_url

__all__ = [
    "Unread",
    "WireError",
    "code",
    "count",
    "instant",
    "is_blank",
    "link",
    "number",
    "object_",
    "optional_name",
    "optional_text",
    "required_text",
    "text_or_digits",
    "url",
    "whole",
]

T = TypeVar("T")

_WHOLE = re.compile(r"(-?(?:[0-9]{1,18}|[0-9]{1,3}(?:,[0-9]{3}){1,5}))(?:\.0{1,2})?")
"""Digits, possibly in groups of three. ``1.000`` is ambiguous: it can be 1 or 1,000."""

_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_LARGEST: Final = 10**18
"""The first number that is too large for a count. Chosen: the number of digits that are read of a
text."""

_INSTANT = re.compile(
    r"(?P<year>\d{4})(?P<mark>[-/])(?P<month>\d\d)(?P=mark)(?P<day>\d\d)(?:T|\x20)"
    r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d*))?)?"
    r"(?:\x20?(?:Z|UTC|GMT|(?P<sign>[+-])(?P<hours>\d\d)(?::?(?P<minutes>[0-5]\d))?)"
    r"(?:\[[\w/+-]+\])?)?",
    re.ASCII | re.IGNORECASE,
)
"""RFC 3339, and the other forms of Java servers: ``+0000``, no zone, no seconds, a name of the zone
after its offset (T108)."""

_USUAL_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
"""The platform's usual form. Measured: the standard library reads it in a tenth of the time."""

_EPOCH = re.compile(r"\d{10}|\d{13}", re.ASCII)
_EPOCH_S: Final = range(10**9, 10**10)
"""Seconds since 1970, from 2001 to 2286, and the same years in ms. Any other number is ambiguous: a
date without separators has 8 or 14 digits."""

_1970: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f-\x9f]")
_MICROSECOND_DIGITS: Final = 6
_FIRST: Final = 5
"""The number of problems of an answer that are named. Chosen: a page of lists has hundreds of
dates."""


class WireError(ValueError):
    """An answer that is not as documented. Its text contains only names of fields.

    Attributes:
        path: The path, for example ``$.Lists[0].sn``.
        problem: What is wrong.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path
        self.problem = problem


@attrs.define
class Unread:
    """The unreadable parts of an answer that decide nothing."""

    _count: int = attrs.field(init=False, default=0)
    _first: list[str] = attrs.field(init=False, factory=list)

    def read(self, reader: Callable[[object, str], T], data: object, path: str) -> T | None:
        """Read a value that decides nothing; if it cannot be read, note that and return None."""
        try:
            return reader(data, path)
        except WireError as error:
            self.note(error)
            return None

    def note(self, error: WireError) -> None:
        """Note an unreadable value."""
        self._count += 1
        if len(self._first) < _FIRST:
            self._first.append(str(error))

    def __str__(self) -> str:
        more = self._count - len(self._first)
        return ", ".join(self._first) + (f", and {more:,} more" if more else "")


def object_(data: object, path: str) -> Mapping[str, Any]:
    """Return a JSON object; undocumented fields are never read (T57)."""
    if not isinstance(data, dict):
        raise WireError(path, "is not an object")
    return data


def required_text(data: object, path: str) -> str:
    """Return a required text that is safe to show. Nothing is converted to text (T16, T56)."""
    return shown(_required_text(data, path))


def _required_text(data: object, path: str) -> str:
    if data is None:
        raise WireError(path, "is missing")
    if not isinstance(data, str):
        raise WireError(path, "is not text")
    if not data.strip():
        raise WireError(path, "is empty")
    return data


def is_blank(data: object) -> bool:
    """Return whether a value is absent, null, or an empty text."""
    return data is None or (isinstance(data, str) and not data.strip())


def text_or_digits(data: object) -> object:
    """Convert a whole number to its digits; a server that numbers codes can send numbers (T16).

    0 is not converted, because it can also mean "nothing".
    """
    is_number = isinstance(data, int) and not isinstance(data, bool) and data > 0
    return str(data) if is_number else data


def code(data: object, path: str, *, reserved: bool = False) -> str:
    """Return a code that can be part of a later request's path (T12, T16).

    Any other code is refused immediately: if it were stored, it would stop every later run.

    Args:
        data: The value; a whole number counts as its digits.
        path: Its path.
        reserved: Whether words of paths are refused too, as for the code of a list.
    """
    text = _required_text(text_or_digits(data), path)
    if not is_code(text, reserved=reserved):
        raise WireError(path, "is a code that cannot be part of a request")
    return text


def optional_text(data: object, path: str) -> str:
    """Return a text that is safe to show, or an empty one if there is none."""
    if data is None:
        return ""
    if not isinstance(data, str):
        raise WireError(path, "is not text")
    return shown(data)


def optional_name(data: object, path: str) -> str:
    """Return a name as `optional_text` does; a whole number counts as its digits."""
    return optional_text(text_or_digits(data), path)


def count(data: object, path: str) -> int | None:
    """Return a number of items, from 0; None means unknown, not 0."""
    found = whole(data, path)
    if found is not None and found < 0:
        raise WireError(path, "is below 0")
    return found


def whole(data: object, path: str) -> int | None:
    """Return a whole number, possibly sent as text (T55); None if there is none."""
    if type(data) is int and -_LARGEST < data < _LARGEST:
        return data
    if isinstance(data, str) and (match := _WHOLE.fullmatch(data.strip())):
        return int(match[1].replace(",", ""))
    value = number(data, path)
    if value is None:
        return None
    if isinstance(data, str) or not value.is_integer() or abs(value) >= _LARGEST:
        raise WireError(path, "is not a whole number")
    return data if isinstance(data, int) else int(value)


def number(data: object, path: str) -> float | None:
    """Return a finite number, possibly sent as text; None means unknown, not 0."""
    if is_blank(data):
        return None
    if isinstance(data, str) and _DECIMAL.fullmatch(data.strip()):
        return float(data)
    if not isinstance(data, (int, float)) or isinstance(data, bool):
        raise WireError(path, "is not a number")
    try:
        value = float(data)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise WireError(path, "is not a finite number")
    return value


def instant(data: object, path: str) -> datetime | None:
    """Return a time in UTC; None if there is none (T108).

    RFC 3339 has 0 to 9 fraction digits, and ``.09`` is 90 ms; digits after the sixth are dropped. A
    time without a zone is UTC, like all others of the platform. A number counts seconds or
    milliseconds since 1970. A day without a time is not an instant.
    """
    if is_blank(data):
        return None
    text = data.strip() if isinstance(data, str) else ""
    is_usual = _USUAL_INSTANT.fullmatch(text)
    match = is_usual or _INSTANT.fullmatch(text)
    if match is None:
        return _since_1970(int(text) if _EPOCH.fullmatch(text) else data, path)
    try:
        return datetime.fromisoformat(text) if is_usual else _instant(match)
    except (ValueError, OverflowError):
        # The error is raised below, because its cause would show the text.
        pass
    raise WireError(path, "is a time that does not exist")


def _instant(match: re.Match[str]) -> datetime:
    fraction = (match["fraction"] or "")[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0")
    parts = match.group("year", "month", "day", "hour", "minute")
    year, month, day, hour, minute = map(int, parts)
    second = int(match["second"] or 0)
    local = datetime(year, month, day, hour, minute, second, int(fraction), tzinfo=UTC)
    if match["sign"] is None:
        return local
    offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
    zone = timezone(-offset if match["sign"] == "-" else offset)
    return local.replace(tzinfo=zone).astimezone(UTC)


def _since_1970(data: object, path: str) -> datetime:
    if isinstance(data, (int, float)):
        if _EPOCH_S.start <= data < _EPOCH_S.stop:
            return _1970 + timedelta(seconds=data)
        if _EPOCH_S.start * 1_000 <= data < _EPOCH_S.stop * 1_000:
            return _1970 + timedelta(milliseconds=data)
    raise WireError(path, "is not a time")


def link(data: object, path: str, base_url: str = DEFAULT_BASE_URL) -> str:
    """Return the URL of a report file, without the colons with which samples begin (T115)."""
    return url(_required_text(data, path).lstrip(": "), path, base_url)


def url(data: object, path: str, base_url: str = DEFAULT_BASE_URL) -> str:
    """Return a URL of the file storage unchanged; see `problem_of_storage_url` (T09)."""
    text = _required_text(data, path)
    if _NOT_IN_A_URL.search(text):
        raise WireError(path, "is a URL with white space or control characters")
    parts = split_url(text, is_to_be_sent=False)
    if parts is None or not parts.hostname or parts.scheme not in {"https", "http"}:
        raise WireError(path, "is not an https URL")
    problem = problem_of_storage_url(parts, base_url)
    if problem is not None:
        raise WireError(path, problem)
    return text
