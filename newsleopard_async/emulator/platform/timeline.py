"""The time that the emulator lives in, and the changes of state that are due.

There are no background tasks. Whoever reads or changes the state first settles the
timeline up to the clock's present, so that the state is a function of the clock. The
present never goes back: what has happened stays so if the wall clock is set back.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import anyio

__all__ = ["Clock", "SystemClock", "Timeline"]


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


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on whichever event loop runs."""
        await anyio.sleep(max(0.0, seconds))


Change = Callable[[datetime], None]


class Timeline:
    """A queue of changes; of two due at the same instant, the one added first happens first."""

    def __init__(self) -> None:
        self._changes: list[tuple[datetime, int, Change]] = []
        self._order = itertools.count()
        self._present = datetime.min.replace(tzinfo=UTC)
        self._lock = threading.RLock()

    def add(self, at: datetime, change: Change) -> None:
        """Let a change happen at an instant; it is called with that instant."""
        with self._lock:
            heapq.heappush(self._changes, (at, next(self._order), change))

    def settle(self, now: datetime) -> datetime:
        """Let everything happen that is due, and return the present.

        The present is the latest instant that was ever settled. It stands still while a wall
        clock that was set back catches up.
        """
        with self._lock:
            self._present = max(self._present, now)
            while self._changes and self._changes[0][0] <= self._present:
                at, _, change = heapq.heappop(self._changes)
                change(at)
            return self._present
