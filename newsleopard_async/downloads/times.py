"""Reads the times of events. Their columns and formats are not documented (T119)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import Final

import attrs

from newsleopard_async.downloads.table_headers import (
    EVENT_TIME,
    TIME,
    cell_at,
    may_be_event_time,
    places,
)

__all__ = ["TimeColumn", "read_time", "time_columns", "time_of"]

_SUFFIX: Final = re.compile(
    r"(?P<name>.*?)\s*(?:[(\[【](?P<suffix>[^()\[\]【】]*)[)\]】]|"
    r"[\s_](?P<bare>(?:UTC|GMT)(?:[+-][\d:]+)?))\s*",
    re.IGNORECASE,
)
_BRACKETS: Final = re.compile(r"\s*[(\[【].*")
_OFFSET: Final = re.compile(
    r"(?:UTC|GMT)?\s*(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d\d))?", re.IGNORECASE
)
_TAIPEI: Final = timezone(timedelta(hours=8))
_ZONES: Final[dict[str, tzinfo]] = {
    **dict.fromkeys(("utc", "gmt", "z"), UTC),
    **dict.fromkeys(("台北", "臺北", "台北時間", "臺北時間", "taipei", "asia/taipei"), _TAIPEI),
    **dict.fromkeys(("台灣", "臺灣", "台灣時間", "臺灣時間", "taiwan"), _TAIPEI),
}
_MOST_HOURS: Final = 14
"""The largest offset of any zone, which Kiritimati has."""


@attrs.frozen
class TimeColumn:
    """A column of times.

    Attributes:
        place: The index of the column.
        zone: The zone in the name of the column, for times without a zone; or None.
    """

    place: int
    zone: tzinfo | None


def time_columns(names: Sequence[str], kind: str) -> tuple[TimeColumn, ...]:
    """Return the columns with the time of the event of this kind of file.

    Columns that are named after the event come first. Columns with a general name, such as time or
    date, count only if no column with an unknown name can be the event's. A zone in a name, such as
    ``(UTC+8)``, is the zone of times without a zone.
    """
    parts = [_split(unicodedata.normalize("NFKC", name)) for name in names]
    plain = [name for name, _ in parts]
    found = places(plain, EVENT_TIME.get(kind, ()))
    if not found and not any(may_be_event_time(_BRACKETS.sub("", name), kind) for name in plain):
        found = places(plain, TIME)
    return tuple(TimeColumn(place, parts[place][1]) for place in found)


def time_of(columns: Sequence[TimeColumn], cells: Sequence[str], zone: tzinfo) -> datetime | None:
    """Return the time of a row's event.

    With several columns, it is the first with a time of day, because another column can have only
    the date.

    Args:
        zone: The zone if the cell and the column have none.
    """
    found = [(cell_at(cells, column.place), column.zone or zone) for column in columns]
    if len(found) > 1:
        found = [each for each in found if ":" in each[0]]
    return next((at for cell in found if (at := read_time(*cell)) is not None), None)


def _split(name: str) -> tuple[str, tzinfo | None]:
    """Return a name without a known zone at its end, and the zone or None."""
    match = _SUFFIX.fullmatch(name)
    zone = None if match is None else _zone_of((match["suffix"] or match["bare"] or "").strip())
    return (name, None) if match is None or zone is None else (match["name"], zone)


def _zone_of(suffix: str) -> tzinfo | None:
    match = _OFFSET.fullmatch(suffix)
    if match is None:
        return _ZONES.get(suffix.casefold())
    if int(match["hours"]) > _MOST_HOURS or int(match["minutes"] or 0) >= 60:
        return None
    return _fixed(match)


_CALENDAR: Final = re.compile(
    r"(?P<year>\d{4})[-/.年](?P<month>\d{1,2})[-/.月](?P<day>\d{1,2})日?"
    r"(?:(?:T|\s+)(?P<before>上午|下午)?\s*"
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<after>[AaPp]\.?[Mm]\.?|上午|下午)?)?"
    r"\s*(?P<zone>(?:Z|UTC|GMT)?(?:(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)?)?)",
    re.ASCII | re.IGNORECASE,
)
_MAIL: Final = re.compile(
    r"(?:[a-z]{3}, )?\d{1,2} [a-z]{3} \d{4} \d\d:\d\d(?::\d\d)? (?:[+-]\d{4}|GMT|UTC)",
    re.ASCII | re.IGNORECASE,
)
_SECONDS: Final = re.compile(r"\d{10}(?:\d{3})?", re.ASCII)


def read_time(text: str, zone: tzinfo = UTC) -> datetime | None:
    """Return a time in UTC; None if its format is unknown or the time does not exist.

    It reads ISO 8601, the formats of spreadsheets (``2026/1/5 下午 2:00``), the format of mail
    headers, and seconds or milliseconds since 1970.

    Args:
        zone: The zone of a time that names none.
    """
    text = text.strip()
    try:
        if match := _CALENDAR.fullmatch(text):
            return _calendar(match, zone).astimezone(UTC)
        if _MAIL.fullmatch(text):
            found = parsedate_to_datetime(text)
            # For -0000 the result is naive, and means UTC.
            return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
        if _SECONDS.fullmatch(text):
            return datetime.fromtimestamp(int(text[:10]), UTC) + timedelta(
                milliseconds=int(text[10:] or 0)
            )
    except (ValueError, OverflowError):
        pass
    return None


def _calendar(match: re.Match[str], zone: tzinfo) -> datetime:
    hour, half = int(match["hour"] or 0), (match["before"] or match["after"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("the hour of a half day must be from 1 to 12")
        hour = hour % 12 + (12 if half.startswith(("p", "下")) else 0)
    return datetime(
        int(match["year"]),
        int(match["month"]),
        int(match["day"]),
        hour,
        int(match["minute"] or 0),
        int(match["second"] or 0),
        int((match["fraction"] or "")[:6].ljust(6, "0")),
        zone if not match["zone"] else _fixed(match) if match["sign"] else UTC,
    )


def _fixed(match: re.Match[str]) -> tzinfo:
    offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
    return timezone(-offset if match["sign"] == "-" else offset)
