"""Reads times and durations of a person: ``2027-01-05 10:00 Asia/Taipei`` and ``10m``."""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from newsleopard_async.cli.translation import translated as _
from newsleopard_async.models import Timezone

__all__ = ["parse_duration", "parse_instant"]

_EXAMPLE: Final = "2027-01-05 10:00 Asia/Taipei"

_INSTANT: Final = re.compile(
    r"(?P<date>\d{4}[-/]\d{1,2}[-/]\d{1,2})[T ]\s*(?P<time>\d{1,2}:\d{2}(?::\d{2})?)\s*"
    r"(?P<zone>.*)"
)
_OFFSET: Final = re.compile(
    r"(?:UTC|GMT)?(?P<sign>[+-])"
    r"(?:(?P<hours>\d{1,2})(?::(?P<minutes>[0-5]\d))?|(?P<HH>\d{2})(?P<MM>[0-5]\d))",
    re.IGNORECASE,
)
"""UTC+8 and GMT+8 are usual in Taiwan, and always mean 8 hours before Greenwich."""
_CLOSE: Final = 0.75
"""Chosen: it finds a zone with a wrong letter, and none for an abbreviation: CST is not UCT."""
_IN_UTC: Final = frozenset({"Z", "UTC", "GMT"})

_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_PIECE: Final = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_instant(text: str) -> datetime:
    """Read a date, a time and a zone or an offset.

    A local time that the clocks skip, or that occurs twice, is refused: a mail must not be sent an
    hour earlier or later than a person meant.

    Raises:
        ValueError: it is not such a time; the message is for a person.
    """
    found = _INSTANT.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            _("{text!r} is not a time; write it as {example}").format(text=text, example=_EXAMPLE)
        )
    if not found["zone"]:
        raise ValueError(
            _(
                "{text!r} has no time zone; add its name or its offset: {example}, or "
                "2027-01-05 10:00 +08:00"
            ).format(text=text, example=_EXAMPLE)
        )
    zone = _zone_of(found["zone"])
    numbers = [int(each) for each in re.findall(r"\d+", f"{found['date']} {found['time']} 0")]
    year, month, day, hour, minute, second = numbers[:6]
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError as error:
        raise ValueError(
            _("{text!r} is not in the calendar: {reason}").format(text=text, reason=error)
        ) from None
    _refuse_change_of_clocks(local, text)
    try:
        local.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(
            _("{text!r} is not in the calendar: {reason}").format(text=text, reason=error)
        ) from None
    return local


def _zone_of(name: str) -> tzinfo:
    if name.upper() in _IN_UTC:
        return UTC
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        hours, minutes = offset["hours"] or offset["HH"], offset["minutes"] or offset["MM"] or 0
        distance = timedelta(hours=int(hours), minutes=int(minutes))
        if distance < timedelta(days=1):
            return timezone(-distance if offset["sign"] == "-" else distance)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass  # The platform has names of its own, such as TAIPEI.
    listed = Timezone.__members__.get(name.upper())
    if listed is not None:
        return listed.zone
    zones = [each for each in available_timezones() if "/" in each]
    close = difflib.get_close_matches(name, zones, n=1, cutoff=_CLOSE)
    hint = _("did you mean {zone}?").format(zone=close[0]) if close else ""
    raise ValueError(
        _("no time zone has the name {name!r}; {hint}").format(
            name=name, hint=hint or _("newsleopard timezones lists names")
        )
    )


def _refuse_change_of_clocks(local: datetime, text: str) -> None:
    first, second = local.replace(fold=0), local.replace(fold=1)
    if first.utcoffset() == second.utcoffset():
        return
    back = first.astimezone(UTC).astimezone(local.tzinfo)
    if back.replace(tzinfo=None) != local.replace(tzinfo=None):
        raise ValueError(
            _("{text!r} does not exist: the clocks skip it; choose another time").format(text=text)
        )
    offsets = " / ".join(f"{each:%Y-%m-%d %H:%M %z}" for each in (first, second))
    raise ValueError(
        _("{text!r} occurs twice, because the clocks go back; write one of {offsets}").format(
            text=text, offsets=offsets
        )
    )


def parse_duration(text: str) -> timedelta:
    """Read a duration in seconds, minutes, hours and days: ``90s``, ``10m``, ``1h30m``, ``2d``.

    Raises:
        ValueError: it is not a duration; the message is for a person.
    """
    if not _DURATION.fullmatch(text.strip()):
        raise ValueError(
            _("{text!r} is not a duration; write it as 90s, 10m, 1h30m or 2d").format(text=text)
        )
    parts: dict[str, float] = {}
    for number, unit in _PIECE.findall(text):
        parts[_UNITS[unit]] = parts.get(_UNITS[unit], 0.0) + float(number)
    try:
        return timedelta(**parts)
    except OverflowError:
        raise ValueError(_("{text!r} is too long").format(text=text)) from None
