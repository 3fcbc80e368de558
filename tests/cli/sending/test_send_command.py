"""``newsleopard send``: what it shows and asks, and that it sends once."""

from __future__ import annotations

import json
import re
import shlex
import signal
from pathlib import Path
from typing import Any

import click
import pytest
from rich.cells import cell_len

from newsleopard_async import ConnectionFailed, ContactsReport, NewsLeopard, check_contacts
from newsleopard_async.cli import confirmation
from newsleopard_async.cli.display.output_streams import OutputFailed
from newsleopard_async.cli.sending import campaign_send, run_notes, send_result
from newsleopard_async.cli.sending import send_input as asking
from newsleopard_async.cli.session import Session
from newsleopard_async.stores import Store
from newsleopard_async.workflows import RunState
from tests.cli.interrupting import interrupt_at
from tests.cli.offices import Office, an_office
from tests.constants import KEY

CONTACTS = "EMAIL,NAME\nming@example.com,王小明\nmei@example.com,李小美\n"
MAIL = """
name = "週年慶"
subject = "${NAME}，您的專屬優惠"
sender = "電子豹 <service@example.com>"
html = "<!DOCTYPE html><p>${NAME} 您好</p>"
"""
TEST = MAIL.replace('subject = "${NAME}，您的專屬優惠"', 'subject_a = "甲"\nsubject_b = "乙"') + (
    'proportion = 50\nwait = "4h"\n'
)
NEW = ("mail.toml", "--contacts", "members.csv", "--list-name", "會員")
AT = ("--at", "2026-03-02 10:00 Asia/Taipei")


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An account of the vendor's notes, in a folder with a campaign and contacts."""
    monkeypatch.chdir(tmp_path)
    Path("mail.toml").write_text(MAIL, "utf-8")
    Path("test.toml").write_text(TEST, "utf-8")
    Path("members.csv").write_text(CONTACTS, "utf-8")
    office = an_office(tmp_path, monkeypatch, profile="vendor-2026")
    office.emulator.switch(requests_per_s=None)
    return office


def operations(office: Office) -> list[str]:
    """Return the names of the requests so far."""
    return [request.operation for request in office.emulator.requests]


# Showing and asking


def test_send_shows_everything_and_sends(office: Office) -> None:
    """Recipients, mail, both times, balance and key; then the commands that stop it."""
    result = office.invoke("send", *NEW, *AT, "--yes")

    assert result.exit_code == 0, result.output
    for text in (
        "電子豹 <service@example.com>",
        "${NAME}，您的專屬優惠",
        "2026-03-02 10:00 Asia/Taipei (2026-03-02 02:00 UTC)",
        "1,000,000 mails, of which 2 are needed; 999,998 remain",
        "Send key    週年慶",
        "2 addresses of",
    ):
        assert text in result.stderr
    [campaign] = office.emulator.campaigns
    assert campaign.sn in result.stdout
    assert "newsleopard cancel 週年慶" in result.stdout
    assert "2026-03-02 10:00 Asia/Taipei (2026-03-02 02:00 UTC)" in result.stdout
    assert KEY not in result.output


@pytest.mark.parametrize("name", ["Cafe\u0301", "  Café "])
def test_name_in_another_form_is_also_a_key(office: Office, name: str) -> None:
    """A Mac decomposes letters, and a cell of a table can have spaces; a key has neither."""
    ends = [office.invoke("send", *NEW, "--name", name, "--yes").exit_code for _ in range(2)]

    assert (ends, office.emulator.submitted) == ([0, 0], 1)


def test_same_command_twice_sends_once(office: Office) -> None:
    """The second says so and ends with 0, also after the contacts are in another form."""
    first = office.json("send", *NEW, "--yes")
    second = office.invoke("send", *NEW, "--yes")
    piped = office.invoke("send", *NEW[:2], "-", *NEW[3:], "--yes", input=CONTACTS)

    assert (second.exit_code, piped.exit_code) == (0, 0)
    for again in (second, piped):
        assert (
            "accepted this campaign before, under the key 週年慶; nothing was sent now"
            in again.stderr
        )
        assert first["campaign_sn"] in again.stdout
    assert office.emulator.submitted == 1


def test_printed_commands_work_for_a_name_with_a_dash(office: Office) -> None:
    """A campaign must be stoppable by the command that a person copies."""
    sent = office.invoke("send", *NEW, *AT, "--yes", "--name", "-20% 優惠")

    [command] = re.findall(r"Stop it +(newsleopard .*\S)", sent.stdout)
    _program, name, *others = shlex.split(command)
    cancelled = office.invoke(name, "--yes", *others)

    assert command == "newsleopard cancel -- '-20% 優惠'"
    assert cancelled.exit_code == 0, cancelled.output


def test_json_says_that_nothing_was_sent_now(office: Office) -> None:
    """A program sees it too, in a field, because it does not read the text."""
    first, second = (office.json("send", *NEW, "--yes") for _ in range(2))

    assert (first["accepted_before"], second["accepted_before"]) == (False, True)
    assert first["campaign_sn"] == second["campaign_sn"]


def test_another_campaign_under_a_used_key_is_refused(office: Office) -> None:
    """A newsletter of the next week must not be skipped with status 0."""
    office.json("send", *NEW, "--yes")

    other = office.invoke("send", *NEW, "--yes", "--subject", "第二週")
    named = office.invoke("send", *NEW, "--yes", "--reuse-list", "--name", "第二週")

    assert other.exit_code == 1
    assert "campaign.subject differs" in other.stderr
    assert "Is this another campaign?" in other.stderr
    assert named.exit_code == 0, named.output
    assert office.emulator.submitted == 2


def test_key_of_another_account_is_not_taken_for_this_account(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two shops have a campaign of one name; no command offers to cancel the other's."""
    office.json("send", *NEW, "--yes")
    monkeypatch.setattr(Session, "client", lambda _, store=None: _of_another_account(office, store))

    result = office.invoke("send", *NEW, "--yes")

    assert result.exit_code == 1
    assert "was begun with another API key" in result.stderr
    assert "its own key by --send-key" in result.stderr
    assert "newsleopard cancel" not in result.stderr
    assert office.emulator.submitted == 1


def _of_another_account(office: Office, store: Store | None) -> NewsLeopard:
    return NewsLeopard(
        "another-key-of-another-shop",
        http_transport=office.emulator.transport(),
        clock=office.clock,
        store=store or office.store,
    )


def test_answer_decides(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only yes sends; the question names the number of recipients."""
    monkeypatch.setattr(asking, "require_terminal", lambda **_: None)

    no = office.invoke("send", *NEW, input="n\n")
    silent = office.invoke("send", *NEW, input="")
    before = office.emulator.submitted
    yes = office.invoke("send", *NEW, input="y\n")

    assert (no.exit_code, silent.exit_code, yes.exit_code, before) == (1, 1, 0, 0)
    assert "Send it to 2 recipients?" in no.stderr
    assert "Nothing was sent" in no.stderr
    assert no.stdout == ""
    assert office.emulator.submitted == 1


def test_without_a_terminal_yes_is_required(office: Office) -> None:
    """It is said before anything is requested."""
    result = office.invoke("send", *NEW)

    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert operations(office) == []


@pytest.mark.parametrize("command", ["send", "rehearse"])
def test_command_line_without_a_campaign_says_what_to_name(office: Office, command: str) -> None:
    """A first try must not be answered with --yes, which would send."""
    result = office.invoke(command, "--contacts", "members.csv")

    assert result.exit_code == 2
    assert "name a CAMPAIGN file, or give --name, --subject" in result.stderr


def test_answer_comes_from_the_terminal_if_contacts_are_piped(
    office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The standard input is data; without a terminal, --yes is required."""
    terminal = tmp_path / "tty"
    monkeypatch.setattr(confirmation, "_TERMINAL", terminal)
    command = ("send", "mail.toml", "--contacts", "-", "--list-name", "會員")

    none = office.invoke(*command, input=CONTACTS)
    confirmed = office.invoke(*command, "--yes", input=CONTACTS)
    terminal.write_text("y\n")
    confirmation.confirm("Send it?", has_data_on_stdin=True)

    assert none.exit_code == 2
    assert confirmed.exit_code == 0, confirmed.output
    assert "2 addresses of a pipe" in confirmed.stderr


def test_wrong_key_says_that_nothing_was_sent(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader need not wonder."""
    monkeypatch.setattr(Session, "client", lambda _, store=None: _of_another_account(office, store))

    result = office.invoke("send", *NEW, "--yes")

    assert result.exit_code == 1, result.output
    assert "Nothing was sent, and nothing was changed at the platform." in result.stderr


def test_store_that_fails_after_the_acceptance_does_not_hide_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code of the campaign is the outcome."""
    read = run_notes.read_run

    async def read_run(*arguments: Any, **place: Any) -> RunState | None:
        if office.emulator.submitted:
            raise ConnectionFailed("unreachable", reason="refused", host="db.example")
        return await read(*arguments, **place)

    monkeypatch.setattr(campaign_send, "read_run", read_run)

    assert office.json("send", *NEW, "--yes")["campaign_sn"] == office.emulator.campaigns[0].sn


def test_contacts_that_change_during_the_question_are_not_sent(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person confirmed other recipients."""
    monkeypatch.setattr(asking, "require_terminal", lambda **_: None)

    def answer(*_: object, **__: object) -> bool:
        Path("members.csv").write_text(CONTACTS + "new@example.com,新\n", "utf-8")
        return True

    monkeypatch.setattr(click, "confirm", answer)
    result = office.invoke("send", *NEW)

    assert result.exit_code == 1
    assert "have changed since they were checked" in result.stderr
    assert office.emulator.submitted == 0


def test_addresses_to_leave_out_do_not_change_during_the_question(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person confirmed the number of recipients without them."""
    monkeypatch.setattr(asking, "require_terminal", lambda **_: None)
    Path("skip.csv").write_text("EMAIL\nmei@example.com\n", "utf-8")

    def answer(*_: object, **__: object) -> bool:
        Path("skip.csv").write_text("EMAIL\nother@example.com\n", "utf-8")
        return True

    monkeypatch.setattr(click, "confirm", answer)
    result = office.invoke("send", *NEW, "--skip", "skip.csv")

    assert result.exit_code == 1
    assert office.emulator.submitted == 0


def test_contacts_that_change_during_the_check_are_not_sent(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with --yes: what was checked and shown is what goes out."""

    async def check(contacts: Path, **options: Any) -> ContactsReport:
        report = await check_contacts(contacts, **options)
        contacts.write_text(CONTACTS + "new@example.com,新\n", "utf-8")
        return report

    monkeypatch.setattr(campaign_send, "check_contacts", check)
    result = office.invoke("send", *NEW, "--yes")

    assert result.exit_code == 1
    assert "have changed since they were checked" in result.stderr
    assert office.emulator.submitted == 0


@pytest.mark.parametrize("width", [40, 80, 120])
def test_preview_fits_the_terminal(
    office: Office, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """Beside or below each other."""
    monkeypatch.setattr(asking, "require_terminal", lambda **_: None)

    result = office.invoke("send", *NEW, *AT, width=width, input="n\n")

    table = result.stderr.partition("Campaign")[2].partition("Send it")[0]
    assert max(cell_len(line.rstrip()) for line in table.splitlines()) <= width
    assert "Asia/Taipei" in table


# What is sent, and to whom


def test_lists_are_counted(office: Office) -> None:
    """One list exactly; of two only bounds are known; an unknown code is marked."""
    one = office.json("import", "members.csv", "--list-name", "一")["list_sn"]
    Path("others.csv").write_text("EMAIL,NAME\nzhang@example.com,張\n", "utf-8")
    two = office.json("import", "others.csv", "--list-name", "二")["list_sn"]

    single = office.invoke("send", "mail.toml", "--list", one, "--yes", "--send-key", "1")
    both = office.invoke(
        *("send", "mail.toml", "--list", one, "--list", two, "--yes", "--send-key", "2")
    )
    left_out = office.invoke(
        *("send", "mail.toml", "--list", one, "--exclude-list", two, "--yes", "--send-key", "3")
    )
    unknown = office.invoke("send", "mail.toml", "--list", "0" * 32, "--yes", "--send-key", "4")

    assert "Recipients  2 " in single.stderr
    assert f"一 ({one}), subscribers: 2" in single.stderr
    assert "at most 3; a contact of several lists counts once" in both.stderr
    assert f"Left out    二 ({two}), subscribers: 1" in left_out.stderr
    assert "at most 2" in left_out.stderr
    assert "not found among your lists" in unknown.stderr
    assert unknown.exit_code == 1


def test_members_of_a_reused_list_are_shown_and_counted(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They get the mail as well as the new contacts; a list that does not exist has none."""
    old = "".join(f"old{n}@example.com,舊\n" for n in range(40))
    Path("old.csv").write_text(f"EMAIL,NAME\n{old}", "utf-8")
    sn = office.json("import", "old.csv", "--list-name", "會員")["list_sn"]
    monkeypatch.setattr(asking, "require_terminal", lambda **_: None)

    asked = office.invoke("send", *NEW, "--reuse-list", input="n\n")
    new = office.invoke("send", *NEW[:4], "新會員", "--reuse-list", "--yes")

    assert f"會員 ({sn}), subscribers: 40" in asked.stderr
    assert "at most 42" in asked.stderr
    assert "Recipients  2 " in new.stderr
    assert new.exit_code == 0, new.output


def test_contacts_go_into_the_list_with_a_code(office: Office) -> None:
    """Its members get the mail too."""
    sn = office.json("import", "members.csv", "--list-name", "一")["list_sn"]
    Path("others.csv").write_text("EMAIL,NAME\nzhang@example.com,張\n", "utf-8")

    result = office.invoke("send", "mail.toml", "--contacts", "others.csv", "--list", sn, "--yes")

    assert result.exit_code == 0, result.output
    assert "at most 3" in result.stderr
    assert len(office.emulator.lists) == 1


def test_balance_that_is_too_low_is_shown_before(office: Office) -> None:
    """The platform refuses it; the notes say what was done, and how to continue."""
    office.emulator.balance = 1

    result = office.invoke("send", *NEW, "--yes")
    office.emulator.balance = 10
    resumed = office.invoke("resume", "週年慶")

    assert result.exit_code == 1
    assert "1 mail, and at least 2 are needed" in result.stderr
    assert "Not done: the campaign was not submitted" in result.stderr
    assert "Continue: newsleopard resume 週年慶" in result.stderr
    assert resumed.exit_code == 0, resumed.output


def test_account_without_a_balance_can_send(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many accounts do not have it."""
    monkeypatch.chdir(tmp_path)
    Path("mail.toml").write_text(MAIL, "utf-8")
    Path("members.csv").write_text(CONTACTS, "utf-8")
    office = an_office(tmp_path, monkeypatch)

    result = office.invoke("send", *NEW, "--yes")

    assert result.exit_code == 0, result.output
    assert "this account does not offer it" in result.stderr


def test_tests_are_sent_before_the_question(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both versions of an A/B test; then the answer no sends nothing more."""
    monkeypatch.setattr(asking, "require_terminal", lambda **_: None)
    rows = "".join(f"user{number}@example.com,會員\n" for number in range(100))
    Path("members.csv").write_text("EMAIL,NAME\n" + rows, "utf-8")

    result = office.invoke(
        *("send", "test.toml", *NEW[1:], "--test-to", "me@example.com"), input="n\n"
    )

    assert result.exit_code == 1
    assert "Subject A" in result.stderr
    assert "50 % of the recipients; the winner follows after 4 h 00 min" in result.stderr
    assert "A test was sent to 1 address." in result.stderr
    assert "Only the test was sent." in result.stderr
    assert sorted(each.body.variants[0].subject for each in office.emulator.campaigns) == [
        "乙",
        "甲",
    ]


def test_only_a_test_is_known_to_be_sent(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C in a test, and at the question; with --yes nothing is asked."""
    test_to = ("--test-to", "me@example.com")
    with monkeypatch.context() as patch:
        interrupt_at(office, patch, "submit_campaign", after=True)
        during = office.invoke("send", *NEW, *test_to, "--yes")
    with monkeypatch.context() as patch:
        patch.setattr(asking, "require_terminal", lambda **_: None)
        patch.setattr(click, "confirm", interrupted_question)
        asked = office.invoke("send", *NEW, *test_to)
    sent = office.invoke("send", *NEW, *test_to, "--yes")

    assert (during.exit_code, asked.exit_code, sent.exit_code) == (130, 130, 0), sent.output
    assert "A test was possibly sent; the campaign was not." in during.stderr
    assert "Nothing was sent" not in during.stderr + asked.stderr
    assert "Only the test was sent." in asked.stderr
    assert "before you answer" not in sent.stderr


def interrupted_question(*_: object, **__: object) -> None:
    """Be interrupted as `click.confirm` is."""
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise click.Abort  # noqa: B904 - as click


def test_held_campaign_names_its_time_and_the_way_back(office: Office) -> None:
    """It can be called off until then."""
    result = office.invoke("send", *NEW, "--hold", "10m", "--yes")
    cancelled = office.invoke("cancel", "週年慶", "--yes")

    assert result.exit_code == 0, result.output
    assert "10 min after the platform has accepted it" in result.stderr
    assert "2026-01-05 02:1" in result.stdout
    assert cancelled.exit_code == 0, cancelled.output


def test_wait_ends_when_the_campaign_is_sent(office: Office) -> None:
    """Through its schedule, of which the clock of the test jumps over."""
    result = office.invoke("send", *NEW, *AT, "--wait", "--yes")

    assert result.exit_code == 0, result.output
    assert "COMPLETE" in result.stdout
    assert "Wait until it is sent" in result.stderr


def test_campaign_that_fails_after_its_acceptance_is_status_1(office: Office) -> None:
    """The notes do not say that it will be sent."""
    office.emulator.script_campaign("OVER_LIMIT")

    result = office.invoke("send", *NEW, "--wait", "--yes")

    assert result.exit_code == 1
    assert "Done: the campaign was accepted" in result.stderr
    assert "unless you stop it" not in result.stderr


def test_rehearsal_instead_sends_nothing(office: Office) -> None:
    """It needs no confirmation."""
    result = office.invoke("send", *NEW, "--rehearse")

    assert result.exit_code == 0, result.output
    assert "It would be sent." in result.stdout
    assert operations(office) == []
    assert office.invoke("send", "mail.toml", "--rehearse").exit_code == 2


def test_lost_output_says_that_the_campaign_was_accepted(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk after the submit is not "nothing was sent"."""

    def write(_: object) -> None:
        raise OutputFailed(OSError(28, "No space left on device"))

    monkeypatch.setattr(send_result, "write_json", write)

    result = office.invoke("send", *NEW, "--yes", "--json")

    [campaign] = office.emulator.campaigns
    error = json.loads(result.stderr)["error"]
    assert (result.exit_code, error["exit_status"]) == (6, 6)
    assert error["notes"] == [f"Done: the campaign was accepted as {campaign.sn}."]


def test_json_is_the_outcome_alone(office: Office) -> None:
    """Also a warning and an error are JSON."""
    Path("double.csv").write_text(CONTACTS + "mei@example.com,李小美\n", "utf-8")
    command = ("send", "mail.toml", "--contacts", "double.csv", "--list-name", "會員", "--json")

    result = office.invoke(*command, "--yes")
    refused = office.invoke(*command, "--yes", "--strict", "--name", "other")

    assert json.loads(result.stdout)["import_report"]["result"]["inserted"] == 2
    assert "duplicate-email" not in result.stderr
    error = json.loads(refused.stderr)["error"]
    assert (error["exit_status"], error["type"]) == (1, "InvalidRequest")


# What is refused


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (("mail.toml", "--contacts", "members.csv"), 2, "--list-name for a new one"),
        ((*NEW, "--send-key", "k", "--checkpoint", "run.json"), 2, "cannot be combined"),
        ((*NEW, "--rehearse", "--hold", "10m"), 2, "--rehearse and --hold cannot be combined"),
        ((*NEW, "--rehearse", "--wait"), 2, "--rehearse and --wait cannot be combined"),
        ((*NEW, *AT, "--hold", "10m"), 1, "hold: works only with an immediate send"),
        ((*NEW, "--hold", "10"), 2, "'10' is not a duration"),
        ((*NEW, "--at", "2025-03-02 10:00 Asia/Taipei"), 1, "choose a later time"),
        ((*NEW, "--send-key", " k"), 1, "KEY: has white space"),
        ((*NEW, "--name", "n" * 201), 1, "name: is 201 characters long"),
        (("mail.toml",), 1, "lists: is empty; add at least one list: --list SN, or --contacts"),
        (("mail.toml", "--list-name", "x", "--list", "y"), 1, "contacts are missing"),
        ((*NEW, "--subject", "${POINTS}"), 1, "POINTS"),
        (
            ("mail.toml", "--contacts", "-", "--list-name", "x", "--fix", "leave-out-bad-rows"),
            2,
            "--left-out-to",
        ),
    ],
)
def test_wrong_arguments_send_nothing(
    office: Office, arguments: tuple[str, ...], status: int, reason: str
) -> None:
    """The message names the option, and nothing is kept."""
    result = office.invoke("send", *arguments, "--yes")

    assert result.exit_code == status, result.output
    assert reason in result.stderr
    assert not {"create_list", "submit_campaign"} & set(operations(office))


def test_rows_that_the_platform_would_reject_need_consent(office: Office) -> None:
    """--max-rejected allows them."""
    Path("members.csv").write_text(CONTACTS + "nowhere@@example.com,陳\n", "utf-8")

    refused = office.invoke("send", *NEW, "--yes")
    allowed = office.invoke("send", *NEW, "--yes", "--max-rejected", "1")

    assert (refused.exit_code, allowed.exit_code) == (1, 0), allowed.output
    assert "invalid-email" in allowed.stderr
    assert "nowhere" not in refused.output + allowed.output


def test_wrong_key_is_refused_before_the_question(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the account has no balance."""
    monkeypatch.setattr(asking, "require_terminal", lambda **_: None)
    for operation in ("get_balance", "list_lists"):
        office.emulator.fail(operation, status=403, body=b'{"message":"Forbidden"}')

    result = office.invoke("send", *NEW, input="y\n")

    assert result.exit_code == 1
    assert "The key is refused" in result.stderr
    assert "Send it" not in result.stderr
