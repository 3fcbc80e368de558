"""寄信: submitting campaigns."""

from __future__ import annotations

from typing import Final

import attrs

from newsleopard_async.checks.at_send import problems_at_send
from newsleopard_async.disclosure import hides_variables
from newsleopard_async.models import (
    ABTest,
    Campaign,
    CampaignSn,
    ContentTest,
    SenderTest,
    SubjectTest,
)
from newsleopard_async.models.validation import problems_of_type, refuse
from newsleopard_async.transport.api import Api
from newsleopard_async.transport.attempt import Observer
from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.request import Request
from newsleopard_async.transport.wire import answers, requests

__all__ = ["Campaigns"]

_AB_TESTS: Final = (SubjectTest, SenderTest, ContentTest)


@attrs.frozen
class Campaigns:
    """Campaigns (活動), sent or scheduled by being submitted."""

    _api: Api

    @hides_variables
    async def submit(self, campaign: Campaign, *, observer: Observer | None = None) -> CampaignSn:
        """Submit a campaign (建立活動並且寄信) and return its code; accepted is not yet sent.

        Not repeatable: every accepted call is a further mailing. Once handed to the socket
        it runs to its answer, even if the caller is cancelled.

        Args:
            campaign: What to send, to at least one list.
            observer: Sees it leave and what becomes of it, even if the caller is cancelled;
                the place to store its code.

        Raises:
            OutcomeUnknown: it may or may not go out; look it up, never repeat it.
            InvalidRequest: no list, or a schedule in the past; nothing was sent.
        Source: POST /v1/campaign/normal/submit; documented
        """
        refuse(problems_of_type("campaign", campaign, Campaign, "a Campaign"))
        return await self._submit("submit_campaign", "normal", campaign, observer)

    @hides_variables
    async def submit_ab_test(
        self, ab_test: ABTest, *, observer: Observer | None = None
    ) -> CampaignSn:
        """Submit an A/B test (建立A/B Testing 活動並且寄信) and return its code.

        Not repeatable; see `submit`.

        Args:
            ab_test: What to send, to at least one list.
            observer: See `submit`.

        Raises:
            OutcomeUnknown: it may or may not go out; look it up, never repeat it.
            InvalidRequest: no list, or a schedule in the past; nothing was sent.
        Source: POST /v1/campaign/testing/submit; documented
        """
        refuse(problems_of_type("ab_test", ab_test, _AB_TESTS, "an A/B test"))
        return await self._submit("submit_ab_test", "testing", ab_test, observer)

    async def _submit(
        self, name: str, kind: str, campaign: Campaign | ABTest, observer: Observer | None
    ) -> CampaignSn:
        now = self._api.clock.now()
        refuse(problems_at_send(campaign, now))
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
