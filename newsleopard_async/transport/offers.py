"""The later endpoints that an account has, as far as the answers to a client show (T18).

The published documentation has twelve endpoints, and the vendor's notes eleven more. If an account
lacks one of these, the gateway refuses the request before it reaches the platform: the path is
unknown (404, 405, or 403 with a special text), or the answer is the same as to a wrong key.
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
"""The answer of Amazon's API gateway for an unknown path or method, with status 403."""

KEY_CHECK: Final[Request[None]] = Request(
    name="list_lists",
    method="GET",
    path="/v1/contacts/lists",
    query=(("page", "0"), ("size", "1")),
    kind=Kind.READ,
    decode=lambda *_: None,
    ignores_answer=True,
)
"""The cheapest documented request. If it is accepted, the key is valid."""


@attrs.define(eq=False)
class Offers:
    """What a client and its copies know about the endpoints.

    Attributes:
        key_is_good: Whether a request with its key was accepted.
    """

    key_is_good: bool = False
    _absent: dict[str, int] = attrs.field(factory=dict, init=False)
    _present: set[str] = attrs.field(factory=set, init=False)

    def check(self, request: Request[Any]) -> None:
        """Refuse a request, without sending it, if the account is known to lack the endpoint.

        Raises:
            NotOffered: names the alternative.
        """
        status = self._absent.get(request.name) if request.later else None
        if status is not None:
            raise not_offered(request, status)

    def note(self, request: Request[Any], outcome: Outcome, error: NewsLeopardError | None) -> None:
        """Learn from the outcome of a call."""
        if error is None and not request.raw:
            self.key_is_good = True
        if not request.later or not isinstance(outcome, Answer):
            return
        if outcome.successful or _refused(outcome).code is not None:
            self._present.add(request.name)
        elif isinstance(error, NotOffered) and request.name not in self._present:
            self._absent[request.name] = outcome.status

    def is_present(self, request: Request[Any]) -> bool:
        """Return whether the platform itself has answered such a request before."""
        return request.name in self._present

    def lacks(self, request: Request[Any], answer: Answer) -> bool:
        """Return whether a refusal means that the endpoint does not exist.

        A 404 can also be about the caller's code in the path. If the endpoint has answered before,
        a proxy or firewall can have sent the 404, so a request that must not be repeated stays in
        doubt.
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
        """Return whether to send `KEY_CHECK`, because the key or the endpoint can be refused."""
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
    """Return the error that names the alternative to an endpoint."""
    way_out = request.instead or "do without it"
    return NotOffered(
        f"this account or platform has no such endpoint ({request}); {way_out}", status=status
    )


def _refused(answer: Answer) -> ErrorBody:
    return decode_error(parse_refusal(answer.body))
