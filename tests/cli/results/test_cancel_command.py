"""``newsleopard cancel``: how a campaign, a run or a durable send is called off."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import attrs
import pytest
from click.testing import CliRunner

from newsleopard_async import OutcomeUnknown
from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.results import cancelling
from newsleopard_async.cli.runs.kept_sends import KeptSends, ResumableSend
from newsleopard_async.stores import SqlStore
from newsleopard_async.testing import ManualClock
from newsleopard_async.workflows import resolve
from tests.cli.offices import Office, an_office
from tests.cli.results.test_status_command import UNKNOWN, hold, send
from tests.constants import CAMPAIGN
from tests.durable.desk import at_desk


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An account of the vendor's notes."""
    monkeypatch.chdir(tmp_path)
    return an_office(tmp_path, monkeypatch, profile="vendor-2026")


def state_of(office: Office, code: str) -> str:
    """Return the state of a campaign."""
    return str(office.json("status", code)["campaign"]["state"])


@pytest.mark.parametrize("kind", ["code", "send_key", "checkpoint"])
def test_scheduled_campaign_is_stopped(office: Office, kind: str) -> None:
    """By its code, its key or its checkpoint; nothing is asked with --yes."""
    how = {"send_key": "k"} if kind == "send_key" else {"checkpoint": Path("k.json")}
    code = send(office, in_hours=5, **how)
    target = {"code": code, "send_key": "k", "checkpoint": "k.json"}[kind]

    result = office.invoke("cancel", target, "--yes")
    again = office.json("cancel", target, "--yes")

    assert result.exit_code == 0, result.output
    assert result.stdout == (
        f"Stopped: no more mails of campaign {code} are sent. It stays in the console. No mail is "
        "out.\n"
    )
    assert "Pause the campaign" in result.stderr
    assert "Wait until it stops" in result.stderr
    assert (again["how"], again["campaign_sn"]) == ("already stopped", code)
    assert state_of(office, code) == "STOP"


def test_cancel_waits_until_another_process_has_submitted(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who wants to stop a send is not told to wait for its end."""
    office.emulator.drop_request("submit_campaign")
    with pytest.raises(OutcomeUnknown):
        send(office, in_hours=5, send_key="k")
    office.do(lambda nl: resolve(nl.store, "k", "resubmit"))
    other = ExitStack()
    other.enter_context(office.store.locked("k"))

    async def end_the_other_process(_self: ManualClock, _seconds: float) -> None:
        other.close()

    monkeypatch.setattr(ManualClock, "sleep", end_the_other_process)
    result = office.invoke("cancel", "k", "--yes")

    assert result.exit_code == 0, result.output
    assert "It is called off as soon as it is submitted." in result.stderr
    assert "Nothing was submitted" in result.stdout


def test_sent_campaign_is_too_late(office: Office) -> None:
    """The exit status is 1, and the number of mails is printed."""
    code = send(office)
    office.clock.advance(86_400)

    result = office.invoke("cancel", code, "--yes")

    assert result.exit_code == 1
    assert "Too late" in result.stdout
    assert "2 mails are out." in result.stdout


def test_question_shows_what_would_be_called_off(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on the standard error; another answer than yes changes nothing."""
    code = send(office, in_hours=5, send_key="k")
    monkeypatch.setattr(cancelling, "require_terminal", lambda **_: None)

    no = office.invoke("cancel", "k", input="n\n")
    silent = office.invoke("cancel", "k", input="")
    assert state_of(office, code) == "PREPARE_TO_SENT"
    yes = office.invoke("cancel", "k", input="y\n")

    assert (no.exit_code, silent.exit_code, yes.exit_code) == (1, 1, 0)
    for text in (code, "waits for its time", "Call it off? Mails that are out cannot be called"):
        assert text in no.stderr
    assert "Nothing was sent or changed." in no.stderr
    assert no.stdout == ""
    assert "Stopped" in yes.stdout


def test_without_a_terminal_it_must_be_confirmed(office: Office) -> None:
    """It is a usage error, before anything is requested."""
    code = send(office, in_hours=5)
    before = len(office.emulator.requests)

    result = office.invoke("cancel", code)

    assert result.exit_code == 2
    assert "add --yes" in result.stderr
    assert len(office.emulator.requests) == before


def test_submit_in_doubt_has_commands(office: Office) -> None:
    """A scheduled campaign is not among the finished ones, so a person must look for it."""
    hold(office, send_key="k")

    result = office.invoke("cancel", "k", "--yes")

    assert result.exit_code == 3
    text = " ".join(result.stderr.split())
    assert "newsleopard resolve k abandon" in text
    assert "newsleopard cancel k" in text
    assert "await" not in text


def test_checkpoint_in_doubt_is_decided_by_its_file(office: Office) -> None:
    """The command in the message works for a file, too."""
    hold(office, checkpoint=Path("k.json"))
    office.clock.advance(600)
    refused = office.invoke("cancel", "k.json", "--yes")

    decided = office.json("resolve", "k.json", "abandon")

    assert refused.exit_code == 3
    assert "newsleopard resolve k.json abandon" in " ".join(refused.stderr.split())
    assert decided["state"] == "abandoned"


def test_account_that_cannot_pause_is_sent_to_the_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documented platform has no endpoint for it."""
    office = an_office(tmp_path, monkeypatch)
    code = send(office, in_hours=5)

    result = office.invoke("cancel", code, "--yes")

    assert result.exit_code == 1
    assert "console" in result.stderr


@pytest.mark.parametrize(
    ("command", "note"),
    [
        (("cancel", "--yes"), "still being sent. Run the same command again: newsleopard cancel "),
        (("status", "--wait"), "the campaign is not changed"),
    ],
)
def test_interruption_says_what_goes_on(
    office: Office, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], note: str
) -> None:
    """Ctrl-C ends the command with 130, and one line says what continues."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(anyio, "run", interrupt)
    result = office.invoke(*command, UNKNOWN)

    assert result.exit_code == 130
    assert note in result.stderr


def test_unknown_campaign_is_refused(office: Office) -> None:
    """A wrong code is not reported as called off."""
    assert office.invoke("cancel", UNKNOWN, "--yes").exit_code == 1


@pytest.mark.slow
def test_run_beside_durable_sends_is_found_and_called_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store of a profile can be a database of workers; the command that was printed works."""
    url = f"sqlite:///{tmp_path}/sends.db"

    async def seed() -> Office:
        async with at_desk(url, tmp_path, profile="vendor-2026") as desk:
            month = datetime.now(UTC) + timedelta(days=30)
            await desk.durable.start_send(desk.spec(), send_key="later", at=month)
        return an_office(tmp_path, monkeypatch, clock=desk.bench.clock, emulator=desk.emulator)

    office = anyio.run(seed)
    beside = attrs.evolve(office, store=SqlStore(url))  # type: ignore[arg-type]  # any store does
    send(beside, in_hours=5, send_key="spring")
    listed = CliRunner().invoke(newsleopard, ["runs", "--json", "--url", url])
    cancelled = office.invoke("cancel", "spring", "--url", url, "--yes")

    keys = [json.loads(line)["send_key"] for line in listed.stdout.splitlines()]
    assert sorted(keys) == ["later", "spring"]
    assert cancelled.exit_code == 0, cancelled.output
    assert "Stopped" in cancelled.stdout


def test_run_of_another_store_keeps_what_a_send_was_given(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same key in another store is another run."""
    order = ResumableSend(campaign=CAMPAIGN, send_key="spring")
    KeptSends().add(order)
    other = f"sqlite:///{tmp_path}/other.db"
    elsewhere = attrs.evolve(office, store=SqlStore(other))  # type: ignore[arg-type]  # as above
    send(elsewhere, in_hours=5, send_key="spring")

    cancelled = office.invoke("cancel", "spring", "--url", other, "--yes")

    assert cancelled.exit_code == 0, cancelled.output
    assert KeptSends().has(order)


@pytest.mark.slow
def test_durable_send_is_cancelled_unless_it_was_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A send that was submitted is called off at the platform instead."""
    url = f"sqlite:///{tmp_path}/sends.db"

    async def seed() -> Office:
        async with at_desk(url, tmp_path, profile="vendor-2026") as desk:
            month = datetime.now(UTC) + timedelta(days=30)
            await desk.durable.start_send(desk.spec(), send_key="later", at=month)
            await desk.start("sent")
            await desk.run_attempt("sent")
        return an_office(tmp_path, monkeypatch, clock=desk.bench.clock, emulator=desk.emulator)

    office = anyio.run(seed)
    later = office.invoke("cancel", "later", "--url", url, "--yes", "--json")
    sent = office.invoke("cancel", "sent", "--url", url, "--yes")
    states = CliRunner().invoke(newsleopard, ["runs", "later", "--json", "--url", url])

    assert later.exit_code == 0
    assert json.loads(later.stdout)["how"] == "never submitted"
    assert json.loads(states.stdout)["state"] == "cancelled"
    assert sent.exit_code == 0, sent.output
    assert "Stopped" in sent.stdout
