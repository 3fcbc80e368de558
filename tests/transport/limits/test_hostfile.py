"""The limits of a key in a file: faults of the file, and of the processes that use it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import json
import os
import resource
import stat
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from unittest import mock

import anyio
import attrs
import pytest

from newsleopard_async.clock import Clock, SystemClock
from newsleopard_async.errors import ConfigurationError
from newsleopard_async.locks import FileLock
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.limits import hostfile
from newsleopard_async.transport.limits.hostfile import HostFile
from newsleopard_async.transport.limits.limiter import shared_queue
from newsleopard_async.transport.limits.quota import PermitRequest, QuotaReply, QuotaUpdate
from tests.constants import KEY

pytestmark = pytest.mark.quick

NAME = "limits"
LOST_S = 1.2
"""The time of the next request after the value was lost: one window later."""
DAYS_S = 86_400


@attrs.define
class Host:
    """A host whose processes share a file."""

    folder: Path
    clock: Clock = attrs.field(factory=ManualClock)
    _names: Iterator[int] = attrs.field(factory=lambda: iter(range(10_000)))

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.folder / NAME

    def process(self, clock: Clock | None = None) -> HostFile:
        """Open the file."""
        return HostFile(self.folder, NAME, clock or self.clock)

    async def ask(self, process: HostFile) -> QuotaReply:
        """Ask for a permit."""
        change = QuotaUpdate(
            windows=((10, 1.0),),
            uplink_s=0.15,
            allowance=None,
            has_day=True,
            day=0,
            seen=0,
            chance=0.5,
            permit_request=PermitRequest(f"{next(self._names)}", 1, 0.0, 60.0),
        )
        return await process.update(change)

    async def wait_s(self, process: HostFile) -> float:
        """Return how long a request waits that asks now."""
        reply = await self.ask(process)
        wait_s = reply.later_s if reply.go_s is None else reply.go_s
        assert wait_s is not None
        return round(wait_s, 3)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Make a host of which no process has begun."""
    return Host(tmp_path / "state" / "quota")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a file as another process would."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.anyio
@pytest.mark.parametrize("order", [(0, 1, 0), (1, 0, 1)], ids=["in order", "overtaken"])
async def test_first_processes_go_at_once_and_count_together(
    host: Host, order: tuple[int, ...]
) -> None:
    """Before its first use, no process can have sent anything, so no request waits."""
    processes = host.process(), host.process()
    other = processes[1]

    waits = [await host.wait_s(processes[number]) for number in order]

    assert waits == [0, 0, 0]
    assert (await host.ask(other)).used == 4


@pytest.mark.anyio
async def test_file_needs_only_what_windows_has_too(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There a file is read and written at its place in two steps."""
    monkeypatch.delattr(os, "pread")
    monkeypatch.delattr(os, "pwrite")
    process = host.process()

    assert [(await host.ask(process)).used for _ in range(3)] == [1, 2, 3]


@pytest.mark.anyio
async def test_process_that_starts_again_finds_the_days_count(host: Host) -> None:
    """What was sent before counts on."""
    before = host.process()
    await host.ask(before)
    before.close()

    assert (await host.ask(host.process())).used == 2


def test_file_is_private_to_its_user(host: Host) -> None:
    """It is its owner's alone, in a folder that is its owner's alone."""
    host.process()

    modes = [stat.S_IMODE(path.stat().st_mode) for path in (host.path, host.folder)]
    assert modes == [0o600, 0o700]


@pytest.mark.anyio
async def test_others_go_on_while_the_file_is_locked(host: Host) -> None:
    """Who waits for the lock keeps no other task of the event loop waiting."""
    process = host.process()
    asked_at = []

    async def ask() -> None:
        assert await host.wait_s(process) == 0
        asked_at.append(host.clock.monotonic())

    async with anyio.create_task_group() as tasks:
        with locked(host.path):
            tasks.start_soon(ask)
            for _ in range(5):
                await host.clock.sleep(0.02)

    assert asked_at == [pytest.approx(0.1, abs=0.01)]


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a file to its holder after a tenth of a second: each of 5 s has 500 tries."""
    monkeypatch.setattr(hostfile, "_WITHIN_S", 0.1)
    monkeypatch.setattr(hostfile, "_TRIES", 20)


@pytest.mark.anyio
@pytest.mark.usefixtures("soon")
async def test_file_that_is_never_let_go_is_left_to_its_holder(host: Host) -> None:
    """After a while all others continue with a new file, after every window is empty."""
    processes = [host.process() for _ in range(3)]
    used = []

    async def ask(process: HostFile) -> None:
        assert (await host.ask(process)).later_s == LOST_S
        assert host.clock.monotonic() == pytest.approx(0.1, abs=0.02)

    with locked(host.path):
        async with anyio.create_task_group() as tasks:
            for process in processes:
                tasks.start_soon(ask, process)
        await host.clock.sleep(2 * LOST_S)
        used = [(await host.ask(process)).used for process in processes]

    assert used == [1, 2, 3]
    assert [path.name for path in host.folder.iterdir()] == [NAME]


@pytest.mark.anyio
@pytest.mark.usefixtures("soon")
async def test_new_file_of_another_is_never_removed(host: Host) -> None:
    """Only one waiting process at a time checks whether the locked file is still in place."""
    process = host.process()
    before = host.path.stat().st_ino

    with locked(host.path), locked_for_removal(host):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.ask, process)
            await host.clock.sleep(0.14)
            is_same = host.path.stat().st_ino == before
            host.path.unlink()

    assert is_same
    assert host.clock.monotonic() < 0.16


@pytest.mark.anyio
@pytest.mark.usefixtures("soon")
async def test_file_that_another_has_just_replaced_stays(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that can remove the file checks again whether it is the same one."""
    process = host.process()
    taken: list[int] = []

    def take(path: Path) -> FileLock | None:
        replace(host.path)
        taken.append(host.path.stat().st_ino)
        return FileLock.acquire(path)

    monkeypatch.setattr(hostfile, "FileLock", mock.Mock(acquire=take))
    with locked(host.path):
        await host.ask(process)

    assert taken == [host.path.stat().st_ino]


@contextlib.contextmanager
def locked_for_removal(host: Host) -> Iterator[None]:
    """Be another process that is about to remove the file."""
    path = host.folder / f".{NAME}.lock"
    path.touch()
    with locked(path):
        yield
    path.unlink()


@attrs.define
class Stopping(ManualClock):
    """The clock of a process that is stopped while it has the lock, for once."""

    meanwhile: Callable[[], object] | None = None

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def now(self) -> datetime:
        """Return the time, after something has happened."""
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        return super().now()


@pytest.mark.anyio
async def test_holder_that_wakes_up_continues_with_the_new_file(host: Host) -> None:
    """The update of the stopped process was lost, so it asks again."""
    process = host.process(Stopping(host.path.unlink))

    assert await host.wait_s(process) == pytest.approx(LOST_S)


@pytest.mark.anyio
async def test_process_that_was_stopped_itself_takes_no_file_away(host: Host) -> None:
    """This process finds the lock held for long, but it has tried only twice."""
    process = host.process()
    before = host.path.stat().st_ino

    with locked(host.path):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.ask, process)
            await anyio.wait_all_tasks_blocked()
            assert isinstance(host.clock, ManualClock)
            host.clock.advance(60)
            tasks.cancel_scope.cancel()

    assert host.path.stat().st_ino == before


def remove(path: Path) -> None:
    """Remove the file."""
    path.unlink()


def replace(path: Path) -> None:
    """Put another file in its place."""
    path.with_name("other").touch()
    path.with_name("other").rename(path)


def remove_folder(path: Path) -> None:
    """Remove the folder, and the one above it."""
    path.unlink()
    path.parent.rmdir()
    path.parent.parent.rmdir()


def tear(path: Path) -> None:
    """Leave half of it."""
    os.truncate(path, 100)


def flip(path: Path) -> None:
    """Change one bit of it."""
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)


def spoil(path: Path) -> None:
    """Write something else into it."""
    path.write_bytes(b"\xff\x00 no digits and no JSON" * 10)


def grow(path: Path) -> None:
    """Make it huge."""
    os.truncate(path, 2**30)
    with path.open("r+b") as file:
        file.write(b"?")


def nest(path: Path) -> None:
    """Write JSON into it that no reader can take."""
    HostFile._write(HostFile(path.parent, path.name, SystemClock()), signed(b"[" * 100_000))


def other_json(path: Path) -> None:
    """Write JSON of another kind into it."""
    HostFile._write(HostFile(path.parent, path.name, SystemClock()), signed(b'["form"]'))


def signed(body: bytes) -> bytes:
    """Write a body as the file holds it."""
    return hostfile._head(body) + body


@pytest.mark.anyio
@pytest.mark.parametrize(
    "harm",
    [remove, replace, remove_folder, tear, flip, spoil, grow, nest, other_json],
    ids=lambda harm: harm.__name__,
)
async def test_file_that_is_lost_makes_all_wait_for_a_window(
    host: Host, harm: Callable[[Path], None]
) -> None:
    """What was in it is not known; the next ones count together again."""
    one, other = host.process(), host.process()
    await host.ask(one)
    await host.ask(other)

    harm(host.path)

    waits = [await host.wait_s(process) for process in (one, other, host.process())]
    assert waits == [pytest.approx(LOST_S, abs=0.01)] * 3
    await host.clock.sleep(2 * LOST_S)
    assert [(await host.ask(process)).used for process in (one, other)] == [1, 2]


@pytest.mark.anyio
async def test_process_that_found_no_file_does_not_take_a_new_one_for_the_first(
    host: Host,
) -> None:
    """Others may have sent requests between its start and the end of the file."""
    process = host.process()
    host.path.unlink()

    assert await host.wait_s(process) == pytest.approx(LOST_S, abs=0.01)


def link(path: Path) -> None:
    """Put a link in its place."""
    path.symlink_to(path.with_name("target"))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("put", "take"),
    [
        pytest.param(link, Path.unlink, id="link"),
        pytest.param(Path.mkdir, Path.rmdir, id="folder"),
        pytest.param(os.mkfifo, Path.unlink, id="pipe"),
    ],
)
async def test_folder_in_place_of_the_file_is_an_error_until_it_is_removed(
    host: Host, put: Callable[[Path], None], take: Callable[[Path], None]
) -> None:
    """The error names the way out, and the file is used again as soon as that is possible."""
    process = host.process()
    host.path.unlink()
    put(host.path)

    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"cannot be shared by .*quota=None"):
            await host.ask(process)
    with pytest.raises(OSError, match=r"Errno"):
        host.process()
    take(host.path)

    assert await host.wait_s(process) == pytest.approx(LOST_S, abs=0.01)
    assert not host.path.with_name("target").exists()


@contextlib.contextmanager
def room(size_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a size, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.anyio
async def test_full_disk_is_an_error_and_no_permit(host: Host) -> None:
    """A permit that no other process can find must not be used."""
    process = host.process()
    await host.ask(process)

    for size_bytes in (0, 100):
        with room(size_bytes), pytest.raises(ConfigurationError, match=r"cannot be shared.*quota="):
            await host.ask(process)

    assert await host.wait_s(process) == pytest.approx(LOST_S, abs=0.01)


def test_full_disk_is_noticed_when_the_file_is_made(host: Host) -> None:
    """So the client can go on alone from the start."""
    with room(1_000), pytest.raises(OSError, match=r"Errno"):
        host.process()


@pytest.mark.anyio
async def test_child_opens_the_file_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock of what a fork has inherited is the parent's, too."""
    child = host.process()
    parent = child._descriptor
    monkeypatch.setattr(os, "getpid", lambda: 1)

    assert await host.wait_s(child) == 0
    assert child._descriptor != parent


def test_event_loops_of_two_threads_count_together(tmp_path: Path) -> None:
    """Each has opened the file for itself, so that they lock each other out."""
    hosts = [Host(tmp_path, SystemClock()) for _ in range(2)]

    async def ask(host: Host) -> None:
        process = host.process()
        for _ in range(50):
            await host.ask(process)

    threads = [threading.Thread(target=asyncio.run, args=(ask(host),)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    content = (tmp_path / NAME).read_bytes()
    kept = json.loads(content[26 : 26 + int(content[:8])])
    assert kept["days"][0][2] == 10


def open_files() -> Iterator[Path]:
    """Yield what this process has open."""
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield descriptor.readlink()


def test_many_event_loops_leave_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was opened for an event loop is closed when it has ended."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def use() -> None:
        shared_queue(KEY, "https://api.example", SystemClock(), "host")

    for _ in range(20):
        asyncio.run(use())

    gc.collect()
    assert [path for path in open_files() if tmp_path in path.parents] == []


@pytest.mark.anyio
async def test_files_unused_for_two_days_are_removed(host: Host) -> None:
    """Other files stay. A process with such an old file open continues with a new one."""
    host.process()
    sleeper = HostFile(host.folder, "sleeper", host.clock)
    await host.ask(sleeper)
    (host.folder / "folder").mkdir()
    HostFile(host.folder, "lately", host.clock)
    HostFile(host.folder, "busy", host.clock)
    for name in ("sleeper", "busy", "folder", NAME):
        at = (host.folder / name).stat().st_mtime - 2 * DAYS_S - 60
        os.utime(host.folder / name, (at, at))

    with locked(host.folder / "busy"):
        host.process()

    assert {path.name for path in host.folder.iterdir()} == {NAME, "busy", "folder", "lately"}
    assert await host.wait_s(sleeper) == pytest.approx(LOST_S, abs=0.01)
