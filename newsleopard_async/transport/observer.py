"""What must not be repeated, on its way: watched, and told to an observer.

It runs to its answer once it was handed to the socket, even if its caller is cancelled. Before
that, a cancellation strikes at once, and takes everything back: the intent that the observer has
stored, the slot of the limiter, the hour of an export.
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
"""For how long an intent is valid, in seconds: a request whose first byte has not left by then is
not sent. So a process that was stopped, or slept with its machine, cannot wake and send what
others, who saw its intent, have decided about meanwhile.

Chosen: storing it and connecting take a tenth of that at their slowest; a person needs longer.
"""

_TORN_DOWN: Final = (GeneratorExit, KeyboardInterrupt, SystemExit)
"""What ends a task at once."""

_CHANGED: Final = "what was being sent has changed, or cannot be read any more"


class RequestSlot(Protocol):
    """What a request has taken of the limits; see `limits.windows.Slot`."""

    def is_good(self) -> bool:
        """Whether the request may still leave with it; if not, it has to ask anew."""
        ...

    def sent(self) -> None:
        """The body's last byte has left."""
        ...

    def answered(self) -> None:
        """The answer's head came."""
        ...

    def lost(self) -> None:
        """No answer will come, though the request may have arrived."""
        ...

    def give_back(self) -> None:
        """It was never sent."""
        ...


class NoSlot:
    """The place of a request that no limit is for."""

    def is_good(self) -> bool:
        """It always is."""
        return True

    def sent(self) -> None:
        """It is not counted."""

    def answered(self) -> None:
        """As above."""

    def lost(self) -> None:
        """As above."""

    def give_back(self) -> None:
        """As above."""


class Observer(Protocol):
    """Sees a request that must not be repeated leave, and what becomes of it.

    It sees all, even if the caller is cancelled meanwhile. What it raises once the request
    was sent is logged, and changes nothing for the caller.
    """

    async def on_sending(self) -> None:
        """The request is about to be handed to the socket; raising keeps it from that.

        Its first byte leaves within 5 s after this was called, or not yet: if it took that long
        until the connection is up, this is called again. If it still takes that long, `on_failed`
        follows, and this again with the next attempt.

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


@attrs.define(eq=False)
class Departure:
    """Whether a request may have left, which decides what a cancellation of its caller means.

    Attributes:
        slot: Told when it was sent and answered.
        is_ours: Whether our own connections carry it. Of any other transport it is not known
            what it does with a request, so that handing it over counts as sending.
        may_have_left: Whether a first byte was handed to a connection to the server, or may have
            been.
        is_withdrawn: Whether its caller was cancelled.
    """

    slot: RequestSlot
    is_ours: bool
    may_have_left: bool = False
    is_withdrawn: bool = attrs.field(default=False, init=False)
    _announce: Callable[[], Awaitable[bool]] | None = attrs.field(default=None, init=False)
    _since_intent: Stopwatch | None = attrs.field(default=None, init=False)

    # Only what must not be repeated needs these two.
    @functools.cached_property
    def scope(self) -> anyio.CancelScope:
        """What is cancelled to keep it from leaving."""
        return anyio.CancelScope()

    @functools.cached_property
    def withdrawal(self) -> anyio.Event:
        """Set when its caller was cancelled."""
        return anyio.Event()

    async def announce(self, clock: Clock, announce: Callable[[], Awaitable[bool]]) -> bool:
        """Have the intent to send it stored, which is valid for `INTENT_S` from now on.

        Returns: Whether that ended in time.
        """
        self._announce = functools.partial(self.announce, clock, announce)
        self._since_intent = Stopwatch.start(clock)
        return await announce()

    def withdraw(self) -> None:
        """Keep the request from leaving, unless it may have left."""
        self.is_withdrawn = True
        self.withdrawal.set()
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
            if self.is_withdrawn:
                self.scope.cancel()

    async def leaving(self) -> None:
        """Note that the first byte leaves now: the connection is up, perhaps a kept one."""
        if self.is_ours:
            self.may_have_left = False
            if self._intent_age_s > INTENT_S:
                await self._renew()
            self._check()
        self.may_have_left = True

    async def _renew(self) -> None:
        """Have a new intent stored: to look a name up alone may take 5 s, at each attempt."""
        assert self._announce is not None
        try:
            is_stored = await self._announce()
        except Exception as error:  # noqa: BLE001 - whatever a caller's observer raises
            # The next attempt meets it, too, and tells the caller.
            raise SendPrevented(
                f"its intent could not be renewed ({type(error).__name__})"
            ) from None
        if not is_stored:
            raise SendPrevented("its intent could not be renewed in time", "timeout")

    def sent(self) -> None:
        """Note that the last byte has left."""
        self.slot.sent()

    def answered(self) -> None:
        """Note that the head of the answer came."""
        self.slot.answered()

    def give_up(self) -> None:
        """Tell its place that no answer will be waited for."""
        if self.may_have_left:
            self.slot.lost()
        else:
            self.slot.give_back()

    def _check(self) -> None:
        if self.is_withdrawn:
            raise SendPrevented("it was cancelled")
        if not self.slot.is_good():
            raise SendPrevented(
                "its turn in the rate limit was over before it could leave", "timeout"
            )
        if (age_s := self._intent_age_s) > INTENT_S:
            raise SendPrevented(
                f"its intent, which is valid for {INTENT_S:g} s, was {age_s:.1f} s old: the "
                "checkpoint's store is slow, or this process stood still",
                "timeout",
            )

    @property
    def _intent_age_s(self) -> float:
        return 0.0 if self._since_intent is None else self._since_intent.elapsed_s


@attrs.frozen(kw_only=True)
class ObservedSend(Generic[T]):
    """Sends what must not be repeated, to its end.

    Attributes:
        name: The operation, for the log.
        observer: Sees it leave and what becomes of it, or None.
        clock: Bounds the waits for the observer.
        observer_s: How long each of them may be.
        perform: Makes the attempt.
        read: Understands what became of it.
        on_result: Called with the result, also if nothing was sent.
    """

    name: str
    observer: Observer | None
    clock: Clock
    observer_s: float
    perform: Callable[[Exchange], Awaitable[Outcome]]
    read: Callable[[Outcome], CallResult[T]]
    on_result: Callable[[CallResult[T]], None]

    async def send(self, exchange: Exchange, departure: Departure) -> CallResult[T]:
        """Send it; a cancellation strikes before it has left, or goes on when it was answered."""
        return await run_to_completion(
            functools.partial(self._send_watched, exchange, departure),
            withdraw=departure.withdraw,
            when_cancelled=functools.partial(self.note_cancelled, departure),
        )

    async def _send_watched(self, exchange: Exchange, departure: Departure) -> CallResult[T]:
        result = await self._unless_withdrawn(exchange, departure)
        self.on_result(result)
        await self._tell(result)
        return result

    async def _unless_withdrawn(self, exchange: Exchange, departure: Departure) -> CallResult[T]:
        try:
            with departure.scope:
                if not await self._is_announced(departure):
                    return self.read(NotSent(self._too_slow, way_out=self._too_slow))
                return await self._send(exchange, departure)
        except anyio.get_cancelled_exc_class():
            # Not by its scope: asyncio is ending its event loop, and cancels every task. Who
            # waits for this one has been cancelled, too, and logs what it gives.
            pass
        return self.read(cut_off(departure, "it was cancelled"))

    async def _is_announced(self, departure: Departure) -> bool:
        if self.observer is None:
            # There is no intent that anyone could see, and decide about.
            return True
        on_sending = self.observer.on_sending
        return await departure.announce(self.clock, lambda: self._in_time(on_sending()))

    async def _send(self, exchange: Exchange, departure: Departure) -> CallResult[T]:
        try:
            outcome = await self.perform(exchange)
        except BaseException as error:
            departure.give_up()
            if isinstance(error, _TORN_DOWN):
                # Nothing can be awaited any more.
                self.note_cancelled(departure, self.read(cut_off(departure, "it was torn down")))
            if not isinstance(error, NewsLeopardError):
                raise
            # What is wrong with a file ends in "call again", which is not to be done here.
            why = _CHANGED if isinstance(error, InvalidRequest) else str(error)
            outcome = cut_off(departure, why)
        return self.read(outcome)

    async def _tell(self, result: CallResult[T]) -> None:
        """Tell the observer; one that hangs or fails must not hide what is done."""
        if self.observer is None:
            return
        what = f"{self.name} {_ending(result)}"
        try:
            if not await self._in_time(_told(self.observer, result)):
                _log.error("%s; %s", what, self._too_slow)
        except anyio.get_cancelled_exc_class():
            # See above: the event loop ends.
            _log.error("%s; its observer was cancelled", what)
        except Exception:  # noqa: BLE001 - whatever a caller's observer raises
            _log.exception("%s; its observer failed", what)

    async def _in_time(self, noting: Awaitable[None]) -> bool:
        """Bound what cannot be cancelled; say whether it ended in time."""
        with self.clock.deadline(self.observer_s):
            await noting
            return True
        return False

    @property
    def _too_slow(self) -> str:
        return f"the checkpoint's store did not answer within {self.observer_s:g} s"

    def note_cancelled(self, departure: Departure, result: CallResult[T]) -> None:
        """Say in the log what the cancelled caller will not see."""
        if not departure.may_have_left:
            return
        _log.warning("%s was cancelled in flight, and %s", self.name, _ending(result))


def cut_off(departure: Departure, why: str) -> Outcome:
    """Return what became of a request whose attempt ended otherwise than by its answer."""
    return ReplyLost(why) if departure.may_have_left else NotSent(why)


async def _told(observer: Observer, result: CallResult[Any]) -> None:
    if result.error is None:
        await observer.on_accepted(result.get())
    else:
        await observer.on_failed(result.error)


def _ending(result: CallResult[Any]) -> str:
    if result.error is not None:
        return f"ended so: {result.error}"
    model, answer = result.get(), result.outcome
    said = "was accepted" if model is None else f"was accepted: {model}"
    request_id = answer.request_id if isinstance(answer, Answer) else None
    return said if request_id is None else f"{said} (request id {request_id})"
