"""A file that is replaced as a whole, and only if it still has the revision that was read.

Two locks are next to it. The *run's* lock is held as long as a run lasts, so that no other run uses
the file. The *save's* lock is held for one comparison and the write after it, so a save is atomic
even without the run's lock. Both locks end with their process, and leave no file behind.
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

__all__ = ["SwapFile", "in_use", "revision_of", "unusable"]

_LOCK_S: Final = 5.0
"""Chosen: how long a save waits for other saves, which take milliseconds. A process that was
stopped during its save delays the others by this time."""

_POLL_S: Final = 0.002
"""Chosen: about the time of a save, which flushes file and folder."""


def revision_of(content: bytes | None) -> str | None:
    """Return the revision of a file's content; None if the file does not exist."""
    return None if content is None else hashlib.sha256(content).hexdigest()[:32]


@attrs.define(eq=False)
class SwapFile:
    """A file with its two locks; all methods block.

    Attributes:
        path: The path of the file.
    """

    path: Path
    _run: FileLock | None = attrs.field(default=None, init=False)

    def read(self) -> bytes | None:
        """Return the content; None if the file does not exist.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        try:
            return read_bounded(self.path, MOST_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unusable(self.path, error) from None

    def swap(self, content: bytes, revision: str | None) -> str:
        """Replace the content if the file still has this revision; return the new one.

        Raises:
            ConfigurationError: the file cannot be written.
            InUse: another run has taken the file over; if this content was written, it does not
                count.
        """
        with self._save_lock() as lock:
            self._check_held()
            if revision_of(self.read()) != revision:
                raise InUse(f"{self.path} was changed by another run, or by hand, during this one")
            try:
                write_durably(self.path, content)
            except OSError as error:
                raise unusable(self.path, error) from None
            # Checked again, because another run can have come between the check and the write.
            self._check_held()
            if not lock.is_held:
                raise InUse(_lost(self.path, lock.path))
        return hashlib.sha256(content).hexdigest()[:32]

    def _check_held(self) -> None:
        lock = self._run
        if lock is not None and not lock.is_held:
            # Raised only once. Later saves of this run are only compared, as any other save.
            self._run = None
            raise InUse(_lost(self.path, lock.path))

    @contextlib.contextmanager
    def _save_lock(self) -> Iterator[FileLock]:
        path = self.path.with_name(f".{self.path.name}.save")
        until = time.monotonic() + _LOCK_S
        while (lock := self._take(path)) is None:
            if time.monotonic() > until:
                raise InUse(
                    f"another run has been writing {self.path} for {_LOCK_S:g} s; end it, or wait"
                )
            time.sleep(_POLL_S)
        try:
            yield lock
        finally:
            lock.release()

    def _take(self, path: Path) -> FileLock | None:
        try:
            return FileLock.acquire(path)
        except OSError as error:
            if error.errno == errno.ESTALE:
                # Other processes removed the lock file at the ends of their saves.
                return None
            raise _unlockable(self.path, path, error) from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the file for a run, and remove the temporary files of killed saves.

        Raises:
            InUse: another run has locked the file.
            ConfigurationError: the file cannot be locked.
        """
        path = self._lock_path
        if self._run is not None:
            # The lock file can have been removed, and then the system would give a second lock.
            raise in_use(self.path)
        try:
            # Not in a thread, so that no cancellation can come between the lock and its release.
            lock = FileLock.acquire(path)
        except OSError as error:
            raise _unlockable(self.path, path, error) from None
        if lock is None:
            raise in_use(self.path)
        self._run = lock
        try:
            self._tidy()
            yield
        finally:
            self._run = None
            lock.release()

    def is_locked(self) -> bool:
        """Return whether a run of any process has locked the file; does not lock it.

        Raises:
            ConfigurationError: the lock cannot be read.
        """
        try:
            return FileLock.is_locked(self._lock_path)
        except OSError as error:
            raise _unlockable(self.path, self._lock_path, error) from None

    @property
    def _lock_path(self) -> Path:
        return self.path.with_name(f".{self.path.name}.lock")

    def _tidy(self) -> None:
        """Remove the temporary files of killed saves, unless a save is running."""
        with contextlib.suppress(OSError):
            # Eight digits, as from `part_of`: the name "a" must not match a part of "a.json".
            name = f".{glob.escape(self.path.name)}.{'[0-9a-f]' * 8}.part"
            parts = list(self.path.parent.glob(name))
            lock = (
                FileLock.acquire(self.path.with_name(f".{self.path.name}.save")) if parts else None
            )
            if lock is not None:
                for part in parts:
                    part.unlink(missing_ok=True)
                lock.release()


def in_use(path: Path) -> InUse:
    """Return the error for a file that another run has locked."""
    return InUse(f"another run is using {path}; wait until it has ended")


def unusable(path: Path, error: OSError) -> ConfigurationError:
    """Return the error for a file or folder that the system refuses."""
    return ConfigurationError(f"{path} cannot be used: {error.strerror}")


def _lost(path: Path, lock: Path) -> str:
    return (
        f"the lock {lock} was removed or replaced while this run had it, so another run possibly "
        f"uses {path}; run again with the same path, and exclude it from clean-up programs"
    )


def _unlockable(path: Path, lock: Path, error: OSError) -> ConfigurationError:
    folder = path.parent
    if not folder.is_dir():
        return ConfigurationError(
            f"{path} cannot be used: its folder {folder} does not exist; create it"
        )
    if not os.access(folder, os.W_OK):
        return ConfigurationError(
            f"{path} cannot be used: this user cannot write into {folder} ({error.strerror}); "
            "allow it, or use another folder"
        )
    return ConfigurationError(
        f"{path} cannot be used: {lock.name} next to it cannot be locked ({error.strerror}). If "
        "its file system has no locks, as some network file systems, use another folder, or "
        "another store"
    )
