"""Start campaigns from FastAPI; workers on any host send them.

    uvicorn durable_app:app --workers 4
    newsleopard worker durable_app:durable

Web processes need no API key, because only a worker calls `client_of`, which reads it. The
application does not authenticate its callers: add your own check before /campaigns, because anyone
with access to it can send mails to all your contacts.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field

from newsleopard_async import Campaign, InvalidRequest, NewsLeopard, Problem
from newsleopard_async.durable import Durable, SendSpec, SendState, SendStatus

CONTACTS = Path(os.environ.get("CONTACTS_FOLDER", "contacts")).resolve()
"""A folder that all hosts share; with an object store, `opened` replaces it."""

QUOTA = os.environ.get("NEWSLEOPARD_QUOTA_URL", "auto")
"""Workers on several hosts share the rate limits of a key in Redis."""


def client_of(account: str) -> NewsLeopard:
    """Create the client of an account; with several accounts, choose the key by the name."""
    if account != "main":
        raise LookupError(account)
    return NewsLeopard(quota=QUOTA)


def opened(url: str) -> Path:
    """Open contacts by their URL: here ``contacts:members.csv``, a file of the shared folder."""
    path = (CONTACTS / url.removeprefix("contacts:")).resolve()
    if not path.is_relative_to(CONTACTS):
        raise PermissionError(url)
    return path


durable = Durable(
    os.environ.get("NEWSLEOPARD_DURABLE_URL", "sqlite:///sends.db"),
    clients=client_of,
    contacts=opened,
)


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Close the connections to the database at the end."""
    async with durable:
        yield


app = FastAPI(lifespan=lifespan)


def refusal(problems: Iterable[Problem]) -> Response:
    """Return the problems, without the body."""
    found = [{"place": each.field, "message": each.message} for each in problems]
    return Response(json.dumps({"problems": found}), 422, media_type="application/json")


@app.exception_handler(RequestValidationError)
async def refuse_body(_: Request, error: RequestValidationError) -> Response:
    """Return 422 for a body that is not an order."""
    return refusal(
        Problem(".".join(map(str, each["loc"])), each["type"], each["msg"])
        for each in error.errors()
    )


@app.exception_handler(InvalidRequest)
async def refuse(_: Request, error: InvalidRequest) -> Response:
    """Return 422 for a wrong campaign, or for another campaign under a used key."""
    return refusal(error.problems)


class Order(BaseModel):
    """The campaign, its contacts and its time."""

    campaign: Campaign
    contacts: str = Field(description="the name of a file of contacts")
    list_name: str
    at: datetime | None = Field(None, description="when to begin, with a time zone")
    not_after: datetime | None = Field(None, description="after this, begin no more")


@app.put("/campaigns/{send_key}", status_code=202)
async def start(send_key: str, order: Order) -> SendStatus:
    """Start a send; a second identical request changes nothing, and returns the status."""
    spec = SendSpec(
        order.campaign,
        contacts=f"contacts:{order.contacts}",
        list_name=order.list_name,
        not_after=order.not_after,
    )
    return await durable.start_send(spec, send_key=send_key, at=order.at)


async def known(send_key: str) -> SendStatus:
    """Return the status of the send in the URL."""
    try:
        return await durable.status(send_key)
    except InvalidRequest:
        raise HTTPException(404) from None


@app.get("/campaigns/{send_key}")
async def show(status: Annotated[SendStatus, Depends(known)]) -> SendStatus:
    """Return the status of a send, from any process."""
    return status


@app.get("/campaigns")
async def show_all(state: Annotated[list[SendState] | None, Query()] = None) -> list[SendStatus]:
    """Return all sends, or the sends in some states, such as held and failed."""
    return list(await durable.runs(state=state))


@app.delete("/campaigns/{send_key}")
async def cancel(status: Annotated[SendStatus, Depends(known)], response: Response) -> str:
    """Cancel a send; 409 and "too late" if it was submitted, or its outcome is unknown."""
    done = await durable.cancel(status.send_key)
    if done == "too late":
        response.status_code = 409
    return done
