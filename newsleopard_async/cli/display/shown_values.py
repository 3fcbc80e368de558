"""Times, durations, numbers and rates as people read them; a dash for one that is unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from newsleopard_async.cli.translation import translated as _

__all__ = [
    "count_text",
    "duration_text",
    "local_and_utc",
    "local_time",
    "rate_text",
]


def local_time(instant: datetime | None) -> str:
    """Return a time of this machine's zone to the minute; a dash if it is unknown."""
    return "–" if instant is None else f"{instant.astimezone():%Y-%m-%d %H:%M}"


def local_and_utc(instant: datetime | None) -> str:
    """Return a time with the offset of this machine's zone, and in UTC; a dash if it is unknown."""
    if instant is None:
        return "–"
    in_utc = f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    local = instant.astimezone()
    if not local.utcoffset():
        return in_utc
    return f"{local:%Y-%m-%d %H:%M:%S} {local.isoformat()[-6:]} ({in_utc})"


def duration_text(duration: timedelta) -> str:
    """Return a duration in the unit that fits, for a person."""
    minutes = round(duration / timedelta(minutes=1))
    if minutes < 2:
        return _("{seconds:.0f} s").format(seconds=duration.total_seconds())
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return _("{minutes} min").format(minutes=minutes)
    if duration >= timedelta(days=2):
        return _("{days:,.1f} days").format(days=duration / timedelta(days=1))
    return _("{hours} h {minutes:02} min").format(hours=hours, minutes=minutes)


def count_text(count: int | None) -> str:
    """Return a number with commas; a dash if it is unknown, because that is not 0."""
    return "–" if count is None else f"{count:,}"


def rate_text(percent: float | None) -> str:
    """Return a rate in percent; a dash if it is unknown."""
    return "–" if percent is None else f"{percent:.1f} %"
