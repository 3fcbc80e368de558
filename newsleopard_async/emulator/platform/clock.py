"""The clock of the emulator: any clock, or an `EmulatorClock`, which can be held and moved."""

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
"""Chosen: after 20 ms of the machine, a sleeping task notices that the time was moved."""

MOST_SPEED: Final = 1_000_000.0
"""Chosen: eleven days per second. At far higher speeds the calendar ends within seconds."""

MOST_ADVANCE_S: Final = 3_660 * 86_400.0
"""Chosen: ten years per call, for the same reason."""

LAST: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""Chosen: the clock ends here, so dates that are years later can still be represented."""


class Clock(Protocol):
    """The methods that the emulator needs of a clock."""

    def now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Return the seconds of a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds of this clock."""
        ...


class EmulatorClock:
    """A clock that follows the machine's, and can be held, moved forward, and made faster.

    The rate limits follow `monotonic`, which is never held and never slower than the machine's
    clock. A client in another process waits by its own clock, so while the time is held, it would
    otherwise be refused for ever. Any thread can use the clock.

    Args:
        start: The first time of the wall clock, aware; by default the machine's time.
        speed: Seconds that pass in one second of the machine; above 0.
        is_held: Whether the time is held until `run` or `advance`.

    Raises:
        ValueError: `start` has no time zone, or the speed is not above 0 and at most 1,000,000.
    """

    def __init__(
        self, start: datetime | None = None, *, speed: float = 1.0, is_held: bool = False
    ) -> None:
        if start is not None and start.tzinfo is None:
            raise ValueError("start: must be an aware datetime")
        self._lock = threading.Lock()
        self._machine_time = datetime.now(UTC)
        self._machine_s = time.monotonic()
        self._time = self._machine_time if start is None else start.astimezone(UTC)
        self._limits_s = 0.0
        self._speed = _checked_speed(speed)
        self._is_held = is_held

    @property
    def is_held(self) -> bool:
        """Whether the time is held."""
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
        """Return the seconds since the clock was created, for the rate limits; never held."""
        with self._lock:
            return self._monotonic()

    def _monotonic(self) -> float:
        pace = 1.0 if self._is_held else max(1.0, self._speed)
        return self._limits_s + (time.monotonic() - self._machine_s) * pace

    async def sleep(self, seconds: float) -> None:
        """Wait until so many seconds of this clock have passed; a held clock does not move."""
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        end = self.now() + timedelta(seconds=seconds)
        # Any thread can move the time, and an event of a loop would not notice it.
        while (left_s := (end - self.now()).total_seconds()) > 0:  # noqa: ASYNC110
            await anyio.sleep(min(left_s / self._speed, POLL_S))

    def hold(self) -> None:
        """Stop the time."""
        with self._lock:
            self._anchor()
            self._is_held = True

    def run(self, *, speed: float | None = None) -> None:
        """Start the time again, at the speed that it had or at a new one.

        Raises:
            ValueError: the speed is not above 0 and at most 1,000,000.
        """
        chosen = self._speed if speed is None else _checked_speed(speed)
        with self._lock:
            self._anchor()
            self._is_held, self._speed = False, chosen

    def advance(self, seconds: float) -> None:
        """Move the time forward, whether it is held or not; changes that are due happen.

        Raises:
            ValueError: the seconds are negative, more than ten years, or lead beyond the year 9000.
        """
        if not 0 <= seconds <= MOST_ADVANCE_S:
            raise ValueError(f"seconds: must be from 0 to {MOST_ADVANCE_S:,.0f}, not {seconds!r}")
        with self._lock:
            self._anchor()
            if timedelta(seconds=seconds) > LAST - self._time:
                raise ValueError(f"seconds: this clock ends at {LAST:%Y-%m-%d}; advance it by less")
            self._time += timedelta(seconds=seconds)
            self._limits_s += seconds

    def _anchor(self) -> None:
        """Set the present as the new starting point of both times."""
        self._time, self._limits_s = self._now(), self._monotonic()
        self._machine_time, self._machine_s = datetime.now(UTC), time.monotonic()


def _checked_speed(speed: float) -> float:
    if not (math.isfinite(speed) and 0 < speed <= MOST_SPEED):
        raise ValueError(f"speed: must be above 0 and at most {MOST_SPEED:,.0f}, not {speed!r}")
    return float(speed)
