"""Submit a campaign once, and find out what became of it if the reply was lost.

The platform has no idempotency key, and lists only *finished* campaigns. So a marker goes
into the campaign's name; if the outcome is unknown, the finished ones are searched for it;
and if it is not found, nothing is sent again: it may be scheduled, or on its way.

A small campaign is sent and listed within seconds, a large one much later. So it is looked for
at once, soon after, and then at growing distances, each time by a run of its own.
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
"""How far back a run without a record looks for what was sent under its key. Chosen: with a day on
both sides it is a month, which one request covers, less what may pass until that is made."""

_SOONEST: Final = timedelta(seconds=30)
_LATEST: Final = timedelta(days=1)
"""The least and the greatest distance between the looks of two runs.

Chosen: the next look is due when the time since the campaign could be listed has doubled. So
ten runs cover the first eight hours, and a forgotten one costs one look a day.
"""
_log: Final = Log()


async def submit_or_find(
    run: Runner, campaign: Mailing, marker: str | EllipsisType | None
) -> CampaignSn:
    """Submit a campaign, unless it may have been submitted before; then look for it.

    Args:
        run: Carries it.
        campaign: What to send.
        marker: What is added to its name; see `send_campaign`.

    Raises:
        OutcomeUnknown: it may have been submitted, and is not found (yet).
    """
    ready = marked(campaign, run.marker if isinstance(marker, EllipsisType) else marker)
    is_held = run.has(steps.submit)
    try:
        return await run.step(steps.submit, ready)
    except OutcomeUnknown as unknown:
        if not is_held:
            # If the run is cancelled during the look, its name is in the log.
            _log.warning("it is not known whether %r was submitted; it is looked for", ready.name)
        since = min(run.in_doubt_since(steps.submit) or run.now(), run.now())
        seen = "it is not among the finished ones"
        found = None
        try:
            found = await _search(run, ready, marker, since)
        except NewsLeopardError as error:
            # If the look fails for any reason, the outcome is as unknown as before.
            seen = f"the finished ones could not be looked at ({type(error).__name__})"
        if found is None:
            if await run.has_news(steps.submit):
                return await submit_or_find(run, campaign, marker)
            raise _still_unknown(run, ready, unknown, since, seen) from None
    await run.record_result(steps.submit, found.sn)
    return found.sn


async def sent_earlier(run: Runner, marker: str | EllipsisType | None) -> SentCampaign | None:
    """Look for a campaign of the same send key that was sent by a run of which nothing is kept.

    Its record may be in another store, or gone with a disk. Without a marker nothing is looked for.

    Args:
        run: Carries it; what it finds is kept.
        marker: What is added to the campaign's name; see `send_campaign`.
    """
    if run.send_key is None or marker is None:
        return None
    text = run.sought_marker if isinstance(marker, EllipsisType) else marker
    given = steps.FindSent(text=text, since=moved(run.now(), -_LOOKS_BACK))
    found = await run.step(steps.find_earlier, given)
    if found is not None:
        _log.warning(
            "the campaign %s (%r) was sent under the send key %r before; nothing is sent now",
            *(found.sn, found.name, run.send_key),
        )
    return found


def marked(campaign: Mailing, text: str | None) -> Mailing:
    """Put the marker into the campaign's name, which its recipients do not see."""
    if text is None:
        return campaign
    if text in campaign.name:
        return campaign
    return attrs.evolve(campaign, name=f"{campaign.name} {text}")


async def _search(
    run: Runner, campaign: Mailing, marker: str | EllipsisType | None, since: datetime
) -> SentCampaign | None:
    text = run.sought_marker if isinstance(marker, EllipsisType) else marker
    given = steps.FindSent(text=text or campaign.name, since=since, whole_name=text is None)
    return await run.step(steps.find_sent, given, keep=False)


def look_again_at(campaign: Mailing, submitted: datetime, now: datetime) -> datetime:
    """Return when a further look makes sense, if the campaign was submitted.

    That is soon after it can be listed for the first time; then at growing distances.

    Args:
        campaign: What was submitted.
        submitted: When, in UTC.
        now: In UTC.
    """
    listed_from = _is_listed_from(campaign, submitted)
    if now < listed_from:
        return moved(listed_from, _SOONEST)
    return moved(now, min(max(now - listed_from, _SOONEST), _LATEST))


def _is_listed_from(campaign: Mailing, submitted: datetime) -> datetime:
    """Return from when on it may be finished, and listed: after its time, and a test's wait."""
    schedule = campaign.schedule
    begins = schedule.when if isinstance(schedule, SendAt) else submitted
    return moved(begins, wait_of_test(campaign))


def wait_of_test(campaign: Mailing) -> timedelta:
    """Return how long an A/B test waits before its main send; nothing for a campaign."""
    return timedelta() if isinstance(campaign, Campaign) else campaign.wait


def _still_unknown(
    run: Runner, campaign: Mailing, unknown: OutcomeUnknown, since: datetime, seen: str
) -> OutcomeUnknown:
    when = look_again_at(campaign, since, run.now())
    # Of an earlier run's submit nothing but that is known.
    answered = f": {steps.answer_of(unknown)}" if unknown.status is not None else ""
    return OutcomeUnknown(
        f"It is not known whether the campaign {campaign.name!r} was submitted{answered}; {seen}, "
        "and it was not sent again. "
        "Look for that name in the console (活動列表). "
        'If it is there: await error.checkpoint.resolve("sent", campaign_sn="…"). '
        'If it is not: await error.checkpoint.resolve("resubmit"). '
        "Then run the same call again with the same send key or checkpoint. "
        f"Or only run it again after {when:%Y-%m-%d %H:%M:%S} UTC: it looks once more, and sends "
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
    """Look for a finished campaign whose name holds a marker.

    A campaign that is scheduled or still being sent is in no list, and is not found.

    Args:
        nl: The client.
        marker: A piece of text that no other campaign's name holds.
        since: When it was submitted, or earlier; aware.
        polling: How often to look, and until when; None looks once.
        progress: Called with every event; or an `EventFeed`, to loop over them.
        checkpoint: A path, as for the other pipelines.
    Returns: The campaign, or None if it was not there at the one look.

    Raises:
        DeadlineExceeded: it had not come by the deadline of ``polling``.
        InvalidRequest: no marker, or a time without its zone.
    Source: GET /v1/report/campaigns, asked month by month from a day before ``since`` to a
        day after now, since it is not documented which instant its range means. More than
        three years are asked for in 36 longer ranges.
    """
    raise_problems(
        [
            *problems_of_line("marker", marker),
            *problems_of_time("since", since),
            *problems_of_polling(polling),
        ]
    )
    given = steps.FindSent(text=marker, since=since)
    async with running(
        nl,
        Events("find_campaign", progress, nl.clock, (("find_sent",),)),
        fingerprint=Fingerprint.of(marker, since, marker=marker, since=since),
        checkpoint=checkpoint,
    ) as run:
        if polling is None:
            return await run.step(steps.find_sent, given, keep=False)
        return await poll(
            run,
            steps.find_sent,
            given,
            is_done=lambda found, _: found is not None,
            polling=polling,
            what=f"a campaign named {marker}",
        )
