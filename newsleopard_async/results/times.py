"""Times in files whose form is not documented (T119), in the forms that are about."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["read_time"]

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
