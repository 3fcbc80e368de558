"""The route of webhooks for Starlette and FastAPI."""

from __future__ import annotations

import contextlib

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsleopard_async.webhooks.receiver import Webhooks

__all__ = ["route"]


def route(webhooks: Webhooks, *, path: str | None = None) -> Route:
    """Return the route ``POST {path}/{token}``.

    In Starlette it is ``Starlette(routes=[route(webhooks)])``, in FastAPI
    ``app.router.routes.append(route(webhooks))``.

    Args:
        webhooks: The receiver of the calls.
        path: The path of the route, without the root path, mount or prefix that the framework adds;
            by default the path of the URL of ``webhooks``. Pass it if a proxy changes paths.
    """
    base = (webhooks.path if path is None else path).rstrip("/")

    async def receive(request: Request) -> Response:
        async with contextlib.aclosing(request.stream()) as pieces:
            status = await webhooks.receive_pieces(request.path_params["token"], pieces)
        return Response(status_code=status)

    return Route(f"{base}/{{token}}", receive, methods=["POST"])
