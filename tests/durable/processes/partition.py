"""A way from a worker to its database that can be cut, as by a network that is split."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import attrs

__all__ = ["Way", "way_to"]


@attrs.define(eq=False)
class Way:
    """Forwards connections to a server; once cut, it takes and keeps them, and says nothing.

    Attributes:
        url: Of the database, by this way.
        target: Where the server is.
    """

    url: str
    target: tuple[str, int]
    _listener: socket.socket
    _is_open: threading.Event = attrs.field(factory=threading.Event, init=False)
    _is_over: bool = attrs.field(default=False, init=False)

    def cut(self) -> None:
        """Forward nothing more."""
        self._is_open.clear()

    def heal(self) -> None:
        """Forward what has come meanwhile, and what comes."""
        self._is_open.set()

    def serve(self) -> None:
        """Take connections."""
        while not self._is_over:
            try:
                taken, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_one, args=(taken,), daemon=True).start()

    def end(self) -> None:
        """Let all end."""
        self._is_over = True
        self._is_open.set()
        self._listener.close()

    def _serve_one(self, taken: socket.socket) -> None:
        self._is_open.wait()
        with contextlib.suppress(OSError), taken, socket.create_connection(self.target) as server:
            back = threading.Thread(target=self._forward, args=(server, taken), daemon=True)
            back.start()
            self._forward(taken, server)
            back.join()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self._is_open.wait()
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def way_to(url: str) -> Iterator[Way]:
    """Open a way to a database."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    listener = socket.create_server(("127.0.0.1", 0))
    by_way = url.replace(f":{parts.port}/", f":{listener.getsockname()[1]}/")
    way = Way(by_way, (parts.hostname, parts.port), listener)
    way.heal()
    threading.Thread(target=way.serve, daemon=True).start()
    try:
        yield way
    finally:
        way.end()
