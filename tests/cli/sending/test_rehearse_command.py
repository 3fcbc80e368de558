"""``newsleopard rehearse``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from newsleopard_async.cli.command_line import newsleopard

CONTACTS = "EMAIL,NAME\nming@example.com,王小明\nmei@example.com,李小美\n"
MAIL = """
name = "週年慶"
subject = "${NAME}，您的專屬優惠"
sender = "電子豹 <service@example.com>"
html = "<!DOCTYPE html><p>${NAME} 您好</p>"
"""
TEST = """
name = "週年慶"
subject_a = "甲"
subject_b = "乙"
proportion = 50
wait = "4h"
sender = "電子豹 <service@example.com>"
html = "<!DOCTYPE html><p>${NAME} 您好</p>"
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    Path("mail.toml").write_text(MAIL, "utf-8")
    Path("members.csv").write_text(CONTACTS, "utf-8")


def rehearse(*arguments: str, width: int = 100, **options: Any) -> Result:
    """Run the command."""
    command = ["rehearse", *arguments]
    return CliRunner().invoke(newsleopard, command, env={"COLUMNS": str(width)}, **options)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_rehearsal_shows_what_a_send_would_do(width: int) -> None:
    """It needs no key; both times are shown, and the mails are files."""
    at = ("--at", "2027-01-05 10:00 Asia/Taipei")
    result = rehearse("mail.toml", "--contacts", "members.csv", *at, width=width)

    assert result.exit_code == 0, result.output
    for text in ("2027-01-05 10:00 Asia/Taipei", "2027-01-05 02:00 UTC", "2 mails are needed"):
        assert text in result.stdout
    assert "It would be sent. Nothing has left this" in result.stdout
    assert "report included" in " ".join(result.stdout.split())
    assert "王小明 您好" in Path("rehearsal/mail-1.html").read_text("utf-8")
    assert max(map(cell_len, result.stdout.splitlines())) <= width
    assert "Submit" not in result.stderr


def test_campaign_that_would_be_refused_is_status_1() -> None:
    """With the findings of both checks."""
    result = rehearse(
        *("mail.toml", "--contacts", "-", "--subject", "${POINTS}"),
        input=CONTACTS + "nowhere@@example.com,陳\n",
    )

    assert result.exit_code == 1
    assert "subject: " in result.stdout
    assert "invalid-email" in result.stdout
    assert "It would not be sent." in result.stdout
    assert "nowhere" not in result.output


def test_test_shows_both_versions() -> None:
    """The number of mails of each, and when the winner follows."""
    Path("test.toml").write_text(TEST, "utf-8")
    rows = "".join(f"user{number}@example.com,會員\n" for number in range(100))
    Path("many.csv").write_text("EMAIL,NAME\n" + rows, "utf-8")

    result = rehearse("test.toml", "--contacts", "many.csv", "--mails", "1", "--folder", "pages")

    assert "25 get A, 25 get B; 50 get the winner at" in result.stdout
    assert sorted(path.name for path in Path("pages").iterdir()) == [
        "mail-1-a.html",
        "mail-1-b.html",
    ]


def test_json_is_the_rehearsal(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it, for a program; --open opens the first mail."""
    opened: list[str] = []
    monkeypatch.setattr(click, "launch", opened.append)

    result = rehearse("mail.toml", "--contacts", "members.csv", "--open", "--json")

    found = json.loads(result.stdout)
    assert (found["ok"], found["recipients"], result.stderr) == (True, 2, "")
    assert opened == [str(Path("rehearsal/mail-1.html").resolve())]


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (("mail.toml",), 2, "--contacts"),
        (("--contacts", "-", "--html", "-"), 2, "only one of --html and --contacts"),
        (("mail.toml", "--contacts", "members.csv", "--at", "2027-01-05 10:00"), 2, "time zone"),
        (("mail.toml", "--contacts", "members.csv", "--max-rejected", "few"), 2, "any"),
        (("none.toml", "--contacts", "members.csv"), 1, "none.toml cannot be read"),
        (("--contacts", "members.csv", "--name", "x"), 1, "3 problems were found"),
        (("mail.toml", "--contacts", "members.csv", "--ga-content", "x"), 1, "ga.campaign"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[str, ...], status: int, reason: str) -> None:
    """The message says what to write."""
    result = rehearse(*arguments)

    assert result.exit_code == status
    assert reason in result.stderr


def test_body_can_be_the_standard_input() -> None:
    """A template program writes it."""
    result = rehearse(
        *("mail.toml", "--contacts", "members.csv", "--html", "-"),
        input="<!DOCTYPE html><p>由範本產生 ${NAME}</p>",
    )

    assert result.exit_code == 0, result.output
    assert "由範本產生" in Path("rehearsal/mail-1.html").read_text("utf-8")
