"""The limits of a key that several processes share: one small value, and how it changes.

Everything here is a function of what is kept, a change, and the time of its keeper. Where it is
kept is decided by a `QuotaStore`. `permits.lua` has the same rules for Redis, and a test holds the
two together.

The rules, beside those of `gate`, `day` and `windows`, which hold for all processes together:

- A process asks for one permit at a time. With it, it reports what became of its requests.
- A permit is given if every request whose place it depends on is known to have left: at once, or
  for an instant soon. Otherwise the process is told when to ask again, and keeps its turn. First
  come, first served, so that each process gets one permit after the other has had one.
- Who does not ask again in time has lost its turn: it may have been killed.
- A permit is good for 50 ms. Who is later does not use it, and asks anew.
- A request of which nothing is heard counts for 10 s, and is not sent later than that.
- What was kept may have been lost. Then nobody goes before every permit has been used, and every
  window would be empty.
- If the time goes back, it is as if none had passed.
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
"""How far ahead a permit is given, and how long to ask again at the latest.

Chosen: a second's window and what the uplink may take. If what is kept is lost, nobody goes for as
much longer, since a process may still use a permit of which nothing is known.
"""

_CLOSE_S: Final = 0.02
"""What a permit may be later than it could be. Chosen: less than asking again is worth."""

_GRACE_S: Final = 0.25
"""How late one may ask again and keep its turn. Chosen: a busy machine is late by a tenth of it."""

_LOOK_S: Final = 0.5
"""How often to ask while a probe or the day's last requests are on their way. Chosen: they are
answered sooner, most often."""

_AGAIN_S: Final = 0.05
"""How soon to ask again at the soonest. Chosen: reports of others come within twice that."""

_EXPORT_LOOK_S: Final = 1.0
"""How often to ask while another export is on its way."""

_MOST_REFUSALS: Final = 32
"""How many refusals are remembered, each of which counts once. Chosen: three windows of ten, and a
report is repeated within seconds."""

_MOST_PROBES: Final = 8
"""How many probes are remembered whose answers would still be news. Chosen: one goes every 10 s if
none is answered, and an answer takes a minute at most."""

_LEAST: Final = 64
"""How many requests are remembered at least. Chosen: six windows of ten, so that each is found by
what is reported of it."""

FORM: Final = 1
"""The form of what is kept. Another one is as good as nothing; so it is a part of its name, or two
versions that run beside each other would take it from each other all the time."""

NEVER: Final = -1e18
"""An instant that has passed for certain: JSON has no infinity."""

LATER: Final = 1e18
"""An instant that no one waits for."""


def apply(
    kept: object,
    update: QuotaUpdate,
    now: float,
    wall: datetime,
    *,
    is_first: bool = False,
) -> tuple[dict[str, Any], QuotaReply]:
    """Apply an update to what is kept.

    Args:
        kept: JSON-safe data, as it was returned before; None if there is none. Anything else is as
            good as that.
        update: What to do.
        now: Seconds, by a clock that all processes share.
        wall: In UTC.
        is_first: Whether there never was anything, so that nobody can have sent anything.
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
    """Read what is kept; None if it is nothing, or anything else."""
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
    """The place of a request.

    Attributes:
        at: When it goes.
        by: When it has arrived at the latest.
        is_known: Whether its last byte has left, so that ``by`` is the truth.
    """

    id: str
    at: float
    by: float
    is_known: bool = False


@attrs.define
class _Probe:
    """A request by which the server is asked whether it accepts again.

    Attributes:
        until: From when on another one may go: its process may be dead.
    """

    id: str
    until: float


@attrs.define
class _QueueEntry:
    """Who waits for a permit.

    Attributes:
        since: From when on.
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
        is_open: Whether it is still to be made.
    """

    id: str
    campaign_sn: str
    at: float
    until: float
    is_open: bool = True


@attrs.define(kw_only=True)
class _QuotaState:
    """What is kept, as it is worked with."""

    born: float
    gate: Gate
    places: list[_QuotaSlot] = attrs.field(factory=list)
    probes: list[_Probe] = attrs.field(factory=list)
    line: list[_QueueEntry] = attrs.field(factory=list)
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
        """Read it; if the time has gone back, all that is kept goes back with it."""
        if kept["form"] != FORM:
            raise ValueError
        back = min(0.0, now - _number(kept["now"]))

        def instant(given: Any) -> float:
            return _number(given) + back

        return cls(
            born=instant(kept["born"]),
            places=[
                _QuotaSlot(str(i), instant(at), instant(by), bool(k))
                for i, at, by, k in kept["places"]
            ],
            probes=[_Probe(str(i), instant(until)) for i, until in kept["probes"]],
            line=[
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
        """Return it as JSON-safe data; what counts nowhere any more is left out."""
        counting = (each for each in self.places if each.by + self.reach_s > now)
        # Earlier ones do not matter to any window; a long one would keep them all.
        latest = sorted(counting, key=lambda each: each.by)[-self.most :]
        return {
            "form": FORM,
            "now": now,
            "born": self.born,
            "places": [attrs.astuple(each) for each in latest],
            "probes": [attrs.astuple(each) for each in self.probes[-_MOST_PROBES:]],
            "line": [attrs.astuple(each) for each in self.line],
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
        """Take the reports, then look at what is asked for."""
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
                # It may be told twice, if more of it leaves: the last time counts.
                place = self._place_of(report.id, at)
                place.by, place.is_known = at + update.uplink_s, True
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
        """Note that a request had arrived by an instant, and whether its answer came."""
        place = self._place_of(key, at)
        place.by, place.is_known = min(place.by, by) if place.is_known else by, True
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

    def _place_of(self, key: str, at: float) -> _QuotaSlot:
        """Return the place of a request that has left, also if it was lost."""
        place = self._place(key)
        if place is None:
            place = _QuotaSlot(key, at, at)
            self.places.append(place)
        return place

    def _place(self, key: str) -> _QuotaSlot | None:
        return next((each for each in self.places if each.id == key), None)

    def _unsent(self, key: str, now: float, wall: datetime) -> None:
        self.line = [each for each in self.line if each.id != key]
        place = self._place(key)
        if place is None:
            return
        self.places.remove(place)
        self.day.take_back(now, wall)
        if self.probes and self.probes[-1].id == key and self.gate.state is GateState.PROBING:
            self.gate.probe_unsent()

    def _refused(
        self, report: RequestReport, update: QuotaUpdate, now: float, wall: datetime
    ) -> None:
        """Note a refusal at the gateway, once; see `limit_state.LimitState.throttled`."""
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
        """Let another probe go if nothing is heard of the last one: its process may be dead."""
        if self.gate.state is GateState.PROBING and all(each.until <= now for each in self.probes):
            self.gate.probe_unsent()

    def _answer_request(
        self, permit_request: PermitRequest, update: QuotaUpdate, now: float, wall: datetime
    ) -> dict[str, Any]:
        place = self._place(permit_request.id)
        if place is not None:
            # Asked again: the reply was lost.
            return {"go_s": place.at - now}
        before = next((each for each in self.line if each.id == permit_request.id), None)
        # As when it asked first: each way to the store takes a time of its own, and who is told to
        # come after another one must not come before it.
        since = now - permit_request.waited_s if before is None else before.since
        turn = _QueueEntry(permit_request.id, permit_request.rank, since, due=now)
        self.line = [each for each in self.line if each.due + _GRACE_S >= now]
        self.line = [each for each in self.line if each.id != permit_request.id]
        if permit_request.rank and (refused := self._refusal(permit_request, update, now, wall)):
            return refused
        if (
            permit_request.rank
            and update.allowance is not None
            and self.day.used(now, wall) >= update.allowance
        ):
            # The last permits are given, and may come back.
            self.line.append(attrs.evolve(turn, due=now + _LOOK_S))
            return {"later_s": _LOOK_S}
        ahead = sum((each.rank, each.since) < (permit_request.rank, since) for each in self.line)
        early, sure = self._go_at(permit_request, update, ahead, now, wall)
        latest = early if permit_request.rank == POLL else early + _CLOSE_S
        is_soon = sure <= (now + _CLOSE_S / 10 if permit_request.rank == POLL else now + _AHEAD_S)
        if sure <= latest and is_soon:
            return self._permit(turn, update, sure, now, wall)
        later_s = min(max(early - now, _AGAIN_S), _AHEAD_S)
        self.line.append(attrs.evolve(turn, due=now + later_s))
        return {"later_s": later_s}

    def _refusal(
        self, permit_request: PermitRequest, update: QuotaUpdate, now: float, wall: datetime
    ) -> dict[str, Any] | None:
        """Return why no request goes; see `limit_state.LimitState.refusal`."""
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
        """Return the requests of the day that have left: a permit may be given back."""
        open_ones = sum(not each.is_known for each in self.places)
        return max(0, self.day.used(now, wall) - open_ones)

    def _go_at(
        self,
        permit_request: PermitRequest,
        update: QuotaUpdate,
        ahead: int,
        now: float,
        wall: datetime,
    ) -> tuple[float, float]:
        """Return when it may go if all goes well, and when it may go for certain."""
        not_before = self._held_until(permit_request, update, now, wall, is_next=ahead == 0)
        if not_before is None:
            return now + _LOOK_S, LATER
        apart_s = self.pace.interval_s(update.windows)
        # When each has arrived: at the earliest, and at the latest.
        early = [each.by if each.is_known else each.at for each in self.places]
        late = [each.by for each in self.places]
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
        """Return until when the gate keeps a request; None if only an answer can tell."""
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
        self, turn: _QueueEntry, update: QuotaUpdate, at: float, now: float, wall: datetime
    ) -> dict[str, Any]:
        if at > now and not self.gate.is_open and at <= self.gate.probe_at:
            # A probe is not given ahead: until then somebody urgent may come.
            self.line.append(attrs.evolve(turn, due=at))
            return {"later_s": at - now}
        if self.gate.pass_one(early=now < self.gate.go_at()):
            self.probes.append(_Probe(turn.id, at + LEASE_S))
        self.places.append(_QuotaSlot(turn.id, at, at + LEASE_S))
        self.last_at = max(at, self.last_at)
        if update.has_day:
            self.day.count(now, wall)
        return {"go_s": at - now}

    def _claimed(self, claim: ExportClaim, now: float) -> dict[str, Any]:
        """Claim an export, unless the campaign was exported lately, or another one just now."""
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
    """Return from when on all windows take one more."""
    free_at = not_before
    for count, period_s in update.windows:
        if len(arrivals) >= count:
            free_at = max(free_at, sorted(arrivals)[-count] + period_s * MARGIN)
    return free_at
