"""The status of a send after a person has decided."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from newsleopard_async.durable.ledger import SendRow
from newsleopard_async.durable.status import status_of
from newsleopard_async.workflows.decision import apply_decision
from newsleopard_async.workflows.run_record import RunEnd, RunRecord, StepRecord
from newsleopard_async.workflows.send_key import token_of

_NOW = datetime(2026, 1, 5, 2, tzinfo=UTC)
_EARLIER = _NOW - timedelta(hours=1)


def _row(record: RunRecord, **more: Any) -> SendRow:
    at = _EARLIER.timestamp()
    return SendRow(
        **{
            "send_key": "k",
            "account": "main",
            "digest": "",
            "spec": "{}",
            "begins_at": None,
            "state": "held",
            "attempt": 1,
            "next_at": _NOW.timestamp(),
            "error": "OutcomeUnknown",
            "message": "It is not known",
            "outcome": None,
            "created_at": at,
            "updated_at": at,
            "record": json.dumps(record.to_dict()),
            **more,
        }
    )


@pytest.mark.parametrize(("next_in_s", "state"), [(0, "queued"), (60, "waiting")])
def test_send_that_was_decided_about_is_held_no_more(next_in_s: int, state: str) -> None:
    """Its next attempt has not ended yet; the status no longer shows the doubt or its error."""
    held = RunRecord(
        pipeline="send_campaign",
        input_hash="",
        input_parts={},
        token=token_of("k"),
        records={"submit": StepRecord(state="intent", at=_EARLIER)},
        abandoned=False,
        send_key="k",
        ended=RunEnd(state="held", at=_EARLIER, error="OutcomeUnknown"),
    )
    due = (_NOW + timedelta(seconds=next_in_s)).timestamp()
    assert status_of(_row(held, next_at=due), _NOW).state == "held"

    status = status_of(_row(apply_decision(held, "resubmit", None), next_at=due), _NOW)

    assert status.state == state
    assert not status.needs_a_person
    assert state == "waiting" or status.error is None
