"""``newsleopard status``: a campaign by its code, its send key or its checkpoint."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from newsleopard_async import NewsLeopard, OutcomeUnknown, SendAt
from newsleopard_async.cli.session import Session
from newsleopard_async.errors import ConfigurationError
from newsleopard_async.workflows import send_campaign
from tests.cli.interrupting import interrupt_at, notice_at_once
from tests.cli.offices import Office, an_office
from tests.constants import CAMPAIGN

CONTACTS = "EMAIL,NAME\na@example.com,甲\nb@example.com,乙\n"
LIST: Any = {"list_name": "會員", "if_list_exists": "reuse"}
UNKNOWN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An account of the vendor's notes."""
    monkeypatch.chdir(tmp_path)
    return an_office(tmp_path, monkeypatch, profile="vendor-2026")


def send(office: Office, *, in_hours: float | None = None, **how: Any) -> str:
    """Send a campaign, now or later; return its code."""

    async def work(nl: NewsLeopard) -> str:
        campaign = CAMPAIGN
        if in_hours is not None:
            at = nl.clock.now() + timedelta(hours=in_hours)
            campaign = attrs.evolve(campaign, schedule=SendAt(at))
        outcome = await send_campaign(nl, campaign, contacts=CONTACTS, **LIST, **how)
        return outcome.campaign_sn

    return str(office.do(work))


def hold(office: Office, **how: Any) -> None:
    """Submit a campaign whose reply is lost."""
    office.emulator.lose_reply_to("submit_campaign")
    with pytest.raises(OutcomeUnknown):
        send(office, in_hours=5, **how)


def test_code_key_and_checkpoint_lead_to_the_campaign(office: Office) -> None:
    """The command finds out what its argument is; an option says it, too."""
    by_key = send(office, send_key="週年慶")
    by_file = send(office, checkpoint=Path("run.json"))

    assert by_key != by_file
    for text, kind, code in (
        (by_key, "code", by_key),
        ("週年慶", "send_key", by_key),
        ("run.json", "checkpoint", by_file),
    ):
        forced = f"--{kind.replace('_', '-')}"
        found, again = office.json("status", text), office.json("status", text, forced)
        assert found == again
        assert (found["target"], found["campaign_sn"]) == (kind, code)
        assert found["campaign"]["state"] in ("SENDING", "COMPLETE", "PREPARE")
        assert (found["run"] is None) == (kind == "code")


def test_unknown_target_says_what_was_looked_for(office: Office) -> None:
    """Nothing is requested for a text that has not the form of a code."""
    before = len(office.emulator.requests)

    result = office.invoke("status", "nothing")
    forced = office.invoke("status", "nothing", "--send-key")
    file = office.invoke("status", "nothing", "--checkpoint")

    assert [each.exit_code for each in (result, forced, file)] == [1, 1, 1]
    assert "'nothing' is not a checkpoint file, not the key of a send" in result.stderr
    assert "no send with the key 'nothing'" in forced.stderr
    assert "no checkpoint exists at nothing" in file.stderr
    # Digits are a usual send key, for example of a date.
    assert office.invoke("status", "20270105").exit_code == 1
    assert len(office.emulator.requests) == before
    assert office.invoke("status", UNKNOWN).exit_code == 1


def test_file_and_key_of_one_name_are_not_confused(office: Office) -> None:
    """A user must choose; a file that is not a checkpoint is not meant."""
    by_key = send(office, send_key="run")
    by_file = send(office, checkpoint=Path("run"))

    both = office.invoke("status", "run")
    assert both.exit_code == 1
    assert "choose one by --checkpoint or --send-key" in both.stderr
    assert office.json("status", "run", "--checkpoint")["campaign_sn"] == by_file

    Path("run").write_text("notes", encoding="utf-8")
    assert office.json("status", "run")["campaign_sn"] == by_key


def test_times_are_local_and_in_utc(office: Office) -> None:
    """The state has its meaning beside it; numbers follow after the sending has begun."""
    code = send(office, in_hours=5)
    planned = office.invoke("status", code).stdout
    office.clock.advance(86_400)
    sent = office.invoke("status", code).stdout

    assert "PREPARE_TO_SENT: waits for its time" in planned
    assert "2026-01-05 07:0" in planned
    assert " UTC" in planned
    assert "Recipients" not in planned
    assert "COMPLETE: sent" in sent
    assert any(line.split() == ["Recipients", "2"] for line in sent.splitlines())


@pytest.mark.parametrize("width", [40, 80, 120])
def test_code_is_on_one_line(office: Office, width: int) -> None:
    """It can be copied at any width, and no line is wider than the terminal."""
    code = send(office, in_hours=5)

    lines = office.invoke("status", code, width=width).stdout.splitlines()

    assert any(code in line for line in lines)
    assert max(map(len, lines)) <= width


def test_waiting_ends_when_it_is_sent(office: Office) -> None:
    """Its steps are on the standard error; a campaign that is not sent ends with 1."""
    code = send(office, in_hours=5)
    result = office.invoke("status", code, "--wait")
    empty = send(office, in_hours=5)
    for email in ("a@example.com", "b@example.com"):
        office.emulator.exclude(email)
    failed = office.invoke("status", empty, "--wait")

    assert result.exit_code == 0, result.output
    assert "COMPLETE: sent" in result.stdout
    assert "Wait until it is sent" in result.stderr
    assert failed.exit_code == 1
    assert "The campaign was not sent completely" in failed.stderr


def test_run_in_doubt_is_shown_without_a_campaign(office: Office) -> None:
    """The message has the command with which a person decides; it cannot be waited for."""
    hold(office, send_key="k")

    result = office.invoke("status", "k")
    waiting = office.invoke("status", "k", "--wait")

    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert "held: whether it was submitted is unknown" in text
    assert "newsleopard resolve k sent --campaign-sn SN" in text
    assert waiting.exit_code == 1
    assert "has submitted no campaign" in waiting.stderr


def test_account_without_states_shows_finished_campaigns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the end the state is unknown, and the text says where to look."""
    office = an_office(tmp_path, monkeypatch)
    code = send(office, in_hours=5)
    before = office.invoke("status", code)
    office.clock.advance(86_400)

    assert before.exit_code == 0, before.output
    assert "unknown: this account cannot read states" in before.stdout
    assert office.json("status", code)["campaign"]["state"] == "COMPLETE"


def test_run_is_shown_without_a_key_of_the_account(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is on this machine, so its run is shown before the error."""
    send(office, send_key="k")

    def no_client(*_: object) -> None:
        raise ConfigurationError("no key")

    monkeypatch.setattr(Session, "client", no_client)
    result = office.invoke("status", "k")

    assert result.exit_code == 2
    assert "done" in result.stdout
    assert "no key" in result.stderr


def test_code_works_while_the_store_does_not(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing database must not prevent a look at a campaign."""
    code = send(office)

    assert office.json("status", code, "--url", "sqlite:////no/sends.db")["target"] == "code"
    assert office.invoke("status", "k", "--url", "sqlite:////no/sends.db").exit_code == 2


def test_interrupt_says_that_the_answer_is_waited_for(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person otherwise takes the command for stuck."""
    code = send(office)
    notice_at_once(monkeypatch)
    interrupt_at(office, monkeypatch, "get_status")

    result = office.invoke("status", code)

    assert result.exit_code == 130
    assert "Waiting for the answer to a request that was sent" in result.stderr
    assert "The command only reads" in result.stderr


def test_code_leads_to_its_campaign_despite_an_unreadable_run_of_that_name(
    office: Office,
) -> None:
    """A campaign must be found, and be stoppable, by its code if the store has a damaged run."""
    code = send(office)
    send(office, send_key=code)
    [file] = (each for each in office.store.folder.iterdir() if each.suffix == ".json")
    file.write_text("damaged", "utf-8")

    found = office.json("status", code)

    assert (found["target"], found["campaign_sn"]) == ("code", code)
