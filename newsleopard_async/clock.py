"""Time as a parameter: nothing else in the tower reads a clock."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Protocol

import anyio
import attrs

__all__ = ["Clock", "SystemClock"]


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
