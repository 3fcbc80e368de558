"""Time as a parameter: nothing else in the tower reads a clock."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import anyio
import attrs

__all__ = ["Clock", "SystemClock", "moved"]

_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def moved(when: datetime, by: timedelta) -> datetime:
    """Return a time in UTC, moved; where the calendar ends, its first or last instant."""
    try:
        return when + by
    except OverflowError:
        return _FIRST if by < timedelta(0) else _LAST


class Clock(Protocol):
    """What the tower needs of time."""

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

    async def sleep(self, seconds: float) -> None:
        """Wait; a duration of zero or less is one checkpoint."""
        await anyio.sleep(max(0.0, seconds))

    def deadline(self, seconds: float) -> AbstractContextManager[anyio.CancelScope, bool]:
        """Cancel what runs inside after ``seconds``; the scope says whether it did."""
        return anyio.move_on_after(seconds)
