"""Contacts that are being read, cancelled at each await, leave no file and no task behind."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import attrs
import pytest

from tests.contacts.examples import ROWS, clean_contacts, written
from tests.support import files_in

CONTENT = "EMAIL,NAME\nming@example.com,王小明\nnobody,誰\n".encode()


@attrs.define
class Tripwire:
    """Counts awaits, and cancels at one of them.

    Attributes:
        at: At which; None never does.
        cancel: How.
        passed: How many there were so far.
    """

    at: int | None = None
    cancel: Callable[[], object] = lambda: None
    passed: int = 0

    async def touch(self) -> None:
        """Pass an await."""
        if self.passed == self.at:
            self.cancel()
        self.passed += 1
        await anyio.lowlevel.checkpoint()


@attrs.frozen
class Slow:
    """A source of which each piece is an await, and which notes that it was closed."""

    wire: Tripwire
    closed: list[bool] = attrs.field(factory=list)

    async def csv_pieces(self) -> AsyncIterator[bytes]:
        """Give a line at a time."""
        try:
            for line in CONTENT.splitlines(keepends=True):
                await self.wire.touch()
                yield line
        finally:
            self.closed.append(True)


async def slow_rows(wire: Tripwire) -> AsyncIterator[dict[str, str]]:
    """Give records, each after an await."""
    for row in ROWS:
        await wire.touch()
        yield row


FORMS: dict[str, Callable[[Path, Tripwire], Any]] = {
    "path": lambda folder, wire: folder / "members.csv",
    "bytes": lambda folder, wire: CONTENT,
    "file": lambda folder, wire: io.BytesIO(CONTENT),
    "source": lambda folder, wire: Slow(wire),
    "records": lambda folder, wire: list(ROWS),
    "async records": lambda folder, wire: slow_rows(wire),
}


async def in_scope(wire: Tripwire, work: Callable[[], Awaitable[bool]]) -> bool:
    """Run, to be cancelled by a scope."""
    with anyio.CancelScope() as scope:
        wire.cancel = scope.cancel
        return await work()
    return False


async def in_task(wire: Tripwire, work: Callable[[], Awaitable[bool]]) -> bool:
    """Run in a task of its own, to be cancelled as ``asyncio.timeout`` does."""

    async def run() -> bool:
        return await work()

    task = asyncio.create_task(run())
    wire.cancel = task.cancel
    try:
        return await task
    except asyncio.CancelledError:
        return False


Run = Callable[[Tripwire, Callable[[], Awaitable[bool]]], Awaitable[bool]]


@attrs.frozen
class Laboratory:
    """Where trials are made."""

    folder: Path
    temporary: Path
    monkeypatch: pytest.MonkeyPatch

    async def try_out(self, form: str, run: Run, at: int | None) -> Tripwire:
        """Clean contacts, cancelled at an await, and look at what is left."""
        wire = Tripwire(at)
        contacts = FORMS[form](self.folder, wire)
        run_sync = anyio.to_thread.run_sync

        async def tripping(*args: Any, **options: Any) -> Any:
            await wire.touch()
            result = await run_sync(*args, **options)
            await wire.touch()
            return result

        async def work() -> bool:
            async with clean_contacts(
                contacts, fix="leave-out-bad-rows", left_out_to=self.folder / "bad.csv"
            ):
                await wire.touch()
            return True

        with self.monkeypatch.context() as patch:
            patch.setattr(anyio.to_thread, "run_sync", tripping)
            was_done = await run(wire, work)
        assert was_done is (at is None)
        self._look(contacts, where=f"{form}, cancelled at await {at}")
        return wire

    def _look(self, contacts: Any, *, where: str) -> None:
        assert files_in(self.temporary) == [], where
        for name in set(files_in(self.folder)) - {"members.csv", "temporary"}:
            # There whole, or not at all.
            assert name == "bad.csv", where
            content = (self.folder / name).read_text(encoding="utf-8")
            assert content == "EMAIL,NAME,LINE,REASON\nnobody,誰,3,invalid-email\n", where
        if isinstance(contacts, Slow):
            assert contacts.closed in ([], [True]), where


async def check_each_await(laboratory: Laboratory, form: str, run: Run) -> None:
    """Cancel at the first await, the second, and so on."""
    whole = await laboratory.try_out(form, run, None)
    assert whole.passed > 10

    for at in range(whole.passed):
        await laboratory.try_out(form, run, at)


@pytest.fixture
def laboratory(tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Laboratory:
    """Give a place for trials."""
    written(tmp_path, CONTENT)
    return Laboratory(tmp_path, temporary, monkeypatch)


@pytest.mark.anyio
@pytest.mark.parametrize("form", FORMS)
async def test_cancelled_reading_leaves_nothing_behind(form: str, laboratory: Laboratory) -> None:
    """Contacts do not stay on the disk, and what the caller gets is there whole or not at all."""
    await check_each_await(laboratory, form, in_scope)


@pytest.mark.asyncio
@pytest.mark.parametrize("form", FORMS)
async def test_reading_whose_task_is_cancelled_leaves_nothing_behind(
    form: str, laboratory: Laboratory
) -> None:
    """The same for asyncio's own cancellation, which goes past every scope of anyio."""
    await check_each_await(laboratory, form, in_task)


@pytest.mark.anyio
async def test_source_that_waits_is_cancelled_at_once(temporary: Path) -> None:
    """A source that gives nothing does not hold a cancellation up."""
    waiting = anyio.Event()

    class Silent:
        async def csv_pieces(self) -> AsyncIterator[bytes]:
            yield CONTENT
            waiting.set()
            await anyio.sleep_forever()

    async def clean() -> None:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(clean_contacts(Silent()))

    async with anyio.create_task_group() as group:
        group.start_soon(clean)
        await waiting.wait()
        group.cancel_scope.cancel()

    assert files_in(temporary) == []
