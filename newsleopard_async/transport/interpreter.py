"""Converts an outcome to a model or an error, without I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Generic, TypeVar, cast

import attrs

from newsleopard_async.errors import (
    APIError,
    AuthenticationError,
    CampaignNotReportable,
    ConfigurationError,
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
from newsleopard_async.transport.offers import Offers, not_offered
from newsleopard_async.transport.outcome import (
    Answer,
    Cause,
    Failure,
    NotSent,
    Outcome,
    ReplyLost,
    retry_after_s,
)
from newsleopard_async.transport.redact import Secret, excerpt, redact
from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.request import Request
from newsleopard_async.transport.wire.refusals import ErrorBody, decode_error, parse_refusal
from newsleopard_async.transport.wire.values import Unread, WireError

__all__ = ["CallResult", "OutcomeInterpreter"]

T = TypeVar("T")

_LARGEST_MODEL_BYTES: Final = 8 * 1024 * 1024
"""A larger answer is not parsed, because that would block the event loop. Measured: 8 MiB contain
more than 50,000 finished campaigns and take about 0.2 s."""

_ABOUT_THE_CODE: Final = (400, 404, 410, 500)
"""Statuses of refusals without content that can be about the code in the path. Source: 400 of an
import's result and 500 of a text import into a list, documented (T50, T51); the others mean the
same in HTTP."""

_CAUSES: Final[Mapping[Cause, str]] = {
    "dns": "its name cannot be resolved",
    "refused": "it refuses connections",
    "unreachable": "the network has no route to it",
    "reset": "the connection was closed",
    "tls": "the TLS handshake failed",
    "proxy": "the proxy in between cannot be used",
    "timeout": "it took too long",
    "other": "the connection failed",
}


@attrs.frozen
class CallResult(Generic[T]):
    """The result of a call.

    Attributes:
        outcome: The outcome of the last attempt.
        error: The error, or None if the request took effect; it has the id of the answer.
        unread: The unreadable parts of the answer, which decide nothing; empty if all was read.
        after_loss: Whether an earlier attempt of the same call has possibly taken effect.
    """

    outcome: Outcome
    _model: T | None = None
    error: NewsLeopardError | None = None
    unread: str = ""
    after_loss: bool = False

    def __attrs_post_init__(self) -> None:
        if self.error is not None and isinstance(self.outcome, Answer):
            self.outcome.stamp(self.error)

    def get(self) -> T:
        """Return the model.

        Raises:
            NewsLeopardError: its class says what to do.
        """
        if self.error is not None:
            raise self.error
        return cast("T", self._model)


@attrs.frozen
class OutcomeInterpreter:
    """Converts outcomes to results for a client.

    Attributes:
        secret: The key, which a server can echo.
        cap_s: How long to wait after a refusal without ``Retry-After``.
        host: The host of the API, for errors.
        offers: The endpoints that exist.
    """

    secret: Secret
    cap_s: float
    host: str
    offers: Offers = attrs.field(factory=Offers)

    def result(self, request: Request[T], outcome: Outcome, now: datetime) -> CallResult[T]:
        """Convert an outcome; a date in ``Retry-After`` is counted from ``now``."""
        answer = outcome if isinstance(outcome, Answer) else None
        if answer is None or answer.failure is not None or not answer.successful:
            return CallResult(outcome, error=self._error(request, outcome, now))
        unread = Unread()
        model, why = self._decode(request, answer, unread)
        if why is None:
            return CallResult(outcome, model, unread=redact(str(unread), self.secret))
        if not request.kind.repeatable:
            return CallResult(outcome, error=self._unknown(request, outcome, why))
        unexpected = f"the answer to {request.name} is not as documented: {why}"
        return CallResult(outcome, error=self._unexpected(unexpected, answer))

    def after_loss(self, request: Request[T], result: CallResult[T]) -> CallResult[T]:
        """Convert a result again, because an earlier attempt of the same call was lost.

        A request that stops a campaign is refused if that attempt has stopped it already.
        """
        result = attrs.evolve(result, after_loss=True)
        if request.kind is not Kind.STOP or not _is_refusal(result.outcome):
            return result
        why = "an earlier attempt, whose reply was lost, has possibly done it"
        return attrs.evolve(result, error=self._unknown(request, result.outcome, why))

    def _error(self, request: Request[Any], outcome: Outcome, now: datetime) -> NewsLeopardError:
        if outcome.failure is Failure.REFUSED:
            asked_s = retry_after_s(outcome, now)
            return RateLimited(
                f"the platform keeps refusing {request.name}: too many requests",
                retry_after_s=self.cap_s if asked_s is None else asked_s,
            )
        if isinstance(outcome, NotSent):
            return self._not_sent(request, outcome)
        if isinstance(outcome, Answer) and self.offers.lacks(request, outcome):
            return not_offered(request, outcome.status)
        if not request.kind.repeatable and not _is_clear(outcome):
            return self._unknown(request, outcome)
        if isinstance(outcome, ReplyLost):
            return self._unanswered(f"no answer to {request.name}", outcome)
        return self._refusal_error(request, outcome)

    def _not_sent(self, request: Request[Any], outcome: NotSent) -> NewsLeopardError:
        unsent = f"{request.name} was not sent"
        if outcome.way_out is not None:
            return ConfigurationError(f"{unsent}: {outcome.way_out}")
        return self._unanswered(unsent, outcome)

    def _unanswered(self, what: str, outcome: NotSent | ReplyLost) -> ConnectionFailed:
        return ConnectionFailed(
            f"{what}: {outcome.reason} ({self.host}: {_CAUSES[outcome.cause]}); "
            "calling again is safe",
            reason=outcome.cause,
            host=self.host,
        )

    def _unknown(self, request: Request[Any], outcome: Outcome, why: str = "") -> OutcomeUnknown:
        if isinstance(outcome, Answer):
            status, body = outcome.status, excerpt(outcome.body, self.secret)
            about = (body and f" ({body})") + (why and f", and {why}")
            said = f"the answer was HTTP {status}{about}"
        else:
            status, body = None, ""
            said = f"no answer came ({outcome.reason})"
        never = "" if request.kind.repeatable else "do not repeat it, "
        return OutcomeUnknown(
            f"{request.name} may or may not have taken effect: {said}; "
            f"{never}look {request.look_for or 'it up'} first",
            # The caller's own path can contain anything.
            request=redact(str(request), self.secret) if request.raw else str(request),
            status=status,
            excerpt=body,
        )

    def _decode(
        self, request: Request[Any], answer: Answer, unread: Unread
    ) -> tuple[Any, str | None]:
        """Return the model, or the reason why there is none; no exception contains the answer."""
        if request.ignores_answer:
            return request.decode(None, unread), None
        if len(answer.body) > _LARGEST_MODEL_BYTES:
            return None, f"it has {len(answer.body):,} bytes"
        try:
            # An empty body counts as null: report links that are not ready can be sent in this way.
            data = json.loads(answer.body) if answer.body.strip() else None
            return request.decode(data, unread), None
        except WireError as error:
            return None, redact(str(error), self.secret)
        except (ValueError, RecursionError):
            return None, "it is not JSON"

    def _unexpected(self, message: str, answer: Answer) -> UnexpectedResponse:
        return UnexpectedResponse(
            message, status=answer.status, excerpt=excerpt(answer.body, self.secret)
        )

    def _refusal_error(self, request: Request[Any], answer: Answer) -> NewsLeopardError:
        if 100 <= answer.status < 400:
            never = f"the answer to {request.name} is HTTP {answer.status}; no redirect is followed"
            return self._unexpected(never, answer)
        body = decode_error(parse_refusal(answer.body))
        if request.kind.repeatable and _is_foreign(answer, body):
            said = excerpt(answer.body, self.secret)
            return self._unexpected(
                f"{request.name} was refused with HTTP {answer.status}, probably before it reached "
                "the API, because the platform's own refusals have a code. Check base_url, and "
                f"proxies and firewalls in between; the answer was: {said or 'empty'}",
                answer,
            )
        said = redact(body.message or "", self.secret)
        # A refusal that names no field can be about any field that was sent.
        sent = request.body if isinstance(request.body, Mapping) else {}
        about = body.invalid_fields or sent.get("content", ())
        ours = describe_code(body.code, about) if body.code is not None else ""
        facts = Refusal(
            sentence=self._sentence(request, answer, body, ours, said),
            status=answer.status,
            code=body.code,
            message=said or ours,
        )
        if answer.failure is Failure.SERVER_ERROR:
            return ServerError(**facts.arguments())
        if _is_about_the_key(answer, body):
            return AuthenticationError(**facts.arguments())
        return _refused(facts, body, self._clean(body.invalid_fields))

    def _clean(self, fields: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Redact the server's texts about fields, which can echo the values."""
        return {
            redact(path, self.secret): tuple(redact(rule, self.secret) for rule in rules)
            for path, rules in fields.items()
        }

    def _sentence(
        self, request: Request[Any], answer: Answer, body: ErrorBody, ours: str, said: str
    ) -> str:
        if body.code is not None:
            parts = [f"{request.name} was refused with {body.code}", ours, said]
            return ": ".join(part for part in parts if part)
        if _is_about_the_key(answer, body):
            return (
                f"the API key was refused (HTTP {answer.status}): it is wrong, expired or "
                "revoked; check NEWSLEOPARD_API_KEY"
            )
        if answer.status == HTTPStatus.NOT_FOUND and request.about:
            return f"{request.name} was answered with HTTP 404: {self._unknown_code(request)}"
        why = said or excerpt(answer.body, self.secret)
        if not why and answer.status in _ABOUT_THE_CODE:
            why = request.hint
        return f"{request.name} was answered with HTTP {answer.status}" + (why and f": {why}")

    def _unknown_code(self, request: Request[Any]) -> str:
        """Describe a 404 for the caller's code: perhaps the endpoint itself is unknown (T18)."""
        unknown = f"{request.about} is unknown or not yours"
        if self.offers.is_present(request):
            return unknown
        then = request.instead and f"; {request.instead}"
        return f"either {unknown}, or this account or platform has no such endpoint{then}"


@attrs.frozen(kw_only=True)
class Refusal:
    """The fields that every refusal has."""

    sentence: str
    status: int
    code: int | None
    message: str

    def arguments(self) -> dict[str, Any]:
        """Return the fields as arguments of an `APIError`."""
        return attrs.asdict(self)


def _refused(
    facts: Refusal, body: ErrorBody, invalid_fields: Mapping[str, tuple[str, ...]]
) -> APIError:
    match facts.code:
        case 40001:
            return FieldError(
                **facts.arguments(),
                invalid_fields=invalid_fields,
                omitted_fields=body.omitted_fields,
            )
        case 40011:
            return SenderNotVerified(**facts.arguments())
        case 40012 | 40017:
            return InsufficientBalance(
                **facts.arguments(), recipients=body.recipients, remaining=body.remaining
            )
        case 40303:
            return CampaignNotReportable(**facts.arguments())
        case _:
            return APIError(**facts.arguments())


def _is_about_the_key(answer: Answer, body: ErrorBody) -> bool:
    """Return whether it is one of the two answers to a wrong key (T01, T03)."""
    return answer.status == 403 and (body.is_forbidden or not answer.body.strip())


def _is_foreign(answer: Answer, body: ErrorBody) -> bool:
    """Return whether a proxy or firewall probably refused: the platform would add a code."""
    return answer.status in (401, 403) and body.code is None and not _is_about_the_key(answer, body)


def _is_refusal(outcome: Outcome) -> bool:
    """Return whether the application refuses: a 4xx that is neither a throttle nor a 408."""
    is_failure = outcome.failure is not None
    return isinstance(outcome, Answer) and not is_failure and 400 <= outcome.status < 500


def _is_clear(outcome: Outcome) -> bool:
    """Return whether a request certainly had no effect, although the server possibly saw it.

    That is a 4xx in the platform's own form. Any other 4xx, and 408, can come from a proxy or
    firewall after the platform has accepted the request.
    """
    if not isinstance(outcome, Answer) or not _is_refusal(outcome):
        return False
    body = decode_error(parse_refusal(outcome.body))
    is_signed = body.is_message_alone and bool(outcome.error_type)
    return body.code is not None or body.is_forbidden or is_signed
