"""A request is a value: where it goes, what it says, and what may be done when it fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

import attrs

from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.wire.values import Unread

__all__ = ["Request", "decode_nothing", "path"]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Request(Generic[T]):
    """One request to the API, without the key.

    Attributes:
        name: The operation, for logs and errors.
        method: The HTTP method.
        path: Below the base URL, percent-encoded; see `path`. A raw one may have a query.
        decode: Turns the answer's parsed JSON into a model, and notes what it could not read.
        kind: What may be done when it fails; the default is that nothing may.
        query: Pairs for the query string; empty values are left out.
        body: What is sent as JSON, or None for no body; contacts, hence in no repr.
        ignores_answer: Whether any 2xx is the whole answer (the body is not read).
        export_of: The campaign whose hourly export this counts against.
        polite: Whether it lets other requests go first (polls do).
        hint: What to check when the server answers 400 or 500 without a word.
        look_for: How its effect is found, for what must not be repeated: ``for the list "x"``.
        empty_500_once: Whether a 500 without content is repeated only once (T51).
        urgent: Whether it goes before all others, and is tried once even if the day's requests
            seem to be used up.
        later: Whether it is one of the endpoints that an account may not have (T18).
        about: What the code in the path names, if it is the caller's: ``the campaign``.
        instead: What to do where there is no such endpoint.
        raw: Whether it is a call of the caller's own, to an endpoint that we may not know.
    """

    name: str
    method: str
    path: str
    decode: Callable[[object, Unread], T]
    kind: Kind = Kind.SUBMIT
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | Sequence[Any] | None = attrs.field(default=None, repr=False)
    ignores_answer: bool = False
    export_of: str | None = None
    polite: bool = False
    hint: str = ""
    look_for: str = ""
    empty_500_once: bool = False
    urgent: bool = False
    later: bool = False
    about: str = ""
    instead: str = ""
    raw: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"

    @property
    def target(self) -> str:
        """The path with its query."""
        pairs = [pair for pair in self.query if pair[1]]
        return f"{self.path}?{urlencode(pairs)}" if pairs else self.path


def decode_nothing(data: object, unread: Unread) -> None:
    """Read an answer that means nothing but that the request took effect."""


def path(template: str, **segments: str) -> str:
    """Fill a path template, percent-encoding each segment (T11)."""
    return template.format(**{name: quote(value, safe="") for name, value in segments.items()})
