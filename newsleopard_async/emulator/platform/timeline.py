"""The scheduled changes of an account's state.

It has no background tasks. Each read or change of the state first catches up: it applies all
changes that are due, so the state is a function of the clock. The present never goes back, so a
change stays applied if the wall clock is set back. A request prepares long work in slices before
it applies a change. Between the slices, other requests get answers from the state before.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime
from typing import ClassVar, Protocol

__all__ = ["ChangeCounter", "ScheduledChange", "Timeline"]


class ChangeCounter:
    """Counts the changes of an account's state, so that a reader can detect a change."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """The number of changes; it never decreases."""
        return self._count

    def add(self) -> None:
        """Count a change, from any thread."""
        with self._lock:
            self._count += 1


class ScheduledChange(Protocol):
    """A change that happens at an instant; it is data, so a state can contain it."""

    def apply(self, at: datetime) -> None:
        """Apply the change at its instant."""
        ...

    def preparing(self, at: datetime) -> Iterator[None]:
        """Prepare the change in slices; this can be called again."""
        del at
        yield from ()


class Timeline:
    """A queue of changes; at the same instant, the order of adding decides."""

    OF_PROCESS: ClassVar[frozenset[str]] = frozenset({"_lock", "_counted"})
    AFRESH: ClassVar[Mapping[str, object]] = {"_is_preparing": False}

    def __init__(self, counted: ChangeCounter) -> None:
        self._counted = counted
        self._changes: list[tuple[datetime, int, ScheduledChange]] = []
        self._added = 0
        self._present = datetime.min.replace(tzinfo=UTC)
        self._lock = threading.RLock()
        self._is_preparing = False

    def add(self, at: datetime, change: ScheduledChange) -> None:
        """Schedule a change."""
        with self._lock:
            heapq.heappush(self._changes, (at, self._added, change))
            self._added += 1

    def catch_up(self, now: datetime) -> datetime:
        """Apply all changes that are due, and return the present.

        The present is the latest instant so far. If the wall clock was set back, the present does
        not change until the clock has reached it again.
        """
        with self._lock:
            self._present = max(self._present, now)
            while self._changes and self._changes[0][0] <= self._present:
                self._change()
            return self._present

    def _change(self) -> None:
        at, _, change = heapq.heappop(self._changes)
        self._present = max(self._present, at)
        change.apply(at)
        self._counted.add()

    def catching_up(self, now: Callable[[], datetime]) -> Generator[None, None, None]:
        """Prepare in slices and apply all changes that are due, unless another request does so."""
        if self._is_preparing:
            return
        self._is_preparing = True
        try:
            while self._changes and self._changes[0][0] <= max(self._present, now()):
                first = self._changes[0]
                yield from first[-1].preparing(first[0])
                if self._changes and self._changes[0] is first:
                    self._change()
        finally:
            self._is_preparing = False

    def present(self, now: datetime) -> datetime:
        """Catch up and return the present, which waits while a request prepares a change."""
        with self._lock:
            return self._present if self._is_preparing else self.catch_up(now)
