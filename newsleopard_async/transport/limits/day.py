"""The requests of the current UTC day. Numbers only, no waiting.

The day is the calendar day in UTC. Whatever was sent counts, on the day on which it was
sent, also if it was refused or timed out. Half a percent stays in hand (rounded down),
and polls are denied the last hundredth of the limit.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from newsleopard_async.models.options import DAY_S, RateLimits

__all__ = ["DayCount", "day_allowance", "day_limit", "next_midnight"]


def day_limit(limits: RateLimits) -> int | None:
    """Return the requests that the limits allow in a day, or None."""
    return min((count for count, period_s in limits.windows if period_s == DAY_S), default=None)


def day_allowance(limit: int, *, polite: bool) -> int:
    """Return how many requests of a day's limit we let go."""
    return limit - (limit // 100 if polite else limit // 200)


class DayCount:
    """The requests of the current UTC day.

    A request takes its place before it is sent, and counts on the day on which it is sent:
    those that wait to be sent are counted apart, and pass midnight.
    """

    def __init__(self, used: int = 0) -> None:
        self._seed = used
        self._day: date | None = None
        self._sent = 0
        self._pending = 0
        self._is_gone = False

    def used(self, wall: datetime) -> int:
        """Return how many requests count on the day, those still to be sent included."""
        self._turn(wall)
        return self._sent + self._pending

    def is_gone(self, wall: datetime) -> bool:
        """Say whether the server seems to refuse everything for the rest of the day."""
        self._turn(wall)
        return self._is_gone

    def declare_gone(self, wall: datetime) -> None:
        """Take it that the server refuses everything for the rest of the day."""
        self._turn(wall)
        self._is_gone = True

    def reserve(self) -> None:
        """Count a request that goes now."""
        self._pending += 1

    def give_back(self) -> None:
        """Take back the count of a request that was never sent."""
        self._pending -= 1

    def note_sent(self, wall: datetime) -> None:
        """Count a reserved request for good, on this day."""
        self._turn(wall)
        self._pending -= 1
        self._sent += 1

    def seed(self, used: int, wall: datetime) -> None:
        """Count at least ``used`` requests as sent on this day."""
        self._turn(wall)
        self._sent = max(self._sent, used)

    def _turn(self, wall: datetime) -> None:
        """Begin a new day; on the first look, the one that the seed is about."""
        if self._day != wall.date():
            self._day, self._sent, self._is_gone = wall.date(), self._seed, False
            self._seed = 0


def next_midnight(wall: datetime) -> datetime:
    """Return the next 00:00 UTC."""
    return datetime.combine(wall.date() + timedelta(days=1), time(), UTC)
