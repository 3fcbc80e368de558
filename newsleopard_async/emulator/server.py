"""The emulator as a server on a real socket, with uvicorn."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import anyio
import uvicorn
from anyio.abc import TaskStatus
from anyio.from_thread import start_blocking_portal
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from newsleopard_async.emulator.emulator import Emulator
from newsleopard_async.emulator.http.edge import LINK
from newsleopard_async.emulator.platform.clock import Clock

__all__ = ["running", "serve"]

_LINGER_FORMAT: Final = "hh" if sys.platform == "win32" else "ii"
GRACE_S: Final = 2
"""How long a stop waits for requests in flight."""


async def serve(
    emulator: Emulator,
    *,
    host: str = "127.0.0.1",
    port: int = 8025,
    ready: Callable[[str], object] | None = None,
) -> None:
    """Serve until cancelled, and stop in good order then; needs asyncio.

    Presigned URLs point at this server meanwhile. No signal handler is touched.

    Args:
        emulator: What to serve.
        host: Address to listen on.
        port: Port to listen on; 0 for any that is free.
        ready: Called with the base URL once requests are taken.

    Raises:
        OSError: the address cannot be had.
    """
    listener = _listen(host, port)
    before = emulator.base_url, emulator.storage_url
    url = _url_of(listener)
    emulator.move_to(url, storage_url=url)
    try:
        await _serve_on(listener, emulator, lambda: ready(url) if ready else None)
    finally:
        emulator.move_to(before[0], storage_url=before[1])
        listener.close()


@contextmanager
def running(emulator: Emulator, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve in a thread of its own for as long as the context lasts; yields the base URL."""

    async def task(*, task_status: TaskStatus[str]) -> None:
        await serve(emulator, host=host, port=port, ready=task_status.started)

    with start_blocking_portal("asyncio") as portal:
        future, url = portal.start_task(task)
        try:
            yield url
        finally:
            future.cancel()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # to reach it, not to bind
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _serve_on(
    listener: socket.socket, emulator: Emulator, ready: Callable[[], object]
) -> None:
    config = uvicorn.Config(
        emulator.app,
        http=_protocol_for(emulator.clock),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _EmbeddedServer(config, ready)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_run, server, listener, tasks.cancel_scope)
        try:
            await anyio.sleep_forever()
        finally:
            server.should_exit = True


async def _run(server: uvicorn.Server, listener: socket.socket, outer: anyio.CancelScope) -> None:
    """Run shielded, so that a cancellation becomes an orderly stop."""
    with anyio.CancelScope(shield=True):
        await server.serve(sockets=[listener])
    outer.cancel()


class _EmbeddedServer(uvicorn.Server):
    """A server that leaves the signals to whoever embeds it, and says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _protocol_for(clock: Clock) -> type[H11Protocol]:
    """Make a protocol whose requests carry a link to their connection."""

    class LinkedProtocol(H11Protocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.app = self._linked(self.app)

        def _linked(self, app: ASGIApp) -> Any:
            async def linked(scope: Scope, receive: Receive, send: Send) -> None:
                link = _ServerLink(self, receive, clock)
                extensions = {**scope.get("extensions", {}), LINK: link}
                await app({**scope, "extensions": extensions}, receive, send)

            return linked

    return LinkedProtocol


class _ServerLink:
    """A connection of the server."""

    def __init__(self, protocol: H11Protocol, receive: Receive, clock: Clock) -> None:
        self._protocol = protocol
        self._receive = receive
        self._clock = clock

    async def wait(self, seconds: float) -> None:
        """Keep the client waiting."""
        await self._clock.sleep(seconds)

    async def drop(self, *, abruptly: bool) -> None:
        """Close the connection, and return once it is closed."""
        transport = self._protocol.transport
        if abruptly:
            # Without lingering, closing resets the connection.
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER_FORMAT, 1, 0)
            )
            transport.abort()
        else:
            transport.close()
        while (await self._receive())["type"] != "http.disconnect":
            pass
