"""Each pipeline is cancelled at each of its awaits, in every way that there is.

An await is counted whenever the pipeline is resumed: then it is cancelled, which it meets
at its next await. Nothing may be left behind, and the checkpoint must tell the truth.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys
import tempfile
import types
from collections.abc import Callable, Coroutine, Generator, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import anyio
import httpx
import pytest
import trio.lowlevel

from newsleopard_async import NewsLeopard
from newsleopard_async.store import FileStore, held
from newsleopard_async.transport.limits.queue import LimiterState
from tests.faults.support import (
    BY_NAME,
    CAMPAIGN,
    Pipeline,
    World,
    check,
    go_on,
    log_of,
    world,
)

pytestmark = pytest.mark.matrix

Cancel = Callable[[], object]


@types.coroutine
def counted(
    work: Coroutine[Any, Any, Any], on_resume: Callable[[], None]
) -> Generator[Any, Any, Any]:
    """Run a coroutine as it is, and call back at each of its resumptions."""
    resume: Callable[[], Any] = lambda: work.send(None)  # noqa: E731  # rebound below
    while True:
        on_resume()
        try:
            wanted = resume()
        except StopIteration as end:
            return end.value
        try:
            value = yield wanted
        except BaseException as error:  # noqa: BLE001  # passed on, whatever it is
            resume = lambda error=error: work.throw(error)  # type: ignore[misc]  # noqa: E731
        else:
            resume = lambda value=value: work.send(value)  # type: ignore[misc]  # noqa: E731


class Trigger:
    """Cancels at one resumption, counted from 0."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0
        self.cancel: Cancel = lambda: None

    def __call__(self) -> None:
        """Count a resumption."""
        if self.count == self.at:
            self.cancel()
        self.count += 1


async def by_scope(work: Coroutine[Any, Any, Any], trigger: Trigger) -> None:
    """Cancel as anyio does."""
    with anyio.CancelScope() as scope:
        trigger.cancel = scope.cancel
        await counted(work, trigger)


async def by_task(work: Coroutine[Any, Any, Any], trigger: Trigger) -> None:
    """Cancel as asyncio does."""

    async def run() -> None:
        await counted(work, trigger)

    task = asyncio.ensure_future(run())
    trigger.cancel = task.cancel
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def by_timeout(work: Coroutine[Any, Any, Any], trigger: Trigger) -> None:
    """Cancel as `asyncio.timeout` does."""
    try:
        async with asyncio.timeout(None) as timeout:
            trigger.cancel = lambda: timeout.reschedule(asyncio.get_running_loop().time())
            await counted(work, trigger)
    except TimeoutError:
        pass


WAYS = {
    "asyncio-scope": ("asyncio", by_scope),
    "asyncio-task": ("asyncio", by_task),
    "asyncio-timeout": ("asyncio", by_timeout),
    "trio-scope": ("trio", by_scope),
}
PIPELINES = ("import-file", "send-text", "send-to-list", "ab-sender", "quiet-export")


def tasks_now(backend: str) -> int:
    """Count the tasks of the running event loop."""
    if backend == "asyncio":
        return len(asyncio.all_tasks())
    root = trio.lowlevel.current_root_task()
    assert root is not None
    # The clock's own task runs while timers are set.
    return sum("_TrioDriver" not in task.name for task in _family(root))


def _family(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    yield task
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from _family(child)


def open_files() -> list[str]:
    """Name the files that this process has open, where the system tells."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return []
    targets = []
    for each in folder.iterdir():
        with contextlib.suppress(OSError):  # what the look itself had open
            targets.append(str(each.readlink()))
    return [target for target in targets if target.startswith("/") and "/dev/" not in target]


def check_nothing_is_held(nl: NewsLeopard) -> None:
    """No connection, no place in the line, no request under way."""
    assert all(gate.borrowed_tokens == 0 for gate in nl._api.pools._gates.values())
    state: LimiterState = nl._api.limiter.state
    assert list(state._in_line()) == []
    assert not state.ledger._log._open
    assert state.ledger.day._pending == 0


def cancelled_life(at: World, pipeline: Pipeline, way: str, resumption: int) -> bool:
    """Run a pipeline, cancel it there, and look around; False if it ended before."""
    backend, cancelling = WAYS[way]
    trigger = Trigger(resumption)

    async def main() -> None:
        async with at.client() as nl:
            before = tasks_now(backend)
            files = open_files()
            await cancelling(pipeline.run(nl, at), trigger)
            assert tasks_now(backend) == before
            assert open_files() == files
            check_nothing_is_held(nl)
            async with held(FileStore(at.checkpoint)):
                pass

    anyio.run(main, backend=backend)
    return trigger.count > resumption


def one_cancellation(pipeline: Pipeline, way: str, resumption: int) -> bool:
    """Cancel once, go on to the end, and check it; False if it had ended before."""
    with world() as at:
        pipeline.prepare(at)
        at.emulator.latency_s = 0.02
        spool = at.folder / "spool"
        spool.mkdir()
        with mock.patch.object(tempfile, "tempdir", str(spool)):
            cancelled = cancelled_life(at, pipeline, way, resumption)
        assert list(spool.iterdir()) == []
        if at.downloads.exists():
            assert not [each for each in at.downloads.iterdir() if each.suffix == ".part"]
        submitted = at.emulator.submitted
        story = go_on(at, pipeline)
        check(at, story, log_of(pipeline).result)
        # A submit runs to its answer, so that nothing about it is ever unknown.
        assert pipeline.rows or story.endings == ["done"]
        assert submitted <= at.emulator.submitted
        return cancelled


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("way", WAYS)
def test_cancelled_anywhere_leaves_nothing_and_can_go_on(name: str, way: str) -> None:
    """No task, file, connection, place or half a download; and then all is done, once."""
    resumption = 0
    while True:
        try:
            if not one_cancellation(BY_NAME[name], way, resumption):
                break
        except BaseException as error:
            error.add_note(f"cancelled at resumption {resumption}")
            raise
        resumption += 1
    gc.collect()
    assert resumption > 4


@pytest.mark.parametrize("way", WAYS)
def test_submit_cancelled_in_flight_runs_to_its_answer(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Who gives up waiting does not undo the submit; its code is kept, and logged."""
    caplog.set_level(logging.WARNING, "newsleopard_async")
    backend, _ = WAYS[way]
    pipeline = BY_NAME["send-to-list"]
    with world() as at:
        pipeline.prepare(at)
        at.emulator.delay("submit_campaign", 20)

        async def main() -> None:
            async with at.client() as nl:
                with at.clock.deadline(10) as scope:
                    await pipeline.run(nl, at)
                assert scope.cancelled_caught
                assert at.clock.monotonic() >= 20

        anyio.run(main, backend=backend)
        [campaign] = at.emulator.campaigns
        assert campaign.sn in caplog.text
        story = go_on(at, pipeline)
        check(at, story, log_of(pipeline).result)
        assert at.emulator.count("submit_campaign") == 1


@pytest.mark.asyncio
async def test_submit_timed_out_by_its_caller_is_made_once() -> None:
    """`asyncio.timeout` and a cancelled task do not interrupt it either, without a workflow."""
    with world() as at:
        account = at.emulator._account
        at.sn = account.codes.sn()
        made = account.book.create_list(at.sn, "會員", at.clock.now())
        async with at.client() as nl:
            await nl.contacts.import_text("EMAIL,NAME\na@contacts.example,A\n", at.sn)
            await at.clock.sleep(60)
            at.emulator.delay("submit_campaign", 20)
            task = asyncio.ensure_future(nl.campaigns.submit(_to(at.sn)))
            await at.clock.sleep(5)
            for _ in range(3):
                task.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await task
        assert at.emulator.submitted == 1
        assert made.members


def _to(sn: Any) -> Any:
    from newsleopard_async import with_lists

    return with_lists(CAMPAIGN, [sn])


@pytest.mark.skipif(sys.platform == "win32", reason="there is no /proc")
def test_open_files_are_seen(tmp_path: Path) -> None:
    """The check above would notice a file."""
    before = open_files()
    with (tmp_path / "x").open("w"):
        if Path("/proc/self/fd").is_dir():
            assert open_files() != before


class Striking(httpx.AsyncBaseTransport):
    """Cancels while a request is on its way, before or after it takes effect."""

    def __init__(self, at: World, trigger: Trigger) -> None:
        self._inner = at.emulator.transport()
        self._trigger = trigger

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on."""
        self._trigger()
        response = await self._inner.handle_async_request(request)
        self._trigger()
        return response


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("way", WAYS)
def test_cancelled_during_any_request_can_go_on(name: str, way: str) -> None:
    """Also while the submit runs in a task of its own, on its way out and on its way back."""
    pipeline, moment, cancelled = BY_NAME[name], 0, True
    backend, cancelling = WAYS[way]
    while cancelled:
        trigger = Trigger(moment)
        with world() as at:
            pipeline.prepare(at)

            async def main(at: World = at, trigger: Trigger = trigger) -> None:
                wire, inner = Striking(at, trigger), Trigger(-1)
                async with at.client(wire) as nl:
                    trigger.cancel = lambda: inner.cancel()  # noqa: PLW0108  # bound later
                    await cancelling(pipeline.run(nl, at), inner)
                    check_nothing_is_held(nl)

            anyio.run(main, backend=backend)
            submitted = at.emulator.submitted
            story = go_on(at, pipeline)
            check(at, story, log_of(pipeline).result)
            assert pipeline.rows or story.endings == ["done"]
            assert submitted <= at.emulator.submitted
        cancelled = trigger.count > moment
        moment += 1
    assert moment > 2


@pytest.mark.parametrize("way", WAYS)
def test_submit_cancelled_in_flight_whose_reply_is_lost_says_so(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the outcome that the cancelled caller does not see."""
    caplog.set_level(logging.WARNING, "newsleopard_async")
    backend, _ = WAYS[way]
    pipeline = BY_NAME["send-to-list"]
    with world() as at:
        pipeline.prepare(at)
        at.emulator.hang("submit_campaign", seconds=20)

        async def main() -> None:
            async with at.client() as nl:
                with at.clock.deadline(10):
                    await pipeline.run(nl, at)

        anyio.run(main, backend=backend)
        assert "may or may not have taken effect" in caplog.text
        story = go_on(at, pipeline)
        check(at, story, log_of(pipeline).result)
        assert at.emulator.count("submit_campaign") == 1
