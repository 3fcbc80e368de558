"""A raw server on the loopback that answers with whatever bytes it is given."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from collections.abc import AsyncIterator, Iterable, Iterator

import anyio
import anyio.abc
import attrs

__all__ = ["Answer", "Server", "http", "serve"]

_RAW = anyio.abc.SocketAttribute.raw_socket
_PORT = anyio.abc.SocketAttribute.local_port
_LINGER = "hh" if sys.platform == "win32" else "ii"


@attrs.frozen
class Answer:
    """What a request gets.

    Attributes:
        content: The bytes, which need not make sense.
        then: What becomes of the connection: ``keep``, ``close`` or ``reset``.
    """

    content: bytes = b""
    then: str = "close"


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    """Write an answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@attrs.define
class Server:
    """The server.

    Attributes:
        seen: The request lines of all requests whose body came whole.
        connections: How many were opened.
    """

    answers: Iterator[Answer]
    url: str = ""
    seen: list[str] = attrs.field(factory=list)
    connections: int = 0

    @property
    def posts(self) -> int:
        """How many POSTs came."""
        return sum(line.startswith("POST ") for line in self.seen)

    async def talk(self, stream: anyio.abc.SocketStream) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        ended = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)
        async with stream:
            with contextlib.suppress(*ended):
                while await self._answer_one(stream):
                    pass

    async def _answer_one(self, stream: anyio.abc.SocketStream) -> bool:
        self.seen.append(await _read_request(stream))
        answer = next(self.answers)
        if answer.content:
            await stream.send(answer.content)
        if answer.then == "reset":
            raw = stream.extra(_RAW)  # no Django here
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
        return answer.then == "keep"


async def _read_request(stream: anyio.abc.SocketStream) -> str:
    """Read a request to its end and return its first line."""
    content = b""
    while b"\r\n\r\n" not in content:
        content += await stream.receive()
    head, _, body = content.partition(b"\r\n\r\n")
    line, *rows = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value for name, _, value in (row.partition(":") for row in rows)}
    while len(body) < int(headers.get("content-length", "0")):
        body += await stream.receive()
    return line


@contextlib.asynccontextmanager
async def serve(answers: Iterable[Answer]) -> AsyncIterator[Server]:
    """Run a server that gives these answers, whatever it is asked."""
    server = Server(iter(answers))
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    server.url = f"http://127.0.0.1:{listener.extra(_PORT)}"  # no Django here
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, server.talk)
        yield server
        tasks.cancel_scope.cancel()
