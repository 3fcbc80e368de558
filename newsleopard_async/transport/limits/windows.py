"""Sliding windows of requests. Numbers only, no waiting.

The rule: a request counts against a sliding window until the window's period, and half a percent
of it, has passed since it can last have reached the server. That is the earlier of the
answer and of the body's last byte leaving plus the uplink's longest delay; while neither
is known, it counts. So any two requests of which the second needed the first one's place
arrive at the server more than a period apart, however the network delays them; and as
many as the window allows still go at once.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from datetime import date
from typing import Final, Protocol

import attrs

from newsleopard_async.models.options import DAY_S, RateLimits

__all__ = ["Claim", "Slot", "SlotLog", "SlotOwner", "sliding_windows"]

MARGIN: Final = 1.005
"""Periods are taken half a percent longer, against clocks that run apart."""


class SlotOwner(Protocol):
    """What a slot reports to: the queue of its key."""

    def sent(self, slot: Slot) -> None:
        """The whole of the request has left."""
        ...

    def settle(self, slot: Slot, *, answered: bool) -> None:
        """It was answered, or no answer will come."""
        ...

    def restore_export(self, slot: Slot) -> None:
        """It does not count as an export."""
        ...

    def give_back(self, slot: Slot) -> None:
        """It was never sent."""
        ...

    def is_good(self, slot: Slot) -> bool:
        """Whether it may still be sent in its place."""
        ...


@attrs.define(eq=False)
class Slot:
    """A place that a request has taken, and what is known of when it was at the server.

    The first end that it is told is the one that counts.

    Attributes:
        claim: The export's claim on its campaign.
        is_probe: Whether it goes alone to see if the server accepts requests again.
        sent_at: When the body's last byte left; infinite while it has not.
        sent_on: The UTC day of that.
        answered_at: When the answer's head came.
        lost_at: When it was given up.
        id: Of the permit with which it goes, if other processes share the limits.
        good_until: Until when it may be sent with that.
    """

    _owner: SlotOwner = attrs.field(repr=False)
    claim: Claim | None = None
    is_probe: bool = False
    sent_at: float = math.inf
    sent_on: date | None = None
    answered_at: float = math.inf
    lost_at: float = math.inf
    id: str = ""
    good_until: float = math.inf
    _is_open: bool = True

    def is_good(self) -> bool:
        """Say whether the request may still be sent; others may count on its having gone."""
        return self._owner.is_good(self)

    def sent(self) -> None:
        """Note that the body's last byte has left."""
        if self._is_open:
            self._owner.sent(self)

    def answered(self) -> None:
        """Note that the answer's head came."""
        self._settle(answered=True)

    def lost(self) -> None:
        """Note that no answer will come, though the request may have arrived."""
        self._settle(answered=False)

    def refused(self) -> None:
        """Note a refusal at the gateway: an export gets its campaign's turn back."""
        self._settle(answered=True)
        self._owner.restore_export(self)

    def give_back(self) -> None:
        """Undo what a request took that was never sent; one that was sent is lost."""
        if self.is_sent:
            self.lost()
        elif self._is_open:
            self._is_open = False
            self._owner.give_back(self)

    def _settle(self, *, answered: bool) -> None:
        if self._is_open:
            self._is_open = False
            self._owner.settle(self, answered=answered)

    @property
    def is_sent(self) -> bool:
        """Whether the whole of it has left."""
        return self.sent_at < math.inf

    @property
    def settled_at(self) -> float:
        """When its fate was known; infinite while it is not."""
        return min(self.answered_at, self.lost_at)

    def frees_at(self, period_s: float, uplink_s: float) -> float:
        """Return when it stops counting against a window; infinite while nothing is known."""
        arrived_by = min(self.answered_at, min(self.sent_at, self.lost_at) + uplink_s)
        return arrived_by + period_s * MARGIN


class SlotLog:
    """The requests that may count against a sliding window, of whatever length."""

    def __init__(self) -> None:
        self._open: dict[Slot, None] = {}
        self._settled: deque[Slot] = deque()
        self._longest_s = 0.0

    def __len__(self) -> int:
        return len(self._open) + len(self._settled)

    def add(self, slot: Slot) -> None:
        """Enter a request that goes now."""
        self._open[slot] = None

    def settle(self, slot: Slot) -> None:
        """Note that a request's fate is known, and forget what counts nowhere any more."""
        del self._open[slot]
        self._settled.append(slot)
        while self._settled[0].settled_at + self._longest_s < slot.settled_at:
            self._settled.popleft()

    def drop(self, slot: Slot) -> None:
        """Take a request out, as if it had never been."""
        if slot in self._open:
            del self._open[slot]
        elif slot in self._settled:
            self._settled.remove(slot)

    def is_idle(self, now: float) -> bool:
        """Say whether nothing in it counts any more."""
        if self._open:
            return False
        return not self._settled or self._settled[-1].settled_at + self._longest_s <= now

    def next_free_at(self, count: int, period_s: float, uplink_s: float, now: float) -> float:
        """Return when a window of ``count`` requests in ``period_s`` takes one more.

        Returns: the past if it does already, infinity while only an answer can tell.
        """
        reach_s = period_s * MARGIN + uplink_s
        self._longest_s = max(self._longest_s, reach_s)
        if len(self) < count:
            return -math.inf
        frees = (slot.frees_at(period_s, uplink_s) for slot in self._since(now - reach_s))
        holding = sorted(free_at for free_at in frees if free_at > now)
        return holding[-count] if len(holding) >= count else -math.inf

    def _since(self, instant: float) -> Iterator[Slot]:
        """Yield the open ones, and the settled ones that were not settled before ``instant``."""
        yield from self._open
        for slot in reversed(self._settled):
            if slot.settled_at < instant:
                return
            yield slot


def sliding_windows(limits: RateLimits) -> Iterator[tuple[int, float]]:
    """Yield the limits that slide, which are all but the day's."""
    return (window for window in limits.windows if window[1] != DAY_S)


@attrs.define(eq=False)
class Claim:
    """An export's claim on its campaign.

    Attributes:
        campaign_sn: The campaign.
        settled_at: When it can last have reached the server; infinite while it may yet.
        id: By which other processes know it, if any share the limits.
    """

    campaign_sn: str
    settled_at: float = math.inf
    id: str = ""

    def free_at(self, period_s: float, now: float) -> float:
        """Return when the campaign may be exported again; what is on its way is as if new."""
        return min(self.settled_at, now) + period_s
