"""The ledger of one key: who may go, and when. Numbers only, no waiting.

Clients of the same key share the ledger, and each is judged by its own limits.
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
"""How long a day that counts as gone is not asked again.

Chosen: 288 requests a day at most, and a wrong conclusion is corrected within 5 minutes.
"""


@attrs.frozen
class Hold:
    """What a refusal at the gateway means for every request.

    Attributes:
        for_s: How long none goes.
        is_day_gone: Whether the day's requests count as used up.
    """

    for_s: float
    is_day_gone: bool


@attrs.frozen(cache_hash=True)
class Demand:
    """Whose request it is that asks for a place, as far as the ledger is concerned.

    Compared by value: the ledger is asked once for all requests of one kind that wait, however
    many clients and calls they come from.

    Attributes:
        limits: The limits that it is judged by.
        polite: Whether it lets others go first, as polls do.
        longest_hold_s: Holds of the server's that are longer are not waited for.
        insists: Whether it goes once where no other request would, as what stops a campaign does.
    """

    limits: RateLimits
    polite: bool
    longest_hold_s: float
    insists: bool = False

    # Asked at every request, and always the same.
    @functools.cached_property
    def windows(self) -> tuple[tuple[int, float], ...]:
        """The limits that slide."""
        return tuple(sliding_windows(self.limits))

    @functools.cached_property
    def day_limit(self) -> int | None:
        """The requests that are allowed in a day, or None."""
        return day_limit(self.limits)

    @functools.cached_property
    def day_allowance(self) -> int:
        """How many of them we let go."""
        return day_allowance(self.day_limit or 0, polite=self.polite)


class LimitState:
    """What has gone, and what may go.

    Every method takes its time from the caller: ``now`` is monotonic, ``wall`` is UTC.
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
        """Return the error for a request that is not worth waiting with, or None."""
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
        """Say whether the day's requests that may go have gone, by their count."""
        return demand.day_limit is not None and self.used(now, wall) >= demand.day_allowance

    def used(self, now: float, wall: datetime) -> int:
        """Return the requests of this day, those on their way included."""
        return self.day.used(now, wall)

    def is_gone(self, now: float, wall: datetime) -> bool:
        """Say whether the server seems to refuse everything for the rest of the day."""
        return self.day.is_gone(now, wall)

    def request_permit_at(self, rank: int) -> float:  # noqa: ARG002 - others do ask
        """Return when the first in line is to ask others who share the limits."""
        return math.inf

    async def request_permit(self, demand: Demand, rank: int, serve: Callable[[], None]) -> None:
        """Ask others who share the limits, and serve the line with what comes of it."""

    def nobody_waits(self) -> None:
        """Note that nobody is in line."""

    async def share_claim(self, claim: Claim, limits: RateLimits) -> None:
        """Claim an export among all who share the limits.

        Raises:
            ExportedLately: the campaign was exported lately, or is being exported.
        """

    def close(self) -> None:
        """Note that it is not used any more."""

    async def learn_day(self, limits: RateLimits) -> None:
        """Learn the day's count of all who share the limits."""

    async def report(self) -> None:
        """Tell others who share the limits what they are still to be told."""

    def go_at(self, demand: Demand, now: float, wall: datetime) -> float:
        """Return when the next request may go; infinity while only an answer can tell.

        What insists waits neither where others are refused nor for a probe, whose answer may take
        a minute; it keeps the second's limit.
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
        """Return when the next export, of whatever campaign, keeps its distance."""
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
        """Let a request go."""
        slot = Slot(owner, claim, is_probe=self.gate.pass_one(early=now < self.gate.go_at()))
        self._log.add(slot)
        if claim is not None:
            self.exports.log.add(slot)
        self.day.reserve()
        self._last_went_at = now
        return slot

    def sent(self, slot: Slot, now: float, wall: datetime) -> None:
        """Note that the whole of a request has left."""
        if not slot.is_sent:
            self.day.note_sent(now, wall)
        slot.sent_at, slot.sent_on = now, wall.date()

    def settle(self, slot: Slot, now: float, wall: datetime, *, answered: bool) -> None:
        """Note that a request was answered, or that no answer will come."""
        if not slot.is_sent:
            self.day.note_sent(now, wall)
        elif slot.sent_on != wall.date():
            # It may have arrived on either day.
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
        """Undo a request that was never sent."""
        self._log.drop(slot)
        self.day.give_back()
        self.restore_export(slot)
        if slot.is_probe:
            self.gate.probe_unsent()

    def restore_export(self, slot: Slot) -> None:
        """Undo what a request counts as an export."""
        if slot.claim is not None:
            self.exports.log.drop(slot)
            self.restore(slot.claim)

    def restore(self, claim: Claim) -> None:
        """Give the campaign's export back."""
        self.exports.restore(claim)

    def throttled(
        self, now: float, wall: datetime, *, daily: bool | None, retry_after_s: float | None
    ) -> Hold | None:
        """Note a refusal at the gateway.

        Args:
            now: Monotonic.
            wall: In UTC.
            daily: False if the refusal is about the second, True if about the day, None if
                its text may mean either.
            retry_after_s: What the server asks for.
        Returns: what it means for all requests, or None if that is not new: of a burst that is
            refused, only the first one is.
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
        """Note an answer that was no refusal; say whether requests slow down from now on."""
        if self.gate.accepted():
            self.day.heal()
        return self.gate.is_open and self.spacing.accepted()

    def is_idle(self, now: float, wall: datetime) -> bool:
        """Say whether nothing but the day's count is known that a new one would not know.

        What was learned of the server by its refusals is kept as long as a probe may be due.
        """
        return (
            self._log.is_idle(now)
            and self.exports.is_idle(now)
            and now - self.gate.probe_at >= LONGEST_RETRY_AFTER_S
            and not self.day.is_gone(now, wall)
        )

    def usage(self, limits: RateLimits, now: float, wall: datetime) -> Usage:
        """Return the day's estimate under some limits."""
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
    """Return the error for a request that no wait would help."""
    match why:
        case "gone":
            return _day_is_gone(wall)
        case "used":
            return _day_is_used_up(demand.day_limit or 0, demand, wall)
        case "given-up":
            text = f"the server has refused every request for {GONE_AFTER_S:.0f} s or longer"
        case _:
            text = f"the server asks for no requests for {hold_s:.0f} s"
    return RateLimited(text, retry_after_s=hold_s)


def _day_is_gone(wall: datetime) -> DailyQuotaExhausted:
    return _exhausted(
        "the server has refused every probe, so the day's requests seem to be used up", wall
    )


def _day_is_used_up(limit: int, demand: Demand, wall: datetime) -> DailyQuotaExhausted:
    allowance = demand.day_allowance
    if demand.polite:
        return _exhausted(
            f"{allowance} of the day's {limit} requests are used, and the last are not for polls",
            wall,
        )
    return _exhausted(f"{allowance} of the day's {limit} requests are used, all that we send", wall)


def _exhausted(why: str, wall: datetime) -> DailyQuotaExhausted:
    resets_at = next_midnight(wall)
    return DailyQuotaExhausted(
        f"{why}; they come back at {resets_at:%Y-%m-%d %H:%M} UTC at a guess, "
        "since the platform does not say when its day begins",
        retry_after_s=(resets_at - wall).total_seconds(),
        resets_at=resets_at,
    )
