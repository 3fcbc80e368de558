"""Sliding windows of requests. Numbers only, no waiting.

The rule: a request counts against a sliding window until the window's period, and half a percent of
it, has passed since the request reached the server at the latest. That is the earlier of two
instants: the answer, or the departure of the last byte plus the uplink's longest delay. As long as
neither is known, the request counts. So any two requests, of which the second waited for the slot
of the first, arrive at the server more than a period apart, however the network delays them.
Nevertheless a burst of as many requests as the window allows is sent without a wait.
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
"""Periods are half a percent longer. Chosen: the clock of the server can run faster than ours."""


class SlotOwner(Protocol):
    """The queue of a key, to which a slot reports."""

    def sent(self, slot: Slot) -> None:
        """The last byte of the request has left."""
        ...

    def settle(self, slot: Slot, *, answered: bool) -> None:
        """The request was answered, or no answer will come."""
        ...

    def restore_export(self, slot: Slot) -> None:
        """The request does not count as an export."""
        ...

    def give_back(self, slot: Slot) -> None:
        """The request was never sent."""
        ...

    def is_good(self, slot: Slot) -> bool:
        """Return whether the request can still be sent with the slot."""
        ...


@attrs.define(eq=False)
class Slot:
    """The slot of a request, with the instants between which it was at the server.

    The first end that is reported counts.

    Attributes:
        claim: The export's claim on its campaign.
        is_probe: Whether the request finds out if the server accepts requests again.
        sent_at: When the body's last byte left; infinite before that.
        sent_on: The UTC day of that.
        answered_at: When the head of the answer came.
        lost_at: When the request was given up.
        id: The id of the permit, if other processes share the limits.
        good_until: Until when the request can be sent with the slot.
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
        """Return whether the request can still be sent; later ones already count on it."""
        return self._owner.is_good(self)

    def sent(self) -> None:
        """Record that the body's last byte has left."""
        if self._is_open:
            self._owner.sent(self)

    def answered(self) -> None:
        """Record that the head of the answer came."""
        self._settle(answered=True)

    def lost(self) -> None:
        """Record that no answer will come, although the request possibly arrived."""
        self._settle(answered=False)

    def refused(self) -> None:
        """Record a refusal at the gateway, and give an export's claim back."""
        self._settle(answered=True)
        self._owner.restore_export(self)

    def give_back(self) -> None:
        """Remove a request that was never sent from all counts; a sent one is lost."""
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
        """Whether the last byte has left."""
        return self.sent_at < math.inf

    @property
    def settled_at(self) -> float:
        """When the outcome was known; infinite before that."""
        return min(self.answered_at, self.lost_at)

    def frees_at(self, period_s: float, uplink_s: float) -> float:
        """Return when the slot stops counting against a window; infinite if that is unknown."""
        arrived_by = min(self.answered_at, min(self.sent_at, self.lost_at) + uplink_s)
        return arrived_by + period_s * MARGIN


class SlotLog:
    """The requests that can count against a sliding window of any length."""

    def __init__(self) -> None:
        self._open: dict[Slot, None] = {}
        self._settled: deque[Slot] = deque()
        self._longest_s = 0.0

    def __len__(self) -> int:
        return len(self._open) + len(self._settled)

    def add(self, slot: Slot) -> None:
        """Add a request that is sent now."""
        self._open[slot] = None

    def settle(self, slot: Slot) -> None:
        """Record that an outcome is known, and drop the requests that no longer count."""
        del self._open[slot]
        self._settled.append(slot)
        while self._settled[0].settled_at + self._longest_s < slot.settled_at:
            self._settled.popleft()

    def drop(self, slot: Slot) -> None:
        """Remove a request that was never sent."""
        if slot in self._open:
            del self._open[slot]
        elif slot in self._settled:
            self._settled.remove(slot)

    def is_idle(self, now: float) -> bool:
        """Return whether no request counts any more."""
        if self._open:
            return False
        return not self._settled or self._settled[-1].settled_at + self._longest_s <= now

    def next_free_at(self, count: int, period_s: float, uplink_s: float, now: float) -> float:
        """Return when a window of ``count`` requests in ``period_s`` has room for one more.

        Returns: the past if it has room already, infinity while that depends on an answer.
        """
        reach_s = period_s * MARGIN + uplink_s
        self._longest_s = max(self._longest_s, reach_s)
        if len(self) < count:
            return -math.inf
        frees = (slot.frees_at(period_s, uplink_s) for slot in self._since(now - reach_s))
        holding = sorted(free_at for free_at in frees if free_at > now)
        return holding[-count] if len(holding) >= count else -math.inf

    def _since(self, instant: float) -> Iterator[Slot]:
        """Yield the open slots, and those that were settled at ``instant`` or later."""
        yield from self._open
        for slot in reversed(self._settled):
            if slot.settled_at < instant:
                return
            yield slot


def sliding_windows(limits: RateLimits) -> Iterator[tuple[int, float]]:
    """Yield all limits except for the daily one."""
    return (window for window in limits.windows if window[1] != DAY_S)


@attrs.define(eq=False)
class Claim:
    """An export's claim on its campaign.

    Attributes:
        campaign_sn: The campaign.
        settled_at: When the request has reached the server at the latest; infinite while unknown.
        id: The name of the claim among processes that share the limits.
    """

    campaign_sn: str
    settled_at: float = math.inf
    id: str = ""

    def free_at(self, period_s: float, now: float) -> float:
        """Return when the campaign can be exported again; an unanswered export counts as new."""
        return min(self.settled_at, now) + period_s
