"""The possible outcomes of one attempt, as values.

An attempt ends in an `Answer`, or in one of two facts: `NotSent` (the server cannot have seen the
request) or `ReplyLost` (the server has possibly seen it). No caller of this module handles an
exception of HTTP.
"""

from __future__ import annotations

import enum
import functools
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import ClassVar, Final, Literal, cast

import attrs

from newsleopard_async.errors import NewsLeopardError
from newsleopard_async.transport.redact import Secret
from newsleopard_async.transport.request_ids import request_id_of, selected

__all__ = [
    "Answer",
    "Cause",
    "Failure",
    "NotSent",
    "Outcome",
    "ReplyLost",
    "retry_after_s",
    "throttle_text",
]

Cause = Literal["dns", "refused", "unreachable", "reset", "tls", "proxy", "timeout", "other"]
"""Why no answer came; the caller finds it in `errors.ConnectionFailed`."""

_THROTTLE_TEXTS: Final = frozenset({"limit exceeded", "too many requests"})
_LONGEST_THROTTLE_BODY: Final = 200
"""A longer body is not parsed for these texts. Chosen: six times the longest one in JSON."""

_LONGEST_RETRY_AFTER_S: Final = 7 * 86_400.0
"""Chosen: a week, because a damaged header must not shut the limiter's gate for ever."""


FailureWord = Literal["refused", "not_sent", "server_error", "reply_lost"]


class Failure(enum.Enum):
    """The kinds of failure, one for each column of the table in `repeating`."""

    REFUSED = "refused at the gateway"
    NOT_SENT = "not sent"
    SERVER_ERROR = "5xx"
    REPLY_LOST = "reply lost"

    @property
    def word(self) -> FailureWord:
        """The name of the failure in logs and hooks."""
        return cast("FailureWord", self.name.lower())


@attrs.frozen
class Answer:
    """The server answered, possibly with a refusal.

    Attributes:
        status: The HTTP status.
        body: The body.
        retry_after: The header of that name.
        error_type: The header ``x-amzn-errortype``, with which the gateway marks its own refusals.
        headers: All headers, by their names in lower case; they do not count in comparisons.
        secret: A text that the headers can echo: the key, or what is signed in a URL.
    """

    status: int
    body: bytes = attrs.field(default=b"", repr=False)
    retry_after: str | None = None
    error_type: str | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False, eq=False)
    secret: Secret | None = attrs.field(default=None, repr=False, eq=False)

    @functools.cached_property
    def request_id(self) -> str | None:
        """The id that the server gave the request, or None."""
        return request_id_of(self.headers, self.secret)

    @property
    def selected_headers(self) -> dict[str, str]:
        """The headers that can be shown."""
        return selected(self.headers, self.secret)

    def stamp(self, error: NewsLeopardError) -> None:
        """Add the request id and the headers of this answer to an error."""
        error.request_id, error.headers = self.request_id, self.selected_headers

    @property
    def successful(self) -> bool:
        """Whether the status is a 2xx."""
        return 200 <= self.status < 300

    @functools.cached_property
    def failure(self) -> Failure | None:
        """The failure, or None if the answer can be read."""
        # Never a 2xx or 3xx: after such an answer, the request has possibly taken effect.
        if self.status == 429 or (400 <= self.status < 600 and throttle_text(self.body)):
            return Failure.REFUSED
        # A 408 means that the server stopped waiting. It can have begun to process the request.
        if self.status >= 500 or self.status == 408:
            return Failure.SERVER_ERROR
        return None


@attrs.frozen
class NotSent:
    """The request did not reach the server.

    Attributes:
        reason: What happened.
        cause: The same, as one of a few words.
        way_out: What to change in the set-up; None if a further attempt makes sense.
    """

    reason: str
    cause: Cause = "other"
    way_out: str | None = None
    failure: ClassVar[Failure] = Failure.NOT_SENT


@attrs.frozen
class ReplyLost:
    """The request has possibly reached the server; its reply did not arrive completely.

    Attributes:
        reason: What happened.
        cause: The same, as one of a few words.
    """

    reason: str
    cause: Cause = "other"
    failure: ClassVar[Failure] = Failure.REPLY_LOST


Outcome = Answer | NotSent | ReplyLost


def throttle_text(body: bytes) -> str | None:
    """Return the throttle's text if it is the body's whole message, else None (T06)."""
    if len(body) > _LONGEST_THROTTLE_BODY:
        return None
    text = body.decode("utf-8", "replace").strip()
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = text
    if isinstance(parsed, dict) and set(parsed) == {"message"}:
        parsed = parsed["message"]
    folded = parsed.strip().lower() if isinstance(parsed, str) else ""
    return folded if folded in _THROTTLE_TEXTS else None


def retry_after_s(outcome: Outcome, now: datetime) -> float | None:
    """Read a ``Retry-After`` header, in seconds or as a date; return None if there is none.

    The result is at most a week, even if the header requests more.
    """
    value = outcome.retry_after if isinstance(outcome, Answer) else None
    if value is None:
        return None
    if value.strip().isdecimal():
        # A number of any length becomes a float; the longest ones become infinity.
        return min(float(value), _LONGEST_RETRY_AFTER_S)
    try:
        when = parsedate_to_datetime(value)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        asked_s = (when - now).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        # The parser of the standard library raises any of these for a text that is not a date.
        return None
    return min(max(0.0, asked_s), _LONGEST_RETRY_AFTER_S)
