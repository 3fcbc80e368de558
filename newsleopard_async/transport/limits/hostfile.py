"""The limits of a key in a file, for all processes of this host and this user.

Each change locks the file, reads it, and writes it, in less than a tenth of a millisecond, on the
event loop. If another process has the lock, the event loop continues, and the file is tried again
soon. A lock ends with its process, so a killed process does not keep it. If a process is stopped
while it has the lock, the others wait for 5 s and then continue with a new file.

The time is monotonic since the start of the machine. After a restart it begins at 0. That counts as
a clock that did not move, which is safe, because the real time is longer.

Containers, users, hosts and network file systems do not share the file. They share the limits by
Redis.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import random
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from newsleopard_async.clock import Clock
from newsleopard_async.errors import ConfigurationError
from newsleopard_async.files import make_private_folder
from newsleopard_async.locks import AT_ONCE, NO_FOLLOW, FileLock, check_regular, try_lock, unlock
from newsleopard_async.transport.limits.permits import apply
from newsleopard_async.transport.limits.quota import QuotaReply, QuotaUpdate

__all__ = ["HostFile"]

_WITHIN_S: Final = 5.0
"""How long another process can have the lock. Chosen: fifty thousand times the time of a change."""

_TRIES: Final = 100
"""How many tries are needed within that time. Chosen: a process that was stopped itself for so long
has tried only once."""

_ROOM_BYTES: Final = 4096
"""The first size of a new file. Chosen: a block of most file systems; the stored value is a third
of it."""

_IDLE_S: Final = 2 * 86_400.0
"""The age at which an unused file is removed. Chosen: two days, when its day is over in any time
zone."""

_MOST_BYTES: Final = 1024 * 1024
"""The largest file that is read. Chosen: a thousand times the stored value."""


class HostFile:
    """A file that the processes of one user on this host share.

    Args:
        folder: The folder of the file, which is created if needed.
        name: The name of the file.
        clock: Waits between two tries, and gives the time of the file. All processes have the same.

    Raises:
        OSError: the file cannot be used in this folder.
    """

    def __init__(self, folder: Path, name: str, clock: Clock) -> None:
        self.name: str = "the file that the processes of this host share"
        self.calls: int = 0
        self._path = folder / name
        self._clock = clock
        # If the file was never used, it has lost nothing, even if another process has created it.
        self._is_first = True
        self._keep(self._open())
        with self._locked() as is_mine:
            # A file system without locks or without space is noticed now.
            if is_mine and not os.fstat(self._descriptor).st_size:
                self._write(b" " * _ROOM_BYTES)
        _remove_idle(folder, apart_from=self._path)

    def _open(self) -> int:
        make_private_folder(self._path.parent)
        flags = os.O_RDWR | os.O_CREAT | NO_FOLLOW | AT_ONCE | getattr(os, "O_BINARY", 0)
        descriptor = os.open(self._path, flags, 0o600)
        try:
            check_regular(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _keep(self, descriptor: int) -> None:
        self._descriptor, self._pid = descriptor, os.getpid()
        # An event loop can end without closing the file.
        self._closing = weakref.finalize(self, os.close, descriptor)

    def _reopen(self) -> None:
        # If opening fails, the old descriptor stays open: its number must not become another
        # file's.
        descriptor = self._open()
        self._closing()
        self._keep(descriptor)

    async def update(self, update: QuotaUpdate) -> QuotaReply:
        """Apply a change; wait while another process has the lock.

        Raises:
            ConfigurationError: the file cannot be used any more.
        """
        self.calls += 1
        try:
            return await self._update(update)
        except OSError as error:
            raise ConfigurationError(
                f"the limits cannot be shared by {self._path}: {error.strerror}; pass quota=None "
                "to the client if no other process uses this key"
            ) from None

    async def _update(self, update: QuotaUpdate) -> QuotaReply:
        began_s, tries = self._clock.monotonic(), 0
        while True:
            with self._locked() as is_mine:
                if is_mine:
                    reply = self._apply(update)
                    # If this process was stopped with the lock, the others have created another
                    # file.
                    if self._is_in_place():
                        return reply
            tries += 1
            if not self._is_in_place():
                self._reopen()
                # The first process that uses the new file does not know the value of the old one.
                self._is_first = False
            elif tries > _TRIES and self._clock.monotonic() - began_s > _WITHIN_S:
                self._leave_to_holder()
                began_s, tries = self._clock.monotonic(), 0
            # Some milliseconds, because a change takes a tenth of one.
            await self._clock.sleep(random.uniform(0.0005, 0.003))  # noqa: S311 - jitter

    @contextlib.contextmanager
    def _locked(self) -> Iterator[bool]:
        """Try once to lock the file; yield False if another process has it, or has replaced it."""
        if self._pid != os.getpid():
            # After a fork, the parent has the same lock, so this process opens the file again.
            self._reopen()
        if not try_lock(self._descriptor):
            yield False
            return
        try:
            yield self._is_in_place()
        finally:
            unlock(self._descriptor)

    def _is_in_place(self) -> bool:
        """Return whether the open file is still the one at its path."""
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self._descriptor), self._path.lstat())
        return False

    def _leave_to_holder(self) -> None:
        """Remove a file that another process has locked for too long; the others make a new one."""
        # All waiting processes do this at the same time. None may remove the new file of another
        # one.
        lock = FileLock.acquire(self._path.with_name(f".{self._path.name}.lock"))
        if lock is None:
            return
        try:
            if self._is_in_place():
                self._path.unlink()
        finally:
            lock.release()

    def _apply(self, update: QuotaUpdate) -> QuotaReply:
        content = self._read()
        is_first, self._is_first = self._is_first and not content.strip(), False
        kept, reply = apply(
            _parsed(content),
            update,
            self._clock.monotonic(),
            self._clock.now(),
            is_first=is_first,
        )
        body = json.dumps(kept, separators=(",", ":")).encode()
        # After a shorter value, the end of a longer one remains in the file. It is not read.
        self._write(_head(body) + body)
        return reply

    def _read(self) -> bytes:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.read(self._descriptor, _MOST_BYTES)

    def _write(self, content: bytes) -> None:
        # In two steps, under the lock: Windows has no pwrite.
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        if os.write(self._descriptor, content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Close the file; other processes continue with it."""
        self._closing()


def _head(body: bytes) -> bytes:
    return f"{len(body):8d} {_digest(body)} ".encode()


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]


def _parsed(content: bytes) -> Any:
    """Read the stored value; return None if it is incomplete or something else."""
    try:
        length, digest = content[:26].decode().split()
        body = content[26 : 26 + int(length)]
        return json.loads(body) if _digest(body) == digest else None
    # If it is nested too deeply, we have not written it.
    except (ValueError, RecursionError):
        return None


def _remove_idle(folder: Path, *, apart_from: Path) -> None:
    """Remove the files of keys that were not used for two days."""
    before = time.time() - _IDLE_S
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                if path != apart_from and path.lstat().st_mtime < before:
                    _remove_unused(path, before)


def _remove_unused(path: Path, before: float) -> None:
    descriptor = os.open(path, os.O_RDWR | NO_FOLLOW | AT_ONCE)
    try:
        # A process that uses the file now has the lock, or has just written to it.
        if try_lock(descriptor) and os.fstat(descriptor).st_mtime < before:
            path.unlink()
    finally:
        os.close(descriptor)
