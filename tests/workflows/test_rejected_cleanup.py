"""The file of rejected rows is private, and gone whenever its reader is."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest

from newsleopard_async.workflows import ImportReport, rejected_rows
from tests.cancellation import Trigger, Way, at_some_or_all_awaits, cancelled_by, each_point
from tests.clients import files_in
from tests.workflows.rejections import TRUTH, facts, rejecting, rows_of


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Use a visible folder for temporary files, and expect no file at the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert files_in(folder) == []


@pytest.mark.anyio
async def test_file_is_private_while_it_is_read(temporary: Path) -> None:
    """Other users cannot read it, and it is removed with the last row or at an early end."""
    async with rejecting() as (bench, report):
        async with aclosing(rejected_rows(bench.nl, report)) as rows:
            async for _row in rows:
                (folder,) = temporary.iterdir()
                assert os.name == "nt" or folder.stat().st_mode & 0o077 == 0
                assert "rejected.csv" in files_in(folder)
                break

        assert files_in(temporary) == []


@pytest.mark.asyncio
async def test_file_goes_where_the_loop_was_just_left(temporary: Path) -> None:
    """Without `aclosing`, asyncio closes a generator without references."""
    async with rejecting() as (bench, report):
        async for _row in rejected_rows(bench.nl, report):
            break
        gc.collect()
        await anyio.wait_all_tasks_blocked()

        assert files_in(temporary) == []


@at_some_or_all_awaits
def test_cancelled_reading_leaves_no_file(way: Way, most: int | None, temporary: Path) -> None:
    """Contacts do not stay on the disk, whenever it is cancelled."""

    def cancel(trigger: Trigger) -> None:
        async def main() -> None:
            async with rejecting() as (bench, report):
                await bench.clock.sleep(7_200)
                rows = await cancelled_by(trigger, way, rows_of(bench.nl, report))
                assert files_in(temporary) == []
                assert facts(rows) == TRUTH if rows else trigger.at is not None

        anyio.run(main, backend=way.backend)

    assert each_point(cancel, most) > 5


@pytest.mark.anyio
async def test_failing_reader_leaves_no_file() -> None:
    """An error of the caller's own loop is raised to the caller."""

    async def read(report: ImportReport) -> None:
        async with aclosing(rejected_rows(bench.nl, report)) as rows:
            async for row in rows:
                raise ZeroDivisionError(row.reason)

    async with rejecting() as (bench, report):
        with pytest.raises(ZeroDivisionError, match="INVALID_EMAIL"):
            await read(report)
