"""The route of webhooks for aiohttp's server."""

from __future__ import annotations

from aiohttp import web

from newsleopard_async.webhooks.receiver import Webhooks

__all__ = ["route"]


def route(webhooks: Webhooks, *, path: str | None = None) -> web.RouteDef:
    """Return the route ``POST {path}/{token}``: ``app.add_routes([route(webhooks)])``.

    Args:
        webhooks: Receives the calls.
        path: Where the route is, if the server in front of your application changes paths; by
            default it is the path of the URL that ``webhooks`` has. The prefix of a sub-application
            is left out.
    """
    place = (webhooks.path if path is None else path).rstrip("/")

    async def receive(request: web.Request) -> web.Response:
        token = request.match_info["token"]
        pieces = request.content.iter_any()
        return web.Response(status=await webhooks.receive_pieces(token, pieces))

    return web.post(f"{place}/{{token}}", receive)
