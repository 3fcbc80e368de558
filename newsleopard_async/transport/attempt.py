"""One attempt at a request: its turn, its connection, and what became of it.

A submit that was handed to the socket runs to its answer, even if its caller is cancelled.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs

from newsleopard_async.aio import run_to_completion
from newsleopard_async.clock import Clock
from newsleopard_async.errors import ConfigurationError, NewsLeopardError
from newsleopard_async.models.options import Timeouts
from newsleopard_async.transport.http import Exchange, perform
from newsleopard_async.transport.interpret import Result
from newsleopard_async.transport.limits.queue import Limiter, Slot
from newsleopard_async.transport.outcome import (
    Answer,
    Failure,
    NotSent,
    Outcome,
    retry_after_s,
    throttle_text,
)
from newsleopard_async.transport.pools import Pools, Purpose
from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.request import Request

__all__ = ["Attempt", "Observer"]

T = TypeVar("T")

_log: Final = logging.getLogger("newsleopard_async")


class Observer(Protocol):
    """Sees a request that must not be repeated leave, and what becomes of it.

    Of a submit it sees all, even if the caller is cancelled meanwhile. What it raises once
    the request was sent is logged, and changes nothing for the caller.
    """

    async def on_sending(self) -> None:
        """The request is about to be handed to the socket; raising keeps it from that."""
        ...

    async def on_accepted(self, model: Any) -> None:
        """The answer came, and says that it took effect."""
        ...

    async def on_failed(self, error: NewsLeopardError) -> None:
        """It failed; `OutcomeUnknown` if it may have taken effect all the same."""
        ...


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
        exchange: Builds what goes over the wire; it tells the slot of its way.
        read: Understands what became of it.
    """

    request: Request[T]
    observer: Observer | None
    limiter: Limiter
    pools: Pools
    purpose: Purpose
    clock: Clock
    timeouts: Timeouts
    exchange: Callable[[Slot], Exchange]
    read: Callable[[Outcome], Result[T]]

    async def make(self, begin: Callable[[], None], *, again: bool = False) -> Result[T]:
        """Make the attempt.

        Args:
            begin: Called when its turn has come.
            again: The gateway has refused it before.

        Raises:
            RateLimited, DailyQuotaExhausted: its turn will not come.
            ConfigurationError: the set-up is wrong, or the observer takes too long.
        """
        request, pool_s = self.request, self.timeouts.pool_s
        turn = self.limiter.acquire(export_of=request.export_of, polite=request.polite, again=again)
        slot = await self.pools.wait(turn)
        try:
            begin()
            async with self.pools.place(self.purpose, self.clock, within_s=pool_s) as free:
                if not free:
                    return self.read(NotSent(f"no connection became free in {pool_s:g} s"))
                return await self._carry(slot)
        finally:
            # Does nothing once it is known what became of the request.
            slot.give_back()

    async def _carry(self, slot: Slot) -> Result[T]:
        watched = functools.partial(self._send_watched, slot)
        if self.request.kind is not Kind.SUBMIT:
            return await watched()
        return await run_to_completion(watched, when_cancelled=self._note_cancelled)

    async def _send_watched(self, slot: Slot) -> Result[T]:
        # Whatever is wrong with the set-up comes before the intent is stored.
        exchange = self.exchange(slot)
        if self.observer is None:
            return await self._send(exchange, slot)
        if not await self._in_time(self.observer.on_sending()):
            raise ConfigurationError(self._too_slow)
        result = await self._send(exchange, slot)
        # What was done is done; a store that hangs or fails must not hide it.
        try:
            if not await self._in_time(_tell(self.observer, result)):
                _log.error("%s after %s", self._too_slow, self.request.name)
        except Exception:  # noqa: BLE001 - whatever a caller's observer raises
            _log.exception("%s %s; its observer failed", self.request.name, _ending(result))
        return result

    async def _send(self, exchange: Exchange, slot: Slot) -> Result[T]:
        try:
            outcome = await perform(exchange)
        except BaseException:
            slot.lost()
            raise
        self._settle(slot, outcome)
        return self.read(outcome)

    def _settle(self, slot: Slot, outcome: Outcome) -> None:
        """Tell the limiter what became of the attempt."""
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
                if isinstance(outcome, Answer) and 400 <= outcome.status < 500:
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

    def _note_cancelled(self, result: Result[T]) -> None:
        """Say in the log what the cancelled caller will not see."""
        _log.warning("%s was cancelled in flight, and %s", self.request.name, _ending(result))


async def _tell(observer: Observer, result: Result[Any]) -> None:
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
