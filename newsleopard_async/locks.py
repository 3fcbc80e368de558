"""File locks, which last until they are released or their process ends."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path
from typing import Final

import attrs

__all__ = [
    "AT_ONCE",
    "NO_FOLLOW",
    "FileLock",
    "check_regular",
    "leave_locks_to_parent",
    "try_lock",
    "unlock",
]

NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
"""Windows has no such flag; only administrators can create links there."""

AT_ONCE: Final = getattr(os, "O_NONBLOCK", 0)
"""Without it, opening a named pipe would wait for the other end."""


def check_regular(descriptor: int) -> os.stat_result:
    """Raise `OSError` if an open file is not a regular one; return its status."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    return status


_LOCKS: Final[set[FileLock]] = set()
"""The locks of this process; a forked child has none of them."""

_OTHERS: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES})
"""Errors that mean that another run has the lock; any other means that locks do not work."""

_ATTEMPTS: Final = 10
"""Attempts to lock a file that other runs remove as they end. Chosen: ten such runs in a row do
not happen by chance."""


@attrs.frozen(eq=False)
class FileLock:
    """A lock that ends with its release or its process; a forked child does not inherit it.

    The lock is on the open file, but other runs find the file by its name. If the file was removed
    or replaced (`git clean`, tmpreaper, rsync --delete), the lock protects from nothing. So check
    `is_held` before each step that relies on the lock.

    Attributes:
        path: The file.
        descriptor: The descriptor of the open file.
    """

    path: Path
    descriptor: int

    @classmethod
    def acquire(cls, path: Path) -> FileLock | None:
        """Create and lock a file; return None if another run of any process has the lock.

        Raises:
            OSError: the file cannot be created, or its file system has no locks.
        """
        for _ in range(_ATTEMPTS):
            flags = os.O_RDWR | os.O_CREAT | NO_FOLLOW | AT_ONCE
            lock = cls(path, os.open(path, flags, 0o600))
            _LOCKS.add(lock)
            try:
                check_regular(lock.descriptor)
                is_free = try_lock(lock.descriptor)
            except BaseException:
                lock._close()
                raise
            if is_free and lock.is_held:
                return lock
            lock._close()
            if not is_free:
                return None
        raise OSError(errno.ESTALE, "it does not stay the same file")

    @classmethod
    def is_locked(cls, path: Path) -> bool:
        """Return whether a run of any process has locked a file.

        If the file exists without a lock, which only happens after a crash, a run that tries to
        lock it during this check fails. Two checks do not disturb each other.

        Raises:
            OSError: the file cannot be opened, or its file system has no locks.
        """
        try:
            lock = cls(path, os.open(path, os.O_RDWR | NO_FOLLOW | AT_ONCE))
        except FileNotFoundError:
            return False
        # A child that is forked now must not keep the lock of this check.
        _LOCKS.add(lock)
        try:
            check_regular(lock.descriptor)
            return not try_lock(lock.descriptor, shared=True)
        finally:
            lock._close()

    @property
    def is_held(self) -> bool:
        """Whether this process has the lock, and the file still has its name."""
        if self not in _LOCKS:
            return False
        if sys.platform == "win32":
            # An open file can be neither removed nor replaced there.
            return True
        try:
            return os.path.samestat(os.fstat(self.descriptor), self.path.lstat())
        except OSError:
            return False

    def release(self) -> None:
        """Release the lock and remove the file.

        The file is removed while it is locked, so a run that opened it before and then gets the
        lock finds that the name is gone. Windows cannot remove an open file; there it stays.
        """
        if self.is_held:
            with contextlib.suppress(OSError):
                self.path.unlink()
        if self in _LOCKS:
            self._close()

    def _close(self) -> None:
        _LOCKS.discard(self)
        os.close(self.descriptor)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file without waiting; return False if another run has it.

    Args:
        descriptor: The file.
        shared: Whether others can have a shared lock at the same time; ignored on Windows.

    Raises:
        OSError: the file system has no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _OTHERS:
            return False
        raise
    return True


def unlock(descriptor: int) -> None:
    """Release the lock of an open file."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_UN)


def leave_locks_to_parent() -> None:
    """Close inherited files in a forked child; they would keep the locks after the parent's end."""
    while _LOCKS:
        os.close(_LOCKS.pop().descriptor)


# Windows has no fork.
getattr(os, "register_at_fork", lambda **_: None)(after_in_child=leave_locks_to_parent)
