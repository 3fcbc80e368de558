"""Which parts of the input can change when a run is resumed, and which cannot."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import attrs
import pytest

from newsleopard_async import (
    ConnectionFailed,
    InvalidRequest,
    ListSn,
    Mailing,
    NewsLeopardError,
    SendAt,
    with_lists,
)
from newsleopard_async.errors import APIError
from newsleopard_async.workflows import Checkpoint
from newsleopard_async.workflows.run_record import RunEnd, RunRecord, checksum, read_run_record
from tests.clients import checkpoint_of
from tests.constants import CAMPAIGN, LIST_NAME, MAILINGS
from tests.faults.sending import damage, hold, is_intent, rule_of, send, stored
from tests.faults.test_checkpoints_refused import as_version_1
from tests.faults.world import FEW, World, addresses, csv_of

SUBJECT = {"campaign": attrs.evolve(CAMPAIGN, subject="另一個")}
CONTACTS = {"contacts": csv_of(FEW + 1)}

OF_CAMPAIGN: dict[str, dict[str, Any]] = {
    "campaign.subject": SUBJECT,
    "campaign.html": {"campaign": attrs.evolve(CAMPAIGN, html=f"{CAMPAIGN.html} ")},
    "marker": {"marker": "own"},
}
PREHEADER = {"campaign": attrs.evolve(CAMPAIGN, preheader="預覽")}
OF_LIST: dict[str, dict[str, Any]] = {
    "contacts": CONTACTS,
    "list_name": {"list_name": "另一個"},
    "if_list_exists": {"if_list_exists": "reuse"},
    "list_sn": {"list_name": None, "list_sn": ListSn("L1")},
}


def refused(at: World, field: str, options: dict[str, Any]) -> None:
    """Check that a run with other input is refused, by the name of what differs."""
    with pytest.raises(InvalidRequest, match="was made for other input") as caught:
        send(at, **options)

    assert rule_of(caught) == ("checkpoint", "other-input")
    assert field in str(caught.value)


@pytest.mark.parametrize(
    ("field", "options"),
    [
        *OF_CAMPAIGN.items(),
        ("marker", {"marker": None}),
        ("campaign.preheader", PREHEADER),
        *OF_LIST.items(),
    ],
)
def test_nothing_may_change_once_it_may_have_been_submitted(
    at: World, field: str, options: dict[str, Any]
) -> None:
    """The error says what differs."""
    hold(at)

    refused(at, field, options)

    assert at.emulator.submitted == 1


BEFORE_PREHEADERS = {
    "Campaign": "8a8cb837c5b0770720d2f095eefde107a8b8514ee5462b92b62762af661371f2",
    "SubjectTest": "f37064fc53a3689edf54c8639a36c6f36a9b5f030e99ecbe83695eba2ed9611f",
    "SenderTest": "eb3a9f3a7a70f1cdff68f898564b07a10842503592896643749d431ed77a9065",
    "ContentTest": "c895c05c8a4cd0cf6a20d417df45c4aa88b58c95d34da732ae3519b099882c2b",
}
"""The input of each mailing as it was hashed before mailings had a preheader."""


@pytest.mark.parametrize("mailing", MAILINGS, ids=lambda mailing: type(mailing).__name__)
def test_checkpoint_from_before_preheaders_goes_on(at: World, mailing: Mailing) -> None:
    """A campaign that it submitted is not taken for another one, and not sent again."""
    ready = with_lists(mailing, [ListSn("L1")])
    submitted = {"state": "done", "at": "2026-01-05T02:01:00Z", "result": "C1"}
    written = {
        "version": 1,
        "pipeline": "send_campaign",
        "input_hash": BEFORE_PREHEADERS[type(mailing).__name__],
        "token": "4d1c3c24",
        "abandoned": False,
        "records": {"submit": submitted},
    }
    at.checkpoint.write_text(json.dumps(written))

    outcome = send(at, campaign=ready, contacts=None, list_name=None)

    assert outcome.campaign_sn == "C1"
    assert at.emulator.submitted == 0


def stop_before_submit(at: World) -> None:
    """Import the contacts, and go no further."""
    at.emulator.not_sent("submit_campaign", times=5)
    with pytest.raises(ConnectionFailed):
        send(at)


@pytest.mark.parametrize("options", OF_CAMPAIGN.values(), ids=OF_CAMPAIGN)
def test_campaign_may_change_until_it_is_submitted(at: World, options: dict[str, Any]) -> None:
    """And what was imported stays."""
    stop_before_submit(at)

    send(at, **options)

    assert at.emulator.submitted == 1
    assert at.emulator.count("import_text") == 1
    [campaign] = at.emulator.campaigns
    assert campaign.body.variants[0].subject == options.get("campaign", CAMPAIGN).subject


def test_schedule_that_passed_may_be_given_anew(at: World) -> None:
    """Between a crash and the next run the time may have come."""
    late = attrs.evolve(CAMPAIGN, schedule=SendAt(at.clock.now() + timedelta(hours=3)))
    at.emulator.not_sent("submit_campaign", times=5)
    with pytest.raises(ConnectionFailed):
        send(at, campaign=late)
    at.clock.advance(86_400)
    with pytest.raises(InvalidRequest, match="schedule"):
        send(at, campaign=late)

    send(at)

    assert at.emulator.submitted == 1
    assert at.emulator.count("import_text") == 1


@pytest.mark.parametrize(("field", "options"), OF_LIST.items())
def test_contacts_and_list_may_not_change_once_something_was_written(
    at: World, field: str, options: dict[str, Any]
) -> None:
    """A list that holds both would be sent to."""
    stop_before_submit(at)

    refused(at, field, options)

    assert at.emulator.submitted == 0


@pytest.mark.parametrize(
    "options",
    [
        {"list_name": "另一個"},
        {"if_list_exists": "reuse"},
        SUBJECT | {"list_name": "另一個"},
        CONTACTS | {"list_name": "另一個"},
    ],
)
def test_all_may_change_before_the_first_write(at: World, options: dict[str, Any]) -> None:
    """What a refusal advises can be done with the same checkpoint."""
    refuse_list(at)

    send(at, **options)

    assert at.emulator.submitted == 1


def test_all_may_change_of_a_checkpoint_that_an_error_carries(at: World) -> None:
    """It was begun, and nothing was written."""
    account = at.emulator._account
    account.book.create_list(account.codes.sn(), LIST_NAME, at.clock.now())
    with pytest.raises(InvalidRequest) as caught:
        send(at, None)

    send(at, caught.value.checkpoint, list_name="另一個", **CONTACTS)

    assert at.emulator.submitted == 1


def test_list_that_was_chosen_is_chosen_anew_if_nothing_is_in_it(at: World) -> None:
    """What was read for other input does not count."""
    refuse_list(at)
    at.emulator.fail("import_text", status=400)
    with pytest.raises(APIError):
        send(at, if_list_exists="reuse")

    send(at, list_name="另一個", **CONTACTS)

    assert {each.name for each in at.emulator.lists} == {LIST_NAME, "另一個"}
    assert at.emulator.submitted == 1


def refuse_list(at: World) -> ListSn:
    """Let a run be refused because there is a list of its name."""
    account = at.emulator._account
    sn = account.codes.sn()
    account.book.create_list(sn, LIST_NAME, at.clock.now())
    with pytest.raises(InvalidRequest) as caught:
        send(at)
    assert rule_of(caught) == ("list_name", "exists")
    return ListSn(sn)


def test_list_may_be_named_by_its_code_after_a_refusal(at: World) -> None:
    """The code stands in the refusal."""
    sn = refuse_list(at)

    send(at, list_sn=sn, list_name=None)

    assert at.emulator.submitted == 1


def test_list_that_was_deleted_since_refuses_no_more(at: World) -> None:
    """The same call looks again."""
    sn = refuse_list(at)
    at.emulator._account.book.lists.pop(sn)

    send(at)

    assert at.emulator.submitted == 1


def test_list_that_was_chosen_stays_chosen_once_something_is_in_it(at: World) -> None:
    """A second list of the same name that was created later causes no question."""
    refuse_list(at)
    at.emulator.not_sent("submit_campaign", times=5)
    with pytest.raises(ConnectionFailed):
        send(at, if_list_exists="reuse")
    account = at.emulator._account
    account.book.create_list(account.codes.sn(), LIST_NAME, at.clock.now())

    send(at, if_list_exists="reuse")

    assert at.emulator.submitted == 1


def test_refused_import_fixes_nothing(at: World) -> None:
    """A wrong code is put right with the same checkpoint."""
    at.add_list()
    with pytest.raises(APIError):
        send(at, list_name=None, list_sn=ListSn("wrong"))

    send(at, list_name=None, list_sn=at.sn)

    assert at.emulator.submitted == 1


@pytest.mark.parametrize("status", [None, 500])
def test_import_that_may_have_happened_fixes_the_contacts(at: World, status: int | None) -> None:
    """Both would be in the list, and get the mail."""
    at.add_list()
    if status is None:
        at.emulator.lose_reply_to("import_text", times=20)
    else:
        at.emulator.fail("import_text", status=status, times=20)
    with pytest.raises(NewsLeopardError):
        send(at, list_name=None, list_sn=at.sn)

    refused(at, "contacts", {"list_name": None, "list_sn": at.sn, **CONTACTS})
    send(at, list_name=None, list_sn=at.sn)

    assert at.emulator.submitted == 1


def test_version_1_goes_on_with_the_same_input(at: World) -> None:
    """It is migrated when it is next written."""
    stop_before_submit(at)
    damage(at, as_version_1)

    send(at)

    assert at.emulator.submitted == 1
    assert at.emulator.count("import_text") == 1
    assert stored(at)["version"] == 4
    assert "campaign.subject" in stored(at)["input_parts"]


@pytest.mark.parametrize("version", [2, 3])
def test_earlier_version_is_read_as_it_is(at: World, version: int) -> None:
    """It does not say which run wrote, holds or ended it."""
    stop_before_submit(at)
    fields = {**stored(at), "version": version}
    for name in ("checksum", "send_key", "account", "writer", "held_until", "ended"):
        fields.pop(name, None)
    for record in fields["records"].values():
        record.pop("writer", None)

    read = Checkpoint.read({**fields, "checksum": checksum(fields)})

    assert (read.send_key, read.account, read.writer, read.held_until, read.ended) == (None,) * 5
    assert {record.writer for record in read.records.values()} == {None}
    assert read.to_dict()["version"] == 4


def test_what_was_added_in_version_4_is_read_back(at: World) -> None:
    """Which run wrote, holds and ended it, and which run stored an intent."""
    error = hold(at)
    kept, now = checkpoint_of(error), at.clock.now()
    ended = RunEnd(state="held", at=now, error="OutcomeUnknown", message="?", look_again_at=now)
    intent = attrs.evolve(kept.records["submit"], writer="ab")
    whole = attrs.evolve(
        RunRecord(**{name: getattr(kept, name) for name in attrs.fields_dict(RunRecord)}),
        send_key="週年慶-2027",
        account="0" * 32,
        writer="cd",
        held_until=now,
        ended=ended,
        records={**kept.records, "submit": intent},
    )

    data = json.loads(json.dumps(whole.to_dict()))

    assert read_run_record(data) == whole
    assert Checkpoint.read(data).to_dict() == data


def test_version_1_refuses_all_other_input(at: World) -> None:
    """It has one hash, so it is unknown which input differs."""
    stop_before_submit(at)
    damage(at, as_version_1)

    refused(at, "the input differs", SUBJECT)


def test_version_1_keeps_an_intent(at: World) -> None:
    """What may have been submitted is not sent."""
    hold(at)
    damage(at, as_version_1)
    assert is_intent(stored(at))
    at.clock.advance(3_600)

    assert send(at).campaign_sn == at.emulator.campaigns[0].sn
    assert at.emulator.submitted == 1


@pytest.mark.parametrize("step", ["create_list", "import_text"])
@pytest.mark.parametrize("code", ["a/b", "file me", "", "\ud800", 5])
def test_version_1_with_a_code_that_cannot_be_used_goes_on(
    at: World, step: str, code: object
) -> None:
    """The list is looked up by its name, and the import is made again."""
    stop_before_submit(at)
    damage(at, as_version_1)
    damage(at, lambda data: data["records"][step].update(result=code))

    send(at)

    [made] = at.emulator.lists
    assert sorted(made.members) == sorted(addresses(FEW))
    assert at.emulator.submitted == 1
