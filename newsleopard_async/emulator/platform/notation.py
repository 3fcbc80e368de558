"""How the platform writes codes, JSON, and the three forms of a timestamp; by hand.

Codes are 32 hex digits or UUIDs, all drawn from the seed (T16).
"""

from __future__ import annotations

import json
import random
import re
import uuid
from datetime import UTC, datetime
from typing import Any, Final

__all__ = [
    "Codes",
    "MalformedBody",
    "as_centis",
    "as_millis",
    "as_seconds",
    "parse_instant",
    "parse_json",
]

_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD][89abAB-F]")
_INSTANT: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{2,3})Z", re.ASCII)


class Codes:
    """A source of codes; the same seed gives the same codes in the same order."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"codes:{seed}")  # noqa: S311  # reproducible on purpose

    def sn(self) -> str:
        """Return a code of a list or a campaign."""
        return f"{self._random.getrandbits(128):032x}"

    def import_sn(self) -> str:
        """Return a code of an import."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def access_key_id(self) -> str:
        """Return an access key id of the storage, which is no secret but looks like one."""
        return "AKIA" + "".join(self._random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16))

    def secret(self) -> bytes:
        """Return the secret that signs storage URLs."""
        return self._random.randbytes(32)


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
