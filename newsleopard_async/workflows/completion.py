"""Poll a campaign until it is sent, or until it is known that it will not be.

Acceptance is not the end. Without a balance, recipients or a verified sender, the platform can fail
a campaign that it has accepted (T66). An account without the endpoint for the state shows only the
campaigns that were sent. Then the campaign is searched for there, and a failure cannot be noticed.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.clock import moved
from newsleopard_async.errors import (
    APIError,
    CampaignFailed,
    DeadlineExceeded,
    NotOffered,
)
from newsleopard_async.log import Log
from newsleopard_async.models import (
    CampaignSn,
    CampaignState,
    CampaignStatus,
    Mailing,
    Polling,
    SendAt,
    SentCampaign,
)
from newsleopard_async.models.codes import check_code
from newsleopard_async.models.validation import raise_problems
from newsleopard_async.workflows.advice import advice_for_campaign
from newsleopard_async.workflows.campaign_steps import FindFinished, find_finished, get_status
from newsleopard_async.workflows.campaign_steps import submit_once as prepared
from newsleopard_async.workflows.checkpoint import CheckpointLike
from newsleopard_async.workflows.fingerprint import Fingerprint
from newsleopard_async.workflows.local_runner import running
from newsleopard_async.workflows.pipeline import pipeline
from newsleopard_async.workflows.polling import (
    excusing,
    may_be_too_early,
    poll,
    problems_of_polling,
)
from newsleopard_async.workflows.progress import OF_WAIT, Events, Progress
from newsleopard_async.workflows.reconcile import wait_of_test
from newsleopard_async.workflows.runner import AnyStep, Runner
from newsleopard_async.workflows.steps import submit

__all__ = [
    "has_no_status",
    "logging_accepted",
    "poll_submitted",
    "status_of",
    "wait_for_campaign",
]

_LOOKS_BACK: Final = timedelta(days=27)
"""How far before its first known time a campaign is searched for among the finished ones.

Chosen: with a day on both sides and a day of polling it is a month, which one request covers.
"""

_LONGEST_SLEEP_S: Final = 3_600.0
"""Chosen: read the clock once an hour, because a machine that was suspended sleeps too long."""

_LONGEST_SCHEDULE: Final = timedelta(days=366)
"""Chosen: no mailing is planned more than a year ahead. A later time, such as 9999-12-31, means
that the time is missing, and must not be waited for."""

_MOST_MOVES: Final = 10
"""How often the time of a campaign can be moved while it is waited for.

Chosen: a person hardly moves a mailing 10 times, and a platform that always names a later time
must not be polled without end.
"""

_NOT_BEGUN: Final = frozenset(
    {CampaignState.DRAFT, CampaignState.PREPARE, CampaignState.PREPARE_TO_SENT}
)

_log: Final = Log()


@attrs.frozen(kw_only=True)
class _Sending:
    """A campaign and its times.

    Attributes:
        sn: The code of the campaign.
        since: A time at or before its submit.
        due: When it will be sent; None if that is unknown.
        takes: How long an A/B test waits before its main send.
    """

    sn: CampaignSn
    since: datetime
    due: datetime | None = None
    takes: timedelta = timedelta(0)


@pipeline
async def wait_for_campaign(
    nl: NewsLeopard,
    campaign_sn: CampaignSn,
    *,
    polling: Polling | None = None,
    progress: Progress | None = None,
    checkpoint: CheckpointLike | None = None,
) -> CampaignStatus:
    """Wait until a campaign is sent.

    A scheduled campaign is polled once immediately, and again from its time on. The deadline of
    ``polling`` counts from that time. For an A/B test it must be longer than the wait before its
    main send.

    If the account has no endpoint for the state of a campaign, the campaign is searched for among
    the campaigns that were sent in the last 27 days and later. A failure cannot be noticed there.

    Args:
        nl: The client.
        campaign_sn: The campaign.
        polling: How it is polled. During `Polling.grace_s`, a refusal means that the platform does
            not know the campaign yet.
        progress: Called with every event; or an `EventFeed`, to loop over them.
        checkpoint: A path, as for the other pipelines.
    Returns: The status, with the state ``COMPLETE``. If the state could not be read, the status has
        only the name and the times of the sending.

    Raises:
        CampaignFailed: the platform did not send it, or not all of it, or it was stopped.
        DeadlineExceeded: it was not sent before the deadline. That is not a failure.
        APIError: the platform does not know the campaign.
        UnexpectedResponse: an answer is not as documented, or contains another campaign.
    Source: GET /v1/campaign/normal/{campaign_sn}; notes 2026
    """
    check_code("campaign_sn", campaign_sn)
    raise_problems(problems_of_polling(polling))
    async with running(
        nl,
        Events("wait_for_campaign", progress, nl.clock, OF_WAIT),
        fingerprint=Fingerprint.of(campaign_sn, campaign_sn=campaign_sn),
        checkpoint=checkpoint,
    ) as run:
        sending = _Sending(sn=campaign_sn, since=moved(run.now(), -_LOOKS_BACK))
        return await _poll_campaign(run, sending, polling or Polling())


async def poll_submitted(
    run: Runner, campaign: Mailing, campaign_sn: CampaignSn, polling: Polling
) -> CampaignStatus:
    """Poll a campaign that was accepted; use it within `logging_accepted`.

    Raises:
        CampaignFailed: it was not sent, or not all of it.
        DeadlineExceeded: it was not sent before the deadline.
    """
    # If its reply was lost, the submit can have been recorded long after it happened.
    noted = run.done_at(submit) or run.done_at(prepared) or run.now()
    sending = _Sending(
        sn=campaign_sn,
        since=moved(min(noted, run.now()), -_LOOKS_BACK),
        due=campaign.schedule.when if isinstance(campaign.schedule, SendAt) else None,
        takes=wait_of_test(campaign),
    )
    return await _poll_campaign(run, sending, polling)


@attrs.define
class AcceptedCode:
    """The code of the campaign that was accepted.

    Attributes:
        campaign_sn: The code; None until the platform has accepted a campaign.
    """

    campaign_sn: CampaignSn | None = None


@contextlib.contextmanager
def logging_accepted() -> Iterator[AcceptedCode]:
    """Log the code of an accepted campaign if an error or a cancellation follows.

    Enter it before the run: a cancellation while the run is closed can also take the outcome away
    from the caller.
    """
    accepted = AcceptedCode()
    try:
        yield accepted
    except BaseException as error:
        if accepted.campaign_sn is not None:
            _log.warning(
                "campaign %s was accepted; the rest of the run was stopped by %s",
                accepted.campaign_sn,
                type(error).__name__,
            )
        raise


async def _poll_campaign(run: Runner, sending: _Sending, polling: Polling) -> CampaignStatus:
    """Poll a campaign until it is sent; a state that an earlier run has read is not read again.

    Raises:
        CampaignFailed: it was not sent, or not all of it.
        DeadlineExceeded: it was not sent before the deadline.
    """
    if run.has(get_status):
        return await run.step(get_status, sending.sn)
    status = await _poll(run, sending, polling)
    if not status.state.is_success:
        raise CampaignFailed(
            f"campaign {sending.sn} ended as {status.state}: {advice_for_campaign(status.state)}",
            status=status,
        ).with_request_id(run.request_id(get_status))
    await run.record_result(get_status, status)
    return status


def has_no_status(error: APIError) -> bool:
    """Return whether a refusal means that the account cannot read states of campaigns.

    A 404 without a code can also mean that the campaign is unknown. In both cases it is searched
    for among the finished campaigns.
    """
    return isinstance(error, NotOffered) or (error.status == 404 and error.code is None)


def _is_only_early(error: APIError) -> bool:
    return not has_no_status(error) and may_be_too_early(error)


async def _poll(run: Runner, sending: _Sending, polling: Polling) -> CampaignStatus:
    is_asked = False
    try:
        async with run.poll_step(get_status):
            first = await run.step(excusing(get_status, _is_only_early), sending.sn, keep=False)
            is_asked = True
            return await _poll_state(run, sending, polling, first)
    except APIError as error:
        if is_asked or not has_no_status(error):
            raise
        _log.info(
            "campaign %s: its state cannot be read (%s); the finished campaigns are searched for "
            "it, where a failure cannot be noticed",
            sending.sn,
            error,
        )
    async with run.poll_step(find_finished):
        return await _poll_finished(run, sending, polling)


async def _poll_state(
    run: Runner, sending: _Sending, polling: Polling, status: CampaignStatus | None
) -> CampaignStatus:
    """Sleep until a campaign's time, which can be moved in the meantime, then poll its state."""
    takes_s = sending.takes.total_seconds()
    polling = attrs.evolve(polling, deadline_s=polling.deadline_s + takes_s)
    moves = 0
    while status is None or not status.state.is_final:
        due = sending.due if status is None else _due(status, sending, run.now())
        await _sleep_until(run, get_status, due, sending, polling, known=status)
        status = await _poll_until_moved(run, sending, polling, moves)
        moves += 1
    return status


def _due(status: CampaignStatus, sending: _Sending, now: datetime) -> datetime | None:
    """Return when a campaign will be sent; None if it has begun, or its time is unknown."""
    if status.state not in _NOT_BEGUN or status.send_time == "NOW":
        return None
    due = status.scheduled or sending.due
    return None if due is not None and due - now > _LONGEST_SCHEDULE else due


async def _poll_until_moved(
    run: Runner, sending: _Sending, polling: Polling, moves: int
) -> CampaignStatus:
    """Poll a campaign until it has ended, or has a later time."""

    def is_done(status: CampaignStatus, _: float) -> bool:
        due = _due(status, sending, run.now())
        is_moved = due is not None and due > run.now() and moves < _MOST_MOVES
        return status.state.is_final or is_moved

    try:
        return await poll(
            run,
            get_status,
            sending.sn,
            is_done=is_done,
            polling=polling,
            what=f"campaign {sending.sn}",
            excused_s=polling.grace_s,
        )
    except DeadlineExceeded as late:
        seen = "its state was never read"
        if isinstance(late.last, CampaignStatus):
            seen = f"its last state is {late.last.state}"
        again = DeadlineExceeded(f"{late}; {seen}", last=late.last)
        raise again.with_answer_of(late) from None


async def _poll_finished(run: Runner, sending: _Sending, polling: Polling) -> CampaignStatus:
    """Search the finished campaigns for a campaign; every campaign among them is complete.

    Raises:
        DeadlineExceeded: it is not found before the deadline.
    """
    if sending.due is not None:
        due = moved(sending.due, sending.takes)
        await _sleep_until(run, find_finished, due, sending, polling)
    found = await poll(
        run,
        find_finished,
        FindFinished(campaign_sn=sending.sn, since=sending.since),
        is_done=lambda found, _: found is not None,
        polling=polling,
        what=f"campaign {sending.sn}",
        late="it is not among the finished campaigns. This account cannot read the state of a "
        "campaign, so it is unknown whether the campaign will still be sent, or has failed "
        "without a balance, recipients or a verified sender; check the console (活動列表)",
    )
    assert found is not None
    return status_of(found)


def status_of(found: SentCampaign) -> CampaignStatus:
    """Return the status of a campaign that is among the finished ones."""
    return CampaignStatus(
        sn=found.sn,
        state=CampaignState.COMPLETE,
        name=found.name,
        sent_begin=found.sent_begin,
        sent_end=found.sent_end,
    )


async def _sleep_until(
    run: Runner,
    step: AnyStep,
    when: datetime | None,
    sending: _Sending,
    polling: Polling,
    *,
    known: CampaignStatus | None = None,
) -> None:
    """Wait until a campaign is due; campaigns that are due together are spread a little."""
    left = partial(_left_s, run, when)
    if left() <= 0:
        return
    while (left_s := left()) > 0:
        await run.wait(step, min(left_s, _LONGEST_SLEEP_S), known)
    chance = random.Random(sending.sn)  # noqa: S311 - spreads polls, guards nothing
    await run.wait(step, chance.uniform(0, polling.first_s), known)


def _left_s(run: Runner, when: datetime | None) -> float:
    return 0.0 if when is None else (when - run.now()).total_seconds()
