"""Call off a campaign, before or while it is sent, by its code, its send key or its checkpoint.

The rules:

- All requests of a call-off have priority over all other requests of the key (`goes_first`), and
  can be repeated.
- If a run has not submitted, its submit is prevented: its checkpoint is marked as abandoned, under
  its lock. A submit whose outcome is unknown is looked up first.
- A run that only waits until its campaign is sent keeps the lock. Its campaign can still be called
  off.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Final

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.clock import moved
from newsleopard_async.errors import (
    InUse,
    InvalidRequest,
    NewsLeopardError,
    OutcomeUnknown,
    Problem,
)
from newsleopard_async.log import Log
from newsleopard_async.models import CampaignSn, Polling
from newsleopard_async.models.codes import problems_of_code
from newsleopard_async.models.validation import raise_problems
from newsleopard_async.transport.limits.queue import goes_first
from newsleopard_async.workflows import steps
from newsleopard_async.workflows.checkpoint import Checkpoint, CheckpointLike, RunLocation
from newsleopard_async.workflows.fingerprint import Fingerprint
from newsleopard_async.workflows.local_runner import running
from newsleopard_async.workflows.outcomes import CalledOff
from newsleopard_async.workflows.pipeline import pipeline
from newsleopard_async.workflows.polling import delays_s, problems_of_polling
from newsleopard_async.workflows.progress import Events, Plan, Progress
from newsleopard_async.workflows.run_record import (
    SUBMIT,
    SUBMIT_ONCE,
    UPLOAD_ONCE,
    StepRecord,
    submits,
)
from newsleopard_async.workflows.runner import Runner
from newsleopard_async.workflows.send_key import location_of
from newsleopard_async.workflows.stopping import stop

__all__ = ["call_off"]

_STOPPING: Final[Plan] = (
    ("get_status",),
    ("pause_campaign", "delete_campaigns"),
    ("get_status",),
)

_IN_A_HURRY: Final = Polling(first_s=1.0, max_s=15.0, deadline_s=180.0)
"""Chosen: if a campaign is still sending 180 s after the pause, a person must act."""

_SOONEST: Final = timedelta(seconds=30)
_LATEST: Final = timedelta(days=1)
"""Chosen: the same bounds as for the lookup after a submit (`reconcile`)."""

_log: Final = Log()


@pipeline
async def call_off(
    nl: NewsLeopard,
    campaign_sn: CampaignSn | None = None,
    *,
    send_key: str | None = None,
    checkpoint: CheckpointLike | None = None,
    polling: Polling | None = None,
    progress: Progress | None = None,
) -> CalledOff:
    """Stop a campaign that is scheduled or being sent; sent mails cannot be called back.

    The campaign is paused, and its state is polled until it has ended. If it cannot be paused, it
    is deleted. All these requests have priority over every other request of the client's key. It is
    safe to call this again.

    Args:
        nl: The client.
        campaign_sn: Code of the campaign.
        send_key: Or the send key of `send_campaign` or `send_once`, from any process. If nothing
            was submitted under it, nothing will be. Stop the run that has the key first, unless it
            has submitted.
        checkpoint: Or the checkpoint of the run: a path, or the ``.checkpoint`` of an error.
        polling: How the state is polled after the pause; by default for three minutes, at last
            every 15 s.
        progress: Called with every event; or an `EventFeed`, to loop over them.
    Returns: The outcome; its ``how`` names it in one or two words.

    Raises:
        OutcomeUnknown: a submit of the run was possibly accepted, and is not found; or it is
            unknown whether the campaign was paused. Call again after `.look_again_at`.
        InUse: a run is active and has not submitted yet; stop it, or call again later.
        DeadlineExceeded: the pause was accepted, and the campaign is still being sent.
        NotOffered: this account or platform cannot pause; stop it in the console.
        APIError: it can be neither paused nor deleted; stop it in the console.
        InvalidRequest: not exactly one of code, send key and checkpoint; or the run does not
            exist, or belongs to another account.
    Source: PATCH and GET /v1/campaign/normal/{campaign_sn}, DELETE /v1/campaign/normal; notes 2026.
    """
    raise_problems(_problems(campaign_sn, send_key, checkpoint, polling))
    looking_up: Plan = () if campaign_sn is not None else (("submit", "find_sent"),)
    events = Events("call_off", progress, nl.clock, (*looking_up, *_STOPPING))
    polling = polling or _IN_A_HURRY
    place = location_of(nl, send_key, checkpoint)
    kept = None if place is None else await _current(nl, place)
    try:
        async with running(
            nl, events, fingerprint=Fingerprint.of(campaign_sn), checkpoint=None
        ) as run:
            with _going_first():
                if kept is not None:
                    return await _call_off_run(run, kept, polling)
                assert campaign_sn is not None
                return await stop(run, campaign_sn, polling)
    except NewsLeopardError as error:
        error.checkpoint = kept or error.checkpoint
        raise


def _problems(
    campaign_sn: object, send_key: object, checkpoint: object, polling: object
) -> Iterator[Problem]:
    if [campaign_sn, send_key, checkpoint].count(None) != 2:
        yield Problem(
            "campaign_sn",
            "choice",
            "pass exactly one of campaign_sn, send_key and checkpoint",
        )
    elif campaign_sn is not None:
        yield from problems_of_code("campaign_sn", campaign_sn)
    yield from problems_of_polling(polling)


@contextlib.contextmanager
def _going_first() -> Iterator[None]:
    before = goes_first.set(True)
    try:
        yield
    finally:
        goes_first.reset(before)


async def _call_off_run(run: Runner, kept: Checkpoint, polling: Polling) -> CalledOff:
    """Call off the campaign of a checkpoint; if nothing was submitted, prevent the submit."""
    done: CalledOff | None = None
    while True:
        campaign_sn = await _code_of(run, kept, polling)
        if campaign_sn is None:
            return CalledOff(how="never submitted")
        if done is not None and done.campaign_sn == campaign_sn:
            return done
        # A run of `send_once` can have prepared another campaign in the meantime.
        done = await stop(run, campaign_sn, polling)


async def _current(nl: NewsLeopard, location: RunLocation) -> Checkpoint:
    """Read a checkpoint of a pipeline that submits.

    Raises:
        InvalidRequest: it does not exist, or belongs to another pipeline or account.
    """
    kept = await Checkpoint.at(location)
    kept.check_account(nl._api.account)  # noqa: SLF001 - no public name says which account it is
    if not submits(kept.pipeline):
        raise InvalidRequest.of(
            "checkpoint",
            "pipeline",
            f"belongs to {kept.pipeline}, which submits no campaign; pass the send key or "
            "checkpoint of send_campaign or send_once",
        )
    return kept


async def _code_of(run: Runner, kept: Checkpoint, polling: Polling) -> CampaignSn | None:
    """Return the code of the submitted campaign; None if nothing was submitted or will be.

    Raises:
        InUse: the run that has the checkpoint has not submitted yet.
        OutcomeUnknown: a campaign was possibly submitted, and is not found.
    """
    began_s, delays = run.monotonic(), delays_s(polling, kept.token)
    while True:
        seen = await kept.peek()
        if (accepted := _accepted(seen)) is not None:
            return accepted
        with contextlib.suppress(InUse):
            async with _holding(kept):
                return _accepted(kept) or await _decide(run, kept)
        if SUBMIT_ONCE in seen.records and seen.records[SUBMIT_ONCE].is_done:
            # Nothing was uploaded yet. If the campaign is stopped now, it will not be sent.
            return CampaignSn(seen.records[SUBMIT_ONCE].result)
        left_s = polling.deadline_s - (run.monotonic() - began_s)
        if not {SUBMIT, SUBMIT_ONCE} & seen.records.keys() or left_s <= 0:
            raise InUse(
                "a run is using this checkpoint, and has not submitted yet; stop that run, or wait "
                "until it has submitted, and then call this again"
            )
        # The reply to its submit can arrive at any moment.
        await run.wait(steps.submit, min(next(delays), left_s), None)


def _accepted(kept: Checkpoint) -> CampaignSn | None:
    """Return the code of the campaign that a checkpoint shows as sent, or possibly sent."""
    submit, once = kept.records.get(SUBMIT), kept.records.get(SUBMIT_ONCE)
    if submit is not None and submit.is_done:
        return CampaignSn(submit.result)
    if once is not None and UPLOAD_ONCE in kept.records:
        return CampaignSn(once.result)
    return None


@contextlib.asynccontextmanager
async def _holding(kept: Checkpoint) -> AsyncIterator[None]:
    async with kept.in_use():
        yield


async def _decide(run: Runner, kept: Checkpoint) -> CampaignSn | None:
    """Return the code by a checkpoint that no run is using; else abandon the run."""
    record = kept.records.get(SUBMIT)
    if record is not None:
        return await _look_up(run, kept, record)
    once = kept.records.get(SUBMIT_ONCE)
    if not kept.abandoned:
        await kept.abandon()
    if once is None or once.is_done:
        return None if once is None else CampaignSn(once.result)
    _log.warning(
        "a campaign named %s was possibly created, without an upload; it should send nothing. "
        "If it is in the console (活動列表), delete it",
        kept.marker,
    )
    return None


async def _look_up(run: Runner, kept: Checkpoint, record: StepRecord) -> CampaignSn:
    """Search for a campaign that was possibly submitted, and store its code.

    Raises:
        OutcomeUnknown: it is not among the finished campaigns, where a scheduled one never is.
    """
    marker, seen, found = kept.marker, "it is not among the finished campaigns", None
    search_for, again = f"the marker {marker}", "call this again"
    if not _has_mark(kept):
        search_for, seen = "the campaign's name", "its name has no marker of this library"
        again = "run the same send again with this checkpoint, which sends nothing,"
    else:
        try:
            search = steps.FindSent(text=kept.sought_marker, since=min(record.at, run.now()))
            found = await run.step(steps.find_sent, search, keep=False)
        except NewsLeopardError as error:
            seen = f"the finished campaigns could not be read ({type(error).__name__})"
    if found is None:
        now = run.now()
        when = moved(now, min(max(now - record.at, _SOONEST), _LATEST))
        raise OutcomeUnknown(
            f"It is unknown whether a campaign was submitted; {seen}. Search for {search_for} "
            "in the console (活動列表), and stop the campaign if it is scheduled or being sent. If "
            'it is not there: await error.checkpoint.resolve("abandon"). '
            f"Or {again} after {when:%Y-%m-%d %H:%M:%S} UTC",
            request="POST /v1/campaign/…/submit",
            look_again_at=when,
        ).with_request_id(record.request_id) from None
    try:
        await kept.put(SUBMIT, attrs.evolve(record, state="done", result=found.sn))
    except Exception:  # noqa: BLE001 - an error of a caller's store must not stop the call-off
        _log.exception("the checkpoint could not be stored; the campaign is %s", found.sn)
    return found.sn


def _has_mark(kept: Checkpoint) -> bool:
    """Return whether the campaign's name has the marker of this library.

    The checkpoint has only a hash of a marker that the caller chose.
    """
    marker_hash = kept.input_parts.get("marker")
    return marker_hash in (None, Fingerprint.of(marker=True).parts["marker"])
