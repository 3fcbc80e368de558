"""``newsleopard`` starts, stops and reports what is missing."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import click
import httpx
import pytest
from click.testing import CliRunner

from newsleopard_async import NewsLeopard
from newsleopard_async.cli import command_line
from newsleopard_async.cli.command_line import newsleopard

pytestmark = pytest.mark.slow

_START = (
    "import runpy, signal; "
    # A runner in the background hands its children an ignored SIGINT.
    "signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('newsleopard_async.cli', run_name='__main__')"
)
COMMAND = (sys.executable, "-c", _START)


@pytest.mark.parametrize("library", ["click", "jinja2", "rich", "starlette", "uvicorn"])
def test_missing_extra_is_one_line_with_the_command(library: str) -> None:
    """Without its extra, the command says in one line how to install it."""
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from newsleopard_async.cli import main; main()"
    )

    run = subprocess.run(
        [sys.executable, "-c", code, "emulator"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert library in run.stderr
    assert 'pip install "newsleopard-async[cli]"' in run.stderr


def test_interrupt_while_the_command_loads_ends_without_a_traceback() -> None:
    """The libraries take a moment, in which nothing was done."""
    code = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'click': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from newsleopard_async.cli import main; main()"
    )

    run = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )

    assert (run.returncode, run.stderr) == (130, "")


@pytest.mark.parametrize("has_source", [True, False])
def test_help_has_the_first_sentence_of_every_command(
    has_source: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the program is installed without its source."""
    context = click.Context(newsleopard)
    names = newsleopard.list_commands(context)
    commands = [newsleopard.get_command(context, name) for name in names]
    if not has_source:
        monkeypatch.setattr(resources, "files", lambda _: Path("/nowhere"))

    lines = CliRunner().invoke(newsleopard, ["--help"], terminal_width=200).stdout

    for name, command in zip(names, commands, strict=True):
        assert command is not None
        sentence = command.get_short_help_str(limit=200)
        assert re.search(rf"^  {name} +{re.escape(sentence[:40])}", lines, re.MULTILINE)


def test_help_loads_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first command that a user tries does not wait for the libraries of all commands."""

    def refuse(*_: object) -> None:
        raise AssertionError("a command was loaded")

    monkeypatch.setattr(command_line, "_load", refuse)

    assert "timezones" in CliRunner().invoke(newsleopard, ["--help"]).stdout


def test_demo_sends_a_campaign_and_cleans_up(tmp_path: Path) -> None:
    """The demonstration ends well without a terminal, and leaves no file behind."""
    run = subprocess.run(
        [*COMMAND, "demo", "--contacts", "300", "--pace", "0.05"],
        check=False,
        capture_output=True,
        encoding="utf-8",
        timeout=90,
        env=environment(tmp_path),
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    assert re.search(r"Recipients\s+收件人\s+300\s+100.0 %", run.stdout)
    assert re.search(r"Opened\s+開信\s+[1-9]", run.stdout)
    assert run.stdout.endswith("newsleopard demo --keep shows the mails on a page.\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_interrupted_demo_cleans_up(tmp_path: Path) -> None:
    """Ctrl-C ends the demonstration with 130, without a traceback and without files."""
    with subprocess.Popen(
        [*COMMAND, "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=environment(tmp_path),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Upload the file" in line:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "Submit the campaign" not in out
    assert err.splitlines()[-2:] == [
        "Interrupted: Interrupted by Ctrl-C.",
        "The emulator is stopped and its files are deleted.",
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("profile", ["documented", "vendor-2026"])
async def test_emulator_serves_a_client(profile: str) -> None:
    """A client reaches the served emulator with the key that it was given."""
    with served("--profile", profile) as base_url:
        async with NewsLeopard("k1", base_url=base_url) as nl:
            assert await nl.contacts.list_lists() == ()


def test_emulator_refuses_another_key() -> None:
    """An unknown key gets the platform's 403; switches and samples follow the options."""
    with served("--sample-lists", "--set", "lists_wrapper=groups") as base_url:
        url = f"{base_url}/v1/contacts/lists"
        answers = [httpx.get(url, headers={"x-api-key": key}) for key in ("other", "k1")]

    assert [answer.status_code for answer in answers] == [403, 200]
    found = answers[1].json()["groups"]
    assert "0412" in [item["name"] for item in found]
    assert [item["type"] for item in found] == [1, 0, 0, 0, 0]


@pytest.mark.parametrize("key", ["", " "])
def test_emulator_takes_no_empty_key(key: str) -> None:
    """An empty key comes from an unset variable, and no client can send it."""
    result = CliRunner().invoke(newsleopard, ["emulator", "--api-key", "k1", "--api-key", key])

    assert result.exit_code == 2
    assert "a key is empty" in result.output


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to answer")
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_emulator_stops_within_a_second(stop: signal.Signals) -> None:
    """A signal ends it immediately with 0, even during an upload that has stopped."""
    with subprocess.Popen(
        [*COMMAND, "emulator", "--port", "0", "--api-key", "k1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        found = re.search(r"http://(\S+):([0-9]+)", process.stdout.readline())
        assert found
        with socket.create_connection((found[1], int(found[2])), timeout=5) as raw:
            raw.sendall(
                b"POST /v1/contacts/lists/insert HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
            )
            httpx.get(f"{found[0]}/v1/contacts/lists", trust_env=False)
            begin = time.monotonic()
            process.send_signal(stop)
            _, err = process.communicate(timeout=30)

    assert process.returncode == 0
    assert time.monotonic() - begin < 2.0  # a second, and what a busy machine adds
    assert re.fullmatch(
        r"GET /v1/contacts/lists list_lists 403 \d+ ms\n"
        r"POST /v1/contacts/lists/insert create_list dropped \d+ ms\n",
        err,
    )


def test_emulator_continues_with_its_state(tmp_path: Path) -> None:
    """The state of the stop is the state of the next start."""
    if sys.platform == "win32":
        pytest.skip("Windows kills a process, which may lose a second")
    path, key = str(tmp_path / "state.db"), {"x-api-key": "k1"}
    with served("--state", path) as base_url:
        httpx.post(f"{base_url}/v1/contacts/lists/insert", json={"name": "會員"}, headers=key)
    with served("--state", path) as base_url:
        found = httpx.get(f"{base_url}/v1/contacts/lists", headers=key).json()

    assert [each["name"] for each in found["Lists"]] == ["會員"]


@pytest.mark.parametrize(("options", "first"), [(("--quiet",), ""), (("--json-log",), "{")])
def test_emulator_writes_a_line_a_request(options: tuple[str, ...], first: str) -> None:
    """The lines may be left out, or be JSON."""
    with subprocess.Popen(
        [*COMMAND, "emulator", "--port", "0", "--api-key", "k1", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+:[0-9]+", process.stdout.readline())
        assert found
        httpx.get(f"{found[0]}/v1/contacts/lists", trust_env=False)
        process.send_signal(signal.SIGINT if sys.platform != "win32" else signal.SIGTERM)
        _, err = process.communicate(timeout=30)

    assert err[:1] == first


def environment(folder: Path) -> dict[str, str]:
    """Return an environment with a folder for temporary files that a test can read."""
    names = ("TMPDIR", "TMP", "TEMP")
    return os.environ | dict.fromkeys(names, str(folder)) | {"PYTHONIOENCODING": "utf-8"}


@contextmanager
def served(*options: str) -> Iterator[str]:
    """Run ``newsleopard emulator`` on a free port and give its base URL."""
    with subprocess.Popen(
        [*COMMAND, "emulator", "--port", "0", "--api-key", "k1", *options],
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        try:
            assert found
            yield found[0]
        finally:
            process.send_signal(signal.SIGINT if sys.platform != "win32" else signal.SIGTERM)
            assert process.wait(timeout=30) == 0 or sys.platform == "win32"
