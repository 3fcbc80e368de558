"""Two runs never use one checkpoint, even with two names or after its lock is removed."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from newsleopard_async import ConfigurationError, InUse, InvalidRequest, files, locks
from newsleopard_async.stores.one_file import OneFile
from newsleopard_async.workflows import Event, send_campaign
from tests.clients import Bench, checkpoint_of, connected, csv_of
from tests.constants import CAMPAIGN
from tests.faults.sending import hold, rule_of, send
from tests.faults.world import World

pytestmark = pytest.mark.anyio

NEW: dict[str, Any] = {"contacts": csv_of(3), "list_name": "會員"}

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such files, or no fork")


def link(at: World) -> Path:
    """Name a file by a link to it; it need not be there yet."""
    path = at.folder / "link.json"
    path.symlink_to(at.checkpoint)
    return path


def chain(at: World) -> Path:
    """Name a file by a link to a link."""
    path = at.folder / "chain.json"
    path.symlink_to(link(at).name)
    return path


def through_folder(at: World) -> Path:
    """Name a file through a link to its folder, and back."""
    path = at.folder / "folder"
    path.symlink_to(at.folder, target_is_directory=True)
    return path / ".." / at.folder.name / at.checkpoint.name


def relative(at: World) -> Path:
    """Name a file from the working folder."""
    return Path(os.path.relpath(at.checkpoint))


NAMES: list[Callable[[World], Path]] = [link, chain, through_folder, relative]


@posix
@pytest.mark.parametrize("other_name", NAMES)
def test_every_name_of_a_checkpoint_is_the_same_checkpoint(
    at: World, other_name: Callable[[World], Path]
) -> None:
    """What was sent under one name is not sent again under another."""
    path = other_name(at)
    was_link = path.is_symlink()

    send(at, path)
    send(at)

    assert at.emulator.submitted == 1
    assert path.is_symlink() == was_link


@posix
@pytest.mark.parametrize("other_name", NAMES)
def test_every_name_of_a_checkpoint_has_the_same_lock(
    at: World, other_name: Callable[[World], Path]
) -> None:
    """Two runs at once are refused, too."""
    path = other_name(at)

    async def main() -> None:
        with OneFile(path).locked(""), pytest.raises(InUse), OneFile(at.checkpoint).locked(""):
            pass

    anyio.run(main)


@posix
async def test_folder_that_is_changed_during_a_run_moves_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is taken from where the process was when it was given."""
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)

    async with connected() as bench:
        await bench_send(bench, Path("kept.json"), lambda: os.chdir("other"))

    assert (tmp_path / "kept.json").is_file()
    assert not any((tmp_path / "other").iterdir())


@posix
def test_links_that_lead_nowhere_keep_from_beginning(at: World) -> None:
    """Two links to each other do not lead to a file."""
    at.checkpoint.symlink_to(at.folder / "other")
    (at.folder / "other").symlink_to(at.checkpoint)

    with pytest.raises(ConfigurationError, match="symbolic links"):
        send(at)

    assert at.emulator.requests == ()


@posix
def test_second_name_of_one_file_keeps_from_beginning(at: World) -> None:
    """It would keep the old content when the first one is replaced."""
    hold(at)
    other = at.folder / "other.json"
    other.hardlink_to(at.checkpoint)

    with pytest.raises(ConfigurationError, match="second name"):
        send(at, other)

    assert at.emulator.submitted == 1


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_path_that_cannot_be_is_refused(at: World, path: str) -> None:
    """A `Path` takes anything; no file has such a name."""
    with pytest.raises(InvalidRequest) as caught:
        send(at, Path(path))

    assert rule_of(caught) == ("checkpoint", "path")


@posix
def test_working_folder_that_is_gone_keeps_from_beginning(
    at: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then a relative path names nothing."""
    gone = at.folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with pytest.raises(ConfigurationError, match=r"kept\.json cannot be used"):
        send(at, "kept.json")


def test_left_out_rows_never_replace_the_checkpoint(at: World) -> None:
    """This is true for all forms of the argument."""
    error = hold(at)

    for given in (at.checkpoint, checkpoint_of(error)):
        with pytest.raises(InvalidRequest) as caught:
            send(at, given, left_out_to=str(at.checkpoint), fix="leave-out-bad-rows")
        assert rule_of(caught) == ("left_out_to", "same-file")


# Who takes the lock away


async def bench_send(bench: Bench, checkpoint: Any, meanwhile: Callable[[], object]) -> Any:
    """Send, and do something just before the submit."""

    async def progress(event: Event) -> None:
        if (event.step, event.state) == ("submit", "started"):
            done = meanwhile()
            if done is not None:
                await done  # type: ignore[misc]  # what is not async gives None

    return await send_campaign(bench.nl, CAMPAIGN, checkpoint=checkpoint, progress=progress, **NEW)


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


def remove_folder(path: Path) -> None:
    """Take its folder away."""
    shutil.rmtree(path.parent)


def change_file(path: Path) -> None:
    """Write something else into it."""
    path.write_text("{}")


@posix
@pytest.mark.parametrize(
    "spoil", [remove_lock, replace_lock, replace_folder, remove_folder, change_file]
)
async def test_run_that_lost_its_checkpoint_stops_before_it_sends(
    spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    """From then on another run may have begun."""
    path = tmp_path / "runs" / "kept.json"
    path.parent.mkdir()

    async with connected() as bench:
        with pytest.raises(InUse) as caught:
            await bench_send(bench, path, partial(spoil, path))

        assert bench.emulator.submitted == 0
        assert bench.emulator.count("submit_campaign") == 0
    assert caught.value.checkpoint is not None


@posix
async def test_of_two_runs_of_which_one_lost_its_lock_one_sends(tmp_path: Path) -> None:
    """The second one took a new lock, and the first one notices."""
    path = tmp_path / "kept.json"
    async with connected() as bench:

        async def meanwhile() -> None:
            remove_lock(path)
            await send_campaign(bench.nl, CAMPAIGN, checkpoint=path, **NEW)

        with pytest.raises(InUse):
            await bench_send(bench, path, meanwhile)

        assert bench.emulator.submitted == 1


@posix
async def test_intent_whose_flush_failed_is_not_sent_and_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file exists, but is possibly not on the disk; the next run finds nothing in doubt."""
    path = tmp_path / "kept.json"

    def flush(_: object) -> None:
        if '"submit"' in path.read_text():
            raise OSError(errno.EIO, "Input/output error")

    async with connected() as bench:
        with monkeypatch.context() as patch:
            patch.setattr(files, "_flush_folder", flush)
            with pytest.raises(ConfigurationError, match="Input/output"):
                await send_campaign(bench.nl, CAMPAIGN, checkpoint=path, **NEW)
        assert bench.emulator.count("submit_campaign") == 0
        await send_campaign(bench.nl, CAMPAIGN, checkpoint=path, **NEW)

    assert bench.emulator.submitted == 1


# The lock itself


@posix
def test_lock_that_is_removed_by_its_last_holder_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock on a deleted file does not exclude any other run."""
    import fcntl

    path, flock = tmp_path / "lock", fcntl.flock
    removals = iter([path.unlink])

    def slow(descriptor: int, flags: int) -> None:
        for remove in removals:
            remove()
        flock(descriptor, flags)

    monkeypatch.setattr(fcntl, "flock", slow)
    lock = locks.FileLock.acquire(path)

    assert lock is not None
    assert lock.is_held
    assert locks.FileLock.acquire(path) is None
    lock.release()
    assert not path.exists()


@posix
def test_lock_that_never_stays_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems give a file another number at each look."""
    monkeypatch.setattr(os.path, "samestat", lambda *_: False)

    with pytest.raises(OSError) as caught:  # noqa: PT011 - its number is checked
        locks.FileLock.acquire(tmp_path / "lock")

    assert caught.value.errno == errno.ESTALE


@posix
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_file_system_without_locks_is_named(
    at: World, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No run waits for a run that does not exist."""
    refuse_locks(monkeypatch, number)

    with pytest.raises(ConfigurationError, match="another folder") as caught:
        send(at)

    assert str(at.checkpoint) in str(caught.value)
    assert at.emulator.requests == ()


@posix
@pytest.mark.parametrize("number", [errno.EWOULDBLOCK, errno.EACCES])
def test_lock_of_another_run_is_in_use(
    at: World, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Systems have two words for it."""
    refuse_locks(monkeypatch, number)

    with pytest.raises(InUse):
        send(at)


def refuse_locks(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the system refuse to lock anything."""
    import fcntl

    def refuse(descriptor: int, flags: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)


@posix
def test_lock_is_private_and_follows_no_link(at: World) -> None:
    """In a folder that other users can write to, a link can lead to their file."""
    lock, victim = at.folder / ".checkpoint.json.lock", at.folder / "victim"
    lock.symlink_to(victim)

    with pytest.raises(ConfigurationError, match=r"\.checkpoint\.json\.lock"):
        send(at)

    assert not victim.exists()
    lock.unlink()
    taken = locks.FileLock.acquire(lock)
    assert taken is not None
    assert lock.stat().st_mode & 0o777 == 0o600
    taken.release()


@posix
def test_pipe_in_the_place_of_the_lock_is_refused(at: World) -> None:
    """Nothing waits for its other end."""
    os.mkfifo(at.folder / ".checkpoint.json.lock")

    with pytest.raises(ConfigurationError, match="not a regular file"):
        send(at)


def test_missing_folder_is_named(at: World) -> None:
    """The message names the folder, not an internal file."""
    with pytest.raises(ConfigurationError, match=r"its folder .*nowhere does not exist"):
        send(at, at.folder / "nowhere" / "checkpoint.json")

    assert at.emulator.requests == ()


@posix
def test_folder_that_cannot_be_written_is_named(at: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is sent."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    (at.folder / ".checkpoint.json.lock").mkdir()

    with pytest.raises(ConfigurationError, match="cannot write into"):
        send(at)

    assert at.emulator.requests == ()


# Processes that a run forks


@posix
def test_what_a_child_inherits_is_left_to_its_parent(tmp_path: Path) -> None:
    """In a child the lock is not held, and to release it changes nothing."""
    path = tmp_path / "lock"
    lock = locks.FileLock.acquire(path)
    assert lock is not None

    locks.leave_locks_to_parent()

    assert not lock.is_held
    lock.release()
    assert path.exists()


_PARENT = """
import os, sys, time
from pathlib import Path
from newsleopard_async.locks import FileLock

path = Path(sys.argv[1])
lock = FileLock.acquire(path)
child = os.fork()
if not child:
    assert not lock.is_held
    assert FileLock.acquire(path) is None
    lock.release()
    assert path.exists()
    print(os.getpid(), flush=True)
    os.close(1)
    time.sleep(60)
time.sleep(60)
"""


@posix
def test_lock_of_a_killed_run_is_free_though_its_child_lives(tmp_path: Path) -> None:
    """A child, for example of multiprocessing, must not keep the locks of its parent."""
    path = tmp_path / "lock"
    command = [sys.executable, "-c", _PARENT, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        held_by_parent = locks.FileLock.acquire(path) is None
        parent.kill()
        parent.wait()
        lock = locks.FileLock.acquire(path)
        os.kill(child, 9)

    assert held_by_parent
    assert lock is not None
    lock.release()
