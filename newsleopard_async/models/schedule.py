"""The time at which a campaign is sent."""

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

    The submit checks that the time is in the future.

    Args:
        when: Any aware datetime, except a local time that the clocks skip.
        timezone: The zone that the platform displays; None uses the zone of ``when`` if the
            platform lists it, otherwise TAIPEI. It never changes the instant.

    Attributes:
        when: The instant, in UTC.
        timezone: The zone of the code in the request.

    Source: config.schedule.type 1; documented, except the meaning of the zone (T71).
    """

    plain_kind: ClassVar[str] = "at"

    when: datetime
    timezone: Timezone

    def __init__(self, when: datetime, timezone: Timezone | None = None) -> None:
        raise_problems([*_problems_of_when(when), *_problems_of_timezone(timezone)])
        self.__attrs_init__(when.astimezone(UTC), timezone or _zone_of(when))

    @property
    def local(self) -> datetime:
        """The local time of ``timezone``."""
        return self.when.astimezone(self.timezone.zone)


Schedule: TypeAlias = SendNow | SendAt


def _zone_of(when: datetime) -> Timezone:
    """Return the zone of a datetime, or TAIPEI if the platform does not list the zone."""
    name = when.tzinfo.key if isinstance(when.tzinfo, ZoneInfo) else None
    return Timezone.listed(name or "") or Timezone.TAIPEI


def _problems_of_when(when: object) -> Iterator[Problem]:
    found = list(problems_of_time("when", when, 'ZoneInfo("Asia/Taipei")'))
    yield from found
    if not found and isinstance(when, datetime) and not _exists(when):
        yield Problem(
            "when",
            "exists",
            "does not exist in its zone (the clocks skip it in spring, or it has a pytz zone); "
            "choose another time, with a zone of zoneinfo",
        )


def _exists(when: datetime) -> bool:
    """Return whether a conversion to UTC and back gives the same local time."""
    back = when.astimezone(UTC).astimezone(when.tzinfo)
    return back.replace(tzinfo=None) == when.replace(tzinfo=None)


def _problems_of_timezone(timezone: object) -> Iterator[Problem]:
    if timezone is not None and not isinstance(timezone, Timezone):
        yield wrong_type(
            "timezone", timezone, 'a Timezone such as Timezone.of("Asia/Taipei"), or None'
        )


_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
"""English names, because ``%a`` depends on the locale."""


def on_clock(when: datetime, timezone: Timezone) -> datetime:
    """Return a time in a zone; in UTC at the ends of the calendar, where the zone fails."""
    try:
        return when.astimezone(timezone.zone)
    except OverflowError:
        return when.astimezone(UTC)


def spell(when: datetime, timezone: Timezone) -> str:
    """Return a time in its zone and in UTC, so that a wrong zone is noticed."""
    return (
        f"{_show(on_clock(when, timezone))} on the clocks of {timezone.name} "
        f"({timezone.zone_name}), which is {_show(when.astimezone(UTC))} UTC"
    )


def _show(when: datetime) -> str:
    return f"{_WEEKDAYS[when.weekday()]} {when:%Y-%m-%d %H:%M:%S}"
