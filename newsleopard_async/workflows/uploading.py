"""Prepare a campaign and upload its contacts, once, and find out the outcome.

Nothing can be sent before the upload, because the recipients are missing. So the upload is the real
submit. The checkpoint decides how a run continues:

- The reply to the preparation was lost: a person decides. The campaign should send nothing without
  its upload, but that is not proven (T123).
- A code without an upload: the URL is lost, because no URL is ever stored. The campaign is deleted.
  Another one is prepared only if the deletion succeeds. If a person has stopped the campaign, it
  stays stopped.
- An upload without an answer: the state of the campaign shows whether it arrived. In ``PREPARE``
  the run is in doubt, and the upload is never repeated automatically.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, cast

from newsleopard_async.clock import moved
from newsleopard_async.errors import (
    APIError,
    CampaignFailed,
    NewsLeopardError,
    NotOffered,
    OutcomeUnknown,
)
from newsleopard_async.log import Log
from newsleopard_async.models import (
    CampaignSn,
    CampaignState,
    CampaignStatus,
    Mailing,
    OnceTicket,
    Polling,
)
from newsleopard_async.workflows import steps
from newsleopard_async.workflows.campaign_steps import (
    FindFinished,
    OnceUpload,
    delete_campaigns,
    find_finished,
    get_status,
    submit_once,
    upload_once,
)
from newsleopard_async.workflows.polling import delays_s
from newsleopard_async.workflows.runner import Runner, Step

__all__ = ["is_open", "prepare_and_upload"]

_SOONEST: Final = timedelta(minutes=1)
_LATEST: Final = timedelta(days=1)
"""The least and the greatest interval between the lookups of two runs. Chosen: as after a submit
(`reconcile`), but 1 min at least, because each lookup polls for `Polling.grace_s`."""

_NOT_BEGUN: Final = frozenset({CampaignState.DRAFT, CampaignState.PREPARE})
"""The states of a campaign whose upload was not processed."""

_SENT: Final = frozenset({CampaignState.TESTING, CampaignState.SENDING, CampaignState.COMPLETE})
"""The states of a campaign that is sent without an upload of this library. In any other state, even
an unknown one, it has no recipients; it is deleted and prepared again."""

_UNKNOWN: Final = "the platform does not know it"

_log: Final = Log()


def is_open(run: Runner) -> bool:
    """Return whether a run has sent nothing, and nothing is in doubt."""
    return not run.has(upload_once) and run.in_doubt_since(submit_once) is None


async def prepare_and_upload(
    run: Runner, campaign: Mailing, path: Path, polling: Polling
) -> CampaignSn:
    """Send a campaign; if an earlier run possibly sent it, look it up instead.

    Args:
        run: The runner of the pipeline.
        campaign: The campaign with its marker.
        path: The clean contacts.
        polling: How the state is polled after a lost reply.

    Raises:
        OutcomeUnknown: it was possibly prepared, or sent, and that cannot be seen (yet).
        CampaignFailed: it was stopped before the upload.
        StorageError: the storage refused the upload.
    """
    if run.in_doubt_since(upload_once) is not None:
        campaign_sn = await _code(run, campaign)
        unknown = OutcomeUnknown("", request="PUT to the file storage")
        await _look_up(run, campaign, campaign_sn, unknown, polling)
    # The run that had begun the upload can have found out that it was never sent.
    if run.has(upload_once):
        return await _code(run, campaign)

    async def send() -> CampaignSn:
        if (sent := await _delete_prepared(run, campaign)) is not None:
            return sent
        ticket = await _prepare(run, campaign)
        try:
            await run.step(upload_once, OnceUpload(ticket=ticket, path=path))
        except OutcomeUnknown as unknown:
            # If the run is cancelled during the lookup, the log has the campaign's code.
            _log.warning("it is unknown whether %s was sent; reading its state", ticket.campaign_sn)
            await _look_up(run, campaign, ticket.campaign_sn, unknown, polling)
        except BaseException:
            if run.has(upload_once):
                _log.warning("cancelled while %s was sent", ticket.campaign_sn)
            raise
        return ticket.campaign_sn

    # An upload to an expired URL sends nothing. A new URL requires a new campaign.
    return await steps.with_fresh_url(send)


async def _code(run: Runner, campaign: Mailing) -> CampaignSn:
    """Return the code of the prepared campaign; only the code is stored."""
    return await run.step(cast("Step[Mailing, CampaignSn]", submit_once), campaign)


async def _prepare(run: Runner, campaign: Mailing) -> OnceTicket:
    try:
        return await run.step(submit_once, campaign)
    except OutcomeUnknown as unknown:
        answered = f": {steps.answer_of(unknown)}" if unknown.status is not None else ""
        raise OutcomeUnknown(
            f"It is unknown whether the campaign {campaign.name!r} was created{answered}. Nothing "
            "was uploaded, so it should send nothing. Search for that name in the console "
            '(活動列表). If it is there: await error.checkpoint.resolve("sent", campaign_sn="…"); '
            "the campaign is then deleted and created again. If it is not: "
            'await error.checkpoint.resolve("resubmit"). '
            "Then run the same call again with the same send key or checkpoint",
            request=unknown.request,
            status=unknown.status,
            excerpt=unknown.excerpt,
        ).with_answer_of(unknown) from None


async def _delete_prepared(run: Runner, campaign: Mailing) -> CampaignSn | None:
    """Delete a campaign whose URL is lost; if it is being sent, return its code.

    Raises:
        CampaignFailed: it was stopped.
        OutcomeUnknown: it could not be deleted.
    """
    if not run.has(submit_once):
        if run.has(delete_campaigns):
            await run.forget(delete_campaigns)
        return None
    if run.in_doubt_since(submit_once) is not None:
        return None  # `_prepare` raises.
    campaign_sn = await _code(run, campaign)
    status = await _seen(run, campaign_sn)
    if isinstance(status, CampaignStatus) and _is_taken(run, status):
        await run.record_result(upload_once, None)
        return campaign_sn
    if not await _is_deleted(run, campaign_sn):
        raise OutcomeUnknown(
            f"The campaign {campaign_sn} ({campaign.name!r}) was created before, nothing was "
            "uploaded for it, and it cannot be deleted; so it was not created again. Check it in "
            "the console (活動列表). To send it, delete it there, and run the same call again with "
            "the same send key or checkpoint",
            request="DELETE /v1/campaign/normal",
        )
    # In this order: a deletion without its campaign is out of date, as above.
    await run.forget(submit_once)
    await run.forget(delete_campaigns)
    return None


def _is_taken(run: Runner, status: CampaignStatus) -> bool:
    """Return whether a campaign is being sent without an upload of this library.

    Raises:
        CampaignFailed: it was stopped, so it must not be sent.
    """
    if status.state == CampaignState.STOP:
        raise CampaignFailed(
            f"campaign {status.sn} was stopped before its contacts were uploaded, so it is not "
            "created again; nothing was sent. To send it, use another send key or checkpoint",
            status=status,
        ).with_request_id(run.request_id(get_status))
    return status.state in _SENT


async def _is_deleted(run: Runner, campaign_sn: CampaignSn) -> bool:
    """Delete a campaign; a refusal can mean that an earlier attempt has deleted it."""
    may_be_gone = run.has(delete_campaigns)
    outcome = await run.step(delete_campaigns.serving(submit_once), (campaign_sn,), keep=False)
    if campaign_sn in outcome.deleted:
        return True
    return (may_be_gone or outcome.after_loss) and await _seen(run, campaign_sn) == _UNKNOWN


async def _seen(run: Runner, campaign_sn: CampaignSn) -> CampaignStatus | str:
    """Return the status of a campaign, or why it could not be read."""
    try:
        return await run.step(get_status.serving(submit_once), campaign_sn, keep=False)
    except NewsLeopardError as error:
        seen = f"its state could not be read ({type(error).__name__})"
        if isinstance(error, APIError) and not isinstance(error, NotOffered):
            return _UNKNOWN if steps.says_unknown(error) else seen
        return seen


async def _look_up(
    run: Runner,
    campaign: Mailing,
    campaign_sn: CampaignSn,
    unknown: OutcomeUnknown,
    polling: Polling,
) -> None:
    """Poll for a while whether the upload arrived; the platform can need time to read it.

    It also returns if the run that had begun the upload has found out the outcome.

    Raises:
        OutcomeUnknown: the outcome is still unknown.
    """
    since = min(run.in_doubt_since(upload_once) or run.now(), run.now())
    until = moved(since, timedelta(seconds=polling.grace_s))
    delays = delays_s(polling, campaign_sn)
    step = get_status.serving(upload_once)
    async with run.poll_step(step):
        while seen := await _why_not_sent(run, campaign_sn, since):
            left_s = (until - run.now()).total_seconds()
            if left_s <= 0:
                if await run.has_outcome(upload_once):
                    return
                raise _still_unknown(
                    run, campaign, campaign_sn, unknown, since=since, seen=seen
                ) from None
            await run.wait(step, min(next(delays), left_s), None)
    await run.record_result(upload_once, None)


async def _why_not_sent(run: Runner, campaign_sn: CampaignSn, since: datetime) -> str:
    """Return why the upload has possibly not arrived; an empty text if it has."""
    seen = await _seen(run, campaign_sn)
    if isinstance(seen, CampaignStatus):
        return f"its state is {seen.state}" if seen.state in _NOT_BEGUN else ""
    try:
        search = FindFinished(campaign_sn=campaign_sn, since=since)
        if await run.step(find_finished, search, keep=False) is not None:
            return ""
    except NewsLeopardError as error:
        return f"{seen}, and the finished campaigns could not be read ({type(error).__name__})"
    return f"{seen}, and it is not among the finished campaigns"


def _still_unknown(
    run: Runner,
    campaign: Mailing,
    campaign_sn: CampaignSn,
    unknown: OutcomeUnknown,
    *,
    since: datetime,
    seen: str,
) -> OutcomeUnknown:
    now = run.now()
    when = moved(now, min(max(now - since, _SOONEST), _LATEST))
    # An earlier run's upload has no answer.
    answered = f": {steps.answer_of(unknown)}" if unknown.status is not None else ""
    return OutcomeUnknown(
        f"It is unknown whether the contacts of the campaign {campaign_sn} ({campaign.name!r}) "
        f"were uploaded, which sends it{answered}; {seen}, and they were not uploaded again. Check "
        "it in the console (活動列表). If it was sent, or is scheduled: "
        'await error.checkpoint.resolve("sent"). If it was not: '
        'await error.checkpoint.resolve("resubmit"); it is then deleted and created again. '
        "Then run the same call again with the same send key or checkpoint. "
        f"Or only run it again after {when:%Y-%m-%d %H:%M:%S} UTC: it reads the state again, and "
        "sends nothing.",
        request=unknown.request,
        status=unknown.status,
        excerpt=unknown.excerpt,
        look_again_at=when,
    ).with_answer_of(unknown)
