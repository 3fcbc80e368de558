"""The wire's JSON, written by hand: answers, refusals and the three forms of a timestamp."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs

__all__ = [
    "Call",
    "MalformedBody",
    "Reply",
    "as_centis",
    "as_millis",
    "as_seconds",
    "empty",
    "json_reply",
    "parse_instant",
    "parse_json",
]

JSON_TYPE: Final = "application/json"
_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD][89abAB-F]")
_INSTANT: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{2,3})Z", re.ASCII)


@attrs.frozen(kw_only=True)
class Call:
    """A request that passed the gateway.

    Attributes:
        path: Values of the path's placeholders.
        query: Query parameters; of several with one name the last counts.
        headers: With lower-case names.
        body: As it came.
    """

    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@attrs.frozen(kw_only=True)
class Reply:
    """An answer."""

    status: int
    body: bytes = b""
    media_type: str = JSON_TYPE
    headers: Mapping[str, str] = attrs.field(factory=dict)


def json_reply(value: object, *, status: int = 200) -> Reply:
    """Build an answer with a JSON body."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Reply(status=status, body=text.encode())


def empty(status: int) -> Reply:
    """Build an answer without content, which announces JSON all the same (T14)."""
    return Reply(status=status)


class MalformedBody(Exception):
    """The body is no JSON that the platform could read."""


def parse_json(body: bytes) -> Any:
    """Read a JSON body.

    Raises:
        MalformedBody: it is not UTF-8, no JSON, nested too deeply, or holds what JSON cannot
            (lone surrogates, NaN, Infinity).
    """
    try:
        text = body.decode("utf-8")
        value = json.loads(text, parse_constant=_refuse_constant)
        if _ESCAPED_SURROGATE.search(text):
            _refuse_lone_surrogates(value)
    except (ValueError, RecursionError) as error:
        raise MalformedBody from error
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _refuse_lone_surrogates(value: object) -> None:
    """Raise UnicodeEncodeError, a ValueError, where a text cannot be written as UTF-8."""
    json.dumps(value, ensure_ascii=False).encode("utf-8")


def as_seconds(instant: datetime | None) -> str | None:
    """Write ``2019-03-05T08:19:26Z``, the form of createDate, updateDate, completedDate."""
    return None if instant is None else f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def as_millis(instant: datetime) -> str:
    """Write ``2019-04-01T08:38:32.569Z``, the form of sentBeginDate and createdDate."""
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


def as_centis(instant: datetime) -> str:
    """Write ``2019-08-27T08:08:54.09Z``, the form of sentEndDate."""
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 10_000:02d}Z"


def parse_instant(text: str) -> datetime | None:
    """Read a time with two or three fraction digits and Z; None for any other form (T74, T105)."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        return None
    *parts, fraction = match.groups()
    try:
        instant = datetime(*(int(part) for part in parts), tzinfo=UTC)  # type: ignore[arg-type, misc]  # six ints
    except ValueError:
        return None
    return instant.replace(microsecond=int(fraction.ljust(6, "0")))
