"""Times as people read them: on the clocks of a zone, and in UTC beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from newsleopard_async.models.timezones import Timezone

__all__ = ["on_clock", "spell"]

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
"""In English wherever it runs, which ``%a`` is not."""


def on_clock(when: datetime, timezone: Timezone) -> datetime:
    """Return a time on a zone's clocks; at the ends of the calendar, in UTC."""
    try:
        return when.astimezone(timezone.zone)
    except OverflowError:
        return when.astimezone(UTC)


def spell(when: datetime, timezone: Timezone) -> str:
    """Spell out a time on both clocks, where a wrong zone catches the eye."""
    return (
        f"{_show(on_clock(when, timezone))} on the clocks of {timezone.name} "
        f"({timezone.zone_name}), which is {_show(when.astimezone(UTC))} UTC"
    )


def _show(when: datetime) -> str:
    return f"{_WEEKDAYS[when.weekday()]} {when:%Y-%m-%d %H:%M:%S}"
