"""Reading single values off an answer: each function takes the value and where it stood."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from newsleopard_async.disclosure import shown
from newsleopard_async.models.codes import problems_of_code
from newsleopard_async.transport.settings import DEFAULT_BASE_URL
from newsleopard_async.transport.urls import problem_of_storage_url, split_url

__all__ = [
    "WireError",
    "array",
    "code",
    "count",
    "entries",
    "instant",
    "link",
    "number",
    "object_",
    "optional_text",
    "required_text",
    "url",
]

_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_INSTANT = re.compile(
    r"(?P<date_and_time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.(?P<fraction>\d{1,9}))?"
    r"(?P<zone>Z|(?P<sign>[+-])(?P<hours>\d\d):(?P<minutes>\d\d))",
    re.ASCII | re.IGNORECASE,
)
_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f-\x9f]")
_MICROSECOND_DIGITS: Final = 6


class WireError(ValueError):
    """An answer is not as documented. Its text holds nothing of the answer.

    Attributes:
        path: Where, as ``$.Lists[0].sn``.
        problem: What is wrong there.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path
        self.problem = problem


def object_(data: object, path: str) -> Mapping[str, Any]:
    """Return a JSON object; fields that are not documented are simply never read (T57)."""
    if not isinstance(data, dict):
        raise WireError(path, "is no object")
    return data


def array(data: object, path: str) -> list[Any]:
    """Return a JSON array."""
    if not isinstance(data, list):
        raise WireError(path, "is no array")
    return data


def entries(data: object, wrapper: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the objects, each with its path, of an array or of the wrapper around one.

    The samples print the wrapper, the schemas the bare array (T54, T114).
    """
    path = "$"
    if isinstance(data, dict):
        if wrapper not in data:
            raise WireError("$", f"is neither an array nor an object with {wrapper}")
        path, data = f"$.{wrapper}", data[wrapper]
    return [
        (f"{path}[{place}]", object_(item, f"{path}[{place}]"))
        for place, item in enumerate(array(data, path))
    ]


def required_text(data: object, path: str) -> str:
    """Return a text that must be there, as it may be shown. It is never converted (T16, T56)."""
    return shown(_required_text(data, path))


def _required_text(data: object, path: str) -> str:
    if data is None:
        raise WireError(path, "is missing")
    if not isinstance(data, str):
        raise WireError(path, "is no text")
    if not data.strip():
        raise WireError(path, "is empty")
    return data


def code(data: object, path: str, *, reserved: bool = False) -> str:
    """Return a code that a later request can carry in its path (T12, T16).

    Any other is refused here, where it comes from: kept, it would stop every later run.

    Args:
        data: What stood there.
        path: Where.
        reserved: Whether it must not be a word of a path either, as the code of a list.
    """
    text = _required_text(data, path)
    if any(problems_of_code(path, text, reserved=reserved)):
        raise WireError(path, "is a code that no request can carry")
    return text


def optional_text(data: object, path: str) -> str:
    """Return a text, as it may be shown, or an empty one where there is none."""
    if data is None:
        return ""
    if not isinstance(data, str):
        raise WireError(path, "is no text")
    return shown(data)


def count(data: object, path: str) -> int | None:
    """Return a whole number, which may come as text (T55); None means unknown, not 0."""
    if isinstance(data, str) and _WHOLE.fullmatch(data):
        return int(data)
    value = None if isinstance(data, str) else number(data, path)
    if isinstance(data, str) or (value is not None and not value.is_integer()):
        raise WireError(path, "is no whole number")
    return data if isinstance(data, int) else None if value is None else int(value)


def number(data: object, path: str) -> float | None:
    """Return a finite number, which may come as text; None means unknown, not 0."""
    if data is None:
        return None
    if isinstance(data, str) and _DECIMAL.fullmatch(data):
        return float(data)
    if not isinstance(data, (int, float)) or isinstance(data, bool):
        raise WireError(path, "is no number")
    try:
        value = float(data)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise WireError(path, "is no finite number")
    return value


def instant(data: object, path: str) -> datetime | None:
    """Return an RFC 3339 time in UTC; None where there is none, or an empty text (T108).

    It may have 0 to 9 fraction digits, and ``.09`` is 90 ms; what is finer than a
    microsecond is cut off.
    """
    text = optional_text(data, path)
    if not text:
        return None
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise WireError(path, "is no RFC 3339 time")
    try:
        return _instant(match)
    except (ValueError, OverflowError):
        # Raised below: the cause would show the text.
        pass
    raise WireError(path, "is a time that does not exist")


def _instant(match: re.Match[str]) -> datetime:
    fraction = (match["fraction"] or "")[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0")
    local = datetime.fromisoformat(match["date_and_time"].upper())
    local = local.replace(microsecond=int(fraction))
    if match["sign"] is None:
        return local.replace(tzinfo=UTC)
    offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"]))
    zone = timezone(-offset if match["sign"] == "-" else offset)
    return local.replace(tzinfo=zone).astimezone(UTC)


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
