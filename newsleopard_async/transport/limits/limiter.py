"""A client's limits, and the state that all clients of a key share on an event loop."""

from __future__ import annotations

from collections import deque
from typing import Final

import anyio.lowlevel
import attrs

from newsleopard_async.clock import Clock
from newsleopard_async.errors import DailyQuotaExhausted
from newsleopard_async.log import Log
from newsleopard_async.models.options import RateLimits, Usage
from newsleopard_async.transport.limits.day import DayCount
from newsleopard_async.transport.limits.limit_state import Demand, Hold, LimitState, refusal_for
from newsleopard_async.transport.limits.queue import RequestQueue, goes_first
from newsleopard_async.transport.limits.scope import Quota, Scope
from newsleopard_async.transport.limits.windows import Slot, sliding_windows

__all__ = ["LONGEST_HOLD_S", "Limiter", "shared_queue"]

_log: Final = Log()


@attrs.define(eq=False, weakref_slot=False)
class _ScopeEntry:
    """The state of a key at an origin, on a clock.

    Attributes:
        scope: Key and origin, and the quota that shares their limits.
        day: Stays when nothing else is needed any more.
        queue: None if no queue is needed.
        is_listed: Whether this entry is in `_QueueRegistry.without_queue`.
    """

    scope: Scope
    clock: Clock
    day: DayCount
    queue: RequestQueue | None = None
    is_listed: bool = False


@attrs.define(eq=False)
class _QueueRegistry:
    """The states of an event loop, each as long as it is needed.

    Attributes:
        by_key: The entries by key and origin; several only for several clocks.
        with_queue: All entries with a queue.
        without_queue: All entries with a daily count only.
    """

    by_key: dict[Scope, tuple[_ScopeEntry, ...]] = attrs.field(factory=dict)
    with_queue: deque[_ScopeEntry] = attrs.field(factory=deque)
    without_queue: deque[_ScopeEntry] = attrs.field(factory=deque)

    def find(self, scope: Scope, clock: Clock) -> RequestQueue:
        """Return the queue of a scope; create it if there is none."""
        among = self.by_key.get(scope, ())
        kept = next((each for each in among if each.clock == clock), None)
        if kept is None:
            kept = _ScopeEntry(scope, clock, DayCount())
            self.by_key[scope] = (*among, kept)
        if kept.queue is None:
            kept.queue = RequestQueue(clock, _open_limit_state(kept))
            self.with_queue.append(kept)
        return kept.queue

    def tidy(self) -> None:
        """Drop entries that are not needed, a few per call, so that no call takes long."""
        for _ in range(min(2, len(self.with_queue))):
            kept = self.with_queue.popleft()
            assert kept.queue is not None  # see `with_queue`
            if kept.queue.is_needed:
                self.with_queue.append(kept)
            else:
                kept.queue.state.close()
                kept.queue = None
                self._list(kept)
        for _ in range(min(2, len(self.without_queue))):
            kept = self.without_queue.popleft()
            kept.is_listed = False
            if kept.queue is None and kept.day.is_empty(kept.clock.monotonic()):
                self._forget(kept)
            elif kept.queue is None:
                self._list(kept)

    def _list(self, kept: _ScopeEntry) -> None:
        if not kept.is_listed:
            self.without_queue.append(kept)
            kept.is_listed = True

    def _forget(self, kept: _ScopeEntry) -> None:
        among = tuple(each for each in self.by_key.pop(kept.scope) if each is not kept)
        if among:
            self.by_key[kept.scope] = among


def _open_limit_state(kept: _ScopeEntry) -> LimitState:
    store = kept.scope.open_store(kept.clock)
    if store is None:
        return LimitState(kept.day)
    from newsleopard_async.transport.limits.sharing import SharedLimitState

    return SharedLimitState(store, kept.clock, kept.day, has_day=kept.scope.has_day)


_registry: Final = anyio.lowlevel.RunVar[_QueueRegistry]("newsleopard_async_limiter_states")


def shared_queue(key: str, origin: str, clock: Clock, quota: Quota = None) -> RequestQueue:
    """Return the queue of a key at an origin, on this event loop and clock.

    Clients with another quota have another queue.

    The queue outlives its clients until nothing in it counts any more, so that closing a client and
    opening another one cannot send a burst. The daily count stays. Another event loop begins with
    an empty queue. Only a hash of the key is stored.
    """
    registry = _registry.get(None)
    if registry is None:
        registry = _QueueRegistry()
        _registry.set(registry)
    registry.tidy()
    return registry.find(Scope.of(quota, origin, key), clock)


LONGEST_HOLD_S: Final = 60.0
"""The longest ``Retry-After`` to wait for; after a longer one, callers get ``RateLimited``. Chosen:
about longer waits the caller decides."""


class Limiter:
    """One client's limits over the shared state of its key and origin.

    Args:
        limits: The limits of the client.
        queue: The queue of the key.
        clock: The client's clock.
        longest_hold_s: If the server's ``Retry-After`` is longer, ``RateLimited`` is raised
            instead of waiting.
    """

    def __init__(
        self,
        limits: RateLimits,
        queue: RequestQueue,
        clock: Clock,
        *,
        longest_hold_s: float = LONGEST_HOLD_S,
    ) -> None:
        self._limits = limits
        self.queue = queue
        self._clock = clock
        queue.clients.add(self)
        self._firm = Demand(limits, False, longest_hold_s)
        self._polite = Demand(limits, True, longest_hold_s)
        self._insisting = Demand(limits, False, longest_hold_s, insists=True)

    async def learn_day(self) -> None:
        """Read the daily count of all processes that share the limits."""
        await self.queue.state.learn_day(self._limits)

    async def report(self) -> None:
        """Send all pending reports to the processes that share the limits."""
        await self.queue.state.report()

    def close(self) -> None:
        """Record that the client is closed; its state is dropped as soon as nothing needs it."""
        self.queue.clients.discard(self)
        if (registry := _registry.get(None)) is not None:
            registry.tidy()

    def at_once(
        self, *, polite: bool = False, again: bool = False, urgent: bool = False
    ) -> Slot | None:
        """Return a slot if one is free, else None; as `acquire`, which takes five times as long."""
        return self.queue.at_once(
            self._demand(polite=polite, again=again, urgent=urgent or goes_first.get())
        )

    async def acquire(
        self,
        *,
        export_of: str | None = None,
        polite: bool = False,
        again: bool = False,
        urgent: bool = False,
    ) -> Slot:
        """Wait for a slot. A cancelled call takes none.

        Args:
            export_of: The campaign, if the request is its export.
            polite: Wait behind other requests, and leave the last hundredth of the day to them.
            again: The gateway has refused the request before.
            urgent: Have priority over all others, even if the day is used up, until the gateway has
                refused the request. Every request is urgent if `goes_first` is set.

        Raises:
            DailyQuotaExhausted: the day is used up, or becomes used up during the wait.
            RateLimited: the campaign was exported lately, or the server asks for a long hold.
        """
        await anyio.lowlevel.checkpoint_if_cancelled()
        claim = None
        if export_of is not None:
            now = self._clock.monotonic()
            claim = self.queue.state.claim_export(export_of, self._limits, now)
            try:
                await self.queue.state.share_claim(claim, self._limits)
            except BaseException:
                self.queue.state.restore(claim)
                raise
        urgent = urgent or goes_first.get()
        demand = self._demand(polite=polite, again=again, urgent=urgent)
        return await self.queue.wait(demand, claim, again=again, urgent=urgent)

    def _demand(self, *, polite: bool, again: bool, urgent: bool) -> Demand:
        if urgent:
            return self._firm if again else self._insisting
        return self._polite if polite else self._firm

    def day_error(self) -> DailyQuotaExhausted | None:
        """Return the error for a daily quota that is exhausted, or None."""
        state, now, wall = self.queue.state, self._clock.monotonic(), self._clock.now()
        refusal = state.refusal(self._firm, now, wall)
        if state.is_gone(now, wall):
            refusal = refusal_for("gone", self._firm, wall)
        return refusal if isinstance(refusal, DailyQuotaExhausted) else None

    def throttled(self, *, daily: bool | None, retry_after_s: float | None = None) -> Hold | None:
        """Record that the gateway refused, after the end of the slot.

        Args:
            daily: False if the refusal is about the limit per second, True if about the day, None
                if its text can mean both.
            retry_after_s: The wait that the server requests.
        Returns: the hold for all requests, or None for all but the first refusal of a burst.
        """
        now, wall = self._clock.monotonic(), self._clock.now()
        hold = self.queue.state.throttled(now, wall, daily=daily, retry_after_s=retry_after_s)
        self.queue.serve()
        return hold

    def accepted(self) -> None:
        """Record an answer that was not a refusal, after the end of the slot."""
        was_open = self.queue.state.gate.is_open
        is_slower = self.queue.state.accepted()
        if not was_open and self.queue.state.gate.is_open:
            _log.info("the platform accepts requests again")
        if is_slower:
            _log.warning(
                "the server throttles below the configured limits; requests are now sent evenly, "
                "one per %.3f s",
                self.queue.state.spacing.interval_s(sliding_windows(self._limits)),
            )
        self.queue.serve()

    @property
    def usage(self) -> Usage:
        """The estimated use of the day."""
        clock = self._clock
        return self.queue.state.usage(self._limits, clock.monotonic(), clock.now())
