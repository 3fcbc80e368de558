"""A call with all its attempts: its log lines, its spans, and its listener.

Each attempt writes one line at DEBUG, each retry and each throttle one at INFO. The extra fields of
the records (``nl_…``) are JSON-safe. No line contains a query, a body, a header that we send, or
the path of a presigned URL.
"""

from __future__ import annotations

import contextlib
import logging
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import anyio
import attrs

from newsleopard_async.clock import Clock
from newsleopard_async.log import Log
from newsleopard_async.telemetry import is_traced
from newsleopard_async.transport.http import Exchange, perform
from newsleopard_async.transport.limits.limit_state import Hold
from newsleopard_async.transport.outcome import Answer, Outcome, throttle_text
from newsleopard_async.transport.pace import listener
from newsleopard_async.transport.spans import CallSpan

__all__ = ["Call", "fields_of"]

_log: Final = Log()

_UNTRACED: Final = contextlib.nullcontext()


@attrs.define(kw_only=True, eq=False)
class Call:
    """A call of the API or of the file storage, from its first attempt to its last.

    The attempts follow each other: each one begins (`queue`), gets its slot and connection
    (`admit`), and ends (`perform`, `end`).

    Attributes:
        operation: The name of the operation, for example ``submit_campaign``.
        method: The HTTP method.
        base_url: The base URL, without a query.
        path: The path without its query; None for the storage, where it is part of a presigned URL.
        attempts: How many attempts have begun.
        duration_s: The duration of the last attempt that has ended, in seconds.
        waited_s: How long this attempt has waited for its slot and for a connection, in seconds.
        last: The outcome of the last attempt that has ended; None before, and if it was cut off.
        error: The error of a call whose last attempt was answered.
    """

    operation: str
    method: str
    base_url: str
    path: str | None = None
    clock: Clock = attrs.field(repr=False)
    attempts: int = 0
    duration_s: float = 0.0
    waited_s: float = 0.0
    last: Outcome | None = attrs.field(default=None, repr=False)
    error: Exception | None = attrs.field(default=None, repr=False)
    _queued_at: float = 0.0
    _span: CallSpan = attrs.field(init=False, repr=False)
    _open: AbstractContextManager[None] = attrs.field(init=False, repr=False)

    @_span.default
    def _of_this(self) -> CallSpan:
        return CallSpan(
            operation=self.operation, method=self.method, base_url=self.base_url, path=self.path
        )

    @property
    def host(self) -> str:
        """The host of the base URL."""
        return urlsplit(self.base_url).hostname or ""

    def __enter__(self) -> Self:
        self._open = self._span.opened() if is_traced() else _UNTRACED
        self._open.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is None:
            self._span.ended(self.attempts, self.last, self.error)
        self._open.__exit__(exc_type, exc, traceback)

    def queue(self) -> None:
        """Record that an attempt begins: it waits for its slot."""
        self.attempts += 1
        self.waited_s = 0.0
        self._queued_at = self.clock.monotonic()

    def admit(self) -> None:
        """Record that the wait is over."""
        self.waited_s = self.clock.monotonic() - self._queued_at
        self._span.admitted(self.attempts, self.waited_s)

    async def perform(self, exchange: Exchange) -> Outcome:
        """Make the attempt and return its outcome.

        Raises:
            NewsLeopardError: from the body being sent or the reading of the answer, unchanged.
        """
        began = self.clock.monotonic()
        try:
            outcome = await perform(exchange)
        except BaseException as error:
            self._cut_off(error, self.clock.monotonic() - began)
            raise
        self.end(outcome, self.clock.monotonic() - began)
        return outcome

    def end(self, outcome: Outcome, duration_s: float = 0.0) -> None:
        """Record the outcome of an attempt."""
        self.last, self.duration_s = outcome, duration_s
        heard = listener.get()
        if heard is not None and isinstance(outcome, Answer):
            # Before the observer is notified, because it stores the id. An error must not fail the
            # call.
            with contextlib.suppress(Exception):
                heard.answered(self.operation, outcome.request_id)
        self._span.attempted(self.attempts, outcome, duration_s=duration_s, waited_s=self.waited_s)
        if _log.isEnabledFor(logging.DEBUG):
            self._log_attempt(_described(outcome), fields_of(outcome), duration_s)

    def retry(self, outcome: Outcome, delay_s: float) -> None:
        """Record that another attempt follows after a wait."""
        if _log.isEnabledFor(logging.INFO):
            why = _described(outcome)
            _log.info(
                "%s is tried again in %.2f s, after attempt %d: %s",
                self.operation,
                delay_s,
                self.attempts,
                why,
                extra=self._fields | fields_of(outcome) | {"nl_delay_s": round(delay_s, 3)},
            )

    def throttled(self, outcome: Answer, hold: Hold) -> None:
        """Log that the gateway refused the attempt, for the first refusal of a burst.

        The other refusals of the burst are logged at DEBUG only.
        """
        if _log.isEnabledFor(logging.INFO):
            _log.info(
                "the platform refused %s (%s); no request is sent for %.1f s%s",
                self.operation,
                _described(outcome),
                hold.for_s,
                "; the daily quota counts as exhausted" if hold.is_day_gone else "",
                extra=self._fields | fields_of(outcome) | {"nl_delay_s": round(hold.for_s, 3)},
            )

    def _cut_off(self, error: BaseException, duration_s: float) -> None:
        self.last = None
        self._span.attempted(self.attempts, None, duration_s=duration_s, waited_s=self.waited_s)
        if _log.isEnabledFor(logging.DEBUG):
            is_cancelled = isinstance(error, anyio.get_cancelled_exc_class())
            failure = "cancelled" if is_cancelled else "stopped"
            # The text of the error can contain something about the uploaded file.
            why = failure if is_cancelled else f"{failure} by {type(error).__name__}"
            self._log_attempt(why, {"nl_failure": failure}, duration_s)

    def _log_attempt(self, said: str, fields: dict[str, Any], duration_s: float) -> None:
        duration_ms = round(duration_s * 1e3, 1)
        request_id = fields.get("nl_request_id")
        _log.debug(
            "%s (%s): %s in %.0f ms; attempt %d, waited %.2f s%s",
            self.operation,
            f"{self.method} {self.host if self.path is None else self.path}",
            said,
            duration_ms,
            self.attempts,
            self.waited_s,
            "" if request_id is None else f", request id {request_id}",
            extra=self._fields
            | fields
            | {"nl_duration_ms": duration_ms, "nl_waited_s": round(self.waited_s, 3)},
        )

    @property
    def _fields(self) -> dict[str, Any]:
        known = {
            "nl_operation": self.operation,
            "nl_method": self.method,
            "nl_host": self.host,
            "nl_attempt": self.attempts,
        }
        return known if self.path is None else known | {"nl_path": self.path}


def fields_of(outcome: Outcome) -> dict[str, Any]:
    """Return the fields of a log record for an outcome, without unknown ones."""
    failure = outcome.failure
    known: dict[str, Any] = {} if failure is None else {"nl_failure": failure.word}
    if not isinstance(outcome, Answer):
        return known | {"nl_reason": outcome.cause}
    known["nl_status"] = outcome.status
    if outcome.request_id is not None:
        known["nl_request_id"] = outcome.request_id
    return known


def _described(outcome: Outcome) -> str:
    if isinstance(outcome, Answer):
        text = throttle_text(outcome.body)
        return f"HTTP {outcome.status}" + (f' "{text}"' if text else "")
    assert outcome.failure is not None
    return f"{outcome.failure.value} ({outcome.reason}; {outcome.cause})"
