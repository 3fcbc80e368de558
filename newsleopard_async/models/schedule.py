"""When a campaign goes out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import ClassVar, Final, TypeAlias
from zoneinfo import ZoneInfo

import attrs

from newsleopard_async.errors import Problem
from newsleopard_async.models.timezones import Timezone
from newsleopard_async.models.validation import problems_of_time, raise_problems, wrong_type
from newsleopard_async.plain import OfAKind

__all__ = ["Schedule", "SendAt", "SendNow", "on_clock", "spell"]


@attrs.frozen
class SendNow(OfAKind):
    """Send as soon as the platform has accepted the campaign (立即寄送).

    Source: config.schedule.type 0; documented.
    """

    plain_kind: ClassVar[str] = "now"


@attrs.frozen(init=False)
class SendAt(OfAKind):
    """Send at a set time (排程寄送).

    Whether the time lies in the future is checked when the campaign is sent.

    Args:
        when: Any aware datetime; a naive one, or a local time that the clocks skip, is refused.
        timezone: What the platform displays; None takes the zone of ``when`` if the platform
            lists it, otherwise TAIPEI. It never moves the instant.

    Attributes:
        when: The instant, in UTC.
        timezone: The zone whose code is sent along.

    Source: config.schedule.type 1; documented. The zone's meaning is not (T71).
    """

    plain_kind: ClassVar[str] = "at"

    when: datetime
    timezone: Timezone

    def __init__(self, when: datetime, timezone: Timezone | None = None) -> None:
        raise_problems([*_problems_of_when(when), *_problems_of_timezone(timezone)])
        self.__attrs_init__(when.astimezone(UTC), timezone or _zone_of(when))

    @property
    def local(self) -> datetime:
        """The instant on the clocks of ``timezone``."""
        return self.when.astimezone(self.timezone.zone)


Schedule: TypeAlias = SendNow | SendAt


def _zone_of(when: datetime) -> Timezone:
    """Return the zone of a datetime; TAIPEI for one that the platform does not list."""
    name = when.tzinfo.key if isinstance(when.tzinfo, ZoneInfo) else None
    return Timezone.listed(name or "") or Timezone.TAIPEI


def _problems_of_when(when: object) -> Iterator[Problem]:
    found = list(problems_of_time("when", when, 'ZoneInfo("Asia/Taipei")'))
    yield from found
    if not found and isinstance(when, datetime) and not _exists(when):
        yield Problem(
            "when",
            "exists",
            "is no time on that zone's clocks (skipped in spring, or made with a pytz zone); "
            "choose another, with a zoneinfo zone",
        )


def _exists(when: datetime) -> bool:
    """Tell whether the way to UTC and back leads to the same local time."""
    back = when.astimezone(UTC).astimezone(when.tzinfo)
    return back.replace(tzinfo=None) == when.replace(tzinfo=None)


def _problems_of_timezone(timezone: object) -> Iterator[Problem]:
    if timezone is not None and not isinstance(timezone, Timezone):
        yield wrong_type(
            "timezone", timezone, 'a Timezone such as Timezone.of("Asia/Taipei"), or left out'
        )


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
