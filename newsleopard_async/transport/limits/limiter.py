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
    """What is kept of a key at an origin, on a clock.

    Attributes:
        scope: Key and origin, and who shares their limits.
        day: Stays when nothing else is needed any more.
        queue: None if it is not needed.
        is_listed: Whether it is in turn among those without a queue.
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
        by_key: What is kept, by key and origin; several only on several clocks.
        with_queue: All that have a queue, in turn.
        without_queue: All of which only the day's count is left, in turn.
    """

    by_key: dict[Scope, tuple[_ScopeEntry, ...]] = attrs.field(factory=dict)
    with_queue: deque[_ScopeEntry] = attrs.field(factory=deque)
    without_queue: deque[_ScopeEntry] = attrs.field(factory=deque)

    def find(self, scope: Scope, clock: Clock) -> RequestQueue:
        """Return a state; it begins when it is first asked for."""
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
        """Drop what is not needed, a few at each call, so that no call takes long."""
        for _ in range(min(2, len(self.with_queue))):
            kept = self.with_queue.popleft()
            assert kept.queue is not None  # else it would be among the others
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
    """Return the state of a key at an origin, on this event loop and clock.

    Clients that share their limits with others have a state of their own.

    It outlives its clients until nothing in it counts any more, so that closing one and
    opening another cannot burst. Of the day its count stays. Another event loop begins with
    an empty one. Only a hash of the key is kept.
    """
    registry = _registry.get(None)
    if registry is None:
        registry = _QueueRegistry()
        _registry.set(registry)
    registry.tidy()
    return registry.find(Scope.of(quota, origin, key), clock)


LONGEST_HOLD_S: Final = 60.0
"""A longer ``Retry-After`` is not waited for: every caller gets ``RateLimited`` at once."""


class Limiter:
    """One client's limits over the shared state of its key and origin.

    Args:
        queue: The shared queue.
        longest_hold_s: Holds of the server's (``Retry-After``) that are longer raise
            ``RateLimited`` instead of being waited for.
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
        """Learn the day's count of all who share the limits."""
        await self.queue.state.learn_day(self._limits)

    async def report(self) -> None:
        """Tell all who share the limits what they are still to be told."""
        await self.queue.state.report()

    def close(self) -> None:
        """Note that the client is closed; its state is dropped once nothing needs it."""
        self.queue.clients.discard(self)
        if (registry := _registry.get(None)) is not None:
            registry.tidy()

    async def acquire(
        self,
        *,
        export_of: str | None = None,
        polite: bool = False,
        again: bool = False,
        urgent: bool = False,
    ) -> Slot:
        """Wait for a slot; cancelled, it takes none.

        Args:
            export_of: The campaign, if the request is its export.
            polite: Let others go first, and leave them the last hundredth of the day.
            again: The gateway has refused it before.
            urgent: Go before all others, as everything does where `goes_first` is set, and even
                if the day is used up, until the gateway has refused it.

        Raises:
            DailyQuotaExhausted: the day is used up; at once, and also while in line.
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
        if urgent:
            demand = self._firm if again else self._insisting
        else:
            demand = self._polite if polite else self._firm
        return await self.queue.wait(demand, claim, again=again, urgent=urgent)

    def day_error(self) -> DailyQuotaExhausted | None:
        """Return the error for a day that is used up, if it is."""
        state, now, wall = self.queue.state, self._clock.monotonic(), self._clock.now()
        refusal = state.refusal(self._firm, now, wall)
        if state.is_gone(now, wall):
            refusal = refusal_for("gone", self._firm, wall)
        return refusal if isinstance(refusal, DailyQuotaExhausted) else None

    def throttled(self, *, daily: bool | None, retry_after_s: float | None = None) -> Hold | None:
        """Note that the gateway refused; to be called after the slot's own end.

        Args:
            daily: False if the refusal is about the second, True if about the day, None if
                its text may mean either.
        Returns: what it means for all requests, or None if that is not new: of a burst that is
            refused, only the first one does.
        """
        now, wall = self._clock.monotonic(), self._clock.now()
        hold = self.queue.state.throttled(now, wall, daily=daily, retry_after_s=retry_after_s)
        self.queue.serve()
        return hold

    def accepted(self) -> None:
        """Note an answer that was no refusal; to be called after the slot's own end."""
        was_open = self.queue.state.gate.is_open
        is_slower = self.queue.state.accepted()
        if not was_open and self.queue.state.gate.is_open:
            _log.info("the platform accepts requests again")
        if is_slower:
            _log.warning(
                "the server throttles below the configured limits; from now on requests go "
                "evenly, one in %.3f s",
                self.queue.state.spacing.interval_s(sliding_windows(self._limits)),
            )
        self.queue.serve()

    @property
    def usage(self) -> Usage:
        """The day's estimate."""
        clock = self._clock
        return self.queue.state.usage(self._limits, clock.monotonic(), clock.now())
