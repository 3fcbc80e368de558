"""The changes of state that are due.

There are no background tasks. Whoever reads or changes the state first settles the
timeline up to the clock's present, so that the state is a function of the clock. The
present never goes back: what has happened stays so if the wall clock is set back. A request
prepares long work in slices before it settles. Others are answered meanwhile, as of before.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime
from typing import ClassVar, Protocol

__all__ = ["ChangeCounter", "ScheduledChange", "Timeline"]


class ChangeCounter:
    """Counts the changes of an account's state, so that others notice that there was one."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """How many changes there were; it never goes back."""
        return self._count

    def add(self) -> None:
        """Count one that has been made; from any thread."""
        with self._lock:
            self._count += 1


class ScheduledChange(Protocol):
    """Something that is to happen at an instant: data, so that it can be written down."""

    def apply(self, at: datetime) -> None:
        """Do it; ``at`` is its instant."""
        ...

    def preparing(self, at: datetime) -> Iterator[None]:
        """Do in slices what can be done of it before; it may be done again."""
        del at
        yield from ()


class Timeline:
    """A queue of changes; of two due at the same instant, the one added first happens first."""

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
        """Let a change happen at an instant."""
        with self._lock:
            heapq.heappush(self._changes, (at, self._added, change))
            self._added += 1

    def catch_up(self, now: datetime) -> datetime:
        """Let everything happen that is due, and return the present.

        The present is the latest instant that was ever settled. It stands still while a wall
        clock that was set back catches up.
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
        """Let everything happen that is due, prepared in slices, unless another request does it."""
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
        """Settle and return the present; it stands still while a request prepares a change."""
        with self._lock:
            return self._present if self._is_preparing else self.catch_up(now)
