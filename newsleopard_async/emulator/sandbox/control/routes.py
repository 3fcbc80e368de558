"""The routes of the control API, derived from its table, and its errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from newsleopard_async.emulator.sandbox.access import PREFIX, AccessRefused, refusal_response
from newsleopard_async.emulator.sandbox.bodies import EmptyBody
from newsleopard_async.emulator.sandbox.control import contacts, emulator, mails
from newsleopard_async.emulator.sandbox.control.endpoint import (
    Conflict,
    ControlContext,
    ControlRequest,
    Endpoint,
)
from newsleopard_async.emulator.sandbox.events import TooManyListeners
from newsleopard_async.emulator.sandbox.json_codec import (
    BadInput,
    FieldProblem,
    decode_object,
    decode_query,
    encode,
    parse_json,
)
from newsleopard_async.emulator.sandbox.openapi import DESCRIPTION_PATH, description
from newsleopard_async.emulator.switches import Switches

__all__ = ["ENDPOINTS", "EXCEPTION_HANDLERS", "control_routes"]

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *emulator.ENDPOINTS,
    *mails.ENDPOINTS,
    *contacts.ENDPOINTS,
)
"""The table: every endpoint of the control API."""

JSON_TYPE: Final = "application/json"


def control_routes(context: ControlContext) -> list[Route]:
    """Return the routes, one per path, so that a 405 lists all methods of the path."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for each in ENDPOINTS:
        paths.setdefault(each.path, {})[each.method] = each
    routes = [_route(path, methods, context) for path, methods in paths.items()]
    return [*routes, _route("", paths["/"], context), _description_route(context)]


def _route(path: str, methods: Mapping[str, Endpoint], context: ControlContext) -> Route:
    async def answer(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await _answer(methods[method], context, request)

    # An address can contain a slash.
    pattern = PREFIX + path.replace("{email}", "{email:path}")
    return Route(pattern, answer, methods=list(methods))


def _description_route(context: ControlContext) -> Route:
    async def answer(request: Request) -> Response:
        del request
        # The first request encodes it, because it would delay the start of each server.
        return Response(_description(context.version), media_type=JSON_TYPE)

    return Route(PREFIX + DESCRIPTION_PATH, answer)


@cache
def _description(version: str) -> bytes:
    return encode(description(ENDPOINTS, version=version))


async def _answer(endpoint: Endpoint, context: ControlContext, request: Request) -> Response:
    """Answer a request, or refuse it with its problems."""
    try:
        found = await endpoint.run(context, await _decode(endpoint, request))
    except (BadInput, Conflict, TooManyListeners, LookupError, ValueError) as error:
        refused = _refusal_of(error)
        if refused is None:
            raise
        return refused
    if isinstance(found, Response):
        return found
    content = b"" if endpoint.status == 204 else encode(found)
    return Response(content, endpoint.status, media_type=None if not content else JSON_TYPE)


def _refusal_of(error: Exception) -> Response | None:
    """Return the answer for an error of the caller; None for an error of this package."""
    if isinstance(error, BadInput):
        return error_response(400, _sentence(error), error.problems)
    if type(error) is ValueError:
        field, _, message = str(error).partition(": ")
        problem = (
            FieldProblem(field, message) if field.isidentifier() else FieldProblem("", str(error))
        )
        return error_response(400, _sentence(error), (problem,))
    statuses: Mapping[type, int] = {LookupError: 404, Conflict: 409, TooManyListeners: 429}
    status = statuses.get(type(error))  # None for a KeyError, which is a subclass of LookupError
    return None if status is None else error_response(status, _sentence(error))


def _sentence(error: Exception) -> str:
    text = str(error)
    return text if text.endswith((".", "?")) else f"{text}."


async def _decode(endpoint: Endpoint, request: Request) -> ControlRequest:
    data: Any = None
    body: Any = None
    if endpoint.body is not None:
        raw = await request.body()
        data = {} if not raw and endpoint.body is EmptyBody else parse_json(raw)
        # `set_switches` decodes the switches itself: it changes only those in the body.
        body = None if endpoint.body is Switches else decode_object(endpoint.body, data)
    return ControlRequest(
        path=request.path_params,
        query=decode_query(endpoint.query, request.query_params.multi_items()),
        body=body,
        data=data,
        http=request,
    )


def error_response(
    status: int,
    message: str,
    problems: Iterable[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error in the format of the control API."""
    error = {
        "message": message,
        "problems": [{"field": each.field, "message": each.message} for each in problems],
    }
    return JSONResponse({"error": error}, status, headers)


async def _on_refusal(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, AccessRefused)
    return refusal_response(request.scope, refused)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    messages = {
        404: f"This path does not exist; GET {PREFIX}{DESCRIPTION_PATH} lists all paths.",
        405: f"This path does not accept {request.method}; use a method of the header Allow.",
    }
    message = messages.get(error.status_code, error.detail)
    return error_response(error.status_code, message, headers=error.headers)


EXCEPTION_HANDLERS: Final[Mapping[Any, Any]] = {
    AccessRefused: _on_refusal,
    HTTPException: _on_http_error,
}
"""The handlers of errors that are raised outside an endpoint."""
