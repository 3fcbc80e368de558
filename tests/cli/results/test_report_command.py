"""``newsleopard report``: the funnel, the files, and the rows as CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from newsleopard_async import NewsLeopard
from newsleopard_async.cli.results import campaign_report, report_rows
from newsleopard_async.workflows import send_campaign
from tests.cli.interrupting import interrupt_at, notice_at_once
from tests.cli.offices import Office, an_office
from tests.cli.results.test_status_command import UNKNOWN
from tests.clients import csv_of, files_in
from tests.constants import CAMPAIGN


@attrs.frozen
class Sent:
    """An account with a campaign that was sent a day ago."""

    office: Office
    code: str

    def invoke(self, *arguments: str, **options: Any) -> Any:
        """Run the command."""
        return self.office.invoke("report", self.code, *arguments, **options)


async def fill(nl: NewsLeopard) -> str:
    """Send a campaign, and let a day pass."""
    outcome = await send_campaign(nl, CAMPAIGN, contacts=csv_of(200), list_name="會員")
    await nl.clock.sleep(86_400)
    return outcome.campaign_sn


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sent]:
    """An account of the vendor's notes, shared by the tests, which only read."""
    with pytest.MonkeyPatch.context() as patch:
        office = an_office(tmp_path_factory.mktemp("office"), patch, profile="vendor-2026")
        made = Sent(office, office.do(fill))
        made.invoke()
        # Later, and within the hour, the same report is available at once.
        office.clock.advance(600)
        yield made


@pytest.mark.parametrize("width", [40, 80])
def test_funnel_is_shown(sent: Sent, width: int) -> None:
    """The steps are on the standard error, the table is the output."""
    result = sent.invoke(width=width)

    assert result.exit_code == 0, result.output
    assert "Results of 週年慶" in result.stdout
    line = next(line for line in result.stdout.splitlines() if "Recipients" in line)
    assert "200" in line.split()
    assert ("收件人" in line) == (width == 80)
    assert "Download the report" in result.stderr
    assert "@" not in result.output


def test_files_are_kept_only_in_a_named_folder(
    sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are personal data; without a folder, none is left on the disk."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    nothing = sent.invoke()
    assert [each for each in files_in(tmp_path) if not each.endswith(".lock")] == []

    kept = sent.invoke("--to", str(tmp_path / "report"))

    assert "personal data" not in nothing.stderr
    assert f"files of personal data are in {tmp_path}" in kept.stderr
    assert any("open" in each for each in files_in(tmp_path / "report"))


def test_json_has_report_and_numbers(sent: Sent, tmp_path: Path) -> None:
    """Without a folder there are no files in it."""
    kept = sent.office.json("report", sent.code, "--to", str(tmp_path))
    gone = sent.office.json("report", sent.code)

    assert (gone["campaign_sn"], gone["recipients"]) == (sent.code, 200)
    assert gone["summary"]["delivered"] == kept["summary"]["delivered"]
    assert gone["files"] == []
    assert all(Path(each["path"]).is_file() for each in kept["files"])


def test_rows_are_written_as_csv(sent: Sent, tmp_path: Path) -> None:
    """A private file with a mark for Excel, or the standard output without; times are in UTC."""
    path = tmp_path / "clicks.csv"
    filed = sent.invoke("--rows", "click", "--csv", str(path))
    piped = sent.invoke("--rows", "click")

    assert f"rows of personal data are in {path}" in filed.stderr
    content = path.read_bytes()
    assert content == b"\xef\xbb\xbf" + piped.stdout_bytes
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600
    first, *others = csv.DictReader(piped.stdout.splitlines())
    assert list(first) == ["TIME_UTC", "EMAIL", "NAME", "CLICKED_AT", "URL"]
    assert first["TIME_UTC"][:19] == first["CLICKED_AT"][:19]
    assert len(others) + 1 == sent.office.json("report", sent.code)["summary"]["events"]["click"]


def test_rows_have_no_effect_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reader chooses the user agent, which is a column; a file or a pipe gets it as it is."""
    report_rows._print(b"EMAIL,AGENT\na@example.com,\x1b[2J\n")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    report_rows._print(b"EMAIL,AGENT\na@example.com,\x1b[2J\n")

    lines = capsys.readouterr().out.splitlines()
    assert [lines[1], lines[3]] == ["a@example.com,\x1b[2J", r"a@example.com,\x1b[2J"]


def test_page_is_written_without_contacts(sent: Sent, tmp_path: Path) -> None:
    """The page of a real report has charts, and neither names nor addresses."""
    path = tmp_path / "page.html"

    result = sent.invoke("--html", str(path))
    html = path.read_text(encoding="utf-8")

    assert result.exit_code == 0, result.output
    assert f"The page is {path}." in result.stderr
    assert "Opens and clicks by hour" in html
    assert "@example" not in html
    assert "會員" not in html


def test_campaign_without_a_report_is_refused(sent: Sent) -> None:
    """The exit status tells it from other errors; no file is written."""
    result = sent.office.invoke("report", UNKNOWN)

    assert result.exit_code == 1
    assert "The campaign has no report" in result.stderr


@pytest.mark.parametrize("options", [("--csv", "a.csv"), ("--rows", "open", "--json")])
def test_two_outputs_are_refused(sent: Sent, options: tuple[str, ...]) -> None:
    """Before anything is exported."""
    before = len(sent.office.emulator.requests)

    assert sent.invoke(*options).exit_code == 2
    assert len(sent.office.emulator.requests) == before


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            ("--html", "nowhere/a.html"),
            "--html: the folder nowhere does not exist; create it first",
        ),
        (("--rows", "open", "--csv", "nowhere/a"), "--csv: the folder nowhere does not exist"),
        (("--rows", "open", "--csv", "a", "--html", "a"), "--html: a is an input or another"),
    ],
)
def test_file_that_could_not_be_written_is_refused(
    sent: Sent, options: tuple[str, ...], text: str
) -> None:
    """Before anything is exported, which is possible only once an hour."""
    before = len(sent.office.emulator.requests)

    result = sent.invoke(*options)

    assert result.exit_code == 1
    assert text in result.stderr
    assert len(sent.office.emulator.requests) == before


def test_type_without_a_file_has_only_a_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A campaign to no one who complains; the documented platform has no recipients, either."""
    office = an_office(tmp_path, monkeypatch)

    async def few(nl: NewsLeopard) -> str:
        outcome = await send_campaign(nl, CAMPAIGN, contacts=csv_of(2), list_name="會員")
        await nl.clock.sleep(86_400)
        return outcome.campaign_sn

    code = office.do(few)
    rows = office.invoke("report", code, "--rows", "complain")
    table = office.invoke("report", code)

    assert rows.stdout == "TIME_UTC,EMAIL\n"
    assert "no rows of the type complain" in rows.stderr
    assert "週年慶" in table.stdout
    assert next(line for line in table.stdout.splitlines() if "Recipients" in line).count("–") == 2


@pytest.mark.parametrize("command", ["report", "summary"])
@pytest.mark.parametrize(
    ("operation", "note"),
    [
        ("get_links", "The command only reads; the campaign is not changed."),
        ("export_report", "The platform continues the export. Run the same command again."),
    ],
)
def test_interrupt_says_whether_the_export_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, operation: str, note: str
) -> None:
    """An export that was not requested does not go on; while an answer is awaited, that is said."""
    office = an_office(tmp_path, monkeypatch)
    code = office.do(fill)
    notice_at_once(monkeypatch)
    interrupt_at(office, monkeypatch, operation)

    result = office.invoke(command, code)

    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == note
    assert "Waiting for the answer to a request that was sent" in result.stderr


def test_interrupt_after_the_export_promises_no_export(
    sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report is complete when its files are downloaded."""

    async def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(campaign_report, "read_facts", interrupt)

    result = sent.invoke("--to", str(tmp_path))

    assert result.exit_code == 130
    assert "continues" not in result.stderr
