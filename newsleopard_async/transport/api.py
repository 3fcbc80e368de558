"""One request's way: retry( limit( place( send ) ) ), then read.

The limiter sits inside the retry loop: every attempt takes a slot of its own.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

import anyio.lowlevel
import attrs
import httpx

from newsleopard_async.aio import run_to_completion
from newsleopard_async.clock import Clock
from newsleopard_async.errors import ConfigurationError, InvalidRequest, NewsLeopardError
from newsleopard_async.models.options import RateLimits, RetryPolicy, Timeouts
from newsleopard_async.transport.http import Bytes, Exchange, perform, read_whole
from newsleopard_async.transport.interpret import Reading
from newsleopard_async.transport.limits.daylog import DayLog
from newsleopard_async.transport.limits.queue import Limiter, Slot, shared_state
from newsleopard_async.transport.outcome import (
    Answer,
    Failure,
    NotSent,
    Outcome,
    classify,
    throttle_text,
)
from newsleopard_async.transport.pools import Pools, Purpose
from newsleopard_async.transport.request import Kind, Request
from newsleopard_async.transport.retry import Retrying, retry_after_s
from newsleopard_async.transport.settings import Secret

__all__ = ["Api", "Witness"]

T = TypeVar("T")


class Witness(Protocol):
    """Sees a request that must not be repeated leave, and what becomes of it.

    Of a submit it sees all, even if the caller is cancelled meanwhile. What it raises once
    the request was sent is logged, and changes nothing for the caller.
    """

    async def departing(self) -> None:
        """The request is about to be handed to the socket; raising keeps it from that."""
        ...

    async def landed(self, model: Any) -> None:
        """The answer came, and says that it took effect."""
        ...

    async def missed(self, error: NewsLeopardError) -> None:
        """It failed; `OutcomeUnknown` if it may have taken effect all the same."""
        ...


_log: Final = logging.getLogger("newsleopard_async")


@functools.cache
def _user_agent() -> str:
    try:
        return f"newsleopard-async/{version('newsleopard-async')}"
    except PackageNotFoundError:
        return "newsleopard-async"


@attrs.frozen(kw_only=True)
class Api:
    """Sends requests to the API and reads its answers.

    Attributes:
        base_url: Scheme, host and any path in front of ``/v1``, without a final slash.
        key: Sent to that origin only.
    """

    base_url: str
    key: Secret
    pools: Pools
    limits: RateLimits
    clock: Clock = attrs.field(repr=False)
    retry: RetryPolicy
    timeouts: Timeouts
    day_log: DayLog = attrs.field(repr=False, factory=lambda: DayLog(None))
    _limiters: dict[object, Limiter] = attrs.field(init=False, repr=False, factory=dict)

    @property
    def limiter(self) -> Limiter:
        """This client's view of what all clients of its key on this event loop share.

        There is one for each event loop that asks; requests go on the first one's only.
        """
        loop = anyio.lowlevel.current_token()
        if loop not in self._limiters:
            parts = urlsplit(self.base_url)
            origin = f"{parts.scheme}://{parts.netloc}"
            state = shared_state(self.key.value, origin, self.clock)
            self._limiters[loop] = Limiter(self.limits, state, self.clock)
        return self._limiters[loop]

    async def keep_count(self, *, at_once: bool = False) -> None:
        """Keep the day's count of requests, where the caller gave a store for it."""
        await self.day_log.sync(self.limiter.state, self.clock.now(), at_once=at_once)

    async def call(self, request: Request[T], *, witness: Witness | None = None) -> T:
        """Send a request, repeat it where the table allows, and read the answer.

        A submit that was handed to the socket runs to its answer even if the caller is
        cancelled; what became of it then reaches ``witness`` and the log.

        Raises:
            NewsLeopardError: the one that says what to do.
        """
        self.pools.check_usable()
        await self.keep_count()
        content = None if request.body is None else _encode(request.body)
        retrying = Retrying(self.retry, self.clock)

        async def attempt() -> Outcome:
            return await self._attempt(request, content, witness, retrying.begin)

        outcome = await retrying(attempt, request.kind, empty_500_once=request.empty_500_once)
        return self._result(request, outcome)

    def _result(self, request: Request[T], outcome: Outcome) -> T:
        asked_s = retry_after_s(outcome, self.clock.now())
        return Reading(self.key.value).result(
            request, outcome, retry_after_s=self.retry.cap_s if asked_s is None else asked_s
        )

    async def _attempt(
        self,
        request: Request[Any],
        content: bytes | None,
        witness: Witness | None,
        begin: Callable[[], None],
    ) -> Outcome:
        slot = await self.limiter.acquire(export_of=request.export_of, polite=request.polite)
        try:
            begin()
            purpose = Purpose.API if request.kind.repeatable else Purpose.ONCE
            async with self.pools.place(purpose, self.clock, within_s=self.timeouts.pool_s) as free:
                if not free:
                    return NotSent(f"no connection became free in {self.timeouts.pool_s:g} s")
                return await self._carry(request, content, slot, witness)
        finally:
            # Does nothing once it is known what became of the request.
            slot.give_back()

    async def _carry(
        self, request: Request[Any], content: bytes | None, slot: Slot, witness: Witness | None
    ) -> Outcome:
        watched = functools.partial(self._send_watched, request, content, slot, witness)
        if request.kind is not Kind.SUBMIT:
            return await watched()
        return await run_to_completion(
            watched, when_cancelled=functools.partial(self._note_cancelled, request)
        )

    async def _send_watched(
        self, request: Request[Any], content: bytes | None, slot: Slot, witness: Witness | None
    ) -> Outcome:
        # Whatever is wrong with the set-up comes before the intent is stored.
        exchange = self._exchange(request, content, slot)
        if witness is None:
            return await self._send(exchange, slot)
        if not await self._in_time(witness.departing()):
            raise ConfigurationError(self._too_slow)
        outcome = await self._send(exchange, slot)
        # What was done is done; a store that hangs or fails must not hide it.
        try:
            if not await self._in_time(self._tell(witness, request, outcome)):
                _log.error("%s after %s", self._too_slow, request.name)
        except Exception:  # noqa: BLE001 - whatever a caller's witness raises
            ended = self._ending(request, outcome)
            _log.exception("%s %s; its witness failed", request.name, ended)
        return outcome

    async def _tell(self, witness: Witness, request: Request[Any], outcome: Outcome) -> None:
        try:
            model = self._result(request, outcome)
        except NewsLeopardError as error:
            await witness.missed(error)
        else:
            await witness.landed(model)

    async def _in_time(self, noting: Awaitable[None]) -> bool:
        """Bound what cannot be cancelled; say whether it ended in time."""
        with self.clock.deadline(self.timeouts.submit_s):
            await noting
            return True
        return False

    @property
    def _too_slow(self) -> str:
        return f"the checkpoint's store did not answer within {self.timeouts.submit_s:g} s"

    def _note_cancelled(self, request: Request[Any], outcome: Outcome) -> None:
        """Say in the log what the cancelled caller will not see."""
        ended = self._ending(request, outcome)
        _log.warning("%s was cancelled in flight, and %s", request.name, ended)

    def _ending(self, request: Request[Any], outcome: Outcome) -> str:
        try:
            return f"was accepted: {self._result(request, outcome)}"
        except NewsLeopardError as error:
            return f"ended so: {error}"

    async def _send(self, exchange: Exchange, slot: Slot) -> Outcome:
        try:
            outcome = await perform(exchange)
        except BaseException:
            slot.lost()
            raise
        self._settle(slot, outcome)
        return outcome

    def _settle(self, slot: Slot, outcome: Outcome) -> None:
        """Tell the limiter what became of the attempt."""
        match classify(outcome):
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

    def _exchange(self, request: Request[Any], content: bytes | None, slot: Slot) -> Exchange:
        parts = urlsplit(self.base_url)
        purpose = Purpose.API if request.kind.repeatable else Purpose.ONCE
        t = self.timeouts
        steps = {"connect": t.connect_s, "read": t.read_s, "write": t.write_s, "pool": t.pool_s}
        # The wait for a connection has come before, and had its own bound.
        total_s = sum(steps.values()) - t.pool_s
        if not request.kind.repeatable:
            # The answer to what cannot be repeated is worth waiting for: one bound on all.
            steps["read"] = steps["write"] = total_s = t.submit_s
        return Exchange(
            transport=self.pools.transport(purpose, parts.scheme, parts.hostname or ""),
            request=self._http_request(request, content, steps),
            clock=self.clock,
            total_s=total_s,
            read=read_whole,
            arrivals=slot,
        )

    def _http_request(
        self, request: Request[Any], content: bytes | None, timeout: dict[str, float]
    ) -> httpx.Request:
        built = httpx.Request(
            request.method,
            self.base_url + request.target,
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json",
                "User-Agent": _user_agent(),
                "x-api-key": self.key.value,
            },
            content=content,
            extensions={"timeout": timeout},
        )
        built.stream = Bytes(content or b"")
        return built


def _about_the_day(answer: Answer) -> bool | None:
    """Whether a refusal is about the day: None if it may be, by the one text that may mean it."""
    return None if throttle_text(answer.body) == "limit exceeded" else False


def _encode(body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    with contextlib.suppress(UnicodeEncodeError):
        return text.encode()
    # Raised out here: the cause would show the text.
    raise InvalidRequest.of(
        "request", "text", "holds half a surrogate pair, which is no character; clean the text"
    )
