"""A call of one's own, to an endpoint that this library does not know yet."""

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
"""Chosen: servers take request lines of 8 KB (nginx's default), with method and version."""

_RULES: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "one-slash": (
        re.compile(r"\A(?!/)"),
        'must begin with one "/", such as /v1/balance; the host is that of base_url',
    ),
    "two-slashes": (
        re.compile("//"),
        'must not have "//", also encoded, where a host or an empty segment begins; write one "/"',
    ),
    "dots": (
        re.compile(r"\.\.|/\.(?:/|\Z)"),
        'must not have ".." or "/./", also encoded, which lead elsewhere; write the path itself',
    ),
    "backslash": (re.compile(r"\\"), r'must not have "\", also encoded; write "/"'),
    "control": (
        re.compile(r"[\x00-\x1f\x7f]"),
        "must not have control characters, also encoded; leave them out",
    ),
}
"""What a path must not have, as it stands and decoded: it leads to the API and nowhere else."""

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
    given = result.get()
    assert isinstance(result.outcome, Answer)  # nothing else is a success
    answer = result.outcome
    return RawAnswer(
        status=answer.status, headers=answer.headers, json=given, request_id=answer.request_id
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
            'must be "never", or "read" if a second request changes nothing, as of a read',
        )


def _problem_of_path(path: str) -> Problem | None:
    if len(path) > _LONGEST_PATH:
        return Problem("path", "too-long", f"must have {_LONGEST_PATH:,} characters at most")
    if "#" in path:
        return Problem("path", "fragment", 'must not have "#", which is not sent; write %23')
    # A query may have what a path must not: it leads nowhere.
    own = path.partition("?")[0]
    for form in (own, _decoded(own)):
        for rule, (pattern, message) in _RULES.items():
            if pattern.search(form):
                return Problem("path", rule, message)
    if _UNSENDABLE.search(path):
        return Problem(
            "path",
            "characters",
            "must have neither blanks nor characters beyond ASCII, nor a single %; percent-encode "
            "it: urllib.parse.quote(…)",
        )
    return None


def _decoded(path: str) -> str:
    """Decode a path for as long as that changes it: servers in between decode once more."""
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
        # Without the cause, which would show what is in it.
        yield Problem(
            "body",
            "json",
            "holds what JSON cannot: give mappings with names, lists, text of whole characters, "
            "finite numbers, true, false and null",
        )


def _as_json(body: Any) -> Any:
    """Return a body as JSON's writer knows it, which takes no mappings but dicts."""
    return dict(body) if isinstance(body, Mapping) else body
