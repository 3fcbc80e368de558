"""The questions of a probe: read-only requests, whose raw answers are kept.

A request is repeated once if its answer was lost or an error of the server, and after a refusal by
the rate limit.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, TypeGuard
from urllib.parse import quote

import attrs

from newsleopard_async import NewsLeopard, RetryPolicy
from newsleopard_async.cli.translation import N_
from newsleopard_async.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailed,
    NewsLeopardError,
    RateLimited,
)
from newsleopard_async.transport.outcome import Answer
from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.request import Request

__all__ = [
    "CAMPAIGN_CODES",
    "LISTS_SIZE",
    "QUESTIONS",
    "ProbeOptions",
    "ProbeReply",
    "Question",
    "ask",
    "is_missing",
    "rows_in",
]

LISTS_SIZE: Final = 100
"""The size of a page of lists. Chosen: the client's own (T59)."""

_PAUSE_S: Final = 0.6
"""Chosen: keeps the lower one of the two published limits, 2 requests per second (T05)."""

_PATIENCE_S: Final = 30.0
"""Chosen: a refusal because of another program's requests is over after a second."""

_UNKNOWN_IMPORT: Final = "00000000-0000-4000-8000-000000000000"
_UNKNOWN_CAMPAIGN: Final = "0" * 32
"""Codes in the documented form that nothing has."""

CAMPAIGN_CODES: Final = ("sn", "campaignSn", "campaign_sn")

_NO_ROUTE: Final = (403, 404, 405)
"""The statuses for an endpoint that does not exist (T18)."""


@attrs.frozen(kw_only=True)
class ProbeOptions:
    """What a user gave.

    Attributes:
        campaign_sn: A sent campaign; None for the latest one.
        import_sn: An import of the last 30 days; None to leave it out.
    """

    campaign_sn: str | None = None
    import_sn: str | None = None


@attrs.frozen(kw_only=True)
class ProbeReply:
    """An answer.

    Attributes:
        status: The HTTP status.
        headers: The names of its headers, in lower case.
        data: The parsed body; None without a body.
        is_empty: Whether the body is empty.
        is_json: Whether the body is JSON, or missing.
    """

    status: int
    headers: tuple[str, ...]
    data: Any = attrs.field(repr=False)
    is_empty: bool
    is_json: bool

    @property
    def is_success(self) -> bool:
        """Whether the status is a 2xx."""
        return 200 <= self.status < 300

    @property
    def code(self) -> str | None:
        """The platform's code of a refusal, as digits; None if there is none."""
        if self.is_success or not isinstance(self.data, dict):
            return None
        found = self.data.get("code", self.data.get("errorCode"))
        return None if found is None else str(found)


Replies = Mapping[str, ProbeReply]


@attrs.frozen(kw_only=True)
class Question:
    """A request that only reads.

    Attributes:
        name: Its name, for programs.
        about: What it asks, for people.
        method: The HTTP method.
        path: The path, with ``{code}`` for a code that is not shown.
        code: Returns the code, from the options and earlier answers; None leaves it out.
        is_later: Whether it is one of the endpoints that an account may not have.
        has_body: Whether the code is sent in the body.
    """

    name: str
    about: str
    method: str = "GET"
    path: str
    code: Callable[[ProbeOptions, Replies], str | None] = lambda *_: ""
    is_later: bool = False
    has_body: bool = False

    def request(self, code: str) -> Request[object]:
        """Return the request."""
        return Request(
            name=f"probe_{self.name}",
            method=self.method,
            path=self.path.replace("{code}", quote(code, safe="")),
            kind=Kind.READ,
            body={"campaignSns": [code]} if self.has_body else None,
            raw=True,
            decode=lambda data, _: data,
        )


def rows_in(data: object) -> Sequence[Mapping[str, Any]]:
    """Return the rows of an answer: an array of objects, at the top or in an object; or the object.

    An array that is empty has no rows. An array of other values is a field.
    """
    if isinstance(data, dict):
        arrays = [value for value in data.values() if _is_of_rows(value)]
        data = arrays[0] if arrays else [data]
    return data if _is_of_rows(data) else []


def _is_of_rows(data: object) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(data, list) and all(isinstance(each, dict) for each in data)


def _campaign(options: ProbeOptions, replies: Replies) -> str | None:
    if options.campaign_sn is not None:
        return options.campaign_sn
    for row in rows_in(replies["campaigns"].data):
        for name in CAMPAIGN_CODES:
            if isinstance(row.get(name), str | int) and row[name]:
                return str(row[name])
    return None


QUESTIONS: Final = (
    Question(
        name="lists",
        about=N_("the first page of lists, if pages count from 0"),
        path=f"/v1/contacts/lists?page=0&size={LISTS_SIZE}",
    ),
    Question(
        name="second_lists",
        about=N_("the second page, or the first one if pages count from 1"),
        path=f"/v1/contacts/lists?page=1&size={LISTS_SIZE}",
    ),
    Question(
        name="refusal",
        about=N_("a page of a wrong size, for the form of a refusal"),
        path="/v1/contacts/lists?page=0&size=x",
    ),
    Question(
        name="unknown_import",
        about=N_("an import that does not exist"),
        path="/v1/contacts/imports/result/{code}",
        code=lambda *_: _UNKNOWN_IMPORT,
    ),
    Question(
        name="import",
        about=N_("the import of --import-sn"),
        path="/v1/contacts/imports/result/{code}",
        code=lambda options, _: options.import_sn,
    ),
    Question(name="campaigns", about=N_("the latest campaigns"), path="/v1/report/campaigns"),
    Question(
        name="links",
        about=N_("the report links of the latest campaign, or of --campaign-sn"),
        path="/v1/report/{code}/link",
        code=_campaign,
    ),
    Question(name="balance", about=N_("the balance"), path="/v1/balance", is_later=True),
    Question(name="templates", about=N_("the templates"), path="/v1/templates", is_later=True),
    Question(
        name="status",
        about=N_("the status of that campaign"),
        path="/v1/campaign/normal/{code}",
        code=_campaign,
        is_later=True,
    ),
    Question(
        name="metrics",
        about=N_("the metrics of that campaign"),
        method="POST",
        path="/v1/report/campaigns/metrics",
        code=_campaign,
        is_later=True,
        has_body=True,
    ),
    Question(
        name="unknown_status",
        about=N_("the status of a campaign that does not exist"),
        path="/v1/campaign/normal/{code}",
        code=lambda *_: _UNKNOWN_CAMPAIGN,
        is_later=True,
    ),
)
"""All questions, in their order: later ones use the answers to earlier ones."""


async def ask(
    nl: NewsLeopard, options: ProbeOptions, *, before: Callable[[Question], object]
) -> AsyncIterator[tuple[Question, ProbeReply]]:
    """Ask the questions one after another, and yield each with its answer.

    The later endpoints are left out as soon as two of them do not exist.

    Args:
        nl: The account.
        options: What the user gave.
        before: Called before each request.

    Raises:
        NewsLeopardError: the key is refused, the quota is used up, or no answer came.
    """
    patient = nl.with_options(retry=RetryPolicy(max_attempts=2, max_total_s=_PATIENCE_S))
    replies: dict[str, ProbeReply] = {}
    missing = 0
    for question in QUESTIONS:
        code = question.code(options, replies)
        if code is None or (question.is_later and missing > 1):
            continue
        if replies:
            await nl.clock.sleep(_PAUSE_S)
        before(question)
        reply = await _reply(patient, question, code)
        missing += question.is_later and is_missing(reply)
        replies[question.name] = reply
        yield question, reply


async def _reply(nl: NewsLeopard, question: Question, code: str) -> ProbeReply:
    # Only this keeps the answer of a refusal.
    result = await nl._api.result(question.request(code))  # noqa: SLF001
    outcome, error = result.outcome, result.error
    if error is not None and _ends(error, question):
        raise error
    assert isinstance(outcome, Answer)  # without an answer, the error was raised
    try:
        data, is_json = json.loads(outcome.body or b"null"), True
    except (ValueError, RecursionError):
        data, is_json = None, False
    return ProbeReply(
        status=outcome.status,
        headers=tuple(sorted(outcome.headers)),
        data=data,
        is_empty=not outcome.body.strip(),
        is_json=is_json,
    )


def _ends(error: NewsLeopardError, question: Question) -> bool:
    """Return whether further questions make no sense."""
    if isinstance(error, AuthenticationError):
        return not question.is_later  # the answer to an unknown path can be the same
    return isinstance(error, ConnectionFailed | ConfigurationError | RateLimited)


def is_missing(reply: ProbeReply) -> bool:
    """Return whether an answer means that the endpoint does not exist."""
    return reply.code is None and reply.status in _NO_ROUTE
