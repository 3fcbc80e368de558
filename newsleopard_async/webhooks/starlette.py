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
        webhooks: Receives the calls.
        path: Where the route is, if the server in front of your application changes paths; by
            default it is the path of the URL that ``webhooks`` has. What a root path, a mount or a
            prefix adds by itself is left out.
    """
    place = (webhooks.path if path is None else path).rstrip("/")

    async def receive(request: Request) -> Response:
        async with contextlib.aclosing(request.stream()) as pieces:
            status = await webhooks.receive_pieces(request.path_params["token"], pieces)
        return Response(status_code=status)

    return Route(f"{place}/{{token}}", receive, methods=["POST"])
