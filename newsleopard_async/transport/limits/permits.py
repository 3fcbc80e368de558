"""The limits of a key that several processes share: one small value, and how it changes.

All functions here are pure: they take the stored value, an update and the time of the store. A
`QuotaStore` stores the value. `permits.lua` has the same rules for Redis, and a test compares the
two.

The rules of `gate`, `day` and `windows` hold for all processes together. The further rules:

- A process requests one permit at a time. With it, it reports the outcomes of its requests.
- A permit is given if all requests that it depends on are known to have left: immediately, or for
  an instant soon. Otherwise the reply contains the time of the next request for a permit, and the
  process keeps its position in the queue. First come, first served, so the processes take turns.
- A process that does not ask again in time loses its position, because it was possibly killed.
- A permit is valid for 50 ms. A process that is later requests a new one.
- A request without a report counts for 10 s, and is not sent later than that.
- The store can lose the value. Then no request is sent until every permit is used and every window
  is empty.
- A clock that is set back counts as a clock that did not move.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import attrs

from newsleopard_async.transport.limits.day import DayCount
from newsleopard_async.transport.limits.gate import Gate, GateState, Spacing, probe_delay_s
from newsleopard_async.transport.limits.limit_state import DAY_PROBE_S
from newsleopard_async.transport.limits.quota import (
    LEASE_S,
    POLL,
    ExportClaim,
    PermitRequest,
    QuotaReply,
    QuotaUpdate,
    RequestReport,
)
from newsleopard_async.transport.limits.windows import MARGIN

__all__ = ["FORM", "apply"]

_AHEAD_S: Final = 1.2
"""How far ahead a permit is given, and the longest time until the process asks again.

Chosen: the window of a second and the uplink's delay. If the store loses the value, all requests
wait for this time too, because a process can still use a permit that the store has lost.
"""

_CLOSE_S: Final = 0.02
"""How much later than possible a permit can be. Chosen: less than another call of the store
costs."""

_GRACE_S: Final = 0.25
"""How late a process can ask again and keep its position. Chosen: ten times the delay on a busy
machine."""

_LOOK_S: Final = 0.5
"""The time between two requests for a permit while a probe or the last requests of the day are
unanswered. Chosen: most answers arrive sooner."""

_AGAIN_S: Final = 0.05
"""The shortest time between two requests for a permit. Chosen: reports of other processes arrive
within twice that."""

_EXPORT_LOOK_S: Final = 1.0
"""The time between two claims while another export is unanswered. Chosen: twice `_LOOK_S`, because
exports are rare."""

_MOST_REFUSALS: Final = 32
"""The number of refusals that are remembered, so that each counts once. Chosen: three windows of
ten, and a report is repeated within seconds."""

_MOST_PROBES: Final = 8
"""The number of probes that are remembered because their answers can still change the gate. Chosen:
one is sent every 10 s if none is answered, and an answer takes a minute at most."""

_LEAST: Final = 64
"""The least number of requests that are remembered. Chosen: six windows of ten, so that each report
finds its request."""

FORM: Final = 1
"""The form of the stored value, which is a part of its name. Otherwise two versions that run at the
same time would discard each other's value all the time."""

NEVER: Final = -1e18
"""An instant that is certainly in the past: JSON has no infinity."""

LATER: Final = 1e18
"""An instant that no request waits for."""


def apply(
    kept: object,
    update: QuotaUpdate,
    now: float,
    wall: datetime,
    *,
    is_first: bool = False,
) -> tuple[dict[str, Any], QuotaReply]:
    """Apply an update to the stored value, and return the new value and the reply.

    Args:
        kept: The JSON-safe data that was returned before, or None. Anything else counts as None.
        update: The reports and requests of one process.
        now: Seconds, by a clock that all processes share.
        wall: The time in UTC.
        is_first: Whether there never was a value, so that no process can have sent anything.
    """
    shared = _read(kept, now, lambda: update.chance)
    if shared is None:
        shared = _QuotaState(
            born=NEVER if is_first else now,
            gate=Gate(jitter=lambda: update.chance),
        )
    reply = shared.update(update, now, wall)
    return shared.write(now), reply


def _read(kept: object, now: float, jitter: Callable[[], float]) -> _QuotaState | None:
    """Read the stored value; return None if it cannot be read."""
    try:
        return _QuotaState.read(kept, now, jitter)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None


def _number(given: Any) -> float:
    number = float(given)
    if not math.isfinite(number):
        raise ValueError
    return number


@attrs.define
class _QuotaSlot:
    """The slot of a request.

    Attributes:
        at: When the request is sent.
        by: When it has reached the server at the latest.
        is_known: Whether its last byte is reported to have left. Otherwise ``by`` is an estimate.
    """

    id: str
    at: float
    by: float
    is_known: bool = False


@attrs.define
class _Probe:
    """A request that finds out whether the server accepts requests again.

    Attributes:
        until: When another probe can be sent even without a report, because the process may have
            been killed.
    """

    id: str
    until: float


@attrs.define
class _QueueEntry:
    """A process that waits for a permit.

    Attributes:
        since: When it first asked.
        due: When it will ask again.
    """

    id: str
    rank: int
    since: float
    due: float


@attrs.define
class _QuotaExport:
    """An export, or the claim to one.

    Attributes:
        at: When it was made, or claimed.
        until: When it stops to count.
        is_open: Whether it has not been made yet.
    """

    id: str
    campaign_sn: str
    at: float
    until: float
    is_open: bool = True


@attrs.define(kw_only=True)
class _QuotaState:
    """The stored value while it is changed."""

    born: float
    gate: Gate
    slots: list[_QuotaSlot] = attrs.field(factory=list)
    probes: list[_Probe] = attrs.field(factory=list)
    queue: list[_QueueEntry] = attrs.field(factory=list)
    exports: list[_QuotaExport] = attrs.field(factory=list)
    refusals: list[str] = attrs.field(factory=list)
    last_at: float = NEVER
    reach_s: float = 0.0
    most: int = 0
    day: DayCount = attrs.field(factory=DayCount)
    day_probe_at: float = NEVER
    pace: Spacing = attrs.field(factory=Spacing)

    @classmethod
    def read(cls, kept: Any, now: float, jitter: Callable[[], float]) -> _QuotaState:
        """Read the value; if the time was set back, move all its instants back as well."""
        if kept["form"] != FORM:
            raise ValueError
        back = min(0.0, now - _number(kept["now"]))

        def instant(given: Any) -> float:
            return _number(given) + back

        return cls(
            born=instant(kept["born"]),
            slots=[
                _QuotaSlot(str(i), instant(at), instant(by), bool(k))
                for i, at, by, k in kept["places"]
            ],
            probes=[_Probe(str(i), instant(until)) for i, until in kept["probes"]],
            queue=[
                _QueueEntry(str(i), int(rank), instant(at), instant(due))
                for i, rank, at, due in kept["line"]
            ],
            exports=[
                _QuotaExport(str(i), str(sn), instant(at), instant(until), bool(o))
                for i, sn, at, until, o in kept["exports"]
            ],
            refusals=[str(each) for each in kept["refusals"]],
            last_at=instant(kept["last_at"]),
            reach_s=_number(kept["reach_s"]),
            most=int(kept["most"]),
            day=DayCount.read(kept["days"], instant),
            day_probe_at=instant(kept["day_probe_at"]),
            gate=Gate.read(kept["gate"], instant, jitter),
            pace=Spacing.read(kept["pace"]),
        )

    def write(self, now: float) -> dict[str, Any]:
        """Return the value as JSON-safe data, without requests that no longer count."""
        counting = (each for each in self.slots if each.by + self.reach_s > now)
        # Earlier requests do not matter to any window. A long window would keep them all.
        latest = sorted(counting, key=lambda each: each.by)[-self.most :]
        return {
            "form": FORM,
            "now": now,
            "born": self.born,
            "places": [attrs.astuple(each) for each in latest],
            "probes": [attrs.astuple(each) for each in self.probes[-_MOST_PROBES:]],
            "line": [attrs.astuple(each) for each in self.queue],
            "exports": [attrs.astuple(each) for each in self.exports if each.until > now],
            "refusals": self.refusals[-_MOST_REFUSALS:],
            "last_at": self.last_at,
            "reach_s": self.reach_s,
            "most": self.most,
            "days": self.day.write(),
            "day_probe_at": self.day_probe_at,
            "gate": self.gate.write(),
            "pace": attrs.astuple(self.pace),
        }

    def update(self, update: QuotaUpdate, now: float, wall: datetime) -> QuotaReply:
        """Process the reports, then the requests of the update."""
        self.reach_s = max([self.reach_s, *(MARGIN * period_s for _, period_s in update.windows)])
        self.most = max([self.most, _LEAST, *(count for count, _ in update.windows)])
        if update.day == wall.toordinal():
            self.day.seed(update.seen, now, wall)
        for report in update.reports:
            self._note(report, update, now, wall)
        self._give_up_probe(now)
        found: dict[str, Any] = {}
        if update.permit_request is not None:
            found = self._answer_request(update.permit_request, update, now, wall)
        if update.claim is not None:
            found |= self._claimed(update.claim, now)
        return QuotaReply(
            day=wall.toordinal(),
            used=self.day.used(now, wall),
            sent=self._sent(now, wall),
            is_gone=self.day.is_gone(now, wall),
            is_open=self.gate.is_open,
            interval_s=self.pace.interval_s(update.windows),
            **found,
        )

    def _note(self, report: RequestReport, update: QuotaUpdate, now: float, wall: datetime) -> None:
        at = now - report.age_s
        match report.what:
            case "sent":
                # It is reported twice if more of the request leaves. The last time counts.
                slot = self._slot_of(report.id, at)
                slot.by, slot.is_known = at + update.uplink_s, True
            case "answered":
                self._settled(report.id, at, at, now, answered=True)
            case "lost":
                self._settled(report.id, at, at + update.uplink_s, now, answered=False)
            case "unsent":
                self._unsent(report.id, now, wall)
            case "accepted":
                self._accepted()
            case "refused":
                self._refused(report, update, now, wall)
            case _:
                self._exported(report, at)

    def _settled(self, key: str, at: float, by: float, now: float, *, answered: bool) -> None:
        """Record when a request had arrived at the latest, and whether it was answered."""
        slot = self._slot_of(key, at)
        slot.by, slot.is_known = min(slot.by, by) if slot.is_known else by, True
        is_probe = any(each.id == key for each in self.probes)
        if is_probe and self.gate.state in (GateState.SHUT, GateState.PROBING):
            self.probes = [each for each in self.probes if each.id != key]
            self.gate.probe_settled(now, answered=answered)

    def _accepted(self) -> None:
        if self.gate.accepted():
            self.probes = []
            self.day.heal()
        if self.gate.is_open:
            self.pace.accepted()

    def _slot_of(self, key: str, at: float) -> _QuotaSlot:
        """Return the slot of a request that has left; create it if the store lost it."""
        slot = self._slot(key)
        if slot is None:
            slot = _QuotaSlot(key, at, at)
            self.slots.append(slot)
        return slot

    def _slot(self, key: str) -> _QuotaSlot | None:
        return next((each for each in self.slots if each.id == key), None)

    def _unsent(self, key: str, now: float, wall: datetime) -> None:
        self.queue = [each for each in self.queue if each.id != key]
        slot = self._slot(key)
        if slot is None:
            return
        self.slots.remove(slot)
        self.day.take_back(now, wall)
        if self.probes and self.probes[-1].id == key and self.gate.state is GateState.PROBING:
            self.gate.probe_unsent()

    def _refused(
        self, report: RequestReport, update: QuotaUpdate, now: float, wall: datetime
    ) -> None:
        """Record a refusal at the gateway, once; see `limit_state.LimitState.throttled`."""
        if report.id in self.refusals:
            return
        self.refusals.append(report.id)
        self.pace.refused()
        is_probe_answer = self.gate.state is GateState.JUDGING
        gone = self.gate.refused(now, daily=report.daily, retry_after_s=report.retry_after_s)
        if is_probe_answer and report.daily is False:
            self.day.heal()
        elif update.has_day and (gone or (is_probe_answer and self.day.is_gone(now, wall))):
            self.pace.forget_refusals()
            self.day.declare_gone(now, wall)
            self.day_probe_at = now + DAY_PROBE_S

    def _give_up_probe(self, now: float) -> None:
        """Allow another probe if the last one was not reported in time."""
        if self.gate.state is GateState.PROBING and all(each.until <= now for each in self.probes):
            self.gate.probe_unsent()

    def _answer_request(
        self, permit_request: PermitRequest, update: QuotaUpdate, now: float, wall: datetime
    ) -> dict[str, Any]:
        slot = self._slot(permit_request.id)
        if slot is not None:
            # The process asks again because the reply was lost.
            return {"go_s": slot.at - now}
        before = next((each for each in self.queue if each.id == permit_request.id), None)
        # The time of the first request counts. Calls of the store take different times, and they
        # must not change the order in the queue.
        since = now - permit_request.waited_s if before is None else before.since
        entry = _QueueEntry(permit_request.id, permit_request.rank, since, due=now)
        self.queue = [each for each in self.queue if each.due + _GRACE_S >= now]
        self.queue = [each for each in self.queue if each.id != permit_request.id]
        if permit_request.rank and (refused := self._refusal(permit_request, update, now, wall)):
            return refused
        if (
            permit_request.rank
            and update.allowance is not None
            and self.day.used(now, wall) >= update.allowance
        ):
            # All permits of the day are given, but some can be given back.
            self.queue.append(attrs.evolve(entry, due=now + _LOOK_S))
            return {"later_s": _LOOK_S}
        ahead = sum((each.rank, each.since) < (permit_request.rank, since) for each in self.queue)
        early, sure = self._go_at(permit_request, update, ahead, now, wall)
        latest = early if permit_request.rank == POLL else early + _CLOSE_S
        is_soon = sure <= (now + _CLOSE_S / 10 if permit_request.rank == POLL else now + _AHEAD_S)
        if sure <= latest and is_soon:
            return self._permit(entry, update, sure, now, wall)
        later_s = min(max(early - now, _AGAIN_S), _AHEAD_S)
        self.queue.append(attrs.evolve(entry, due=now + later_s))
        return {"later_s": later_s}

    def _refusal(
        self, permit_request: PermitRequest, update: QuotaUpdate, now: float, wall: datetime
    ) -> dict[str, Any] | None:
        """Return why no request is sent, or None; see `limit_state.LimitState.refusal`."""
        may_probe = self.gate.may_probe(now)
        if self.day.is_gone(now, wall) and not (may_probe and now >= self.day_probe_at):
            return {"refused": "gone"}
        if update.allowance is not None and self._sent(now, wall) >= update.allowance:
            return {"refused": "used"}
        hold_s = self.gate.hold_s(now)
        if self.gate.is_given_up and not may_probe:
            return {"refused": "given-up", "refused_s": max(hold_s, probe_delay_s(0))}
        if hold_s > permit_request.longest_hold_s:
            return {"refused": "hold", "refused_s": hold_s}
        return None

    def _sent(self, now: float, wall: datetime) -> int:
        """Return how many requests of the day have left: a permit can still be given back."""
        open_slots = sum(not each.is_known for each in self.slots)
        return max(0, self.day.used(now, wall) - open_slots)

    def _go_at(
        self,
        permit_request: PermitRequest,
        update: QuotaUpdate,
        ahead: int,
        now: float,
        wall: datetime,
    ) -> tuple[float, float]:
        """Return the earliest instant for the request, and the instant that is safe in any case."""
        not_before = self._held_until(permit_request, update, now, wall, is_next=ahead == 0)
        if not_before is None:
            return now + _LOOK_S, LATER
        apart_s = self.pace.interval_s(update.windows)
        # When each request has arrived: at the earliest, and at the latest.
        early = [each.by if each.is_known else each.at for each in self.slots]
        late = [each.by for each in self.slots]
        last_at = self.last_at
        for _ in range(ahead):
            last_at = _free_at(early, update, max(now, not_before, last_at + apart_s))
            if last_at > now + _AHEAD_S:
                return last_at, LATER
            early.append(last_at)
            late.append(LATER)
        since_lost = self.born + _AHEAD_S + self.reach_s + update.uplink_s
        not_before = max(now, not_before, last_at + apart_s, since_lost)
        return _free_at(early, update, not_before), _free_at(late, update, not_before)

    def _held_until(
        self,
        permit_request: PermitRequest,
        update: QuotaUpdate,
        now: float,
        wall: datetime,
        *,
        is_next: bool,
    ) -> float | None:
        """Return until when the gate delays the request; None while only an answer can open it."""
        if self.gate.is_open:
            return NEVER
        if not permit_request.rank and (
            self.gate.state is GateState.PROBING
            or self._refusal(permit_request, update, now, wall) is not None
        ):
            return NEVER
        if self.gate.state is GateState.PROBING or not is_next:
            return None
        return self.gate.probe_at

    def _permit(
        self, entry: _QueueEntry, update: QuotaUpdate, at: float, now: float, wall: datetime
    ) -> dict[str, Any]:
        if at > now and not self.gate.is_open and at <= self.gate.probe_at:
            # A probe is not given ahead, because an urgent request can still arrive before it.
            self.queue.append(attrs.evolve(entry, due=at))
            return {"later_s": at - now}
        if self.gate.pass_one(early=now < self.gate.go_at()):
            self.probes.append(_Probe(entry.id, at + LEASE_S))
        self.slots.append(_QuotaSlot(entry.id, at, at + LEASE_S))
        self.last_at = max(at, self.last_at)
        if update.has_day:
            self.day.count(now, wall)
        return {"go_s": at - now}

    def _claimed(self, claim: ExportClaim, now: float) -> dict[str, Any]:
        """Claim an export, unless the campaign or any other one was exported too recently."""
        others = [each for each in self.exports if each.id != claim.id]
        of_campaign = [each for each in others if each.campaign_sn == claim.campaign_sn]
        last_at = max((each.at for each in of_campaign), default=NEVER)
        if last_at + claim.period_s > now:
            return {"exported_s": last_at + claim.period_s - now}
        if claim.every_s is not None:
            is_open = any(each.is_open and each.at + LEASE_S > now for each in others)
            last_at = max((each.at for each in others), default=NEVER)
            wait_s = last_at + claim.every_s * MARGIN - now
            if is_open or wait_s > 0:
                return {"later_s": max(_EXPORT_LOOK_S, wait_s)}
        until = now + max(claim.period_s, claim.every_s or 0.0)
        self.exports = [*others, _QuotaExport(claim.id, claim.campaign_sn, now, until)]
        return {}

    def _exported(self, report: RequestReport, at: float) -> None:
        export = next((each for each in self.exports if each.id == report.id), None)
        if export is None:
            return
        if report.what == "unexported":
            self.exports.remove(export)
        else:
            export.until += at - export.at
            export.at, export.is_open = at, False


def _free_at(arrivals: list[float], update: QuotaUpdate, not_before: float) -> float:
    """Return the first instant at which all windows have room for one more request."""
    free_at = not_before
    for count, period_s in update.windows:
        if len(arrivals) >= count:
            free_at = max(free_at, sorted(arrivals)[-count] + period_s * MARGIN)
    return free_at
