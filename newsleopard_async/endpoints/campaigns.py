"""寄信: submits campaigns, reads their state, stops and deletes them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from newsleopard_async.checks.at_send import problems_at_send, problems_of_once
from newsleopard_async.disclosure import hides_variables
from newsleopard_async.errors import Problem
from newsleopard_async.files import AnyPath
from newsleopard_async.models import (
    ABTest,
    Campaign,
    CampaignSn,
    CampaignStatus,
    ContentTest,
    DeleteOutcome,
    OnceTicket,
    SenderTest,
    SubjectTest,
)
from newsleopard_async.models.codes import check_code, problems_of_code, unique_codes
from newsleopard_async.models.validation import problems_of_type, raise_problems, wrong_type
from newsleopard_async.transport.api import Api
from newsleopard_async.transport.body import open_body
from newsleopard_async.transport.observer import Observer
from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.request import Request, decode_nothing, path
from newsleopard_async.transport.storage import Storage
from newsleopard_async.transport.wire import answers, later_answers, requests

__all__ = ["MOST_CODES", "Campaigns", "problems_of_codes"]

MOST_CODES: Final = 50
"""Campaigns in one request. Chosen: far below any likely limit; the notes have none (T131)."""

_INSTEAD: Final = "stop it in the console (活動列表)"

_AB_TESTS: Final = (SubjectTest, SenderTest, ContentTest)


@attrs.frozen
class Campaigns:
    """Campaigns (活動): submit, read their state, stop and delete."""

    _api: Api
    _storage: Storage

    @hides_variables
    async def submit(self, campaign: Campaign, *, observer: Observer | None = None) -> CampaignSn:
        """Submit a campaign (建立活動並且寄信) and return its code; it is accepted, not yet sent.

        Not repeatable: each accepted call is another mailing. After it was handed to the socket, it
        runs to its answer, even if the caller is cancelled.

        Args:
            campaign: The campaign, with at least one list.
            observer: Is notified when the request is sent, and of its outcome, even if the caller
                is cancelled; it can store the code.

        Raises:
            OutcomeUnknown: it is unknown whether it will be sent; look it up, never repeat it.
            InvalidRequest: no list, or a schedule in the past; nothing was sent.
        Source: POST /v1/campaign/normal/submit; documented
        """
        raise_problems(problems_of_type("campaign", campaign, Campaign, "a Campaign"))
        return await self._submit("submit_campaign", "normal", campaign, observer)

    @hides_variables
    async def submit_ab_test(
        self, ab_test: ABTest, *, observer: Observer | None = None
    ) -> CampaignSn:
        """Submit an A/B test (建立A/B Testing 活動並且寄信) and return its code.

        Not repeatable; see `submit`.

        Args:
            ab_test: The A/B test, with at least one list.
            observer: See `submit`.

        Raises:
            OutcomeUnknown: it is unknown whether it will be sent; look it up, never repeat it.
            InvalidRequest: no list, or a schedule in the past; nothing was sent.
        Source: POST /v1/campaign/testing/submit; documented
        """
        raise_problems(problems_of_type("ab_test", ab_test, _AB_TESTS, "an A/B test"))
        return await self._submit("submit_ab_test", "testing", ab_test, observer)

    @hides_variables
    async def submit_once(
        self, campaign: Campaign, *, observer: Observer | None = None
    ) -> OnceTicket:
        """Prepare a campaign to contacts that are uploaded next, without a list.

        Not repeatable: a second call creates a second campaign. Nothing is sent before
        `upload_once`. After it was handed to the socket, it runs to its answer, even if the caller
        is cancelled.

        Args:
            campaign: The campaign; its ``lists`` must be empty.
            observer: See `submit`.

        Raises:
            OutcomeUnknown: the campaign was possibly created; without an upload it should send
                nothing.
            InvalidRequest: it has lists, or a schedule in the past; nothing was sent.
            NotOffered: this account or platform has no such endpoint.
        Source: POST /v1/campaign/normal/once; notes 2026, the body is assumed (T122)
        """
        raise_problems(problems_of_type("campaign", campaign, Campaign, "a Campaign"))
        return await self._submit_once("submit_once", "normal", campaign, observer)

    @hides_variables
    async def submit_ab_test_once(
        self, ab_test: ABTest, *, observer: Observer | None = None
    ) -> OnceTicket:
        """Prepare an A/B test to contacts that are uploaded next; see `submit_once`.

        Args:
            ab_test: The A/B test; its ``lists`` must be empty.
            observer: See `submit`.

        Raises:
            OutcomeUnknown: the campaign was possibly created; without an upload it should send
                nothing.
            InvalidRequest: it has lists, or a schedule in the past; nothing was sent.
            NotOffered: this account or platform has no such endpoint.
        Source: POST /v1/campaign/testing/once; notes 2026, the body is assumed (T122)
        """
        raise_problems(problems_of_type("ab_test", ab_test, _AB_TESTS, "an A/B test"))
        return await self._submit_once("submit_ab_test_once", "testing", ab_test, observer)

    @hides_variables
    async def upload_once(
        self, ticket: OnceTicket, source: AnyPath | bytes, *, observer: Observer | None = None
    ) -> None:
        """Upload the recipients of a campaign that is sent once; the upload sends it.

        Not repeatable: a second upload can send a second time. Only an attempt that was not sent is
        repeated. After it was handed to the socket, it runs to its answer, even if the caller is
        cancelled.

        Args:
            ticket: The ticket of `submit_once`; its URL soon expires.
            source: The path of a CSV file, or its content.
            observer: See `submit`.

        Raises:
            StorageError: the storage refused it, or the URL has expired (`.expired`); nothing was
                sent.
            OutcomeUnknown: it was possibly sent; look it up with `get_status`, never upload again.
            InvalidRequest: the file is missing or empty.
        Source: the notes of 2026; that the upload sends is inferred (T123)
        """
        raise_problems(problems_of_type("ticket", ticket, OnceTicket, "a ticket of submit_once"))
        body = await open_body(source)
        del source  # error reporters print the variables of frames, and these can be contacts
        await self._storage.put_once(ticket.url, body, observer=observer)

    @hides_variables
    async def get_status(self, campaign_sn: CampaignSn) -> CampaignStatus:
        """Return the state of a campaign or A/B test (查詢活動狀態).

        Raises:
            APIError: the campaign is unknown.
            NotOffered: this account or platform has no such endpoint.
        Source: GET /v1/campaign/normal/{campaign_sn}; notes 2026
        """
        check_code("campaign_sn", campaign_sn)
        return await self._api.call(
            Request(
                name="get_status",
                method="GET",
                path=path("/v1/campaign/normal/{sn}", sn=campaign_sn),
                kind=Kind.READ,
                polite=True,
                later=True,
                about="the campaign",
                decode=functools.partial(later_answers.decode_status, requested=campaign_sn),
            )
        )

    @hides_variables
    async def pause(self, campaign_sn: CampaignSn) -> None:
        """Stop a campaign (暫停); sent mails cannot be recalled.

        No way to resume it is documented. Read its state afterwards. The request has priority over
        all others, and is attempted once even if the daily quota seems to be exhausted.

        Raises:
            APIError: the campaign is unknown, or cannot be stopped in its state.
            OutcomeUnknown: it was refused after an attempt with a lost answer, which possibly
                stopped it. Read its state.
            NotOffered: this account or platform has no such endpoint; stop it in the console.
        Source: PATCH /v1/campaign/normal/{campaign_sn}; notes 2026 (T129)
        """
        check_code("campaign_sn", campaign_sn)
        await self._api.call(
            Request(
                name="pause_campaign",
                method="PATCH",
                path=path("/v1/campaign/normal/{sn}", sn=campaign_sn),
                kind=Kind.STOP,
                urgent=True,
                later=True,
                about="the campaign",
                instead=_INSTEAD,
                decode=decode_nothing,
                ignores_answer=True,
                look_for="its state up by get_status",
            )
        )

    @hides_variables
    async def delete(self, campaign_sns: Iterable[CampaignSn]) -> DeleteOutcome:
        """Delete campaigns (刪除活動), and return the outcome for each.

        A campaign that is being sent is not deleted; `pause` it first. The request has priority
        over all others, like `pause`.

        Args:
            campaign_sns: 1 to 50 codes.

        Raises:
            NotOffered: this account or platform has no such endpoint; delete in the console.
        Source: DELETE /v1/campaign/normal; notes 2026 (T127, T128)
        """
        codes = unique_codes(campaign_sns)
        raise_problems(problems_of_codes("campaign_sns", codes))
        result = await self._api.result(
            Request(
                name="delete_campaigns",
                method="DELETE",
                path="/v1/campaign/normal",
                kind=Kind.STOP,
                urgent=True,
                later=True,
                instead=_INSTEAD,
                body={"campaignSnList": list(codes)},
                decode=functools.partial(later_answers.decode_deleted, requested=codes),
                look_for="their states up by get_status",
            )
        )
        return attrs.evolve(result.get(), after_loss=result.after_loss)

    async def _submit_once(
        self, name: str, kind: str, campaign: Campaign | ABTest, observer: Observer | None
    ) -> OnceTicket:
        now = self._api.clock.now()
        raise_problems(problems_of_once(campaign, now))
        request = Request(
            name=name,
            method="POST",
            path=f"/v1/campaign/{kind}/once",
            kind=Kind.SUBMIT,
            later=True,
            instead="send to a list with send_campaign",
            body=requests.encode_once(campaign, now),
            decode=functools.partial(later_answers.decode_once_ticket, base_url=self._api.base_url),
            look_for=f"for the campaign {campaign.name!r}",
        )
        return await self._api.call(request, observer=observer)

    async def _submit(
        self, name: str, kind: str, campaign: Campaign | ABTest, observer: Observer | None
    ) -> CampaignSn:
        now = self._api.clock.now()
        raise_problems(problems_at_send(campaign, now))
        request = Request(
            name=name,
            method="POST",
            path=f"/v1/campaign/{kind}/submit",
            kind=Kind.SUBMIT,
            body=requests.encode_submission(campaign, now),
            decode=answers.decode_campaign_sn,
            look_for=f"for the campaign {campaign.name!r}",
        )
        return await self._api.call(request, observer=observer)


def problems_of_codes(field: str, codes: object) -> Iterator[Problem]:
    """Yield the problems of the codes of several campaigns."""
    if not isinstance(codes, tuple):
        yield wrong_type(field, codes, f"several codes, for example {field}=[sn]")
        return
    if not codes:
        yield Problem(field, "required", "is empty; add the code of at least one campaign")
    elif len(codes) > MOST_CODES:
        yield Problem(
            field,
            "too-many",
            f"has {len(codes)} codes, but {MOST_CODES} are allowed; divide them",
        )
    for place, each in enumerate(codes):
        yield from problems_of_code(f"{field}[{place}]", each)
