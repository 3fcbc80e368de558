"""The queue of the rate limiter: which request waits, and which one is sent next.

Each attempt takes a slot below the retry loop, and reports its outcome. `limit_state` decides with
`windows`, `day`, `exports` and `gate` when a request can be sent, from numbers alone. This module
does the waiting, on asyncio and on trio.

The rules of the queue:

- Urgent requests have priority over all others. Until the gateway has refused it, an urgent request
  is sent even if all others fail immediately. It observes the limit per second nevertheless.
- First come, first served. A request that the gateway has refused has priority over requests
  that were never sent.
- For 3 s a poll (``polite``) waits behind all other requests. After that it is ordered by its time
  of arrival, like any other request. A poll with a deadline has priority after half of its time.
- An export that waits for the least time since the last export does not delay other requests.
- Only the first request in the queue and polls with a deadline have a wake-up time. Each change of
  the limit state processes the queue and sets the wake-up time again, so no task of our own runs.
- A request that is cancelled or fails before it is sent returns its slot, and the queue is
  processed.
- A request that cannot be sent today fails immediately, even in the middle of the queue.

This module does not bound the wait for an answer: the transport's timeouts do. Each slot ends in
exactly one of `Slot.answered`, `Slot.refused`, `Slot.lost` and `Slot.give_back`.
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
"""How long a poll waits behind all other requests.

Chosen: three windows of the limit per second pass in this time. The first polls of a job are 5 s
apart, so 3 s more hardly delay the news of its end.
"""

_LAST: Final = 4
"""The rank of polls that wait behind all other requests."""

goes_first: Final = ContextVar("newsleopard_async_goes_first", default=False)
"""Whether every request of this task is urgent."""

goes_first_at: Final = ContextVar("newsleopard_async_goes_first_at", default=math.inf)
"""When the polls of this task get priority over all other requests, by the monotonic clock."""


@attrs.define(eq=False)
class _Waiter:
    """A request in the queue.

    Attributes:
        queue: The queue that it is in.
        joined_at: When it entered the queue.
        first_at: When it gets priority over all others; infinity for all but polls.
        woken: Set when the waiter must check its state; created for each wait.
        alarm_at: When the waiter wakes up without `woken`.
        slot: Set when the request can be sent.
        error: Set when no wait can help.
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
"""Waiters in order. In a plain dict, finding the first entry passes over all deleted ones."""


class RequestQueue:
    """The limit state and the queue that the clients of one key share on an event loop.

    Attributes:
        clients: The clients that share this queue.
    """

    def __init__(self, clock: Clock, state: LimitState | None = None) -> None:
        self.clock = clock
        self.clients: WeakSet[object] = WeakSet()
        self.state: LimitState = state or LimitState(DayCount())
        # Urgent requests, with fewer rules (`Demand.insists`) and with the usual ones.
        self._insisting: _WaiterQueue = OrderedDict()
        self._urgent: _WaiterQueue = OrderedDict()
        # These go before the rest: the gateway has refused them, or their deadline is near.
        self._again: _WaiterQueue = OrderedDict()
        # All that are none of the others.
        self._firm: _WaiterQueue = OrderedDict()
        self._exports: _WaiterQueue = OrderedDict()
        self._polite: _WaiterQueue = OrderedDict()
        self._demands: Counter[Demand] = Counter()
        self._next: _Waiter | None = None
        self._next_at = math.inf

    @property
    def is_needed(self) -> bool:
        """Whether a client uses the queue, or its state would be lost with it."""
        if self.clients or self._demands:
            return True
        return not self.state.is_idle(self.clock.monotonic(), self.clock.now())

    def sent(self, slot: Slot) -> None:
        """Record that the last byte of a request has left."""
        self.state.sent(slot, self.clock.monotonic(), self.clock.now())
        self.serve()

    def settle(self, slot: Slot, *, answered: bool) -> None:
        """Record that a request was answered, or that no answer will come."""
        now, wall = self.clock.monotonic(), self.clock.now()
        self.state.settle(slot, now, wall, answered=answered)
        self.serve()

    def restore_export(self, slot: Slot) -> None:
        """Remove a request from the counted exports."""
        self.state.restore_export(slot)
        self.serve()

    def give_back(self, slot: Slot) -> None:
        """Remove a request that was never sent from all counts."""
        self.state.give_back(slot)
        self.serve()

    def is_good(self, slot: Slot) -> bool:
        """Return whether a request can still be sent with its slot."""
        return self.clock.monotonic() < slot.good_until

    def at_once(self, demand: Demand) -> Slot | None:
        """Return a slot if no request waits and one is free; else None."""
        now, wall = self.clock.monotonic(), self.clock.now()
        if self._demands or self.state.refusal(demand, now, wall) is not None:
            return None
        return (
            self.state.take(self, None, now) if self.state.go_at(demand, now, wall) <= now else None
        )

    async def wait(
        self, demand: Demand, claim: Claim | None, *, again: bool = False, urgent: bool = False
    ) -> Slot:
        """Wait in the queue until the request can be sent.

        Raises:
            RateLimited: no wait can help.
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
            await anyio.lowlevel.checkpoint()
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
        """Wait until woken; the first in the queue also has a wake-up time."""
        woken = waiter.woken = anyio.Event()
        waiter.alarm_at = self._next_at if waiter is self._first() else math.inf
        until = min(waiter.alarm_at, waiter.first_at)
        if until == math.inf:
            await woken.wait()
            return
        with self.clock.deadline(until - self.clock.monotonic()):
            await woken.wait()

    def _advance(self, waiter: _Waiter) -> None:
        """Give a poll priority after half of its time."""
        if waiter.is_decided or self.clock.monotonic() < waiter.first_at:
            return
        del waiter.queue[waiter]
        waiter.queue, waiter.first_at = self._again, math.inf
        self._again[waiter] = None

    def serve(self) -> None:
        """Give a slot to each request that can be sent; wake the first of the others if needed."""
        if not self._demands:
            return
        while self._demands and (waiter := self._next_to_go()) is not None:
            self._decide(waiter, slot=self.state.take(self, waiter.claim, self.clock.monotonic()))
        first = self._first()
        if first is not None and first.alarm_at != self._next_at:
            first.wake()

    def _next_to_go(self) -> _Waiter | None:
        """Return the request that can be sent now, or set the time of the next check."""
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
        """Whether it is time to ask the shared limits for a permit for the next request."""
        if self._next is None:
            return False
        return self.state.request_permit_at(self._urgency(self._next)) <= self.clock.monotonic()

    def _dismiss(self) -> None:
        """Raise an error in all waiters that no wait can help."""
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
        """Return the slot or the claim of a waiter that is not going to send."""
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
        """Enter the queue.

        Others are checked only if this request can change something: if it is the first in its
        queue, or the first with its properties.
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
            self.state.queue_emptied()

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
            # A request with the usual rules must not delay a request with fewer rules.
            return self._insisting if demand.insists else self._urgent
        if claim is not None and demand.limits.export_every_s is not None:
            return self._exports
        if demand.polite:
            return self._polite
        return self._again if again else self._firm

    def _heads(self) -> list[_Waiter]:
        """Return the first waiter of each queue, in the order in which they can be sent."""
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
        """Return the rank of a request among all processes; see `quota.PermitRequest`."""
        if waiter.demand.insists:
            return 0
        return POLL if self._rank(waiter, self.clock.monotonic() - POLLS_WAIT_S)[0] == _LAST else 1

    def _first(self) -> _Waiter | None:
        return next(iter(self._heads()), None)
