"""A file that is replaced whole, and only by those who have seen what is in it.

Two locks stand beside it. The *run's* lock keeps other runs away for as long as a run lasts. The
*save's* lock is held for one comparison and the write after it, so that a save is atomic with or
without the run's lock. Both go with their process, and neither leaves a file behind.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from newsleopard_async.errors import ConfigurationError, InUse
from newsleopard_async.files import read_bounded, write_durably
from newsleopard_async.locks import FileLock
from newsleopard_async.stores.serialization import MOST_BYTES

__all__ = ["SwapFile", "revision_of", "unusable"]

_LOCK_S: Final = 5.0
"""Chosen: how long a save waits for others' saves, each of which takes milliseconds. A process
that was stopped in the middle of its save holds the others up for this long."""

_LOOK_S: Final = 0.002
"""Chosen: about the time of a save, which flushes file and folder."""


def revision_of(content: bytes | None) -> str | None:
    """Name what is in a file; None if there is none."""
    return None if content is None else hashlib.sha256(content).hexdigest()[:32]


@attrs.define(eq=False)
class SwapFile:
    """One such file. All of this is blocking.

    Attributes:
        path: Where it is.
    """

    path: Path
    _run: FileLock | None = attrs.field(default=None, init=False)

    def read(self) -> bytes | None:
        """Return what is in it; None if it is not there.

        Raises:
            ConfigurationError: it cannot be read.
        """
        try:
            return read_bounded(self.path, MOST_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unusable(self.path, error) from None

    def swap(self, content: bytes, revision: str | None) -> str:
        """Replace what is in it if that is what was seen; return the new revision.

        Raises:
            ConfigurationError: it cannot be written.
            InUse: another run has taken it over; what was written, if it was, does not count.
        """
        with self._save_lock() as lock:
            self._check_held()
            if revision_of(self.read()) != revision:
                raise InUse(f"{self.path} was changed by another run, or by hand, during this one")
            try:
                write_durably(self.path, content)
            except OSError as error:
                raise unusable(self.path, error) from None
            # Again: between the look and the write another run may have come.
            self._check_held()
            if not lock.is_held:
                raise InUse(_lost(self.path, lock.path))
        return hashlib.sha256(content).hexdigest()[:32]

    def _check_held(self) -> None:
        lock = self._run
        if lock is not None and not lock.is_held:
            # Said once. What this run saves from now on is only compared, as anyone's is.
            self._run = None
            raise InUse(_lost(self.path, lock.path))

    @contextlib.contextmanager
    def _save_lock(self) -> Iterator[FileLock]:
        path = self.path.with_name(f".{self.path.name}.save")
        until = time.monotonic() + _LOCK_S
        while (lock := self._take(path)) is None:
            if time.monotonic() > until:
                raise InUse(f"another run has been writing {self.path} for {_LOCK_S:g} seconds")
            time.sleep(_LOOK_S)
        try:
            yield lock
        finally:
            lock.release()

    def _take(self, path: Path) -> FileLock | None:
        try:
            return FileLock.acquire(path)
        except OSError as error:
            if error.errno == errno.ESTALE:
                # Many others removed it, each as its save ended.
                return None
            raise _unlockable(self.path, path, error) from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs away, and take away what a run left that was killed while it saved.

        Raises:
            InUse: another run has it.
            ConfigurationError: it cannot be locked.
        """
        path = self._lock_path
        try:
            # At once and not in a thread: nothing can come between the lock and its release.
            lock = FileLock.acquire(path)
        except OSError as error:
            raise _unlockable(self.path, path, error) from None
        if lock is None:
            raise InUse(f"another run is using {self.path}; wait until it has ended")
        self._run = lock
        try:
            self._tidy()
            yield
        finally:
            self._run = None
            lock.release()

    def is_locked(self) -> bool:
        """Return whether a run of any process has locked it; keeps no run away.

        Raises:
            ConfigurationError: that cannot be seen.
        """
        try:
            return FileLock.is_locked(self._lock_path)
        except OSError as error:
            raise _unlockable(self.path, self._lock_path, error) from None

    @property
    def _lock_path(self) -> Path:
        return self.path.with_name(f".{self.path.name}.lock")

    def _tidy(self) -> None:
        """Remove the parts of killed saves; that of a living one is left to it."""
        with contextlib.suppress(OSError):
            # Eight digits, as `part_of` gives: "a" must not take away a part of "a.json".
            name = f".{glob.escape(self.path.name)}.{'[0-9a-f]' * 8}.part"
            parts = list(self.path.parent.glob(name))
            lock = (
                FileLock.acquire(self.path.with_name(f".{self.path.name}.save")) if parts else None
            )
            if lock is not None:
                for part in parts:
                    part.unlink(missing_ok=True)
                lock.release()


def unusable(path: Path, error: OSError) -> ConfigurationError:
    """Build the error for a file or folder that the system refuses."""
    return ConfigurationError(f"{path} cannot be used: {error.strerror}")


def _lost(path: Path, lock: Path) -> str:
    return (
        f"the lock {lock} was removed or replaced while this run had it, so another run may be "
        f"using {path}; run again with it, and keep cleaners away"
    )


def _unlockable(path: Path, lock: Path, error: OSError) -> ConfigurationError:
    folder = path.parent
    if not folder.is_dir():
        return ConfigurationError(f"{path} cannot be used: there is no folder {folder}; make it")
    if not os.access(folder, os.W_OK):
        return ConfigurationError(
            f"{path} cannot be used: nothing can be written into {folder} ({error.strerror})"
        )
    return ConfigurationError(
        f"{path} cannot be used: {lock.name} beside it cannot be locked ({error.strerror}). If "
        "its file system has no locks, as some network file systems, keep it in another folder, "
        "or in a store of another kind"
    )
