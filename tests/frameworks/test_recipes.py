"""The programs of the recipes run as printed, against an emulator on a real socket."""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from newsleopard_async import NewsLeopard, Timeouts
from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.emulator.server import running
from newsleopard_async.stores import FileStore
from tests.constants import CAMPAIGN, KEY, ROOT
from tests.frameworks.driving import EXAMPLES, wait_until

if not EXAMPLES.exists():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)

pytestmark = pytest.mark.slow

SEND_KEY = "anniversary-2027"
CONTACTS = "EMAIL,NAME\nming@example.com,王小明\n"


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Emulator]:
    """Serve a quick platform; the programs find it, and their files, as a user's would."""
    quick = Switches(import_base_s=0, import_rows_per_s=1e9, send_base_s=0, requests_per_s=None)
    emulator = Emulator(api_keys=(KEY,), switches=quick)
    monkeypatch.chdir(tmp_path)
    Path("anniversary.html").write_text("<html><body>${NAME} 您好</body></html>", "utf-8")
    Path("members.csv").write_text(CONTACTS, "utf-8")
    with running(emulator) as url:
        monkeypatch.setenv("NEWSLEOPARD_BASE_URL", url)
        monkeypatch.setenv("NEWSLEOPARD_API_KEY", KEY)
        yield emulator


@contextlib.contextmanager
def held(send_key: str) -> Iterator[None]:
    """Have a send key, as another process that sends."""
    store = NewsLeopard(KEY).store
    assert isinstance(store, FileStore)
    with store.locked(send_key):
        yield


def started(name: str) -> object:
    """Run a program from its beginning, as `python NAME.py` does; return its exit status."""
    try:
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    except SystemExit as ended:
        return ended.code
    return 0


def test_script_is_started_twice_and_sends_once(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints each step, and the second start prints the same campaign."""
    assert [started("send_script"), started("send_script")] == [0, 0]

    assert emulator.submitted == 1
    lines = capsys.readouterr().out.splitlines()
    assert "7 of 7: submit finished" in lines
    assert lines.count(f"sent as {emulator.campaigns[0].sn}") == 2


def test_script_names_the_time_of_the_next_start_after_a_lost_reply(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its exit status is another one than that of a mistake."""
    emulator.switch(send_base_s=3600)
    emulator.lose_reply_to("submit_campaign")

    assert started("send_script") == os.EX_TEMPFAIL

    assert f"Start again after {datetime.now(UTC):%Y-}" in capsys.readouterr().out
    assert emulator.submitted == 1


@pytest.fixture
def newsletter() -> tuple[str, Path]:
    """Write the newsletter of this week; return its send key and its folder."""
    year, week, _ = datetime.now(ZoneInfo("Asia/Taipei")).isocalendar()
    folder = Path("newsletters", f"{year}-W{week:02}")
    folder.mkdir(parents=True)
    (folder / "subject.txt").write_text("${NAME}，您好\n", "utf-8")
    (folder / "mail.html").write_text(CAMPAIGN.html, "utf-8")
    (folder / "members.csv").write_text(CONTACTS, "utf-8")
    return f"newsletter-{folder.name}", folder


def test_pod_that_is_stopped_during_a_submit_has_sent_once(
    emulator: Emulator, newsletter: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command of the CronJob waits for the answer, and the next start finds it."""
    cronjob = yaml.safe_load((EXAMPLES / "newsleopard-cronjob.yaml").read_text("utf-8"))["spec"]
    pod = cronjob["jobTemplate"]["spec"]["template"]["spec"]
    python, program = pod["containers"][0]["command"]
    monkeypatch.setenv("RUNS_URL", "sqlite:///runs.db")
    emulator.delay("submit_campaign", seconds=1)

    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, EXAMPLES / program], env=environment) as process:
        wait_until(lambda: emulator.campaigns)
        process.send_signal(signal.SIGTERM)
    statuses = [process.returncode, started("weekly_send"), started("weekly_send")]

    assert python == "python"
    assert statuses == [os.EX_TEMPFAIL, 0, 0]
    assert emulator.submitted == emulator.count("submit_campaign") == 1
    assert (cronjob["concurrencyPolicy"], pod["restartPolicy"]) == ("Forbid", "Never")
    assert pod["terminationGracePeriodSeconds"] > Timeouts().submit_s + 10


def test_exit_status_of_the_newsletter_tells_what_follows(
    emulator: Emulator, newsletter: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """0 if an earlier start still sends, 75 if the next one continues, 1 for a mistake."""
    send_key, folder = newsletter

    with held(send_key):
        is_sending = started("weekly_send")
    emulator.switch(send_base_s=3600)
    emulator.lose_reply_to("submit_campaign")
    waits = started("weekly_send")
    (folder / "subject.txt").write_text("", "utf-8")
    is_wrong = started("weekly_send")

    assert (is_sending, waits, is_wrong) == (0, os.EX_TEMPFAIL, 1)
    told = capsys.readouterr().err.splitlines()
    assert [each.partition(":")[0] for each in told] == ["OutcomeUnknown", "InvalidRequest"]
