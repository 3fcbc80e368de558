"""`EmulatorControl`, the client of an emulator in another process."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx
import pytest

from newsleopard_async.emulator import (
    ControlOptions,
    Emulator,
    EmulatorClock,
    EmulatorControl,
    EmulatorControlError,
    Switches,
    views,
)
from newsleopard_async.emulator.controls import Controls
from newsleopard_async.emulator.sandbox import package_version
from newsleopard_async.emulator.server import running
from tests.constants import START
from tests.emulator.api import BODY, Api, changed, rows
from tests.emulator.sandbox.control_api import ControlApi, transport_to

pytestmark = pytest.mark.anyio

URL = "http://localhost:8025"
TOKEN = "a-token-of-24-characters"


def make(**switches: Any) -> Emulator:
    """Create an emulator with a held clock."""
    quick = Switches(requests_per_s=None, send_base_s=0.0, bounce_share=0.0, **switches)
    return Emulator(clock=EmulatorClock(START, is_held=True), switches=quick)


@asynccontextmanager
async def control(emulator: Emulator | None = None) -> AsyncIterator[EmulatorControl]:
    """Return a client of an emulator in this process."""
    transport = transport_to(emulator or make())
    async with EmulatorControl(URL, transport=transport) as found:
        yield found


def answering(status: int = 200, **content: Any) -> httpx.MockTransport:
    """Return a transport that gives one answer to all requests."""
    return httpx.MockTransport(lambda _: httpx.Response(status, **content))


@pytest.mark.parametrize(
    "name", [name for name in vars(Controls) if not name.startswith("_")]
)  # fmt: skip
async def test_what_goes_wrong_has_the_same_names_and_arguments(name: str) -> None:
    """The methods of `EmulatorControl` have the arguments of those of `Emulator`."""
    here, there = vars(Controls)[name], vars(EmulatorControl)[name]

    assert inspect.iscoroutinefunction(there)
    if not isinstance(here, property):
        assert [*inspect.signature(here).parameters] == [*inspect.signature(there).parameters]


async def test_each_fault_is_set() -> None:
    """They are shown in the order in which they were set."""
    async with control() as there:
        for name in ("not_sent", "drop_request", "lose_reply_to", "cut_body", "garbage"):
            await getattr(there, name)("upload", times=2)
        await there.delay("upload", seconds=1.5)
        await there.hang("upload", processed=False)
        await there.fail("upload", 503, body=b"{}")
        await there.throttle(retry_after=2)
        found = await there.pending_faults()
        await there.clear_faults()
        left = await there.pending_faults()

    assert [(each.operation, each.kind, each.times) for each in found] == [
        ("upload", "not_sent", 2),
        ("upload", "drop_request", 2),
        ("upload", "lose_reply", 2),
        ("upload", "cut_body", 2),
        ("upload", "garbage", 2),
        ("upload", "delay", 1),
        ("upload", "hang", 1),
        ("upload", "answer", 1),
        (None, "throttle", 1),
    ]
    assert left == ()


async def test_scripts_and_switches_are_set() -> None:
    """The scripts are shown, and switches are set by name."""
    async with control() as there:
        await there.stick_import(2)
        await there.script_import("ERROR")
        await there.script_campaign("OVER_LIMIT")
        await there.exhaust_day(resets_in_s=50)
        scripts = await there.scripts()
        await there.switch(open_share=0.5, verified_senders=("@a.example",))
        switches = {each.name: each.value for each in await there.switches()}

    assert (scripts.stuck_imports, scripts.imports) == (2, ("ERROR",))
    assert scripts.campaigns == ("OVER_LIMIT",)
    assert scripts.day_exhausted_s is not None
    assert switches["open_share"] == 0.5
    assert switches["verified_senders"] == ("@a.example",)


async def test_day_that_is_used_up_is_not_cleared_but_given_back() -> None:
    """`clear_faults` clears only faults and scripts that have not occurred yet."""
    async with control() as there:
        await there.exhaust_day()
        await there.clear_faults()
        kept = (await there.scripts()).day_exhausted_s
        await there.exhaust_day(resets_in_s=0)
        left = (await there.scripts()).day_exhausted_s

    assert kept is not None
    assert left is None


async def test_newest_comes_first() -> None:
    """The emulator itself returns the oldest first."""
    emulator = make()
    async with control(emulator) as there:
        await there.add_list("old")
        await there.add_list("new")
        found = await there.lists()

    assert [each.name for each in found] == ["new", "old"]
    assert [each.name for each in emulator.lists] == ["old", "new"]


async def test_mails_are_found_read_and_reacted_to() -> None:
    """All pages are read, and each mail has its content."""
    emulator = make(open_share=0.0)
    opened = ControlApi(emulator)
    list_sn = await opened.fill(1_100)
    sn = await opened.send(BODY, list_sn)
    async with control(emulator) as there:
        mails = await there.outbox(is_oldest_first=True)
        mail = await there.wait_for_mail(to="u7@example.com")
        await there.react("u7@example.com", "click", campaign_sn=sn)
        clicked = await there.outbox(event="click")
        file = await there.mail_file(mail.id)
        [campaign] = await there.campaigns()
        whole = await there.campaign(sn)
        contacts = await there.contacts(list_sn=list_sn)

    assert len({each.id for each in mails}) == len(mails) == len(contacts) == 1_100
    assert isinstance(mail, views.MailView)
    assert mail.to == "u7@example.com"
    assert [each.id for each in clicked] == [mail.id]
    assert clicked[0].events["click"] == emulator.clock.now()
    assert b"u7@example.com" in file
    assert (campaign.sn, whole.counts["delivery"]) == (sn, 1_100)


async def test_time_is_held_moved_and_run() -> None:
    """The time is moved by seconds or to an instant."""
    async with control() as there:
        first = await there.advance(60)
        second = await there.advance(until=START + timedelta(days=1))
        run = await there.run(speed=2.0)
        hold = await there.hold()

    assert first.now == START + timedelta(seconds=60)
    assert second.now == START + timedelta(days=1)
    assert (run.is_held, run.speed, hold.is_held) == (False, 2.0, True)


async def test_account_is_filled_shown_and_reset() -> None:
    """All views are returned as objects of their classes."""
    emulator = make(import_base_s=0.0)
    async with control(emulator) as there:
        made = await there.add_list("名單")
        template = await there.add_template("範本", "<p>")
        await there.set_balance(5)
        await there.snapshot("filled")
        async with Api(emulator) as api:
            await api.import_text(rows(2) + "absent,x\n", made.sn)
        await there.advance(60)
        await there.exclude("u1@example.com")
        [job] = await there.imports()
        contact = await there.contact("u1@example.com")
        [request] = await there.requests(operation="import_text", has_fault=False, status=200)
        account = await there.account()

        assert (await there.lists())[0].excluded == 1
        assert await there.templates() == (template,)
        assert await there.balance() == 5
        assert (await there.import_job(job.sn)).rejected_rows[0][0] == "absent"
        assert b"absent" in await there.rejected_rows(job.sn)
        assert contact.lists == (made.sn,)
        assert [each.email for each in await there.exclusions()] == ["u1@example.com"]
        assert "absent" in (await there.request(request.id)).body
        assert await there.webhooks() == await there.deliver_webhooks() == ()
        assert (account.lists, account.contacts, account.balance) == (1, 2, 5)

        await there.reset()
        assert (await there.account()).lists == 0
        await there.restore("filled")
        assert [each.sn for each in await there.lists()] == [made.sn]
        await there.forget_snapshot("filled")
        assert await there.snapshots() == ()


async def test_wrong_value_names_its_field() -> None:
    """The error has the problems and the status of the answer."""
    async with control() as there:
        with pytest.raises(EmulatorControlError, match="did you mean open_share") as caught:
            await there.switch(open_shar=1)
        with pytest.raises(EmulatorControlError, match="mail 'x'") as missing:
            await there.mail("x")
        with pytest.raises(ValueError, match="time zone"):
            await there.advance(until=datetime(2027, 1, 1))  # noqa: DTZ001  # that is the point

    assert caught.value.status == 400
    assert [each.field for each in caught.value.problems] == ["open_shar"]
    assert missing.value.status == 404


async def test_mail_that_does_not_come_is_explained() -> None:
    """The message has the reason and the emulator's time."""
    async with control() as there:
        with pytest.raises(TimeoutError, match=r"no campaign was submitted; .* is held"):
            await there.wait_for_mail(to="absent@", timeout_s=0)


async def test_mail_that_comes_later_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search is repeated until the mail is sent."""
    monkeypatch.setattr("newsleopard_async.emulator.sandbox.control_client.POLL_S", 0.001)
    opened = ControlApi(make())
    list_sn = await opened.fill(1)
    async with control(opened.emulator) as there, anyio.create_task_group() as tasks:
        tasks.start_soon(opened.send, changed(BODY, {"form.name": "later"}), list_sn)
        mail = await there.wait_for_mail(text="u0@")

    assert mail.campaign_name == "later"


@pytest.mark.parametrize(
    "transport",
    [
        answering(403, json={"message": "Forbidden"}),
        answering(200, text="<html>"),
        answering(200, json={"status": "ok"}),
        answering(404, json={"error": "not found"}),
        answering(302, headers={"location": "/login"}),
    ],
)
async def test_other_server_is_reported(transport: httpx.MockTransport) -> None:
    """The check is made when the context is entered, and the message names the option."""
    with pytest.raises(EmulatorControlError, match=r"is not an emulator with a control API.*--con"):
        async with EmulatorControl(URL, transport=transport):
            pass


async def test_other_version_is_reported_in_errors() -> None:
    """The versions are in the message if an endpoint is missing or an answer has another format."""
    health = {"status": "ok", "version": "0.0.9", "profile": "documented", "now": "2026-01-01T00Z"}
    missing = {"error": {"message": "Nothing is there.", "problems": []}}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/health"):
            return httpx.Response(200, json=health)
        if request.url.path.endswith("/clock"):
            return httpx.Response(200, json={"time": 1})
        return httpx.Response(404, json=missing)

    async with EmulatorControl(URL, transport=httpx.MockTransport(answer)) as there:
        with pytest.raises(EmulatorControlError, match=r"Nothing is there. .*version 0\.0\.9"):
            await there.lists()
        with pytest.raises(EmulatorControlError, match=r"unknown format.*version 0\.0\.9"):
            await there.clock()


async def test_missing_server_is_reported_with_the_way_out() -> None:
    """The message has the URL and the command."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    def stall(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("")

    with pytest.raises(EmulatorControlError, match=r"localhost:8025 .*newsleopard emulator"):
        async with EmulatorControl(URL, transport=httpx.MockTransport(refuse)):
            pass
    with pytest.raises(EmulatorControlError, match="did not answer: ReadTimeout") as caught:
        async with EmulatorControl(URL, transport=httpx.MockTransport(stall)):
            pass
    assert caught.value.status is None


@pytest.mark.parametrize("url", ["localhost:8025", "127.0.0.1", "ftp://x", "http://", ""])
async def test_invalid_url_is_refused(url: str) -> None:
    """The message contains a correct URL."""
    with pytest.raises(ValueError, match=r"^url: .*http://127\.0\.0\.1:8025"):
        EmulatorControl(url)


@pytest.mark.parametrize(
    ("url", "token"), [(URL, TOKEN), (f"{URL}/?token={TOKEN}", None), (f"{URL}/", TOKEN)]
)
async def test_token_goes_along_and_nowhere_else(url: str, token: str | None) -> None:
    """The URL that a server prints is enough, and no error contains the token."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(500)

    transport = httpx.MockTransport(answer)
    with pytest.raises(EmulatorControlError) as caught:
        async with EmulatorControl(url, token=token, transport=transport):
            pass

    assert seen[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert str(seen[0].url) == f"{URL}/_emulator/health"
    assert TOKEN not in str(caught.value)


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """Serve an emulator on a real socket."""
    with running(make(), control=ControlOptions(token=TOKEN)) as url:
        yield url


@pytest.mark.slow
async def test_emulator_behind_a_socket_is_driven(
    served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client works next to the platform's API, and ignores a proxy of the environment."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with (
        EmulatorControl(served) as there,
        httpx.AsyncClient(
            base_url=served, headers={"x-api-key": "test-key"}, trust_env=False
        ) as api,
    ):
        await there.reset()
        await there.lose_reply_to("create_list")
        with pytest.raises(httpx.RemoteProtocolError):
            await api.post("/v1/contacts/lists/insert", json={"name": "x"})
        [request] = await there.requests()
        made = await there.lists()

    assert (request.fault, request.status) == ("lose_reply", None)
    assert [each.name for each in made] == ["x"]


async def test_package_that_is_not_installed_has_a_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The version is "unknown", without an error."""
    from importlib import metadata

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)

    assert package_version() == "unknown"
    async with control() as there:
        assert (await there.health()).now == START.astimezone(UTC)
