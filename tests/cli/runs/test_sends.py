"""``newsleopard runs``, ``resolve`` and ``retry``."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result

from newsleopard_async import OutcomeUnknown
from newsleopard_async.cli.accounts import profiles
from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.session import Session
from newsleopard_async.durable.ledger import AttemptResult
from newsleopard_async.stores import FileStore, RedisStore, SqlStore, Store
from newsleopard_async.workflows import send_campaign
from tests.clients import connected
from tests.constants import CAMPAIGN
from tests.durable.desk import at_desk

SN = "5f53d07eff19c195062524fa4697bde9"


@pytest.fixture(scope="module")
def _seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep a send in each of four states."""
    folder = tmp_path_factory.mktemp("seeded")

    async def seed() -> None:
        async with at_desk(f"sqlite:///{folder}/sends.db", folder) as desk:
            desk.emulator.lose_reply_to("submit_campaign")
            await desk.start("1-held")
            await desk.run_attempt("1-held")
            await desk.start("2-done", list_name="二")
            await desk.run_attempt("2-done")
            month = datetime.now(UTC) + timedelta(days=30)
            await desk.durable.start_send(desk.spec(), send_key="3-週年慶", at=month)
            await desk.start("4-failed")
            failed = AttemptResult(
                state="failed", error="NoSender", message="red\x1b[31m [red]電子豹"
            )
            await desk.ledger.save_result((await desk.row("4-failed")).last, "main", failed)

    anyio.run(seed)
    return folder / "sends.db"


@pytest.fixture
def url(_seeded: Path, tmp_path: Path) -> str:
    """Return where a copy of these is."""
    shutil.copy(_seeded, tmp_path / "sends.db")
    return f"sqlite:///{tmp_path}/sends.db"


def invoke(*arguments: str, url: str | None = None, width: int = 200) -> Result:
    """Run a command."""
    env = {"NEWSLEOPARD_DURABLE_URL": url, "COLUMNS": str(width)}
    return CliRunner().invoke(newsleopard, [*arguments], env=env)


def lines_of(result: Result) -> list[dict[str, Any]]:
    """Read what a command has written as JSON."""
    return [json.loads(line) for line in result.stdout.splitlines()]


# Looking


def test_sends_that_need_a_person_come_first(url: str) -> None:
    """They have a mark; the last lines count the sends and report a missing worker."""
    result = invoke("runs", url=url)

    assert result.exit_code == 0, result.output
    keys = ("4-failed", "1-held", "2-done", "3-週年慶")
    lines = result.stdout.splitlines()
    found = [next(line for line in lines if f" {key} " in f"{line} ") for key in keys]
    assert sorted(found, key=lines.index) == found, result.stdout
    assert ["!" in line.split() for line in found] == [True, False, False, False]
    assert "1 scheduled, 1 held, 1 failed, 1 done." in result.stdout
    assert "1 marked with ! needs a person." in result.stdout
    assert "start one: newsleopard worker" in result.stdout


def test_narrow_terminal_shows_codes_in_one_piece(url: str) -> None:
    """A code that is broken into lines cannot be copied."""
    result = invoke("runs", "--state", "done", url=url, width=40)

    codes = [line for line in map(str.strip, result.stdout.splitlines()) if line.isalnum()]
    assert 32 in map(len, codes)
    assert "done" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 40


@pytest.mark.parametrize("width", [80, 200])
def test_message_steers_no_terminal(url: str, width: int) -> None:
    """They have no effect in a wide table or below the key in a narrow one."""
    result = invoke("runs", "--state", "failed", url=url, width=width)

    assert "NoSender: red\\x1b[31m [red]電子豹" in result.stdout
    assert "2-done" not in result.stdout
    assert "1 failed." in result.stdout


def test_json_is_the_report_of_python(url: str) -> None:
    """An object a line, by the keys in their order."""
    result = invoke("runs", "--json", "--state", "held", "--state", "done", url=url)

    held, done = lines_of(result)
    assert (held["send_key"], held["state"], held["step"]) == ("1-held", "held", "submit")
    assert (done["send_key"], done["state"]) == ("2-done", "done")
    assert done["campaign_sn"] == done["outcome"]["campaign_sn"]
    assert lines_of(invoke("runs", "2-done", "--json", url=url)) == [done]


def test_one_key_shows_all_fields(url: str) -> None:
    """The output has a command that a user can copy."""
    result = invoke("runs", "1-held", url=url)

    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert "If it is there: newsleopard resolve 1-held sent --campaign-sn SN." in text
    assert "UTC the next attempt searches again, and sends nothing." in text
    assert "\n  newsleopard resolve 1-held resubmit\n" in result.stdout
    assert "await" not in result.stdout


def test_decision_needs_the_form_of_a_code(url: str) -> None:
    """A mistyped code would make a run done that has not sent its campaign."""
    result = invoke("resolve", "1-held", "sent", "--campaign-sn", "xyz", url=url)

    assert result.exit_code == 1
    assert "--campaign-sn: 'xyz' does not have the form of a code" in result.stderr
    assert json.loads(invoke("runs", "1-held", "--json", url=url).stdout)["state"] == "held"


def test_commands_name_the_store_of_the_option(url: str) -> None:
    """In another shell the variable is not set; a password stays out of the output."""
    named = CliRunner().invoke(newsleopard, ["runs", "1-held", "--url", url])

    assert f"\n  newsleopard resolve 1-held resubmit --url {url}\n" in named.stdout
    secret = Session().commands("k", "postgresql://me:s3cret@host/x")
    assert secret("retry") == "newsleopard retry k"


@pytest.mark.parametrize("command", ["runs", "resolve", "retry"])
def test_missing_key_has_exit_status_1(url: str, command: str) -> None:
    """The first line of the message names the key and the store."""
    more = ["abandon"] if command == "resolve" else []

    result = invoke(command, "nothing", *more, url=url)

    assert result.exit_code == 1
    assert "'nothing'" in result.stderr.splitlines()[0]
    assert "Durable(" not in result.stderr


def test_reading_changes_nothing(url: str, tmp_path: Path) -> None:
    """A database with sends, one of another program, and a missing one stay unchanged."""
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE theirs (a)")
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}

    results = [
        *(invoke("runs", url=url), invoke("runs", "2-done", url=url)),
        *(invoke("runs", *key, url=f"sqlite:///{tmp_path}/other.db") for key in ([], ["k"])),
        invoke("runs", url=f"sqlite:///{tmp_path}/missing.db"),
    ]

    assert [each.exit_code for each in results] == [0, 0, 0, 1, 2]
    assert "No sends in" in results[2].stdout
    assert "does not exist; check the path" in results[4].stderr
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://me:s3cret@host/x", "--url must be sqlite:////folder/sends.db, postgresql://"),
        ("sqlite://", "an SQLite database must be a file"),
        ("redis://me:s3cret@[host/0", "redis"),
    ],
)
def test_wrong_url_is_2(url: str, message: str) -> None:
    """In one line, without the password."""
    result = invoke("runs", url=url)

    assert result.exit_code == 2
    assert message in result.stderr
    assert "s3cret" not in result.output


# Deciding


def test_decision_is_stored_and_the_send_continues(url: str) -> None:
    """The next attempt is due now, and finds the named campaign."""
    result = invoke("resolve", "1-held", "sent", "--campaign-sn", SN, "--json", url=url)

    [status] = lines_of(result)
    assert (result.exit_code, status["campaign_sn"], status["attempt"]) == (0, SN, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["1-held", "resubmit"], "DECISION: the request can still take effect; decide after"),
        (["1-held", "sent"], "--campaign-sn: "),
        (["2-done", "abandon"], "KEY: has no submit in doubt"),
    ],
)
def test_refused_decision_is_1(url: str, arguments: list[str], message: str) -> None:
    """In the words of the command line."""
    result = invoke("resolve", *arguments, url=url)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Not valid: {message}")


def test_store_of_the_profile_is_the_default(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --profile and without --url, the commands use the store in the file of profiles."""
    path = tmp_path / "config.toml"
    monkeypatch.setattr(profiles, "profiles_path", lambda: path)
    path.write_text(f'[profiles.shop]\nstore = "{url}"\n', encoding="utf-8")

    [found] = lines_of(invoke("runs", "2-done", "--profile", "shop", "--json"))

    assert found["state"] == "done"


def test_send_that_failed_is_retried(url: str) -> None:
    """Its next attempt is due now."""
    before = invoke("runs", "4-failed", url=url)

    [status] = lines_of(invoke("retry", "4-failed", "--json", url=url))

    assert "newsleopard retry 4-failed" in before.stdout
    assert (status["state"], status["attempt"]) == ("waiting", 1)


# Other stores


@pytest.mark.parametrize("kind", ["files", "sqlite", pytest.param("redis", marks=pytest.mark.slow)])
def test_runs_of_another_store_are_shown_and_decided(
    kind: str, tmp_path: Path, request: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs with a send key; commands for durable sends are refused with the way out."""
    url = None
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path}/runs.db"
    elif kind == "redis":
        url = request.getfixturevalue("redis_url")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def hold() -> None:
        store: Store = FileStore()
        if url is not None:
            store = SqlStore(url) if kind == "sqlite" else RedisStore(url)
        async with connected(store=store) as bench:
            bench.emulator.lose_reply_to("submit_campaign")
            with pytest.raises(OutcomeUnknown):
                await send_campaign(
                    bench.nl,
                    CAMPAIGN,
                    contacts="EMAIL,NAME\na@example.com,a\n",
                    list_name="會員",
                    send_key="k",
                )

    anyio.run(hold)
    listed, one = invoke("runs", url=url), invoke("runs", "k", "--json", url=url)
    retried = invoke("retry", "k", url=url)
    decided = invoke("resolve", "k", "abandon", "--json", url=url)
    missing = invoke("resolve", "nothing", "abandon", url=url)

    assert "1 held." in listed.stdout
    assert "worker" not in listed.stdout
    assert [each["state"] for each in lines_of(one)] == ["held"]
    assert retried.exit_code == 2
    assert "has no durable sends" in retried.stderr
    assert lines_of(decided)[0]["state"] == "abandoned"
    assert missing.exit_code == 1
