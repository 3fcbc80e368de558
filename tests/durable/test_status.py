"""What is known of a send: its row and the record of its run, told as one state."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import attrs
import pytest

from newsleopard_async import CampaignSn, from_plain
from newsleopard_async.durable.ledger import SendRow
from newsleopard_async.durable.status import SendState, SendStatus, status_of
from newsleopard_async.workflows import SendOutcome
from newsleopard_async.workflows.run_record import RunEnd, RunRecord, StepRecord
from tests.constants import START
from tests.plainness import assert_exactly_plain

SOON, AGO = timedelta(seconds=10), timedelta(seconds=-10)
ROW = SendRow(
    send_key="k",
    account="main",
    digest="d",
    spec="{}",
    begins_at=None,
    state="scheduled",
    attempt=0,
    next_at=START.timestamp(),
    error=None,
    message="",
    outcome=None,
    created_at=START.timestamp(),
    updated_at=START.timestamp(),
    record=None,
)
OUTCOME = json.dumps(SendOutcome(campaign_sn=CampaignSn("c0ffee")).to_dict())


def record(**given: Any) -> str:
    """Write the record of a run."""
    fields: dict[str, Any] = {
        "pipeline": "send_campaign",
        "input_hash": "h",
        "input_parts": {},
        "token": "0123abcd",
        "records": {},
        "abandoned": False,
        "send_key": "k",
    }
    return json.dumps(RunRecord(**fields | given).to_dict())


def ended(state: Any) -> RunEnd:
    """Say how a run ended."""
    return RunEnd(state=state, at=START, error="SomeError", message="said")


INTENT = {"submit": StepRecord(state="intent", at=START)}
SUBMITTED = {"submit": StepRecord(state="done", at=START, result="c0ffee")}
RUNNING = record(held_until=START + SOON)
DIED = record(held_until=START + AGO)
HELD = record(records=INTENT, ended=ended("held"))


@pytest.mark.parametrize(
    ("state", "next_s", "kept", "expected", "next_shown"),
    [
        ("scheduled", 10, None, "scheduled", True),
        ("scheduled", -10, None, "queued", True),
        ("scheduled", -10, DIED, "queued", True),
        ("scheduled", -10, RUNNING, "running", False),
        ("scheduled", -10, record(abandoned=True), "cancelled", False),
        ("held", None, record(abandoned=True, records=INTENT), "abandoned", False),
        ("abandoned", None, HELD, "abandoned", False),
        ("scheduled", 10, HELD, "held", True),
        ("scheduled", -10, record(ended=ended("checking")), "checking", True),
        ("scheduled", -10, record(records=SUBMITTED, ended=ended("done")), "queued", True),
        ("waiting", 10, record(ended=ended("waiting")), "waiting", True),
        ("waiting", 10, RUNNING, "running", False),
        ("waiting", 10, HELD, "held", True),
        ("waiting", -10, None, "waiting", True),
        ("checking", 10, record(ended=ended("checking")), "checking", True),
        ("held", 10, HELD, "held", True),
        ("held", None, HELD, "held", False),
        # A person has decided, or its process has reported what became of it.
        ("held", 10, record(ended=ended("held")), "waiting", True),
        ("held", -10, record(), "queued", True),
        ("held", -10, RUNNING, "running", False),
        ("failed", None, record(ended=ended("failed")), "failed", False),
        ("failed", None, None, "failed", False),
        ("done", None, record(records=SUBMITTED, ended=ended("done")), "done", False),
        # A final state stays, even if a run that woke up reports another one.
        ("done", None, RUNNING, "done", False),
        ("cancelled", None, RUNNING, "cancelled", False),
        ("cancelled", None, HELD, "cancelled", False),
        # A record that cannot be read hides nothing.
        ("failed", None, "{}", "failed", False),
        ("scheduled", 10, "{", "scheduled", True),
        ("scheduled", 10, '{"version": 99}', "scheduled", True),
    ],
)
def test_state_of_a_send(
    state: Any, next_s: float | None, kept: str | None, expected: SendState, *, next_shown: bool
) -> None:
    """The ledger has the end of the last attempt, and the run record has the present state."""
    next_at = None if next_s is None else START.timestamp() + next_s
    status = status_of(attrs.evolve(ROW, state=state, next_at=next_at, record=kept), START)

    assert status.state == expected
    assert (status.next_at is not None) is next_shown
    assert status.is_final is (expected in ("done", "cancelled", "abandoned", "failed"))
    assert status.needs_a_person is (
        expected == "failed" or (expected == "held" and not next_shown)
    )
    assert read_back(status) == status


def read_back(status: SendStatus) -> SendStatus:
    """Write a status as JSON, and read it."""
    data = status.to_dict()
    assert_exactly_plain(data)
    return from_plain(SendStatus, json.loads(json.dumps(data)))


@pytest.mark.parametrize("state", get_args(SendState))
def test_every_state_survives_json(state: SendState) -> None:
    """With all that may be known."""
    full = SendStatus(
        send_key="k",
        account="main",
        state=state,
        begins_at=START,
        next_at=START + SOON,
        attempt=3,
        step="submit",
        part=2,
        campaign_sn=CampaignSn("c0ffee"),
        error="SomeError",
        message="said",
        created_at=START,
        updated_at=START,
        outcome=SendOutcome(campaign_sn=CampaignSn("c0ffee")),
    )

    assert read_back(full) == full


def test_campaign_is_named_by_the_outcome_or_the_record() -> None:
    """It is shown as soon as one of both has it; a send that is done shows no earlier error."""
    row = attrs.evolve(ROW, error="SomeError", message="said")
    accepted = record(records=SUBMITTED, ended=ended("done"))
    shown = status_of(attrs.evolve(row, state="waiting", record=accepted), START)
    done = status_of(attrs.evolve(row, state="done", outcome=OUTCOME), START)

    assert (shown.campaign_sn, shown.error, shown.message) == ("c0ffee", "SomeError", "said")
    assert (done.campaign_sn, done.error, done.message) == ("c0ffee", None, "")
    assert done.outcome == SendOutcome(campaign_sn=CampaignSn("c0ffee"))


def test_step_and_times_are_those_of_the_run() -> None:
    """It was last changed when either was; all times are in UTC."""
    later = START + timedelta(hours=1)
    kept = record(records={"submit": StepRecord(state="intent", at=later)})
    row = attrs.evolve(ROW, begins_at=START.timestamp(), record=kept)
    status = status_of(row, START)

    assert (status.step, status.updated_at, status.begins_at) == ("submit", later, START)
    assert status.begins_at is not None
    assert status.begins_at.tzinfo is UTC
    newer = attrs.evolve(row, updated_at=later.timestamp() + 5)
    assert status_of(newer, START).updated_at == later + timedelta(seconds=5)
    assert status_of(ROW, datetime.now(UTC)).step is None
