"""The limit state of one key: when a request can be sent. Numbers only, no waiting.

Clients of the same key share the state, and each one observes its own limits.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from datetime import datetime
from typing import Final

import attrs

from newsleopard_async.errors import DailyQuotaExhausted, NewsLeopardError, RateLimited
from newsleopard_async.models.options import RateLimits, Usage
from newsleopard_async.transport.limits.day import DayCount, day_allowance, day_limit, next_midnight
from newsleopard_async.transport.limits.exports import Exports, exported_lately
from newsleopard_async.transport.limits.gate import (
    GONE_AFTER_S,
    LONGEST_RETRY_AFTER_S,
    Gate,
    GateState,
    Spacing,
    probe_delay_s,
)
from newsleopard_async.transport.limits.quota import RefusalReason
from newsleopard_async.transport.limits.windows import (
    Claim,
    Slot,
    SlotLog,
    SlotOwner,
    sliding_windows,
)

__all__ = ["DAY_PROBE_S", "Demand", "Hold", "LimitState", "refusal_for"]

DAY_PROBE_S: Final = 300.0
"""How long no probe is sent on a day that counts as exhausted.

Chosen: at most 288 requests per day, and a wrong conclusion is corrected within 5 minutes.
"""


@attrs.frozen
class Hold:
    """What a refusal at the gateway means for every request.

    Attributes:
        for_s: For how long no request is sent.
        is_day_gone: Whether the daily quota counts as exhausted.
    """

    for_s: float
    is_day_gone: bool


@attrs.frozen(cache_hash=True)
class Demand:
    """The properties of a request that decide when it can be sent.

    Demands are compared by value. So one check is enough for all waiting requests of one kind, from
    any number of clients and calls.

    Attributes:
        limits: The limits that the request observes.
        polite: Whether other requests have priority, as for a poll.
        longest_hold_s: The longest hold by the server that the request waits for.
        insists: Whether it is sent once even if no other request is, because it stops a campaign.
    """

    limits: RateLimits
    polite: bool
    longest_hold_s: float
    insists: bool = False

    # Read at every request, and always the same.
    @functools.cached_property
    def windows(self) -> tuple[tuple[int, float], ...]:
        """The sliding limits."""
        return tuple(sliding_windows(self.limits))

    @functools.cached_property
    def day_limit(self) -> int | None:
        """The requests that are allowed in a day, or None."""
        return day_limit(self.limits)

    @functools.cached_property
    def day_allowance(self) -> int:
        """How many of them we send."""
        return day_allowance(self.day_limit or 0, polite=self.polite)


class LimitState:
    """The sent requests of a key, and the limits of the next ones.

    Every method takes the time from its caller: ``now`` is monotonic, ``wall`` is UTC.
    """

    def __init__(self, day: DayCount) -> None:
        self.day = day
        self.gate: Gate = Gate()
        self.spacing: Spacing = Spacing()
        self.exports: Exports = Exports()
        self._log = SlotLog()
        self._last_went_at = -math.inf
        self._day_probe_at = -math.inf

    def refusal(self, demand: Demand, now: float, wall: datetime) -> NewsLeopardError | None:
        """Return the error for a request that no wait can help, or None."""
        return None if demand.insists else self._refusal(demand, now, wall)

    def _refusal(self, demand: Demand, now: float, wall: datetime) -> RateLimited | None:
        may_probe = self.gate.may_probe(now)
        if self.day.is_gone(now, wall) and not (may_probe and now >= self._day_probe_at):
            return refusal_for("gone", demand, wall)
        if self.is_used_up(demand, now, wall):
            return refusal_for("used", demand, wall)
        hold_s = self.gate.hold_s(now)
        if self.gate.is_given_up and not may_probe:
            return refusal_for("given-up", demand, wall, hold_s=max(hold_s, probe_delay_s(0)))
        if hold_s > demand.longest_hold_s:
            return refusal_for("hold", demand, wall, hold_s=hold_s)
        return None

    def is_used_up(self, demand: Demand, now: float, wall: datetime) -> bool:
        """Return whether the requests of the day that we send are used up, by their count."""
        return demand.day_limit is not None and self.used(now, wall) >= demand.day_allowance

    def used(self, now: float, wall: datetime) -> int:
        """Return how many requests count on this day, including unanswered ones."""
        return self.day.used(now, wall)

    def is_gone(self, now: float, wall: datetime) -> bool:
        """Return whether the server seems to refuse all requests for the rest of the day."""
        return self.day.is_gone(now, wall)

    def request_permit_at(self, rank: int) -> float:  # noqa: ARG002 - for `SharedLimitState`
        """Return when the first request in the queue must ask for a permit of shared limits."""
        return math.inf

    async def request_permit(self, demand: Demand, rank: int, serve: Callable[[], None]) -> None:
        """Ask for a permit of shared limits, and process the queue with the reply."""

    def queue_emptied(self) -> None:
        """Record that no request waits in the queue."""

    async def share_claim(self, claim: Claim, limits: RateLimits) -> None:
        """Claim an export among all processes that share the limits.

        Raises:
            ExportedLately: the campaign was exported lately, or is being exported.
        """

    def close(self) -> None:
        """Close the state, which is not used any more."""

    async def learn_day(self, limits: RateLimits) -> None:
        """Read the daily count of all processes that share the limits."""

    async def report(self) -> None:
        """Send all pending reports to the processes that share the limits."""

    def go_at(self, demand: Demand, now: float, wall: datetime) -> float:
        """Return when the next request can be sent; infinity while that depends on an answer.

        A request that insists does not wait if others are refused, nor for a probe that can take a
        minute to be answered. It observes the limit per second.
        """
        go_at = self._last_went_at + self.spacing.interval_s(demand.windows)
        gate_at = self.gate.go_at()
        if not demand.insists or (gate_at < math.inf and self._refusal(demand, now, wall) is None):
            go_at = max(gate_at, go_at)
        for count, period_s in demand.windows:
            free_at = self._log.next_free_at(count, period_s, demand.limits.uplink_s, now)
            go_at = max(go_at, free_at)
        return go_at

    def export_go_at(self, demand: Demand, now: float) -> float:
        """Return when the next export of any campaign is far enough from the last one."""
        limits = demand.limits
        if limits.export_every_s is None:
            return -math.inf
        return self.exports.log.next_free_at(1, limits.export_every_s, limits.uplink_s, now)

    def claim_export(self, campaign_sn: str, limits: RateLimits, now: float) -> Claim:
        """Claim a campaign's export.

        Raises:
            ExportedLately: the campaign was exported lately, or is being exported.
        """
        period_s = limits.export_per_campaign_s
        wait_s = self.exports.wait_s(campaign_sn, period_s, now)
        if wait_s > 0:
            raise exported_lately(period_s, wait_s)
        return self.exports.claim(campaign_sn, period_s, now)

    def take(self, owner: SlotOwner, claim: Claim | None, now: float) -> Slot:
        """Return the slot of a request that is sent now."""
        slot = Slot(owner, claim, is_probe=self.gate.pass_one(early=now < self.gate.go_at()))
        self._log.add(slot)
        if claim is not None:
            self.exports.log.add(slot)
        self.day.reserve()
        self._last_went_at = now
        return slot

    def sent(self, slot: Slot, now: float, wall: datetime) -> None:
        """Record that the last byte of a request has left."""
        if not slot.is_sent:
            self.day.note_sent(now, wall)
        slot.sent_at, slot.sent_on = now, wall.date()

    def settle(self, slot: Slot, now: float, wall: datetime, *, answered: bool) -> None:
        """Record that a request was answered, or that no answer will come."""
        if not slot.is_sent:
            # Its last byte was not seen to leave, but the request possibly arrived.
            self.day.note_sent(now, wall)
        elif slot.sent_on != wall.date():
            # It can have arrived on either day, so both days count it.
            self.day.count(now, wall)
        if answered:
            slot.answered_at = now
        else:
            slot.lost_at = now
        self._log.settle(slot)
        if slot.claim is not None:
            self.exports.log.settle(slot)
            slot.claim.settled_at = now
        if slot.is_probe:
            self.gate.probe_settled(now, answered=answered)

    def give_back(self, slot: Slot) -> None:
        """Remove a request that was never sent from all counts."""
        self._log.drop(slot)
        self.day.give_back()
        self.restore_export(slot)
        if slot.is_probe:
            self.gate.probe_unsent()

    def restore_export(self, slot: Slot) -> None:
        """Remove a request from the counted exports."""
        if slot.claim is not None:
            self.exports.log.drop(slot)
            self.restore(slot.claim)

    def restore(self, claim: Claim) -> None:
        """Give the claim on the campaign back."""
        self.exports.restore(claim)

    def throttled(
        self, now: float, wall: datetime, *, daily: bool | None, retry_after_s: float | None
    ) -> Hold | None:
        """Record a refusal at the gateway; the rules are in `gate`.

        Args:
            now: The monotonic time.
            wall: The time in UTC.
            daily: False if the refusal is about the limit per second, True if about the day, None
                if its text can mean both.
            retry_after_s: The wait that the server requests.
        Returns: the hold for all requests, or None for all but the first refusal of a burst.
        """
        is_news = self.gate.state in (GateState.OPEN, GateState.JUDGING)
        self._throttled(now, wall, daily=daily, retry_after_s=retry_after_s)
        return Hold(self.gate.hold_s(now), self.day.is_gone(now, wall)) if is_news else None

    def _throttled(
        self, now: float, wall: datetime, *, daily: bool | None, retry_after_s: float | None
    ) -> None:
        self.spacing.refused()
        is_probe_answer = self.gate.state is GateState.JUDGING
        gone = self.gate.refused(now, daily=daily, retry_after_s=retry_after_s)
        if is_probe_answer and daily is False:
            self.day.heal()
        elif gone or (is_probe_answer and self.day.is_gone(now, wall)):
            self.spacing.forget_refusals()
            self.day.declare_gone(now, wall)
            self._day_probe_at = now + DAY_PROBE_S

    def accepted(self) -> bool:
        """Record an answer that was not a refusal; return whether requests slow down after this."""
        if self.gate.accepted():
            self.day.heal()
        return self.gate.is_open and self.spacing.accepted()

    def is_idle(self, now: float, wall: datetime) -> bool:
        """Return whether a new state would be the same, except for the daily count.

        Refusals are remembered for as long as a probe can be due.
        """
        return (
            self._log.is_idle(now)
            and self.exports.is_idle(now)
            and now - self.gate.probe_at >= LONGEST_RETRY_AFTER_S
            and not self.day.is_gone(now, wall)
        )

    def usage(self, limits: RateLimits, now: float, wall: datetime) -> Usage:
        """Return the estimated use of the day under some limits."""
        demand, used = Demand(limits, False, 0.0), self.used(now, wall)
        left = 0 if self.is_gone(now, wall) else max(0, demand.day_allowance - used)
        return Usage(
            used=used,
            limit=demand.day_limit,
            remaining=None if demand.day_limit is None else left,
            resets_at=next_midnight(wall),
        )


def refusal_for(
    why: RefusalReason, demand: Demand, wall: datetime, *, hold_s: float = 0.0
) -> RateLimited:
    """Return the error for a request that no wait can help."""
    match why:
        case "gone":
            return _day_is_gone(wall)
        case "used":
            return _day_is_used_up(demand.day_limit or 0, demand, wall)
        case "given-up":
            text = f"the server has refused every request for {GONE_AFTER_S:.0f} s or longer"
        case _:
            text = f"the server asks for a wait of {hold_s:.0f} s"
    return RateLimited(text, retry_after_s=hold_s)


def _day_is_gone(wall: datetime) -> DailyQuotaExhausted:
    return _exhausted(
        "the server has refused every probe, so the daily quota seems to be exhausted", wall
    )


def _day_is_used_up(limit: int, demand: Demand, wall: datetime) -> DailyQuotaExhausted:
    allowance = demand.day_allowance
    if demand.polite:
        return _exhausted(
            f"{allowance} of {limit} requests per day are used, and polls cannot use the last ones",
            wall,
        )
    return _exhausted(
        f"{allowance} of {limit} requests per day are used, and the rest is left unused", wall
    )


def _exhausted(why: str, wall: datetime) -> DailyQuotaExhausted:
    resets_at = next_midnight(wall)
    return DailyQuotaExhausted(
        f"{why}; call again at {resets_at:%Y-%m-%d %H:%M} UTC (an estimate, because the "
        "platform does not document when its day begins)",
        retry_after_s=(resets_at - wall).total_seconds(),
        resets_at=resets_at,
    )
