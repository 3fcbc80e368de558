"""What has been used: sliding windows, the day, the exports. Numbers only, no waiting.

The rules:

- A request counts against a sliding window until the window's period, and half a percent
  of it, has passed since it can last have reached the server. That is the earlier of the
  answer and of the body's last byte leaving plus the uplink's longest delay; while neither
  is known, it counts. So any two requests of which the second needed the first one's place
  arrive at the server more than a period apart, however the network delays them; and as
  many as the window allows still go at once.
- The day is the calendar day in UTC. Whatever was sent counts, on the day on which it was
  sent, also if it was refused or timed out. Half a percent stays in hand (rounded down),
  and polls are denied the last hundredth of the limit.
- A campaign is exported once in a while; the claim is made when the export asks for its
  place, so that a second one is refused even while the first one waits.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import attrs

from newsleopard_async.errors import RateLimited
from newsleopard_async.models.options import DAY_S, RateLimits

__all__ = [
    "Claim",
    "DayCount",
    "ExportedLately",
    "Exports",
    "Passage",
    "SlotLog",
    "day_allowance",
    "day_limit",
]

MARGIN: Final = 1.005
"""Periods are taken half a percent longer, against clocks that run apart."""


@attrs.define(eq=False)
class Passage:
    """One request on its way, and what is known of when it was at the server.

    Attributes:
        claim: The export's claim on its campaign.
        is_probe: Whether it goes alone to see if the server accepts requests again.
        sent_at: When the body's last byte left; infinite while it has not.
        answered_at: When the answer's head came.
        lost_at: When it was given up.
    """

    claim: Claim | None = None
    is_probe: bool = False
    sent_at: float = math.inf
    answered_at: float = math.inf
    lost_at: float = math.inf

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
        self._open: dict[Passage, None] = {}
        self._settled: deque[Passage] = deque()
        self._longest_s = 0.0

    def __len__(self) -> int:
        return len(self._open) + len(self._settled)

    def add(self, passage: Passage) -> None:
        """Enter a request that goes now."""
        self._open[passage] = None

    def settle(self, passage: Passage) -> None:
        """Note that a request's fate is known, and forget what counts nowhere any more."""
        del self._open[passage]
        self._settled.append(passage)
        while self._settled[0].settled_at + self._longest_s < passage.settled_at:
            self._settled.popleft()

    def drop(self, passage: Passage) -> None:
        """Take a request out, as if it had never been."""
        if passage in self._open:
            del self._open[passage]
        elif passage in self._settled:
            self._settled.remove(passage)

    def next_free_at(self, count: int, period_s: float, uplink_s: float, now: float) -> float:
        """Return when a window of ``count`` requests in ``period_s`` takes one more.

        Returns: the past if it does already, infinity while only an answer can tell.
        """
        reach_s = period_s * MARGIN + uplink_s
        self._longest_s = max(self._longest_s, reach_s)
        if len(self) < count:
            return -math.inf
        frees = (passage.frees_at(period_s, uplink_s) for passage in self._since(now - reach_s))
        holding = sorted(free_at for free_at in frees if free_at > now)
        return holding[-count] if len(holding) >= count else -math.inf

    def _since(self, instant: float) -> Iterator[Passage]:
        """Yield the open ones, and the settled ones that were not settled before ``instant``."""
        yield from self._open
        for passage in reversed(self._settled):
            if passage.settled_at < instant:
                return
            yield passage


def sliding_windows(limits: RateLimits) -> Iterator[tuple[int, float]]:
    """Yield the limits that slide, which are all but the day's."""
    return (window for window in limits.windows if window[1] != DAY_S)


def day_limit(limits: RateLimits) -> int | None:
    """Return the requests that the limits allow in a day, or None."""
    return min((count for count, period_s in limits.windows if period_s == DAY_S), default=None)


def day_allowance(limit: int, *, polite: bool) -> int:
    """Return how many requests of a day's limit we let go."""
    return limit - (limit // 100 if polite else limit // 200)


class DayCount:
    """The requests of the current UTC day.

    A request takes its place before it is sent, and counts on the day on which it is sent:
    those that wait to be sent are counted apart, and pass midnight.
    """

    def __init__(self, used: int = 0) -> None:
        self._seed = used
        self._day: date | None = None
        self._sent = 0
        self._pending = 0
        self._is_gone = False

    def used(self, wall: datetime) -> int:
        """Return how many requests count on the day, those still to be sent included."""
        self._turn(wall)
        return self._sent + self._pending

    def is_gone(self, wall: datetime) -> bool:
        """Say whether the server seems to refuse everything for the rest of the day."""
        self._turn(wall)
        return self._is_gone

    def declare_gone(self, wall: datetime) -> None:
        """Take it that the server refuses everything for the rest of the day."""
        self._turn(wall)
        self._is_gone = True

    def reserve(self) -> None:
        """Count a request that goes now."""
        self._pending += 1

    def give_back(self) -> None:
        """Take back the count of a request that was never sent."""
        self._pending -= 1

    def note_sent(self, wall: datetime) -> None:
        """Count a reserved request for good, on this day."""
        self._turn(wall)
        self._pending -= 1
        self._sent += 1

    def seed(self, used: int, wall: datetime) -> None:
        """Count at least ``used`` requests as sent on this day."""
        self._turn(wall)
        self._sent = max(self._sent, used)

    def _turn(self, wall: datetime) -> None:
        """Begin a new day; on the first look, the one that the seed is about."""
        if self._day != wall.date():
            self._day, self._sent, self._is_gone = wall.date(), self._seed, False
            self._seed = 0


def next_midnight(wall: datetime) -> datetime:
    """Return the next 00:00 UTC."""
    return datetime.combine(wall.date() + timedelta(days=1), time(), UTC)


class ExportedLately(RateLimited):
    """The campaign was exported within the hour, so that the platform has its files."""


@attrs.define(eq=False)
class Claim:
    """An export's claim on its campaign.

    Attributes:
        campaign_sn: The campaign.
        previous: The claim before this one, which counts again if this one is given back.
        settled_at: When it can last have reached the server; infinite while it may yet.
    """

    campaign_sn: str
    previous: Claim | None
    settled_at: float = math.inf

    def free_at(self, period_s: float, now: float) -> float:
        """Return when the campaign may be exported again; what is on its way is as if new."""
        return min(self.settled_at, now) + period_s


class Exports:
    """The last export of each campaign, and the distance between any two."""

    def __init__(self) -> None:
        self.log = SlotLog()
        self._claims: dict[str, Claim] = {}
        self._longest_s = 0.0

    def __len__(self) -> int:
        return len(self._claims)

    def wait_s(self, campaign_sn: str, period_s: float, now: float) -> float:
        """Return how long the campaign is not to be exported; 0 or less if it may be."""
        claim = self._claims.get(campaign_sn)
        return 0.0 if claim is None else claim.free_at(period_s, now) - now

    def claim(self, campaign_sn: str, period_s: float, now: float) -> Claim:
        """Claim a campaign for an export that is about to ask for its place."""
        self._longest_s = max(self._longest_s, period_s)
        self._claims = {
            sn: claim
            for sn, claim in self._claims.items()
            if claim.free_at(self._longest_s, now) > now
        }
        claim = Claim(campaign_sn, self._claims.get(campaign_sn))
        self._claims[campaign_sn] = claim
        return claim

    def restore(self, claim: Claim) -> None:
        """Give the campaign's export back."""
        if self._claims.get(claim.campaign_sn) is not claim:
            return
        if claim.previous is None:
            del self._claims[claim.campaign_sn]
        else:
            self._claims[claim.campaign_sn] = claim.previous
