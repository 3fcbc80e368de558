"""The platform's notation of codes, counts, dates and JSON.

Codes are 32 hex digits or UUIDs, all drawn from the seed (T16). This module writes all codes,
counts and dates of answers and webhooks, in the form that the switches set.
"""

from __future__ import annotations

import json
import random
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from newsleopard_async.emulator.switches import SwitchBoard, Switches

__all__ = [
    "Codes",
    "MalformedBody",
    "as_code",
    "as_count",
    "as_date",
    "as_millis",
    "parse_instant",
    "parse_json",
]

_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD][89abAB-F]")
_INSTANT: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{2,3})Z", re.ASCII)


NUMERIC_DIGITS: Final = 15
"""Digits of a numeric code; chosen: the most that any JSON reader reads exactly, below 2**53."""


class Codes:
    """A source of codes; the same seed gives the same codes in the same order."""

    def __init__(self, seed: int, board: SwitchBoard) -> None:
        self._random = random.Random(f"codes:{seed}")  # noqa: S311  # reproducible on purpose
        self._board = board

    def sn(self) -> str:
        """Return a new code of a list or a campaign."""
        if self._board.on.numeric_codes:
            return self._digits()
        return f"{self._random.getrandbits(128):032x}"

    def import_sn(self) -> str:
        """Return a new code of an import."""
        if self._board.on.numeric_codes:
            return self._digits()
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _digits(self) -> str:
        return str(self._random.randrange(10 ** (NUMERIC_DIGITS - 1), 10**NUMERIC_DIGITS))

    def access_key_id(self) -> str:
        """Return an access key id of the storage, which looks like a secret but is public."""
        return "AKIA" + "".join(self._random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16))

    def secret(self) -> bytes:
        """Return the secret that signs storage URLs."""
        return self._random.randbytes(32)


class MalformedBody(Exception):
    """The body is not JSON that the platform can read."""


def parse_json(body: bytes) -> Any:
    """Read a JSON body.

    Raises:
        MalformedBody: the body is not UTF-8 or not JSON, is nested too deeply, or contains a value
            that JSON does not allow (unpaired surrogates, NaN, Infinity).
    """
    try:
        text = body.decode("utf-8")
        value = json.loads(text, parse_constant=_refuse_constant)
        if _ESCAPED_SURROGATE.search(text):
            _refuse_unpaired_surrogates(value)
    except (ValueError, RecursionError) as error:
        raise MalformedBody from error
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _refuse_unpaired_surrogates(value: object) -> None:
    """Raise UnicodeEncodeError, a ValueError, if a text cannot be encoded as UTF-8."""
    json.dumps(value, ensure_ascii=False).encode("utf-8")


def as_code(sn: str, on: Switches) -> str | int:
    """Return the code of a list, a campaign or an import as answers have it (T16)."""
    return int(sn) if on.numeric_codes and sn.isdecimal() and len(sn) == NUMERIC_DIGITS else sn


def as_count(number: int, on: Switches, *, printed_as_text: bool = False) -> str | int:
    """Return a count as answers have it; the documentation prints one of them as text (T55)."""
    form = on.count_form
    if form == "documented":
        form = "text" if printed_as_text and not on.counts_as_numbers else "number"
    if form == "number":
        return number
    return "" if form == "blank" else f"{number:,}" if form == "grouped" else str(number)


def as_date(instant: datetime | None, on: Switches, *, digits: int = 0) -> str | int | None:
    """Return a date as answers have it.

    ``digits`` are the decimals of the seconds in the documentation: 0 at createDate, updateDate
    and completedDate, 3 at sentBeginDate and createdDate, 2 at sentEndDate (T108).
    """
    form = on.date_form
    if instant is None or form == "null":
        return None
    if form == "empty":
        return ""
    if form in _UNITS:
        return (instant - _EPOCH) // _UNITS[form]
    text = _stamp(instant, digits)
    return text.replace("T", " ") + "Z" if form == "blank" else text + _ZONES[form]


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = {"seconds": timedelta(seconds=1), "millis": timedelta(milliseconds=1)}
_ZONES: Final = {"documented": "Z", "offset": "+00:00", "compact_offset": "+0000", "no_zone": ""}


def _stamp(instant: datetime, digits: int) -> str:
    fraction = f".{instant.microsecond:06d}"[: digits + 1] if digits else ""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}{fraction}"


def as_millis(instant: datetime) -> str:
    """Return ``2019-04-01T08:38:32.569Z``, the form of the times in a report file."""
    return _stamp(instant, 3) + "Z"


def parse_instant(text: str) -> datetime | None:
    """Parse a time with two or three decimals and Z; return None for any other form (T74, T105)."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        return None
    *parts, fraction = match.groups()
    try:
        instant = datetime(*(int(part) for part in parts), tzinfo=UTC)  # type: ignore[arg-type, misc]  # six ints
    except ValueError:
        return None
    return instant.replace(microsecond=int(fraction.ljust(6, "0")))
