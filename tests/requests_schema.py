"""Check that the documentation allows a request: openapi.yaml, read strictly.

Rules beyond plain JSON Schema:

- the three headers of every documented sample are required, on GET too (T10);
- an unknown parameter, or a repeated one that the operation allows once, is refused;
- an operation without a body gets none;
- an element of only the vendor's notes of 2026 is refused, unless the profile is that of the notes,
  and an element that is marked as not canonical (T95) is always refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.openapi import openapi

__all__ = ["NO_SUCH_OPERATION", "Profile", "RequestMismatch", "RequestSchema"]

Profile = Literal["documented", "vendor-2026"]

NO_SUCH_OPERATION = ("no such operation",)
"""The problems of an operation that a profile does not have."""

_BASE = "urn:newsleopard:openapi"
_METHODS = ("get", "put", "post", "delete", "patch")
_JSON = "application/json"


class RequestMismatch(AssertionError):
    """A request that the documentation does not allow.

    Attributes:
        problems: All problems of the request.
    """

    def __init__(self, request: str, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"{request} is not what openapi.yaml says:{lines}")


@attrs.frozen
class _Operation:
    """One method of one path, with its references followed."""

    id: str
    method: str
    pattern: re.Pattern[str]
    path_schemas: Mapping[str, Any]
    query_schemas: Mapping[str, Any]
    required_query: frozenset[str]
    body_schema: Any | None
    max_body_bytes: int | None


class RequestSchema:
    """The requests that openapi.yaml allows.

    Args:
        profile: ``documented`` knows the 12 published endpoints only.
    """

    def __init__(self, profile: Profile = "documented") -> None:
        document = _prune(openapi(), vendor=profile == "vendor-2026")
        resource = DRAFT202012.create_resource(_absolute(document))
        self._document: Any = resource.contents
        self._registry: Registry[Any] = Registry().with_resource(_BASE, resource)
        self._operations = sorted(self._read_operations(), key=_literal_paths_first)

    @property
    def operation_ids(self) -> tuple[str, ...]:
        """The names of all operations, sorted."""
        return tuple(sorted(operation.id for operation in self._operations))

    def check(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[str, str]] | Mapping[str, str],
        body: bytes = b"",
    ) -> str:
        """Check one request and return the id of the operation that it calls.

        Raises:
            RequestMismatch: with all problems.
        """
        path = urlsplit(url).path
        found = self._find(method, path)
        if found is None:
            raise RequestMismatch(f"{method} {path}", NO_SUCH_OPERATION)
        operation, codes = found
        problems = [
            *self._path_problems(operation, codes),
            *self._query_problems(operation, urlsplit(url).query),
            *_header_problems(headers),
            *self._body_problems(operation, body),
        ]
        if problems:
            raise RequestMismatch(f"{method} {path} ({operation.id})", problems)
        return operation.id

    def _find(self, method: str, path: str) -> tuple[_Operation, dict[str, str]] | None:
        for operation in self._operations:
            match = operation.pattern.fullmatch(path)
            if match and operation.method == method.upper():
                return operation, match.groupdict()
        return None

    def _path_problems(self, operation: _Operation, codes: Mapping[str, str]) -> Iterator[str]:
        for name, code in codes.items():
            yield from self._violations(
                operation.path_schemas[name], unquote(code), f"path parameter {name}"
            )

    def _query_problems(self, operation: _Operation, query: str) -> Iterator[str]:
        seen: set[str] = set()
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name in seen:
                yield f"query parameter {name}: given twice"
            seen.add(name)
            schema = operation.query_schemas.get(name)
            if schema is None:
                yield f"query parameter {name}: not documented"
            else:
                yield from self._violations(schema, value, f"query parameter {name}")
        for name in sorted(operation.required_query - seen):
            yield f"query parameter {name}: missing"

    def _body_problems(self, operation: _Operation, body: bytes) -> Iterator[str]:
        if operation.body_schema is None:
            if body:
                yield "body: the operation takes none"
            return
        limit = operation.max_body_bytes
        if limit is not None and len(body) > limit:
            yield f"body: {len(body)} bytes, more than {limit}"
        try:
            value = json.loads(body)
        except ValueError:
            yield "body: no JSON"
        else:
            yield from self._violations(operation.body_schema, value, "body")

    def _violations(self, schema: Any, value: Any, where: str) -> Iterator[str]:
        validator = Draft202012Validator(
            schema, registry=self._registry, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        for error in validator.iter_errors(value):
            for leaf in _leaves(error):
                path = ".".join(str(part) for part in leaf.absolute_path)
                yield f"{where}{'.' if path else ''}{path}: {leaf.message[:300]}"

    def _read_operations(self) -> Iterator[_Operation]:
        for template, item in self._document["paths"].items():
            for method in _METHODS:
                if method in item:
                    yield self._read_operation(template, item, method)

    def _read_operation(self, template: str, item: Any, method: str) -> _Operation:
        raw = item[method]
        parameters = [
            self._followed(parameter)
            for parameter in [*item.get("parameters", []), *raw.get("parameters", [])]
        ]
        body = self._followed(raw.get("requestBody"))
        content = self._followed(body["content"][_JSON]) if body else None
        query = [parameter for parameter in parameters if parameter["in"] == "query"]
        return _Operation(
            id=raw["operationId"],
            method=method.upper(),
            pattern=re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))),
            path_schemas={p["name"]: p["schema"] for p in parameters if p["in"] == "path"},
            query_schemas={p["name"]: p["schema"] for p in query},
            required_query=frozenset(p["name"] for p in query if p.get("required")),
            body_schema=content["schema"] if content else None,
            max_body_bytes=raw.get("x-max-payload-bytes"),
        )

    def _followed(self, node: Any) -> Any:
        """Follow a reference that replaces a parameter or a body."""
        while isinstance(node, dict) and "$ref" in node:
            node = self._registry.resolver().lookup(node["$ref"]).contents
        return node


def _literal_paths_first(operation: _Operation) -> tuple[int, str]:
    """Order as the server routes: ``/imports/file`` before ``/imports/{list_sn}``."""
    return operation.pattern.groups, operation.id


def _prune(document: Any, *, vendor: bool) -> Any:
    """Copy the document without what this profile must not send."""

    def unwanted(node: Any) -> bool:
        node = _at(document, node["$ref"]) if isinstance(node, dict) and "$ref" in node else node
        if not isinstance(node, dict):
            return False
        of_vendor = node.get("x-source") == "vendor-2026" and not vendor
        return of_vendor or node.get("x-canonical") is False

    return _without(document, unwanted)


def _without(node: Any, unwanted: Callable[[Any], bool]) -> Any:
    if isinstance(node, list):
        return [_without(child, unwanted) for child in node if not unwanted(child)]
    if isinstance(node, dict):
        return {
            key: _without(child, unwanted) for key, child in node.items() if not unwanted(child)
        }
    return node


def _at(document: Any, reference: str) -> Any:
    node = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


def _absolute(node: Any) -> Any:
    """Copy the document with references that also work in a separate part of it."""
    if isinstance(node, list):
        return [_absolute(child) for child in node]
    if isinstance(node, dict):
        return {
            key: _BASE + child if key == "$ref" else _absolute(child) for key, child in node.items()
        }
    return node


def _header_problems(headers: Iterable[tuple[str, str]] | Mapping[str, str]) -> Iterator[str]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name.lower(), []).append(value)
    for name in ("content-type", "accept", "x-api-key"):
        found = values.get(name, [])
        if len(found) != 1:
            yield f"header {name}: given {len(found)} times"
        elif name == "x-api-key" and not re.fullmatch(r"[!-~]+", found[0]):
            yield "header x-api-key: not visible ASCII"
        elif name != "x-api-key" and not _is_json(found[0]):
            yield f"header {name}: {found[0]!r} is not {_JSON}"


def _is_json(media_type: str) -> bool:
    kind, _, parameters = media_type.partition(";")
    charset = parameters.strip().lower()
    return kind.strip().lower() == _JSON and charset in {"", "charset=utf-8"}


def _leaves(error: Any) -> Iterator[Any]:
    """Return why the closest branch of an `anyOf` or `oneOf` does not match."""
    if not error.context:
        yield error
        return
    branches: dict[Any, list[Any]] = {}
    for child in error.context:
        branches.setdefault(child.schema_path[0], []).append(child)
    for child in min(branches.values(), key=len):
        yield from _leaves(child)
