"""The emulator in process, as an httpx transport that opens no socket.

A client cannot distinguish it from httpx's own transport. It streams both bodies, reports its
progress to the ``trace`` extension, applies the read timeout on the emulator's clock, and raises
httpx's exceptions if a connection is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import anyio.lowlevel
import h11
import httpx
from starlette.types import ASGIApp, Message, Scope

from newsleopard_async.emulator.http.edge import LINK, Dropped
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.clock import Clock
from newsleopard_async.emulator.platform.gateway import operation_of

__all__ = ["EmulatorTransport"]

AHEAD_BYTES: Final = 65_536
"""Bytes of a body that are sent before the server reads. Chosen: like a socket's buffer."""


class EmulatorTransport(httpx.AsyncBaseTransport):
    """Sends requests to an emulator in process, and to no other host."""

    def __init__(self, account: Account, app: ASGIApp) -> None:
        self._account = account
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            httpx.ConnectError: the request is for another host, or a fault refuses the connection.
        """
        await anyio.lowlevel.checkpoint()
        account = self._account
        here = {_origin(account.base_url), _origin(account.storage.base_url)}
        operation = operation_of(request.method, request.url.path)
        if _origin(str(request.url)) not in here or account.next_fault(
            operation, only={"not_sent"}
        ):
            # The same cause as for a closed port, because a client reads the reason from it.
            raise httpx.ConnectError(
                "All connection attempts failed", request=request
            ) from ConnectionRefusedError()
        exchange = AsgiExchange(
            request, app=self._app, clock=account.clock, latency_s=account.latency_s
        )
        return await exchange.run()


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or default


class AsgiExchange:
    """One request and its answer; it is also the link for faults."""

    def __init__(
        self, request: httpx.Request, *, app: ASGIApp, clock: Clock, latency_s: float
    ) -> None:
        self._request = request
        self._app = app
        self._clock = clock
        self._latency_s = latency_s
        self._patience_s: float | None = request.extensions.get("timeout", {}).get("read")
        self._failure: Exception | None = None
        assert isinstance(request.stream, httpx.AsyncByteStream)
        self._body = aiter(request.stream)
        self._ahead: deque[bytes] = deque()
        self._body_bytes = 0
        self._body_ended = False
        self._start: Message | None = None
        self._pieces: list[bytes] = []

    async def run(self) -> httpx.Response:
        """Send the request and return the answer.

        Raises:
            httpx.TransportError: the connection was lost, or the answer took too long.
        """
        try:
            return await self._run()
        finally:
            # The body can be a generator that has not ended, so it must be closed here.
            close = getattr(self._body, "aclose", None)
            if close is not None:
                await close()

    async def _run(self) -> httpx.Response:
        await self._trace("send_request_headers.started", {"request": self._request})
        await self._trace("send_request_headers.complete", {"return_value": None})
        await self._trace("send_request_body.started", {"request": self._request})
        while not self._body_ended and sum(map(len, self._ahead)) < AHEAD_BYTES:
            await self._read_ahead()
        await self._wait_for_arrival()
        await self._call_app()
        await self._end_body()
        return await self._receive_answer()

    async def _call_app(self) -> None:
        try:
            await self._app(self._scope(), self._receive, self._send)
        except Dropped:
            assert self._failure is not None

    async def _receive_answer(self) -> httpx.Response:
        await anyio.lowlevel.checkpoint()
        start = self._start
        try:
            if start is not None:
                await self.wait(self._latency_s / 2)
        except Dropped:
            start = None
        if start is None:
            assert self._failure is not None
            await self._trace("receive_response_headers.failed", {"exception": self._failure})
            raise self._failure
        return await self._response(start)

    async def _response(self, start: Message) -> httpx.Response:
        status = start["status"]
        reason = _reason(status)
        head = (b"HTTP/1.1", status, reason, start["headers"])
        await self._trace("receive_response_headers.complete", {"return_value": head})
        return httpx.Response(
            status,
            headers=start["headers"],
            stream=_AnswerStream(self._pieces, self._failure),
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": reason},
        )

    # The request's body

    async def _read_ahead(self) -> None:
        """Read one piece of the body from the client, or its end."""
        try:
            piece = await anext(self._body)
        except StopAsyncIteration:
            self._check_length(at_end=True)
            await self._end_body()
            return
        self._body_bytes += len(piece)
        self._check_length(at_end=False)
        self._ahead.append(piece)

    def _check_length(self, *, at_end: bool) -> None:
        """Raise the same error as h11, which httpx does not convert."""
        announced = self._request.headers.get("content-length")
        if announced is None:
            return
        if self._body_bytes > int(announced):
            raise h11.LocalProtocolError("Too much data for declared Content-Length")
        if at_end and self._body_bytes < int(announced):
            raise h11.LocalProtocolError("Too little data for declared Content-Length")

    async def _end_body(self) -> None:
        """Report once that the body is sent, even if the server has not read all of it."""
        if not self._body_ended:
            self._body_ended = True
            await self._trace("send_request_body.complete", {"return_value": None})
            await self._trace("receive_response_headers.started", {"request": self._request})

    async def _receive(self) -> Message:
        while not self._ahead and not self._body_ended:
            await self._read_ahead()
        piece = self._ahead.popleft() if self._ahead else b""
        more = bool(self._ahead) or not self._body_ended
        return {"type": "http.request", "body": piece, "more_body": more}

    # The answer and its faults

    async def _send(self, message: Message) -> None:
        if self._failure is not None:
            return
        if message["type"] == "http.response.start":
            self._start = message
        else:
            self._pieces.append(message.get("body", b""))

    async def _wait_for_arrival(self) -> None:
        """Wait half of the latency; the client's read timeout runs from the end of the body."""
        if self._latency_s:
            await self._clock.sleep(self._latency_s / 2)
            if self._patience_s is not None:
                self._patience_s -= self._latency_s / 2

    async def wait(self, seconds: float) -> None:
        """Delay the answer.

        Raises:
            Dropped: the client's read timeout is over, so it has closed the connection.
        """
        if seconds <= 0:
            return
        if self._patience_s is not None and seconds > self._patience_s:
            await self._clock.sleep(max(0.0, self._patience_s))
            self._failure = httpx.ReadTimeout("", request=self._request)
            raise Dropped
        await self._clock.sleep(seconds)
        if self._patience_s is not None:
            self._patience_s -= seconds

    async def drop(self, *, abruptly: bool) -> None:
        """Close the connection, which raises an exception in the client."""
        if abruptly:
            self._failure = httpx.ReadError("", request=self._request)
        elif self._start is None:
            self._failure = httpx.RemoteProtocolError(
                "Server disconnected without sending a response.", request=self._request
            )
        else:
            self._failure = httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body",
                request=self._request,
            )
        raise Dropped

    # The scope for the server, and the trace

    def _scope(self) -> Scope:
        url = self._request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": self._request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in self._request.headers.raw],
            "server": (url.host, url.port),
            "client": ("127.0.0.1", 0),
            "extensions": {LINK: self},
        }

    async def _trace(self, event: str, info: dict[str, Any]) -> None:
        callback = self._request.extensions.get("trace")
        if callback is not None:
            await callback(f"http11.{event}", info)


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""


class _AnswerStream(httpx.AsyncByteStream):
    """The body of an answer, which can end with an exception."""

    def __init__(self, pieces: list[bytes], failure: Exception | None) -> None:
        self._pieces = pieces
        self._failure = failure

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            await anyio.lowlevel.checkpoint()
            if piece:
                yield piece
        if self._failure is not None:
            raise self._failure
