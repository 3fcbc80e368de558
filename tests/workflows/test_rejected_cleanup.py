"""The file of rejected rows is private, and gone whenever its reader is."""

from __future__ import annotations

import asyncio
import gc
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import attrs
import httpx
import pytest

from newsleopard_async import NewsLeopard
from newsleopard_async.workflows import ImportReport, rejected_rows
from tests.support import KEY, files_in
from tests.workflows.rejections import TRUTH, facts, rejecting, rows_of


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let temporary files go where they can be seen, and expect none at the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert files_in(folder) == []


@pytest.mark.anyio
async def test_file_is_private_while_it_is_read(temporary: Path) -> None:
    """Nobody else may look at it, and it goes with the last row or an early end."""
    async with rejecting() as (bench, report):
        async with aclosing(rejected_rows(bench.nl, report)) as rows:
            async for _row in rows:
                (folder,) = temporary.iterdir()
                assert os.name == "nt" or folder.stat().st_mode & 0o077 == 0
                assert files_in(folder) == ["rejected.csv"]
                break

        assert files_in(temporary) == []


@pytest.mark.asyncio
async def test_file_goes_where_the_loop_was_just_left(temporary: Path) -> None:
    """Without `aclosing`, asyncio closes what nobody holds any more."""
    async with rejecting() as (bench, report):
        async for _row in rejected_rows(bench.nl, report):
            break
        gc.collect()
        await anyio.wait_all_tasks_blocked()

        assert files_in(temporary) == []


@attrs.define(eq=False)
class Tripwire(httpx.AsyncBaseTransport):
    """Counts the awaits on the wire and the disk, and cancels at one of them."""

    inner: httpx.AsyncBaseTransport
    at: int | None = None
    cancel: Callable[[], object] = lambda: None
    passed: int = 0

    def touch(self) -> None:
        """Pass an await."""
        if self.passed == self.at:
            self.cancel()
        self.passed += 1

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on."""
        self.touch()
        response = await self.inner.handle_async_request(request)
        self.touch()
        return response


async def in_scope(wire: Tripwire, work: Callable[[], Awaitable[Any]]) -> Any:
    """Run, to be cancelled by anyio's scope."""
    with anyio.CancelScope() as scope:
        wire.cancel = scope.cancel
        return await work()


async def in_task(wire: Tripwire, work: Callable[[], Awaitable[Any]]) -> Any:
    """Run in a task of its own, to be cancelled as ``asyncio.timeout`` does."""

    async def run() -> Any:
        return await work()

    task = asyncio.create_task(run())
    wire.cancel = task.cancel
    try:
        return await task
    except asyncio.CancelledError:
        return None


async def check_each_await(
    run: Callable[..., Awaitable[Any]], temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancel at the first await, the second, and so on: nothing stays on the disk."""
    run_sync = anyio.to_thread.run_sync
    at: int | None = None
    awaits = 1
    while at is None or at < awaits:
        async with rejecting() as (bench, report):
            await bench.clock.sleep(7_200)
            wire = Tripwire(bench.emulator.transport(), at)
            nl = NewsLeopard(KEY, http_transport=wire, clock=bench.clock)

            async def tripping(*given: Any, wire: Tripwire = wire, **options: Any) -> Any:
                wire.touch()
                result = await run_sync(*given, **options)
                wire.touch()
                return result

            monkeypatch.setattr(anyio.to_thread, "run_sync", tripping)
            rows = await run(wire, lambda report=report, nl=nl: rows_of(nl, report))
            monkeypatch.setattr(anyio.to_thread, "run_sync", run_sync)
        assert files_in(temporary) == [], f"cancelled at await {at}"
        if at is None:
            assert facts(rows) == TRUTH
            awaits, at = wire.passed, 0
        else:
            at += 1
    assert awaits > 10


@pytest.mark.anyio
async def test_cancelled_reading_leaves_no_file(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contacts do not stay on the disk, whenever it is cancelled."""
    await check_each_await(in_scope, temporary, monkeypatch)


@pytest.mark.asyncio
async def test_reading_whose_task_is_cancelled_leaves_no_file(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for asyncio's own cancellation, which goes past every scope of anyio."""
    await check_each_await(in_task, temporary, monkeypatch)


@pytest.mark.anyio
async def test_failing_reader_leaves_no_file() -> None:
    """What the caller's own loop raises goes on to them."""

    async def read(report: ImportReport) -> None:
        async with aclosing(rejected_rows(bench.nl, report)) as rows:
            async for row in rows:
                raise ZeroDivisionError(row.reason)

    async with rejecting() as (bench, report):
        with pytest.raises(ZeroDivisionError, match="INVALID_EMAIL"):
            await read(report)
