"""A cancellation at any await of reading contacts leaves no file and no task."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest

from tests.cancellation import Trigger, Way, at_some_or_all_awaits, each_point, run_once
from tests.clients import files_in
from tests.contacts.examples import ROWS, clean_contacts, later, written

CONTENT = "EMAIL,NAME\nming@example.com,王小明\nnowhere,誰\n".encode()


@attrs.frozen
class Slow:
    """A source that awaits before each piece, and records that it was closed."""

    closed: list[bool] = attrs.field(factory=list)

    async def csv_pieces(self) -> AsyncIterator[bytes]:
        """Give a line at a time."""
        try:
            for line in CONTENT.splitlines(keepends=True):
                await anyio.lowlevel.checkpoint()
                yield line
        finally:
            self.closed.append(True)


FORMS: dict[str, Callable[[Path], Any]] = {
    "path": lambda folder: folder / "members.csv",
    "bytes": lambda folder: CONTENT,
    "file": lambda folder: io.BytesIO(CONTENT),
    "source": lambda folder: Slow(),
    "records": lambda folder: list(ROWS),
    "async records": lambda folder: later(ROWS),
}


@pytest.mark.parametrize("form", FORMS)
@at_some_or_all_awaits
def test_cancelled_reading_leaves_nothing_behind(
    form: str, way: Way, most: int | None, tmp_path: Path, temporary: Path
) -> None:
    """Contacts do not stay on the disk, and the caller's file is complete or missing."""
    written(tmp_path, CONTENT)
    bad = tmp_path / "bad.csv"

    def cancel(trigger: Trigger) -> None:
        contacts = FORMS[form](tmp_path)

        async def clean() -> bool:
            async with clean_contacts(contacts, fix="leave-out-bad-rows", left_out_to=bad):
                await anyio.lowlevel.checkpoint()
            return True

        done = run_once(way, clean, trigger)
        assert done or trigger.at is not None
        assert files_in(temporary) == []
        assert set(files_in(tmp_path)) <= {"bad.csv", "members.csv", "temporary"}
        if bad.exists():
            assert bad.read_text("utf-8") == "EMAIL,NAME,LINE,REASON\nnowhere,誰,3,invalid-email\n"
        if isinstance(contacts, Slow):
            assert contacts.closed in ([], [True])

    assert each_point(cancel, most) > 5


@pytest.mark.anyio
async def test_waiting_source_is_cancelled_immediately(temporary: Path) -> None:
    """A source without a next piece does not delay a cancellation."""
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
