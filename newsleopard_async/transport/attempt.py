"""One attempt at a request: its slot, its connection, and its outcome.

If the caller is cancelled before the request has left, everything is returned: the slot of the
limiter, the claim of an export, and the intent that the `observer` has stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

import anyio.lowlevel
import attrs

from newsleopard_async.clock import Clock
from newsleopard_async.errors import APIError
from newsleopard_async.models.attempts import OnAttempt
from newsleopard_async.models.options import Timeouts
from newsleopard_async.transport.calls import Call
from newsleopard_async.transport.hook import HookedAttempt, check_outside
from newsleopard_async.transport.http import Exchange
from newsleopard_async.transport.interpreter import CallResult
from newsleopard_async.transport.limits.limiter import Limiter
from newsleopard_async.transport.limits.queue import Slot
from newsleopard_async.transport.observer import Departure, ObservedSend, Observer, cut_off
from newsleopard_async.transport.outcome import (
    Answer,
    Failure,
    NotSent,
    Outcome,
    retry_after_s,
    throttle_text,
)
from newsleopard_async.transport.pools import Pools, Purpose
from newsleopard_async.transport.request import Request

__all__ = ["Attempt"]

T = TypeVar("T")

_NOT_AWAITED: Final = "on_attempt did not wait for its outcome"


@attrs.frozen(kw_only=True)
class Attempt(Generic[T]):
    """The attempts at a request, one for each call of `make`.

    Attributes:
        call: The call that the attempts belong to.
        request: The request.
        observer: Is notified of departure and outcome, or None.
        limiter: Gives the slots.
        pools: The connections.
        purpose: The pool to use.
        clock: Bounds the waits.
        timeouts: The bounds.
        hook: The caller's hook around each attempt, or None.
        exchange: Builds the exchange, which notifies the departure.
        read: Converts the outcome to a result.
    """

    call: Call
    request: Request[T]
    observer: Observer | None
    limiter: Limiter
    pools: Pools
    purpose: Purpose
    clock: Clock
    timeouts: Timeouts
    hook: OnAttempt | None = None
    exchange: Callable[[Departure], Exchange]
    read: Callable[[Outcome], CallResult[T]]

    async def make(self, begin: Callable[[], None], *, again: bool = False) -> CallResult[T]:
        """Make the attempt.

        Args:
            begin: Called when the attempt has its slot.
            again: The gateway has refused it before.

        Raises:
            RateLimited, DailyQuotaExhausted: it will not get a slot.
            ConfigurationError: the set-up is wrong, the observer takes too long, or the hook sends
                nothing.
            Exception: the hook's error before it sent.
        """
        pool_s = self.timeouts.pool_s
        check_outside(self.limiter.queue)
        self.call.queue()
        slot = await self._turn(again=again)
        try:
            # A cancellation is raised here, and other tasks run, even without a wait.
            await anyio.lowlevel.checkpoint()
            begin()
            async with self.pools.connection(self.purpose, self.clock, within_s=pool_s) as free:
                self.call.admit()
                return await self._carry(slot) if free else self._unconnected(pool_s)
        finally:
            # This has no effect after the outcome is known.
            slot.give_back()

    async def _turn(self, *, again: bool) -> Slot:
        request = self.request
        how = {"polite": request.polite, "again": again, "urgent": request.urgent}
        slot = self.limiter.at_once(**how) if request.export_of is None else None
        if slot is None:
            acquiring = self.limiter.acquire(export_of=request.export_of, **how)
            slot = await self.pools.wait(acquiring)
        return slot

    def _unconnected(self, pool_s: float) -> CallResult[T]:
        return self._unsent(NotSent(f"no connection became free in {pool_s:g} s", "timeout"))

    def _unsent(self, outcome: NotSent) -> CallResult[T]:
        self.call.end(outcome)
        return self.read(outcome)

    async def _carry(self, slot: Slot) -> CallResult[T]:
        departure = Departure(slot, is_ours=self.pools.custom is None)
        # An error of the set-up must come before the intent is stored.
        exchange = self.exchange(departure)
        if self.hook is None:
            return await self._go(exchange, departure, slot)
        return await self._hooked(self.hook, exchange, departure, slot)

    async def _hooked(
        self, hook: OnAttempt, exchange: Exchange, departure: Departure, slot: Slot
    ) -> CallResult[T]:
        """Send the request with the caller's hook around it."""

        async def send(headers: Mapping[str, str]) -> CallResult[T]:
            exchange.request.headers.update(headers)
            return await self._go(exchange, departure, slot, note)

        def note(result: CallResult[T]) -> None:
            hooked.result = result

        def unseen(result: CallResult[T]) -> None:
            if not self.request.kind.repeatable:
                self.watch(slot).note_cancelled(departure, result)

        hooked = HookedAttempt(
            hook=hook,
            call=self.call,
            send=send,
            unseen=unseen,
            limits=self.limiter.queue,
            clock=self.clock,
            within_s=self.timeouts.submit_s,
        )
        return await hooked.run() or self.read(cut_off(departure, _NOT_AWAITED))

    async def _go(
        self,
        exchange: Exchange,
        departure: Departure,
        slot: Slot,
        note: Callable[[CallResult[T]], None] | None = None,
    ) -> CallResult[T]:
        if self.request.kind.repeatable:
            return await self._send(exchange, departure, slot)
        return await self.watch(slot, note).send(exchange, departure)

    def watch(
        self, slot: Slot, note: Callable[[CallResult[T]], None] | None = None
    ) -> ObservedSend[T]:
        """Return the sender for a request that must not be repeated."""

        def on_result(result: CallResult[T]) -> None:
            self._settle(slot, result)
            if note is not None:
                note(result)

        return ObservedSend(
            name=self.request.name,
            observer=self.observer,
            clock=self.clock,
            observer_s=self.timeouts.submit_s,
            perform=self.call.perform,
            read=self.read,
            on_result=on_result,
        )

    async def _send(self, exchange: Exchange, departure: Departure, slot: Slot) -> CallResult[T]:
        try:
            outcome = await self.call.perform(exchange)
        except BaseException:
            departure.give_up()
            raise
        result = self.read(outcome)
        self._settle(slot, result)
        return result

    def _settle(self, slot: Slot, result: CallResult[T]) -> None:
        """Report the outcome of the attempt to the limiter."""
        outcome = result.outcome
        match outcome.failure:
            case Failure.NOT_SENT:
                slot.give_back()
            case Failure.REPLY_LOST:
                slot.lost()
            case Failure.REFUSED:
                assert isinstance(outcome, Answer)
                slot.refused()
                hold = self.limiter.throttled(
                    daily=_about_the_day(outcome),
                    retry_after_s=retry_after_s(outcome, self.clock.now()),
                )
                if hold is not None:
                    self.call.throttled(outcome, hold)
            case _:
                slot.answered()
                if isinstance(result.error, APIError):
                    # The platform refused the request, so no export was made, and the claim is
                    # returned.
                    slot.refused()
                self.limiter.accepted()


def _about_the_day(answer: Answer) -> bool | None:
    """Return whether a refusal is about the day; None if its text can mean both."""
    return None if throttle_text(answer.body) == "limit exceeded" else False
