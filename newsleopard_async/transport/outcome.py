"""What can become of one attempt, as values.

An attempt ends in an `Answer`, or in one of two facts: `NotSent` (the server cannot have
seen the request) or `ReplyLost` (it may have). Nothing above sees an exception of HTTP.
"""

from __future__ import annotations

import enum
import json
from typing import Final

import attrs

__all__ = ["Answer", "Failure", "NotSent", "Outcome", "ReplyLost", "classify", "throttle_text"]

_THROTTLE_TEXTS: Final = frozenset({"limit exceeded", "too many requests"})
_LONGEST_THROTTLE_BODY: Final = 200


@attrs.frozen
class Answer:
    """The server answered, whatever it said."""

    status: int
    body: bytes = attrs.field(default=b"", repr=False)
    retry_after: str | None = None

    @property
    def successful(self) -> bool:
        """Whether the status is a 2xx."""
        return 200 <= self.status < 300


@attrs.frozen
class NotSent:
    """The request did not reach the server."""

    reason: str


@attrs.frozen
class ReplyLost:
    """The request may have reached the server; its reply did not arrive whole."""

    reason: str


Outcome = Answer | NotSent | ReplyLost


class Failure(enum.Enum):
    """The ways to fail that are worth telling apart; a column of the table each."""

    REFUSED = "refused at the gateway"
    NOT_SENT = "not sent"
    SERVER_ERROR = "5xx"
    REPLY_LOST = "reply lost"


def classify(outcome: Outcome) -> Failure | None:
    """Name the failure, or None for an answer that is to be read."""
    match outcome:
        case NotSent():
            return Failure.NOT_SENT
        case ReplyLost():
            return Failure.REPLY_LOST
        case Answer() if outcome.status == 429 or throttle_text(outcome.body):
            return Failure.REFUSED
        # 408 is the server's own "I gave up on you": it may have begun all the same.
        case Answer() if outcome.status >= 500 or outcome.status == 408:
            return Failure.SERVER_ERROR
        case _:
            return None


def throttle_text(body: bytes) -> str | None:
    """Return the throttle's text where it is the body's whole message, else None (T06)."""
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
