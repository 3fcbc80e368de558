"""The route of webhooks for aiohttp's server."""

from __future__ import annotations

from aiohttp import web

from newsleopard_async.webhooks.receiver import Webhooks

__all__ = ["route"]


def route(webhooks: Webhooks, *, path: str | None = None) -> web.RouteDef:
    """Return the route ``POST {path}/{token}``: ``app.add_routes([route(webhooks)])``.

    Args:
        webhooks: The receiver of the calls.
        path: The path of the route, without the prefix of a sub-application; by default the path of
            the URL of ``webhooks``. Pass it if a proxy changes paths.
    """
    base = (webhooks.path if path is None else path).rstrip("/")

    async def receive(request: web.Request) -> web.Response:
        token = request.match_info["token"]
        pieces = request.content.iter_any()
        return web.Response(status=await webhooks.receive_pieces(token, pieces))

    return web.post(f"{base}/{{token}}", receive)
