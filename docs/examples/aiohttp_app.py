"""Send campaigns from aiohttp: in the background, with progress, and across restarts.

    PUBLIC_URL=https://shop.example python aiohttp_app.py

Run one process of it. It does not authenticate its callers: put your own check before /campaigns,
since anyone who may post there may write to all your contacts.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
from aiohttp import web

from campaign_jobs import LARGEST_BODY, Job, Jobs
from newsleopard_async import Campaign, InvalidRequest, NewsLeopard, from_plain
from newsleopard_async.webhooks import Webhooks
from newsleopard_async.webhooks.aiohttp import route

webhooks = Webhooks(
    f"{os.environ['PUBLIC_URL']}/newsleopard", secret=os.environ.get("WEBHOOK_SECRET")
)
JOBS = web.AppKey("jobs", Jobs)
routes = web.RouteTableDef()


async def own_jobs(app: web.Application) -> AsyncIterator[None]:
    """Own the client and the jobs for as long as the server runs."""
    async with NewsLeopard() as nl:
        folder = Path(os.environ.get("JOBS_FOLDER", "jobs"))
        jobs = app[JOBS] = Jobs(nl, folder, webhooks)
        jobs.resume()
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


def one_job(request: web.Request) -> Job:
    """Return the job that the URL names."""
    job = request.app[JOBS].get(request.match_info["job_id"])
    if job is None:
        raise web.HTTPNotFound
    return job


@routes.post("/campaigns")
async def create(request: web.Request) -> web.Response:
    """Begin to send; the answer comes once the job is on the disk."""
    try:
        order = from_plain(Order, await request.json())
        job = await request.app[JOBS].add(
            order.campaign, contacts=order.contacts, list_name=order.list_name
        )
    except InvalidRequest as error:
        problems = [{"field": each.field, "message": each.message} for each in error.problems]
        return web.json_response({"problems": problems}, status=422)
    except (ValueError, RecursionError):
        raise web.HTTPUnprocessableEntity(text="the body must be JSON in UTF-8") from None
    return web.json_response(job.status, status=202)


@routes.get("/campaigns/{job_id}")
async def read(request: web.Request) -> web.Response:
    """Return how far a job is."""
    return web.json_response(one_job(request).status)


@routes.get("/campaigns/{job_id}/events")
async def events(request: web.Request) -> web.StreamResponse:
    """Stream what happens; a browser that lost the stream asks again by itself."""
    job = one_job(request)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    stream = web.StreamResponse(headers=headers)
    stream.content_type = "text/event-stream"
    # The client may leave at any time, which does not affect the job.
    with contextlib.suppress(ConnectionResetError):
        await stream.prepare(request)
        async for name, data in job.events():
            await stream.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
    return stream


def build() -> web.Application:
    """Put the parts together."""
    app = web.Application(client_max_size=LARGEST_BODY)
    app.add_routes([*routes, route(webhooks)])
    app.cleanup_ctx.append(own_jobs)
    app.on_shutdown.append(stop_jobs)
    return app


if __name__ == "__main__":
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080"))
    # The streams end with their jobs; what is still open a second later is cut.
    web.run_app(build(), host=host, port=port, shutdown_timeout=1)
