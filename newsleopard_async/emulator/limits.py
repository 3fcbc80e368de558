"""The rate limits: any sliding second, any sliding 24 hours, each key for itself (T05 to T07).

A refused request does not count; whether it does is not documented.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Final

from newsleopard_async.emulator.switches import SwitchBoard

__all__ = ["DAY_S", "RateLimiter"]

DAY_S: Final = 86_400.0


class RateLimiter:
    """Counts what each key sends."""

    def __init__(self, board: SwitchBoard) -> None:
        self._board = board
        self._second: defaultdict[str, deque[float]] = defaultdict(deque)
        self._day: defaultdict[str, deque[float]] = defaultdict(deque)
        self._exhausted_until: float | None = None

    def exhaust_day(self, now_s: float, resets_in_s: float) -> None:
        """Use up the day of every key."""
        self._exhausted_until = now_s + resets_in_s

    def refuse(self, key: str, now_s: float) -> str | None:
        """Count a request, and return None; or return the text that refuses it."""
        on = self._board.on
        day, second = self._day[key], self._second[key]
        _forget(day, now_s - DAY_S)
        _forget(second, now_s - 1.0)
        if self._exhausted_until is not None and now_s < self._exhausted_until:
            return on.day_limit_message
        if on.requests_per_day is not None and len(day) >= on.requests_per_day:
            return on.day_limit_message
        if on.requests_per_s is not None and len(second) >= on.requests_per_s:
            return on.second_limit_message
        day.append(now_s)
        second.append(now_s)
        return None


def _forget(instants: deque[float], until: float) -> None:
    while instants and instants[0] <= until:
        instants.popleft()
