"""From an outcome to a model or to the error that says what to do; no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from newsleopard_async.errors import (
    APIError,
    AuthenticationError,
    CampaignNotReportable,
    ConnectionFailed,
    FieldError,
    InsufficientBalance,
    NewsLeopardError,
    OutcomeUnknown,
    RateLimited,
    SenderNotVerified,
    ServerError,
    UnexpectedResponse,
)
from newsleopard_async.models.error_codes import describe_code
from newsleopard_async.transport.outcome import Answer, Failure, Outcome, classify
from newsleopard_async.transport.redact import excerpt, redact
from newsleopard_async.transport.request import Request
from newsleopard_async.transport.wire import ErrorBody, WireError, decode_error

__all__ = ["Reading"]

T = TypeVar("T")


@attrs.frozen
class Reading:
    """Reads outcomes for a client.

    Attributes:
        secret: The key, which a server may echo.
    """

    secret: str = attrs.field(repr=False)

    def result(self, request: Request[T], outcome: Outcome, *, retry_after_s: float) -> T:
        """Return the model that a request was made for.

        Raises:
            NewsLeopardError: the one that says what to do.
        """
        failure = classify(outcome)
        if failure is Failure.REFUSED:
            raise RateLimited(
                f"the platform keeps refusing {request.name}: too many requests",
                retry_after_s=retry_after_s,
            )
        if failure is Failure.NOT_SENT:
            raise ConnectionFailed(
                f"{request.name} was not sent: {_reason(outcome)}; calling again is safe"
            )
        if not request.kind.repeatable and self._is_unclear(request, outcome):
            raise self._unknown(request, outcome)
        if failure is Failure.REPLY_LOST:
            raise ConnectionFailed(
                f"no answer to {request.name}: {_reason(outcome)}; calling again is safe"
            )
        assert isinstance(outcome, Answer)
        if outcome.successful:
            return self._decode(request, outcome)
        raise self._refusal(request, outcome, failure)

    def _is_unclear(self, request: Request[Any], outcome: Outcome) -> bool:
        """Whether a request that must not be repeated may have taken effect or not.

        Only a readable success and a definite refusal are clear.
        """
        if not isinstance(outcome, Answer) or classify(outcome) is not None:
            return True
        if outcome.successful:
            try:
                self._decode(request, outcome)
            except UnexpectedResponse:
                return True
            return False
        return not 400 <= outcome.status < 500

    def _unknown(self, request: Request[Any], outcome: Outcome) -> OutcomeUnknown:
        said = (
            f"the answer was HTTP {outcome.status}"
            if isinstance(outcome, Answer)
            else f"no answer came ({_reason(outcome)})"
        )
        return OutcomeUnknown(
            f"{request.name} may or may not have taken effect: {said}; "
            "do not repeat it, look it up first",
            request=str(request),
        )

    def _decode(self, request: Request[T], answer: Answer) -> T:
        if request.ignores_answer:
            return request.decode(None)
        try:
            return request.decode(json.loads(answer.body))
        except WireError as error:
            why = redact(str(error), self.secret)
        except (ValueError, RecursionError):
            why = "it is not JSON"
        raise UnexpectedResponse(
            f"the answer to {request.name} is not as documented: {why}",
            status=answer.status,
            excerpt=excerpt(answer.body, self.secret),
        )

    def _refusal(
        self, request: Request[Any], answer: Answer, failure: Failure | None
    ) -> NewsLeopardError:
        if 100 <= answer.status < 400:
            return UnexpectedResponse(
                f"the answer to {request.name} is HTTP {answer.status}, which is never followed",
                status=answer.status,
                excerpt=excerpt(answer.body, self.secret),
            )
        body = decode_error(_parsed(answer.body))
        said = redact(body.message or "", self.secret)
        ours = describe_code(body.code) if body.code is not None else ""
        facts = Refusal(
            sentence=self._sentence(request, answer, body.code, ours, said),
            status=answer.status,
            code=body.code,
            message=said or ours,
        )
        if failure is Failure.SERVER_ERROR:
            return ServerError(**facts.arguments())
        return _refused(facts, body, self._clean(body.invalid_fields))

    def _clean(self, fields: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Redact what the server says about fields, which may hold what was in them."""
        return {
            redact(path, self.secret): tuple(redact(rule, self.secret) for rule in rules)
            for path, rules in fields.items()
        }

    def _sentence(
        self, request: Request[Any], answer: Answer, code: int | None, ours: str, said: str
    ) -> str:
        if code is not None:
            parts = [f"{request.name} was refused with {code}", ours, said]
            return ": ".join(part for part in parts if part)
        if answer.status in (401, 403):
            return (
                f"the API key was refused (HTTP {answer.status}): it is wrong, expired or "
                "revoked; check NEWSLEOPARD_API_KEY"
            )
        why = said or excerpt(answer.body, self.secret) or request.hint
        return f"{request.name} was answered with HTTP {answer.status}" + (why and f": {why}")


@attrs.frozen(kw_only=True)
class Refusal:
    """What every refusal has."""

    sentence: str
    status: int
    code: int | None
    message: str

    def arguments(self) -> dict[str, Any]:
        """Give them as an `APIError` takes them."""
        return attrs.asdict(self)


def _refused(
    facts: Refusal, body: ErrorBody, invalid_fields: Mapping[str, tuple[str, ...]]
) -> APIError:
    match facts.code:
        case 40001:
            return FieldError(**facts.arguments(), invalid_fields=invalid_fields)
        case 40011:
            return SenderNotVerified(**facts.arguments())
        case 40012 | 40017:
            return InsufficientBalance(
                **facts.arguments(), recipients=body.recipients, remaining=body.remaining
            )
        case 40303:
            return CampaignNotReportable(**facts.arguments())
        case None if facts.status in (401, 403):
            return AuthenticationError(**facts.arguments())
        case _:
            return APIError(**facts.arguments())


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _reason(outcome: Outcome) -> str:
    return "" if isinstance(outcome, Answer) else outcome.reason
