"""Send a campaign: import its contacts, if any, then submit it, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from newsleopard_async.checks.campaign import problems_at_send
from newsleopard_async.client import NewsLeopard
from newsleopard_async.errors import ImportIncomplete, InvalidRequest, Problem
from newsleopard_async.models import ListSn, Mailing, Polling, SentCampaign, with_lists
from newsleopard_async.models.mailing import BaseMailing
from newsleopard_async.models.rules import (
    problems_of_line,
    problems_of_type,
    refuse,
    wrong_type,
)
from newsleopard_async.workflows import steps
from newsleopard_async.workflows.events import Progress
from newsleopard_async.workflows.imports import (
    IfListExists,
    Target,
    find_or_create,
    import_into,
)
from newsleopard_async.workflows.outcomes import ImportReport, SendOutcome
from newsleopard_async.workflows.runner import LocalRunner
from newsleopard_async.workflows.source import Contacts, contacts_file

__all__ = ["find_campaign", "is_complete_enough", "send_campaign"]

_ONE_DAY: Final = timedelta(days=1)
_ONE_MONTH: Final = timedelta(days=30)


async def send_campaign(
    nl: NewsLeopard,
    campaign: Mailing,
    *,
    contacts: Contacts | None = None,
    list_sn: ListSn | None = None,
    list_name: str | None = None,
    if_list_exists: IfListExists = "refuse",
    max_rejected: float | None = 0,
    polling: Polling | None = None,
    progress: Progress | None = None,
) -> SendOutcome:
    """Import contacts, if any are given, then submit a campaign or an A/B test, once.

    Args:
        nl: The client.
        campaign: What to send; the list that is imported into joins its lists.
        contacts: A path to a CSV file, or the CSV itself; None sends to the lists as they are.
        list_sn: The list to import into.
        list_name: Or the name of a list to create.
        if_list_exists: What to do where a list of that name is there already.
        max_rejected: Rows that the platform may reject without stopping the send: a number
            of rows, a share below 1, or None for any.
        polling: How the import is watched.
        progress: Called with every event.

    Raises:
        OutcomeUnknown: the reply to the submit was lost; do not send again, look it up.
        ImportIncomplete: too many rows were rejected; nothing was sent.
        ImportFailed: the import ended without success; nothing was sent.
        InvalidRequest: something is wrong with what was given; nothing was sent.
    """
    run = LocalRunner(nl, "send_campaign", progress)
    refuse(_problems_of_arguments(campaign, max_rejected))
    if contacts is None:
        _check_no_target(list_sn, list_name)
        refuse(problems_at_send(campaign, nl.clock.now()))
        return SendOutcome(campaign_sn=await run.once(steps.submit, campaign))

    target = Target(list_sn=list_sn, list_name=list_name, if_list_exists=if_list_exists)
    _check_before_import(campaign, target, nl.clock.now())
    async with contacts_file(contacts) as file:
        joined = await find_or_create(run, target)
        ready = with_lists(campaign, (*campaign.lists, joined))
        report = await import_into(run, file, joined, polling or Polling())
    _check_rejected(report, max_rejected)
    campaign_sn = await run.once(steps.submit, ready)
    return SendOutcome(campaign_sn=campaign_sn, import_report=report)


def _problems_of_arguments(campaign: object, max_rejected: object) -> Iterator[Problem]:
    yield from problems_of_type("campaign", campaign, BaseMailing, "a campaign or an A/B test")
    if max_rejected is None:
        return
    if isinstance(max_rejected, bool) or not isinstance(max_rejected, (int, float)):
        yield wrong_type("max_rejected", max_rejected, "a number of rows, a share, or None")
    elif not max_rejected >= 0:  # which NaN is not, either
        yield Problem("max_rejected", "range", "must not be negative; None allows any number")


def _check_no_target(list_sn: ListSn | None, list_name: str | None) -> None:
    if list_sn is not None or list_name is not None:
        raise InvalidRequest.of(
            "contacts",
            "required",
            "list_sn and list_name say where contacts go, and no contacts are given; "
            "name lists to send to in the campaign itself",
        )


def _check_before_import(campaign: Mailing, target: Target, now: datetime) -> None:
    """Refuse before the import what the submit would refuse after it."""
    if target.list_sn is not None:
        campaign = with_lists(campaign, (*campaign.lists, target.list_sn))
    refuse(
        problem
        for problem in problems_at_send(campaign, now)
        # One without a list is still to get the one that is imported into.
        if (problem.field, problem.rule) != ("lists", "required")
    )


def _check_rejected(report: ImportReport, max_rejected: float | None) -> None:
    if is_complete_enough(report, max_rejected):
        return
    raise ImportIncomplete(
        f"{report.rejected} of {report.result.file_count} rows were rejected by the platform, "
        f"more than max_rejected={max_rejected}; nothing was sent",
        result=report.result,
    )


def is_complete_enough(report: ImportReport, max_rejected: float | None) -> bool:
    """Judge an import by its rejected rows: a number of them, a share, or any."""
    if max_rejected is None:
        return True
    rejected = report.rejected
    if 0 < max_rejected < 1:
        return rejected <= max_rejected * (report.result.file_count or rejected)
    return rejected <= max_rejected


async def find_campaign(nl: NewsLeopard, marker: str, *, since: datetime) -> SentCampaign | None:
    """Look for a finished campaign whose name holds a marker.

    A campaign that is scheduled or still being sent is in no list, and is not found.

    Args:
        nl: The client.
        marker: A piece of text that no other campaign's name holds.
        since: When it was submitted, or earlier; aware.

    Raises:
        InvalidRequest: no marker, or a time without its zone.
    Source: GET /v1/report/campaigns, asked month by month and a day wider than needed,
        since it is not documented which instant its range means.
    """
    refuse([*problems_of_line("marker", marker), *_problems_of_since(since)])
    begin, last = since - _ONE_DAY, nl.clock.now() + _ONE_DAY
    while begin < last:
        end = min(begin + _ONE_MONTH, last)
        for each in await nl.reports.list_campaigns(start=begin, end=end):
            if marker in each.name:
                return each
        begin = end
    return None


def _problems_of_since(since: object) -> Iterator[Problem]:
    if not isinstance(since, datetime):
        yield wrong_type("since", since, "a datetime with a time zone")
    elif since.utcoffset() is None:
        yield Problem("since", "aware", "has no time zone; give it one, as in tzinfo=UTC")
