"""One attempt over HTTP: bytes out, an outcome back.

This is the only place that sees httpx's exceptions. It calls an httpx *transport*, not a
client: no redirect is followed, no cookie kept, no URL logged. Whatever goes wrong is one
of two facts, and where it is not certain that nothing was sent, the reply is lost.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, cast

import anyio.lowlevel
import attrs
import httpx

from newsleopard_async.clock import Clock
from newsleopard_async.errors import NewsLeopardError
from newsleopard_async.transport.outcome import Answer, NotSent, Outcome, ReplyLost

__all__ = ["NOT_SENT", "Arrivals", "Bytes", "Exchange", "Reader", "perform", "read_whole"]

Reader = Callable[[int, AsyncIterator[bytes]], Awaitable[bytes]]
"""Takes an answer's status and the pieces of its body; returns what is to be kept of it."""

NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
"""Raised before anything was handed to a connection to the server.

Every other exception counts as a lost reply. A `WriteError` may follow a request that
arrived; a `LocalProtocolError` may follow half of one; and what we do not know may be
anything.
"""

_LARGEST_ANSWER_BYTES: Final = 64 * 1024 * 1024
_CLOSING_S: Final = 5.0


class Arrivals(Protocol):
    """Who wants to know when a request left and when its answer came (the limiter)."""

    def sent(self) -> None:
        """The last byte of the request was handed to the socket."""
        ...

    def answered(self) -> None:
        """The answer's head arrived, so that the server has long had the request."""
        ...


class Bytes(httpx.AsyncByteStream):
    """A body in memory.

    httpx's own is a generator: when a request is cut off, trio warns that nobody closed it.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _Once(self._content)


class _Once(AsyncIterator[bytes]):
    """Gives one thing."""

    def __init__(self, content: bytes) -> None:
        self._left = [content]

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


@attrs.frozen(kw_only=True)
class Exchange:
    """One attempt to be made.

    Attributes:
        transport: What carries it.
        request: httpx's request; it holds the key, hence is in no repr.
        clock: For the bound on the whole.
        total_s: Bound on the whole attempt; None where each step's bound is enough.
        read: What to do with the answer's body.
        arrivals: Told of the request's way, or None where nobody asks.
    """

    transport: httpx.AsyncBaseTransport = attrs.field(repr=False)
    request: httpx.Request = attrs.field(repr=False)
    clock: Clock = attrs.field(repr=False)
    total_s: float | None
    read: Reader = attrs.field(repr=False)
    arrivals: Arrivals | None = attrs.field(repr=False, default=None)


async def perform(exchange: Exchange) -> Outcome:
    """Make the attempt and say what became of it.

    Raises:
        NewsLeopardError: from the body being sent or the reading of the answer, unchanged.
    """
    if exchange.total_s is None:
        return await _attempt(exchange)
    with exchange.clock.deadline(exchange.total_s):
        return await _attempt(exchange)
    return ReplyLost(f"no whole answer within {exchange.total_s:g} s")


async def _attempt(exchange: Exchange) -> Outcome:
    if exchange.arrivals is not None:
        exchange.request.extensions["trace"] = _tracer(exchange.arrivals)
    try:
        response = await exchange.transport.handle_async_request(exchange.request)
        if exchange.arrivals is not None:
            exchange.arrivals.answered()
        return await _read(exchange, response)
    except NewsLeopardError as error:
        # The frames that it passed hold the URL and the headers, which reporters may print.
        raise error.with_traceback(None)  # noqa: B904 - it is the same error
    except NOT_SENT as error:
        return NotSent(type(error).__name__)
    except Exception as error:  # noqa: BLE001 - see NOT_SENT: the safe side of anything
        return ReplyLost(type(error).__name__)
    finally:
        await _close(exchange.request.stream, exchange.clock)


class _LeftOpen(httpx.AsyncByteStream):
    """A body that its own end does not close, so that an error of closing spoils no answer."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)


async def _read(exchange: Exchange, response: httpx.Response) -> Outcome:
    stream = cast("httpx.AsyncByteStream", response.stream)
    response.stream = _LeftOpen(stream)
    pieces = response.aiter_bytes()
    try:
        body = await exchange.read(response.status_code, pieces)
    except NewsLeopardError:
        raise
    except Exception as error:  # noqa: BLE001 - see NOT_SENT; here nothing is unsent any more
        return ReplyLost(type(error).__name__)
    finally:
        await _close(stream, exchange.clock)
        await _unwind(pieces, exchange.clock)
    return Answer(response.status_code, body, response.headers.get("retry-after"))


async def _close(stream: object, clock: Clock) -> None:
    """Give a connection or a file back; a failure to do so changes nothing about the answer."""
    with contextlib.suppress(Exception), clock.deadline(_CLOSING_S) as scope:
        scope.shield = True
        await cast("httpx.AsyncByteStream", stream).aclose()


async def _unwind(pieces: AsyncIterator[bytes], clock: Clock) -> None:
    """End the generators of a closed body that was not read to its end.

    Nothing reaches them but the error that the closed connection raises. Left to the
    garbage collector they would warn on trio, and start tasks on asyncio.
    """
    with contextlib.suppress(Exception), clock.deadline(_CLOSING_S) as scope:
        scope.shield = True
        async for _ in pieces:
            await anyio.lowlevel.checkpoint()


async def read_whole(_status: int, pieces: AsyncIterator[bytes]) -> bytes:
    """Read an answer into memory, up to a size that no documented one comes near."""
    content = bytearray()
    async for piece in pieces:
        content += piece
        if len(content) > _LARGEST_ANSWER_BYTES:
            raise httpx.StreamError("the answer is too large")
    return bytes(content)


def _tracer(arrivals: Arrivals) -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
    """Translate the transport's trace events; those of a proxy's CONNECT do not count."""
    connecting = False

    async def trace(event: str, info: Mapping[str, Any]) -> None:
        nonlocal connecting
        step = event.partition(".")[2]
        if step == "send_request_headers.started":
            connecting = getattr(info.get("request"), "method", b"") == b"CONNECT"
        elif step == "send_request_body.complete" and not connecting:
            arrivals.sent()
        elif step == "receive_response_headers.complete" and not connecting:
            arrivals.answered()

    return trace
