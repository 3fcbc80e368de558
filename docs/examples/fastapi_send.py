"""Send campaigns from FastAPI in the background.

uvicorn fastapi_send:app --timeout-graceful-shutdown 1
"""

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import anyio
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel

from newsleopard_async import Campaign, InUse, NewsLeopard, workflows

log = logging.getLogger("uvicorn.error")


class Order(BaseModel):
    """What to send, and to whom: contacts are CSV with a header."""

    campaign: Campaign
    contacts: str
    list_name: str


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Own the client, and the sends of this process, while the server runs."""
    async with NewsLeopard() as nl, anyio.create_task_group() as tasks:
        yield {"nl": nl, "tasks": tasks}
        # At a stop, each send ends at its next await; a submit waits for its answer.
        tasks.cancel_scope.cancel()


app = FastAPI(lifespan=lifespan)


@app.put("/campaigns/{send_key}", status_code=202)
async def start(send_key: str, order: Order, request: Request) -> str:
    """Start a send, or continue it; the second request of a key sends nothing twice."""
    request.state.tasks.start_soon(send, request.state.nl, send_key, order)
    return send_key


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
        log.info("%s: another request, or another worker, sends it", send_key)
    except Exception:
        log.exception("%s", send_key)


@app.get("/campaigns/{send_key}")
async def show(send_key: str, request: Request) -> workflows.RunState:
    """Return the state of a send, from any worker."""
    for run in await workflows.runs(request.state.nl.store, keys=[send_key]):
        return run
    raise HTTPException(404)
