"""Server-sent events: a page is notified of all changes, including those by time alone."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

from newsleopard_async.emulator import Emulator, EmulatorClock, Switches
from newsleopard_async.emulator.sandbox import events
from newsleopard_async.emulator.sandbox.events import ChangeNotifier, event_stream
from newsleopard_async.emulator.server import running
from tests.constants import START
from tests.emulator.api import BODY, Api
from tests.emulator.sandbox.control_api import ControlApi

pytestmark = pytest.mark.anyio


def make() -> Emulator:
    """Create an emulator with a held clock."""
    switches = Switches(requests_per_s=None, mails_per_s=1.0, open_delay_s=60.0, open_share=1.0)
    return Emulator(clock=EmulatorClock(START, is_held=True), switches=switches)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare the state at each poll, without pauses."""
    monkeypatch.setattr(events, "PAUSE_S", 0.0)
    monkeypatch.setattr(events, "POLL_S", 0.0)


@asynccontextmanager
async def heard(notifier: ChangeNotifier) -> AsyncIterator[Any]:
    """Listen, and return a function that returns the next text of the stream."""
    answer: Any = event_stream(notifier)
    pieces = answer.body_iterator
    try:
        yield pieces.__anext__
    finally:
        await pieces.aclose()


def counter_in(text: str) -> int:
    """Read one event."""
    name, data = text.splitlines()[:2]
    assert name == "event: change"
    return int(json.loads(data.removeprefix("data: "))["counter"])


async def test_change_of_each_kind_is_sent(at_once: None) -> None:
    """Changes by a test, by the control API, by the platform's API and of the clock."""
    emulator = make()
    opened = ControlApi(emulator)
    async with heard(ChangeNotifier(emulator)) as next_text, Api(emulator) as api:
        assert await next_text() == "retry: 1000\n\n"
        last = counter_in(await next_text())
        changes: list[Any] = [
            lambda: emulator.garbage("upload"),
            lambda: emulator.clock.advance(5),  # type: ignore[attr-defined]  # an EmulatorClock
            lambda: opened.do("DELETE", "/faults"),
            lambda: opened.do("POST", "/clock/run", {"speed": 0.001}),
            lambda: opened.do("POST", "/clock/hold"),
            lambda: api.get("/v1/contacts/lists"),
            emulator.reset,
        ]
        for change in changes:
            made = change()
            if made is not None:
                await made
            counter = counter_in(await next_text())
            assert counter > last
            last = counter


async def test_end_of_a_request_that_only_reads_is_sent(at_once: None) -> None:
    """The request changes no state, but the page shows its duration."""
    emulator = make()
    async with Api(emulator) as api:
        await api.get("/v1/contacts/lists")
    [record] = emulator.requests
    took, record.duration_ms = record.duration_ms, None  # as before the end of the request
    notifier = ChangeNotifier(emulator)
    before = await notifier.counter()

    record.duration_ms = took

    assert await notifier.counter() == before + 1


async def test_change_by_time_alone_is_sent(at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mails are sent and opened without a request; after that, no event is sent."""
    monkeypatch.setattr(events, "COMMENT_S", 0.0)
    emulator = make()
    opened = ControlApi(emulator)
    list_sn = await opened.fill(3)
    async with Api(emulator) as api:
        await api.submit(BODY, list_sn)
    async with heard(ChangeNotifier(emulator)) as next_text:
        await next_text()
        counter_in(await next_text())
        assert await next_text() == ": nothing new\n\n"
        for seconds in (60, 3_600):
            emulator.clock.advance(seconds)  # type: ignore[attr-defined]  # an EmulatorClock
            counter_in(await next_text())
            assert await next_text() == ": nothing new\n\n"

    assert len(emulator.outbox) == 3


async def test_listeners_share_the_comparison() -> None:
    """The state is compared at most five times per second, for any number of listeners."""
    emulator = make()
    notifier = ChangeNotifier(emulator)
    first = await notifier.counter()
    emulator.garbage("upload")

    again = [await notifier.counter() for _ in range(100)]

    assert len(set(again)) <= 2
    assert again[0] >= first


async def test_one_listener_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A place is free again as soon as its listener has ended, for any reason."""
    monkeypatch.setattr(events, "MOST_LISTENERS", 1)
    emulator = make()
    notifier = ChangeNotifier(emulator)
    opened = ControlApi(emulator)
    gone = anyio.Event()

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        assert notifier.listeners == 1

    async def listen() -> None:
        scope = {"type": "http", "method": "GET", "headers": []}
        await event_stream(notifier)(scope, receive, send)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(events.TooManyListeners):
                event_stream(notifier)
            gone.set()

    assert notifier.listeners == 0
    monkeypatch.setattr(events, "MOST_LISTENERS", 0)
    assert (await opened.refused("GET", "/events"))[0] == 429


async def test_head_of_the_stream_ends() -> None:
    """A HEAD request does not listen."""
    with anyio.fail_after(10):
        answer = await ControlApi(make()).ask("HEAD", "/events")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Emulator, str]]:
    """Serve an emulator on a real socket."""
    emulator = make()
    with running(emulator) as url:
        yield emulator, url


@pytest.mark.slow
def test_changes_are_sent_over_a_socket(served: tuple[Emulator, str]) -> None:
    """A client on a socket receives them, including those of another thread."""
    emulator, url = served
    counters = []
    with (
        httpx.Client(trust_env=False, timeout=10) as http,
        http.stream("GET", f"{url}/_emulator/events") as stream,
    ):
        lines = stream.iter_lines()
        for change in (None, "control", "thread"):
            if change == "control":
                httpx.post(f"{url}/_emulator/clock/advance", json={"seconds": 1}, trust_env=False)
            elif change == "thread":
                emulator.garbage("upload")
            data = next(line for line in lines if line.startswith("data: "))
            counters.append(json.loads(data[6:])["counter"])

    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "no-store"
    assert counters == sorted(set(counters))


@pytest.mark.slow
def test_stream_ends_when_the_server_stops() -> None:
    """The stream ends within a second, even with open listeners."""
    with httpx.Client(trust_env=False, timeout=10) as http:
        with running(make()) as url:
            answer = http.send(http.build_request("GET", f"{url}/_emulator/events"), stream=True)
            began = time.monotonic()
        took_s = time.monotonic() - began
        with pytest.raises(httpx.HTTPError):
            for _ in answer.iter_raw():
                pass

    assert took_s < 1
