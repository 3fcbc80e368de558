"""From an outcome to a model or to the error that says what to do; no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

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
from newsleopard_async.transport.outcome import Answer, Failure, Outcome, retry_after_s
from newsleopard_async.transport.redact import Secret, excerpt, redact
from newsleopard_async.transport.request import Request
from newsleopard_async.transport.wire.refusals import ErrorBody, decode_error
from newsleopard_async.transport.wire.values import WireError

__all__ = ["Reading", "Result"]

T = TypeVar("T")


@attrs.frozen
class Result(Generic[T]):
    """What became of a request, understood once.

    Attributes:
        outcome: Of its last attempt.
        error: What says what to do, or None if it took effect.
    """

    outcome: Outcome
    _model: T | None = None
    error: NewsLeopardError | None = None

    def get(self) -> T:
        """Return the model that the request was made for.

        Raises:
            NewsLeopardError: the one that says what to do.
        """
        if self.error is not None:
            raise self.error
        return cast("T", self._model)


@attrs.frozen
class Reading:
    """Reads outcomes for a client.

    Attributes:
        secret: The key, which a server may echo.
        cap_s: How long to wait after a refusal that does not say it.
    """

    secret: Secret
    cap_s: float

    def result(self, request: Request[T], outcome: Outcome, now: datetime) -> Result[T]:
        """Understand an outcome; ``now`` is what a date in ``Retry-After`` is counted from."""
        answer = outcome if isinstance(outcome, Answer) else None
        if answer is None or answer.failure is not None or not answer.successful:
            return Result(outcome, error=self._failed(request, outcome, now))
        model, why = self._decode(request, answer)
        if why is None:
            return Result(outcome, model)
        if not request.kind.repeatable:
            return Result(outcome, error=self._unknown(request, outcome))
        unexpected = f"the answer to {request.name} is not as documented: {why}"
        return Result(outcome, error=self._unexpected(unexpected, answer))

    def _failed(self, request: Request[Any], outcome: Outcome, now: datetime) -> NewsLeopardError:
        if outcome.failure is Failure.REFUSED:
            asked_s = retry_after_s(outcome, now)
            return RateLimited(
                f"the platform keeps refusing {request.name}: too many requests",
                retry_after_s=self.cap_s if asked_s is None else asked_s,
            )
        if outcome.failure is Failure.NOT_SENT:
            return ConnectionFailed(
                f"{request.name} was not sent: {_reason(outcome)}; calling again is safe"
            )
        if not request.kind.repeatable and not _is_definite(outcome):
            return self._unknown(request, outcome)
        if not isinstance(outcome, Answer):
            return ConnectionFailed(
                f"no answer to {request.name}: {_reason(outcome)}; calling again is safe"
            )
        return self._refusal(request, outcome)

    def _unknown(self, request: Request[Any], outcome: Outcome) -> OutcomeUnknown:
        answer = outcome if isinstance(outcome, Answer) else None
        said = (
            f"no answer came ({_reason(outcome)})"
            if answer is None
            else f"the answer was HTTP {answer.status}"
        )
        return OutcomeUnknown(
            f"{request.name} may or may not have taken effect: {said}; "
            "do not repeat it, look it up first",
            request=str(request),
            status=None if answer is None else answer.status,
            excerpt="" if answer is None else excerpt(answer.body, self.secret),
        )

    def _decode(self, request: Request[Any], answer: Answer) -> tuple[Any, str | None]:
        """Return the model, or why there is none; the answer itself is in no cause."""
        if request.ignores_answer:
            return request.decode(None), None
        try:
            return request.decode(json.loads(answer.body)), None
        except WireError as error:
            return None, redact(str(error), self.secret)
        except (ValueError, RecursionError):
            return None, "it is not JSON"

    def _unexpected(self, message: str, answer: Answer) -> UnexpectedResponse:
        return UnexpectedResponse(
            message, status=answer.status, excerpt=excerpt(answer.body, self.secret)
        )

    def _refusal(self, request: Request[Any], answer: Answer) -> NewsLeopardError:
        if 100 <= answer.status < 400:
            never = f"the answer to {request.name} is HTTP {answer.status}, which is never followed"
            return self._unexpected(never, answer)
        body = decode_error(_parsed(answer.body))
        said = redact(body.message or "", self.secret)
        ours = describe_code(body.code) if body.code is not None else ""
        facts = Refusal(
            sentence=self._sentence(request, answer, body.code, ours, said),
            status=answer.status,
            code=body.code,
            message=said or ours,
        )
        if answer.failure is Failure.SERVER_ERROR:
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


def _is_definite(outcome: Outcome) -> bool:
    """Whether a request surely did not take effect, though it may have been seen."""
    return isinstance(outcome, Answer) and outcome.failure is None and 400 <= outcome.status < 500


def _reason(outcome: Outcome) -> str:
    return "" if isinstance(outcome, Answer) else outcome.reason
