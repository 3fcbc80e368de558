"""``newsleopard probe`` finds the emulator that answers like an account, and shows no value."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from click.testing import CliRunner, Result

from newsleopard_async import Campaign, NewsLeopard, Sender, workflows
from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.emulating.switch_values import read_switches
from newsleopard_async.cli.probing.answer_shapes import rounded, shape_of
from newsleopard_async.cli.probing.questions import QUESTIONS
from newsleopard_async.cli.session import Session
from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.stores import FileStore
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.redact import Secret

KEY = "nl-test-key-0123456789"

PERSONAL = ("王小明", "ming.wang@example.com", "0912345678", KEY, "春季特賣")
"""Names, an address, a phone number, a key and a subject, which an account contains."""


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "APPDATA", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("NEWSLEOPARD_PROFILE", raising=False)


def client(transport: httpx.AsyncBaseTransport, clock: ManualClock, path: Path) -> NewsLeopard:
    """Return a client on a transport, without any real waiting."""
    return NewsLeopard(KEY, http_transport=transport, clock=clock, store=FileStore(path))


async def fill(emulator: Emulator, clock: ManualClock, path: Path, *, report: bool) -> None:
    """Give an account lists, a sent campaign, a template, and perhaps a report."""
    emulator.add_template(PERSONAL[0], f"<html>{PERSONAL[1]}</html>")
    async with client(emulator.transport(), clock, path) as nl:
        for name in PERSONAL[:4]:
            list_sn = await nl.contacts.create_list(name)
        # A number has groups only from a thousand.
        count = 1_200 if emulator.switches.count_form == "grouped" else 12
        rows = [{"EMAIL": f"m{n}@example.com", "NAME": PERSONAL[0]} for n in range(count)]
        await workflows.import_contacts(nl, rows, list_sn=list_sn)
        campaign = Campaign(
            name=PERSONAL[4],
            subject=PERSONAL[4],
            sender=Sender(PERSONAL[0], PERSONAL[1]),
            html="<html><body>${NAME}</body></html>",
            lists=[list_sn],
        )
        sn = await nl.campaigns.submit(campaign)
        clock.advance(60)
        if report:
            await nl.reports.export(sn)
            clock.advance(60)


def probe(
    monkeypatch: pytest.MonkeyPatch,
    transport: httpx.AsyncBaseTransport,
    *options: str,
    clock: ManualClock | None = None,
) -> Result:
    """Run the command on a transport, by the clock of its emulator."""
    clock = clock or ManualClock()
    path = Path.home() / "runs"
    monkeypatch.setattr(Session, "client", lambda *_: client(transport, clock, path))
    return CliRunner().invoke(newsleopard, ["probe", "--yes", *options])


def found_in(
    switches: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    report: bool = False,
) -> tuple[dict[str, Any], Emulator]:
    """Probe an emulator with these switches; return the findings, and the emulator."""
    clock = ManualClock()
    emulator = Emulator(api_keys=[KEY], clock=clock, switches=Switches(**switches))
    anyio.run(lambda: fill(emulator, clock, tmp_path / "runs", report=report))
    before = len(emulator.requests)
    result = probe(monkeypatch, emulator.transport(), "--json", clock=clock)
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert len(emulator.requests) - before == len(data["requests"]) <= len(QUESTIONS)
    return data, emulator


def printed_switches(data: dict[str, Any]) -> dict[str, Any]:
    """Return the switches of the printed command, as that command reads them."""
    words = shlex.split(data["command"])
    assert words[:2] == ["newsleopard", "emulator"]
    assert words[2::2] == ["--set"] * len(words[3::2])
    return read_switches(words[3::2])


LATER = {"later_endpoints": True}


@pytest.mark.parametrize(
    ("switches", "report"),
    [
        ({}, False),
        ({"first_page": 1}, False),
        ({"first_page": 1, "page_before_first": "empty"}, False),
        ({"first_page": 1, "page_before_first": "refused"}, False),
        ({"most_lists_on_page": 3, "lists_wrapper": "groups"}, False),
        ({"lists_as_array": True, "numeric_codes": True}, False),
        ({"count_form": "number", "date_form": "offset", "unknown_import": "404"}, False),
        ({"count_form": "text", "date_form": "compact_offset"}, False),
        ({"count_form": "grouped", "date_form": "no_zone", "unknown_import": "40007"}, False),
        ({"count_form": "blank", "date_form": "blank"}, False),
        ({"date_form": "seconds", "campaigns_shape": "wrapper"}, False),
        ({"date_form": "millis", "sent_begin_field": "sentStartAt"}, False),
        ({"date_form": "empty", "links_before_report": "null"}, False),
        ({"date_form": "null", "links_before_report": "refused"}, False),
        ({"code_field": "errorCode", "codes_as_integers": True}, False),
        ({"invalid_fields_as_text": True, "links_before_report": "404"}, False),
        ({"campaigns_shape": "object", "reports_as_array": True}, True),
        ({"links_shape": "object"}, True),
        ({"links_shape": "text", "odd_links": True}, True),
        (LATER, True),
        (
            {
                **LATER,
                "numeric_template_ids": True,
                "status_form": "numbers",
                "metrics_shape": "wrapper",
                "unknown_campaign": "404",
            },
            False,
        ),
    ],
)
def test_printed_emulator_answers_like_the_account(
    switches: dict[str, Any], report: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The printed switches are the account's, and an emulator with them gives the same answers."""
    data, _ = found_in(switches, monkeypatch, tmp_path, report=report)

    printed = printed_switches(data)
    again, _ = found_in(printed, monkeypatch, tmp_path, report=report)

    assert printed == switches
    assert again == data


def test_findings_show_no_value_of_the_account(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither names, addresses and keys nor codes, links and exact numbers are shown."""
    data, emulator = found_in(LATER, monkeypatch, tmp_path, report=True)
    emulator.clock.advance(2)  # type: ignore[attr-defined]  # it is a ManualClock
    result = probe(monkeypatch, emulator.transport(), clock=emulator.clock)  # type: ignore[arg-type]

    codes = [*(each.sn for each in emulator.lists), *(each.sn for each in emulator.campaigns)]
    for output in (json.dumps(data, ensure_ascii=False), result.output):
        for secret in (*PERSONAL, *codes, "storage", "Signature", "m1@"):
            assert secret not in output
    assert "x-amzn-requestid" in result.stdout
    assert "later_endpoints=yes" in result.stdout.splitlines()[-1]


def test_probe_only_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No list, contact, campaign or export is made."""
    _, emulator = found_in({}, monkeypatch, tmp_path)
    asked = {each.operation for each in emulator.requests[-20:]} - {
        *("create_list", "start_file_import", "import_text", "upload", "submit_campaign")
    }

    assert emulator.submitted == 1
    assert len(emulator.lists) == 4
    assert asked <= {"list_lists", "get_import", "list_campaigns", "get_links", ""} | {
        *("get_balance", "list_templates", "get_status", "get_metrics")
    }


def test_empty_account_says_what_it_cannot_show(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without lists and campaigns, most points stay open, and nothing is guessed."""
    emulator = Emulator(api_keys=[KEY], clock=ManualClock())

    result = probe(monkeypatch, emulator.transport())

    assert result.exit_code == 0, result.output
    assert "points were not shown" in result.stdout
    assert result.stdout.splitlines()[-1] == "  newsleopard emulator"


def test_given_codes_are_asked_about_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An import and a campaign of the user's choice are asked about."""
    clock = ManualClock()
    emulator = Emulator(api_keys=[KEY], clock=clock)
    anyio.run(lambda: fill(emulator, clock, tmp_path / "runs", report=False))
    sn = emulator.imports[0].sn

    result = probe(
        monkeypatch,
        emulator.transport(),
        "--import-sn",
        sn,
        "--campaign-sn",
        "c0ffee",
        "--json",
        clock=clock,
    )

    by_name = {each["question"]: each for each in json.loads(result.stdout)["requests"]}
    assert by_name["import"]["shape"]["$.status"] == ["text: the word COMPLETE"]
    assert by_name["links"]["status"] == 403
    assert sn not in result.output
    assert "c0ffee" not in result.output


class Hostile(httpx.AsyncBaseTransport):
    """Answers everything with values in odd places."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        self.answer = (status, body)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        status, body = self.answer
        return httpx.Response(status, content=body)


@pytest.mark.parametrize(
    "answer",
    [
        {PERSONAL[1]: {PERSONAL[0]: KEY, KEY: 1, "0912345678": 2, "code": PERSONAL[0]}},
        {f"name{letter}": letter for letter in "abcdefghijklmnopqrstuvwxyz"} | {"x" * 41: 1},
        json.loads("[" * 12 + json.dumps(PERSONAL[0]) + "]" * 12),
        PERSONAL[0],
        {"errorCode": [KEY], "Lists": [1, "x@y", {"sn": {"a": KEY}}], "invalidFields": 3},
        None,
    ],
)
def test_odd_answers_leak_nothing(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values can be in names of fields, and anything can be anywhere."""
    result = probe(monkeypatch, Hostile(json.dumps(answer).encode()))

    assert result.exit_code == 0, result.output
    assert not any(secret in result.output for secret in PERSONAL)
    assert "no switch" in result.stdout or "not shown" in result.stdout


def test_answer_that_is_not_json_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of a proxy has no shape."""
    result = probe(monkeypatch, Hostile(b"<html>login</html>"))

    assert "content that is not JSON" in result.stdout


def test_wrong_key_ends_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """One refused request is enough."""
    emulator = Emulator(api_keys=["another"], clock=ManualClock())

    result = probe(monkeypatch, emulator.transport())

    assert result.exit_code == 1
    assert len(emulator.requests) == 1


def test_questions_are_shown_before_they_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --yes, a terminal is needed; there the requests are listed, and "no" sends none."""
    emulator = Emulator(api_keys=[KEY], clock=ManualClock())
    monkeypatch.setattr(
        Session, "client", lambda *_: client(emulator.transport(), ManualClock(), Path.home())
    )
    run = CliRunner()

    assert run.invoke(newsleopard, ["probe"]).exit_code == 2
    monkeypatch.setattr("newsleopard_async.cli.confirmation.require_terminal", lambda **_: None)
    monkeypatch.setattr(
        "newsleopard_async.cli.commands.probe_command.require_terminal", lambda **_: None
    )
    refused = run.invoke(newsleopard, ["probe"], input="n\n")

    assert refused.exit_code == 1
    assert "GET /v1/contacts/lists?page=0&size=100" in refused.stderr
    assert "At most 11 requests" in refused.stderr
    assert emulator.requests == ()


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (1, "1"), (2, "2 to 9"), (9, "2 to 9"), (1_200, "1,000 to 9,999")]
)
def test_counts_are_rounded(count: int, text: str) -> None:
    """A count says only how many digits it has."""
    assert rounded(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2026-01-31", "text: time in another form"),
        ("66.6667", "text: number with a fraction"),
        ("https://bucket.s3.amazonaws.com/x?y=1", "text: https URL at amazonaws.com, with a query"),
        (":https://h/x.cs", "text: https URL after a colon at another host"),
        ("<p>王小明</p>", "text: HTML"),
        (10**15, "number of 16 digits"),
        (True, "true or false"),
    ],
)
def test_formats_are_named(value: object, text: str) -> None:
    """A value is described by its format."""
    assert shape_of({"x": value}, Secret(KEY)) == {"$.x": [text]}


def test_key_as_the_name_of_a_field_is_not_shown() -> None:
    """A key of letters looks like a name, and a proxy can answer with what it was sent."""
    key = "SecretKeyOfLettersOnly"

    assert shape_of({key: 1, "name": 1}, Secret(key)) == {
        "$.(another name)": ["number of 1 digit"],
        "$.name": ["number of 1 digit"],
    }


def test_key_that_is_echoed_around_the_lists_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name of the field is a value of a switch, which the printed command contains."""
    key = "SecretKeyOfLettersOnly"
    rows = [{"sn": f"{number:032x}", "name": "x"} for number in range(3)]
    transport = Hostile(json.dumps({key: rows}).encode())
    monkeypatch.setattr(sys.modules[__name__], "KEY", key)

    result = probe(monkeypatch, transport)

    assert result.exit_code == 0, result.output
    assert key not in result.output
    assert "(another name)" in result.output


def test_object_with_many_fields_is_a_table() -> None:
    """Its names are possibly data, such as the names of lists."""
    names = [f"{first}{second}" for first in "abcdefg" for second in "abcdef"]

    assert set(shape_of(dict.fromkeys(names[:40]), None)) == {f"$.{name}" for name in names[:40]}
    assert set(shape_of(dict.fromkeys(names[:41]), None)) == {"$.(another name)"}


def test_later_endpoints_are_left_out_after_two_that_are_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An account without them is not asked for all of them."""
    data, _ = found_in({}, monkeypatch, tmp_path)

    later = {each.name for each in QUESTIONS if each.is_later}
    asked = [each["question"] for each in data["requests"]]
    assert [name for name in asked if name in later] == ["balance", "templates"]
