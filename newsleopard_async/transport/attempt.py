"""One attempt at a request: its turn, its connection, and what became of it.

What must not be repeated runs to its answer once it was handed to the socket, even if its
caller is cancelled. Before that, a cancellation strikes at once, and takes everything back:
the intent that the observer has stored, the slot of the limiter, the hour of an export.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, Protocol, TypeVar

import anyio
import attrs

from newsleopard_async.aio import run_to_completion
from newsleopard_async.clock import Clock
from newsleopard_async.errors import APIError, NewsLeopardError
from newsleopard_async.models.options import Timeouts
from newsleopard_async.transport.http import Exchange, perform
from newsleopard_async.transport.interpret import Result
from newsleopard_async.transport.limits.limiter import Limiter
from newsleopard_async.transport.limits.queue import Slot
from newsleopard_async.transport.outcome import (
    Answer,
    Failure,
    NotSent,
    Outcome,
    ReplyLost,
    retry_after_s,
    throttle_text,
)
from newsleopard_async.transport.pools import Pools, Purpose
from newsleopard_async.transport.request import Request

__all__ = ["Attempt", "Observer"]

T = TypeVar("T")

_log: Final = logging.getLogger("newsleopard_async")

_TORN_DOWN: Final = (GeneratorExit, KeyboardInterrupt, SystemExit)
"""What ends a task at once."""


class Observer(Protocol):
    """Sees a request that must not be repeated leave, and what becomes of it.

    It sees all, even if the caller is cancelled meanwhile. What it raises once the request
    was sent is logged, and changes nothing for the caller.
    """

    async def on_sending(self) -> None:
        """The request is about to be handed to the socket; raising keeps it from that.

        If it takes too long, or its task is cancelled, `on_failed` follows, since what it was to
        store may be stored all the same.
        """
        ...

    async def on_accepted(self, model: Any) -> None:
        """The answer came, and says that it took effect."""
        ...

    async def on_failed(self, error: NewsLeopardError) -> None:
        """It failed; `OutcomeUnknown` if it may have taken effect all the same."""
        ...


class Withdrawn(Exception):
    """Keeps a request from leaving whose caller was cancelled."""


@attrs.define(eq=False)
class Departure:
    """Whether a request may have left, which decides what a cancellation of its caller means.

    Attributes:
        slot: Told when it was sent and answered.
        is_ours: Whether our own connections carry it. Of any other transport it is not known
            what it does with a request, so that handing it over counts as sending.
        scope: What is cancelled to keep it from leaving.
        may_have_left: Whether a first byte was handed to a connection to the server, or may have
            been.
    """

    slot: Slot
    is_ours: bool
    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    may_have_left: bool = False
    _is_withdrawn: bool = False

    def withdraw(self) -> None:
        """Keep the request from leaving, unless it may have left."""
        self._is_withdrawn = True
        if not self.may_have_left:
            self.scope.cancel()

    def handing_over(self) -> None:
        """Note that the transport gets the request: what it does is unknown until it says so."""
        self._check()
        self.may_have_left = True

    def connecting(self) -> None:
        """Note that our own connection says that nothing has left yet."""
        if self.is_ours:
            self.may_have_left = False
            if self._is_withdrawn:
                self.scope.cancel()

    def leaving(self) -> None:
        """Note that the first byte leaves now."""
        if self.is_ours:
            self._check()
        self.may_have_left = True

    def sent(self) -> None:
        """Note that the last byte has left."""
        self.slot.sent()

    def answered(self) -> None:
        """Note that the head of the answer came."""
        self.slot.answered()

    def give_up(self) -> None:
        """Tell the slot that no answer will be waited for."""
        if self.may_have_left:
            self.slot.lost()
        else:
            self.slot.give_back()

    def _check(self) -> None:
        if self._is_withdrawn:
            raise Withdrawn("it was cancelled")


@attrs.frozen(kw_only=True)
class Attempt(Generic[T]):
    """An attempt to be made, as often as the retry loop asks for it.

    Attributes:
        request: What to send.
        observer: Sees it leave and what becomes of it, or None.
        limiter: Gives it its turn.
        pools: Have the connections.
        purpose: Which of them.
        clock: Bounds the waits.
        timeouts: How long they may be.
        exchange: Builds what goes over the wire; it tells of its way.
        read: Understands what became of it.
    """

    request: Request[T]
    observer: Observer | None
    limiter: Limiter
    pools: Pools
    purpose: Purpose
    clock: Clock
    timeouts: Timeouts
    exchange: Callable[[Departure], Exchange]
    read: Callable[[Outcome], Result[T]]

    async def make(
        self, begin: Callable[[], None], *, again: bool = False, first: bool = False
    ) -> Result[T]:
        """Make the attempt.

        Args:
            begin: Called when its turn has come.
            again: The gateway has refused it before.
            first: There was no attempt before.

        Raises:
            RateLimited, DailyQuotaExhausted: its turn will not come.
            ConfigurationError: the set-up is wrong, or the observer takes too long.
        """
        request, pool_s = self.request, self.timeouts.pool_s
        turn = self.limiter.acquire(
            export_of=request.export_of,
            polite=request.polite,
            again=again,
            urgent=request.urgent,
            first=first,
        )
        slot = await self.pools.wait(turn)
        late = NotSent(f"no connection became free in {pool_s:g} s", "timeout")
        try:
            begin()
            async with self.pools.place(self.purpose, self.clock, within_s=pool_s) as free:
                return await self._carry(slot) if free else self.read(late)
        finally:
            # Does nothing once it is known what became of the request.
            slot.give_back()

    async def _carry(self, slot: Slot) -> Result[T]:
        departure = Departure(slot, is_ours=self.pools.custom is None)
        # Whatever is wrong with the set-up comes before the intent is stored.
        exchange = self.exchange(departure)
        if self.request.kind.repeatable:
            return await self._send(exchange, departure)
        return await run_to_completion(
            functools.partial(self._send_watched, exchange, departure),
            withdraw=departure.withdraw,
            when_cancelled=functools.partial(self._note_cancelled, departure),
        )

    async def _send_watched(self, exchange: Exchange, departure: Departure) -> Result[T]:
        """Send what must not be repeated, and tell the observer of its end."""
        result = await self._unless_withdrawn(exchange, departure)
        await self._tell(result)
        return result

    async def _unless_withdrawn(self, exchange: Exchange, departure: Departure) -> Result[T]:
        try:
            with departure.scope:
                if not await self._is_announced():
                    return self.read(NotSent(self._too_slow, way_out=self._too_slow))
                return await self._send(exchange, departure)
        except anyio.get_cancelled_exc_class():
            # Not by its scope: asyncio is ending its event loop, and cancels every task. Who
            # waits for this one has been cancelled, too, and logs what it gives.
            pass
        return self.read(_cut_off(departure, "it was cancelled"))

    async def _is_announced(self) -> bool:
        return self.observer is None or await self._in_time(self.observer.on_sending())

    async def _send(self, exchange: Exchange, departure: Departure) -> Result[T]:
        try:
            outcome = await perform(exchange)
        except BaseException as error:
            departure.give_up()
            if self.request.kind.repeatable:
                raise
            if isinstance(error, _TORN_DOWN):
                # Nothing can be awaited any more.
                self._note_cancelled(departure, self.read(_cut_off(departure, "it was torn down")))
            if not isinstance(error, (NewsLeopardError, Withdrawn)):
                raise
            outcome = _cut_off(departure, str(error))
        result = self.read(outcome)
        self._settle(departure.slot, result)
        return result

    async def _tell(self, result: Result[T]) -> None:
        """Tell the observer; one that hangs or fails must not hide what is done."""
        if self.observer is None:
            return
        what = f"{self.request.name} {_ending(result)}"
        try:
            if not await self._in_time(_told(self.observer, result)):
                _log.error("%s; %s", what, self._too_slow)
        except anyio.get_cancelled_exc_class():
            # See above: the event loop ends.
            _log.error("%s; its observer was cancelled", what)
        except Exception:  # noqa: BLE001 - whatever a caller's observer raises
            _log.exception("%s; its observer failed", what)

    def _settle(self, slot: Slot, result: Result[T]) -> None:
        """Tell the limiter what became of the attempt."""
        outcome = result.outcome
        match outcome.failure:
            case Failure.NOT_SENT:
                slot.give_back()
            case Failure.REPLY_LOST:
                slot.lost()
            case Failure.REFUSED:
                assert isinstance(outcome, Answer)
                slot.refused()
                self.limiter.throttled(
                    daily=_about_the_day(outcome),
                    retry_after_s=retry_after_s(outcome, self.clock.now()),
                )
            case _:
                slot.answered()
                if isinstance(result.error, APIError):
                    # Refused for good, so that no export took place: its hour comes back.
                    slot.refused()
                self.limiter.accepted()

    async def _in_time(self, noting: Awaitable[None]) -> bool:
        """Bound what cannot be cancelled; say whether it ended in time."""
        with self.clock.deadline(self.timeouts.submit_s):
            await noting
            return True
        return False

    @property
    def _too_slow(self) -> str:
        return f"the checkpoint's store did not answer within {self.timeouts.submit_s:g} s"

    def _note_cancelled(self, departure: Departure, result: Result[T]) -> None:
        """Say in the log what the cancelled caller will not see."""
        if not departure.may_have_left:
            return
        _log.warning("%s was cancelled in flight, and %s", self.request.name, _ending(result))


def _cut_off(departure: Departure, why: str) -> Outcome:
    """Return what became of a request whose attempt ended otherwise than by its answer."""
    return ReplyLost(why) if departure.may_have_left else NotSent(why)


async def _told(observer: Observer, result: Result[Any]) -> None:
    if result.error is None:
        await observer.on_accepted(result.get())
    else:
        await observer.on_failed(result.error)


def _ending(result: Result[Any]) -> str:
    if result.error is None:
        return f"was accepted: {result.get()}"
    return f"ended so: {result.error}"


def _about_the_day(answer: Answer) -> bool | None:
    """Whether a refusal is about the day: None if it may be, by the one text that may mean it."""
    return None if throttle_text(answer.body) == "limit exceeded" else False
