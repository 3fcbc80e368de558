"""Start campaigns from FastAPI, and let workers on any host send them.

    uvicorn durable_app:app --workers 4
    newsleopard worker durable_app:durable

Web processes need no API key: it is read by `client_of`, which only a worker calls. The application
does not authenticate its callers: put your own check before /campaigns, since anyone who may post
there may write to all your contacts.
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
"""A folder that all hosts have; with an object store, `opened` takes its place."""

QUOTA = os.environ.get("NEWSLEOPARD_QUOTA_URL", "auto")
"""Workers on several hosts share the rate limits of a key in Redis."""


def client_of(account: str) -> NewsLeopard:
    """Make the client of an account; a program with several looks its key up by the name."""
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
    """Name what is wrong, without repeating what was sent."""
    found = [{"place": each.field, "message": each.message} for each in problems]
    return Response(json.dumps({"problems": found}), 422, media_type="application/json")


@app.exception_handler(RequestValidationError)
async def refuse_body(_: Request, error: RequestValidationError) -> Response:
    """Refuse a body that is not an order."""
    return refusal(
        Problem(".".join(map(str, each["loc"])), each["type"], each["msg"])
        for each in error.errors()
    )


@app.exception_handler(InvalidRequest)
async def refuse(_: Request, error: InvalidRequest) -> Response:
    """Refuse what could never be sent, or another campaign under a key that is used."""
    return refusal(error.problems)


class Order(BaseModel):
    """What to send, to whom, and when."""

    campaign: Campaign
    contacts: str = Field(description="the name of a file of contacts")
    list_name: str
    at: datetime | None = Field(None, description="when to begin, with a time zone")
    not_after: datetime | None = Field(None, description="after this, begin no more")


@app.put("/campaigns/{send_key}", status_code=202)
async def start(send_key: str, order: Order) -> SendStatus:
    """Start a send; the same request once more changes nothing, and returns what is known."""
    spec = SendSpec(
        order.campaign,
        contacts=f"contacts:{order.contacts}",
        list_name=order.list_name,
        not_after=order.not_after,
    )
    return await durable.start_send(spec, send_key=send_key, at=order.at)


async def known(send_key: str) -> SendStatus:
    """Return what is known of the send that the URL names."""
    try:
        return await durable.status(send_key)
    except InvalidRequest:
        raise HTTPException(404) from None


@app.get("/campaigns/{send_key}")
async def show(status: Annotated[SendStatus, Depends(known)]) -> SendStatus:
    """Show how far a send is, from any process."""
    return status


@app.get("/campaigns")
async def show_all(state: Annotated[list[SendState] | None, Query()] = None) -> list[SendStatus]:
    """Show the sends, or those in some states, such as held and failed."""
    return list(await durable.runs(state=state))


@app.delete("/campaigns/{send_key}")
async def cancel(status: Annotated[SendStatus, Depends(known)], response: Response) -> str:
    """Cancel a send; 409 and "too late" if it was submitted, or may have been."""
    done = await durable.cancel(status.send_key)
    if done == "too late":
        response.status_code = 409
    return done
