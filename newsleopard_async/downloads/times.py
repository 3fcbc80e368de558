"""Which column says when something happened, in files that are not documented (T119).

The rules:

- A column that names an event comes first, and what became of a mail before its delivery. When
  it was sent is of every mail, and no event of a report.
- Columns of two things that may become of a mail leave open which of them the file is of.
- Without any, only a column that is called time or date and nothing else counts: a contact may
  have dates of its own, and a row has a time at which it was written.
- A zone in the name, as ``(UTC+8)``, is that of times that name none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import Final

import attrs

from newsleopard_async.downloads.columns import cell_at, plain_name

__all__ = ["TimeColumn", "read_time", "time_columns", "time_of"]

_SUFFIX: Final = re.compile(
    r"(?P<name>.*?)\s*(?:[(（\[【](?P<suffix>[^()（）\[\]【】]*)[)）\]】]|"
    r"[\s_](?P<bare>(?:UTC|GMT)(?:[+-][\d:]+)?))\s*",
    re.IGNORECASE,
)
_OFFSET: Final = re.compile(r"(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d\d))?(?!\d)")
_TAIPEI: Final = re.compile(r"[台臺][北灣]|taipei|taiwan", re.IGNORECASE)
_UTC: Final = re.compile(r"\s*(?:utc|gmt|z)\s*", re.IGNORECASE)
_TAIPEI_ZONE: Final = timezone(timedelta(hours=8))
_MOST_HOURS: Final = 14

_IS_TIME: Final = re.compile(r"(?:time|date) ?(?:time|stamp)?|(?:日期|時間|時刻){1,2}|timestamp|at")
_SAYS_TIME: Final = re.compile(
    r"^(?:time|date)(?![a-z])|(?:time|date|stamp)$|(?<![a-z])(?:at|on)$|(?:時間|日期|時刻)$"
)
_OF_THE_RECORD: Final = re.compile(
    r"creat|updat|modif|regist|schedul|birth|expir|export|report|"
    r"建立|更新|修改|註冊|預約|預定|排程|生日|到期|匯出|報表"
)
_EVENT: Final = re.compile(r"(?<![a-z])(?:event|occur)|事件|發生")
_READER: Final = (
    re.compile(r"(?<![a-z])unsub|退訂|取消"),
    re.compile(r"(?<![a-z])(?:complain|spam|abuse)|抱怨|檢舉|申訴|投訴"),
    re.compile(r"(?<![a-z])click|點擊|點選|點閱"),
    re.compile(r"(?<![a-z])bounce|退信"),
    re.compile(r"(?<![a-z])open|開信|開啟|開封"),
)
_DELIVERY: Final = re.compile(r"(?<![a-z])deliver|送達|到達|投遞")
_KINDS: Final = (_EVENT, *_READER, _DELIVERY)


@attrs.frozen
class TimeColumn:
    """A column of times.

    Attributes:
        place: Which one.
        zone: The zone of times that name none, or None where the name does not say.
    """

    place: int
    zone: tzinfo | None


def time_columns(names: Sequence[str]) -> tuple[TimeColumn, ...]:
    """Return the columns that say when a row's event happened; none where it is not sure."""
    parts = [_split(name) for name in names]
    plain = [plain_name(name) for name, _ in parts]
    return tuple(TimeColumn(place, _zone_of(parts[place][1])) for place in _places(plain))


def time_of(columns: Sequence[TimeColumn], cells: Sequence[str], zone: tzinfo) -> datetime | None:
    """Read when a row's event happened.

    Of several columns it is the first with a time of day: a date may stand in one of its own.

    Args:
        zone: The zone where neither the cell nor the column names one.
    """
    given = [(cell_at(cells, column.place), column.zone or zone) for column in columns]
    if len(given) > 1:
        given = [each for each in given if ":" in each[0]]
    return next((at for cell in given if (at := read_time(*cell)) is not None), None)


def _split(name: str) -> tuple[str, str]:
    """Take off what is said behind a name."""
    match = _SUFFIX.fullmatch(name)
    return (match["name"], match["suffix"] or match["bare"] or "") if match else (name, "")


def _zone_of(suffix: str) -> tzinfo | None:
    if _UTC.fullmatch(suffix):
        return UTC
    if match := _OFFSET.search(suffix):
        return _fixed(match)
    return _TAIPEI_ZONE if _TAIPEI.search(suffix) else None


def _fixed(match: re.Match[str]) -> tzinfo | None:
    hours, minutes = int(match["hours"]), int(match["minutes"] or 0)
    if hours > _MOST_HOURS or minutes >= 60:
        return None
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if match["sign"] == "-" else offset)


def _places(plain: Sequence[str]) -> list[int]:
    by_kind: dict[re.Pattern[str], list[int]] = {}
    for place, name in enumerate(plain):
        if _SAYS_TIME.search(name) and not _OF_THE_RECORD.search(name):
            kind = next((kind for kind in _KINDS if kind.search(name)), _IS_TIME)
            if kind is not _IS_TIME or kind.fullmatch(name):
                by_kind.setdefault(kind, []).append(place)
    if _EVENT not in by_kind and len(by_kind.keys() & _READER) > 1:
        return []
    return next((by_kind[kind] for kind in (*_KINDS, _IS_TIME) if kind in by_kind), [])


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
    """Read an instant, in UTC; None where the form is not known or there is no such time.

    Known are ISO 8601 and what spreadsheets make of it (``2026/1/5 下午 2:00``), mail's own
    form, and seconds or milliseconds since 1970.

    Args:
        zone: The zone of a time that names none.
    """
    text = text.strip()
    try:
        if match := _CALENDAR.fullmatch(text):
            return _calendar(match, zone).astimezone(UTC)
        if _MAIL.fullmatch(text):
            found = parsedate_to_datetime(text)
            # Of -0000 it makes a naive time, which is one in UTC.
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
            raise ValueError("an hour that no half of a day has")
        hour = hour % 12 + (12 if half.startswith(("p", "下")) else 0)
    return datetime(
        int(match["year"]),
        int(match["month"]),
        int(match["day"]),
        hour,
        int(match["minute"] or 0),
        int(match["second"] or 0),
        int((match["fraction"] or "")[:6].ljust(6, "0")),
        _zone(match) if match["zone"] else zone,
    )


def _zone(match: re.Match[str]) -> tzinfo:
    if match["sign"] is None:
        return UTC
    offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
    return timezone(-offset if match["sign"] == "-" else offset)
