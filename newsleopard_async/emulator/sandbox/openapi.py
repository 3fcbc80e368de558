"""The description of the control API in OpenAPI 3.1, made of its table."""

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
    400: "What was sent is wrong; every problem is named, with its field.",
    401: "It was asked from elsewhere, and without the token.",
    403: "It was asked from elsewhere, or by a page of another origin.",
    404: "There is no such thing.",
    409: "It cannot be done with this emulator.",
    413: "The body is too large.",
    415: "The content type is not application/json.",
    421: "The header Host names neither this machine nor the public URL.",
    429: "Too many listen already.",
}

_ERROR_SCHEMA: Final = {
    "type": "object",
    "description": "What is wrong.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "problems"],
            "properties": {
                "message": {"type": "string", "description": "One sentence that leads on."},
                "problems": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "message"],
                        "properties": {
                            "field": {
                                "type": "string",
                                "description": "The field's name; empty if it is the whole.",
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
    "id": "Its id, as lists of these show it.",
    "sn": "Its code.",
    "email": "The address.",
    "name": "Its name.",
}


def description(endpoints: Iterable[Endpoint], *, version: str) -> dict[str, Any]:
    """Describe the endpoints."""
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
                "Shows and controls an emulator of NewsLeopard's Campaign API. It is for this "
                "machine alone, unless the emulator was started with a token. Every change needs "
                "the header Content-Type: application/json, also one without a body."
            ),
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                str(status): _response(says, "application/json", _ref("Error"))
                for status, says in _ERRORS.items()
            },
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "The token."}
            },
        },
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _response(says: str, content_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": says, "content": {content_type: {"schema": schema}}}


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
            "required": endpoint.body.__name__ != "NoBody",
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
        says = schema.pop("description")
        # A query has no null: what is left out is it.
        kinds = [each for each in schema.pop("anyOf", []) if each.get("type") != "null"]
        yield {
            "name": name,
            "in": "query",
            "required": False,
            "description": says,
            "schema": {**schema, **(kinds[0] if kinds else {})},
        }
    schemas.update(found)


def _answer(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    if endpoint.answers is None:
        return {"description": "Done."}
    if isinstance(endpoint.answers, str):
        return _response("As the summary says.", endpoint.answers, {"type": "string"})
    schema = schema_of(endpoint.answers, schemas)
    return _response("As the summary says.", "application/json", schema)


def _errors(endpoint: Endpoint) -> dict[str, Any]:
    """Return the errors that may be answered; a query with an unknown name is 400, too."""
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
