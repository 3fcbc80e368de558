"""Submit a campaign once, and find out its outcome if the reply was lost.

The platform has no idempotency key, and lists only *finished* campaigns. So a marker is added
to the campaign's name. If the outcome is unknown, the finished campaigns are searched for the
marker. If it is not found, nothing is sent again, because the campaign can be scheduled or sending.

A small campaign is sent and listed within seconds, a large one much later. So the search is done
immediately, soon after, and then at growing intervals, each time by another run.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from types import EllipsisType
from typing import Final

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.clock import moved
from newsleopard_async.errors import NewsLeopardError, OutcomeUnknown
from newsleopard_async.log import Log
from newsleopard_async.models import (
    Campaign,
    CampaignSn,
    Mailing,
    Polling,
    SendAt,
    SentCampaign,
)
from newsleopard_async.models.validation import problems_of_line, problems_of_time, raise_problems
from newsleopard_async.workflows import steps
from newsleopard_async.workflows.checkpoint import CheckpointLike
from newsleopard_async.workflows.fingerprint import Fingerprint
from newsleopard_async.workflows.local_runner import running
from newsleopard_async.workflows.pipeline import pipeline
from newsleopard_async.workflows.polling import poll, problems_of_polling
from newsleopard_async.workflows.progress import Events, Progress
from newsleopard_async.workflows.runner import Runner

__all__ = [
    "find_campaign",
    "look_again_at",
    "marked",
    "sent_earlier",
    "submit_or_find",
    "wait_of_test",
]

_LOOKS_BACK: Final = timedelta(days=28) - timedelta(hours=1)
"""How far back a run without a record searches for a campaign of its key. Chosen: with a day on
both sides it is a month, which one request covers; 1 h is left for the wait of that request."""

_SOONEST: Final = timedelta(seconds=30)
_LATEST: Final = timedelta(days=1)
"""The least and the greatest interval between the searches of two runs.

Chosen: the next search is due when the time since the campaign could be listed has doubled. So
ten runs cover the first eight hours, and a run that finds nothing costs one search per day.
"""
_log: Final = Log()


async def submit_or_find(
    run: Runner, campaign: Mailing, marker: str | EllipsisType | None
) -> CampaignSn:
    """Submit a campaign; if it was possibly submitted before, search for it instead.

    Args:
        run: The runner of the pipeline.
        campaign: The campaign.
        marker: The text that is added to its name; see `send_campaign`.

    Raises:
        OutcomeUnknown: it was possibly submitted, and is not found (yet).
    """
    ready = marked(campaign, run.marker if isinstance(marker, EllipsisType) else marker)
    was_tried = run.has(steps.submit)
    try:
        return await run.step(steps.submit, ready)
    except OutcomeUnknown as unknown:
        if not was_tried:
            # If the run is cancelled during the search, the log has the campaign's name.
            _log.warning("it is unknown whether %r was submitted; searching for it", ready.name)
        since = min(run.in_doubt_since(steps.submit) or run.now(), run.now())
        seen = "it is not among the finished campaigns"
        found = None
        try:
            found = await _search(run, ready, marker, since)
        except NewsLeopardError as error:
            # If the search fails, the outcome is still unknown, and that is the error to raise.
            seen = f"the finished campaigns could not be read ({type(error).__name__})"
        if found is None:
            if await run.has_outcome(steps.submit):
                return await submit_or_find(run, campaign, marker)
            raise _still_unknown(run, ready, unknown, since, seen) from None
    await run.record_result(steps.submit, found.sn)
    return found.sn


async def sent_earlier(run: Runner, marker: str | EllipsisType | None) -> SentCampaign | None:
    """Search for a campaign of the same send key that a run without a record has sent.

    The record can be in another store, or lost. Without a marker nothing is searched.

    Args:
        run: The runner of the pipeline; the result is stored.
        marker: The text that is added to the campaign's name; see `send_campaign`.
    """
    if run.send_key is None or marker is None:
        return None
    text = run.sought_marker if isinstance(marker, EllipsisType) else marker
    search = steps.FindSent(text=text, since=moved(run.now(), -_LOOKS_BACK))
    found = await run.step(steps.find_earlier, search)
    if found is not None:
        _log.warning(
            "the campaign %s (%r) was sent under the send key %r before; nothing is sent now",
            *(found.sn, found.name, run.send_key),
        )
    return found


def marked(campaign: Mailing, text: str | None) -> Mailing:
    """Add the marker to the campaign's name, which its recipients do not see."""
    if text is None:
        return campaign
    if text in campaign.name:
        return campaign
    return attrs.evolve(campaign, name=f"{campaign.name} {text}")


async def _search(
    run: Runner, campaign: Mailing, marker: str | EllipsisType | None, since: datetime
) -> SentCampaign | None:
    text = run.sought_marker if isinstance(marker, EllipsisType) else marker
    search = steps.FindSent(text=text or campaign.name, since=since, whole_name=text is None)
    return await run.step(steps.find_sent, search, keep=False)


def look_again_at(campaign: Mailing, submitted: datetime, now: datetime) -> datetime:
    """Return when the next search makes sense, if the campaign was submitted.

    The first time is soon after the campaign can be listed; the intervals then grow.

    Args:
        campaign: The campaign.
        submitted: When it was submitted, in UTC.
        now: The time, in UTC.
    """
    listed_from = _is_listed_from(campaign, submitted)
    if now < listed_from:
        return moved(listed_from, _SOONEST)
    return moved(now, min(max(now - listed_from, _SOONEST), _LATEST))


def _is_listed_from(campaign: Mailing, submitted: datetime) -> datetime:
    """Return when a campaign can be listed: after its time, and the wait of an A/B test."""
    schedule = campaign.schedule
    begins = schedule.when if isinstance(schedule, SendAt) else submitted
    return moved(begins, wait_of_test(campaign))


def wait_of_test(campaign: Mailing) -> timedelta:
    """Return how long an A/B test waits before its main send; zero for a campaign."""
    return timedelta() if isinstance(campaign, Campaign) else campaign.wait


def _still_unknown(
    run: Runner, campaign: Mailing, unknown: OutcomeUnknown, since: datetime, seen: str
) -> OutcomeUnknown:
    when = look_again_at(campaign, since, run.now())
    # An earlier run's submit has no answer.
    answered = f": {steps.answer_of(unknown)}" if unknown.status is not None else ""
    return OutcomeUnknown(
        f"It is unknown whether the campaign {campaign.name!r} was submitted{answered}; {seen}, "
        "and it was not sent again. "
        "Search for that name in the console (活動列表). "
        'If it is there: await error.checkpoint.resolve("sent", campaign_sn="…"). '
        'If it is not: await error.checkpoint.resolve("resubmit"). '
        "Then run the same call again with the same send key or checkpoint. "
        f"Or only run it again after {when:%Y-%m-%d %H:%M:%S} UTC: it searches again, and sends "
        "nothing.",
        request=unknown.request,
        status=unknown.status,
        excerpt=unknown.excerpt,
        look_again_at=when,
    ).with_answer_of(unknown)


@pipeline
async def find_campaign(
    nl: NewsLeopard,
    marker: str,
    *,
    since: datetime,
    polling: Polling | None = None,
    progress: Progress | None = None,
    checkpoint: CheckpointLike | None = None,
) -> SentCampaign | None:
    """Search for a finished campaign whose name contains a marker.

    A campaign that is scheduled or still being sent is in no list, and is not found.

    Args:
        nl: The client.
        marker: A text that no other campaign's name contains.
        since: A time at or before its submit; aware.
        polling: The intervals and the deadline of the search; None searches once.
        progress: Called with every event; or an `EventFeed`, to loop over them.
        checkpoint: A path, as for the other pipelines.
    Returns: The campaign, or None if a single search did not find it.

    Raises:
        DeadlineExceeded: it was not found before the deadline of ``polling``.
        InvalidRequest: the marker is empty, or the time has no zone.
    Source: GET /v1/report/campaigns, requested month by month from a day before ``since`` to a
        day after now, because it is not documented which instant its range means. More than
        three years are requested in 36 longer ranges.
    """
    raise_problems(
        [
            *problems_of_line("marker", marker),
            *problems_of_time("since", since),
            *problems_of_polling(polling),
        ]
    )
    search = steps.FindSent(text=marker, since=since)
    async with running(
        nl,
        Events("find_campaign", progress, nl.clock, (("find_sent",),)),
        fingerprint=Fingerprint.of(marker, since, marker=marker, since=since),
        checkpoint=checkpoint,
    ) as run:
        if polling is None:
            return await run.step(steps.find_sent, search, keep=False)
        return await poll(
            run,
            steps.find_sent,
            search,
            is_done=lambda found, _: found is not None,
            polling=polling,
            what=f"a campaign named {marker}",
        )
