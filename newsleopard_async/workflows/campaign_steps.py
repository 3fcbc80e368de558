"""The steps about campaigns that were submitted: what became of them, and what stops them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.clock import moved

# Loaded before a pipeline begins, as in `steps`.
from newsleopard_async.endpoints import account, campaigns, reports  # noqa: F401 - see above
from newsleopard_async.errors import UnexpectedResponse
from newsleopard_async.models import (
    Balance,
    Campaign,
    CampaignMetrics,
    CampaignSn,
    CampaignStatus,
    DeleteOutcome,
    Mailing,
    OnceTicket,
    SentCampaign,
)
from newsleopard_async.plain import Plain
from newsleopard_async.transport.watched import Observer
from newsleopard_async.workflows.runner import step
from newsleopard_async.workflows.steps import ranges_around

__all__ = [
    "FindFinished",
    "OnceUpload",
    "delete_campaigns",
    "find_finished",
    "get_balance",
    "get_metrics",
    "get_status",
    "hold_until",
    "pause_campaign",
    "submit_once",
    "upload_once",
]


@attrs.frozen(kw_only=True)
class FindFinished(Plain):
    """A campaign to look for among the finished ones by its code.

    Attributes:
        campaign_sn: Its code.
        since: When it was submitted, or earlier.
    """

    campaign_sn: CampaignSn
    since: datetime


@attrs.frozen(kw_only=True)
class OnceUpload(Plain):
    """Where to upload the contacts of a campaign that is sent once, and their file."""

    ticket: OnceTicket
    path: Path


@step(gives=CampaignStatus)
async def get_status(nl: NewsLeopard, campaign_sn: CampaignSn) -> CampaignStatus:
    """Return where a campaign stands.

    Raises:
        UnexpectedResponse: the answer is about another campaign, whose state says nothing of
            this one.
    """
    status = await nl.campaigns.get_status(campaign_sn)
    if status.sn != campaign_sn:
        raise UnexpectedResponse(
            f"the answer to get_status is about another campaign than {campaign_sn}", status=200
        )
    return status


@step(gives=SentCampaign | None)
async def find_finished(nl: NewsLeopard, given: FindFinished) -> SentCampaign | None:
    """Look for a campaign among the finished ones, from a day before the submit to a day after now.

    A campaign that failed is never among them.
    """
    for begin, end in ranges_around(given.since, nl.clock.now()):
        for each in await nl.reports.list_campaigns(start=begin, end=end):
            if each.sn == given.campaign_sn:
                return each
    return None


@step(gives=datetime)
async def hold_until(nl: NewsLeopard, hold: timedelta) -> datetime:
    """Return until when a campaign is held back that is submitted now."""
    return moved(nl.clock.now(), hold)


@step(gives=Balance)
async def get_balance(nl: NewsLeopard, _: None) -> Balance:
    """Return what the account may still send."""
    return await nl.account.get_balance()


@step(gives=tuple[CampaignMetrics, ...])
async def get_metrics(
    nl: NewsLeopard, campaign_sns: tuple[CampaignSn, ...]
) -> tuple[CampaignMetrics, ...]:
    """Return the figures of up to 50 campaigns."""
    return await nl.reports.get_metrics(campaign_sns)


@step(gives=None)
async def pause_campaign(nl: NewsLeopard, campaign_sn: CampaignSn) -> None:
    """Stop a campaign; repeating it changes nothing."""
    await nl.campaigns.pause(campaign_sn)


@step(gives=DeleteOutcome, writes=True)
async def delete_campaigns(nl: NewsLeopard, campaign_sns: tuple[CampaignSn, ...]) -> DeleteOutcome:
    """Delete campaigns; repeating it changes nothing."""
    return await nl.campaigns.delete(campaign_sns)


def _only_code(ticket: OnceTicket) -> CampaignSn:
    """Keep no URL: it holds its own authorisation."""
    return ticket.campaign_sn


@step(gives=CampaignSn, request="POST /v1/campaign/…/once", keeps=_only_code)
async def submit_once(nl: NewsLeopard, campaign: Mailing, observer: Observer) -> OnceTicket:
    """Prepare a campaign, or an A/B test, to contacts that are uploaded next."""
    if isinstance(campaign, Campaign):
        return await nl.campaigns.submit_once(campaign, observer=observer)
    return await nl.campaigns.submit_ab_test_once(campaign, observer=observer)


@step(gives=CampaignSn | None, request="PUT to the file storage")
async def upload_once(nl: NewsLeopard, given: OnceUpload, observer: Observer) -> None:
    """Upload the contacts, which sends the campaign."""
    await nl.campaigns.upload_once(given.ticket, given.path, observer=observer)
