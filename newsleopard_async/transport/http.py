"""One attempt over HTTP: sends bytes, and returns an outcome.

Only this module handles httpx's exceptions. It calls an httpx *transport*, not a client: no
redirect is followed, no cookie stored, no URL logged. Each failure is one of two facts: not sent,
or reply lost. Unless it is certain that nothing was sent, the reply counts as lost.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, Protocol, Self, cast

import anyio
import anyio.lowlevel
import attrs
import httpx

from newsleopard_async.clock import Clock
from newsleopard_async.errors import NewsLeopardError
from newsleopard_async.transport.answer_body import (
    AnswerBody,
    BodyReader,
    IncompleteBody,
)
from newsleopard_async.transport.buffered_request import Bytes
from newsleopard_async.transport.connection_causes import cause_of, way_out_of
from newsleopard_async.transport.instrumentation import kept_out
from newsleopard_async.transport.outcome import Answer, Cause, NotSent, Outcome, ReplyLost
from newsleopard_async.transport.pace import Pace, Windows
from newsleopard_async.transport.pools import Pools
from newsleopard_async.transport.redact import Secret

__all__ = [
    "NOT_SENT",
    "Exchange",
    "RequestEvents",
    "SendPrevented",
    "perform",
]

NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
"""Raised before anything was handed to a connection to the server.

Every other exception counts as a lost reply. A `WriteError` can follow a request that arrived, a
`LocalProtocolError` can follow half of one, and an unknown exception can mean anything.
"""

_CLOSING_S: Final = 5.0
"""The longest time for closing. Chosen: it takes moments; a slower transport must not delay the
caller."""

_LONGEST_HEAD_BYTES: Final = 64 * 1024
"""The bytes that are read while a request is sent. Chosen: the amount that httpcore reads at
once."""

_PEEK_S: Final = 0.05
"""The longest read while a request is sent. Chosen: bytes that have arrived are read immediately,
and those that TLS uses itself never are."""

_FINAL_STATUS: Final = re.compile(
    rb"(?:HTTP/1\.\d 1\d\d[^\n]*\n(?:[^\r\n][^\n]*\n)*\r?\n)*HTTP/1\.\d [2-9]"
)
"""The beginning of an answer after any interim ones (1xx), which can come at any time."""


class SendPrevented(Exception):
    """Raised by `RequestEvents` to prevent a request from being sent; its text is the reason.

    Attributes:
        cause: The same, as one of a few words.
    """

    def __init__(self, why: str, cause: Cause = "other") -> None:
        super().__init__(why)
        self.cause: Cause = cause


class RequestEvents(Protocol):
    """Is notified when a request leaves and when its answer comes.

    An exception of `handing_over`, `connecting` and `leaving` prevents the request from being sent.
    After `SendPrevented`, the request counts as not sent.
    """

    @property
    def may_have_left(self) -> bool:
        """Whether a first byte was possibly handed to a connection to the server."""
        ...

    def handing_over(self) -> None:
        """The transport is about to get the request."""
        ...

    def connecting(self) -> None:
        """The transport has completed a step, and no byte of the request has left yet."""
        ...

    async def leaving(self) -> None:
        """The connection is up, and the first byte is about to be handed to it."""
        ...

    def sent(self) -> None:
        """The last byte of the request was handed to the socket."""
        ...

    def answered(self) -> None:
        """The head of the answer has arrived, so the server has the request."""
        ...


@attrs.frozen(kw_only=True)
class Exchange:
    """The parameters of one attempt.

    Attributes:
        transport: The httpx transport.
        request: httpx's request; no repr shows it, because it contains the key.
        clock: Measures the bound on the whole.
        total_s: The bound on the whole attempt; None for a body of any size, see `windows`.
        windows: How long each part of the attempt can be without progress.
        read: Reads the body of the answer.
        events: Is notified of the request's progress, or None.
        pools: The client's pools; the attempt ends when they are closed.
        is_proxied: Whether a proxy is between us and the server.
        until: Ends when an attempt with windows must stop, even if it makes progress.
        secret: A text that the answer's headers can echo: the key, or what is signed in a URL.
    """

    transport: httpx.AsyncBaseTransport = attrs.field(repr=False)
    request: httpx.Request = attrs.field(repr=False)
    clock: Clock = attrs.field(repr=False)
    total_s: float | None = None
    windows: Windows | None = None
    read: BodyReader = attrs.field(repr=False)
    events: RequestEvents | None = attrs.field(repr=False, default=None)
    pools: Pools = attrs.field(repr=False, factory=Pools)
    is_proxied: bool = False
    until: Callable[[], Awaitable[None]] | None = attrs.field(repr=False, default=None)
    secret: Secret | None = attrs.field(repr=False, default=None)


async def perform(exchange: Exchange) -> Outcome:
    """Make the attempt and return its outcome.

    Raises:
        NewsLeopardError: from the body being sent or the reading of the answer, unchanged.
    """
    trace = _Trace(exchange.events)
    with kept_out():
        outcome = await _bounded(exchange, trace)
    if outcome is not None:
        return outcome
    if exchange.pools.is_closed:
        return _interrupted(exchange, trace, "the client was closed meanwhile", "other")
    return _interrupted(exchange, trace, f"no whole answer within {exchange.total_s:g} s")


def _interrupted(
    exchange: Exchange, trace: _Trace, why: str, cause: Cause = "timeout"
) -> NotSent | ReplyLost:
    return NotSent(why, cause) if _is_unsent(exchange, trace) else ReplyLost(why, cause)


def _is_unsent(exchange: Exchange, trace: _Trace) -> bool:
    """Return whether it is certain that nothing was sent, with any transport."""
    if exchange.events is None:
        return trace.is_unsent
    return not exchange.events.may_have_left


async def _bounded(exchange: Exchange, trace: _Trace) -> Outcome | None:
    """Make the attempt; return None if its time was over, or the client was closed."""
    # One scope for the deadline and for the closing of the client, because each scope costs 1 % of
    # a call.
    total_s = exchange.total_s
    bound = anyio.CancelScope() if total_s is None else exchange.clock.deadline(total_s)
    with bound as scope, exchange.pools.closing(scope):
        if exchange.windows is not None:
            return await _watched(exchange, trace, exchange.windows)
        return await _attempt(exchange, trace, Pace(exchange.clock, Windows()))
    return None


async def _watched(exchange: Exchange, trace: _Trace, windows: Windows) -> Outcome:
    """Make an attempt that ends as soon as one of its parts makes too little progress."""
    pace = Pace(exchange.clock, windows)
    outcome: Outcome | None = None
    raised: BaseException | None = None
    is_over = False

    async def end(until: Callable[[], Awaitable[None]]) -> None:
        nonlocal is_over
        await until()
        is_over = True
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pace.watch, tasks.cancel_scope)
        if exchange.until is not None:
            tasks.start_soon(end, exchange.until)
        try:
            outcome = await _attempt(exchange, trace, pace)
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:  # noqa: BLE001 - it is raised below
            # The task group would wrap it in another exception.
            raised = error
        tasks.cancel_scope.cancel()
    if raised is not None:
        raise raised
    why = f"too few bytes were sent or received within {pace.window_s:g} s"
    if is_over:
        why = "it took too long after it was cancelled"
    return outcome or _interrupted(exchange, trace, why)


async def _attempt(exchange: Exchange, trace: _Trace, pace: Pace) -> Outcome:
    body = _Outgoing(exchange.request.stream, trace, pace)
    exchange.request.stream = body
    exchange.request.extensions["trace"] = trace
    try:
        if exchange.events is not None:
            exchange.events.handing_over()
        response = await exchange.transport.handle_async_request(exchange.request)
        if exchange.events is not None:
            exchange.events.answered()
        outcome = await _read(exchange, response, pace)
    except SendPrevented as withheld:
        return NotSent(str(withheld), withheld.cause)
    except NewsLeopardError as error:
        # The frames contain the URL and the headers, which reporters of errors can print.
        raise error.with_traceback(None)  # noqa: B904 - it is the same error
    except Exception as error:  # noqa: BLE001 - see NOT_SENT: when in doubt, the reply is lost
        return _failed(exchange, trace, error)
    finally:
        if not isinstance(body.stream, Bytes):
            await _close(body.stream, exchange.clock)
    if isinstance(outcome, Answer) and outcome.successful and not body.has_left:
        # A server can refuse early. But it cannot have accepted a body that has not left.
        return ReplyLost(f"HTTP {outcome.status} came before the whole of it had left")
    return outcome


def _failed(exchange: Exchange, trace: _Trace, error: Exception) -> NotSent | ReplyLost:
    """Return which of the two facts an exception means."""
    name, cause = type(error).__name__, cause_of(error)
    # A transport that connects again after a lost reply can end with a ConnectError, too.
    is_connecting = isinstance(error, NOT_SENT) and not trace.has_begun
    if not (is_connecting or _is_unsent(exchange, trace)):
        return ReplyLost(name, cause)
    if exchange.is_proxied and cause != "tls":
        # The connection to the proxy failed, or the request to it.
        cause = "proxy"
    return NotSent(name, cause, way_out_of(error, exchange.request.url.host))


class _Outgoing(httpx.AsyncByteStream, AsyncIterator[bytes]):
    """The body of a request while it is sent.

    The sender asks for the next piece after it has written one. After a failed write it asks for no
    further piece, and httpcore reads the answer nevertheless. `_Incoming` causes the same if the
    answer begins before the last piece was handed over.
    """

    def __init__(self, stream: object, trace: _Trace, pace: Pace) -> None:
        self.stream = cast("httpx.AsyncByteStream", stream)
        self._trace = trace
        self._pace = pace
        self._written_bytes = 0
        self._pieces: AsyncIterator[bytes] | None = None
        self._has_ended = False

    def __aiter__(self) -> Self:
        self._pieces, self._has_ended = aiter(self.stream), False
        self._pace.sending()
        return self

    async def __anext__(self) -> bytes:
        assert self._pieces is not None
        self._pace.moved(self._written_bytes)
        self._pace.pause()
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            self._has_ended = True
            self._pace.receiving()
            raise
        self._pace.go_on()
        self._written_bytes = len(piece)
        if self._trace.incoming is not None:
            await self._trace.incoming.check()
        return piece

    @property
    def has_left(self) -> bool:
        """Whether all of it was written."""
        if self._pieces is None:
            # The caller's own transport can take a body in memory from the request itself.
            return isinstance(self.stream, Bytes) and not self._trace.is_heard
        return self._has_ended


class _Incoming:
    """The bytes that a connection of httpcore receives while a request is being written to it.

    httpcore reads nothing before all is written. So these bytes are stored for its first read.
    """

    def __init__(self, stream: Any) -> None:
        self._kept = b""
        self._stream = stream
        self._read = stream.read
        stream.read = self._read_kept

    async def check(self) -> None:
        """End the sending if an answer has begun. Interim answers (1xx) do not count.

        Raises:
            httpcore.WriteError: an answer has begun; httpcore then reads it.
        """
        # The import loads trio if it is installed. An existing connection has loaded it already.
        import httpcore

        if len(self._kept) < _LONGEST_HEAD_BYTES and self._stream.get_extra_info("is_readable"):
            # A TLS connection can be readable and contain only session tickets.
            with contextlib.suppress(httpcore.ReadTimeout, httpcore.ReadError):
                self._kept += await self._read(_LONGEST_HEAD_BYTES, _PEEK_S)
        if _FINAL_STATUS.match(self._kept):
            raise httpcore.WriteError("the server does not wait for the rest")

    async def _read_kept(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's name
        if not self._kept:
            return cast("bytes", await self._read(max_bytes, timeout))
        kept, self._kept = self._kept[:max_bytes], self._kept[max_bytes:]
        return kept


class _Measured(AsyncIterator[bytes]):
    """The pieces of a body, whose size must be the size in the head.

    Attributes:
        have_ended: Whether the last piece has come.
    """

    def __init__(self, response: httpx.Response, length: str, pace: Pace) -> None:
        self.have_ended = False
        self._pace = pace
        self._pieces = aiter(cast("httpx.AsyncByteStream", response.stream))
        # Other answers can have a length without a body (RFC 9110, 8.6).
        has_body = response.is_success and response.status_code != HTTPStatus.NO_CONTENT
        self._left_bytes = int(length) if has_body and length.isdecimal() else None

    async def __anext__(self) -> bytes:
        self._pace.go_on()
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            self.have_ended = True
            self._pace.pause()
            if self._left_bytes:
                raise IncompleteBody("its body does not have the announced size") from None
            raise
        self._pace.moved(len(piece))
        self._pace.pause()
        if self._left_bytes is not None:
            self._left_bytes -= len(piece)
        return piece


async def _read(exchange: Exchange, response: httpx.Response, pace: Pace) -> Outcome:
    pace.receiving()
    # httpx's own methods decode everything at once, and close the response at the end.
    headers = dict(response.headers.items())
    pieces = _Measured(response, headers.get("content-length", ""), pace)
    answer = functools.partial(
        Answer,
        response.status_code,
        retry_after=headers.get("retry-after"),
        error_type=headers.get("x-amzn-errortype"),
        headers=headers,
        secret=exchange.secret,
    )
    try:
        answered = answer(await exchange.read(AnswerBody.of(response, headers, pieces)))
    except NewsLeopardError as error:
        answer(b"").stamp(error)
        raise
    except Exception as error:  # noqa: BLE001 - see NOT_SENT; here the request has been sent
        if response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
            if isinstance(error, IncompleteBody):
                return ReplyLost(str(error))
            return ReplyLost(type(error).__name__, cause_of(error))
        # The status alone means a refusal at the gateway.
        answered = answer(b"")
    finally:
        await _close(response.stream, exchange.clock)
        if not pieces.have_ended:
            await _unwind(pieces, exchange.clock)
    return answered


async def _close(stream: object, clock: Clock) -> None:
    """Close a connection or a file; a failure to do so does not change the answer."""
    with contextlib.suppress(Exception), clock.deadline(_CLOSING_S) as scope:
        scope.shield = True
        await cast("httpx.AsyncByteStream", stream).aclose()


async def _unwind(pieces: AsyncIterator[bytes], clock: Clock) -> None:
    """End the generators of a closed body that was not read to its end.

    They receive only the error of the closed connection. If the garbage collector ended them, they
    would warn on trio, and start tasks on asyncio.
    """
    with contextlib.suppress(Exception), clock.deadline(_CLOSING_S) as scope:
        scope.shield = True
        async for _ in pieces:
            await anyio.lowlevel.checkpoint()


class _Trace:
    """Follows httpcore's trace events, except for those of a proxy's CONNECT.

    Attributes:
        is_heard: Whether there was any event: other transports have none.
        has_begun: Whether a first byte of the request was handed to a connection to the server.
        incoming: Reads ahead on the connection that was opened for this request, if one was.
    """

    def __init__(self, events: RequestEvents | None) -> None:
        self.is_heard = False
        self.incoming: _Incoming | None = None
        self._events = events
        self.has_begun = False

    @property
    def is_unsent(self) -> bool:
        """Whether it is certain that no byte of the request was handed to the socket."""
        return self.is_heard and not self.has_begun

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        self.is_heard = True
        step = event.partition(".")[2]
        if step in {"connect_tcp.complete", "start_tls.complete"}:
            self.incoming = _Incoming(info["return_value"])
        if step == "send_request_headers.started":
            is_connect = getattr(info.get("request"), "method", b"") == b"CONNECT"
            if not is_connect:
                await self._begin()
        elif self._events is not None:
            self._notify(self._events, step)

    async def _begin(self) -> None:
        # An exception here prevents the request from being sent.
        if self._events is not None:
            await self._events.leaving()
        self.has_begun = True

    def _notify(self, events: RequestEvents, step: str) -> None:
        if not self.has_begun:
            events.connecting()
        elif step == "send_request_body.complete":
            events.sent()
        elif step == "receive_response_headers.complete":
            events.answered()
