"""A request as a value: where it is sent, what it contains, and whether it can be repeated."""

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
        path: The path below the base URL, percent-encoded; see `path`. A raw one can have a query.
        decode: Converts the answer's parsed JSON to a model, and notes unreadable fields.
        kind: What can be done when it fails; by default nothing, because a repetition can do harm.
        query: Pairs for the query string; empty values are left out.
        body: The body, sent as JSON, or None. It can contain contacts, so no repr shows it.
        ignores_answer: Whether any 2xx is the whole answer (the body is not read).
        export_of: The campaign whose hourly export this request counts against.
        polite: Whether other requests have priority, as they have over polls.
        hint: What to check when the server answers 400 or 500 without content.
        look_for: How to find its effect, if it must not be repeated: ``for the list "x"``.
        empty_500_once: Whether a 500 without content is repeated only once (T51).
        urgent: Whether it has priority over all others, and is tried once even if the daily quota
            seems to be exhausted.
        later: Whether it is one of the endpoints that an account may not have (T18).
        about: What the caller's code in the path names: ``the campaign``.
        instead: What to do if the endpoint does not exist.
        raw: Whether it is the caller's own call, to an endpoint that we possibly do not know.
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
    """Read an answer whose only information is that the request took effect."""


def path(template: str, **segments: str) -> str:
    """Fill a path template, percent-encoding each segment (T11)."""
    return template.format(**{name: quote(value, safe="") for name, value in segments.items()})
