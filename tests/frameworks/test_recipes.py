"""The programs of the recipes run as printed, against an emulator on a real socket."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import importlib
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import redis
import uvicorn
import yaml
from aiohttp.test_utils import TestServer

from newsleopard_async import NewsLeopard, Timeouts
from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.emulator.server import running
from newsleopard_async.stores import FileStore
from tests.constants import CAMPAIGN, KEY, ROOT
from tests.frameworks.driving import EXAMPLES, LONGEST_S, wait_until

if not EXAMPLES.exists():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)

pytestmark = pytest.mark.slow

SEND_KEY = "anniversary-2027"
PLACE = f"/campaigns/{SEND_KEY}"
CONTACTS = "EMAIL,NAME\nming@example.com,王小明\n"
ORDER = {"campaign": CAMPAIGN.to_dict(), "contacts": CONTACTS, "list_name": "週年慶會員"}


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


def becomes_done(read: Callable[[], Any]) -> None:
    """Wait until a send, as an application shows it, is done."""
    wait_until(lambda: read().get("state") not in (None, "running"))
    assert read()["state"] == "done"


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


def test_pods_of_several_nodes_share_store_and_rate_limits(
    emulator: Emulator,
    newsletter: tuple[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    postgres_url: str,
    redis_url: str,
) -> None:
    """With the variables that the page puts into the secret, the program counts in Redis."""
    page = (ROOT / "docs" / "recipes" / "kubernetes-cronjob.md").read_text("utf-8")
    printed = re.findall(r"--from-literal=(\w+)=", page)
    monkeypatch.delenv("NEWSLEOPARD_API_KEY")
    values = {
        "NEWSLEOPARD_API_KEY": KEY,
        "RUNS_URL": postgres_url,
        "NEWSLEOPARD_QUOTA_URL": redis_url,
    }
    for name in printed:
        monkeypatch.setenv(name, values[name])

    assert started("weekly_send") == 0

    assert sorted(printed) == sorted(values)
    assert emulator.submitted == 1
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() > 0


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


def test_celery_delivers_twice_and_again_after_a_while_and_sends_once(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job whose key another worker has is delivered again a minute later."""
    monkeypatch.setenv("BROKER_URL", "memory://")
    from celery import signals
    from celery.contrib.testing.worker import start_worker

    module = importlib.import_module("celery_send")
    ended: list[str] = []
    retried: list[Any] = []
    hears = {"weak": False}
    signals.task_success.connect(lambda result, **_: ended.append(result), **hears)
    signals.task_retry.connect(lambda reason, **_: retried.append(reason), **hears)

    with start_worker(module.app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        with held("celery-2027"):
            started("celery_send")
            wait_until(lambda: retried)
        started("celery_send")
        started("celery_send")
        wait_until(lambda: len(ended) == 2)

    assert ended == [emulator.campaigns[0].sn] * 2
    assert emulator.submitted == 1
    [reason] = retried
    assert (type(reason.exc).__name__, reason.when) == ("InUse", 60)


def test_taskiq_delivers_twice_and_again_after_a_while_and_sends_once(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job whose key another worker has is scheduled for a minute later."""
    monkeypatch.setenv("ENVIRONMENT", "pytest")
    module = importlib.import_module("taskiq_send")
    scheduled: list[Any] = []

    async def keep(task: Any) -> None:
        scheduled.append(task)

    monkeypatch.setattr(module.later, "add_schedule", keep)

    with held("taskiq-2027"):
        asyncio.run(module.main())
    asyncio.run(module.main())
    asyncio.run(module.main())

    [again] = scheduled
    assert (again.task_name, again.args[0]) == ("taskiq_send:send", "taskiq-2027")
    assert 50 < (again.time - datetime.now(UTC)).total_seconds() < 60
    assert emulator.submitted == emulator.count("submit_campaign") == 1


def test_apscheduler_sends_at_the_time_and_a_second_process_sends_nothing(
    emulator: Emulator,
) -> None:
    """Two processes with the same plan send once, and each ends when it is cancelled."""
    module = importlib.import_module("apscheduler_send")

    async def drive() -> None:
        at = datetime.now(UTC)
        both = [asyncio.create_task(module.main(at)) for _ in range(2)]
        while not emulator.submitted:  # noqa: ASYNC110 - the platform has no event for it
            await asyncio.sleep(0.01)
        for each in both:
            each.cancel()
        await asyncio.wait(both)

    asyncio.run(drive())

    assert emulator.submitted == emulator.count("submit_campaign") == 1


def test_django_sends_in_its_own_loop_and_stops_it_at_the_end(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Synchronous views start and show a send; the end of the process ends the thread."""
    from django.test import Client

    importlib.import_module("django_send")
    at_exit: list[Callable[[], None]] = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    http = Client()

    unknown = http.get(PLACE)
    refused = http.put(PLACE, {"campaign": {}}, content_type="application/json")
    for _ in range(2):
        http.put(PLACE, ORDER, content_type="application/json")
    becomes_done(lambda: http.get(PLACE).json())
    http.put(PLACE, ORDER, content_type="application/json")
    names = [each.name for each in threading.enumerate()]
    [stop] = at_exit
    stop()

    assert (unknown.status_code, refused.status_code) == (404, 422)
    assert "subject: is missing" in refused.text
    assert emulator.submitted == emulator.count("submit_campaign") == 1
    assert names.count("newsleopard") == 1
    assert "newsleopard" not in [each.name for each in threading.enumerate()]


def test_small_fastapi_application_sends_once(emulator: Emulator) -> None:
    """Requests start, show and repeat a send; a stop of the server ends the lifespan."""
    module = importlib.import_module("fastapi_send")

    async def drive() -> list[int]:
        server = uvicorn.Server(uvicorn.Config(module.app, log_config=None, lifespan="on"))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with httpx.AsyncClient(base_url=url, timeout=LONGEST_S) as http:
                statuses = await asked(http)
            server.should_exit = True
            await serving
        return statuses

    assert asyncio.run(drive()) == [404, 422, 202, 202]
    assert emulator.submitted == emulator.count("submit_campaign") == 1


def test_small_aiohttp_application_sends_once(emulator: Emulator) -> None:
    """Requests start, show and repeat a send; a stop of the server ends its context."""
    module = importlib.import_module("aiohttp_send")

    async def drive() -> list[int]:
        async with TestServer(module.build()) as server:
            url = str(server.make_url("/"))
            async with httpx.AsyncClient(base_url=url, timeout=LONGEST_S) as http:
                assert (await http.put(PLACE, content="{")).status_code == 400
                return await asked(http)

    assert asyncio.run(drive()) == [404, 422, 202, 202]
    assert emulator.submitted == emulator.count("submit_campaign") == 1


async def asked(http: httpx.AsyncClient) -> list[int]:
    """Ask an application for a send that does not exist, is wrong, and is right, twice."""
    answers = [await http.get(PLACE)]
    answers += [await http.put(PLACE, json=body) for body in ({}, ORDER, ORDER)]
    while '"done"' not in (await http.get(PLACE)).text:  # noqa: ASYNC110 - a browser asks too
        await asyncio.sleep(0.01)
    return [each.status_code for each in answers]


def test_mail_from_mjml_has_every_placeholder_of_its_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Jinja2, MJML and css-inline leave them alone, also in URLs; the check has no warning."""
    template = (EXAMPLES / "anniversary.mjml").read_text("utf-8")
    (tmp_path / "anniversary.mjml").write_text(template, "utf-8")
    monkeypatch.chdir(tmp_path)

    status = started("mail_from_mjml")

    mail = Path("anniversary.html").read_text("utf-8")
    placeholder = re.compile(r"\$\{\w+\}")
    assert sorted(placeholder.findall(mail)) == sorted(placeholder.findall(template))
    assert 'href="https://shop.example/?store=${STORE}&amp;from=%E9%9B%BB' in mail
    assert 'class="price" style="color: #c00' in mail
    assert "杯子 &amp; 盤子" in mail
    assert "NT$100" in mail
    assert "@media" in mail
    assert "<!--[if mso" in mail
    assert status == 0
    assert re.findall(r"html: ([a-z-]+):", capsys.readouterr().out) == ["placeholder-in-url"]
