"""An automation script begins for each contact at most once."""

from __future__ import annotations

import json
import logging
import stat
from pathlib import Path
from typing import Any, Final

import pytest

from newsleopard_async import (
    AutomationEvent,
    CampaignSn,
    FieldError,
    InvalidRequest,
    NotOffered,
    OutcomeUnknown,
    RateLimits,
    RetryPolicy,
    workflows,
)
from newsleopard_async.contacts import recipients
from newsleopard_async.workflows import AutomationOutcome, Event
from tests.clients import Bench, Reply, checkpoint_of, connected, csv_of, scripted

pytestmark = pytest.mark.anyio

SCRIPT: Final = "402810c26cb86ad7016cb8b2414a0003"
VENDOR: Final[dict[str, Any]] = {"profile": "vendor-2026", "limits": RateLimits.vendor_2026()}
ALONE: Final = RetryPolicy(max_attempts=1)


def triggered(bench: Bench) -> list[str]:
    """Return the addresses for which the script has begun, in order."""
    return [
        person.address for each in bench.emulator.automation_events for person in each.recipients
    ]


def addresses(rows: int) -> list[str]:
    """Return the addresses of `csv_of`."""
    return [f"user{number}@example.com" for number in range(rows)]


async def test_contacts_become_recipients_in_batches(caplog: pytest.LogCaptureFixture) -> None:
    """EMAIL, NAME, and every other column as a variable; a hundred in a request."""
    people = "EMAIL,NAME,CITY\n" + "".join(
        f'user{number}@example.com,"A, {number}",台北\n' for number in range(250)
    )
    events: list[Event] = []

    async with connected(**VENDOR) as bench:
        with caplog.at_level(logging.INFO, "newsleopard_async"):
            outcome = await workflows.trigger_automation(
                bench.nl,
                SCRIPT,
                people.replace("EMAIL", "電子郵件"),
                columns={"電子郵件": "EMAIL"},
                event=AutomationEvent.TERMINATE,
                progress=events.append,
            )

    assert outcome == AutomationOutcome(accepted=250, refused=0, unknown=0, requests=3)
    assert triggered(bench) == addresses(250)
    first = bench.emulator.automation_events[0]
    assert (first.workflow, first.event, len(first.recipients)) == (SCRIPT, "TERMINATE", 100)
    assert first.recipients[7].name == "A, 7"
    assert dict(first.recipients[7].variables) == {"CITY": "台北"}
    finished = [each for each in events if (each.step, each.state) == ("send_event", "finished")]
    assert [(each.part, each.parts) for each in finished] == [(1, 3), (2, 3), (3, 3)]
    assert finished[-1].result == {"accepted": 50, "refused": 0}
    assert "250 contacts take 3 requests" in caplog.text
    assert "example.com" not in caplog.text + json.dumps([each.to_dict() for each in events])


@pytest.mark.parametrize("is_lost", [True, False])
@pytest.mark.parametrize("number", [1, 2, 3])
async def test_batch_in_doubt_stops_the_run_until_a_person_decides(
    is_lost: bool, number: int, tmp_path: Path
) -> None:
    """After any lost reply, no contact is triggered twice, and no contact is left out."""
    path = tmp_path / "run.json"

    async with connected(**VENDOR, retry=ALONE) as bench:

        def strike(event: Event) -> None:
            if (event.step, event.state, event.part) == ("send_event", "started", number):
                lose = bench.emulator.lose_reply_to if is_lost else bench.emulator.drop_request
                lose("send_event")

        rows = "row 201" if number == 3 else f"rows {number * 100 - 99} to {number * 100}"
        rows += f" .batch {number} of 3."
        with pytest.raises(OutcomeUnknown, match=rows) as caught:
            await workflows.trigger_automation(
                bench.nl, SCRIPT, csv_of(201), checkpoint=path, progress=strike
            )
        assert "example.com" not in str(caught.value) + path.read_text()
        with pytest.raises(OutcomeUnknown, match=rows):
            await workflows.trigger_automation(bench.nl, SCRIPT, csv_of(201), checkpoint=path)
        # A script also has a code, and no event contains it.
        decision: Any = ("sent", CampaignSn(SCRIPT)) if is_lost else ("resubmit",)
        await checkpoint_of(caught.value).resolve(*decision)
        outcome = await workflows.trigger_automation(bench.nl, SCRIPT, csv_of(201), checkpoint=path)

    assert triggered(bench) == addresses(201)
    unknown = (1 if number == 3 else 100) * is_lost
    assert (outcome.accepted, outcome.unknown) == (201 - unknown, unknown)


async def test_refused_batch_is_sent_by_the_next_run(tmp_path: Path) -> None:
    """A refusal ends the run, and the finished batches are not repeated."""
    path = tmp_path / "run.json"

    async with connected(**VENDOR) as bench:

        def strike(event: Event) -> None:
            if (event.state, event.part) == ("started", 2):
                bench.emulator.fail("send_event", 400, body=b'{"code": "40001"}')

        with pytest.raises(FieldError):
            await workflows.trigger_automation(
                bench.nl, SCRIPT, csv_of(250), checkpoint=path, progress=strike
            )
        await workflows.trigger_automation(bench.nl, SCRIPT, csv_of(250), checkpoint=path)

    assert triggered(bench) == addresses(250)


REFUSED: Final = Reply(
    {"success": ["user0@example.com"], "failure": {"user1@example.com": "no such, person"}}
)


async def test_refused_addresses_are_in_the_result_and_in_a_private_file(tmp_path: Path) -> None:
    """Contacts without an outcome are counted, and no text shows an address."""
    path = tmp_path / "refused.csv"

    async with scripted(REFUSED, REFUSED, profile="vendor-2026") as script:
        outcome = await workflows.trigger_automation(
            script.nl, SCRIPT, csv_of(103), refused_to=path
        )

    assert (outcome.accepted, outcome.refused, outcome.unknown) == (2, 2, 99)
    assert dict(outcome.reasons) == {"user1@example.com": "no such, person"}
    assert outcome.refused_to == path
    assert "example.com" not in repr(outcome)
    row = 'user1@example.com,"no such, person"\n'
    assert path.read_text() == "EMAIL,REASON\n" + row * 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_resumed_run_adds_to_the_file_of_refused_addresses(tmp_path: Path) -> None:
    """A file of another run is refused; a resumed run continues its own file."""
    path, run = tmp_path / "refused.csv", tmp_path / "run.json"
    replies = [REFUSED, Reply({"code": "40001"}, status=400), REFUSED]

    async with scripted(*replies, profile="vendor-2026") as script:

        async def trigger(checkpoint: Path) -> AutomationOutcome:
            return await workflows.trigger_automation(
                script.nl, SCRIPT, csv_of(103), refused_to=path, checkpoint=checkpoint
            )

        with pytest.raises(FieldError):
            await trigger(run)
        outcome = await trigger(run)
        with pytest.raises(InvalidRequest) as caught:
            await trigger(tmp_path / "other.json")
    assert [(each.field, each.rule) for each in caught.value.problems] == [("refused_to", "exists")]

    assert (outcome.refused, len(path.read_text().splitlines())) == (2, 3)


async def test_file_that_cannot_be_written_hides_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The batch took effect, so it is stored, and the addresses are in the outcome."""
    path = tmp_path / "refused.csv"
    path.symlink_to(tmp_path / "none" / "there")

    async with scripted(REFUSED, profile="vendor-2026") as script:
        outcome = await workflows.trigger_automation(script.nl, SCRIPT, csv_of(2), refused_to=path)

    assert len(outcome.reasons) == outcome.refused == 1
    assert "1 refused addresses could not be added" in caplog.text
    assert "example.com" not in caplog.text


async def test_lost_reply_leaves_the_file_of_refused_addresses_alone(tmp_path: Path) -> None:
    """Nothing is known of them."""
    path = tmp_path / "refused.csv"
    async with connected(**VENDOR, retry=ALONE) as bench:
        bench.emulator.lose_reply_to("send_event")
        with pytest.raises(OutcomeUnknown):
            await workflows.trigger_automation(bench.nl, SCRIPT, csv_of(2), refused_to=path)

    assert not path.exists()


async def test_account_without_the_endpoint_is_reported() -> None:
    """There is no alternative to the missing endpoint."""
    async with connected() as bench:
        with pytest.raises(NotOffered):
            await workflows.trigger_automation(bench.unchecked(), SCRIPT, csv_of(2))


LONG: Final = "EMAIL,NAME,TEXT\na@example.com,A,ok\nb@example.com,B,{0}\nc@example.com,C,{0}\n"


async def test_what_cannot_be_sent_is_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All problems of the rows are listed together, with their numbers."""
    monkeypatch.setattr(recipients, "MOST_BATCHES", 2)
    run = tmp_path / "run.json"

    async with scripted() as script:
        trigger: Any = workflows.trigger_automation
        for contacts, options, says in (
            (LONG.format("x" * 100), {}, r"TEXT.* 100 characters.*2 rows.* 2, 3"),
            ("EMAIL,NAME\na@b.example,A\nA@b.example ,B\n", {}, "address also occurs in"),
            ("EMAIL,NAME\nabsent,A\n", {"checkpoint": run}, "contacts: "),
            ("EMAIL,NAME\na@b.example,\n", {"strict": True}, "contacts: .*NAME"),
            ("EMAIL\n", {}, "contacts: "),
            (csv_of(201), {}, "3 requests, and at most 2 are allowed; pass at most 200 "),
            (csv_of(2), {"event": "TRIGGER"}, "event: "),
            (csv_of(2), {"strict": 1, "refused_to": 5}, "strict: .*refused_to: "),
            (csv_of(2), {"refused_to": run, "checkpoint": run}, "refused_to: is the checkpoint"),
            (csv_of(2), {"refused_to": tmp_path}, "refused_to: .*is a folder"),
            (csv_of(2), {"left_out_to": 5}, "left_out_to: "),
        ):
            with pytest.raises(InvalidRequest, match=says) as caught:
                await trigger(script.nl, SCRIPT, contacts, **options)
            assert "b.example" not in str(caught.value)
        with pytest.raises(InvalidRequest, match="workflow: "):
            await trigger(script.nl, "", csv_of(2))


async def test_file_of_refused_addresses_is_not_the_contacts(tmp_path: Path) -> None:
    """A typo cannot overwrite the contacts."""
    path = tmp_path / "members.csv"
    path.write_text(csv_of(2))

    async with scripted() as script:
        with pytest.raises(InvalidRequest, match="is an input or another output"):
            await workflows.trigger_automation(script.nl, SCRIPT, path, refused_to=path)
