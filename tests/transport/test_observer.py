"""An intent is valid for 5 s: what has not begun to leave by then is not sent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import anyio
import attrs
import httpcore
import pytest

from newsleopard_async import ConnectionFailed, RetryPolicy, with_lists
from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.server import running
from newsleopard_async.models.options import Timeouts
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.body import BytesBody
from newsleopard_async.transport.limits.windows import Slot
from newsleopard_async.transport.request import Request
from tests.clients import connected
from tests.constants import CAMPAIGN, KEY, ROOT
from tests.observers import RecordingObserver
from tests.transport.file_storage import CSV, make_storage
from tests.transport.loopback import answering, http, serve
from tests.transport.scripted import READ, SUBMIT, Scripted, json_answer, make_api

pytestmark = pytest.mark.anyio

ACCEPTED = json_answer(200, {"sn": "c0de"})
NOT_SENT_THEN_SENT = ["on_sending", "on_failed ConnectionFailed", "on_sending", "on_accepted c0de"]


class SleepingMachine(ManualClock):
    """A clock of a machine that can be suspended: its monotonic clock stands still then."""

    def __init__(self) -> None:
        super().__init__()
        self.slept_s = 0.0
        self.set_back_s = 0.0

    def now(self) -> datetime:
        """Return the wall clock's time."""
        return super().now() + timedelta(seconds=self.slept_s - self.set_back_s)

    def uptime(self) -> float:
        """Count the sleep, too."""
        return super().uptime() + self.slept_s


def once(happens: Any) -> RecordingObserver:
    """Observe, and let something happen while the first intent is stored."""
    left = [happens]

    async def hook(said: str) -> None:
        if said == "on_sending" and left:
            await left.pop()()

    return RecordingObserver(hook=hook)


@pytest.mark.quick
@pytest.mark.parametrize("ours", [True, False], ids=["own connection", "transport of the caller's"])
@pytest.mark.parametrize(
    "what", ["slow store", "suspended", "set back", "wall stepped", "in time", "at the end"]
)
async def test_what_is_late_is_not_sent_and_is_tried_again_with_a_new_intent(
    what: str, ours: bool
) -> None:
    """The mark is taken before the intent is stored, on clocks that count what stood still."""
    clock = SleepingMachine()

    async def happens() -> None:
        match what:
            case "slow store":
                await clock.sleep(5.1)
            case "suspended":
                clock.slept_s += 3600
            case "set back":
                clock.slept_s, clock.set_back_s = 3600, 7200
            case "wall stepped":
                clock.set_back_s = -6
            case "in time":
                clock.slept_s += 4.9
            case _:
                await clock.sleep(5)

    observer = once(happens)
    async with serve(answering(http(200, b'{"sn": "c0de"}'))) as server:
        transport = None if ours else Scripted(ACCEPTED)
        api = make_api(transport, clock=clock, base_url=server.url)
        assert await api.call(SUBMIT, observer=observer) == "c0de"
        await api.pools.aclose()
        sent = len(server.seen) if transport is None else len(transport.sent)

    is_late = what not in {"in time", "at the end"}
    assert observer.told == NOT_SENT_THEN_SENT[0 if is_late else 2 :]
    assert sent == 1
    assert api.limiter.usage.used == 1


@pytest.fixture
def nap(monkeypatch: pytest.MonkeyPatch) -> SleepingMachine:
    """Suspend the machine while the first connection is made."""
    clock, naps = SleepingMachine(), [3600.0]
    for backend in (httpcore.AnyIOBackend, httpcore.TrioBackend):
        connect = backend.connect_tcp

        async def connect_asleep(*given: Any, connect: Any = connect, **options: Any) -> Any:
            stream = await connect(*given, **options)
            clock.slept_s += naps.pop() if naps else 0
            return stream

        monkeypatch.setattr(backend, "connect_tcp", connect_asleep)
    return clock


async def no_store() -> None:
    """Fail to store an intent."""
    raise OSError("disk full")


@pytest.mark.quick
@pytest.mark.parametrize(
    ("renewal", "told"),
    [
        ("stored", ["on_sending", "on_sending", "on_accepted c0de"]),
        ("slow", ["on_sending", "on_sending", *NOT_SENT_THEN_SENT[1:]]),
        ("refused", ["on_sending", *NOT_SENT_THEN_SENT[1:]]),
        ("not observed", []),
    ],
)
async def test_connection_that_took_long_gets_a_new_intent(
    renewal: str, told: list[str], nap: SleepingMachine
) -> None:
    """It is stored once the connection is up, or nothing is sent; no intent needs no renewal."""
    happens: list[Any] = []
    if renewal == "slow":
        happens = [partial(nap.sleep, 6), partial(nap.sleep, 0)]
    elif renewal == "refused":
        happens = [no_store, partial(nap.sleep, 0)]

    async def hook(said: str) -> None:
        if said == "on_sending" and happens:
            await happens.pop()()

    observer = RecordingObserver(hook=hook)
    async with serve(answering(http(200, b'{"sn": "c0de"}'))) as server:
        api = make_api(None, clock=nap, base_url=server.url)
        await api.call(SUBMIT, observer=None if renewal == "not observed" else observer)
        await api.pools.aclose()

    assert observer.told == told
    assert len(server.heads) == 1


@pytest.mark.quick
async def test_renewal_of_an_intent_is_cancelled_at_once(nap: SleepingMachine) -> None:
    """Nothing has left, and the intent is taken back."""
    happens: list[Any] = [anyio.sleep_forever, partial(nap.sleep, 0)]

    async def hook(said: str) -> None:
        if said == "on_sending":
            await happens.pop()()

    observer = RecordingObserver(hook=hook)
    async with serve(answering(http(200, b'{"sn": "c0de"}'))) as server:
        api = make_api(None, clock=nap, base_url=server.url)
        with nap.deadline(5) as scope:
            await api.call(SUBMIT, observer=observer)
        await api.pools.aclose()

    assert scope.cancelled_caught
    assert observer.told == ["on_sending", "on_failed ConnectionFailed"]
    assert server.heads == []


@pytest.mark.quick
async def test_file_does_not_leave_while_the_store_hangs(nap: SleepingMachine) -> None:
    """A new intent that was not stored in time counts as none, however short that time is."""
    storage = attrs.evolve(make_storage(clock=nap), timeouts=Timeouts(submit_s=4))
    happens: list[Any] = [partial(nap.sleep, 0), anyio.sleep_forever, partial(nap.sleep, 0)]

    async def hook(said: str) -> None:
        if said == "on_sending":
            await happens.pop()()

    observer = RecordingObserver(hook=hook)
    async with serve(answering(http(200))) as server:
        await storage.put_once(server.url + "/f?x=1", BytesBody(CSV), observer=observer)
        await storage.pools.aclose()

    assert observer.told == [
        "on_sending",
        "on_failed StorageError",
        "on_sending",
        "on_accepted None",
    ]
    assert len(server.heads) == 1


async def test_file_that_sends_does_not_leave_under_an_old_intent() -> None:
    """The upload of a campaign that is sent once keeps to the same rule."""
    clock = SleepingMachine()
    storage = make_storage(clock=clock)

    async def happens() -> None:
        clock.slept_s += 6

    observer = once(happens)
    async with serve(answering(http(200))) as server:
        await storage.put_once(server.url + "/f?x=1", BytesBody(CSV), observer=observer)
        await storage.pools.aclose()

    assert observer.told[1:] == ["on_failed StorageError", "on_sending", "on_accepted None"]
    assert len(server.heads) == 1


async def test_error_says_that_nothing_was_sent_and_why() -> None:
    """Through the face, with a store that is slow at every attempt."""

    async def store(said: str) -> None:
        if said == "on_sending":
            await bench.clock.sleep(7)

    async with connected(retry=RetryPolicy(max_attempts=2)) as bench:
        observer, sn = RecordingObserver(hook=store), await bench.make_list()
        with pytest.raises(ConnectionFailed, match=r"valid for 5 s, was 7\.0 s old") as caught:
            await bench.nl.campaigns.submit(with_lists(CAMPAIGN, [sn]), observer=observer)

        assert caught.value.reason == "timeout"
        assert bench.emulator.campaigns == ()
        assert bench.wire.count("submit_campaign") == 0
        assert observer.told == NOT_SENT_THEN_SENT[:2] * 2


@pytest.mark.quick
@pytest.mark.parametrize("ours", [True, False], ids=["own connection", "transport of the caller's"])
@pytest.mark.parametrize("request_", [READ, SUBMIT], ids=str)
async def test_expired_slot_is_not_used(
    request_: Request[Any], ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process has possibly used the slot, so the request asks for a new one."""
    asked: list[Slot] = []

    def is_good(slot: Slot) -> bool:
        if slot not in asked:
            asked.append(slot)
        # It is good when the request is handed over, and over when the connection is up.
        return len(asked) > 1 or (ours and server.connections == 0)

    monkeypatch.setattr(Slot, "is_good", is_good)
    async with serve(answering(http(200, b'{"sn": "c0de"}'))) as server:
        api = make_api(None if ours else Scripted(ACCEPTED), base_url=server.url)
        await api.result(request_)
        await api.pools.aclose()

    assert len(asked) == 2
    assert len(server.heads) == (1 if ours else 0)
    assert api.limiter.usage.used == 1


CHILD = """
import sys, anyio
from newsleopard_async import ConnectionFailed, NewsLeopard, RetryPolicy
from tests.constants import KEY

class Observer:
    async def on_sending(self):
        print("intent", flush=True)
        sys.stdin.readline()
    async def on_accepted(self, model):
        print("accepted", flush=True)
    async def on_failed(self, error):
        print(type(error).__name__, flush=True)

async def main():
    async with NewsLeopard(KEY, base_url=sys.argv[1], retry=RetryPolicy(max_attempts=2)) as nl:
        await nl.contacts.create_list('週年慶', observer=Observer())

anyio.run(main, backend=sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_process_that_was_stopped_before_the_first_byte_sends_nothing_when_it_wakes(
    backend: str,
) -> None:
    """It removes its intent and stores a new one, which other processes can refuse."""
    emulator = Emulator(api_keys=(KEY,))
    with running(emulator) as url:
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, url, backend],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "intent\n"
            os.kill(process.pid, signal.SIGSTOP)
            process.stdin.write("\n\n")
            process.stdin.flush()
            time.sleep(5.2)  # a stopped process has no clock that a test could hold
            assert emulator.lists == ()
            os.kill(process.pid, signal.SIGCONT)
            heard = [line.strip() for line in process.stdout]

    assert process.returncode == 0
    assert heard == ["ConnectionFailed", "intent", "accepted"]
    assert emulator.count("create_list") == len(emulator.lists) == 1
