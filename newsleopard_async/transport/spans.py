"""A call in OpenTelemetry: a span, an event for each attempt, and metrics.

Names follow the semantic conventions for HTTP, or begin with ``newsleopard.``. ``url.full`` has no
query, and is left out for the file storage, because its URLs are presigned. Of an error, only the
name is recorded, never the text.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from newsleopard_async import telemetry
from newsleopard_async.models.options import Usage
from newsleopard_async.transport.outcome import Answer, Outcome
from newsleopard_async.transport.urls import OWN_PORTS

__all__ = ["CallSpan", "record_day"]

_REQUEST_ID: Final = "newsleopard.request_id"

_NO_ANSWER: Final = "cancelled"
"""The ``error.type`` of an attempt that did not run to its end."""


@attrs.define(kw_only=True, eq=False)
class CallSpan:
    """The span of an open call, and the metrics of its attempts.

    Attributes:
        operation: The name of the operation.
        method: The HTTP method.
        base_url: The base URL, without a query.
        path: The path below it, without a query; None for the file storage.
    """

    operation: str
    method: str
    base_url: str = attrs.field(repr=False)
    path: str | None = None
    _span: telemetry.Span | None = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Open the span; it is the parent of all spans that the attempts open."""
        full = None if self.path is None else f"{self.base_url}{self.path}"
        about = {**self._server, "url.full": full}
        with telemetry.span(
            f"newsleopard.call.{self.operation}", client=True, attributes=about
        ) as span:
            self._span = span
            yield

    def admitted(self, attempt: int, waited_s: float) -> None:
        """Record that an attempt has its slot and its connection."""
        if telemetry.is_measured():
            telemetry.record("newsleopard.client.queue.duration", waited_s, self._server)
            if attempt > 1:
                telemetry.record("newsleopard.client.retries", 1, self._server)

    def attempted(
        self, attempt: int, outcome: Outcome | None, *, duration_s: float, waited_s: float
    ) -> None:
        """Record the outcome of an attempt; None if it was cut off."""
        if self._span is not None:
            about = {
                **_ending(outcome),
                "http.request.resend_count": attempt - 1 or None,
                "newsleopard.waited_s": waited_s,
                "newsleopard.duration_s": duration_s,
            }
            self._span.event("newsleopard.attempt", about)
        if telemetry.is_measured():
            about = {**self._server, **_ending(outcome), _REQUEST_ID: None}
            telemetry.record("http.client.request.duration", duration_s, about)

    def ended(self, attempts: int, outcome: Outcome | None, error: Exception | None) -> None:
        """Record how the call ended: like its last attempt, or with an error."""
        if self._span is None:
            return
        ending = _ending(outcome)
        why = ending.pop("error.type")
        self._span.set({**ending, "http.request.resend_count": attempts - 1 or None})
        if error is not None:
            why = type(error).__qualname__
        if why is not None:
            self._span.failed(why)

    @property
    def _server(self) -> dict[str, Any]:
        parts = urlsplit(self.base_url)
        return {
            "http.request.method": self.method,
            "server.address": parts.hostname or "",
            "server.port": parts.port or OWN_PORTS.get(parts.scheme),
            "url.scheme": parts.scheme,
            "newsleopard.operation": self.operation,
        }


def _ending(outcome: Outcome | None) -> dict[str, Any]:
    """Return the attributes of an outcome; for a client, each 4xx and 5xx is an error."""
    if isinstance(outcome, Answer):
        return {
            "http.response.status_code": outcome.status,
            "error.type": str(outcome.status) if outcome.status >= 400 else None,
            _REQUEST_ID: outcome.request_id,
        }
    why = _NO_ANSWER if outcome is None else outcome.cause
    return {"error.type": why, _REQUEST_ID: None}


def record_day(base_url: str, usage: Usage) -> None:
    """Record the requests of the day, as far as this event loop knows them."""
    about = {"server.address": urlsplit(base_url).hostname or ""}
    telemetry.record("newsleopard.client.day.used", usage.used, about)
    if usage.remaining is not None:
        telemetry.record("newsleopard.client.day.remaining", usage.remaining, about)
