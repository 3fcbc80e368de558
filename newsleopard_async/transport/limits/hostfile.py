"""The limits of a key in a file, for all processes of this host and this user.

Each change locks the file, reads it, and writes it, in less than a tenth of a millisecond, on the
event loop. If another process has the lock, the event loop goes on, and the file is tried again
soon. A lock goes with its process, so that none that was killed keeps it. One that was stopped with
it loses it: after 5 s its file is left to it, and all others go on with a new one.

Time is monotonic since the machine was started. After a restart of the machine it begins anew,
which is as if no time had passed; less than that never has.

The file is not shared by containers, users, or hosts, nor over a network file system. These share
the limits by Redis.
"""

from __future__ import annotations

import contextlib
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
from newsleopard_async.locks import AT_ONCE, NO_FOLLOW, check_regular, try_lock, unlock
from newsleopard_async.transport.limits.books import apply
from newsleopard_async.transport.limits.quota import Change, Verdict

__all__ = ["HostFile"]

_WITHIN_S: Final = 5.0
"""How long another process may hold the lock. Chosen: fifty thousand times what a change takes."""

_IDLE_S: Final = 2 * 86_400.0
"""From when on a file is removed that nobody uses. Chosen: by then its day is over everywhere."""

_MOST_BYTES: Final = 1024 * 1024
"""Chosen: a thousand times what is kept."""


class HostFile:
    """A file that the processes of one user on this host share.

    Args:
        folder: Where it is; made if it is not there.
        name: Of the file.
        clock: Waits between two tries, and is the time of the file: of all processes the same.

    Raises:
        OSError: it cannot be kept there.
    """

    def __init__(self, folder: Path, name: str, clock: Clock) -> None:
        make_private_folder(folder)
        self.name: str = "the file that the processes of this host share"
        self.calls: int = 0
        self._path = folder / name
        self._clock = clock
        _remove_idle(folder)
        self._is_first = not self._path.exists()
        self._keep(self._open())
        with self._locked():
            pass  # So that a file system without locks is noticed now.

    def _open(self) -> int:
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
        # An event loop may end, and nobody close what was opened for it.
        self._closing = weakref.finalize(self, os.close, descriptor)

    def _reopen(self, *, is_lost: bool) -> None:
        self._closing()
        self._keep(self._open())
        # What was in the one before is not known to whoever uses this one first.
        self._is_first = self._is_first and not is_lost

    async def update(self, change: Change) -> Verdict:
        """Apply a change; wait while another process does.

        Raises:
            ConfigurationError: the file cannot be used any more.
        """
        self.calls += 1
        began_s = self._clock.monotonic()
        try:
            while True:
                with self._locked() as is_mine:
                    if is_mine:
                        return self._apply(change)
                if self._clock.monotonic() - began_s > _WITHIN_S:
                    self._leave_to_holder()
                    began_s = self._clock.monotonic()
                # Some milliseconds, since a change takes a tenth of one.
                await self._clock.sleep(random.uniform(0.0005, 0.003))  # noqa: S311 - jitter
        except OSError as error:
            raise ConfigurationError(
                f"the limits cannot be shared by {self._path}: {error.strerror}; give the client "
                "quota=None if no other process uses this key"
            ) from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[bool]:
        """Try once to lock the file; gives False if another process has it."""
        if self._pid != os.getpid():
            # Forked: the lock of what is open is the parent's, too.
            self._reopen(is_lost=False)
        if not try_lock(self._descriptor):
            yield False
            return
        try:
            yield self._is_in_place()
        finally:
            unlock(self._descriptor)

    def _is_in_place(self) -> bool:
        """Say whether what is locked is what others find; if it was removed, open what is there."""
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(self._descriptor), self._path.lstat()):
                return True
        self._reopen(is_lost=True)
        return False

    def _leave_to_holder(self) -> None:
        """Let the others go on with a new file, if it is still the one that somebody holds."""
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(self._descriptor), self._path.lstat()):
                self._path.unlink()
        self._reopen(is_lost=True)

    def _apply(self, change: Change) -> Verdict:
        content = os.pread(self._descriptor, _MOST_BYTES, 0)
        is_first, self._is_first = self._is_first and not content, False
        kept, verdict = apply(
            _parsed(content),
            change,
            self._clock.monotonic(),
            self._clock.now(),
            is_first=is_first,
        )
        body = json.dumps(kept, separators=(",", ":")).encode()
        # A shorter one leaves the end of a longer one behind, which is not read.
        os.pwrite(self._descriptor, _head(body) + body, 0)
        return verdict

    def close(self) -> None:
        """Close the file; others go on with it."""
        self._closing()


def _head(body: bytes) -> bytes:
    return f"{len(body):8d} {_digest(body)} ".encode()


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]


def _parsed(content: bytes) -> Any:
    """Read what is kept; None if it is torn, or something else."""
    try:
        length, digest = content[:26].decode().split()
        body = content[26 : 26 + int(length)]
        return json.loads(body) if _digest(body) == digest else None
    # Nested too deeply, it is not ours.
    except (ValueError, RecursionError):
        return None


def _remove_idle(folder: Path) -> None:
    """Remove the files of keys that nobody has used for two days."""
    old = time.time() - _IDLE_S
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                if path.lstat().st_mtime < old:
                    path.unlink()
