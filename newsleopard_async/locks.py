"""Locks on files, each as long as the run that took it, or its process."""

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
"""Windows has no such flag; whoever may make a link there is an administrator."""

AT_ONCE: Final = getattr(os, "O_NONBLOCK", 0)
"""Opening a named pipe must not wait for its other end."""


def check_regular(descriptor: int) -> os.stat_result:
    """Refuse what is open and no regular file; return what the system says of it."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    return status


_LOCKS: Final[set[FileLock]] = set()
"""What this process has locked; a child that it forks has none of it."""

_OTHERS: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES})
"""How a system says that somebody else has a lock; anything else says that it has no locks."""

_ATTEMPTS: Final = 10
"""Chosen: how often a lock file may be taken away just as it was locked, by runs that end."""


@attrs.frozen(eq=False)
class FileLock:
    """A lock that lasts as long as the run that took it, or its process, and no child of it.

    The lock is on the open file, and others find it by its name. So it is worth nothing once
    the name is gone or is another file's (`git clean`, tmpreaper, rsync --delete): whoever
    relies on it asks `is_held`.

    Attributes:
        path: The file.
        descriptor: It, open.
    """

    path: Path
    descriptor: int

    @classmethod
    def acquire(cls, path: Path) -> FileLock | None:
        """Make and lock a file; None if another run, in whatever process, has it.

        Raises:
            OSError: it cannot be made, or there are no locks on its file system.
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
        """Whether a run, in whatever process, has a file locked.

        A look at a file that no one has locked, which only a crash leaves behind, keeps who wants
        to lock it away for as long as it lasts. Other looks are never in the way.

        Raises:
            OSError: it cannot be looked at, or there are no locks on its file system.
        """
        try:
            lock = cls(path, os.open(path, os.O_RDWR | NO_FOLLOW | AT_ONCE))
        except FileNotFoundError:
            return False
        # A child that is forked now must not keep the lock of the look.
        _LOCKS.add(lock)
        try:
            check_regular(lock.descriptor)
            return not try_lock(lock.descriptor, shared=True)
        finally:
            lock._close()

    @property
    def is_held(self) -> bool:
        """Whether it still keeps others away: this process has it, under its name."""
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
        """Let others have it, and leave no file behind.

        The file is removed while it is locked: whoever opened it before sees, once it has the
        lock, that the name is gone. Windows removes no open file; there it stays.
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
    """Lock an open file at once; False if another one has it.

    Args:
        descriptor: The file.
        shared: Whether others may lock it so at the same time; not on Windows.

    Raises:
        OSError: its file system has no locks.
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
    """Let others have the lock of an open file."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_UN)


def leave_locks_to_parent() -> None:
    """Close what a forked child has inherited: it would keep a lock beyond its owner's end."""
    while _LOCKS:
        os.close(_LOCKS.pop().descriptor)


# Windows has no fork.
getattr(os, "register_at_fork", lambda **_: None)(after_in_child=leave_locks_to_parent)
