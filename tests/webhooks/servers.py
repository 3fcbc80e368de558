"""Web applications with the route of webhooks, on real sockets in the running event loop."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import anyio
import uvicorn
from aiohttp import web
from starlette.applications import Starlette

from newsleopard_async.webhooks import Webhooks
from newsleopard_async.webhooks.aiohttp import route as aiohttp_route
from newsleopard_async.webhooks.starlette import route as starlette_route

__all__ = ["SERVERS"]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def starlette_server(webhooks: Webhooks, port: int) -> AsyncIterator[None]:
    """Serve with Starlette and uvicorn."""
    app = Starlette(routes=[starlette_route(webhooks)])
    server = _Server(uvicorn.Config(app, lifespan="off", log_config=None))
    with socket.create_server(("127.0.0.1", port)) as listener:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            yield
            server.should_exit = True


@contextlib.asynccontextmanager
async def aiohttp_server(webhooks: Webhooks, port: int) -> AsyncIterator[None]:
    """Serve with aiohttp."""
    app = web.Application()
    app.add_routes([aiohttp_route(webhooks)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield
    finally:
        await runner.cleanup()


SERVERS = {"starlette": starlette_server, "aiohttp": aiohttp_server}
