"""The figures of the arrivals at a server: overfull seconds, use, fairness. Pure functions."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import attrs

__all__ = ["Arrival", "contended", "jain", "overfull", "use"]

RATE: Final = 10
PERIOD_S: Final = 1.0


@attrs.frozen
class Arrival:
    """A request that arrived at the server.

    Attributes:
        at: When its last byte came, on the monotonic clock that all processes share.
        path: With its query.
        status: The status of the answer.
    """

    at: float
    path: str
    status: int = 200


def overfull(times: Iterable[float]) -> list[tuple[float, int]]:
    """Return the start and the size of each half-open second with more than ten arrivals.

    One second is checked from each arrival, so every overfull second is found.
    """
    ordered = sorted(times)
    sizes = (
        bisect.bisect_left(ordered, begin + PERIOD_S) - index for index, begin in enumerate(ordered)
    )
    return [(begin, size) for begin, size in zip(ordered, sizes, strict=True) if size > RATE]


def use(times: Collection[float]) -> float:
    """Return the share of the allowed requests after the first ten that arrived."""
    span_s = max(times, default=0.0) - min(times, default=0.0)
    return (len(times) - RATE) / (RATE * span_s) if span_s else 0.0


def jain(counts: Sequence[int]) -> float:
    """Return Jain's index: 1 if all have the same, 1/n if one has everything."""
    squares = sum(count * count for count in counts)
    return sum(counts) ** 2 / (len(counts) * squares) if squares else 1.0


def contended(arrivals: Iterable[tuple[float, int]], members: Collection[int]) -> list[int]:
    """Count the arrivals of each member while all of them had more to send.

    That is until the first of them has sent its last. Each arrival is its time and its sender.
    """
    ordered = sorted(each for each in arrivals if each[1] in members)
    last = {sender: at for at, sender in ordered}
    end = min(last.values(), default=0.0)
    counts = Counter(sender for at, sender in ordered if at <= end)
    return [counts[member] for member in members]
