"""The description of the control API in OpenAPI 3.1, derived from the table of endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from newsleopard_async.emulator.sandbox.access import PREFIX
from newsleopard_async.emulator.sandbox.control.endpoint import Endpoint
from newsleopard_async.emulator.sandbox.json_codec import schema_of

__all__ = ["DESCRIPTION_PATH", "description"]

DESCRIPTION_PATH: Final = "/openapi.json"

_ERRORS: Final = {
    400: "The body or the query is wrong. Each problem has its field; correct all of them.",
    401: "The request comes from another machine, without the token; send the token.",
    403: (
        "The request comes from another machine or from a page of another origin; "
        "start the emulator with --control network or --cors to allow it."
    ),
    404: "An object with this name, code or id does not exist.",
    409: "The emulator cannot do this, or not now; the message has the reason.",
    413: "The body is too large; send at most 1,000,000 bytes.",
    415: "The content type is wrong; send the header Content-Type: application/json.",
    421: (
        "The host in the header Host is not this machine or the public URL; "
        "send the token, or start the emulator with --public-url."
    ),
    429: "The limit of listeners is reached; close a page of this emulator.",
}

_ERROR_SCHEMA: Final = {
    "type": "object",
    "description": "A refusal, with its problems.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "problems"],
            "properties": {
                "message": {
                    "type": "string",
                    "description": "One sentence with the reason and the way out.",
                },
                "problems": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "message"],
                        "properties": {
                            "field": {
                                "type": "string",
                                "description": "Name of the field; empty for the whole body.",
                            },
                            "message": {"type": "string"},
                        },
                    },
                },
            },
        }
    },
}

_PATH_NAMES: Final = {
    "id": "The id of the mail or request, as the search returns it.",
    "sn": "The code of the list, import or campaign.",
    "email": "The address of the contact.",
    "name": "The name of the snapshot.",
}


def description(endpoints: Iterable[Endpoint], *, version: str) -> dict[str, Any]:
    """Return the OpenAPI description of the endpoints."""
    schemas: dict[str, Any] = {"Error": _ERROR_SCHEMA}
    paths: dict[str, Any] = {}
    for each in endpoints:
        paths.setdefault(PREFIX + each.path, {})[each.method.lower()] = _operation(each, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Control API of the emulator of newsleopard-async",
            "version": version,
            "description": (
                "Shows and controls an emulator of NewsLeopard's Campaign API. Only the "
                "emulator's own machine has access, unless the emulator was started with a token. "
                "Each change needs the header Content-Type: application/json, even without a body."
            ),
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                str(status): _response(meaning, "application/json", _ref("Error"))
                for status, meaning in _ERRORS.items()
            },
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "The token."}
            },
        },
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _response(text: str, content_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {content_type: {"schema": schema}}}


def _operation(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint, schemas)],
        "responses": {str(endpoint.status): _answer(endpoint, schemas), **_errors(endpoint)},
    }
    if endpoint.body is not None:
        schema = schema_of(endpoint.body, schemas, is_input=True)
        operation["requestBody"] = {
            "required": endpoint.body.__name__ != "EmptyBody",
            "content": {"application/json": {"schema": schema}},
        }
    return operation


def _path_parameters(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)\}", endpoint.path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_NAMES[name],
            "schema": {"type": "string", "minLength": 1},
        }


def _query_parameters(endpoint: Endpoint, schemas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {}
    schema_of(endpoint.query, found, is_input=True)
    for name, schema in found.pop(endpoint.query.__name__)["properties"].items():
        text = schema.pop("description")
        # A query cannot contain null: a missing parameter means null.
        kinds = [each for each in schema.pop("anyOf", []) if each.get("type") != "null"]
        yield {
            "name": name,
            "in": "query",
            "required": False,
            "description": text,
            "schema": {**schema, **(kinds[0] if kinds else {})},
        }
    schemas.update(found)


def _answer(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    if endpoint.answers is None:
        return {"description": "Done."}
    if isinstance(endpoint.answers, str):
        return _response("The answer.", endpoint.answers, {"type": "string"})
    schema = schema_of(endpoint.answers, schemas)
    return _response("The answer.", "application/json", schema)


def _errors(endpoint: Endpoint) -> dict[str, Any]:
    """Return the possible errors; 400 is one of them, because a query can have an unknown name."""
    statuses = {400, 401, 403, 421}
    if endpoint.method != "GET":
        statuses |= {413, 415}
    if "{" in endpoint.path or endpoint.may_be_missing:
        statuses.add(404)
    if endpoint.may_conflict:
        statuses.add(409)
    if endpoint.answers == "text/event-stream":
        statuses.add(429)
    return {str(each): {"$ref": f"#/components/responses/{each}"} for each in sorted(statuses)}
