"""``newsleopard send`` after Ctrl-C and lost replies, and ``newsleopard resume``."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from newsleopard_async import ConfigurationError, NewsLeopard, OutcomeUnknown, workflows
from newsleopard_async.cli.runs.kept_sends import KeptSends
from newsleopard_async.stores import FileStore
from tests.cli.interrupting import interrupt_at, notice_at_once
from tests.cli.offices import Office, an_office
from tests.constants import CAMPAIGN, KEY

CONTACTS = "EMAIL,NAME\nming@example.com,王小明\nmei@example.com,李小美\n"
MAIL = """
name = "週年慶"
subject = "${NAME}，您的專屬優惠"
sender = "電子豹 <service@example.com>"
html = "<!DOCTYPE html><html><body><p>${NAME} 您好</p></body></html>"
"""
NEW = ("send", "mail.toml", "--contacts", "members.csv", "--list-name", "會員", "--yes")


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An account, in a folder with a campaign and contacts."""
    monkeypatch.chdir(tmp_path)
    Path("mail.toml").write_text(MAIL, "utf-8")
    Path("members.csv").write_text(CONTACTS, "utf-8")
    office = an_office(tmp_path, monkeypatch, profile="vendor-2026")
    office.emulator.switch(requests_per_s=None)
    return office


def kept() -> list[str]:
    """Return the names of the files in which a user's sends are kept."""
    return sorted(path.name for path in Path("state/newsleopard-async/sends").iterdir())


# Ctrl-C in each phase


@pytest.mark.parametrize(
    ("operation", "after", "done"),
    [
        ("list_campaigns", False, ()),
        ("create_list", True, ("Done: the list",)),
        ("import_text", True, ("Done: the list",)),
        ("get_import", False, ("Done: the list", "Done: the contacts were sent")),
    ],
)
def test_interrupt_before_the_submit_says_what_was_done(
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    after: bool,
    done: tuple[str, ...],
) -> None:
    """No mail is sent, and the command that continues does so from another folder."""
    interrupt_at(office, monkeypatch, operation, after=after)

    result = office.invoke(*NEW)
    monkeypatch.chdir("/")
    resumed = office.invoke("resume", "週年慶")

    assert result.exit_code == 130, result.output
    for text in (*done, "Not done: the campaign was not submitted, so no mail is sent."):
        assert text in result.stderr
    assert ("Done:" in result.stderr) == bool(done)
    assert "Continue: newsleopard resume 週年慶" in result.stderr
    assert resumed.exit_code == 0, resumed.output
    assert (office.emulator.submitted, len(office.emulator.lists)) == (1, 1)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("SIGTERM", 143),
        pytest.param("SIGHUP", 129, marks=pytest.mark.skipif(os.name == "nt", reason="no SIGHUP")),
    ],
)
def test_signals_of_the_system_end_a_send_like_an_interrupt(
    office: Office, monkeypatch: pytest.MonkeyPatch, name: str, status: int
) -> None:
    """The log has what was done; the second signal of a closed terminal changes nothing."""
    number = signal.Signals[name]
    interrupt_at(office, monkeypatch, "submit_campaign", number=number)

    result = office.invoke(*NEW)

    [campaign] = office.emulator.campaigns
    assert result.exit_code == status
    assert f"Interrupted by {name}." in result.stderr
    assert f"Done: the campaign was accepted as {campaign.sn}." in result.stderr
    assert signal.getsignal(number) is signal.SIG_DFL


def test_signal_that_the_caller_ignores_stays_ignored(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nohup a closed terminal does not end a send."""
    interrupt_at(office, monkeypatch, "create_list", number=signal.SIGTERM)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        result = office.invoke(*NEW)
    finally:
        signal.signal(signal.SIGTERM, before)

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("operation", ["get_balance", "list_campaigns"])
def test_interrupt_before_the_run_leaves_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """During the preview, nothing is kept; a run that has begun is."""
    interrupt_at(office, monkeypatch, operation)

    result = office.invoke(*NEW)

    assert result.exit_code == 130
    is_before = operation == "get_balance"
    assert ("Nothing was sent, and nothing was changed" in result.stderr) == is_before
    assert (kept() == []) == is_before


def test_interrupt_during_the_submit_waits_for_its_answer(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The campaign is accepted, and it is said so: never "not sent"."""
    interrupt_at(office, monkeypatch, "submit_campaign")

    result = office.invoke(*NEW)

    [campaign] = office.emulator.campaigns
    assert result.exit_code == 130
    assert f"Done: the campaign was accepted as {campaign.sn}." in result.stderr
    assert "It is sent unless you stop it: newsleopard cancel 週年慶" in result.stderr
    assert "not submitted" not in result.stderr
    assert kept() == []
    assert office.invoke("resume", "週年慶").exit_code == 0
    assert office.emulator.submitted == 1


def test_interrupt_says_that_the_answer_is_waited_for(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a person presses Ctrl-C again, which leaves the outcome unknown."""
    notice_at_once(monkeypatch)
    interrupt_at(office, monkeypatch, "submit_campaign")

    result = office.invoke(*NEW)
    interrupt_at(office, monkeypatch, "submit_campaign")
    as_json = office.invoke(*NEW, "--send-key", "other", "--reuse-list", "--json")

    assert "Waiting for the answer to a request that was sent" in result.stderr
    assert "Done: the campaign was accepted" in result.stderr
    warnings = [json.loads(line) for line in as_json.stderr.splitlines()]
    assert warnings[-1]["error"]["exit_status"] == 130
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interrupt_of_the_wait_stops_only_the_wait(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another command waits further, and the contacts are not needed for it."""
    interrupt_at(office, monkeypatch, "get_status")

    result = office.invoke(*NEW, "--at", "2026-03-02 10:00 Asia/Taipei", "--wait")

    assert result.exit_code == 130
    assert "Wait for its end: newsleopard status 週年慶 --wait" in result.stderr
    assert kept() == []
    again = office.invoke("resume", "週年慶")
    assert "There is nothing to continue: the campaign" in again.stdout
    assert json.loads(office.invoke("resume", "週年慶", "--json").stdout)["campaign_sn"]


# A submit in doubt


def test_lost_reply_is_unknown_and_names_all_ways_on(office: Office) -> None:
    """Nothing is sent again; a later run finds the campaign."""
    office.emulator.lose_reply_to("submit_campaign")

    result = office.invoke(*NEW, "--at", "2026-01-05 12:00 Asia/Taipei")
    again = office.invoke("resume", "週年慶")
    office.clock.advance(86_400)
    found = office.invoke("resume", "週年慶")

    assert (result.exit_code, again.exit_code, found.exit_code) == (3, 3, 0), found.output
    for text in (
        "It is unknown whether the campaign was submitted.",
        "newsleopard resolve 週年慶 sent --campaign-sn SN",
        "newsleopard resolve 週年慶 resubmit",
        "newsleopard resolve 週年慶 abandon",
        "2026-01-05 04:00:30 UTC",
        ", without sending anything: newsleopard resume 週年慶",
    ):
        assert text in result.stderr
    assert "error.checkpoint" not in result.stderr
    assert "run the same call again" not in result.stderr
    assert "not submitted, so" not in result.stderr
    assert office.emulator.submitted == 1
    assert kept() == []


def test_campaign_that_is_found_was_accepted_before(office: Office) -> None:
    """The run that finds it has sent nothing, and a program must see that."""
    office.emulator.lose_reply_to("submit_campaign")
    office.invoke(*NEW)
    office.clock.advance(86_400)

    found = office.json("resume", "週年慶")

    assert found["accepted_before"] is True
    assert office.emulator.submitted == 1


def test_changed_campaign_in_doubt_is_not_sent_under_another_key(office: Office) -> None:
    """A person corrects the subject after a lost reply; another key would send both."""
    office.emulator.lose_reply_to("submit_campaign")
    at = ("--at", "2026-01-05 12:00 Asia/Taipei")
    office.invoke(*NEW, *at)

    changed = office.invoke(*NEW, *at, "--subject", "更正")

    assert changed.exit_code == 1
    assert "campaign.subject differs" in changed.stderr
    assert "its own key" not in changed.stderr
    assert "Do not send it under another key or name." in changed.stderr
    assert "newsleopard resolve 週年慶 abandon" in changed.stderr


def test_decision_of_a_person_ends_the_doubt(office: Office) -> None:
    """It was not submitted, so it is submitted now; or it is abandoned, and never again."""
    office.emulator.drop_request("submit_campaign")
    office.emulator.drop_request("submit_campaign")

    office.invoke(*NEW, "--send-key", "one")
    office.invoke(*NEW, "--send-key", "two", "--reuse-list")
    office.clock.advance(600)
    without_code = office.invoke("resolve", "one", "sent")
    assert "--campaign-sn: is missing; copy it from the console" in without_code.stderr
    for key, decision in (("one", "resubmit"), ("two", "abandon")):
        assert office.invoke("resolve", key, decision).exit_code == 0
    one, two = office.json("resume", "one"), office.invoke("resume", "two")

    assert one["accepted_before"] is False
    assert two.exit_code == 1
    assert "was given up" in two.stderr
    assert office.emulator.submitted == 1


# What is kept


def test_what_was_given_is_kept_private_and_without_contacts(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths are absolute; a second run with other input replaces it when it is accepted."""
    interrupt_at(office, monkeypatch, "get_import")
    office.invoke(*NEW)

    [path] = Path("state/newsleopard-async/sends").iterdir()
    text = path.read_text("utf-8")
    send = json.loads(text)["send"]
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    assert send["contacts"] == str(Path("members.csv").absolute())
    assert "ming@example.com" not in text
    assert KEY not in text

    refused = office.invoke(*NEW, "--list-name", "其他")
    changed = office.invoke(*NEW, "--subject", "新")
    assert (refused.exit_code, changed.exit_code) == (1, 0), changed.output
    assert office.emulator.campaigns[0].body.variants[0].subject == "新"
    assert kept() == []


def test_contacts_of_a_pipe_are_kept_until_they_were_sent(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe cannot be read again, so the copy continues the run; then it is removed."""
    piped = [each if each != "members.csv" else "-" for each in NEW]
    interrupt_at(office, monkeypatch, "create_list")
    interrupted = office.invoke(*piped, input=CONTACTS)

    copies = list(Path("state/newsleopard-async/sends").glob("piped-*.csv"))
    assert interrupted.exit_code == 130
    assert [path.read_text("utf-8") for path in copies] == [CONTACTS]
    assert copies[0].stat().st_mode & 0o077 == 0

    # An unused copy would be removed after a day.
    os.utime(copies[0], (time.time() - 90_000,) * 2)
    assert office.invoke("resume", "週年慶").exit_code == 0
    assert kept() == []


def test_contacts_of_a_pipe_are_not_kept_if_nothing_began(office: Office) -> None:
    """For example because the campaign is refused."""
    result = office.invoke(
        *("send", "mail.toml", "--subject", "${POINTS}", "--contacts", "-", "--list-name", "x"),
        "--yes",
        input=CONTACTS,
    )

    assert result.exit_code == 1
    assert kept() == []


def test_resume_does_not_send_to_contacts_that_no_one_has_seen(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the import, the record of the run accepts other contacts, and resume must not."""
    interrupt_at(office, monkeypatch, "list_campaigns")
    office.invoke(*NEW)
    Path("members.csv").write_text(CONTACTS + "all@example.com,全部\n", "utf-8")

    one, due = office.invoke("resume", "週年慶"), office.invoke("resume")
    again = office.invoke(*NEW)

    for refused in (one, due):
        assert refused.exit_code == 1
        assert "have changed since they were checked" in refused.output
    assert again.exit_code == 0, again.output
    assert "3 addresses of" in again.stderr


@pytest.mark.parametrize(
    "give_up", [("cancel", "週年慶", "--yes"), ("resolve", "週年慶", "abandon")]
)
def test_send_that_is_given_up_leaves_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch, give_up: tuple[str, ...]
) -> None:
    """The contacts of a pipe are removed, and no resume continues it."""
    piped = (*NEW[:3], "-", *NEW[4:])
    if give_up[0] == "cancel":
        interrupt_at(office, monkeypatch, "create_list")
        stopped = office.invoke(*piped, input=CONTACTS)
        assert "To give it up, so that no later resume sends it: newsleopard cancel 週年慶" in (
            stopped.stderr
        )
    else:
        office.emulator.drop_request("submit_campaign")
        office.invoke(*piped, input=CONTACTS)
    assert len(kept()) == 2

    given_up = office.invoke(*give_up)
    resumed = office.invoke("resume", "週年慶")

    assert given_up.exit_code == 0, given_up.output
    assert kept() == []
    assert resumed.exit_code == 1
    assert "was given up" in resumed.stderr
    assert office.emulator.submitted == 0


def test_send_that_cannot_be_kept_goes_on_and_says_so(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its notes name the same command, because resume has nothing to continue."""

    def add(_self: KeptSends, _send: object) -> None:
        raise ConfigurationError("the disk is full")

    monkeypatch.setattr(KeptSends, "add", add)
    interrupt_at(office, monkeypatch, "get_import")

    stopped = office.invoke(*NEW)
    again = office.invoke(*NEW)

    assert "newsleopard resume cannot continue this send" in stopped.stderr
    assert "the disk is full" in stopped.stderr
    assert "Continue: the same command with the same contacts" in stopped.stderr
    assert again.exit_code == 0, again.output
    assert office.emulator.submitted == 1


def test_checkpoint_needs_no_folder_of_the_user(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container with a read-only file system, its run has a place of its own."""
    (tmp_path / "nowhere").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nowhere"))

    by_key = office.invoke(*NEW)
    by_checkpoint = office.invoke(*NEW, "--checkpoint", "run.json")

    assert by_key.exit_code == 2
    assert "the folder of the sends cannot be used" in by_key.stderr
    assert by_checkpoint.exit_code == 0, by_checkpoint.output
    assert "newsleopard resume cannot continue this send" in by_checkpoint.stderr
    assert office.emulator.submitted == 1


def test_send_stays_kept_until_its_record_has_the_campaign(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk is full after the submit, a later resume finds the campaign."""
    write = FileStore.save

    async def save(self: FileStore, key: str, data: Any, revision: Any) -> Any:
        if office.emulator.submitted:
            raise ConfigurationError("the disk is full")
        return await write(self, key, data, revision)

    with monkeypatch.context() as full:
        full.setattr(FileStore, "save", save)
        sent = office.invoke(*NEW)
    office.clock.advance(600)
    resumed = office.invoke("resume", "週年慶")

    assert (sent.exit_code, resumed.exit_code) == (0, 0), resumed.output
    assert office.emulator.submitted == 1
    assert kept() == []


def test_abandoned_copies_of_contacts_are_removed(office: Office) -> None:
    """A process that was killed leaves one; the next command removes it after a day."""
    folder = KeptSends().require()
    old, new = folder / f"piped-{'0' * 16}.csv", folder / f"piped-{'1' * 16}.csv"
    for path in (old, new, folder / "other.csv"):
        path.write_text(CONTACTS)
        os.utime(path, (time.time() - 90_000,) * 2)
    os.utime(new)

    office.invoke("resume")

    assert kept() == ["other.csv", new.name]


def test_old_send_is_not_continued_without_its_command(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its record, its campaign could be among those that are no longer listed."""
    interrupt_at(office, monkeypatch, "get_import")
    office.invoke(*NEW)
    [path] = Path("state/newsleopard-async/sends").iterdir()
    for run in Path("state/newsleopard-async/runs").iterdir():
        run.unlink()
    os.utime(path, (time.time() - 29 * 86_400,) * 2)

    resumed = office.invoke("resume", "週年慶")

    assert resumed.exit_code == 1, resumed.output
    assert (office.emulator.submitted, kept()) == (0, [])


def test_damaged_file_names_the_way_out(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same send command continues without it."""
    interrupt_at(office, monkeypatch, "get_import")
    office.invoke(*NEW)
    [path] = Path("state/newsleopard-async/sends").iterdir()
    path.write_text("{}")

    resumed = office.invoke("resume", "週年慶")

    assert resumed.exit_code == 1
    assert "run newsleopard send again" in resumed.stderr
    assert office.invoke(*NEW).exit_code == 0


# Checkpoints and profiles


def test_checkpoint_is_resumed_by_its_file(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """By any path that leads to it."""
    interrupt_at(office, monkeypatch, "get_import")
    interrupted = office.invoke(*NEW, "--checkpoint", "run.json")

    resumed = office.invoke("resume", "run.json")

    path = Path("run.json").absolute()
    assert f"Continue: newsleopard resume {path}" in interrupted.stderr
    assert resumed.exit_code == 0, resumed.output
    assert office.emulator.submitted == 1


def test_file_of_a_checkpoint_is_not_the_key_of_another_run(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program's key has the name of the file; its campaign is not the one of the file."""
    begin_in_python(office, "run.json")
    interrupt_at(office, monkeypatch, "get_import")
    office.invoke(*NEW, "--checkpoint", "run.json")
    office.clock.advance(3_600)

    resumed = office.invoke("resume")
    sent = office.invoke("resume", str(Path("run.json").absolute()))

    assert "a program has begun" in resumed.stdout
    assert sent.exit_code == 0, sent.output
    assert [each.name for each in office.emulator.campaigns].count("週年慶") <= 1
    assert office.emulator.submitted == 2


def test_commands_name_the_profile(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another shell, another profile can be the default; the profile gives the sender."""
    monkeypatch.setenv("SHOP_KEY", KEY)
    Path("config/newsleopard-async").mkdir(parents=True)
    Path("config/newsleopard-async/config.toml").write_text(
        '[profiles.shop]\napi_key_variable = "SHOP_KEY"\nsender = "店 <service@example.com>"\n',
        "utf-8",
    )
    Path("mail.toml").write_text("\n".join(MAIL.splitlines()[:3] + MAIL.splitlines()[4:]), "utf-8")
    interrupt_at(office, monkeypatch, "get_import")

    result = office.invoke(*NEW, "--profile", "shop")

    assert "店 <service@example.com>" in result.stderr
    assert "Continue: newsleopard resume 週年慶 --profile shop" in result.stderr
    without = office.invoke("resume", "週年慶")
    assert without.exit_code == 1
    assert "was begun with the profile shop; add --profile shop" in without.stderr
    assert office.invoke("resume", "週年慶", "--profile", "shop").exit_code == 0


# All that are due


def begin_in_python(office: Office, key: str) -> None:
    """Begin a run as a program does, and leave it."""

    async def work(nl: NewsLeopard) -> None:
        office.emulator.lose_reply_to("submit_campaign")
        with pytest.raises(OutcomeUnknown):
            await workflows.send_campaign(
                nl, CAMPAIGN, contacts=CONTACTS, list_name=key, send_key=key
            )

    office.do(work)


def test_resume_continues_all_that_are_due(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that fails does not stop the others; runs of programs are left to them."""
    for key in ("one", "two"):
        with monkeypatch.context() as patch:
            interrupt_at(office, patch, "get_import")
            office.invoke(*NEW, "--send-key", key, "--list-name", key)
    begin_in_python(office, "python")
    office.clock.advance(86_400)
    office.emulator.fail("submit_campaign", status=400, body=b'{"code": "40011"}')

    result = office.invoke("resume")
    rest = json.loads(office.invoke("resume", "--json").stdout)

    assert result.exit_code == 1
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line.split()}
    assert "The sender is not verified" in result.stdout
    assert "accepted: " in lines["two"]
    assert "1 run is due that a program has begun" in result.stdout
    assert office.emulator.submitted == 2
    assert rest["resumed"] == []
    assert [run["send_key"] for run in rest["left"]] == ["python"]


def test_interrupt_of_all_says_what_the_current_send_has_done(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for one send; the step that was interrupted has no check mark."""
    with monkeypatch.context() as patch:
        interrupt_at(office, patch, "create_list", after=True)
        office.invoke(*NEW)
    office.clock.advance(86_400)
    interrupt_at(office, monkeypatch, "get_import")

    result = office.invoke("resume")

    assert result.exit_code == 130
    assert "Done: the contacts were sent to the list" in result.stderr
    assert "Continue: newsleopard resume 週年慶" in result.stderr
    assert re.search("^. 5/7 Import the contacts", result.stderr, re.MULTILINE)
    assert "✓ 5/7 Import the contacts" not in result.stderr


def test_resume_of_all_names_the_commands_for_a_held_send(office: Office) -> None:
    """It shows no call of Python, and a send that is not due is not forgotten."""
    office.emulator.switch(send_base_s=1e6)
    office.emulator.lose_reply_to("submit_campaign")
    office.invoke(*NEW, "--at", "2026-01-06 12:00 Asia/Taipei")
    early = office.invoke("resume")
    office.clock.advance(2 * 86_400)

    late = office.invoke("resume")

    assert "1 send is not finished, and not due: newsleopard runs" in early.stdout
    assert late.exit_code == 3, late.output
    assert "newsleopard resolve 週年慶 sent" in " ".join(late.stdout.split())
    assert "error.checkpoint" not in late.output
    assert "ended with" not in late.stderr


def test_former_state_is_in_the_language_of_the_user(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The states are English for programs."""
    with monkeypatch.context() as patch:
        interrupt_at(office, patch, "get_import")
        office.invoke(*NEW)
    office.clock.advance(86_400)
    monkeypatch.setenv("LANG", "zh_TW.UTF-8")
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)

    result = office.invoke("resume")

    assert "interrupted" not in result.stdout
    assert "已中斷" in result.stdout


def test_nothing_due_is_status_0(office: Office) -> None:
    """For cron; a wrong argument is a usage error."""
    result = office.invoke("resume")

    assert (result.exit_code, result.stdout) == (0, "No send is due.\n")
    assert office.invoke("resume", "--wait").exit_code == 2


def test_unknown_send_cannot_be_resumed(office: Office) -> None:
    """Neither one that does not exist, nor one that a program began."""
    begin_in_python(office, "python")

    unknown, foreign = office.invoke("resume", "none"), office.invoke("resume", "python")

    assert (unknown.exit_code, foreign.exit_code) == (1, 1)
    assert "newsleopard runs shows all" in unknown.stderr
    assert "begun by a program" in foreign.stderr


def test_send_that_another_process_has_is_left_to_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status is 6, before any question."""
    interrupt_at(office, monkeypatch, "get_import")
    office.invoke(*NEW)

    with FileStore().locked("週年慶"):
        results = [office.invoke(*NEW), office.invoke("resume", "週年慶")]

    assert [result.exit_code for result in results] == [6, 6]
    for result in results:
        assert "another process is sending" in result.stderr
        assert "no mail is sent" not in result.stderr
        assert "Continue: " not in result.stderr


def test_orders_survive_a_round_trip(office: Office) -> None:
    """All options, also those without a JSON form of their own."""
    office.emulator.fail("create_list", status=400, body=b'{"code": "40001"}')
    Path("skip.csv").write_text("EMAIL\nold@example.com\n")

    office.invoke(
        *NEW,
        *("--hold", "90s", "--column", "NAME=NAME", "--fix", "trim", "--skip", "skip.csv"),
        *("--max-rejected", "0.01", "--part-bytes", "5000", "--encoding", "utf-8"),
    )

    order = KeptSends().find("", "週年慶")
    assert order is not None
    arguments: dict[str, Any] = order.arguments()
    assert arguments["hold"].total_seconds() == 90
    assert arguments["columns"] == {"NAME": "NAME"}
    assert arguments["fix"] == ("trim",)
    assert arguments["skip"] == Path("skip.csv").absolute()
    assert (arguments["max_rejected"], arguments["part_bytes"]) == (0.01, 5000)
    assert anyio.run(anyio.Path(order.contacts or "").exists)
