"""Files as stores: private, whole after a crash, and locked as long as a run lasts."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from newsleopard_async import ConfigurationError, InUse, InvalidRequest, files, locks
from newsleopard_async.stores import FileStore, swap
from newsleopard_async.stores.one_file import OneFile
from newsleopard_async.stores.protocol import keys_of

pytestmark = pytest.mark.anyio

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such files, or no fork")

KEY = ""
"""The only key of a single file, and one like any other of a folder."""


@pytest.fixture(params=["files", "one-file"])
def place(request: Any, tmp_path: Path) -> tuple[Any, Path]:
    """Give a store of each kind, and the file that it keeps the key in."""
    if request.param == "one-file":
        path = tmp_path / "checkpoint.json"
        return OneFile.at(path), path
    folder = FileStore(tmp_path / "runs")
    return folder, folder.path_of(KEY)


def names_in(folder: Path) -> list[str]:
    """Name all that is in a folder."""
    return sorted(path.name for path in folder.iterdir())


# Where, and for whom


def test_folder_is_that_of_the_users_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word of the caller's, runs are kept between processes."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")

    assert FileStore().folder == tmp_path / ".local" / "state" / "newsleopard-async" / "runs"


def test_user_without_a_home_folder_is_told_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a service may be run."""

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)

    with pytest.raises(ConfigurationError, match=r"set HOME; .*store=FileStore\("):
        FileStore()


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_folder_that_cannot_be_is_refused(path: str) -> None:
    """No folder has such a name."""
    with pytest.raises(InvalidRequest) as caught:
        FileStore(path)

    assert [(each.field, each.rule) for each in caught.value.problems] == [("folder", "path")]


@posix
async def test_what_is_kept_is_for_its_owner_only(tmp_path: Path) -> None:
    """Folder and file, and nothing else is left beside it."""
    store = FileStore(tmp_path / "runs")
    with store.locked("週年慶"):
        await store.save("週年慶", {}, None)

    [path] = store.folder.iterdir()
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("key", "begins"),
    [
        ("Anniversary 2027!", "anniversary-2027-"),
        ("週年慶", ""),
        ("../../etc/passwd", "etc-passwd-"),
    ],
)
def test_name_of_a_file_can_be_read(key: str, begins: str, tmp_path: Path) -> None:
    """A person finds a run by its key, and no key leads out of the folder."""
    path = FileStore(tmp_path).path_of(key)

    assert path.parent == tmp_path.resolve()
    assert path.name.startswith(begins)
    assert len(path.name) == len(begins) + 32 + len(".json")


async def _use(store: FileStore) -> None:
    await store.save(KEY, {}, None)


async def _lock(store: FileStore) -> None:
    with store.locked(KEY):
        pass


@posix
@pytest.mark.parametrize("use", [_use, _lock])
async def test_link_in_the_place_of_the_folder_is_not_followed(
    use: Callable[[FileStore], Any], tmp_path: Path
) -> None:
    """The owner of the link would choose where runs are stored."""
    store = FileStore(tmp_path / "runs")
    (tmp_path / "theirs").mkdir()
    store.folder.symlink_to(tmp_path / "theirs", target_is_directory=True)

    with pytest.raises(ConfigurationError, match=r"it is a link.*store=FileStore\("):
        await use(store)

    assert names_in(tmp_path / "theirs") == []


@posix
async def test_folder_of_another_user_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner could replace each file in it."""
    store = FileStore(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    monkeypatch.setattr(Path, "lstat", lambda _: os.stat_result((0o40777, 1, 1, 1, 4711, *[0] * 5)))

    with pytest.raises(ConfigurationError, match=r"another user \(uid 4711\)"):
        await store.save(KEY, {}, None)

    assert names_in(tmp_path) == []


async def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """With the way out."""
    (tmp_path / "file").touch()
    store = FileStore(tmp_path / "file" / "runs")

    with pytest.raises(ConfigurationError, match=r"runs cannot be used: .*store=FileStore\("):
        await store.save(KEY, {}, None)
    with pytest.raises(ConfigurationError, match="runs cannot be used"):
        await keys_of(store)


@posix
async def test_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only disk, or a folder of root's."""
    store = FileStore(tmp_path)

    def refuse(path: object, *_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        patch.setattr(os, "access", lambda *_: False)
        with pytest.raises(ConfigurationError, match="cannot write into"):
            await store.save(KEY, {}, None)


# What is in a file


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b"\xff", b'{"key": 1, "key": 1}', b'{"a": NaN}', b"[" * 9999],
)
async def test_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    """It is not taken for nothing: a run would begin anew."""
    store = FileStore(tmp_path)
    store.path_of(KEY).write_bytes(content)

    with pytest.raises(InvalidRequest, match="is damaged") as caught:
        await store.load(KEY)

    assert [(each.field, each.rule) for each in caught.value.problems] == [("store", "format")]
    with pytest.raises(InUse):
        await store.save(KEY, {}, None)


async def test_file_of_another_key_is_refused(tmp_path: Path) -> None:
    """A copy under another name is not that name's run."""
    store = FileStore(tmp_path)
    await store.save("a", {}, None)
    shutil.copy(store.path_of("a"), store.path_of("b"))

    with pytest.raises(InvalidRequest, match="is damaged"):
        await store.load("b")


async def test_damaged_file_hides_no_other_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged and skipped; files that are not runs are not read."""
    store = FileStore(tmp_path)
    await store.save("a", {}, None)
    store.path_of("b").write_bytes(b"{")
    store.path_of("c").mkdir()
    (tmp_path / "notes.json").write_text("{}")
    caplog.set_level(logging.WARNING, "newsleopard_async")

    assert await keys_of(store) == ("a",)

    assert len(caplog.messages) == 2
    assert all("a run is skipped" in each for each in caplog.messages)


async def test_run_that_is_removed_while_keys_are_listed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user removes the files of completed runs."""
    store = FileStore(tmp_path)
    for key in ("a", "b"):
        await store.save(key, {}, None)
    paths = FileStore._paths

    def remove(self: FileStore) -> Any:
        found = paths(self)
        store.path_of("a").unlink()
        return found

    monkeypatch.setattr(FileStore, "_paths", remove)

    assert await keys_of(store) == ("b",)


async def test_single_file_holds_the_data_alone(tmp_path: Path) -> None:
    """As earlier versions wrote it; so their checkpoints are read."""
    path = tmp_path / "checkpoint.json"
    path.write_text('{"version": 1}')
    store = OneFile.at(path)

    kept = await store.load(KEY)
    assert kept is not None
    assert kept.data == {"version": 1}
    await store.save(KEY, {"version": 2}, kept.revision)

    assert json.loads(path.read_text()) == {"version": 2}
    assert await keys_of(store) == (KEY,)


async def test_what_could_not_be_read_again_is_not_written(place: Any) -> None:
    """A user would remove it, and the next run would begin again."""
    store, _ = place
    seen = await store.save(KEY, {"state": 1}, None)

    with pytest.raises(ConfigurationError, match=r"the record has 4,\d+,\d+ bytes"):
        await store.save(KEY, {"text": "x" * 4 * 1024 * 1024}, seen)

    kept = await store.load(KEY)
    assert kept.data == {"state": 1}


@posix
async def test_file_that_cannot_be_read_is_named(place: Any) -> None:
    """A folder, a link, or a file with a second name is not followed, and not taken for nothing."""
    store, path = place
    path.parent.mkdir(exist_ok=True)
    path.mkdir()

    with pytest.raises(ConfigurationError, match=f"{path} cannot be used"):
        await store.load(KEY)
    with pytest.raises(ConfigurationError, match=f"{path} cannot be used"):
        await store.save(KEY, {}, None)


async def test_full_disk_leaves_what_was_there(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says so, and the next save finds the file as it was."""
    store, path = place
    seen = await store.save(KEY, {"state": 1}, None)

    def write(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", write)
        with pytest.raises(ConfigurationError, match="No space left"):
            await store.save(KEY, {"state": 2}, seen)

    assert names_in(path.parent) == [path.name]
    await store.save(KEY, {"state": 3}, seen)


# Locks


async def test_lock_keeps_other_runs_away(place: Any) -> None:
    """In this process too, and in this very store."""
    store, path = place
    other = OneFile.at(path) if isinstance(store, OneFile) else FileStore(path.parent)

    with store.locked(KEY):
        for each in (other, store):
            with pytest.raises(InUse, match="another run is using"), each.locked(KEY):
                pass
    with other.locked(KEY):
        await other.save(KEY, {}, None)

    assert names_in(path.parent) == [path.name]


@posix
async def test_second_run_of_a_program_is_refused_after_the_folder_was_removed(place: Any) -> None:
    """The system gives a new file another lock; the store knows its own run, which then ends."""
    store, path = place

    with store.locked(KEY):
        shutil.rmtree(path.parent)
        path.parent.mkdir()
        with pytest.raises(InUse, match="another run is using"), store.locked(KEY):
            pass

    with store.locked(KEY):
        await store.save(KEY, {}, None)


async def test_each_key_has_a_lock_of_its_own(tmp_path: Path) -> None:
    """Runs of other keys go on."""
    store = FileStore(tmp_path)

    with store.locked("a"), store.locked("b"):
        await store.save("a", {}, None)
        await store.save("b", {}, None)


def remove_lock(path: Path) -> None:
    """Remove it, as a cleaner does."""
    path.with_name(f".{path.name}.lock").unlink()


def replace_lock(path: Path) -> None:
    """Put another one in its place."""
    remove_lock(path)
    path.with_name(f".{path.name}.lock").touch()


def replace_folder(path: Path) -> None:
    """Put another folder in the place of its folder."""
    path.parent.rename(path.parent.with_name("old"))
    path.parent.mkdir()


@posix
@pytest.mark.parametrize("spoil", [remove_lock, replace_lock, replace_folder])
async def test_run_that_lost_its_lock_is_told_before_it_saves(
    spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    """From then on another run may have begun. Once told, its saves are compared as anyone's."""
    store = FileStore(tmp_path / "runs")
    path = store.path_of(KEY)
    with store.locked(KEY):
        spoil(path)

        with pytest.raises(InUse, match="was removed or replaced"):
            await store.save(KEY, {"state": 1}, None)
        assert not path.exists()

        await store.save(KEY, {"state": 2}, None)
        with pytest.raises(InUse):
            await store.save(KEY, {"state": 3}, None)


@posix
@pytest.mark.parametrize("suffix", ["lock", "save"])
async def test_lock_that_is_lost_while_a_file_is_written_is_noticed(
    suffix: str, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run can come between the check and the write, so there is a second check."""
    store, path = place

    def write_and_lose(target: Path, content: bytes) -> None:
        files.write_durably(target, content)
        path.with_name(f".{path.name}.{suffix}").unlink()

    with store.locked(KEY):
        monkeypatch.setattr(swap, "write_durably", write_and_lose)
        with pytest.raises(InUse, match="was removed or replaced"):
            await store.save(KEY, {}, None)


async def test_save_waits_for_another_save_and_not_for_ever(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was stopped in the middle of one must not hold all others."""
    store, path = place
    path.parent.mkdir(exist_ok=True)
    lock = locks.FileLock.acquire(path.with_name(f".{path.name}.save"))
    assert lock is not None
    with monkeypatch.context() as patch:
        patch.setattr(swap, "_LOCK_S", 0.01)
        with pytest.raises(InUse, match="has been writing"):
            await store.save(KEY, {}, None)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.save, KEY, {}, None)
        await anyio.sleep(0.02)
        assert not path.exists()
        lock.release()

    assert path.exists()


@posix
async def test_lock_file_that_others_keep_removing_is_tried_again(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each removes it as its save ends."""
    store, path = place
    take = locks.FileLock.acquire
    failing = [OSError(errno.ESTALE, "it does not stay the same file")]

    def try_to_take(target: Path) -> Any:
        if failing:
            raise failing.pop()
        return take(target)

    monkeypatch.setattr(locks.FileLock, "acquire", try_to_take)
    await store.save(KEY, {}, None)

    assert path.exists()


@posix
async def test_file_system_without_locks_is_named(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a save as for a run."""
    import fcntl

    store, _ = place

    def refuse(descriptor: int, flags: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)

    with pytest.raises(ConfigurationError, match=r"cannot be locked \(No locks"):
        await store.save(KEY, {}, None)
    with pytest.raises(ConfigurationError, match="another store"), store.locked(KEY):
        pass


@posix
@pytest.mark.parametrize("is_saving", [True, False])
async def test_part_of_a_killed_save_is_removed_by_the_next_run(
    place: Any, *, is_saving: bool
) -> None:
    """But that of a save which is going on is not, nor any other file."""
    store, path = place
    path.parent.mkdir(exist_ok=True)
    left, other = (
        path.with_name(f".{name}.0a1b2c3d.part") for name in (path.name, f"{path.name}.bak")
    )
    for each in (left, other):
        each.touch()
    save = path.with_name(f".{path.name}.save")

    with contextlib.ExitStack() as stack:
        if is_saving:
            lock = locks.FileLock.acquire(save)
            assert lock is not None
            stack.callback(lock.release)
        with store.locked(KEY):
            pass

    assert left.exists() == is_saving
    assert other.exists()


@posix
async def test_content_is_flushed_before_the_rename_and_the_folder_after_it(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power failure leaves the old content or the new, and the folders that were made for it."""
    store, _ = place
    seen: list[str] = []
    replace = Path.replace

    def note_flush(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        seen.append("flush folder" if is_folder else "flush file")

    def note_rename(self: Path, target: Path) -> Path:
        seen.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(Path, "replace", note_rename)

    await store.save(KEY, {}, None)

    made = ["flush folder"] if isinstance(store, FileStore) else []
    assert seen == [*made, "flush file", "rename", "flush folder"]


# Cancellations and processes


async def test_cancelled_save_is_whole(place: Any) -> None:
    """It takes place, or it does not; the next save finds out which, and no lock stays."""
    store, path = place
    with anyio.CancelScope() as scope:
        scope.cancel()
        await store.save(KEY, {"state": 1}, None)
    assert not path.exists()

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.save, KEY, {"state": 1}, None)
            await anyio.lowlevel.checkpoint()
            scope.cancel()

    kept = await store.load(KEY)
    await store.save(KEY, {"state": 2}, kept and kept.revision)
    assert names_in(path.parent) == [path.name]


_RUN = """
import anyio, os, sys, time
from newsleopard_async.stores import FileStore

store = FileStore(sys.argv[1])

async def main():
    with store.locked("key"):
        await store.save("key", {"by": os.getpid()}, None)
        if not os.fork():
            # The child says so: by then it has let go of what its parent has locked.
            print("locked", flush=True)
        os.close(1)
        time.sleep(60)

anyio.run(main)
"""


@posix
@pytest.mark.slow
def test_lock_ends_with_its_process_though_a_child_lives(tmp_path: Path) -> None:
    """The saves of a killed run exist, and the next run takes over immediately."""
    store = FileStore(tmp_path)
    command = [sys.executable, "-c", _RUN, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as run:
        assert run.stdout is not None
        run.stdout.readline()
        with pytest.raises(InUse), store.locked("key"):
            pass
        run.kill()
        run.wait()

        with store.locked("key"):
            kept = anyio.run(store.load, "key")

        assert kept is not None
        assert kept.data == {"by": run.pid}
        os.killpg(run.pid, 9)
