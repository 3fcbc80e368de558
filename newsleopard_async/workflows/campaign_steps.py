"""The steps for campaigns that were submitted: read their state, stop them, send once."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from newsleopard_async.aio import in_thread
from newsleopard_async.client import NewsLeopard
from newsleopard_async.clock import moved
from newsleopard_async.contacts.recipients import RecipientBatch, read_batch

# Loaded before a pipeline begins, as in `steps`.
from newsleopard_async.endpoints import account, campaigns, reports  # noqa: F401 - see above
from newsleopard_async.errors import NewsLeopardError, UnexpectedResponse
from newsleopard_async.files import append_privately
from newsleopard_async.log import Log
from newsleopard_async.models import (
    AutomationEvent,
    Balance,
    Campaign,
    CampaignMetrics,
    CampaignSn,
    CampaignStatus,
    ContactList,
    DeleteOutcome,
    EventOutcome,
    ListSn,
    Mailing,
    OnceTicket,
    SentCampaign,
)
from newsleopard_async.plain import Plain
from newsleopard_async.transport.observer import Observer
from newsleopard_async.workflows.outcomes import EventCounts
from newsleopard_async.workflows.runner import step
from newsleopard_async.workflows.steps import lists_of, ranges_around

__all__ = [
    "EventBatch",
    "FindFinished",
    "OnceUpload",
    "count_subscribers",
    "delete_campaigns",
    "find_finished",
    "get_balance",
    "get_metrics",
    "get_status",
    "hold_until",
    "pause_campaign",
    "send_event",
    "submit_once",
    "upload_once",
]

_log: Final = Log()


@attrs.frozen(kw_only=True)
class FindFinished(Plain):
    """A search for a campaign among the finished ones by its code.

    Attributes:
        campaign_sn: The code of the campaign.
        since: A time at or before its submit.
    """

    campaign_sn: CampaignSn
    since: datetime


@attrs.frozen(kw_only=True)
class OnceUpload(Plain):
    """The file of contacts of a campaign that is sent once, and the ticket to upload it."""

    ticket: OnceTicket
    path: Path


@attrs.frozen(kw_only=True)
class EventBatch(Plain):
    """An event for some rows of a clean CSV file.

    Attributes:
        workflow: Code of the script.
        event: Whether the script begins or ends.
        path: The file.
        batch: The rows.
        refused_to: A file for the addresses that are refused.
    """

    workflow: str
    event: AutomationEvent
    path: Path
    batch: RecipientBatch
    refused_to: Path | None = None


@step(gives=CampaignStatus)
async def get_status(nl: NewsLeopard, campaign_sn: CampaignSn) -> CampaignStatus:
    """Return the state of a campaign.

    Raises:
        UnexpectedResponse: the answer contains another campaign. Its state must not decide about
            this one.
    """
    status = await nl.campaigns.get_status(campaign_sn)
    if status.sn != campaign_sn:
        raise UnexpectedResponse(
            f"the answer to get_status contains another campaign than {campaign_sn}", status=200
        )
    return status


@step(gives=SentCampaign | None)
async def find_finished(nl: NewsLeopard, search: FindFinished) -> SentCampaign | None:
    """Search the finished campaigns from a day before the submit to a day after now.

    A campaign that failed is never among them.
    """
    for begin, end in ranges_around(search.since, nl.clock.now()):
        for each in await nl.reports.list_campaigns(start=begin, end=end):
            if each.sn == search.campaign_sn:
                return each
    return None


@step(gives=datetime)
async def hold_until(nl: NewsLeopard, hold: timedelta) -> datetime:
    """Return the time until which a campaign that is submitted now is held."""
    return moved(nl.clock.now(), hold)


@step(gives=Balance | None)
async def get_balance(nl: NewsLeopard, _: None) -> Balance | None:
    """Return how much the account can still send; None if that cannot be read."""
    try:
        return await nl.account.get_balance()
    except NewsLeopardError as error:
        _log.info("the balance could not be read: %s", error)
        return None


@step(gives=tuple[ContactList, ...])
async def count_subscribers(
    nl: NewsLeopard, list_sns: tuple[ListSn, ...]
) -> tuple[ContactList, ...]:
    """Return the lists that were found, with their counts."""
    try:
        return await lists_of(nl, list_sns)
    except NewsLeopardError as error:
        _log.info("the lists could not be read: %s", error)
        return ()


@step(gives=tuple[CampaignMetrics, ...])
async def get_metrics(
    nl: NewsLeopard, campaign_sns: tuple[CampaignSn, ...]
) -> tuple[CampaignMetrics, ...]:
    """Return the figures of up to 50 campaigns."""
    return await nl.reports.get_metrics(campaign_sns)


@step(gives=None)
async def pause_campaign(nl: NewsLeopard, campaign_sn: CampaignSn) -> None:
    """Stop a campaign; a repeated call changes nothing."""
    await nl.campaigns.pause(campaign_sn)


@step(gives=DeleteOutcome, writes=True)
async def delete_campaigns(nl: NewsLeopard, campaign_sns: tuple[CampaignSn, ...]) -> DeleteOutcome:
    """Delete campaigns; a repeated call changes nothing."""
    return await nl.campaigns.delete(campaign_sns)


def _only_code(ticket: OnceTicket) -> CampaignSn:
    """Return the part of a ticket that is stored; the URL is a secret, so it is not."""
    return ticket.campaign_sn


@step(gives=CampaignSn, request="POST /v1/campaign/…/once", keeps=_only_code)
async def submit_once(nl: NewsLeopard, campaign: Mailing, observer: Observer) -> OnceTicket:
    """Prepare a campaign or an A/B test for contacts that are uploaded next."""
    if isinstance(campaign, Campaign):
        return await nl.campaigns.submit_once(campaign, observer=observer)
    return await nl.campaigns.submit_ab_test_once(campaign, observer=observer)


@step(gives=CampaignSn | None, request="PUT to the file storage")
async def upload_once(nl: NewsLeopard, upload: OnceUpload, observer: Observer) -> None:
    """Upload the contacts, which sends the campaign."""
    await nl.campaigns.upload_once(upload.ticket, upload.path, observer=observer)


@attrs.frozen
class _Refusals:
    """Add the refused addresses to a file before the batch counts as done."""

    observer: Observer
    path: Path

    async def on_sending(self) -> None:
        await self.observer.on_sending()

    async def on_accepted(self, model: EventOutcome) -> None:
        try:
            await in_thread(partial(_append, self.path, tuple(model.refused.items())))
        except OSError as error:
            # The event took effect, so its result must be stored in any case.
            _log.error(
                "%d refused addresses could not be added to %s: %s",
                len(model.refused),
                self.path,
                error.strerror,
            )
        await self.observer.on_accepted(model)

    async def on_failed(self, error: NewsLeopardError) -> None:
        await self.observer.on_failed(error)


def _append(path: Path, refused: Sequence[tuple[str, str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(refused)
    append_privately(path, text.getvalue().encode(), header=b"EMAIL,REASON\n")


@step(gives=EventCounts | None, request="POST /v1/automation/event", keeps=EventCounts.of)
async def send_event(
    nl: NewsLeopard, event_batch: EventBatch, observer: Observer
) -> EventOutcome | EventCounts | None:
    """Send an event for a batch; only the counts of its result are stored."""
    if event_batch.refused_to is not None:
        observer = _Refusals(observer, event_batch.refused_to)
    # Not bound to a name: error reports show the variables of the running frames.
    return await nl.automation.send_event(
        event_batch.workflow,
        event_batch.event,
        await in_thread(partial(read_batch, event_batch.path, event_batch.batch)),
        observer=observer,
    )
