"""Attempts at a request, for the hook ``NewsLeopard(on_attempt=…)``, and a raw answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, Protocol, TypeAlias

import attrs

from newsleopard_async.plain import Plain

__all__ = ["ApiAttempt", "AttemptOutcome", "CallNext", "OnAttempt", "RawAnswer"]


@attrs.frozen(kw_only=True)
class ApiAttempt(Plain):
    """An attempt at an API request, just before it is sent; without key, query and body.

    Attributes:
        operation: The name of the operation, for example ``submit_campaign``.
        method: The HTTP method.
        path: The path below ``base_url``.
        attempt: The number of the attempt in this call, from 1.
        waited_s: The wait for a slot and a connection, in seconds.
        headers: Additional headers of the request; add yours here, for example ``traceparent``.
    """

    operation: str
    method: str
    path: str
    attempt: int
    waited_s: float
    headers: dict[str, str] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class AttemptOutcome(Plain):
    """The outcome of an attempt.

    Attributes:
        status: The HTTP status, or None if no answer came.
        failure: ``refused`` (at the gateway), ``not_sent``, ``server_error`` or ``reply_lost``;
            None for any other answer, including a refusal.
        duration_s: Time from sending the request to the end of its answer, in seconds.
        request_id: The id of the request at the platform, or None.
        headers: Some headers of the answer that show its origin; names in lower case.
    """

    status: int | None
    failure: Literal["refused", "not_sent", "server_error", "reply_lost"] | None
    duration_s: float
    request_id: str | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)


CallNext: TypeAlias = Callable[[ApiAttempt], Awaitable[AttemptOutcome]]
"""Sends the attempt. A failure of HTTP is an outcome, not an exception."""


class OnAttempt(Protocol):
    """An async function that runs around each attempt at an API request."""

    def __call__(self, attempt: ApiAttempt, call_next: CallNext, /) -> Awaitable[object]:
        """Await ``call_next(attempt)`` once; any code can run before and after it."""
        ...


@attrs.frozen(kw_only=True)
class RawAnswer(Plain):
    """An answer of `NewsLeopard.request` with status 2xx. Its ``repr`` shows only the status.

    Attributes:
        status: The HTTP status.
        headers: The headers by name in lower case; repeated headers are joined by commas.
        json: The parsed body; None without a body.
        request_id: The id of the request at the platform, for questions to the vendor; or None.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    json: Any = attrs.field(repr=False)
    request_id: str | None = attrs.field(default=None, repr=False)
