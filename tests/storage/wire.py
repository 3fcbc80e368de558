"""A storage that fails as told, on a real socket, and is strict about framing as S3 is.

It judges no signature (Swift does that, see `s3`), and says 501 to a chunked body, 411 to
one without a length and 400 to one with two.
"""

from __future__ import annotations

import hashlib
import socket
import struct
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Final

import attrs

__all__ = ["Drop", "Reply", "Request", "WireServer", "error_xml", "running"]

_PIECE_BYTES: Final = 64 * 1024
_RESET_ON_CLOSE: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


@attrs.frozen
class Reply:
    """Answer.

    Attributes:
        after_bytes: Answer after so many bytes of the body and reset the connection; None
            to read it all and keep the connection.
        length: The value of Content-Length; None for the real length.
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    after_bytes: int | None = None
    length: int | None = None


@attrs.frozen
class Drop:
    """Reset the connection without an answer, after so many bytes of the body."""

    after_bytes: int


@attrs.frozen
class Request:
    """What came in."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body_bytes: int
    body_sha256: str


@attrs.define
class WireServer:
    """A running server.

    Attributes:
        script: What to do with the next requests; after its end, answer 200.
        requests: What came in, whole or not, in the order of arrival.
    """

    port: int
    script: deque[Reply | Drop] = attrs.field(factory=deque)
    requests: list[Request] = attrs.field(factory=list)

    def url(self, target: str = "/members/contacts.csv?Signature=unjudged") -> str:
        """Return a URL on this server."""
        return f"http://127.0.0.1:{self.port}{target}"

    def serve(self, connection: socket.socket) -> None:
        """Take requests of a connection until it ends."""
        with connection, connection.makefile("rb") as file, suppress(OSError):
            while self._take(connection, file):
                pass

    def _take(self, connection: socket.socket, file: BinaryIO) -> bool:
        """Handle a request; says whether the connection may have another."""
        head = list(iter(lambda: file.readline().rstrip(b"\r\n").decode("latin-1"), ""))
        if not head:
            return False
        method, target, _ = head[0].split(" ")
        headers = tuple(_header(line) for line in head[1:])
        step = _misframed(method, headers) or (self.script.popleft() if self.script else Reply())
        length = next((int(value) for name, value in headers if name == "content-length"), 0)
        wanted = length if step.after_bytes is None else min(step.after_bytes, length)
        digest, size_bytes = _read(file, wanted)
        self.requests.append(Request(method, target, headers, size_bytes, digest))
        if isinstance(step, Reply):
            connection.sendall(_response(step))
        if step.after_bytes is None:
            return size_bytes == length and step.length is None
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        return False


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.lower(), value.strip()


def _misframed(method: str, headers: tuple[tuple[str, str], ...]) -> Reply | None:
    names = [name for name, _ in headers]
    if "transfer-encoding" in names:
        return Reply(501, error_xml("NotImplemented"), after_bytes=0)
    if method == "PUT" and "content-length" not in names:
        return Reply(411, error_xml("MissingContentLength"), after_bytes=0)
    if names.count("content-length") > 1:
        return Reply(400, error_xml("BadRequest"), after_bytes=0)
    return None


def _read(file: BinaryIO, size_bytes: int) -> tuple[str, int]:
    digest, remaining = hashlib.sha256(), size_bytes
    with suppress(OSError):
        while remaining and (piece := file.read(min(remaining, _PIECE_BYTES))):
            digest.update(piece)
            remaining -= len(piece)
    return digest.hexdigest(), size_bytes - remaining


def _response(reply: Reply) -> bytes:
    length = len(reply.body) if reply.length is None else reply.length
    lines = [
        f"HTTP/1.1 {reply.status} Scripted",
        f"Content-Length: {length}",
        *(f"{name}: {value}" for name, value in reply.headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + reply.body


def error_xml(code: str, message: str = "", *, echo: str = "") -> bytes:
    """Write an error as S3 does, with what it echoes of the request."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
        f"<Message>{message}</Message><AWSAccessKeyId>AKIAECHOED</AWSAccessKeyId>"
        f"<StringToSign>{echo}</StringToSign></Error>"
    ).encode()


@contextmanager
def running() -> Iterator[WireServer]:
    """Serve in threads for as long as the context lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = WireServer(listener.getsockname()[1])
        connections: list[tuple[socket.socket, threading.Thread]] = []
        accepting = threading.Thread(target=_accept, args=(listener, server, connections))
        accepting.start()
        try:
            yield server
        finally:
            _wake(server.port)
            accepting.join()
            for connection, thread in connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                thread.join()


def _accept(
    listener: socket.socket,
    server: WireServer,
    connections: list[tuple[socket.socket, threading.Thread]],
) -> None:
    """Give each connection a thread, until one comes that says nothing but goodbye."""
    while True:
        connection, _ = listener.accept()
        if connection.recv(1, socket.MSG_PEEK) == b"\n":
            connection.close()
            return
        thread = threading.Thread(target=server.serve, args=(connection,))
        connections.append((connection, thread))
        thread.start()


def _wake(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"\n")
