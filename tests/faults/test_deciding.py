"""A person decides only about a submit that is in doubt."""

from __future__ import annotations

import contextlib
from typing import Any

import anyio
import pytest

from newsleopard_async import (
    CampaignSn,
    InvalidRequest,
    OutcomeUnknown,
)
from newsleopard_async.workflows import Checkpoint
from newsleopard_async.workflows.fingerprint import Fingerprint
from newsleopard_async.workflows.run_record import StepRecord
from tests.clients import checkpoint_of
from tests.constants import START
from tests.faults.sending import (
    hold,
    rule_of,
    send,
)
from tests.faults.world import RunStore, World


def test_sent_is_taken_as_said(at: World) -> None:
    """Who found the campaign in the console gives its code."""
    error = hold(at)
    [campaign] = at.emulator.campaigns

    anyio.run(checkpoint_of(error).resolve, "sent", CampaignSn(campaign.sn))

    assert send(at).campaign_sn == campaign.sn
    assert at.emulator.submitted == 1


def test_resubmit_sends_under_a_new_marker(at: World) -> None:
    """Who did not find it has it sent."""
    at.emulator.drop_request("submit_campaign")
    with pytest.raises(OutcomeUnknown) as caught:
        send(at)
    token = checkpoint_of(caught.value).token

    anyio.run(checkpoint_of(caught.value).resolve, "resubmit")
    outcome = send(at)

    [campaign] = at.emulator.campaigns
    assert outcome.campaign_sn == campaign.sn
    assert token not in campaign.name


def test_abandon_ends_it(at: World) -> None:
    """No later run continues an abandoned run by mistake."""
    error = hold(at)

    anyio.run(checkpoint_of(error).resolve, "abandon")

    with pytest.raises(InvalidRequest) as caught:
        send(at)
    assert rule_of(caught) == ("checkpoint", "abandoned")
    assert at.emulator.submitted == 1


def test_decision_without_a_store_is_kept_in_the_checkpoint(at: World) -> None:
    """The checkpoint of an error can be decided about and given back."""
    error = hold(at, None)
    [campaign] = at.emulator.campaigns

    anyio.run(checkpoint_of(error).resolve, "sent", CampaignSn(campaign.sn))

    assert send(at, error.checkpoint).campaign_sn == campaign.sn


def test_decision_can_be_made_in_another_process(at: World) -> None:
    """A checkpoint is read from where it is kept."""
    hold(at)
    [campaign] = at.emulator.campaigns

    async def decide() -> None:
        checkpoint = await Checkpoint.load(at.checkpoint)
        await checkpoint.resolve("sent", CampaignSn(campaign.sn))

    anyio.run(decide)

    assert send(at).campaign_sn == campaign.sn


def test_decision_about_what_is_found_by_now_is_refused(at: World) -> None:
    """An old error must not make a campaign go out twice that a later run has found."""
    old = hold(at)
    at.clock.advance(3_600)
    send(at)

    with pytest.raises(InvalidRequest) as caught:
        anyio.run(checkpoint_of(old).resolve, "resubmit")

    send(at)
    assert rule_of(caught) == ("checkpoint", "nothing-held")
    assert at.emulator.submitted == 1


def test_decision_that_is_not_stored_is_not_made(at: World) -> None:
    """It also does not change the marker with which the campaign is found."""
    store = RunStore()
    error = hold(at, store)
    token = checkpoint_of(error).token
    store.fail_when = lambda _: True

    with pytest.raises(RuntimeError):
        anyio.run(checkpoint_of(error).resolve, "resubmit")

    store.fail_when = lambda _: False
    assert checkpoint_of(error).token == token
    at.clock.advance(3_600)
    send(at, store)
    assert at.emulator.submitted == 1


WRONG_DECISIONS: dict[str, tuple[Any, ...]] = {
    "decision": ("retry",),
    "campaign_sn": ("sent",),
}


@pytest.mark.parametrize(("field", "given"), WRONG_DECISIONS.items())
def test_wrong_decision_is_refused(at: World, field: str, given: tuple[Any, ...]) -> None:
    """And changes nothing."""
    error = hold(at)
    before = at.checkpoint.read_bytes()

    with pytest.raises(InvalidRequest) as caught:
        anyio.run(checkpoint_of(error).resolve, *given)

    assert rule_of(caught)[0] == field
    assert at.checkpoint.read_bytes() == before


def test_decision_about_nothing_is_refused(at: World) -> None:
    """What is sent is sent."""
    send(at)

    async def decide() -> None:
        await (await Checkpoint.load(at.checkpoint)).resolve("resubmit")

    with pytest.raises(InvalidRequest) as caught:
        anyio.run(decide)

    assert rule_of(caught) == ("checkpoint", "nothing-held")


def test_checkpoint_that_is_not_there_cannot_be_loaded(at: World) -> None:
    """A wrong path shows."""
    with pytest.raises(InvalidRequest) as caught:
        anyio.run(Checkpoint.load, at.checkpoint)

    assert rule_of(caught) == ("checkpoint", "missing")
    assert str(at.checkpoint) in str(caught.value)


HELD = StepRecord(state="intent", at=START)
MADE = StepRecord(state="done", at=START, result="made")
OF_OTHERS: dict[str, tuple[str, dict[str, StepRecord], Any, Any, dict[str, Any]]] = {
    "once made": ("send_once", {"submit_once": HELD}, "sent", "c", {"submit_once": "c"}),
    "once not made": ("send_once", {"submit_once": HELD}, "resubmit", None, {}),
    "once sent": (
        "send_once",
        {"submit_once": MADE, "upload_once": HELD},
        "sent",
        None,
        {"submit_once": "made", "upload_once": None},
    ),
    "once sent, with its code": (
        "send_once",
        {"submit_once": MADE, "upload_once": HELD},
        "sent",
        "made",
        {"submit_once": "made", "upload_once": "made"},
    ),
    "once not sent": (
        "send_once",
        {"submit_once": MADE, "upload_once": HELD},
        "resubmit",
        None,
        {"submit_once": "made", "delete_campaigns": "intent"},
    ),
    "event": (
        "trigger_automation",
        {"send_event": MADE, "send_event.2": HELD},
        "sent",
        None,
        {"send_event": "made", "send_event.2": None},
    ),
    "no event": (
        "trigger_automation",
        {"send_event": MADE, "send_event.2": HELD},
        "resubmit",
        None,
        {"send_event": "made"},
    ),
}


@pytest.mark.parametrize("case", OF_OTHERS)
def test_each_step_that_reaches_a_reader_can_be_decided_about(case: str) -> None:
    """An upload that was not sent leaves the campaign that is to be deleted before it."""
    pipeline, records, decision, campaign_sn, after = OF_OTHERS[case]
    given = Checkpoint(pipeline=pipeline, input_hash="x", records=dict(records))

    anyio.run(given.resolve, decision, campaign_sn)

    found = Checkpoint.read(given.to_dict()).records
    assert {
        key: each.result if each.is_done else each.state for key, each in found.items()
    } == after


@pytest.mark.parametrize(
    ("records", "campaign_sn", "rule"),
    [
        ({"submit_once": HELD}, None, "required"),
        ({"submit_once": MADE, "upload_once": HELD}, "other", "other-campaign"),
        ({"submit_once": MADE, "delete_campaigns": HELD}, "made", "nothing-held"),
    ],
)
def test_decision_that_contradicts_what_is_known_is_refused(
    records: dict[str, StepRecord], campaign_sn: Any, rule: str
) -> None:
    """A campaign of another code was not sent by this upload."""
    given = Checkpoint(pipeline="send_once", input_hash="x", records=dict(records))

    with pytest.raises(InvalidRequest) as caught:
        anyio.run(given.resolve, "sent", campaign_sn)

    assert rule_of(caught)[1] == rule
    assert given.records == records


@pytest.mark.parametrize(
    ("records", "may_change"),
    [
        ({"submit_once": HELD}, False),
        ({"submit_once": MADE}, True),
        ({"submit_once": MADE, "upload_once": HELD}, False),
    ],
)
def test_campaign_may_change_as_long_as_nothing_was_uploaded(
    records: dict[str, StepRecord], may_change: bool
) -> None:
    """What was made without an upload is deleted, and made anew; contacts stay the same."""
    before = Fingerprint.of("a", campaign={"name": "a"}, contacts="c")
    given = Checkpoint(
        pipeline="send_once",
        input_hash=before.whole,
        input_parts=dict(before.parts),
        records=dict(records),
    )

    with pytest.raises(InvalidRequest, match=r"contacts differs.*sent or is in doubt"):
        given.check("send_once", Fingerprint.of("d", campaign={"name": "a"}, contacts="d"))
    with contextlib.nullcontext() if may_change else pytest.raises(InvalidRequest):
        given.check("send_once", Fingerprint.of("b", campaign={"name": "b"}, contacts="c"))
    assert given.records == records
