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
    """Return a time in UTC, moved; where the calendar ends, its first or last instant."""
    try:
        return when + by
    except OverflowError:
        return _FIRST if by < timedelta(0) else _LAST


class Clock(Protocol):
    """What the tower needs of time.

    A clock may also have ``uptime()``, which returns seconds as `monotonic` does, and counts the
    time that the machine was suspended; or None, if the system cannot tell.
    """

    def now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; a duration of zero or less is one checkpoint."""
        ...

    def deadline(self, seconds: float) -> AbstractContextManager[anyio.CancelScope, bool]:
        """Cancel what runs inside after ``seconds``; the scope says whether it did."""
        ...


@attrs.frozen
class SystemClock:
    """The machine's clock, on whichever event loop runs."""

    def now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic()

    def uptime(self) -> float | None:
        """Return seconds on a clock that never goes back, and counts the machine's sleep.

        Returns: None if the system has no such clock.
        """
        return _uptime()

    async def sleep(self, seconds: float) -> None:
        """Wait; a duration of zero or less is one checkpoint."""
        await anyio.sleep(max(0.0, seconds))

    def deadline(self, seconds: float) -> AbstractContextManager[anyio.CancelScope, bool]:
        """Cancel what runs inside after ``seconds``; the scope says whether it did."""
        return anyio.move_on_after(seconds)


def _uptime() -> float | None:
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        # `time.monotonic` stands still there while the machine sleeps; this one does not.
        return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)
    # On Windows both that it may be built on count sleep and hibernation (GetTickCount64,
    # QueryPerformanceCounter).
    return time.monotonic() if sys.platform == "win32" else None


@attrs.frozen
class Stopwatch:
    """Measures a time in which the process or its machine may have stood still.

    The longest of what the clocks say counts. The monotonic clock goes on while a process is
    stopped, and may stand still while a machine is suspended. The wall clock alone knows of a
    virtual machine that was paused, and may be set back; so ``uptime()`` is asked, too, if the
    clock has it.
    """

    _clock: Clock
    _wall: datetime
    _monotonic_s: float
    _uptime_s: float | None

    @classmethod
    def start(cls, clock: Clock) -> Self:
        """Begin to measure."""
        return cls(clock, clock.now(), clock.monotonic(), _uptime_of(clock))

    @property
    def elapsed_s(self) -> float:
        """How much time has passed, in seconds."""
        wall_s = (self._clock.now() - self._wall).total_seconds()
        steps = [wall_s, self._clock.monotonic() - self._monotonic_s]
        uptime_s = _uptime_of(self._clock)
        if self._uptime_s is not None and uptime_s is not None:
            steps.append(uptime_s - self._uptime_s)
        return max(steps)


def _uptime_of(clock: Clock) -> float | None:
    found: Callable[[], float | None] | None = getattr(clock, "uptime", None)
    return None if found is None else found()
