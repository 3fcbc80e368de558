"""The limit state of one process, over limits that it shares with other processes.

A request is sent if the shared limits give a permit. The first request in the queue asks for one,
and the request that is first when the permit becomes valid uses it. So an urgent request does not
wait behind the permit of another one, and a cancelled request leaves its permit to the next one.

Outcomes are reported with the next request for a permit, or after 100 ms. The exported campaigns
and the daily count are stored in this process as well, because no process may lose them while the
store is unreachable.
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
"""How long a report waits to be sent together with a request for a permit. Chosen: a tenth of the
second that most limits count."""

_NO_NEWS_AFTER_S: Final = 1.0
"""The same for a report that changes little. Chosen: the next permit is mostly requested within a
second."""

_LEFT_WITHIN_S: Final = 0.01
"""How long to wait before a permit is requested, so that the last request can leave first and be
reported with it.

Chosen: a request mostly leaves within a millisecond, and ten of these waits are a tenth of a
second. If permits do not come immediately, and answers arrive before a report is due, the wait is
for the answer. That saves a third of all calls among 16 processes.
"""

_log: Final = Log()


@attrs.define
class _PendingPermit:
    """A permit that is requested.

    Attributes:
        since: When it was first requested.
        rank: The rank of the request that asked last.
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
        at: When to use it, or little later.
        good_until: Until when it is valid in any case, however long the reply took.
        rank: The rank of the request that it was given to.
        had_to_wait: Whether it was not given immediately.
    """

    id: str
    at: float
    good_until: float
    rank: int
    had_to_wait: bool


@attrs.frozen
class _LastRequest:
    """The last request that was sent.

    Attributes:
        had_to_wait: Whether its permit was not given immediately.
        left: Set when its last byte has left, or together with ``ended``.
        ended: Set when its outcome is known.
    """

    id: str
    had_to_wait: bool
    left: anyio.Event = attrs.field(factory=anyio.Event)
    ended: anyio.Event = attrs.field(factory=anyio.Event)


@attrs.frozen
class _PendingReport:
    """A report that has not been sent yet.

    Attributes:
        at: When it happened.
        due: When it must be sent at the latest.
    """

    at: float
    due: float
    report: RequestReport


class SharedLimitState(LimitState):
    """The sent requests and the next ones, over a store that several processes share.

    Args:
        store: Stores the shared value.
        clock: The clock of this process.
        has_day: Whether the daily count and the exports are shared as well.
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

    # Which request can be sent.

    def refusal(self, demand: Demand, now: float, wall: datetime) -> NewsLeopardError | None:
        """Return the error for a request that no wait can help, or None."""
        if self._refusal_of is not None:
            return self._refusal_of(demand)
        used = self._sent(now, wall) if self._has_day else self.used(now, wall)
        if demand.insists or demand.day_limit is None or used < demand.day_allowance:
            return None
        return refusal_for("used", demand, wall)

    def go_at(self, demand: Demand, now: float, wall: datetime) -> float:  # noqa: ARG002 - asked before
        """Return when the next request can be sent; infinity without a permit."""
        permit = self._permit
        if permit is None:
            return math.inf
        is_late = now - permit.at >= GOOD_S or now >= permit.good_until
        # It was given to a request that stops a campaign, while all others wait.
        is_of_another = permit.rank == 0 and not demand.insists and not self._is_open
        if is_late or is_of_another:
            self._give_up()
            return math.inf
        return permit.at

    def request_permit_at(self, rank: int) -> float:
        """Return when the first request in the queue must ask for a permit."""
        if self._is_asking or self._permit is not None:
            return math.inf
        if self._asking is None or rank < self._asking.rank:
            return -math.inf
        return self._asking.again_at

    async def request_permit(self, demand: Demand, rank: int, serve: Callable[[], None]) -> None:
        """Ask for a permit, and process the queue with the reply.

        Args:
            demand: The demand of the first request in the queue.
            rank: 0 if it stops a campaign, 1, or 2 for a poll.
            serve: Processes the queue.
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
            self._refusal_of = _copies_of(error)
        finally:
            self._is_asking = False
            serve()
            self._refusal_of = None

    async def _wait_for_last(self) -> None:
        """Wait until the last request has left, so that its report is sent with the next update."""
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
            # All requests that waited have left the queue during the call.
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
            assert reply.refused is not None  # a reply contains one of the three
            self._asking = None
            self._refusal_of = partial(_refusal, reply, reply.refused, self._clock.now())

    def queue_emptied(self) -> None:
        """Give the permit back, because no request waits for it."""
        if self._permit is not None:
            self._give_up()
        if self._asking is not None:
            self._note(self._asking.id, "unsent")
            self._asking = None

    def _give_up(self) -> None:
        assert self._permit is not None
        self._note(self._permit.id, "unsent")
        self._permit = None

    # The request that uses the permit.

    def take(self, owner: SlotOwner, claim: Claim | None, now: float) -> Slot:
        """Use the permit for a request, and return its slot."""
        assert self._permit is not None
        slot = super().take(owner, claim, now)
        slot.id, slot.good_until = self._permit.id, self._permit.good_until
        self._last = _LastRequest(slot.id, self._permit.had_to_wait)
        self._permit = None
        return slot

    def sent(self, slot: Slot, now: float, wall: datetime) -> None:
        """Record that the last byte of a request has left."""
        super().sent(slot, now, wall)
        self._note(slot.id, "sent")
        if self._last is not None and self._last.id == slot.id:
            self._last.left.set()

    def settle(self, slot: Slot, now: float, wall: datetime, *, answered: bool) -> None:
        """Record that a request was answered, or that no answer will come."""
        super().settle(slot, now, wall, answered=answered)
        # After a "sent" report, the store has an upper bound of the arrival. A late answer changes
        # little of that, unless it is the answer to a probe.
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
        """Allow the first request in the queue to ask now, so that the report is sent with it."""
        if self._asking is not None:
            self._asking.again_at = min(self._asking.again_at, self._clock.monotonic())

    def _ended(self, slot: Slot) -> None:
        if self._last is not None and self._last.id == slot.id:
            self._last.left.set()
            self._last.ended.set()

    def throttled(
        self, now: float, wall: datetime, *, daily: bool | None, retry_after_s: float | None
    ) -> Hold | None:
        """Record a refusal at the gateway, which applies to all processes that share the limits.

        Returns: what the refusal means, as far as this process knows.
        """
        was_open, self._is_open = self._is_open, False
        self._note(secrets.token_hex(4), "refused", daily=daily, retry_after_s=retry_after_s)
        self._request_at_once()
        hold_s = max(probe_delay_s(0), retry_after_s or 0.0)
        return Hold(hold_s, self.is_gone(now, wall)) if was_open else None

    def accepted(self) -> bool:
        """Record an answer that was not a refusal."""
        self._note("", "accepted", is_news=False)
        if not self._is_open:
            self._request_at_once()
        return False

    # Exports.

    async def share_claim(self, claim: Claim, limits: RateLimits) -> None:
        """Claim an export among all processes; wait until it is far enough from other exports.

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
        """Return when the next export can be sent: with a claim, it has already waited."""
        return -math.inf if self._has_day else super().export_go_at(demand, now)

    def restore(self, claim: Claim) -> None:
        """Give the claim on the campaign back."""
        super().restore(claim)
        if claim.id:
            self._note(claim.id, "unexported")

    # What the other processes have sent.

    def used(self, now: float, wall: datetime) -> int:
        """Return the daily count of all processes, as the store last replied."""
        known = self._known_today(wall)
        own = super().used(now, wall)
        return own if known is None else max(own, known.used)

    def _sent(self, now: float, wall: datetime) -> int:
        """Return the same count without requests that can still be given back."""
        known = self._known_today(wall)
        own = self.day.sent(now, wall)
        return own if known is None else max(own, known.sent)

    def _known_today(self, wall: datetime) -> QuotaReply | None:
        known = self._known
        is_of_today = self._has_day and known is not None and known.day == wall.toordinal()
        return known if is_of_today else None

    def is_gone(self, now: float, wall: datetime) -> bool:  # noqa: ARG002 - the store has decided
        """Return whether the server seems to refuse all requests for the rest of the day."""
        known = self._known
        return known is not None and known.is_gone and known.day == wall.toordinal()

    def is_idle(self, now: float, wall: datetime) -> bool:
        """Return whether this state contains no information that a new one would lack."""
        return not self._notes and super().is_idle(now, wall)

    # The store.

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    async def learn_day(self, limits: RateLimits) -> None:
        """Read the daily count from the store."""
        await self._update(Demand(limits, False, 0.0))

    async def report(self) -> None:
        """Send all reports that are pending, as far as the store answers."""
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
        # The store does not know the refusals that are not reported yet.
        is_open = reply.is_open and all(note.report.what != "refused" for note in self._notes)
        was_open, self._is_open = self._is_open, is_open
        if is_open and not was_open:
            _log.info("the platform accepts requests again")
        if reply.interval_s and not (before is not None and before.interval_s):
            # Other processes have already logged what happened before this client began.
            log = _log.info if before is None else _log.warning
            log(
                "the server throttles below the configured limits; requests are now sent evenly, "
                "one per %.3f s",
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
        # While the gate is shut, each answer can be the one that opens it.
        within_s = _REPORTED_AFTER_S if is_news or not self._is_open else _NO_NEWS_AFTER_S
        report = RequestReport(key, what, 0.0, daily, retry_after_s)
        self._notes.append(_PendingReport(now, now + within_s, report))
        if not self._is_reporting:
            # After the event loop has ended, the garbage collector can still close a task.
            with contextlib.suppress(RuntimeError):
                start_in_background(self._report_later)
                self._is_reporting = True

    async def _report_later(self) -> None:
        """Send the reports that no request for a permit has taken along."""
        try:
            while self._notes:
                await self._clock.sleep(_REPORTED_AFTER_S / 2)
                now = self._clock.monotonic()
                if any(note.due <= now for note in self._notes):
                    await self._update(Demand(self._limits, False, 0.0))
        except NewsLeopardError:
            pass  # The next request for a permit takes the reports along.
        except Exception:  # noqa: BLE001 - the caller's Redis client can raise anything
            # This task is not awaited. On trio its error would end the program.
            _log.exception("the outcomes of requests could not be reported to the shared limits")
        finally:
            self._is_reporting = False


def _refusal(
    reply: QuotaReply, why: RefusalReason, wall: datetime, demand: Demand
) -> NewsLeopardError | None:
    """Return the error for a request that no wait can help, or None.

    The reply was for another request. A request that stops a campaign waits nevertheless, and so
    does a request with wider limits: only polls are denied the last requests of the day, and not
    every request refuses a long hold.
    """
    if demand.insists:
        return None
    if why == "used" and (demand.day_limit is None or reply.sent < demand.day_allowance):
        return None
    if why == "hold" and reply.refused_s <= demand.longest_hold_s:
        return None
    return refusal_for(why, demand, wall, hold_s=reply.refused_s)


def _copies_of(error: NewsLeopardError) -> Callable[[Demand], NewsLeopardError]:
    """Return a function that creates a new error for each request that waits.

    An exception can be raised in one place only.
    """
    text = str(error)
    if isinstance(error, ConnectionFailed):
        reason, host = error.reason, error.host
        return lambda _: ConnectionFailed(text, reason=reason, host=host)
    return lambda _: ConfigurationError(text)
