"""Reading single values off an answer: each function takes the value and where it stood."""

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
    "optional_text",
    "required_text",
    "text_or_digits",
    "url",
    "whole",
]

T = TypeVar("T")

_WHOLE = re.compile(r"(-?(?:[0-9]{1,18}|[0-9]{1,3}(?:,[0-9]{3}){1,5}))(?:\.0{1,2})?")
"""Digits, also in groups of three. Not ``1.000``, which is 1 here and 1,000 elsewhere."""

_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_LARGEST: Final = 10**18
"""From here on a number is no count. Chosen: as many digits as are read of a text."""

_INSTANT = re.compile(
    r"(?P<year>\d{4})(?P<mark>[-/])(?P<month>\d\d)(?P=mark)(?P<day>\d\d)(?:T|\x20)"
    r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d*))?)?"
    r"(?:\x20?(?:Z|UTC|GMT|(?P<sign>[+-])(?P<hours>\d\d)(?::?(?P<minutes>[0-5]\d))?)"
    r"(?:\[[\w/+-]+\])?)?",
    re.ASCII | re.IGNORECASE,
)
"""RFC 3339, and what servers in Java write beside it: ``+0000``, no zone, no seconds, a name of
the zone behind its offset (T108)."""

_USUAL_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
"""What the platform writes. The standard library reads it in a tenth of the time (measured)."""

_EPOCH = re.compile(r"\d{10}|\d{13}", re.ASCII)
_EPOCH_S: Final = range(10**9, 10**10)
"""Seconds since 1970, from 2001 to 2286, and the same years in ms. Between the two, and beside
them, a number may mean anything: a date without marks has 8 or 14 digits."""

_1970: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f-\x9f]")
_MICROSECOND_DIGITS: Final = 6
_FIRST: Final = 5
"""How many problems of an answer are named. Chosen: a page of lists has hundreds of dates."""


class WireError(ValueError):
    """An answer is not as documented. Its text holds nothing of the answer but names of fields.

    Attributes:
        path: Where, as ``$.Lists[0].sn``.
        problem: What is wrong there.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path
        self.problem = problem


@attrs.define
class Unread:
    """What could not be read of an answer, and decides nothing there."""

    _count: int = attrs.field(init=False, default=0)
    _first: list[str] = attrs.field(init=False, factory=list)

    def read(self, reader: Callable[[object, str], T], data: object, path: str) -> T | None:
        """Read a value that decides nothing; None if it cannot be read, which is noted."""
        try:
            return reader(data, path)
        except WireError as error:
            self.note(error)
            return None

    def note(self, error: WireError) -> None:
        """Note what could not be read."""
        self._count += 1
        if len(self._first) < _FIRST:
            self._first.append(str(error))

    def __str__(self) -> str:
        more = self._count - len(self._first)
        return ", ".join(self._first) + (f", and {more:,} more" if more else "")


def object_(data: object, path: str) -> Mapping[str, Any]:
    """Return a JSON object; fields that are not documented are simply never read (T57)."""
    if not isinstance(data, dict):
        raise WireError(path, "is not an object")
    return data


def required_text(data: object, path: str) -> str:
    """Return a text that must be there, as it may be shown. It is never converted (T16, T56)."""
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
    """Say whether nothing stands there: it is absent, null, or an empty text."""
    return data is None or (isinstance(data, str) and not data.strip())


def text_or_digits(data: object) -> object:
    """Write a whole number as its digits; what numbers codes may send them as numbers (T16).

    0 is none: it stands for "nothing" as well.
    """
    is_number = isinstance(data, int) and not isinstance(data, bool) and data > 0
    return str(data) if is_number else data


def code(data: object, path: str, *, reserved: bool = False) -> str:
    """Return a code that a later request can carry in its path (T12, T16).

    Any other is refused here, where it comes from: kept, it would stop every later run.

    Args:
        data: What stood there; a whole number is taken as its digits.
        path: Where.
        reserved: Whether it must not be a word of a path either, as the code of a list.
    """
    text = _required_text(text_or_digits(data), path)
    if not is_code(text, reserved=reserved):
        raise WireError(path, "is a code that no request can carry")
    return text


def optional_text(data: object, path: str) -> str:
    """Return a text, as it may be shown, or an empty one where there is none."""
    if data is None:
        return ""
    if not isinstance(data, str):
        raise WireError(path, "is not text")
    return shown(data)


def count(data: object, path: str) -> int | None:
    """Return how many there are, from 0; None means unknown, not 0."""
    found = whole(data, path)
    if found is not None and found < 0:
        raise WireError(path, "is below 0")
    return found


def whole(data: object, path: str) -> int | None:
    """Return a whole number, which may come as text (T55); None if there is none."""
    if type(data) is int and -_LARGEST < data < _LARGEST:
        return data
    if isinstance(data, str) and (match := _WHOLE.fullmatch(data.strip())):
        return int(match[1].replace(",", ""))
    value = number(data, path)
    if value is None:
        return None
    if isinstance(data, str) or not value.is_integer() or abs(value) >= _LARGEST:
        raise WireError(path, "is no whole number")
    return data if isinstance(data, int) else int(value)


def number(data: object, path: str) -> float | None:
    """Return a finite number, which may come as text; None means unknown, not 0."""
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
        raise WireError(path, "is no finite number")
    return value


def instant(data: object, path: str) -> datetime | None:
    """Return a time in UTC; None if there is none (T108).

    RFC 3339 has 0 to 9 fraction digits, and ``.09`` is 90 ms; what is finer than a microsecond
    is cut off. A time without a zone is UTC, as all others at the platform. A number counts
    seconds or milliseconds since 1970. A day without a time names no instant.
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
        # Raised below: the cause would show the text.
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
    """Return the URL of a report file, freed of the colons that samples begin with (T115)."""
    return url(_required_text(data, path).lstrip(": "), path, base_url)


def url(data: object, path: str, base_url: str = DEFAULT_BASE_URL) -> str:
    """Return a URL of the file storage byte for byte; see `problem_of_storage_url` (T09)."""
    text = _required_text(data, path)
    if _NOT_IN_A_URL.search(text):
        raise WireError(path, "is a URL with white space or control characters")
    parts = split_url(text, is_to_be_sent=False)
    if parts is None or not parts.hostname or parts.scheme not in {"https", "http"}:
        raise WireError(path, "is no https URL")
    problem = problem_of_storage_url(parts, base_url)
    if problem is not None:
        raise WireError(path, problem)
    return text
