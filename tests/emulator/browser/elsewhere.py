"""A server that only records connections."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

__all__ = ["Elsewhere"]


class Elsewhere:
    """Listens on a port of the loopback, and records the first bytes of each connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self.arrived: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # the socket is closed, because the test has ended
                return
            self.arrived.append(b"(a connection)")
            with connection:
                connection.settimeout(0.2)
                with contextlib.suppress(OSError):  # the client sent nothing
                    self.arrived[-1] += connection.recv(200)
