"""Commands print nothing but 中文 in a Taiwanese locale, in columns that fit, and also in CP950."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from newsleopard_async.cli.command_line import newsleopard
from tests import cli_texts
from tests.cli.offices import Office, an_office

MAIL = """
name = "週年慶"
subject = "${NAME}，您的專屬優惠"
sender = "電子豹 <service@example.com>"
html = '''<!DOCTYPE html><html lang="zh-TW"><head><meta charset="utf-8"></head>
<body><p>${NAME} 您好</p><a href="https://example.com/">立即前往</a></body></html>'''
"""
CONTACTS = "EMAIL,NAME\nming@example.com,王小明\nmei@example.com,李小美\n"
NEW = ("mail.toml", "--contacts", "members.csv", "--list-name", "會員")

COMMAND = re.compile(r"newsleopard(?:\s+[a-z]+)+")
ENGLISH = re.compile(r"\b[A-Za-z][a-z]+ [a-z]+")


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An account of the vendor's notes, in a folder with a campaign and contacts, in Taiwan."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "zh_TW.UTF-8")
    monkeypatch.chdir(tmp_path)
    Path("mail.toml").write_text(MAIL, "utf-8")
    Path("members.csv").write_text(CONTACTS, "utf-8")
    office = an_office(tmp_path, monkeypatch, profile="vendor-2026")
    office.emulator.switch(requests_per_s=None)
    return office


def story(width: int, charset: str) -> Iterator[tuple[str, Result]]:
    """Send a campaign from the check to the report; yield each command with its result."""
    runner = CliRunner(charset=charset, env={"COLUMNS": str(width), "TZ": "Asia/Taipei"})
    for command in (
        ("check", "members.csv", "--campaign", "mail.toml"),
        ("rehearse", *NEW[:3]),
        ("send", *NEW, "--hold", "1h", "--yes"),
        ("send", *NEW, "--hold", "1h", "--yes"),
        ("runs",),
        ("runs", "週年慶"),
        ("status", "週年慶"),
        ("cancel", "週年慶", "--yes"),
        ("send", *NEW, "--reuse-list", "--send-key", "now", "--wait", "--yes"),
        ("report", "now"),
        ("summary", "now"),
        ("lists",),
        ("balance",),
        ("timezones", "taipei"),
    ):
        yield " ".join(command), runner.invoke(newsleopard, command)


def test_no_command_uses_the_usual_spinner() -> None:
    """CP950 does not have the characters of rich's default, so each spinner is chosen."""
    found = [
        f"{path.name}:{node.lineno}"
        for path, tree in cli_texts.trees("cli")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and re.search(r"(?:console|errors)\.status$", ast.unparse(node.func))
        and "spinner" not in [each.arg for each in node.keywords]
    ]

    assert found == []


@pytest.mark.parametrize(("width", "charset"), [(40, "utf-8"), (80, "cp950"), (120, "utf-8")])
def test_story_of_a_campaign_is_chinese_and_fits(width: int, charset: str, office: Office) -> None:
    """No command prints two English words in a row, a table that is too wide, or an escape.

    A console in CP950 gets marks and frames of ASCII.
    """
    del office
    for command, result in story(width, charset):
        assert result.exit_code == 0, (command, result.output, result.exception)
        assert ENGLISH.findall(COMMAND.sub("", result.output)) == [], command
        assert not re.search(r"\\[xu]\w\w", result.output), command
        assert not re.search(r"^\s*[，。、；：）]", result.output, re.MULTILINE), command
        lines = result.stdout.splitlines()
        assert [line for line in lines if cell_len(line) > width] == [], command
