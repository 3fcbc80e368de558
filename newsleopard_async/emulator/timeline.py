"""What happens when: the changes of state that are due, in order of their instants.

There are no background tasks. Whoever reads or changes the state first settles the
timeline up to the clock's present, so that the state is a function of the clock.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import datetime

__all__ = ["Timeline"]

Change = Callable[[datetime], None]


class Timeline:
    """A queue of changes; of two due at the same instant, the one added first happens first."""

    def __init__(self) -> None:
        self._changes: list[tuple[datetime, int, Change]] = []
        self._order = itertools.count()
        self._lock = threading.RLock()

    def add(self, at: datetime, change: Change) -> None:
        """Let a change happen at an instant; it is called with that instant."""
        with self._lock:
            heapq.heappush(self._changes, (at, next(self._order), change))

    def settle(self, now: datetime) -> None:
        """Let everything happen that is due."""
        with self._lock:
            while self._changes and self._changes[0][0] <= now:
                at, _, change = heapq.heappop(self._changes)
                change(at)
