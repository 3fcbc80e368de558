"""A look whether a run has a key, which changes nothing for that run or another one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from newsleopard_async import ConfigurationError
from newsleopard_async.stores import FileStore

pytestmark = [pytest.mark.anyio, pytest.mark.quick]


async def test_look_whether_a_run_has_a_key_keeps_no_run_away(tmp_path: Path) -> None:
    """It takes no lock that a run or another look could miss, and makes no file."""
    store, other = FileStore(tmp_path / "runs"), FileStore(tmp_path / "runs")

    assert not await store.is_locked("k")
    assert not store.folder.exists()
    with store.locked("k"):
        assert await store.is_locked("k")
        assert await other.is_locked("k")
        assert not await store.is_locked("l")
    assert not await store.is_locked("k")
    assert list(store.folder.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="its locks are never shared")
async def test_lock_file_that_a_crash_left_is_not_a_run(tmp_path: Path) -> None:
    """Two processes can check it at the same time."""
    import fcntl

    store = FileStore(tmp_path)
    path = store.path_of("k")
    left = path.with_name(f".{path.name}.lock")
    left.touch()

    with left.open("rb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert not await store.is_locked("k")
    with store.locked("k"):
        assert await store.is_locked("k")


async def test_lock_that_cannot_be_looked_at_is_named(tmp_path: Path) -> None:
    """Nothing is guessed about it."""
    store = FileStore(tmp_path)
    path = store.path_of("k")
    path.with_name(f".{path.name}.lock").mkdir()

    with pytest.raises(ConfigurationError, match="cannot be locked"):
        await store.is_locked("k")
