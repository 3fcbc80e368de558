"""``newsleopard worker``: begins, answers after its health, and leaves."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import attrs
import httpx
import pytest
from click.testing import CliRunner, Result

from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.runs import worker_process as working_module
from newsleopard_async.cli.runs.health import read_address
from newsleopard_async.cli.runs.locations import client_of_main, durable_of, has_password
from newsleopard_async.cli.runs.worker_process import (
    StopSignals,
    end_despite_threads,
    shorten_log_record,
)
from newsleopard_async.durable import Durable, SendSpec
from newsleopard_async.errors import ConfigurationError
from newsleopard_async.models import ListSn
from tests.constants import CAMPAIGN, KEY
from tests.servers import die_with_parent

_APP = """
import os
from newsleopard_async import NewsLeopard
from newsleopard_async.durable import Durable

durable = Durable(os.environ["APP_URL"], clients=lambda account: NewsLeopard())
number = 1

def make():
    return durable

def wrong():
    return 1
"""


def invoke(*arguments: str, env: dict[str, str | None] | None = None) -> Result:
    """Run a command that ends immediately."""
    return CliRunner().invoke(newsleopard, ["worker", *arguments], env=env)


# What it is told


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("8081", "127.0.0.1", 8081),
        (":8081", "127.0.0.1", 8081),
        ("0.0.0.0:0", "0.0.0.0", 0),  # noqa: S104  # it is read, and nothing listens
        ("[::1]:80", "::1", 80),
    ],
)
def test_health_listens_on_the_loopback_unless_a_host_is_named(
    text: str, host: str, port: int
) -> None:
    """By default no other machine can reach it."""
    address = read_address(text)

    assert (address.host, address.port) == (host, port)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("here", "'here' has no port; write it as 8081"),
        ("here:", "'here:' has no port"),
        ("h:65536", "'h:65536' has no port"),
        ("::1:80", "'::1:80' is ambiguous; write it as [::1]:80"),
    ],
)
def test_health_without_a_port_is_refused(text: str, message: str) -> None:
    """The message has what to write."""
    result = invoke("--health", text)

    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("arguments", "env", "message"),
    [
        ([], {}, "set NEWSLEOPARD_DURABLE_URL, or use --url, or name an APP"),
        (["app"], {}, "APP is 'app'; write it as the module:name"),
        (["app:durable", "--url", "sqlite:////x"], {}, "an APP or --url"),
        (["nowhere.app:durable"], {}, "no module nowhere.app"),
        (["shop/app.py:durable"], {}, "no module shop/app.py"),
        (["worker_app:nothing"], {}, "worker_app has no nothing; name a Durable"),
        (["worker_app:number"], {}, "worker_app:number has the type int; name a Durable"),
        (["worker_app:wrong"], {}, "worker_app:wrong has the type int; name a Durable"),
        (
            ["--url", "mysql://me:s3cret@host/x"],
            {},
            "must be sqlite:////folder/runs.db or",
        ),
        ([], {"NEWSLEOPARD_DURABLE_URL": "x://me:s3cret@host/x"}, "must be sqlite:////"),
        (["keyless_app:durable"], {}, "the API key is missing: set NEWSLEOPARD_API_KEY"),
        (["fileless_app:durable"], {}, "refused it: no.toml: No such file or directory"),
    ],
)
def test_wrong_setup_is_one_line_and_2(
    arguments: list[str],
    env: dict[str, str | None],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The message has the problem and the way out, and never a password."""
    (tmp_path / "worker_app.py").write_text(_APP)
    (tmp_path / "keyless_app.py").write_text("import newsleopard_async as n\nn.NewsLeopard()\n")
    (tmp_path / "fileless_app.py").write_text("open('no.toml')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEWSLEOPARD_API_KEY", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("worker_app", "keyless_app", "fileless_app"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    result = invoke(*arguments, env={"APP_URL": f"sqlite:///{tmp_path}/sends.db", **env})

    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "s3cret" not in result.output
    assert "Traceback" not in result.output
    assert "--health" not in result.stderr


def test_port_of_the_health_server_that_is_in_use_is_named(tmp_path: Path) -> None:
    """The set-up is wrong, so the status is 2."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        result = invoke(
            *("--url", f"sqlite:///{tmp_path}/sends.db", "--health", address),
            env={"NEWSLEOPARD_API_KEY": KEY},
        )

    assert result.exit_code == 2, result.output
    assert f"Cannot listen on {address}: Address already in use" in result.stderr
    assert "choose another --health" in result.stderr


def test_app_may_be_a_durable_or_a_function_that_returns_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named like for web servers; errors of its module are raised unchanged."""
    (tmp_path / "good_app.py").write_text(_APP)
    (tmp_path / "broken_app.py").write_text("import a_module_that_is_missing")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("APP_URL", f"sqlite:///{tmp_path}/sends.db")

    assert isinstance(durable_of("good_app:durable"), Durable)
    assert durable_of("good_app:make") is durable_of("good_app:durable")
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_missing"):
        durable_of("broken_app:durable")


def test_another_account_is_refused_with_the_way_out() -> None:
    """The environment has one key, which must not send campaigns of other accounts."""
    with pytest.raises(ConfigurationError, match="'main', not of 'shop'; start it with"):
        client_of_main("shop")


@pytest.mark.parametrize(
    ("url", "has"),
    [
        ("postgresql://me:s3cret@host/x", True),
        ("postgresql://host/x?user=me&password=s3cret", True),
        ("postgresql://me@host/x", False),
        ("sqlite:////x", False),
        ("postgresql://me@[host/x", False),
    ],
)
def test_password_on_the_command_line_is_warned_of(url: str, has: bool) -> None:
    """A list of processes shows the option, but not the variable."""
    assert has_password(url) is has


def test_warning_of_a_password_does_not_show_it() -> None:
    """And one in the variable is not warned of."""
    url = "mysql://me:s3cret@host/x"
    given, set_ = invoke("--url", url), invoke(env={"NEWSLEOPARD_DURABLE_URL": url})

    assert "can see the password in --url" in given.stderr
    assert "password" not in set_.stderr
    assert "s3cret" not in given.output + set_.output


@pytest.mark.parametrize(
    "text", ["lost %s\nTraceback", "lost %s: Traceback (most recent call last):"]
)
def test_line_of_the_engine_has_no_traceback(text: str) -> None:
    """It writes one for each call of a database that is away."""
    error = OSError("refused")
    record = logging.LogRecord(
        "dbos", logging.WARNING, __file__, 1, text, ("it",), (OSError, error, None)
    )

    assert shorten_log_record(record)
    assert logging.Formatter("%(message)s").format(record) == "lost it"


@pytest.mark.parametrize(
    ("running", "code", "message"),
    [(0, 0, "; no attempt was running"), (2, 1, ", with 2 attempts running; the next")],
)
def test_worker_that_cannot_leave_is_ended(
    running: int,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A timer ends it after the time for leaving: a database call can block without limit."""
    ended, codes = threading.Event(), list[int]()

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    monkeypatch.setattr("os._exit", end)
    with StopSignals.on_signals() as stop:
        stop.running, stop.within_s = lambda: running, lambda: -10.0
        signal.raise_signal(signal.SIGTERM)
        assert ended.wait(30)

    assert codes == [code]
    assert message in capfd.readouterr().err


def test_worker_that_was_asked_to_stop_is_not_ready() -> None:
    """A load balancer takes it out immediately, before the worker itself knows."""
    options: Any = None
    durable: Any = None
    worker: Any = SimpleNamespace(id="w", is_ready=True, running=0, ended=0)
    stop = StopSignals()
    run = working_module._WorkerRun(options, durable, stop)
    run._worker = worker

    before = run._state()["ready"]
    stop.is_requested = True

    assert (before, run._state()["ready"]) == (True, False)


def test_thread_that_hangs_does_not_keep_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of the engine can wait without limit; earlier threads are not ended."""
    codes, before, over = list[int](), set(threading.enumerate()), threading.Event()
    monkeypatch.setattr("os._exit", codes.append)
    monkeypatch.setattr(working_module, "_THREADS_S", 0.0)
    hanging = threading.Thread(target=over.wait)
    hanging.start()

    end_despite_threads(before | {hanging})
    end_despite_threads(before)
    over.set()
    hanging.join()
    end_despite_threads(before)

    assert codes == [0]


# As a process

_START = (
    "import runpy, signal; "
    # A runner in the background hands its children an ignored SIGINT.
    "signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('newsleopard_async.cli', run_name='__main__')"
)
_SILENT_APP = """
import os, anyio, httpx
from newsleopard_async import NewsLeopard
from newsleopard_async.durable import Durable

class Silent(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request):
        if request.method == "GET":
            return httpx.Response(200, json={"campaigns": [], "count": 0})
        await anyio.sleep_forever()

durable = Durable(
    os.environ["APP_URL"], clients=lambda account: NewsLeopard("k", http_transport=Silent())
)
"""


@contextmanager
def working(*arguments: str, folder: Path, **env: str) -> Iterator[subprocess.Popen[str]]:
    """Run a worker with a health server, and yield it after it has printed the URL."""
    with subprocess.Popen(
        [sys.executable, "-c", _START, "worker", "--json", "--health", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        cwd=folder,
        env=os.environ | {"NEWSLEOPARD_QUOTA": "process", "NEWSLEOPARD_LOG": "", **env},
        preexec_fn=die_with_parent,  # noqa: PLW1509  # it starts no thread
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def next_event(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Read a line."""
    assert process.stdout is not None
    event: dict[str, Any] = json.loads(process.stdout.readline())
    return event


def asked(url: str, until: Any) -> httpx.Response:
    """Ask until the answer is as it should be."""
    # One client without certificates: reading them takes longer than a request.
    with httpx.Client(verify=False) as client:  # noqa: S501  # it is the loopback
        while not until(answer := client.get(url)):
            pass
    return answer


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_worker_is_ready_and_leaves_at_sigterm(tmp_path: Path) -> None:
    """It writes lines of JSON, answers over HTTP, and ends with 0."""
    url = f"sqlite:///{tmp_path}/sends.db"
    with working("--url", url, folder=tmp_path, NEWSLEOPARD_API_KEY=KEY) as process:
        answers, takes = next_event(process), next_event(process)
        ready = asked(f"{answers['url']}/ready", lambda answer: answer.is_success)
        live = httpx.get(f"{answers['url']}/live")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)

    leaves, left = map(json.loads, out.splitlines())
    assert process.returncode == 0, err
    assert err == ""
    assert [each["event"] for each in (takes, leaves, left)] == [
        *("takes-attempts", "leaves", "has-left")
    ]
    assert ready.json() == {"id": takes["id"], "ready": True, "running": 0, "ended": 0}
    assert (live.status_code, live.json()) == (200, ready.json())
    assert (left["ended"], left["given_back"]) == (0, 0)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_second_signal_ends_a_worker_immediately(tmp_path: Path) -> None:
    """After the first signal a submit gets its answer, and the worker is not ready."""
    url = f"sqlite:///{tmp_path}/sends.db"
    (tmp_path / "silent_app.py").write_text(_SILENT_APP)

    async def start() -> None:
        async with Durable(url) as durable:
            lists = (ListSn("5f53d07eff19c195062524fa4697bde9"),)
            await durable.start_send(
                SendSpec(attrs.evolve(CAMPAIGN, lists=lists), balance=None), send_key="k"
            )

    anyio.run(start)
    with working("silent_app:durable", folder=tmp_path, APP_URL=url) as process:
        health = next_event(process)["url"]
        asked(f"{health}/ready", lambda answer: answer.json()["running"] == 1)
        asked(f"{health}/live", lambda _: _is_submitting(tmp_path / "sends.db"))
        process.send_signal(signal.SIGTERM)
        leaving = asked(f"{health}/ready", lambda answer: not answer.is_success)
        live = httpx.get(f"{health}/live")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

    assert leaving.status_code == 503
    assert (live.status_code, live.json()["running"]) == (200, 1)
    assert process.returncode == 130
    assert err.endswith(
        "newsleopard: ended immediately, with 1 attempt running; the next worker checks whether "
        "anything was submitted, and sends nothing twice.\n"
    )


def _is_submitting(file: Path) -> bool:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        [(data,)] = connection.execute("SELECT data FROM newsleopard_runs").fetchall() or [("",)]
    return '"submit"' in data
