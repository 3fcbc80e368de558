"""The time that the emulator lives in: any clock, or one that can be held and moved."""

from __future__ import annotations

import math
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import anyio
import anyio.lowlevel

__all__ = ["Clock", "EmulatorClock"]

POLL_S: Final = 0.02
"""Chosen: how soon, in seconds of the machine, somebody who sleeps notices that time was moved."""

MOST_SPEED: Final = 1_000_000.0
"""Chosen: eleven days a second. At far higher speeds the calendar ends within seconds."""

MOST_ADVANCE_S: Final = 3_660 * 86_400.0
"""Chosen: ten years at one go, for the same reason."""

LAST: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""Chosen: time ends here, so that what is planned for years later still has a date."""


class Clock(Protocol):
    """What the emulator needs of time; any object with these three methods will do."""

    def now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds of this clock."""
        ...


class EmulatorClock:
    """A clock that follows the machine's, and can be held, moved forward, and made faster.

    The limits follow `monotonic`. It never stands still and is never slower than the machine's:
    a client in another process waits by its own clock, and would otherwise be refused for ever
    while the time is held. It may be used from any thread.

    Args:
        start: The wall clock's first reading, aware; the machine's time by default.
        speed: Seconds that pass in one second of the machine; above 0.
        is_held: Time stands still until `run` or `advance`.

    Raises:
        ValueError: `start` has no time zone, or the speed is not above 0 and up to 1,000,000.
    """

    def __init__(
        self, start: datetime | None = None, *, speed: float = 1.0, is_held: bool = False
    ) -> None:
        if start is not None and start.tzinfo is None:
            raise ValueError("start must be an aware datetime")
        self._lock = threading.Lock()
        self._machine_time = datetime.now(UTC)
        self._machine_s = time.monotonic()
        self._time = self._machine_time if start is None else start.astimezone(UTC)
        self._limits_s = 0.0
        self._speed = _checked_speed(speed)
        self._is_held = is_held

    @property
    def is_held(self) -> bool:
        """Whether time stands still."""
        return self._is_held

    @property
    def speed(self) -> float:
        """Seconds that pass in one second of the machine, unless the time is held."""
        return self._speed

    def now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC."""
        with self._lock:
            return self._now()

    def _now(self) -> datetime:
        if self._is_held:
            return self._time
        passed = (datetime.now(UTC) - self._machine_time) * self._speed
        return self._time + min(passed, LAST - self._time)

    def monotonic(self) -> float:
        """Return the seconds of the limits since the clock was made; they never stand still."""
        with self._lock:
            return self._monotonic()

    def _monotonic(self) -> float:
        pace = 1.0 if self._is_held else max(1.0, self._speed)
        return self._limits_s + (time.monotonic() - self._machine_s) * pace

    async def sleep(self, seconds: float) -> None:
        """Wait until so many seconds of this clock have passed; while it is held, none do."""
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        end = self.now() + timedelta(seconds=seconds)
        # Time may be moved from any thread, which no event of a loop would notice.
        while (left_s := (end - self.now()).total_seconds()) > 0:  # noqa: ASYNC110
            await anyio.sleep(min(left_s / self._speed, POLL_S))

    def hold(self) -> None:
        """Let time stand still."""
        with self._lock:
            self._anchor()
            self._is_held = True

    def run(self, *, speed: float | None = None) -> None:
        """Let time pass, at the speed that it had or at a new one.

        Raises:
            ValueError: the speed is not above 0 and up to 1,000,000.
        """
        chosen = self._speed if speed is None else _checked_speed(speed)
        with self._lock:
            self._anchor()
            self._is_held, self._speed = False, chosen

    def advance(self, seconds: float) -> None:
        """Move time forward, whether it is held or not; what is due happens.

        Raises:
            ValueError: it is not a number from 0 to ten years of seconds, or leads beyond the
                year 9000.
        """
        if not 0 <= seconds <= MOST_ADVANCE_S:
            raise ValueError(
                f"seconds: time cannot move by {seconds!r} s; from 0 to {MOST_ADVANCE_S:,.0f}"
            )
        with self._lock:
            self._anchor()
            if timedelta(seconds=seconds) > LAST - self._time:
                raise ValueError(f"seconds: this clock ends at {LAST:%Y-%m-%d}")
            self._time += timedelta(seconds=seconds)
            self._limits_s += seconds

    def _anchor(self) -> None:
        """Count from the present on."""
        self._time, self._limits_s = self._now(), self._monotonic()
        self._machine_time, self._machine_s = datetime.now(UTC), time.monotonic()


def _checked_speed(speed: float) -> float:
    if not (math.isfinite(speed) and 0 < speed <= MOST_SPEED):
        raise ValueError(f"speed: {speed!r} is not above 0 and up to {MOST_SPEED:,.0f}")
    return float(speed)
