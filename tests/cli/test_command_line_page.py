"""The commands of docs/command-line.md run as printed, with the words and status as printed."""

from __future__ import annotations

import itertools
import re
import shlex
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import click
import pytest
from click.testing import CliRunner

from newsleopard_async import NewsLeopard
from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.session import Session
from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.emulator.platform.clock import EmulatorClock
from newsleopard_async.emulator.sample import build_sample
from newsleopard_async.emulator.server import running
from newsleopard_async.emulator.state import StateFile
from newsleopard_async.stores import FileStore
from newsleopard_async.testing import ManualClock
from tests.constants import ROOT

PAGE = ROOT / "docs" / "command-line.md"
if not PAGE.exists():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.source_tree]

NOT_RUN = {"emulator", "demo", "worker"}
"""Commands that run until they are stopped, or that have a test of their own."""

HTML = '<html><head><meta charset="utf-8"></head><body><p>${NAME} 您好</p></body></html>'
CONTACTS = "EMAIL,NAME\nming@example.com,王小明\nmei@example.com,林美玲\nchen@example.com,陳志豪\n"

START = datetime(2026, 12, 1, tzinfo=UTC)

TYPING_S = 10
"""Between two commands: long enough that a campaign to three contacts is out."""


def blocks(language: str) -> list[str]:
    """Return the blocks of the page in a language."""
    text = PAGE.read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def printed_commands() -> Iterator[tuple[list[str], int, list[str]]]:
    """Yield the arguments of each command, and the exit status and output that the page shows."""
    lines = "".join(blocks("console")).replace("\\\n", "").splitlines()
    for place, line in enumerate(lines):
        if not line.startswith("$ newsleopard "):
            continue
        # Pipes and redirections concern only the output.
        arguments = shlex.split(re.split(r" (?:\||2?>)", line[2:])[0])[1:]
        following = [other for other in lines[place + 1 :] if other.startswith("$ ")]
        is_asked = following[:1] == ["$ echo $?"]
        status = int(lines[lines.index("$ echo $?", place) + 1]) if is_asked else 0
        output = itertools.takewhile(lambda line: not line.startswith("$ "), lines[place + 1 :])
        yield arguments, status, list(output)


def words(text: str) -> str:
    """Return a text without what is different in each run: numbers, codes, folders, widths."""
    return re.sub(r"/\S*/|\b[0-9a-f]{32}\b|\b[0-9a-f-]{36}\b|[\d.,:]+|[\s─]+", "", text)


def parts_of(line: str) -> list[str]:
    """Return the words of a line; of a shortened one, those of each part."""
    return list(map(words, line.split("…")))


@pytest.fixture
def taipei(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give this process the time zone of the page."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Taipei")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Emulator]:
    """Give the commands the account of the page, a folder with its files, and no waiting."""
    clock = EmulatorClock(START, is_held=True)
    sample = Emulator(clock=clock, switches=Switches(later_endpoints=True))
    anyio.run(build_sample, sample)
    emulator = Emulator(clock=ManualClock(clock.now()), switches=Switches(later_endpoints=True))
    with StateFile(tmp_path / "sample.db") as state:
        state.save(sample)
        state.load_into(emulator)

    def client(_: Session, store: Any = None, **options: Any) -> NewsLeopard:
        return NewsLeopard(
            "test-key",
            base_url=emulator.base_url,
            http_transport=emulator.transport(),
            clock=emulator.clock,  # type: ignore[arg-type]  # it is a ManualClock
            store=store or FileStore(),
            **options,
        )

    monkeypatch.setattr(Session, "client", client)
    # Short, because no output may break a line within the name of a folder.
    home = tempfile.TemporaryDirectory(prefix="ming")
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, home.name)
    monkeypatch.delenv("NEWSLEOPARD_PROFILE", raising=False)
    monkeypatch.setenv("NEWSLEOPARD_API_KEY", "test-key")
    monkeypatch.chdir(home.name)
    Path("members.csv").write_text(CONTACTS, "utf-8")
    Path("anniversary.html").write_text(HTML, "utf-8")
    Path("anniversary.toml").write_text(blocks("toml")[0], "utf-8")
    # The doctor looks at the network itself.
    with home, running(Emulator()) as url:
        monkeypatch.setenv("NEWSLEOPARD_BASE_URL", url)
        yield emulator


@pytest.mark.usefixtures("taipei")
def test_commands_of_the_page_run_and_end_as_printed(account: Emulator) -> None:
    """A reader who types the page from its top gets the same words and exit status."""
    before = account.submitted
    count = 0
    for arguments, status, output in printed_commands():
        if arguments[0] in NOT_RUN:
            continue
        result = CliRunner().invoke(newsleopard, arguments)
        account.clock.advance(TYPING_S)  # type: ignore[attr-defined]  # it is a ManualClock
        found = words(result.output)
        # The rest of a line of the doctor is about this machine.
        end = "  " if arguments[0] == "doctor" else None
        shown = [line.split(end)[0] if end else line for line in output]
        missing = [line for line in shown if not all(map(found.__contains__, parts_of(line)))]
        assert (result.exit_code, missing) == (status, []), f"{arguments}: {result.output}"
        count += 1

    assert count > 25
    assert account.submitted - before == 2


def test_every_command_is_on_the_page() -> None:
    """The table of the page names all commands of the help."""
    table = PAGE.read_text("utf-8").partition("## Which command for what")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([a-z]+)`", table))

    assert named == set(newsleopard.list_commands(click.Context(newsleopard)))
