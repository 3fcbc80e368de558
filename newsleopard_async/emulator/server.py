"""The emulator as a server on a real socket, with uvicorn."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import anyio
import uvicorn
from anyio.abc import TaskStatus
from anyio.from_thread import start_blocking_portal
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from newsleopard_async.emulator.emulator import Emulator
from newsleopard_async.emulator.http.app import ORIGIN
from newsleopard_async.emulator.http.edge import LINK
from newsleopard_async.emulator.platform.clock import Clock
from newsleopard_async.emulator.platform.gateway import Listener
from newsleopard_async.emulator.sandbox.access import ControlOptions
from newsleopard_async.emulator.sandbox.sandbox_app import build_sandbox
from newsleopard_async.emulator.state import StateFile, keep_saving

__all__ = ["check_public_url", "is_host", "running", "serve"]

_LINGER_FORMAT: Final = "hh" if sys.platform == "win32" else "ii"
GRACE_S: Final = 0.4
"""Chosen: how long a stop waits for answers, so that the whole stop takes less than a second."""
_LONGEST_STOP_S: Final = 5
"""Chosen: uvicorn's own limit. A stop only takes so long if an event loop is stuck."""


async def serve(
    emulator: Emulator,
    *,
    host: str = "127.0.0.1",
    port: int = 8025,
    ready: Callable[[str], object] | None = None,
    public_url: str | None = None,
    on_request: Listener | None = None,
    control: ControlOptions | None = None,
    state: StateFile | None = None,
) -> None:
    """Serve until cancelled, and then stop in good order; needs asyncio.

    While the server runs, presigned URLs point to it, under the host name of the request. Signal
    handlers stay as they are.

    Args:
        emulator: The emulator to serve.
        host: Address to listen on.
        port: Port to listen on; 0 for any free one.
        ready: Called with the base URL as soon as the server accepts requests.
        public_url: The URL that clients use, such as that of a proxy before this server. It
            becomes the base URL, and all presigned URLs begin with it.
        on_request: Called with the record of each request of the API and its storage after it has
            ended, in the thread of the server; it must not block.
        control: Who may use the page at ``/`` and the control API below ``/_emulator/``; by
            default only this machine.
        state: The file that stores changes of the emulator's state. Call its `load_into` before
            this function to load the stored state.

    Raises:
        OSError: the server cannot listen on the address.
        ValueError: ``public_url`` is not an http or https URL.
    """
    public_url = None if public_url is None else check_public_url(public_url)
    listener = _listen(host, port)
    before = emulator.base_url, emulator.storage_url
    url = public_url or _url_of(listener)
    emulator.move_to(url, storage_url=url)
    protocol = _protocol_for(emulator.clock, names_origin=public_url is None)
    try:
        app = build_sandbox(emulator, options=control, public_url=public_url)
        async with _saving(emulator, state):
            with emulator.listeners.including(on_request):
                await _serve_on(listener, app, protocol, lambda: ready(url) if ready else None)
    finally:
        emulator.move_to(before[0], storage_url=before[1])
        listener.close()


@contextmanager
def running(
    emulator: Emulator,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    public_url: str | None = None,
    on_request: Listener | None = None,
    control: ControlOptions | None = None,
    state: StateFile | None = None,
) -> Iterator[str]:
    """Serve in a separate thread for as long as the context lasts; yields the base URL."""

    async def task(*, task_status: TaskStatus[str]) -> None:
        await serve(
            emulator,
            host=host,
            port=port,
            ready=task_status.started,
            public_url=public_url,
            on_request=on_request,
            control=control,
            state=state,
        )

    with start_blocking_portal("asyncio") as portal:
        future, url = portal.start_task(task)
        try:
            yield url
        finally:
            future.cancel()


@asynccontextmanager
async def _saving(emulator: Emulator, state: StateFile | None) -> AsyncIterator[None]:
    """Save changes until the server has ended, including the changes of its last requests."""
    if state is None:
        yield
        return
    async with anyio.create_task_group() as tasks:
        # A cancellation of the server must not end the saving before the server.
        until_ended = anyio.CancelScope(shield=True)

        async def save() -> None:
            with until_ended:
                await keep_saving(emulator, state)

        tasks.start_soon(save)
        try:
            yield
        finally:
            until_ended.cancel()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # to reach it, not to bind
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(?::([0-9]{1,5}))?")
_LONGEST_HOST: Final = 255
"""RFC 1035, 2.3.4."""
_PORTS: Final = range(1, 65_536)


def check_public_url(url: str) -> str:
    """Return a URL without a slash at its end.

    Raises:
        ValueError: the URL is not http or https, or has more than a host, port and path.
    """
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if scheme not in {"http", "https"} or not is_host(host) or re.search(r"[\s?#]", path):
        raise ValueError(
            f"{url!r} is not a URL such as https://emulator.example.com; "
            "use http or https, and no query"
        )
    return f"{scheme}://{host}{slash}{path}".rstrip("/")


def is_host(text: str) -> bool:
    """Return whether a text is a host, by name or address, with or without a port."""
    found = _HOST.fullmatch(text)
    if found is None or len(text) > _LONGEST_HOST or int(found[2] or 1) not in _PORTS:
        return False
    if not found[1].startswith("["):
        return True
    try:
        ipaddress.IPv6Address(found[1][1:-1])
    except ValueError:
        return False
    return True


async def _serve_on(
    listener: socket.socket,
    app: ASGIApp,
    protocol: type[H11Protocol],
    ready: Callable[[], object],
) -> None:
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # access depends on the address of the connection
        timeout_graceful_shutdown=_LONGEST_STOP_S,
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
    """A server that handles no signals, calls ``ready`` when it listens, and stops quickly.

    A stop ends the requests, because a fault that hangs, a stream of events or a slow download
    would delay it.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        timer = asyncio.get_running_loop().call_later(GRACE_S, self._end_requests)
        try:
            await super().shutdown(sockets=sockets)
        finally:
            timer.cancel()

    def _end_requests(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _protocol_for(clock: Clock, *, names_origin: bool) -> type[H11Protocol]:
    """Create a protocol that adds to each request a link to its connection, and its origin."""

    class LinkedProtocol(H11Protocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.app = self._linked(self.app)

        def _linked(self, app: ASGIApp) -> Any:
            async def linked(scope: Scope, receive: Receive, send: Send) -> None:
                link = _ServerLink(self, receive, clock)
                extensions = {**scope.get("extensions", {}), LINK: link}
                if names_origin:
                    extensions[ORIGIN] = _origin_of(scope)
                try:
                    await app({**scope, "extensions": extensions}, receive, send)
                except asyncio.CancelledError:
                    # Only a stop of the server cancels, and then the connection is closed already.
                    return

            return linked

    return LinkedProtocol


def _origin_of(scope: Scope) -> str | None:
    """Return the origin from a request's ``Host``; None if it is not a host."""
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    text = host.decode("latin-1")
    return f"http://{text}" if is_host(text) else None


class _ServerLink:
    """The link of a request to a connection of the server."""

    def __init__(self, protocol: H11Protocol, receive: Receive, clock: Clock) -> None:
        self._protocol = protocol
        self._receive = receive
        self._clock = clock

    async def wait(self, seconds: float) -> None:
        """Delay the answer."""
        await self._clock.sleep(seconds)

    async def drop(self, *, abruptly: bool) -> None:
        """Close the connection, and wait until it is closed."""
        transport = self._protocol.transport
        if abruptly:
            # With a linger time of 0, closing resets the connection.
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER_FORMAT, 1, 0)
            )
            transport.abort()
        else:
            transport.close()
        while (await self._receive())["type"] != "http.disconnect":
            pass
