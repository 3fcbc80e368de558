"""Each pipeline, cancelled at each of its awaits, leaves nothing behind and sends at most once."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import attrs
import httpx
import pytest

from newsleopard_async import CampaignSn, NewsLeopard, RateLimits, with_lists, workflows
from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.testing import ManualClock
from newsleopard_async.workflows import Event
from tests.support import CAMPAIGN, KEY, connected, csv_of, files_in

FAST = RateLimits(windows=[(1_000, 1), (10_000, 86_400)])
TWO_FILES = Switches(open_share=0.0, bounce_share=0.3)
SMALL, LARGE = csv_of(3), csv_of(101)


@attrs.define(eq=False)
class Tripwire:
    """Counts the awaits of a pipeline, and cancels it at one of them.

    Attributes:
        at: At which; None lets it run, to count.
        cancel: How; set once the pipeline runs.
        passed: How many awaits there were so far.
    """

    at: int | None = None
    cancel: Callable[[], object] = lambda: None
    passed: int = 0
    is_armed: bool = False

    def touch(self) -> None:
        """Pass an await."""
        if self.is_armed:
            if self.passed == self.at:
                self.cancel()
            self.passed += 1


class TrippingClock(ManualClock):
    """A clock of which each sleep is two awaits: its beginning and its end."""

    def __init__(self, wire: Tripwire) -> None:
        super().__init__()
        self._wire = wire

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        self._wire.touch()
        await super().sleep(seconds)
        self._wire.touch()


class TrippingTransport(httpx.AsyncBaseTransport):
    """A transport of which each exchange is two awaits: the request and its answer."""

    def __init__(self, inner: httpx.AsyncBaseTransport, wire: Tripwire) -> None:
        self._inner = inner
        self._wire = wire

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on."""
        self._wire.touch()
        response = await self._inner.handle_async_request(request)
        self._wire.touch()
        return response


@attrs.frozen(kw_only=True)
class Room:
    """What a pipeline works with in a trial.

    Attributes:
        folder: Where it downloads to.
        before: Campaigns that were sent before.
    """

    nl: NewsLeopard
    emulator: Emulator
    folder: Path
    before: list[CampaignSn] = attrs.field(factory=list)

    async def prepare(self) -> None:
        """Send a campaign that can be exported."""
        sn = await self.nl.contacts.create_list("before")
        await self.nl.contacts.import_text(csv_of(20), sn)
        await self.nl.clock.sleep(60)
        self.before.append(await self.nl.campaigns.submit(with_lists(CAMPAIGN, [sn])))
        await self.nl.clock.sleep(60)


Pipeline = Callable[[Room], Awaitable[object]]


async def import_text(room: Room) -> object:
    """Import as text."""
    return await workflows.import_contacts(room.nl, SMALL, list_name="a")


async def import_file(room: Room) -> object:
    """Import as a file."""
    return await workflows.import_contacts(room.nl, LARGE, list_name="a")


async def send(room: Room) -> object:
    """Import and send."""
    outcome = await workflows.send_campaign(room.nl, CAMPAIGN, contacts=LARGE, list_name="a")
    return outcome.campaign_sn


async def send_and_tell(room: Room) -> object:
    """Import and send, with an async callback."""

    async def progress(event: Event) -> None:
        await room.nl.clock.sleep(0)

    outcome = await workflows.send_campaign(
        room.nl, CAMPAIGN, contacts=SMALL, list_name="a", progress=progress
    )
    return outcome.campaign_sn


async def export(room: Room) -> object:
    """Export and download."""
    return await workflows.export_report(room.nl, room.before[0], download_to=room.folder)


PIPELINES: tuple[Pipeline, ...] = (import_text, import_file, send, send_and_tell, export)


@attrs.frozen(kw_only=True)
class Trial:
    """What came of a pipeline that was cancelled."""

    result: object
    passed: int
    campaigns: list[str]
    submits: int
    left_behind: list[str]
    tasks: int
    files: dict[str, bytes]
    log: list[str]


async def in_scope(wire: Tripwire, work: Callable[[], Awaitable[object]]) -> object:
    """Run, to be cancelled by anyio's scope."""
    with anyio.CancelScope() as scope:
        wire.cancel = scope.cancel
        return await work()
    return None


async def in_task(wire: Tripwire, work: Callable[[], Awaitable[object]]) -> object:
    """Run in a task of its own, to be cancelled as ``asyncio.timeout`` does."""

    async def run() -> object:
        return await work()

    task = asyncio.create_task(run())
    wire.cancel = task.cancel
    try:
        return await task
    except asyncio.CancelledError:
        return None


Run = Callable[[Tripwire, Callable[[], Awaitable[object]]], Awaitable[object]]


def count_tasks() -> int:
    """Count the tasks, but for the one in which the clock runs on trio."""
    return sum("_TrioDriver" not in (task.name or "") for task in anyio.get_running_tasks())


@attrs.define
class Laboratory:
    """Where trials are made."""

    folder: Path
    log: pytest.LogCaptureFixture
    monkeypatch: pytest.MonkeyPatch

    async def try_out(self, pipeline: Pipeline, run: Run, at: int | None) -> Trial:
        """Run a pipeline to its end, or to be cancelled at an await."""
        wire = Tripwire(at=at)
        place = self.folder / f"{at}"
        for name in ("temporary", "reports"):
            (place / name).mkdir(parents=True)
        self.monkeypatch.setattr(tempfile, "tempdir", str(place / "temporary"))
        self.log.clear()
        clock = TrippingClock(wire)
        emulator = Emulator(clock=clock, api_keys=(KEY,), switches=TWO_FILES)
        transport = TrippingTransport(emulator.transport(), wire)
        async with NewsLeopard(KEY, http_transport=transport, clock=clock, rate_limits=FAST) as nl:
            room = Room(nl=nl, emulator=emulator, folder=place / "reports")
            if pipeline is export:
                await room.prepare()
            tasks = count_tasks()
            wire.is_armed = True
            result = await run(wire, lambda: pipeline(room))
            wire.is_armed = False
            await anyio.wait_all_tasks_blocked()
            tasks = count_tasks() - tasks
        return self._examine(room, place, result=result, passed=wire.passed, tasks=tasks)

    def _examine(
        self, room: Room, place: Path, *, result: object, passed: int, tasks: int
    ) -> Trial:
        emulator, reports = room.emulator, place / "reports"
        assert emulator.leaked_keys == ()
        return Trial(
            result=result,
            passed=passed,
            campaigns=[each.sn for each in emulator.campaigns if each.sn not in room.before],
            submits=emulator.count("submit_campaign") - len(room.before),
            left_behind=files_in(place / "temporary"),
            tasks=tasks,
            files={name: (reports / name).read_bytes() for name in files_in(reports)},
            log=[each.getMessage() for each in self.log.records if each.levelno >= logging.WARNING],
        )


@pytest.fixture
def laboratory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Laboratory:
    """Give a place for trials."""
    return Laboratory(folder=tmp_path, log=caplog, monkeypatch=monkeypatch)


async def check_each_await(laboratory: Laboratory, pipeline: Pipeline, run: Run) -> None:
    """Cancel a pipeline at its first await, its second, and so on, and compare with a whole run."""
    whole = await laboratory.try_out(pipeline, run, None)
    assert whole.result is not None

    for at in range(whole.passed):
        trial = await laboratory.try_out(pipeline, run, at)
        where = f"cancelled at await {at} of {whole.passed}"
        assert trial.tasks == 0, where
        assert trial.left_behind == [], where
        assert trial.files.items() <= whole.files.items(), where
        assert max(trial.submits, len(trial.campaigns)) <= 1, where
        if trial.result is None:
            told = [sn for sn in trial.campaigns if any(sn in line for line in trial.log)]
            assert told == trial.campaigns, where


@pytest.mark.anyio
@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda each: each.__name__)
async def test_cancelled_pipeline_leaves_nothing_behind(
    pipeline: Pipeline, laboratory: Laboratory
) -> None:
    """No task, no temporary file, no part of a file, and at most one campaign, which is told."""
    await check_each_await(laboratory, pipeline, in_scope)


@pytest.mark.asyncio
@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda each: each.__name__)
async def test_pipeline_whose_task_is_cancelled_leaves_nothing_behind(
    pipeline: Pipeline, laboratory: Laboratory
) -> None:
    """The same for asyncio's own cancellation, which goes past every scope of anyio."""
    await check_each_await(laboratory, pipeline, in_task)


@pytest.mark.anyio
@pytest.mark.parametrize("pipeline", [import_file, send, export], ids=lambda each: each.__name__)
async def test_pipeline_cancelled_at_the_disk_leaves_nothing_behind(
    pipeline: Pipeline, laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for every look at the disk, at its beginning and at its end."""
    run_sync = anyio.to_thread.run_sync
    wires: list[Tripwire] = []

    async def tripping(*args: Any, **options: Any) -> Any:
        for wire in wires[-1:]:
            wire.touch()
        result = await run_sync(*args, **options)
        for wire in wires[-1:]:
            wire.touch()
        return result

    async def run(wire: Tripwire, work: Callable[[], Awaitable[object]]) -> object:
        only_disk = Tripwire(at=wire.at)
        wires.append(only_disk)
        wire.at, only_disk.is_armed = None, True
        result = await in_scope(only_disk, work)
        wire.passed = only_disk.passed
        wires.clear()
        return result

    monkeypatch.setattr(anyio.to_thread, "run_sync", tripping)
    await check_each_await(laboratory, pipeline, run)


@pytest.mark.anyio
async def test_cancelled_submit_in_flight_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The campaign's code reaches the log when its caller no longer waits for it."""
    async with connected() as bench:
        ready = with_lists(CAMPAIGN, [await bench.make_list()])
        bench.emulator.delay("submit_campaign", 10)
        with bench.clock.deadline(5) as scope:
            await workflows.send_campaign(bench.nl, ready)

    [campaign] = bench.emulator.campaigns
    [record] = [each for each in caplog.records if campaign.sn in each.getMessage()]
    assert scope.cancelled_caught
    assert (record.name, record.levelno) == ("newsleopard_async", logging.WARNING)
    assert bench.emulator.count("submit_campaign") == 1


@pytest.mark.anyio
async def test_campaign_is_told_if_its_callback_is_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Between the submit's answer and the caller there is the callback, which may be slow."""
    async with connected() as bench:
        ready = with_lists(CAMPAIGN, [await bench.make_list()])

        async def progress(event: Event) -> None:
            if event.state == "finished":
                await bench.clock.sleep(60)

        with bench.clock.deadline(30) as scope:
            await workflows.send_campaign(bench.nl, ready, progress=progress)

    [campaign] = bench.emulator.campaigns
    assert scope.cancelled_caught
    assert campaign.sn in caplog.text
