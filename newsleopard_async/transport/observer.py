"""Requests that must not be repeated: how they are sent, and how an observer is notified.

Such a request runs to its answer after it was handed to the socket, even if its caller is
cancelled. Before that, a cancellation takes effect immediately and undoes everything: the intent
that the observer has stored, the slot of the limiter, and the claim of an export.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, Protocol, TypeVar

import anyio
import attrs

from newsleopard_async.aio import run_to_completion
from newsleopard_async.clock import Clock, Stopwatch
from newsleopard_async.errors import InvalidRequest, NewsLeopardError
from newsleopard_async.log import Log
from newsleopard_async.transport.http import Exchange, SendPrevented
from newsleopard_async.transport.interpreter import CallResult
from newsleopard_async.transport.outcome import Answer, NotSent, Outcome, ReplyLost

__all__ = ["INTENT_S", "Departure", "NoSlot", "ObservedSend", "Observer", "RequestSlot", "cut_off"]

T = TypeVar("T")

_log: Final = Log()

INTENT_S: Final = 5.0
"""How long an intent is valid, in seconds: a request whose first byte has not left by then is not
sent. So a process that was stopped, or slept with its machine, cannot send a request about which
other processes, which have seen its intent, have already decided.

Chosen: storing the intent and connecting take a tenth of that when they are slow, and a decision by
a person takes longer.
"""

_TORN_DOWN: Final = (GeneratorExit, KeyboardInterrupt, SystemExit)
"""Exceptions after which a task cannot await anything."""

_CHANGED: Final = "the file has changed during the upload, or cannot be read any more"


class RequestSlot(Protocol):
    """The slot of a request under the limits; see `limits.windows.Slot`."""

    def is_good(self) -> bool:
        """Return whether the request can still leave with it; if not, it needs a new slot."""
        ...

    def sent(self) -> None:
        """The body's last byte has left."""
        ...

    def answered(self) -> None:
        """The head of the answer came."""
        ...

    def lost(self) -> None:
        """No answer will come, although the request possibly arrived."""
        ...

    def give_back(self) -> None:
        """The request was never sent."""
        ...


class NoSlot:
    """The slot of a request without limits."""

    def is_good(self) -> bool:
        """Return True."""
        return True

    def sent(self) -> None:
        """Do nothing, as all methods below."""

    def answered(self) -> None:
        """Do nothing."""

    def lost(self) -> None:
        """Do nothing."""

    def give_back(self) -> None:
        """Do nothing."""


class Observer(Protocol):
    """Is notified when a request that must not be repeated leaves, and of its outcome.

    It is notified even if the caller is cancelled meanwhile. If it raises after the request was
    sent, the error is logged, and nothing changes for the caller.
    """

    async def on_sending(self) -> None:
        """The request is about to be handed to the socket; an exception prevents that.

        The first byte leaves within 5 s after this call. If the connection takes longer, this
        method is called again. If that takes longer than 5 s too, `on_failed` follows, and this
        method again with the next attempt.

        If this method takes too long, or its task is cancelled, `on_failed` follows, because the
        intent can be stored nevertheless.
        """
        ...

    async def on_accepted(self, model: Any) -> None:
        """The answer came, and the request took effect."""
        ...

    async def on_failed(self, error: NewsLeopardError) -> None:
        """The request failed; after `OutcomeUnknown` it has possibly taken effect."""
        ...


@attrs.define(eq=False)
class Departure:
    """Whether a request has possibly left, which decides what a cancellation of its caller means.

    Attributes:
        slot: Notified when the request was sent and answered.
        is_ours: Whether our own connections send it. It is unknown what another transport does with
            a request, so handing it over counts as sending.
        may_have_left: Whether a first byte was possibly handed to a connection to the server.
        is_withdrawn: Whether the caller was cancelled.
    """

    slot: RequestSlot
    is_ours: bool
    may_have_left: bool = False
    is_withdrawn: bool = attrs.field(default=False, init=False)
    _announce: Callable[[], Awaitable[bool]] | None = attrs.field(default=None, init=False)
    _since_intent: Stopwatch | None = attrs.field(default=None, init=False)

    # Only requests that must not be repeated need these two.
    @functools.cached_property
    def scope(self) -> anyio.CancelScope:
        """The scope that is cancelled to prevent the request from leaving."""
        return anyio.CancelScope()

    @functools.cached_property
    def withdrawal(self) -> anyio.Event:
        """Set when the caller was cancelled."""
        return anyio.Event()

    async def announce(self, clock: Clock, announce: Callable[[], Awaitable[bool]]) -> bool:
        """Store the intent to send, which is valid for `INTENT_S` after this call.

        Returns: whether it was stored in time.
        """
        self._announce = functools.partial(self.announce, clock, announce)
        self._since_intent = Stopwatch.start(clock)
        return await announce()

    def withdraw(self) -> None:
        """Prevent the request from leaving, unless it has possibly left."""
        self.is_withdrawn = True
        self.withdrawal.set()
        if not self.may_have_left:
            self.scope.cancel()

    def handing_over(self) -> None:
        """Record that the transport gets the request; until it reports more, it possibly left."""
        self._check()
        self.may_have_left = True

    def connecting(self) -> None:
        """Record that our own connection reports that nothing has left yet."""
        if self.is_ours:
            self.may_have_left = False
            if self.is_withdrawn:
                self.scope.cancel()

    async def leaving(self) -> None:
        """Record that the connection is up, and the first byte leaves now."""
        if self.is_ours:
            self.may_have_left = False
            if self._intent_age_s > INTENT_S:
                await self._renew()
            self._check()
        self.may_have_left = True

    async def _renew(self) -> None:
        """Store a new intent: a DNS lookup alone can take 5 s, at each attempt."""
        assert self._announce is not None
        try:
            is_stored = await self._announce()
        except Exception as error:  # noqa: BLE001 - the caller's observer can raise anything
            # The next attempt gets the same error, and passes it to the caller.
            raise SendPrevented(
                f"its intent could not be renewed ({type(error).__name__})"
            ) from None
        if not is_stored:
            raise SendPrevented("its intent could not be renewed in time", "timeout")

    def sent(self) -> None:
        """Note that the last byte has left."""
        self.slot.sent()

    def answered(self) -> None:
        """Record that the head of the answer came."""
        self.slot.answered()

    def give_up(self) -> None:
        """Release the slot, because no answer will be waited for."""
        if self.may_have_left:
            self.slot.lost()
        else:
            self.slot.give_back()

    def _check(self) -> None:
        if self.is_withdrawn:
            raise SendPrevented("it was cancelled")
        if not self.slot.is_good():
            raise SendPrevented(
                "its slot in the rate limit expired before it could leave", "timeout"
            )
        if (age_s := self._intent_age_s) > INTENT_S:
            raise SendPrevented(
                f"its intent, which is valid for {INTENT_S:g} s, was {age_s:.1f} s old: the "
                "checkpoint's store is slow, or this process was stopped",
                "timeout",
            )

    @property
    def _intent_age_s(self) -> float:
        return 0.0 if self._since_intent is None else self._since_intent.elapsed_s


@attrs.frozen(kw_only=True)
class ObservedSend(Generic[T]):
    """Sends a request that must not be repeated, and waits for its answer.

    Attributes:
        name: The operation, for the log.
        observer: Is notified of departure and outcome, or None.
        clock: Bounds the waits for the observer.
        observer_s: The longest wait for one call of the observer.
        perform: Makes the attempt.
        read: Converts the outcome to a result.
        on_result: Called with the result, even if nothing was sent.
    """

    name: str
    observer: Observer | None
    clock: Clock
    observer_s: float
    perform: Callable[[Exchange], Awaitable[Outcome]]
    read: Callable[[Outcome], CallResult[T]]
    on_result: Callable[[CallResult[T]], None]

    async def send(self, exchange: Exchange, departure: Departure) -> CallResult[T]:
        """Send the request. A cancellation waits for the answer if it has possibly left."""
        return await run_to_completion(
            functools.partial(self._send_observed, exchange, departure),
            withdraw=departure.withdraw,
            when_cancelled=functools.partial(self.note_cancelled, departure),
        )

    async def _send_observed(self, exchange: Exchange, departure: Departure) -> CallResult[T]:
        result = await self._unless_withdrawn(exchange, departure)
        self.on_result(result)
        await self._notify(result)
        return result

    async def _unless_withdrawn(self, exchange: Exchange, departure: Departure) -> CallResult[T]:
        try:
            with departure.scope:
                if not await self._is_announced(departure):
                    return self.read(NotSent(self._too_slow, way_out=self._too_slow))
                return await self._send(exchange, departure)
        except anyio.get_cancelled_exc_class():
            # The scope was not cancelled: asyncio ends its event loop and cancels every task. The
            # waiting caller is cancelled as well, and logs this result.
            pass
        return self.read(cut_off(departure, "it was cancelled"))

    async def _is_announced(self, departure: Departure) -> bool:
        if self.observer is None:
            # Without an observer no process can see an intent, and decide about it.
            return True
        on_sending = self.observer.on_sending
        return await departure.announce(self.clock, lambda: self._in_time(on_sending()))

    async def _send(self, exchange: Exchange, departure: Departure) -> CallResult[T]:
        try:
            outcome = await self.perform(exchange)
        except BaseException as error:
            departure.give_up()
            if isinstance(error, _TORN_DOWN):
                # Nothing can be awaited here.
                self.note_cancelled(departure, self.read(cut_off(departure, "it was torn down")))
            if not isinstance(error, NewsLeopardError):
                raise
            # An `InvalidRequest` about the file ends with "call again", which would be wrong here.
            why = _CHANGED if isinstance(error, InvalidRequest) else str(error)
            outcome = cut_off(departure, why)
        return self.read(outcome)

    async def _notify(self, result: CallResult[T]) -> None:
        """Notify the observer. If it hangs or fails, the result is still returned."""
        if self.observer is None:
            return
        what = f"{self.name} {_ending(result)}"
        try:
            if not await self._in_time(_notification(self.observer, result)):
                _log.error("%s; %s", what, self._too_slow)
        except anyio.get_cancelled_exc_class():
            # As above: the event loop ends.
            _log.error("%s; its observer was cancelled", what)
        except Exception:  # noqa: BLE001 - the caller's observer can raise anything
            _log.exception("%s; its observer failed", what)

    async def _in_time(self, noting: Awaitable[None]) -> bool:
        """Await without the possibility of cancellation; return whether it ended in time."""
        with self.clock.deadline(self.observer_s):
            await noting
            return True
        return False

    @property
    def _too_slow(self) -> str:
        return f"the checkpoint's store did not answer within {self.observer_s:g} s"

    def note_cancelled(self, departure: Departure, result: CallResult[T]) -> None:
        """Log the result that the cancelled caller will not see."""
        if not departure.may_have_left:
            return
        _log.warning("%s was cancelled after it was sent, and %s", self.name, _ending(result))


def cut_off(departure: Departure, why: str) -> Outcome:
    """Return the outcome of an attempt that ended without an answer."""
    return ReplyLost(why) if departure.may_have_left else NotSent(why)


async def _notification(observer: Observer, result: CallResult[Any]) -> None:
    if result.error is None:
        await observer.on_accepted(result.get())
    else:
        await observer.on_failed(result.error)


def _ending(result: CallResult[Any]) -> str:
    if result.error is not None:
        return f"failed: {result.error}"
    model, answer = result.get(), result.outcome
    said = "was accepted" if model is None else f"was accepted: {model}"
    request_id = answer.request_id if isinstance(answer, Answer) else None
    return said if request_id is None else f"{said} (request id {request_id})"
