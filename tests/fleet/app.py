"""An application whose workers send campaigns in the background, with nothing configured.

    uvicorn tests.fleet.app:app --workers 4

The campaigns go to a list that is there. Each worker continues the runs of earlier workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import attrs
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsleopard_async import NewsLeopard, workflows
from newsleopard_async.models import ListSn
from tests.constants import CAMPAIGN

__all__ = ["app"]


def _asked(name: str) -> dict[str, Any]:
    lists = (ListSn(os.environ["LIST_SN"]),)
    return {"campaign": attrs.evolve(CAMPAIGN, name=name, lists=lists), "balance": None}


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with NewsLeopard() as nl, asyncio.TaskGroup() as tasks:
        app.state.nl = nl
        app.state.tasks = [tasks.create_task(_go_on(nl))]
        app.state.begin = lambda name: app.state.tasks.append(tasks.create_task(_send(nl, name)))
        yield
        # A submit that is on its way still gets its answer.
        for task in app.state.tasks:
            task.cancel()


async def _go_on(nl: NewsLeopard) -> None:
    await workflows.resume_due(nl, nl.store, lambda run: _asked(run.send_key))


async def _send(nl: NewsLeopard, name: str) -> None:
    await workflows.send_campaign(nl, **_asked(name), send_key=name)


async def _begin(request: Request) -> Response:
    request.app.state.begin(request.path_params["name"])
    return Response(status_code=202)


app = Starlette(lifespan=_lifespan, routes=[Route("/{name}", _begin, methods=["POST"])])
