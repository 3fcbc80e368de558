"""The ledger of one process, over limits that it shares with others.

A request goes if the shared limits give a permit. The first in line asks for one, and whoever is
first when its time has come takes it. So what is urgent waits for no permit of others, and a
request that is cancelled leaves its permit to the next one.

What became of requests is reported with the next permit that is asked for, or after 100 ms. The
campaigns that were exported and the day's count are known here as well: no process may forget
them while the store is away.
"""

from __future__ import annotations

import contextlib
import math
import random
import secrets
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

import anyio
import attrs

from newsleopard_async.aio import start_in_background
from newsleopard_async.clock import Clock
from newsleopard_async.errors import (
    ConfigurationError,
    ConnectionFailed,
    NewsLeopardError,
)
from newsleopard_async.log import Log
from newsleopard_async.models.options import RateLimits
from newsleopard_async.transport.limits.day import DayCount
from newsleopard_async.transport.limits.exports import exported_lately
from newsleopard_async.transport.limits.gate import probe_delay_s
from newsleopard_async.transport.limits.limit_state import Demand, Hold, LimitState, refusal_for
from newsleopard_async.transport.limits.quota import (
    GOOD_S,
    LEASE_S,
    ExportClaim,
    Fate,
    PermitRequest,
    QuotaReply,
    QuotaStore,
    QuotaUpdate,
    RefusalReason,
    RequestReport,
)
from newsleopard_async.transport.limits.windows import Claim, Slot, SlotOwner

__all__ = ["SharedLimitState"]

_REPORTED_AFTER_S: Final = 0.1
"""How long a report waits for a permit to be asked for. Chosen: a tenth of the second's limit."""

_NO_NEWS_AFTER_S: Final = 1.0
"""The same of a report that changes little: most often the next permit is asked for before."""

_LEFT_WITHIN_S: Final = 0.01
"""How long a permit is not asked for, so that the request before it can leave and be reported.

Chosen: it most often leaves within a millisecond; ten of these waits are a tenth of a second. If
permits have to be waited for, and answers come before a report is due, the answer is waited for as
well. That saves a third of all calls among 16 processes.
"""

_log: Final = Log()


@attrs.define
class _PendingPermit:
    """A permit that is asked for.

    Attributes:
        since: From when on.
        rank: Of the last to ask.
        again_at: When to ask again.
    """

    since: float
    rank: int = 0
    again_at: float = -math.inf
    id: str = attrs.field(factory=lambda: secrets.token_hex(8))


@attrs.frozen
class _Permit:
    """A permit that was given.

    Attributes:
        at: When it is to be used, and little later.
        good_until: Until when it counts for certain, however long the reply took.
        rank: Of the one that it was given to.
        had_to_wait: Whether it could not be given at once.
    """

    id: str
    at: float
    good_until: float
    rank: int
    had_to_wait: bool


@attrs.frozen
class _LastRequest:
    """The request that went last.

    Attributes:
        had_to_wait: Whether its permit could not be given at once.
        left: Set when its last byte has left, at the latest with ``ended``.
        ended: Set when it is known what became of it.
    """

    id: str
    had_to_wait: bool
    left: anyio.Event = attrs.field(factory=anyio.Event)
    ended: anyio.Event = attrs.field(factory=anyio.Event)


@attrs.frozen
class _PendingReport:
    """A report that is still to be made.

    Attributes:
        at: When it happened.
        due: When it is made at the latest.
    """

    at: float
    due: float
    report: RequestReport


class SharedLimitState(LimitState):
    """What has gone, and what may go, over a store that several processes share.

    Args:
        store: Keeps what is shared.
        clock: Of this process.
        has_day: Whether the day's count and the exports are shared, too.
    """

    def __init__(self, store: QuotaStore, clock: Clock, day: DayCount, *, has_day: bool) -> None:
        super().__init__(day)
        self.store = store
        self._clock = clock
        self._has_day = has_day
        self._limits = RateLimits()
        self._asking: _PendingPermit | None = None
        self._permit: _Permit | None = None
        self._is_asking = False
        self._refusal_of: Callable[[Demand], NewsLeopardError | None] | None = None
        self._notes: list[_PendingReport] = []
        self._is_reporting = False
        self._last: _LastRequest | None = None
        self._known: QuotaReply | None = None
        self._is_open = True
        self._is_quick = True
        self._lock = anyio.Lock()

    # Who may go.

    def refusal(self, demand: Demand, now: float, wall: datetime) -> NewsLeopardError | None:
        """Return the error for a request that is not worth waiting with, or None."""
        if self._refusal_of is not None:
            return self._refusal_of(demand)
        used = self._sent(now, wall) if self._has_day else self.used(now, wall)
        if demand.insists or demand.day_limit is None or used < demand.day_allowance:
            return None
        return refusal_for("used", demand, wall)

    def go_at(self, demand: Demand, now: float, wall: datetime) -> float:  # noqa: ARG002 - as told
        """Return when the next request may go; infinity while there is no permit."""
        permit = self._permit
        if permit is None:
            return math.inf
        is_late = now - permit.at >= GOOD_S or now >= permit.good_until
        # Given to what stops a campaign, while all others are held.
        is_of_another = permit.rank == 0 and not demand.insists and not self._is_open
        if is_late or is_of_another:
            self._give_up()
            return math.inf
        return permit.at

    def request_permit_at(self, rank: int) -> float:
        """Return when the first in line is to ask for a permit."""
        if self._is_asking or self._permit is not None:
            return math.inf
        if self._asking is None or rank < self._asking.rank:
            return -math.inf
        return self._asking.again_at

    async def request_permit(self, demand: Demand, rank: int, serve: Callable[[], None]) -> None:
        """Ask for a permit, and serve the line with what comes of it.

        Args:
            demand: Of the first in line.
            rank: 0 if it stops a campaign, 1, or 2 for a poll.
            serve: Serves the line.
        """
        self._is_asking = True
        try:
            await self._wait_for_last()
            self._limits = demand.limits
            if self._asking is None:
                self._asking = _PendingPermit(self._clock.monotonic())
            self._asking.rank = rank
            await self._request_permit(self._asking, demand)
        except (ConnectionFailed, ConfigurationError) as error:
            self._refusal_of = _same(error)
        finally:
            self._is_asking = False
            serve()
            self._refusal_of = None

    async def _wait_for_last(self) -> None:
        """Give the last request the time to leave: its report goes with what is asked for."""
        last = self._last
        if last is not None:
            for_answer = last.had_to_wait and self._is_quick
            with self._clock.deadline(_REPORTED_AFTER_S if for_answer else _LEFT_WITHIN_S):
                await (last.ended if for_answer else last.left).wait()
            self._last = None

    async def _request_permit(self, asking: _PendingPermit, demand: Demand) -> None:
        asked_at = self._clock.monotonic()
        waited_s = asked_at - asking.since
        permit_request = PermitRequest(asking.id, asking.rank, waited_s, demand.longest_hold_s)
        reply = await self._update(demand, permit_request=permit_request)
        now = self._clock.monotonic()
        if self._asking is not asking:
            # All who waited have left meanwhile.
            self._note(asking.id, "unsent")
        elif reply.go_s is not None:
            had_to_wait = asking.again_at > -math.inf or reply.go_s > 0
            self._permit = _Permit(
                asking.id,
                at=now + reply.go_s,
                good_until=asked_at + reply.go_s + LEASE_S,
                rank=asking.rank,
                had_to_wait=had_to_wait,
            )
            self._asking = None
        elif reply.later_s is not None:
            asking.again_at = now + reply.later_s
        else:
            assert reply.refused is not None  # one of the three is what a request gets
            self._asking = None
            self._refusal_of = partial(_refusal, reply, reply.refused, self._clock.now())

    def nobody_waits(self) -> None:
        """Give back what was asked for, since nobody is there to use it."""
        if self._permit is not None:
            self._give_up()
        if self._asking is not None:
            self._note(self._asking.id, "unsent")
            self._asking = None

    def _give_up(self) -> None:
        assert self._permit is not None
        self._note(self._permit.id, "unsent")
        self._permit = None

    # What becomes of those that go.

    def take(self, owner: SlotOwner, claim: Claim | None, now: float) -> Slot:
        """Let a request go."""
        assert self._permit is not None
        slot = super().take(owner, claim, now)
        slot.id, slot.good_until = self._permit.id, self._permit.good_until
        self._last = _LastRequest(slot.id, self._permit.had_to_wait)
        self._permit = None
        return slot

    def sent(self, slot: Slot, now: float, wall: datetime) -> None:
        """Note that the whole of a request has left."""
        super().sent(slot, now, wall)
        self._note(slot.id, "sent")
        if self._last is not None and self._last.id == slot.id:
            self._last.left.set()

    def settle(self, slot: Slot, now: float, wall: datetime, *, answered: bool) -> None:
        """Note that a request was answered, or that no answer will come."""
        super().settle(slot, now, wall, answered=answered)
        # Of one that has left it is known when it has arrived at the latest. An answer that comes
        # late changes little of that, unless it is the probe's.
        self._is_quick = now - slot.sent_at < _REPORTED_AFTER_S
        if self._is_quick or not slot.is_sent or not self._is_open:
            self._note(slot.id, "answered" if answered else "lost")
        if slot.claim is not None:
            self._note(slot.claim.id, "exported")
        self._ended(slot)

    def give_back(self, slot: Slot) -> None:
        """Undo a request that was never sent."""
        super().give_back(slot)
        self._note(slot.id, "unsent")
        self._request_at_once()
        self._ended(slot)

    def _request_at_once(self) -> None:
        """Let the first in line ask again now: there is news, and it goes along."""
        if self._asking is not None:
            self._asking.again_at = min(self._asking.again_at, self._clock.monotonic())

    def _ended(self, slot: Slot) -> None:
        if self._last is not None and self._last.id == slot.id:
            self._last.left.set()
            self._last.ended.set()

    def throttled(
        self, now: float, wall: datetime, *, daily: bool | None, retry_after_s: float | None
    ) -> Hold | None:
        """Note a refusal at the gateway: it holds for all who share the limits.

        Returns: what it means as far as this process knows.
        """
        was_open, self._is_open = self._is_open, False
        self._note(secrets.token_hex(4), "refused", daily=daily, retry_after_s=retry_after_s)
        self._request_at_once()
        hold_s = max(probe_delay_s(0), retry_after_s or 0.0)
        return Hold(hold_s, self.is_gone(now, wall)) if was_open else None

    def accepted(self) -> bool:
        """Note an answer that was no refusal."""
        self._note("", "accepted", is_news=False)
        if not self._is_open:
            self._request_at_once()
        return False

    # Exports.

    async def share_claim(self, claim: Claim, limits: RateLimits) -> None:
        """Claim an export among all processes; wait until it keeps its distance to others.

        Raises:
            ExportedLately: the campaign was exported lately, or is being exported.
        """
        if not self._has_day:
            return
        claim.id = secrets.token_hex(8)
        demand = Demand(limits, False, 0.0)
        asked = ExportClaim(
            claim.id, claim.campaign_sn, limits.export_per_campaign_s, limits.export_every_s
        )
        while (reply := await self._update(demand, claim=asked)).later_s is not None:
            await self._clock.sleep(reply.later_s)
        if reply.exported_s is not None:
            raise exported_lately(limits.export_per_campaign_s, reply.exported_s)

    def export_go_at(self, demand: Demand, now: float) -> float:
        """Return when the next export goes: whoever has claimed one has kept the distance."""
        return -math.inf if self._has_day else super().export_go_at(demand, now)

    def restore(self, claim: Claim) -> None:
        """Give the campaign's export back."""
        super().restore(claim)
        if claim.id:
            self._note(claim.id, "unexported")

    # What is known.

    def used(self, now: float, wall: datetime) -> int:
        """Return the day's count of all processes, as of the last time that it was asked for."""
        known = self._known_today(wall)
        own = super().used(now, wall)
        return own if known is None else max(own, known.used)

    def _sent(self, now: float, wall: datetime) -> int:
        """Return the same without what may still be given back."""
        known = self._known_today(wall)
        own = self.day.sent(now, wall)
        return own if known is None else max(own, known.sent)

    def _known_today(self, wall: datetime) -> QuotaReply | None:
        known = self._known
        is_of_today = self._has_day and known is not None and known.day == wall.toordinal()
        return known if is_of_today else None

    def is_gone(self, now: float, wall: datetime) -> bool:  # noqa: ARG002 - as it was told
        """Say whether the server seems to refuse everything for the rest of the day."""
        known = self._known
        return known is not None and known.is_gone and known.day == wall.toordinal()

    def is_idle(self, now: float, wall: datetime) -> bool:
        """Say whether nothing is known that a new one would not know."""
        return not self._notes and super().is_idle(now, wall)

    # The store.

    def close(self) -> None:
        """Note that it is not used any more."""
        self.store.close()

    async def learn_day(self, limits: RateLimits) -> None:
        """Read the day's count."""
        await self._update(Demand(limits, False, 0.0))

    async def report(self) -> None:
        """Report what there is to report, as far as the store answers."""
        with contextlib.suppress(NewsLeopardError):
            while self._notes:
                await self._update(Demand(self._limits, False, 0.0))

    async def _update(
        self,
        demand: Demand,
        *,
        permit_request: PermitRequest | None = None,
        claim: ExportClaim | None = None,
    ) -> QuotaReply:
        async with self._lock:
            notes, self._notes = self._notes, []
            now, wall = self._clock.monotonic(), self._clock.now()
            update = QuotaUpdate(
                windows=demand.windows,
                uplink_s=demand.limits.uplink_s,
                allowance=demand.day_allowance if self._has_day and demand.day_limit else None,
                has_day=self._has_day,
                day=wall.toordinal(),
                seen=self._sent(now, wall) if self._has_day else 0,
                chance=random.random(),  # noqa: S311 - jitter
                reports=tuple(attrs.evolve(n.report, age_s=now - n.at) for n in notes),
                permit_request=permit_request,
                claim=claim,
            )
            try:
                reply = await self.store.update(update)
            except BaseException:
                self._notes = notes + self._notes
                raise
        self._learn(reply)
        return reply

    def _learn(self, reply: QuotaReply) -> None:
        before, self._known = self._known, reply
        # What was refused meanwhile is not known there yet.
        is_open = reply.is_open and all(note.report.what != "refused" for note in self._notes)
        was_open, self._is_open = self._is_open, is_open
        if is_open and not was_open:
            _log.info("the platform accepts requests again")
        if reply.interval_s and not (before is not None and before.interval_s):
            _log.warning(
                "the server throttles below the configured limits; from now on requests go "
                "evenly, one in %.3f s",
                reply.interval_s,
            )

    def _note(
        self,
        key: str,
        what: Fate,
        *,
        is_news: bool = True,
        daily: bool | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        now = self._clock.monotonic()
        # While the gate is shut, each answer may be the one that opens it.
        within_s = _REPORTED_AFTER_S if is_news or not self._is_open else _NO_NEWS_AFTER_S
        report = RequestReport(key, what, 0.0, daily, retry_after_s)
        self._notes.append(_PendingReport(now, now + within_s, report))
        if not self._is_reporting:
            # What is left of a task may be destroyed outside of any event loop.
            with contextlib.suppress(RuntimeError):
                start_in_background(self._report_later)
                self._is_reporting = True

    async def _report_later(self) -> None:
        """Report what no permit that is asked for has taken along."""
        try:
            while self._notes:
                await self._clock.sleep(_REPORTED_AFTER_S / 2)
                now = self._clock.monotonic()
                if any(note.due <= now for note in self._notes):
                    await self._update(Demand(self._limits, False, 0.0))
        except NewsLeopardError:
            pass  # It goes along with the next permit that is asked for.
        except Exception:  # noqa: BLE001 - whatever a client of the caller's raises
            # This task is not awaited: on trio its error would end the program.
            _log.exception("what became of requests could not be reported")
        finally:
            self._is_reporting = False


def _refusal(
    reply: QuotaReply, why: RefusalReason, wall: datetime, demand: Demand
) -> NewsLeopardError | None:
    """Return the error for a request that no wait would help.

    What insists waits all the same, and so does any request to which less applies than to the one
    that was asked for: a poll is denied the day's last requests, and not everybody keeps a long
    hold in mind.
    """
    if demand.insists:
        return None
    if why == "used" and (demand.day_limit is None or reply.sent < demand.day_allowance):
        return None
    if why == "hold" and reply.refused_s <= demand.longest_hold_s:
        return None
    return refusal_for(why, demand, wall, hold_s=reply.refused_s)


def _same(error: NewsLeopardError) -> Callable[[Demand], NewsLeopardError]:
    """Make an error anew for each who waits: an exception is raised in one place."""
    text = str(error)
    if isinstance(error, ConnectionFailed):
        reason, host = error.reason, error.host
        return lambda _: ConnectionFailed(text, reason=reason, host=host)
    return lambda _: ConfigurationError(text)
