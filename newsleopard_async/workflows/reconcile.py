"""Submit a campaign once, and find out what became of it where the reply was lost.

The platform has no idempotency key, and lists only *finished* campaigns. So a marker goes
into the campaign's name; where the outcome is unknown, the finished ones are searched for
it; and where it is not found, nothing is sent again: it may be scheduled, or on its way.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from types import EllipsisType
from typing import Final

import attrs

from newsleopard_async.errors import NewsLeopardError, OutcomeUnknown
from newsleopard_async.models import Campaign, CampaignSn, Mailing, SendAt, SentCampaign
from newsleopard_async.workflows import steps
from newsleopard_async.workflows.runner import Runner

__all__ = ["ONE_DAY", "look_again_at", "marked", "search_window", "submit_once"]

ONE_DAY: Final = timedelta(days=1)
"""By how much a search is wider than needed, since it is not documented what its range means."""

_SENDING_TAKES: Final = timedelta(minutes=30)
"""How long a campaign usually takes from its begin to its end, when it is first listed."""


async def submit_once(
    run: Runner, campaign: Mailing, marker: str | EllipsisType | None
) -> CampaignSn:
    """Submit a campaign, unless it may have been submitted before; then look for it.

    Raises:
        OutcomeUnknown: it may have been submitted, and is not found (yet).
    """
    text = f"[nl-{run.token}]" if isinstance(marker, EllipsisType) else marker
    ready = marked(campaign, text)
    try:
        return await run.step(steps.submit, ready)
    except OutcomeUnknown as unknown:
        seen = "it is not among the finished ones"
        found = None
        try:
            found = await _search(run, ready, text)
        except NewsLeopardError as error:
            # Whatever keeps us from looking, the outcome is as unknown as before.
            seen = f"the finished ones could not be looked at ({type(error).__name__})"
        if found is None:
            raise _still_unknown(run, ready, unknown, seen) from None
    await run.settle(steps.submit, found.sn)
    return found.sn


def marked(campaign: Mailing, text: str | None) -> Mailing:
    """Put the marker into the campaign's name, which its recipients do not see."""
    if text is None:
        return campaign
    if text in campaign.name:
        return campaign
    return attrs.evolve(campaign, name=f"{campaign.name} {text}")


async def _search(run: Runner, campaign: Mailing, marker: str | None) -> SentCampaign | None:
    since = run.held_since(steps.submit) or run.now()
    begin, end = search_window(campaign, since, run.now())
    given = steps.FindSent(
        text=marker or campaign.name, since=begin, until=end, whole_name=marker is None
    )
    return await run.step(steps.find_sent, given, keep=False)


def search_window(
    campaign: Mailing, submitted: datetime, now: datetime
) -> tuple[datetime, datetime]:
    """Return the range of sending times that the campaign can have."""
    return submitted - ONE_DAY, max(now, _begins(campaign, now)) + ONE_DAY


def look_again_at(campaign: Mailing, now: datetime) -> datetime:
    """Return from when on the campaign, if it was submitted, should be listed as finished."""
    wait = timedelta() if isinstance(campaign, Campaign) else campaign.wait
    return max(now, _begins(campaign, now)) + wait + _SENDING_TAKES


def _begins(campaign: Mailing, now: datetime) -> datetime:
    return campaign.schedule.when if isinstance(campaign.schedule, SendAt) else now


def _still_unknown(
    run: Runner, campaign: Mailing, unknown: OutcomeUnknown, seen: str
) -> OutcomeUnknown:
    when = look_again_at(campaign, run.now())
    return OutcomeUnknown(
        f"It is not known whether the campaign {campaign.name!r} was submitted; {seen}, "
        "and it was not sent again. "
        "Look for that name in the console (活動列表). "
        'If it is there: await error.checkpoint.resolve("sent", campaign_sn="…"). '
        'If it is not: await error.checkpoint.resolve("resubmit"). '
        "Then run the same call again with the same checkpoint. "
        f"Or only run it again after {when:%Y-%m-%d %H:%M} UTC: it looks once more, and sends "
        "nothing.",
        request=unknown.request,
        look_again_at=when,
    )
