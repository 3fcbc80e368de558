"""What a hook around each attempt receives and returns (``NewsLeopard(on_attempt=…)``)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, Protocol, TypeAlias

import attrs

from newsleopard_async.plain import Plain

__all__ = ["ApiAttempt", "AttemptOutcome", "CallNext", "OnAttempt", "RawAnswer"]


@attrs.frozen(kw_only=True)
class ApiAttempt(Plain):
    """An attempt at a request of the API that is about to be sent: no key, no query, no body.

    Attributes:
        operation: What is called, as ``submit_campaign``.
        method: The HTTP method.
        path: Below ``base_url``.
        attempt: The number of the attempt at this call, from 1 on.
        waited_s: How long it has waited for its turn and for a connection, in seconds.
        headers: Add the headers that are to be sent with it, such as ``traceparent``.
    """

    operation: str
    method: str
    path: str
    attempt: int
    waited_s: float
    headers: dict[str, str] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class AttemptOutcome(Plain):
    """What became of an attempt.

    Attributes:
        status: The HTTP status, or None if no answer came.
        failure: ``refused`` (at the gateway), ``not_sent``, ``server_error`` or ``reply_lost``;
            None for any other answer, also one that refuses.
        duration_s: From handing it over to the end of its answer, in seconds.
        request_id: The id that the platform gave it, or None.
        headers: Some headers of the answer, which show where it came from; names in lower case.
    """

    status: int | None
    failure: Literal["refused", "not_sent", "server_error", "reply_lost"] | None
    duration_s: float
    request_id: str | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)


CallNext: TypeAlias = Callable[[ApiAttempt], Awaitable[AttemptOutcome]]
"""Sends the attempt. It raises no error for a failure of HTTP, which is an outcome."""


class OnAttempt(Protocol):
    """An async function around each attempt at a request of the API, within the retries."""

    def __call__(self, attempt: ApiAttempt, call_next: CallNext, /) -> Awaitable[object]:
        """Await ``call_next(attempt)`` once, and do what is to be done before and after."""
        ...


@attrs.frozen(kw_only=True)
class RawAnswer(Plain):
    """An answer as it came, with a status of 2xx. Only the status is in its ``repr``.

    Attributes:
        status: The HTTP status.
        headers: By their names in lower case; one that came several times is joined by commas.
        json: The body, parsed; None if there was no content.
        request_id: The id that the platform gave the request, to quote to the vendor; None if it
            gave none.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    json: Any = attrs.field(repr=False)
    request_id: str | None = attrs.field(default=None, repr=False)
