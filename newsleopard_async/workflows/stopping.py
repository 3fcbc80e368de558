"""Stop a campaign by its code: pause it, or delete it if it cannot be paused.

The rules:

- Pausing comes first, because a paused campaign stays in the console (T129).
- The state is useful but not required: if it cannot be read, the campaign is still paused. After
  the pause it is polled until it has ended.
- Every request can be repeated, here or by another call.
"""

from __future__ import annotations

from typing import Final

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    ConnectionFailed,
    DeadlineExceeded,
    NewsLeopardError,
    NotOffered,
    OutcomeUnknown,
    RateLimited,
    ServerError,
    UnexpectedResponse,
)
from newsleopard_async.log import Log
from newsleopard_async.models import CampaignSn, CampaignStatus, DeleteOutcome, Polling
from newsleopard_async.plain import Plain
from newsleopard_async.workflows import campaign_steps, steps
from newsleopard_async.workflows.outcomes import CalledOff, HowCalledOff
from newsleopard_async.workflows.polling import delays_s
from newsleopard_async.workflows.runner import Runner

__all__ = ["stop"]

_LOOK_S: Final = 10.0
"""How long one read of the state can take. Chosen: 10 s is the most that it can delay the pause."""

_CONSOLE: Final = "stop it in the console (活動列表)"

_log: Final = Log()


@attrs.frozen(kw_only=True)
class _SeenStatus(Plain):
    """The result of reading the state of a campaign.

    Attributes:
        status: The status; None if it could not be read.
        is_known: Whether the platform knows the campaign; a 404 can also mean that the account has
            no endpoint for it.
        is_offered: Whether another read makes sense.
        may_pass: Whether the reason why it could not be read is temporary.
    """

    status: CampaignStatus | None = None
    is_known: bool = True
    is_offered: bool = True
    may_pass: bool = False

    @property
    def is_over(self) -> bool:
        return self.status is not None and self.status.state.is_final


async def _read_status(run: Runner, campaign_sn: CampaignSn) -> _SeenStatus:
    """Read the state of a campaign; an error must not prevent the pause.

    Raises:
        AuthenticationError, ConfigurationError: no other request will succeed either.
    """
    step = attrs.evolve(campaign_steps.get_status, run=_get_status_in_time)
    try:
        status = await run.step(step, campaign_sn, keep=False)
    except (AuthenticationError, ConfigurationError):
        raise
    except NotOffered:
        return _SeenStatus(is_offered=False)
    except NewsLeopardError as error:
        _log.warning("the state of %s could not be read: %s", campaign_sn, error)
        is_refusal = isinstance(error, APIError) and not isinstance(error, ServerError)
        return _SeenStatus(
            is_known=not (isinstance(error, APIError) and steps.says_unknown(error)),
            may_pass=not (is_refusal or isinstance(error, RateLimited)),
        )
    return _SeenStatus(status=status)


async def _get_status_in_time(nl: NewsLeopard, campaign_sn: CampaignSn, /) -> CampaignStatus:
    with nl.clock.deadline(_LOOK_S):
        return await campaign_steps.get_status.run(nl, campaign_sn)
    raise DeadlineExceeded(f"no answer came within {_LOOK_S:g} s")


async def stop(run: Runner, campaign_sn: CampaignSn, polling: Polling) -> CalledOff:
    """Pause a campaign, or delete it if it cannot be paused."""
    before = await _read_status(run, campaign_sn)
    if before.is_over:
        return _called_off(campaign_sn, before, before, stopped="already stopped")
    refused = await _pause(run, campaign_sn)
    if refused is None:
        after = await _end_of(run, campaign_sn, before, polling)
        return _called_off(campaign_sn, before, after, stopped="paused", otherwise="paused")
    after = await _read_status_again(run, campaign_sn, before)
    if after.is_over:
        return _called_off(campaign_sn, before, after, stopped="paused")
    if _is_unanswered(refused):
        raise refused
    return await _delete(run, campaign_sn, before, refused, polling)


def _called_off(
    campaign_sn: CampaignSn,
    before: _SeenStatus,
    after: _SeenStatus,
    *,
    stopped: HowCalledOff,
    otherwise: HowCalledOff = "too late",
) -> CalledOff:
    """Build the outcome from the last state.

    Args:
        campaign_sn: The campaign.
        before: The first state.
        after: The last state.
        stopped: The outcome if the last state is STOP.
        otherwise: The outcome if the campaign has not ended.
    """
    how: HowCalledOff = otherwise
    if after.is_over:
        assert after.status is not None
        how = stopped if after.status.state == "STOP" else "too late"
    _log.info("calling campaign %s off: %s", campaign_sn, how)
    return CalledOff(campaign_sn=campaign_sn, before=before.status, after=after.status, how=how)


async def _pause(run: Runner, campaign_sn: CampaignSn) -> NewsLeopardError | None:
    """Pause a campaign; return the error if it was refused or its outcome is unknown.

    Raises:
        NotOffered: this account or platform cannot pause.
    """
    try:
        await run.step(campaign_steps.pause_campaign, campaign_sn, keep=False)
    except (AuthenticationError, NotOffered):
        raise
    except (APIError, ConnectionFailed, OutcomeUnknown, UnexpectedResponse) as error:
        return error
    return None


def _is_unanswered(error: NewsLeopardError) -> bool:
    """Return whether no attempt was answered, and every attempt possibly took effect."""
    return isinstance(error, (ConnectionFailed, ServerError))


async def _read_status_again(
    run: Runner, campaign_sn: CampaignSn, before: _SeenStatus
) -> _SeenStatus:
    """Read the state again, unless the first read has shown that this is useless."""
    if not (before.is_offered and before.is_known):
        return before
    return await _read_status(run, campaign_sn)


async def _end_of(
    run: Runner, campaign_sn: CampaignSn, before: _SeenStatus, polling: Polling
) -> _SeenStatus:
    """Poll a campaign that was stopped until it has ended, or its state cannot be read.

    Raises:
        DeadlineExceeded: it is still being sent.
    """
    if not before.is_offered:
        return before
    async with run.poll_step(campaign_steps.get_status):
        return await _poll_end(run, campaign_sn, polling)


async def _poll_end(run: Runner, campaign_sn: CampaignSn, polling: Polling) -> _SeenStatus:
    began_s, delays = run.monotonic(), delays_s(polling, campaign_sn)
    while True:
        try:
            # A campaign that was unknown at first can be known now, since its stop was accepted.
            seen = await _read_status(run, campaign_sn)
        except (AuthenticationError, ConfigurationError) as error:
            # No error must hide that the stop was accepted.
            _log.warning("the state of %s could not be read: %s", campaign_sn, error)
            seen = _SeenStatus()
        left_s = polling.deadline_s - (run.monotonic() - began_s)
        if seen.is_over or (seen.status is None and (left_s <= 0 or not seen.may_pass)):
            return seen
        if left_s <= 0:
            assert seen.status is not None
            raise DeadlineExceeded(
                f"the platform has accepted to stop {campaign_sn}, but its state is "
                f"{seen.status.state} after {polling.deadline_s:g} s; {_CONSOLE}, or call this "
                "again",
                last=seen.status,
            )
        await run.wait(campaign_steps.get_status, min(next(delays), left_s), seen.status)


async def _delete(
    run: Runner,
    campaign_sn: CampaignSn,
    before: _SeenStatus,
    refused: NewsLeopardError,
    polling: Polling,
) -> CalledOff:
    """Delete a campaign that cannot be paused.

    Raises:
        APIError: it cannot be deleted either.
    """
    outcome, failed = DeleteOutcome(), None
    try:
        outcome = await run.step(campaign_steps.delete_campaigns, (campaign_sn,), keep=False)
    except (ConnectionFailed, OutcomeUnknown, ServerError, UnexpectedResponse) as error:
        failed = error
    if campaign_sn in outcome.deleted:
        after = await _end_of(run, campaign_sn, before, polling)
        return _called_off(campaign_sn, before, after, stopped="deleted", otherwise="deleted")
    after = await _read_status_again(run, campaign_sn, before)
    if after.is_over:
        return _called_off(campaign_sn, before, after, stopped="paused")
    if before.status is not None and not after.is_known:
        # It existed before, and does not exist any more.
        return _called_off(campaign_sn, before, after, stopped="deleted", otherwise="deleted")
    if failed is not None:
        raise failed
    raise _error_of_both(campaign_sn, outcome, refused) from None


def _error_of_both(
    campaign_sn: CampaignSn, outcome: DeleteOutcome, refused: NewsLeopardError
) -> NewsLeopardError:
    why = "it is being sent" if campaign_sn in outcome.still_sending else "the deletion was refused"
    if not isinstance(refused, APIError):
        return refused
    return APIError(
        f"{campaign_sn} can be neither paused ({refused}) nor deleted ({why}); check the code, or "
        f"{_CONSOLE}",
        status=refused.status,
        code=refused.code,
        message=refused.message,
    ).with_answer_of(refused)
