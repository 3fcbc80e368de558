"""A person's decision about a step that sends mails and whose outcome is unknown."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final, Literal

import attrs

from newsleopard_async.clock import SystemClock, moved
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models import CampaignSn, Timeouts
from newsleopard_async.models.codes import check_code
from newsleopard_async.transport.observer import INTENT_S
from newsleopard_async.workflows.run_record import (
    ANSWERED,
    DELETE,
    SEND_EVENT,
    SUBMIT,
    SUBMIT_ONCE,
    UPLOAD_ONCE,
    RunRecord,
    StepRecord,
    in_doubt,
    step_of,
)
from newsleopard_async.workflows.send_key import next_token

__all__ = ["Decision", "apply_decision", "check_decision"]

Decision = Literal["resubmit", "sent", "abandon"]

_CAN_TAKE_EFFECT: Final = timedelta(seconds=INTENT_S + Timeouts().submit_s)
"""How long after its intent a request can still take effect: until the intent is too old to send
the request, and then until the timeout of its answer."""


def check_decision(decision: object, campaign_sn: CampaignSn | None) -> None:
    """Check that it is a decision, and that the code is valid.

    Raises:
        InvalidRequest: one of them is not.
    """
    if decision not in ("resubmit", "sent", "abandon"):
        raise InvalidRequest.of("decision", "choice", "must be resubmit, sent or abandon")
    if campaign_sn is not None:
        check_code("campaign_sn", campaign_sn)


def apply_decision(
    kept: RunRecord, decision: Decision, campaign_sn: CampaignSn | None
) -> RunRecord:
    """Return the record after a decision.

    Raises:
        InvalidRequest: there is nothing to decide, or the code is missing, or is not the code of
            the campaign; or it is too early.
    """
    key = in_doubt(kept.records)
    if key is None:
        raise InvalidRequest.of(
            "checkpoint",
            "nothing-held",
            "has no submit in doubt, so there is nothing to decide; if it is not done, run it "
            "again",
        )
    # The end of the last run is out of date.
    kept = attrs.evolve(kept, records=dict(kept.records), ended=None)
    record = kept.records[key]
    if decision == "abandon":
        return attrs.evolve(kept, abandoned=True)
    if decision == "sent":
        result = _found(kept, step_of(key), campaign_sn)
        kept.records[key] = attrs.evolve(record, state="done", result=result)
        return kept
    _refuse_too_early(record)
    del kept.records[key]
    if key == UPLOAD_ONCE:
        # The campaign of the upload is deleted first, in any state.
        kept.records[DELETE] = record
        return kept
    # A new marker, so that the old campaign, if it appears, is not mistaken for the new one.
    token = secrets.token_hex(4) if kept.send_key is None else next_token(kept.token)
    return attrs.evolve(kept, token=token)


def _found(kept: RunRecord, step: str, campaign_sn: CampaignSn | None) -> CampaignSn | None:
    """Return the result of a step that took effect, as the caller reported it.

    Raises:
        InvalidRequest: the code is missing, or is not the known one.
    """
    if step in (SUBMIT, SUBMIT_ONCE) and campaign_sn is None:
        raise InvalidRequest.of(
            "campaign_sn", "required", "is missing; copy it from the console (活動列表)"
        )
    known = kept.records.get(SUBMIT_ONCE)
    if step == UPLOAD_ONCE and known is not None and campaign_sn not in (None, known.result):
        raise InvalidRequest.of(
            "campaign_sn",
            "other-campaign",
            f"must be {known.result}, the campaign that the contacts were uploaded for; or "
            "leave it out",
        )
    return None if step == SEND_EVENT else campaign_sn


def _refuse_too_early(record: StepRecord) -> None:
    """Refuse to repeat a request that a suspended process can still send.

    Raises:
        InvalidRequest: it is too early.
    """
    until = moved(record.at, _CAN_TAKE_EFFECT)
    if record.result != ANSWERED and SystemClock().now() < until:
        raise InvalidRequest.of(
            "decision",
            "too-early",
            f"the request can still take effect; decide after {until:%Y-%m-%d %H:%M:%S} UTC",
        )
