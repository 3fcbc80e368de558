"""Send campaigns from aiohttp in the background.

python aiohttp_send.py
"""

import logging
from collections.abc import AsyncIterator

import anyio
import attrs
from aiohttp import web
from anyio.abc import TaskGroup

from newsleopard_async import Campaign, InUse, InvalidRequest, NewsLeopard, from_plain, workflows

log = logging.getLogger(__name__)
NL = web.AppKey("nl", NewsLeopard)
TASKS = web.AppKey("tasks", TaskGroup)
routes = web.RouteTableDef()


@attrs.frozen
class Order:
    """What to send, and to whom: contacts are CSV with a header."""

    campaign: Campaign
    contacts: str
    list_name: str


async def own_sends(app: web.Application) -> AsyncIterator[None]:
    """Own the client, and the sends of this process, while the server runs."""
    async with NewsLeopard() as nl, anyio.create_task_group() as tasks:
        app[NL], app[TASKS] = nl, tasks
        yield
        # At a stop, each send ends at its next await; a submit waits for its answer.
        tasks.cancel_scope.cancel()


@routes.put("/campaigns/{send_key}")
async def start(request: web.Request) -> web.Response:
    """Start a send, or continue it; the second request of a key sends nothing twice."""
    send_key = request.match_info["send_key"]
    try:
        order = from_plain(Order, await request.json())
    except InvalidRequest as error:
        raise web.HTTPUnprocessableEntity(text=str(error)) from None
    except ValueError:
        raise web.HTTPBadRequest(text="the body must be JSON") from None
    request.app[TASKS].start_soon(send, request.app[NL], send_key, order)
    return web.json_response(send_key, status=202)


async def send(nl: NewsLeopard, send_key: str, order: Order) -> None:
    """Send; the outcome is in the store of the client, and an error ends only this send."""
    try:
        await workflows.send_campaign(
            nl,
            order.campaign,
            contacts=order.contacts.encode(),
            list_name=order.list_name,
            send_key=send_key,
        )
    except InUse:
        log.info("%s: another request, or another process, sends it", send_key)
    except Exception:
        log.exception("%s", send_key)


@routes.get("/campaigns/{send_key}")
async def show(request: web.Request) -> web.Response:
    """Return the state of a send, from any process."""
    for run in await workflows.runs(request.app[NL].store, keys=[request.match_info["send_key"]]):
        return web.json_response(run.to_dict())
    raise web.HTTPNotFound


def build() -> web.Application:
    """Create the application."""
    app = web.Application()
    app.add_routes(routes)
    app.cleanup_ctx.append(own_sends)
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    web.run_app(build(), host="127.0.0.1")
