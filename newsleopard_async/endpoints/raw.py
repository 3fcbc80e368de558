"""The caller's own requests, to endpoints that this library does not support."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from newsleopard_async.errors import Problem
from newsleopard_async.models.attempts import RawAnswer
from newsleopard_async.models.validation import raise_problems, wrong_type
from newsleopard_async.transport.api import Api
from newsleopard_async.transport.outcome import Answer
from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.request import Request

__all__ = ["request"]

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")

_KINDS: Final = {"never": Kind.SUBMIT, "read": Kind.READ}

_LONGEST_PATH: Final = 8_000
"""Characters of a path. Chosen: nginx accepts lines of 8 KB, including method and version."""

_RULES: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "one-slash": (
        re.compile(r"\A(?!/)"),
        'must begin with one "/", for example /v1/balance; base_url contains the host',
    ),
    "two-slashes": (
        re.compile("//"),
        'must not contain "//", even encoded, because it begins a host; write one "/"',
    ),
    "dots": (
        re.compile(r"\.\.|/\.(?:/|\Z)"),
        'must not contain ".." or "/./", even encoded, which change the path; leave them out',
    ),
    "backslash": (re.compile(r"\\"), r'must not contain "\", even encoded; write "/"'),
    "control": (
        re.compile(r"[\x00-\x1f\x7f]"),
        "must not contain control characters, even encoded; leave them out",
    ),
}
"""Parts that a path must not have, plain or decoded, so that it leads only to the API."""

_UNSENDABLE: Final = re.compile(r"[^\x21-\x7e]|%(?![0-9A-Fa-f]{2})")


_IF_IT_READS: Final = 'it up (if it only reads, pass repeat="read")'


async def request(api: Api, method: str, path: str, *, body: object, repeat: str) -> RawAnswer:
    """Send a request; see `NewsLeopard.request`."""
    raise_problems([*_problems(method, path, repeat), *_problems_of_body(body)])
    result = await api.result(
        Request(
            name="request",
            method=method,
            path=path,
            body=_as_json(body),
            kind=_KINDS[repeat],
            look_for=_IF_IT_READS if method == "GET" and repeat == "never" else "",
            raw=True,
            decode=lambda data, _: data,
        )
    )
    parsed = result.get()
    assert isinstance(result.outcome, Answer)  # only an answer is a success
    answer = result.outcome
    return RawAnswer(
        status=answer.status, headers=answer.headers, json=parsed, request_id=answer.request_id
    )


def _problems(method: object, path: object, repeat: object) -> Iterator[Problem]:
    if method not in _METHODS:
        yield Problem("method", "method", f"must be one of {', '.join(_METHODS)}, in capitals")
    if not isinstance(path, str):
        yield wrong_type("path", path, "text such as /v1/balance")
    elif (found := _problem_of_path(path)) is not None:
        yield found
    if repeat not in tuple(_KINDS):
        yield Problem(
            "repeat",
            "repeat",
            'must be "never", or "read" if a second request changes nothing',
        )


def _problem_of_path(path: str) -> Problem | None:
    if len(path) > _LONGEST_PATH:
        return Problem("path", "too-long", f"must have at most {_LONGEST_PATH:,} characters")
    if "#" in path:
        return Problem("path", "fragment", 'must not contain "#", which is not sent; write %23')
    # The query is not checked, because it cannot change the destination.
    own = path.partition("?")[0]
    for form in (own, _decoded(own)):
        for rule, (pattern, message) in _RULES.items():
            if pattern.search(form):
                return Problem("path", rule, message)
    if _UNSENDABLE.search(path):
        return Problem(
            "path",
            "characters",
            "must not contain blanks, characters beyond ASCII or a single %; percent-encode it "
            "with urllib.parse.quote(…)",
        )
    return None


def _decoded(path: str) -> str:
    """Decode a path repeatedly until it does not change, because proxies can decode again."""
    while (decoded := unquote(path)) != path:
        path = decoded
    return path


def _problems_of_body(body: object) -> Iterator[Problem]:
    if body is None:
        return
    if not isinstance(body, (Mapping, list, tuple)):
        yield wrong_type("body", body, "a mapping or a list")
        return
    try:
        json.dumps(_as_json(body), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        # The cause is not chained, because it would show the content.
        yield Problem(
            "body",
            "json",
            "contains a value that JSON cannot encode; use only dicts with text keys, lists, valid "
            "Unicode text, finite numbers, True, False and None",
        )


def _as_json(body: Any) -> Any:
    """Return a mapping as a dict, because json.dumps accepts no other mapping."""
    return dict(body) if isinstance(body, Mapping) else body
