"""Time as a parameter: nothing else in the tower reads a clock."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, Self

import anyio
import attrs

__all__ = ["Clock", "Stopwatch", "SystemClock", "moved"]

_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def moved(when: datetime, by: timedelta) -> datetime:
    """Return a time moved by a duration, limited to the first and last instant of `datetime`."""
    try:
        return when + by
    except OverflowError:
        return _FIRST if by < timedelta(0) else _LAST


class Clock(Protocol):
    """The source of time for the client and its pipelines.

    A clock can also have ``uptime()``, which returns seconds as `monotonic` does but also counts
    the time in which the machine was suspended; or None if the system has no such clock.
    """

    def now(self) -> datetime:
        """Return the time of the wall clock, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; a duration of zero or less is one checkpoint."""
        ...

    def deadline(self, seconds: float) -> AbstractContextManager[anyio.CancelScope, bool]:
        """Return a scope that cancels its content after ``seconds``."""
        ...


@attrs.frozen
class SystemClock:
    """The clock of the machine, for asyncio and trio."""

    def now(self) -> datetime:
        """Return the time of the wall clock, aware and in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic()

    def uptime(self) -> float | None:
        """Return seconds that also count suspends; None if the system has no such clock."""
        return _uptime()

    async def sleep(self, seconds: float) -> None:
        """Wait; a duration of zero or less is one checkpoint."""
        await anyio.sleep(max(0.0, seconds))

    def deadline(self, seconds: float) -> AbstractContextManager[anyio.CancelScope, bool]:
        """Return a scope that cancels its content after ``seconds``."""
        return anyio.move_on_after(seconds)


def _uptime() -> float | None:
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        # `time.monotonic` stops there while the machine sleeps; this clock does not.
        return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)
    # On Windows it uses GetTickCount64 or QueryPerformanceCounter; both count sleep.
    return time.monotonic() if sys.platform == "win32" else None


@attrs.frozen
class Stopwatch:
    """Measures a duration, also if the process or its machine was suspended meanwhile.

    The result is the longest duration of up to three clocks. The monotonic clock counts while a
    process is stopped, but not always while a machine is suspended. The wall clock alone counts
    while a virtual machine is paused, but can be set back. ``uptime()`` counts suspends, if the
    clock has it.
    """

    _clock: Clock
    _wall: datetime
    _monotonic_s: float
    _uptime_s: float | None

    @classmethod
    def start(cls, clock: Clock) -> Self:
        """Start the measurement."""
        return cls(clock, clock.now(), clock.monotonic(), _uptime_of(clock))

    @property
    def elapsed_s(self) -> float:
        """The elapsed time, in seconds."""
        wall_s = (self._clock.now() - self._wall).total_seconds()
        steps = [wall_s, self._clock.monotonic() - self._monotonic_s]
        uptime_s = _uptime_of(self._clock)
        if self._uptime_s is not None and uptime_s is not None:
            steps.append(uptime_s - self._uptime_s)
        return max(steps)


def _uptime_of(clock: Clock) -> float | None:
    found: Callable[[], float | None] | None = getattr(clock, "uptime", None)
    return None if found is None else found()
