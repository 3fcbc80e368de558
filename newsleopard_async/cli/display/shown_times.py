"""Times as people read them: in the zone of this machine, and in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["local_and_utc", "local_time", "local_zone_name"]


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


def local_zone_name(now: datetime) -> str:
    """Return the offset of this machine's zone at an instant, such as ``UTC+08:00``."""
    offset = now.astimezone().utcoffset() or timedelta()
    return "UTC" if not offset else f"UTC{now.astimezone().isoformat()[-6:]}"
