"""The Starlette application with the endpoints and the storage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, closing
from functools import partial
from typing import Any, Final

import anyio.lowlevel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Match, Route
from starlette.types import Scope

from newsleopard_async.emulator.http.edge import Edge
from newsleopard_async.emulator.http.messages import JSON_TYPE, ApiRequest, Reply, empty_reply
from newsleopard_async.emulator.http.operations import answer
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.blobs import Blob, BlobWriter
from newsleopard_async.emulator.platform.gateway import LATER_PATHS, PATHS
from newsleopard_async.emulator.platform.once import ONCE_FOLDER
from newsleopard_async.emulator.platform.storage import STORAGE_PREFIX, StorageRefusal
from newsleopard_async.emulator.switches import SwitchBoard

__all__ = ["ORIGIN", "build_app", "catch_up_in_slices"]

ORIGIN: Final = "newsleopard_async.emulator.origin"
"""The name of a request's origin that a server adds to the scope's extensions."""

XML_TYPE: Final = "application/xml"
_DONE: Final = object()

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def build_app(account: Account, *, lifespan: Lifespan) -> Starlette:
    """Build the application of one account."""
    later = partial(LaterRoute, board=account.board)
    routes = [*_api_routes(account, PATHS), *_api_routes(account, LATER_PATHS, kind=later)]
    routes.append(_storage_route(account))
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Edge, account=account)],
        exception_handlers={HTTPException: _without_content},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


async def _without_content(request: Request, error: Exception) -> Response:
    """Answer an unknown route (404) or method (405) without content (T13)."""
    del request
    assert isinstance(error, HTTPException)
    return Response(status_code=error.status_code, headers=error.headers)


class LaterRoute(Route):
    """A route that exists only while ``later_endpoints`` is set (T18)."""

    def __init__(
        self, path: str, endpoint: Callable[..., Any], *, methods: list[str], board: SwitchBoard
    ) -> None:
        super().__init__(path, endpoint, methods=methods)
        self._board = board

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as any route does, if the endpoints are enabled."""
        return super().matches(scope) if self._board.on.later_endpoints else (Match.NONE, {})


def _api_routes(
    account: Account, places: Iterable[tuple[str, str, str]], *, kind: Callable[..., Route] = Route
) -> Iterator[Route]:
    """Yield one route for each path, so that a 405 names all methods of the path."""
    paths: dict[str, dict[str, str]] = {}
    for method, path, operation in places:
        paths.setdefault(path, {})[method] = operation
    for path, operations in paths.items():
        yield _api_route(account, path, operations, kind=kind)


def _api_route(
    account: Account, path: str, operations: Mapping[str, str], *, kind: Callable[..., Route]
) -> Route:
    async def endpoint(request: Request) -> Response:
        received = ApiRequest(
            path=request.path_params,
            query=dict(request.query_params),
            headers=dict(request.headers),
            body=await request.body(),
            storage_url=request.scope.get("extensions", {}).get(ORIGIN),
        )
        await catch_up_in_slices(account)
        reply = answer(operations[request.method], account, received)
        # The effect happens before the answer: a file is checked, and mails are sent.
        await catch_up_in_slices(account)
        return _response(reply)

    return _route(path, endpoint, *operations, kind=kind)


def _storage_route(account: Account) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            await catch_up_in_slices(account)
            with account.lock:
                now = account.present()
                path = request.scope["path"]
                account.storage.check(
                    request.method, path, request.url.query, dict(request.headers), now=now
                )
            if request.method == "PUT":
                return await _upload(account, request)
            return _download(await _written(account, path))
        except StorageRefusal as refused:
            return Response(account.storage.explain(refused), refused.status, media_type=XML_TYPE)
        except ClientDisconnect:
            return _response(empty_reply(400))  # the client has gone and cannot read it

    return _route(STORAGE_PREFIX + "{name:path}", endpoint, "GET", "PUT")


def _route(
    path: str,
    endpoint: Callable[[Request], object],
    *methods: str,
    kind: Callable[..., Route] = Route,
) -> Route:
    route = kind(path, endpoint, methods=list(methods))
    if route.methods is not None:
        route.methods.discard("HEAD")  # which Starlette adds to every GET
    return route


async def _upload(account: Account, request: Request) -> Response:
    """Accept a file, in constant memory."""
    name, timeline = request.path_params["name"], account.timeline
    take = _taker(account, name)
    writer = BlobWriter()
    async for piece in request.stream():
        writer.write(piece)
    blob = writer.close()
    if blob.size != int(request.headers["content-length"]):
        raise StorageRefusal(
            400,
            "IncompleteBody",
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
        )
    await catch_up_in_slices(account)
    with account.changing():
        if account.timeline is not timeline:  # a restore or a reset replaced the state
            take = _taker(account, name)
        take(blob, account.present(), max_bytes=account.board.on.file_max_bytes)
    await catch_up_in_slices(account)
    # Like the ETag of an encrypted bucket, it is not the MD5 of the file.
    return Response(status_code=200, headers={"ETag": f'"{blob.digest[:32]}"'})


def _taker(account: Account, name: str) -> Callable[..., None]:
    """Return the function that accepts an upload, of an import or a campaign without lists."""
    if name.startswith(ONCE_FOLDER):
        return partial(account.once.upload, account.once.check_upload(name))
    return partial(account.imports.upload, account.imports.check_upload(name))


async def catch_up_in_slices(account: Account) -> None:
    """Apply all due changes, in slices; the lock is released and other tasks run after each."""
    with closing(account.catching_up()) as slices:
        while True:
            with account.lock:
                if next(slices, _DONE) is _DONE:
                    return
            await anyio.lowlevel.checkpoint()


async def _written(account: Account, path: str) -> Blob:
    """Return a file; the first request for it writes it."""
    with account.lock:
        file = account.storage.open(path)
    while file.blob is None:
        with account.lock:
            file.write_on()
        await anyio.lowlevel.checkpoint()
    return file.blob


def _download(blob: Blob) -> Response:
    return StreamingResponse(
        _pieces(blob), media_type="text/csv", headers={"Content-Length": str(blob.size)}
    )


async def _pieces(blob: Blob) -> AsyncIterator[bytes]:
    for piece in blob.read_chunks():
        yield piece


def _response(reply: Reply) -> Response:
    return Response(
        content=reply.body,
        status_code=reply.status,
        media_type=JSON_TYPE,
        headers=dict(reply.headers),
    )
