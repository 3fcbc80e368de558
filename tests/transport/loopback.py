"""A real server on the loopback that shows each byte it got and answers what it is told."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import anyio.abc
import attrs

__all__ = ["Last", "Loopback", "Seen", "answering", "http", "raw_server", "serve"]

_KEPT_BYTES = 1024 * 1024
_LINGER = "hh" if sys.platform == "win32" else "ii"


@attrs.frozen
class Seen:
    """A request as it came over the wire.

    Attributes:
        line: The request line.
        headers: Names in lower case, with their values, in order.
        body: Its beginning, up to 1 MiB.
        size_bytes: How long the body was.
        connection: The number of its connection.
    """

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    size_bytes: int
    connection: int

    @property
    def names(self) -> list[str]:
        """The names of its headers, sorted."""
        return sorted(name for name, _ in self.headers)

    def header(self, name: str) -> str:
        """Return the value of a header that is there once."""
        [value] = [value for each, value in self.headers if each == name]
        return value


@attrs.frozen
class Last:
    """An answer, which need not make sense, after which the connection is closed or reset."""

    content: bytes = b""
    is_reset: bool = False


Handler = Callable[[Seen], Awaitable[bytes | Last | None]]
"""Gives the whole answer; None closes the connection instead."""


@attrs.define
class Loopback:
    """The server.

    Attributes:
        url: Where it is.
        seen: Every request with a complete body.
        heads: The request lines of all requests, including those with an incomplete body.
        connections: How many were opened.
    """

    handler: Handler
    url: str = ""
    seen: list[Seen] = attrs.field(factory=list)
    heads: list[str] = attrs.field(factory=list)
    connections: int = 0

    async def serve_connection(self, stream: anyio.abc.ByteStream) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        number = self.connections
        ended = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)
        async with stream:
            with contextlib.suppress(*ended):
                while (answer := await self._next_answer(stream, number)) is not None:
                    if isinstance(answer, Last):
                        await _end(stream, answer)
                        return
                    await stream.send(answer)

    async def _next_answer(self, stream: anyio.abc.ByteStream, number: int) -> bytes | Last | None:
        received = b""
        while b"\r\n\r\n" not in received:
            received += await stream.receive()
        head, _, body = received.partition(b"\r\n\r\n")
        line, *rows = head.decode("ascii").split("\r\n")
        self.heads.append(line)
        pairs = [row.partition(":") for row in rows]
        headers = tuple((name.lower(), value.strip()) for name, _, value in pairs)
        length_bytes = int(dict(headers).get("content-length", "0"))
        size_bytes = len(body)
        while size_bytes < length_bytes:
            piece = await stream.receive()
            size_bytes += len(piece)
            if len(body) < _KEPT_BYTES:
                body += piece
        self.seen.append(Seen(line, headers, body, size_bytes, number))
        return await self.handler(self.seen[-1])


async def _end(stream: anyio.abc.ByteStream, last: Last) -> None:
    if last.content:
        await stream.send(last.content)
    if last.is_reset:
        raw = stream.extra(anyio.abc.SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))


@contextlib.asynccontextmanager
async def serve(handler: Handler) -> AsyncIterator[Loopback]:
    """Run a server for the duration of the body."""
    server = Loopback(handler)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    server.url = f"http://127.0.0.1:{port}"
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, server.serve_connection)
        yield server
        tasks.cancel_scope.cancel()


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    """Write an answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def answering(*answers: bytes | Last | None) -> Handler:
    """Answer by a script; the last one holds for ever."""
    left = list(answers)

    async def handle(seen: Seen) -> bytes | Last | None:
        return left.pop(0) if len(left) > 1 else left[0]

    return handle


@contextlib.asynccontextmanager
async def raw_server(
    serve_connection: Callable[[anyio.abc.SocketStream], Awaitable[None]],
) -> AsyncIterator[str]:
    """Run a server that speaks as badly as it is told to; gives its URL."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve_connection)
        yield f"http://127.0.0.1:{port}"
        tasks.cancel_scope.cancel()
