"""Answers over HTTP whether a worker is running and ready."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from newsleopard_async.cli.translation import translated

__all__ = ["Address", "HealthServer", "read_address"]

_HERE: Final = "127.0.0.1"

_GRACE_S: Final = 1
"""Chosen: an answer takes a millisecond, and an idle connection does not need to stay open."""

_PORTS: Final = range(65_536)


@attrs.frozen
class Address:
    """An address to listen on.

    Attributes:
        host: A name or an address.
        port: The port; 0 for any free port.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_address(text: str) -> Address:
    """Parse ``HOST:PORT``; the default host is the loopback.

    Raises:
        ValueError: the text has another form; the message names what to write.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) in _PORTS):
        message = translated("{text!r} has no port; write it as 8081, or as 0.0.0.0:8081")
        raise ValueError(message.format(text=text))
    name = host.removeprefix("[").removesuffix("]")
    if ":" in name and name == host:
        message = translated("{text!r} is ambiguous; write it as {address}")
        raise ValueError(message.format(text=text, address=f"[{name}]:{port}"))
    return Address(name or _HERE, int(port))


class HealthServer(uvicorn.Server):
    """Answers ``/live`` and ``/ready`` in the event loop of the worker; needs asyncio.

    ``/live`` is answered while the loop is not blocked. The worker handles the signals.

    Args:
        address: The address; the server listens on it from its construction.
        state: Returns the state of the worker; its ``ready`` decides about ``/ready``.

    Attributes:
        url: The URL of the server.

    Raises:
        OSError: the server cannot listen on the address.
    """

    def __init__(self, address: Address, state: Callable[[], Mapping[str, Any]]) -> None:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self._listener = socket.create_server((address.host, address.port), family=family)
        self.url: str = f"http://{Address(address.host, self._listener.getsockname()[1])}"
        super().__init__(
            uvicorn.Config(
                _app(state),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the worker."""
        yield

    async def answer(self) -> None:
        """Answer until `should_exit` is set."""
        with contextlib.closing(self._listener):
            await self.serve(sockets=[self._listener])


def _app(state: Callable[[], Mapping[str, Any]]) -> Starlette:
    async def live(_: Request) -> Response:
        return JSONResponse(dict(state()))

    async def ready(_: Request) -> Response:
        known = dict(state())
        return JSONResponse(known, status_code=200 if known["ready"] else 503)

    return Starlette(routes=[Route("/live", live), Route("/ready", ready)])
