"""One class for each thing the caller should do.

::

    NewsLeopardError              .checkpoint, .request_id if there is one
    ├── ConfigurationError        fix the set-up: key, base URL, certificate, proxy, transport
    ├── InvalidRequest            fix the arguments; nothing was sent
    ├── InUse                     another run holds the checkpoint; leave it to that run
    ├── ConnectionFailed          safe to call again: .reason, .host
    ├── OutcomeUnknown            do NOT repeat; look it up first: .status, .excerpt
    ├── RateLimited               come back in .retry_after_s
    │   └── DailyQuotaExhausted   come back at .resets_at
    ├── APIError                  the server refused
    │   ├── AuthenticationError   the key
    │   ├── FieldError            the fields, in .invalid_fields
    │   ├── SenderNotVerified     verify the sender in the console
    │   ├── InsufficientBalance   top up, or send to fewer
    │   ├── CampaignNotReportable unknown, not yours, or not in a state for it
    │   ├── NotOffered            this account or platform has no such endpoint; do without
    │   └── ServerError           the server's own fault, after the retries
    ├── UnexpectedResponse        not what the documentation says
    ├── StorageError              upload or download failed
    ├── ImportFailed              the import ended without success
    │   └── ImportIncomplete      more rows rejected, or fewer rows taken, than allowed
    ├── CampaignFailed            accepted, but not sent: .status
    └── DeadlineExceeded          a poll reached its deadline

Facts are attributes, and the message is one sentence. No error, and no cause of it, shows the
key, a presigned URL or data of contacts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

import attrs

from newsleopard_async.disclosure import shown

if TYPE_CHECKING:
    from newsleopard_async.models.campaign_status import CampaignStatus
    from newsleopard_async.models.contacts import ImportResult
    from newsleopard_async.workflows.checkpoint import Checkpoint
    from newsleopard_async.workflows.outcomes import ImportReport, ReportState

__all__ = [
    "APIError",
    "AuthenticationError",
    "CampaignFailed",
    "CampaignNotReportable",
    "ConfigurationError",
    "ConnectionFailed",
    "DailyQuotaExhausted",
    "DeadlineExceeded",
    "FieldError",
    "ImportFailed",
    "ImportIncomplete",
    "InUse",
    "InsufficientBalance",
    "InvalidRequest",
    "NewsLeopardError",
    "NotOffered",
    "OutcomeUnknown",
    "Problem",
    "RateLimited",
    "SenderNotVerified",
    "ServerError",
    "StorageError",
    "UnexpectedResponse",
]


class NewsLeopardError(Exception):
    """The base of every error that this library raises on purpose.

    Attributes:
        checkpoint: The steps that a pipeline had done when it stopped; None outside a pipeline.
        request_id: The platform's id of the request, to quote to the vendor; None without answer.
        headers: Headers of the answer that show its origin; names in lower case.
    """

    checkpoint: Checkpoint | None = None
    request_id: str | None = None
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, *args: object) -> None:
        # Messages contain file names and texts of the server, and reach terminals and logs.
        super().__init__(*(shown(each) if isinstance(each, str) else each for each in args))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        if self._quotes_id and self.request_id is not None:
            return f"{super().__str__()} (request id {self.request_id})"
        return super().__str__()

    @property
    def _quotes_id(self) -> bool:
        """Whether the text shows the request id, because only the vendor can explain the error."""
        return False

    def with_answer_of(self, other: NewsLeopardError) -> Self:
        """Copy the request id and the headers of the error that this one explains."""
        self.request_id, self.headers = other.request_id, dict(other.headers)
        return self

    def with_request_id(self, request_id: str | None) -> Self:
        """Set the id of the request that this error is about."""
        self.request_id = request_id
        return self


def _rebuild(
    cls: type[NewsLeopardError], args: tuple[Any, ...], state: dict[str, Any]
) -> NewsLeopardError:
    """Build an unpickled error without its constructor, because pickle passes no keywords."""
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


class ConfigurationError(NewsLeopardError):
    """The set-up is wrong; the message names the part and the way out.

    For example a missing or malformed key, a bad base URL, a certificate that is not trusted, or
    a proxy or transport that cannot be used.
    """


@attrs.frozen
class Problem:
    """One thing wrong with the arguments.

    Attributes:
        field: The argument or its part, as the caller wrote it (``lists``, ``schedule.when``).
        rule: The id of the broken rule, stable for programs (``required``).
        message: What is wrong and the way out, in a sentence.
    """

    field: str = attrs.field(converter=shown)
    rule: str
    message: str = attrs.field(converter=shown)

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class InvalidRequest(NewsLeopardError, ValueError):
    """The arguments are wrong, and nothing was sent.

    Attributes:
        problems: All problems of the arguments.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))

    @classmethod
    def of(cls, field: str, rule: str, message: str) -> InvalidRequest:
        """Build the error for a single problem."""
        return cls([Problem(field, rule, message)])


class InUse(NewsLeopardError):
    """Another run holds this checkpoint or send key.

    Your code is correct: wait until that run has ended, or leave the work to it. A run that lost
    its checkpoint to another run also raises this error, before it sends anything more.

    Attributes:
        retry_after_s: Seconds until the hold of that run ends if the run does not renew it; None
            if it ends with the process of that run.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ConnectionFailed(NewsLeopardError):
    """No answer came, and calling again is safe.

    Nothing was sent, or a repetition of the request changes nothing.

    Attributes:
        reason: ``dns`` (the host has no address), ``refused``, ``unreachable`` (no
            route to the host), ``reset`` (the connection was closed), ``tls``, ``proxy``,
            ``timeout``, or ``other``.
        host: The host that the request was for.
    """

    def __init__(self, message: str, *, reason: str, host: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.host = host


class OutcomeUnknown(NewsLeopardError):
    """The request may or may not have taken effect.

    Do not repeat it; look the resource up first.

    Attributes:
        request: The method and path, such as ``POST /v1/…``.
        status: The HTTP status of an answer that is not clear; None if no answer came.
        excerpt: The beginning of that answer's body, short and redacted.
        look_again_at: The earliest time for a lookup; None if it makes sense immediately.
    """

    def __init__(
        self,
        message: str,
        *,
        request: str,
        status: int | None = None,
        excerpt: str = "",
        look_again_at: datetime | None = None,
    ) -> None:
        super().__init__(message)
        self.request = request
        self.status = status
        self.excerpt = excerpt
        self.look_again_at = look_again_at

    @property
    def _quotes_id(self) -> bool:
        return True


class RateLimited(NewsLeopardError):
    """The rate limit does not allow this request for now.

    Attributes:
        retry_after_s: Seconds to wait before the next call.
    """

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DailyQuotaExhausted(RateLimited):
    """The daily quota is used up.

    Attributes:
        resets_at: When a new quota begins; an estimate, because the platform does not document it.
    """

    def __init__(self, message: str, *, retry_after_s: float, resets_at: datetime) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.resets_at = resets_at


class APIError(NewsLeopardError):
    """The server understood the request and refused it.

    Attributes:
        status: The HTTP status.
        code: The platform's own code (40001 …); None if the answer has none.
        message: The platform's text; without one, our text for the code, in English and 中文.
    """

    def __init__(
        self, sentence: str, *, status: int, code: int | None = None, message: str = ""
    ) -> None:
        super().__init__(sentence)
        self.message: str = message or sentence
        self.status = status
        self.code = code

    @property
    def _quotes_id(self) -> bool:
        return self.code is None


class AuthenticationError(APIError):
    """The key is missing, wrong, expired or revoked."""


_SHOWN_FIELDS: Final = 5
"""Fields, and rules per field, in a text. Chosen: the text stays at one or two sentences."""


class FieldError(APIError):
    """The server rejected fields of the request (40001).

    Attributes:
        invalid_fields: The rule names of each path; empty if the server sent only a text, which is
            then the message.
        omitted_fields: The number of further fields that the server named.
    """

    def __init__(
        self,
        sentence: str,
        *,
        status: int,
        code: int | None = None,
        message: str = "",
        invalid_fields: Mapping[str, tuple[str, ...]] | None = None,
        omitted_fields: int = 0,
    ) -> None:
        super().__init__(sentence, status=status, code=code, message=message)
        self.invalid_fields: dict[str, tuple[str, ...]] = dict(invalid_fields or {})
        self.omitted_fields = omitted_fields

    def __str__(self) -> str:
        shown = list(self.invalid_fields.items())[:_SHOWN_FIELDS]
        parts = [
            f"{path}: {', '.join(rules[:_SHOWN_FIELDS])}" if rules else path
            for path, rules in shown
        ]
        more = len(self.invalid_fields) - len(shown) + self.omitted_fields
        if more:
            parts.append(f"and {more} more")
        return "; ".join([super().__str__(), *parts])


class SenderNotVerified(APIError):
    """The sender address has not passed 寄件人驗證 (40011)."""


_FREE_MAILS: Final = 50
"""Mails per day of a free account. Source: 免費會員提供 50 封/天 的限制; documented (T27)."""


class InsufficientBalance(APIError):
    """The balance does not cover the mailing (40012) or its test (40017).

    A free account can send 50 mails per day. The text mentions this unless the balance itself
    explains the refusal.

    Attributes:
        recipients: Mails that the campaign needs; None if the answer has no number.
        remaining: Mails that are left; None if the answer has no number.
    """

    def __init__(
        self,
        sentence: str,
        *,
        status: int,
        code: int | None = None,
        message: str = "",
        recipients: int | None = None,
        remaining: int | None = None,
    ) -> None:
        super().__init__(sentence, status=status, code=code, message=message)
        self.recipients = recipients
        self.remaining = remaining

    def __str__(self) -> str:
        numbers = [] if self.recipients is None else [f"{self.recipients} mails to send"]
        if self.remaining is not None:
            numbers.append(f"{self.remaining} left")
        said = f"{super().__str__()} ({', '.join(numbers)})" if numbers else super().__str__()
        if self._is_explained:
            return said
        return f"{said}; a free account can send {_FREE_MAILS} mails per day"

    @property
    def _is_explained(self) -> bool:
        """Whether the balance is too low although it is above the limit of a free account."""
        if self.recipients is None or self.remaining is None:
            return False
        return self.recipients > self.remaining > _FREE_MAILS


class CampaignNotReportable(APIError):
    """The campaign code is unknown, not yours, or not in a state for a report (40303)."""


class NotOffered(APIError):
    """This account or platform has no such endpoint; do without it.

    The published documentation has 12 endpoints, and the vendor's notes of 2026 have 11 more, which
    some accounts lack. The client remembers the refusal and sends no such request again.
    """


class ServerError(APIError):
    """A request that may be repeated failed with 5xx, also after the retries."""


class UnexpectedResponse(NewsLeopardError):
    """The answer is not what the documentation says.

    Attributes:
        status: The HTTP status.
        excerpt: The beginning of the body, short and redacted.
    """

    def __init__(self, message: str, *, status: int, excerpt: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.excerpt = excerpt

    @property
    def _quotes_id(self) -> bool:
        return True


class StorageError(NewsLeopardError):
    """An upload to or a download from the file storage failed.

    Attributes:
        status: The HTTP status; None if no answer came.
        expired: Whether the presigned URL has expired, so that a fresh one helps.
    """

    def __init__(self, message: str, *, status: int | None = None, expired: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.expired = expired

    @property
    def _quotes_id(self) -> bool:
        return True


class ImportFailed(NewsLeopardError):
    """The import ended without success.

    Attributes:
        result: The ``ImportResult`` of the server's answer.
    """

    def __init__(self, message: str, *, result: ImportResult | None) -> None:
        super().__init__(message)
        self.result = result


class ImportIncomplete(ImportFailed):
    """The import is complete, but more rows were rejected than the caller allows.

    Or the platform counted fewer rows in the file than it received different addresses.

    Attributes:
        report: The ``ImportReport``; ``workflows.rejected_rows`` returns the rows.
    """

    result: ImportResult

    def __init__(self, message: str, *, result: ImportResult, report: ImportReport) -> None:
        super().__init__(message, result=result)
        self.report = report


class CampaignFailed(NewsLeopardError):
    """The platform accepted the campaign, but did not send it, or only a part of it.

    Attributes:
        status: The `CampaignStatus`; its ``state`` gives the reason.
    """

    def __init__(self, message: str, *, status: CampaignStatus) -> None:
        super().__init__(message)
        self.status = status


class DeadlineExceeded(NewsLeopardError):
    """A poll reached its deadline; the job at the server continues.

    Attributes:
        last: The last answer: the state of an import or a campaign, None if the platform did not
            know it; the files of a report.
    """

    def __init__(
        self,
        message: str,
        *,
        last: ImportResult | CampaignStatus | tuple[ReportState, ...] | None = None,
    ) -> None:
        super().__init__(message)
        self.last = last
