"""The rate limiter: who waits, and who is next.

Each attempt takes a slot below the retry loop, and says what became of it. Who may go and
when is decided by `limit_state`, with `windows`, `day`, `exports` and `gate`, from
numbers alone; here is the waiting, on asyncio and on trio.

The rules of the line:

- What is urgent goes before everybody else, and until the gateway has refused it even where others
  are told at once that they cannot go. It keeps the second's limit all the same.
- First come, first served. A request that the gateway has refused goes before those that had
  no turn yet.
- Polls (``polite``) stand behind everybody else for 3 s; then they count as any other request
  that came when they came. A poll with a deadline goes first once half of its time is over.
- An export that waits for its distance from the last one lets others pass.
- Only the first in line keeps an alarm, and polls with a deadline. Any change of the ledger
  serves the line again and sets the alarm anew; no task of our own runs.
- A request that leaves without having been sent, by cancellation or an error, gives its place back,
  and the next one is served.
- A request that cannot go today fails at once, also in the middle of the line.

A wait for an answer has no bound here: the transport's timeouts bound it, and every slot
ends in exactly one of `Slot.answered`, `Slot.refused`, `Slot.lost` and `Slot.give_back`.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from contextvars import ContextVar
from itertools import chain
from typing import Final
from weakref import WeakSet

import anyio
import anyio.lowlevel
import attrs

from newsleopard_async.clock import Clock
from newsleopard_async.errors import NewsLeopardError
from newsleopard_async.transport.limits.day import DayCount
from newsleopard_async.transport.limits.limit_state import Demand, LimitState
from newsleopard_async.transport.limits.quota import POLL
from newsleopard_async.transport.limits.windows import Claim, Slot

__all__ = ["RequestQueue", "Slot", "goes_first", "goes_first_at"]

POLLS_WAIT_S: Final = 3.0
"""How long polls let everybody else go first.

Chosen: a burst of three times the second's limit passes, and a job whose first polls are 5 s
apart is not known much later for it.
"""

_LAST: Final = 4
"""The rank of polls that let everybody else go first."""

goes_first: Final = ContextVar("newsleopard_async_goes_first", default=False)
"""Whether every request of this task is urgent."""

goes_first_at: Final = ContextVar("newsleopard_async_goes_first_at", default=math.inf)
"""When the polls of this task go before everybody else, by the monotonic clock."""


@attrs.define(eq=False)
class _Waiter:
    """Someone in line.

    Attributes:
        queue: Where it waits.
        joined_at: Since when.
        first_at: When it goes before everybody else; infinity for all but polls.
        woken: Set when there is something to do; made anew for each wait.
        alarm_at: When the waiter looks again by itself.
        slot: Given when it may go.
        error: Given when waiting makes no sense.
    """

    demand: Demand
    claim: Claim | None
    queue: _WaiterQueue
    joined_at: float
    first_at: float = math.inf
    woken: anyio.Event | None = None
    alarm_at: float = math.inf
    slot: Slot | None = None
    error: NewsLeopardError | None = None

    @property
    def is_decided(self) -> bool:
        return self.slot is not None or self.error is not None

    def wake(self) -> None:
        if self.woken is not None:
            self.woken.set()


_WaiterQueue = OrderedDict[_Waiter, None]
"""Those who wait in order. A plain dict looks for its first entry among all that have left."""


class RequestQueue:
    """What the clients of one key share: the ledger and the queue.

    Belongs to one event loop.

    Attributes:
        clients: Those that use it.
    """

    def __init__(self, clock: Clock, state: LimitState | None = None) -> None:
        self.clock = clock
        self.clients: WeakSet[object] = WeakSet()
        self.state: LimitState = state or LimitState(DayCount())
        self._insisting: _WaiterQueue = OrderedDict()
        self._urgent: _WaiterQueue = OrderedDict()
        # Those who go before the rest: the gateway has refused them, or their deadline is near.
        self._again: _WaiterQueue = OrderedDict()
        self._firm: _WaiterQueue = OrderedDict()
        self._exports: _WaiterQueue = OrderedDict()
        self._polite: _WaiterQueue = OrderedDict()
        self._demands: Counter[Demand] = Counter()
        self._next: _Waiter | None = None
        self._next_at = math.inf

    @property
    def is_needed(self) -> bool:
        """Whether a client uses it, or it knows what a new one would not."""
        if self.clients or self._demands:
            return True
        return not self.state.is_idle(self.clock.monotonic(), self.clock.now())

    def sent(self, slot: Slot) -> None:
        """Note that the whole of a request has left."""
        self.state.sent(slot, self.clock.monotonic(), self.clock.now())
        self.serve()

    def settle(self, slot: Slot, *, answered: bool) -> None:
        """Note that a request was answered, or that no answer will come."""
        now, wall = self.clock.monotonic(), self.clock.now()
        self.state.settle(slot, now, wall, answered=answered)
        self.serve()

    def restore_export(self, slot: Slot) -> None:
        """Undo what a request counts as an export."""
        self.state.restore_export(slot)
        self.serve()

    def give_back(self, slot: Slot) -> None:
        """Undo a request that was never sent."""
        self.state.give_back(slot)
        self.serve()

    def is_good(self, slot: Slot) -> bool:
        """Say whether a request may still be sent in its place."""
        return self.clock.monotonic() < slot.good_until

    async def wait(
        self, demand: Demand, claim: Claim | None, *, again: bool = False, urgent: bool = False
    ) -> Slot:
        """Stand in line until the request may go.

        Raises:
            RateLimited: waiting makes no sense.
        """
        queue = self._queue_for(demand, claim, again=again, urgent=urgent)
        first_at = goes_first_at.get() if demand.polite else math.inf
        waiter = _Waiter(demand, claim, queue, self.clock.monotonic(), first_at)
        kept = False
        self._join(waiter)
        try:
            await self._wait_for_turn(waiter)
            if waiter.error is not None:
                raise waiter.error
            assert waiter.slot is not None
            kept = True
            return waiter.slot
        finally:
            if not kept:
                self._withdraw(waiter)

    async def _wait_for_turn(self, waiter: _Waiter) -> None:
        if waiter.is_decided:
            await anyio.lowlevel.cancel_shielded_checkpoint()
            return
        while not waiter.is_decided:
            await self._wait_until_woken(waiter)
            self._advance(waiter)
            if waiter is self._first() and self._is_permit_due:
                assert self._next is not None
                await self.state.request_permit(
                    self._next.demand, self._urgency(self._next), self.serve
                )
            self.serve()

    async def _wait_until_woken(self, waiter: _Waiter) -> None:
        """Wait until woken; the first in line also by its alarm."""
        woken = waiter.woken = anyio.Event()
        waiter.alarm_at = self._next_at if waiter is self._first() else math.inf
        until = min(waiter.alarm_at, waiter.first_at)
        if until == math.inf:
            await woken.wait()
            return
        with self.clock.deadline(until - self.clock.monotonic()):
            await woken.wait()

    def _advance(self, waiter: _Waiter) -> None:
        """Let a poll go before everybody else whose time for that has come."""
        if waiter.is_decided or self.clock.monotonic() < waiter.first_at:
            return
        del waiter.queue[waiter]
        waiter.queue, waiter.first_at = self._again, math.inf
        self._again[waiter] = None

    def serve(self) -> None:
        """Let everybody go who may, in order; the first of the others gets the alarm."""
        while self._demands and (waiter := self._next_to_go()) is not None:
            self._decide(waiter, slot=self.state.take(self, waiter.claim, self.clock.monotonic()))
        first = self._first()
        if first is not None and first.alarm_at != self._next_at:
            first.wake()

    def _next_to_go(self) -> _Waiter | None:
        """Return who may go now; if nobody, note when to look again."""
        self._dismiss()
        now, wall = self.clock.monotonic(), self.clock.now()
        self._next, self._next_at = None, math.inf
        for waiter in self._heads():
            if waiter.claim is not None:
                go_at = self.state.export_go_at(waiter.demand, now)
                if go_at > now:
                    self._next_at = min(self._next_at, go_at)
                    continue
            go_at = self.state.go_at(waiter.demand, now, wall)
            if go_at <= now:
                return waiter
            self._next = waiter
            self._next_at = min(
                self._next_at, go_at, self.state.request_permit_at(self._urgency(waiter))
            )
            return None
        return None

    @property
    def _is_permit_due(self) -> bool:
        """Whether it is time to ask others who share the limits, for whoever is next."""
        if self._next is None:
            return False
        return self.state.request_permit_at(self._urgency(self._next)) <= self.clock.monotonic()

    def _dismiss(self) -> None:
        """Raise an error in those that no wait would help."""
        now, wall = self.clock.monotonic(), self.clock.now()
        in_vain = {
            demand for demand in self._demands if self.state.refusal(demand, now, wall) is not None
        }
        if not in_vain:
            return
        for waiter in tuple(chain(*self._queues)):
            if waiter.demand in in_vain:
                self._decide(waiter, error=self.state.refusal(waiter.demand, now, wall))

    def _decide(
        self, waiter: _Waiter, *, slot: Slot | None = None, error: NewsLeopardError | None = None
    ) -> None:
        waiter.slot, waiter.error = slot, error
        self._leave(waiter)
        waiter.wake()

    def _withdraw(self, waiter: _Waiter) -> None:
        """Undo what a waiter took that does not go."""
        if waiter.slot is not None:
            self.state.give_back(waiter.slot)
            self.serve()
            return
        was_first = waiter.error is None and next(iter(waiter.queue)) is waiter
        if waiter.error is None:
            self._leave(waiter)
        if waiter.claim is not None:
            self.state.restore(waiter.claim)
        if was_first:
            self.serve()

    def _join(self, waiter: _Waiter) -> None:
        """Stand at the end of a line.

        Whatever holds the one before holds this one too, unless its client has other limits.
        """
        is_news = not waiter.queue or waiter.demand not in self._demands
        waiter.queue[waiter] = None
        self._demands[waiter.demand] += 1
        if is_news:
            self.serve()

    def _leave(self, waiter: _Waiter) -> None:
        del waiter.queue[waiter]
        self._demands[waiter.demand] -= 1
        if not self._demands[waiter.demand]:
            del self._demands[waiter.demand]
        if not self._demands:
            self.state.nobody_waits()

    @property
    def _queues(self) -> tuple[_WaiterQueue, ...]:
        return (
            self._insisting,
            self._urgent,
            self._again,
            self._firm,
            self._exports,
            self._polite,
        )

    def _queue_for(
        self, demand: Demand, claim: Claim | None, *, again: bool, urgent: bool
    ) -> _WaiterQueue:
        if urgent:
            # One that the ordinary rules hold must not hold up one that they do not.
            return self._insisting if demand.insists else self._urgent
        if claim is not None and demand.limits.export_every_s is not None:
            return self._exports
        if demand.polite:
            return self._polite
        return self._again if again else self._firm

    def _heads(self) -> list[_Waiter]:
        """Return the first of each line, in the order of their turns."""
        heads = [next(iter(queue)) for queue in self._queues if queue]
        if len(heads) > 1:
            old = self.clock.monotonic() - POLLS_WAIT_S
            heads.sort(key=lambda waiter: self._rank(waiter, old))
        return heads

    def _rank(self, waiter: _Waiter, old: float) -> tuple[int, float]:
        for rank, queue in enumerate((self._insisting, self._urgent, self._again)):
            if waiter.queue is queue:
                return rank, waiter.joined_at
        waits_last = waiter.queue is self._polite and waiter.joined_at > old
        return _LAST if waits_last else _LAST - 1, waiter.joined_at

    def _urgency(self, waiter: _Waiter) -> int:
        """Return how urgent it is to others who share the limits; see `quota.PermitRequest`."""
        if waiter.demand.insists:
            return 0
        return POLL if self._rank(waiter, self.clock.monotonic() - POLLS_WAIT_S)[0] == _LAST else 1

    def _first(self) -> _Waiter | None:
        return next(iter(self._heads()), None)
