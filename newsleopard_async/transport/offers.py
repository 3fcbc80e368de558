"""Which of the later endpoints an account has, as far as the answers to a client show (T18).

The published documentation has twelve endpoints, and the vendor's notes eleven more. Without one of
these the gateway refuses the request before it reaches the platform: it does not know the path
(404, 405, or 403 with a text of its own), or its answer is the same as to a wrong key.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import attrs

from newsleopard_async.errors import AuthenticationError, NewsLeopardError, NotOffered
from newsleopard_async.transport.outcome import Answer, Outcome
from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.request import Request
from newsleopard_async.transport.wire.refusals import ErrorBody, decode_error, parse_refusal

__all__ = ["KEY_CHECK", "Offers", "not_offered"]

_NO_SUCH_ROUTE: Final = "Missing Authentication Token"
"""What Amazon's API gateway says of a path or method that it does not know, with status 403."""

KEY_CHECK: Final[Request[None]] = Request(
    name="list_lists",
    method="GET",
    path="/v1/contacts/lists",
    query=(("page", "0"), ("size", "1")),
    kind=Kind.READ,
    decode=lambda *_: None,
    ignores_answer=True,
)
"""The cheapest documented request: whether it is accepted says whether the key is good."""


@attrs.define(eq=False)
class Offers:
    """What a client, and all that were made from it, know of the endpoints.

    Attributes:
        key_is_good: Whether a request with its key was accepted.
    """

    key_is_good: bool = False
    _absent: dict[str, int] = attrs.field(factory=dict, init=False)
    _present: set[str] = attrs.field(factory=set, init=False)

    def check(self, request: Request[Any]) -> None:
        """Refuse a request whose endpoint is known to be absent, so that it is not sent.

        Raises:
            NotOffered: what to do without it.
        """
        status = self._absent.get(request.name) if request.later else None
        if status is not None:
            raise not_offered(request, status)

    def note(self, request: Request[Any], outcome: Outcome, error: NewsLeopardError | None) -> None:
        """Learn from how a call ended."""
        if error is None and not request.raw:
            self.key_is_good = True
        if not request.later or not isinstance(outcome, Answer):
            return
        if outcome.successful or _refused(outcome).code is not None:
            self._present.add(request.name)
        elif isinstance(error, NotOffered) and request.name not in self._present:
            self._absent[request.name] = outcome.status

    def is_present(self, request: Request[Any]) -> bool:
        """Whether the platform itself has answered such a request before."""
        return request.name in self._present

    def lacks(self, request: Request[Any], answer: Answer) -> bool:
        """Say whether a refusal means that there is no such endpoint.

        A 404 to a code of the caller's may be about the code. What must not be repeated is in
        doubt if its endpoint has answered before: then something in between answers 404.
        """
        if not request.later or answer.status not in _NO_SUCH_STATUS:
            return False
        body = _refused(answer)
        if body.code is not None or (not request.kind.repeatable and self.is_present(request)):
            return False
        if body.is_message_alone and body.message == _NO_SUCH_ROUTE:
            return True
        if answer.status == HTTPStatus.FORBIDDEN:
            return self.key_is_good and self._may_be_the_route(request, answer, body)
        return answer.status == HTTPStatus.METHOD_NOT_ALLOWED or not request.about

    def needs_key_check(
        self, request: Request[Any], outcome: Outcome, error: NewsLeopardError | None
    ) -> bool:
        """Say whether a refusal of the key may be one of the endpoint: `KEY_CHECK` would tell."""
        return (
            request.later
            and not self.key_is_good
            and isinstance(error, AuthenticationError)
            and isinstance(outcome, Answer)
            and self._may_be_the_route(request, outcome, _refused(outcome))
        )

    def _may_be_the_route(self, request: Request[Any], answer: Answer, body: ErrorBody) -> bool:
        is_signed = request.kind.repeatable or bool(answer.error_type)
        return body.is_forbidden and is_signed and not self.is_present(request)


_NO_SUCH_STATUS: Final = frozenset(
    {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
)


def not_offered(request: Request[Any], status: int) -> NotOffered:
    """Build the error that says what to do without an endpoint."""
    way_out = request.instead or "do without"
    return NotOffered(
        f"this account or platform has no such endpoint ({request}); {way_out}", status=status
    )


def _refused(answer: Answer) -> ErrorBody:
    return decode_error(parse_refusal(answer.body))
