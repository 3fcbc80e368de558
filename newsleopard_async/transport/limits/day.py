"""The requests of the current UTC day. Numbers only, no waiting.

The day is the calendar day in UTC. Every request that was sent counts on the day on which it was
sent, even if it was refused or timed out. A request that is unanswered at midnight counts on both
days. We leave half a percent of the limit unused (rounded down), and polls cannot use the last
hundredth.

The wall clock can be wrong and be corrected. So the counts are stored by date, and each day also
ends by the monotonic clock:

- If the clock is set over midnight and back, it finds the count of the day again. Requests that
  were counted on the later day count on the earlier one as well, because the real day is unknown.
- If the clock is set back, the day does not get longer than it already was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Self

import attrs

from newsleopard_async.models.options import DAY_S, RateLimits

__all__ = ["DayCount", "day_allowance", "day_limit", "next_midnight"]


_MOST_DAYS: Final = 4
"""The number of days that are stored. Chosen: a clock that is corrected shows two or three
dates."""


def day_limit(limits: RateLimits) -> int | None:
    """Return the number of requests per day that the limits allow, or None."""
    return min((count for count, period_s in limits.windows if period_s == DAY_S), default=None)


def day_allowance(limit: int, *, polite: bool) -> int:
    """Return how many requests of a daily limit we send."""
    return limit - (limit // 100 if polite else limit // 200)


@attrs.define(eq=False, weakref_slot=False)
class _Day:
    """The counts of one day.

    Attributes:
        date: The date in UTC.
        ends_at: When the day has ended at the latest, by the monotonic clock.
        sent: The number of requests that count on it.
        is_gone: Whether the server seems to refuse all requests.
    """

    date: date
    ends_at: float
    sent: int = 0
    is_gone: bool = False


@attrs.define(eq=False, weakref_slot=False)
class DayCount:
    """The requests of the current UTC day.

    A request gets its slot before it is sent, and counts on the day on which it is sent. Requests
    with a slot are counted separately until then, even over midnight.

    Every method takes its time from the caller: ``now`` is monotonic, ``wall`` is UTC.

    Args:
        seed: The number of requests that were sent before, on the day of the first call.
    """

    _seed: int = 0
    _pending: int = attrs.field(default=0, init=False)
    _days: tuple[_Day, ...] = attrs.field(default=(), init=False)

    def used(self, now: float, wall: datetime) -> int:
        """Return how many requests count on the day, including those that have a slot already."""
        return self._pending + self.sent(now, wall)

    def sent(self, now: float, wall: datetime) -> int:
        """Return how many requests were sent on the day."""
        return sum(day.sent for day in self._from_today(now, wall))

    def is_gone(self, now: float, wall: datetime) -> bool:
        """Return whether the server seems to refuse all requests for the rest of the day."""
        return any(day.is_gone for day in self._from_today(now, wall))

    def is_empty(self, now: float) -> bool:
        """Return whether a new count would be the same."""
        return not self._pending and all(day.ends_at <= now or not day.sent for day in self._days)

    def declare_gone(self, now: float, wall: datetime) -> None:
        """Record that the server refuses all requests for the rest of the day."""
        self._today(now, wall).is_gone = True

    def heal(self) -> None:
        """Record that the server accepts requests again."""
        for day in self._days:
            day.is_gone = False

    def reserve(self) -> None:
        """Count a request that gets a slot now."""
        self._pending += 1

    def give_back(self) -> None:
        """Remove the count of a request that was never sent."""
        self._pending -= 1

    def note_sent(self, now: float, wall: datetime) -> None:
        """Move a reserved request to the count of this day."""
        self._pending -= 1
        self.count(now, wall)

    def count(self, now: float, wall: datetime) -> None:
        """Count a request on this day."""
        self._today(now, wall).sent += 1

    def seed(self, used: int, now: float, wall: datetime) -> None:
        """Count at least ``used`` requests as sent on this day."""
        today = self._today(now, wall)
        today.sent = max(today.sent, used)

    def take_back(self, now: float, wall: datetime) -> None:
        """Remove a request from the count of this day."""
        today = self._today(now, wall)
        today.sent = max(0, today.sent - 1)

    def write(self) -> list[list[Any]]:
        """Return the days as JSON-safe data, without requests that wait to be sent."""
        return [
            [each.date.toordinal(), each.ends_at, each.sent, each.is_gone] for each in self._days
        ]

    @classmethod
    def read(cls, days: Iterable[Sequence[Any]], instant: Callable[[Any], float]) -> Self:
        """Read the result of `write`; ``instant`` converts an instant to the present clock."""
        count = cls()
        count._days = tuple(
            _Day(date.fromordinal(day), instant(ends_at), int(sent), bool(is_gone))
            for day, ends_at, sent, is_gone in days
        )
        return count

    def _from_today(self, now: float, wall: datetime) -> tuple[_Day, ...]:
        """Return the current day, and later days that the clock has shown before."""
        today = self._today(now, wall)
        if len(self._days) == 1:
            return self._days
        return tuple(day for day in self._days if day.date >= today.date)

    def _today(self, now: float, wall: datetime) -> _Day:
        """Return the current day; the first call begins it."""
        if any(day.ends_at <= now for day in self._days):
            self._days = tuple(day for day in self._days if day.ends_at > now)
        date = wall.date()
        midnight_at = now + DAY_S - _seconds_into_day(wall)
        for day in self._days:
            if day.date == date:
                day.ends_at = min(day.ends_at, midnight_at)
                return day
        today = _Day(date, midnight_at, self._seed)
        self._seed = 0
        self._days = (*self._days, today)[-_MOST_DAYS:]
        return today


def _seconds_into_day(wall: datetime) -> float:
    return wall.hour * 3_600 + wall.minute * 60 + wall.second + wall.microsecond / 1e6


def next_midnight(wall: datetime) -> datetime:
    """Return the next 00:00 UTC."""
    return datetime.combine(wall.date() + timedelta(days=1), time(), UTC)
