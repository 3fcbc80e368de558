"""Send campaigns from FastAPI: in the background, with progress, and across restarts.

    uvicorn fastapi_app:app --workers 4 --timeout-graceful-shutdown 1

It does not authenticate its callers: add your own check before /campaigns, because anyone with
access to it can send mails to all your contacts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from campaign_jobs import LARGEST_BODY, Jobs, of_this_address
from newsleopard_async import Campaign, NewsLeopard
from newsleopard_async.stores import FileStore
from newsleopard_async.webhooks.starlette import route

FOLDER = Path(os.environ.get("JOBS_FOLDER", "jobs"))
webhooks = of_this_address()


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Own the client and the jobs while the server runs."""
    async with NewsLeopard(store=FileStore(FOLDER / "runs")) as nl:
        jobs = app.state.jobs = Jobs(nl, FOLDER, webhooks)
        jobs.start()
        with at_signals(jobs.stop):
            yield
        await jobs.stopped()


@contextlib.contextmanager
def at_signals(stop: Callable[[], object]) -> Iterator[None]:
    """Call `stop` when the process receives a signal to end, and then the handler of uvicorn.

    uvicorn waits for open responses before it ends the lifespan, and an event stream is open for
    as long as its job runs. So the jobs must stop first.
    """
    if threading.current_thread() is not threading.main_thread():
        # Starlette's test client runs the lifespan in a thread, which receives no signal.
        yield
        return
    loop = asyncio.get_running_loop()
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}

    def hear(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)
        servers_own = before[signal.Signals(number)]
        if callable(servers_own):
            servers_own(number, frame)

    for number in before:
        signal.signal(number, hear)
    try:
        yield
    finally:
        for number, servers_own in before.items():
            signal.signal(number, servers_own)


app = FastAPI(lifespan=lifespan, max_body_size=LARGEST_BODY)
if webhooks is not None:
    app.router.routes.append(route(webhooks))


@app.exception_handler(RequestValidationError)
async def refuse(_: Request, error: RequestValidationError) -> Response:
    """Return the problems of a body. FastAPI's own answer repeats it, with all its contacts."""
    problems = [{"place": each["loc"], "message": each["msg"]} for each in error.errors()]
    return Response(json.dumps({"problems": problems}), 422, media_type="application/json")


class Order(BaseModel):
    """What to send, and to whom."""

    campaign: Campaign
    list_name: str
    contacts: str = Field(description="CSV with a header")


def all_jobs(request: Request) -> Jobs:
    """Return the jobs object of this worker."""
    jobs: Jobs = request.app.state.jobs
    return jobs


async def one_job(job_id: str, jobs: Annotated[Jobs, Depends(all_jobs)]) -> dict[str, Any]:
    """Return the state of the job in the URL."""
    status = await jobs.status(job_id)
    if status is None:
        raise HTTPException(404)
    return status


@app.post("/campaigns", status_code=202)
async def create(order: Order, jobs: Annotated[Jobs, Depends(all_jobs)]) -> dict[str, Any]:
    """Start a job; the answer follows after the job is on the disk."""
    try:
        job_id = await jobs.add(order.campaign, contacts=order.contacts, list_name=order.list_name)
    except UnicodeEncodeError:
        text = "contains characters that UTF-8 cannot encode; decode the source again"
        raise HTTPException(422, text) from None
    return {"id": job_id}


@app.get("/campaigns/{job_id}")
async def read(status: Annotated[dict[str, Any], Depends(one_job)]) -> dict[str, Any]:
    """Return the state of a job."""
    return status


@app.get(
    "/campaigns/{job_id}/events",
    response_class=EventSourceResponse,
    dependencies=[Depends(one_job)],
)
async def events(
    job_id: str, jobs: Annotated[Jobs, Depends(all_jobs)]
) -> AsyncIterator[ServerSentEvent]:
    """Stream the events of a job; a browser reconnects automatically."""
    async for name, data in jobs.events(job_id):
        yield ServerSentEvent(event=name, data=data)
