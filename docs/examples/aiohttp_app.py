"""Send campaigns from aiohttp: in the background, with progress, and across restarts.

    python aiohttp_app.py

Any number of its processes may share a folder. It does not authenticate its callers: add your own
check before /campaigns, because anyone with access to it can send mails to all your contacts.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
from aiohttp import web

from campaign_jobs import LARGEST_BODY, Jobs, of_this_address
from newsleopard_async import Campaign, InvalidRequest, NewsLeopard, from_plain
from newsleopard_async.stores import FileStore
from newsleopard_async.webhooks.aiohttp import route

FOLDER = Path(os.environ.get("JOBS_FOLDER", "jobs"))
webhooks = of_this_address()
JOBS = web.AppKey("jobs", Jobs)
routes = web.RouteTableDef()


async def own_jobs(app: web.Application) -> AsyncIterator[None]:
    """Own the client and the jobs while the server runs."""
    async with NewsLeopard(store=FileStore(FOLDER / "runs")) as nl:
        jobs = app[JOBS] = Jobs(nl, FOLDER, webhooks)
        jobs.start()
        yield
        await jobs.stopped()


async def stop_jobs(app: web.Application) -> None:
    """Stop the jobs before aiohttp waits for their event streams."""
    app[JOBS].stop()


@attrs.frozen
class Order:
    """What to send, and to whom: contacts are CSV with a header."""

    campaign: Campaign
    list_name: str
    contacts: str


async def status_of(request: web.Request) -> dict[str, Any]:
    """Return the state of the job in the URL."""
    status = await request.app[JOBS].status(request.match_info["job_id"])
    if status is None:
        raise web.HTTPNotFound
    return status


@routes.post("/campaigns")
async def create(request: web.Request) -> web.Response:
    """Start a job; the answer follows after the job is on the disk."""
    try:
        order = from_plain(Order, await request.json())
        job_id = await request.app[JOBS].add(
            order.campaign, contacts=order.contacts, list_name=order.list_name
        )
    except InvalidRequest as error:
        problems = [{"field": each.field, "message": each.message} for each in error.problems]
        return web.json_response({"problems": problems}, status=422)
    except (ValueError, RecursionError):
        raise web.HTTPUnprocessableEntity(text="the body must be JSON in UTF-8") from None
    return web.json_response({"id": job_id}, status=202)


@routes.get("/campaigns/{job_id}")
async def read(request: web.Request) -> web.Response:
    """Return the state of a job."""
    return web.json_response(await status_of(request))


@routes.get("/campaigns/{job_id}/events")
async def events(request: web.Request) -> web.StreamResponse:
    """Stream the events of a job; a browser reconnects automatically."""
    job_id = (await status_of(request))["send_key"]
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    stream = web.StreamResponse(headers=headers)
    stream.content_type = "text/event-stream"
    # The client can disconnect at any time, which does not affect the job.
    with contextlib.suppress(ConnectionResetError):
        await stream.prepare(request)
        async for name, data in request.app[JOBS].events(job_id):
            await stream.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
    return stream


def build() -> web.Application:
    """Create the application."""
    app = web.Application(client_max_size=LARGEST_BODY)
    app.add_routes(routes if webhooks is None else [*routes, route(webhooks)])
    app.cleanup_ctx.append(own_jobs)
    app.on_shutdown.append(stop_jobs)
    return app


if __name__ == "__main__":
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080"))
    # The streams end with their jobs; a second later, open connections are closed.
    web.run_app(build(), host=host, port=port, shutdown_timeout=1)
