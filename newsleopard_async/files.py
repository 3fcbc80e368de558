"""Files of ours and of the caller: whole after a crash, private, unchanged while they are read."""

from __future__ import annotations

import abc
import contextlib
import errno
import os
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import IO, ClassVar, Final, Literal, Self, TypeAlias

import anyio
import attrs

from newsleopard_async.aio import in_thread
from newsleopard_async.errors import ConfigurationError, InvalidRequest

__all__ = [
    "PATH_TYPES",
    "AnyPath",
    "FileIdentity",
    "FileLock",
    "StableFile",
    "Unusable",
    "append",
    "as_path",
    "copy_durably",
    "create_private",
    "open_folder",
    "part_of",
    "private_folder",
    "put_in_place",
    "read_bounded",
    "write_durably",
]

AnyPath: TypeAlias = str | os.PathLike[str]
"""Where a file or folder is: a path, also as text."""

PATH_TYPES: Final = (str, os.PathLike)

_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
"""Windows has no such flag; whoever may make a link there is an administrator."""

_AT_ONCE: Final = getattr(os, "O_NONBLOCK", 0)
"""Opening a named pipe must not wait for its other end."""

_BINARY: Final = getattr(os, "O_BINARY", 0)


def as_path(path: AnyPath) -> Path:
    """Return a path that was given in any form."""
    return Path(os.fsdecode(path))


@attrs.frozen
class FileIdentity:
    """What tells one state of a file from another, as far as the file system does."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileIdentity:
        """Read it off what the system says of a file."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


Unusable = Literal["unreadable", "folder", "special", "lost", "changed"]
"""Why a file cannot be used: at the first look it is unreadable, a folder, or something that can
be read only once; when it is read, the system gives an error, or it is no longer the same."""


@attrs.frozen
class StableFile(abc.ABC):
    """A file that is read more than once, and must stay as it was when it was first seen.

    A subclass says how large the pieces are, and words the refusals.
    """

    piece_bytes: ClassVar[int]

    path: Path
    identity: FileIdentity = attrs.field(repr=False)

    @classmethod
    @abc.abstractmethod
    def refusal(cls, path: Path, why: Unusable, system: str = "") -> InvalidRequest:
        """Build the error for a file that cannot be used.

        Args:
            path: The file.
            why: What is wrong with it.
            system: What the system says, if it does.
        """

    @classmethod
    async def at(cls, path: Path) -> Self:
        """Look at a file.

        Raises:
            InvalidRequest: there is none, or it is a folder, or can be read only once.
        """
        try:
            status = await in_thread(path.stat)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise cls.refusal(path, "unreadable", str(why)) from None
        if not stat.S_ISREG(status.st_mode):
            raise cls.refusal(path, "folder" if stat.S_ISDIR(status.st_mode) else "special")
        return cls(path, FileIdentity.of(status))

    @property
    def size_bytes(self) -> int:
        """How many bytes a reading gives."""
        return self.identity.size_bytes

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Read it from its start; the last piece comes only if the file is still the same.

        Raises:
            InvalidRequest: it cannot be read, or is no longer what it was.
        """
        left_bytes = self.size_bytes
        reading = self._read()
        try:
            while True:
                piece = await in_thread(partial(next, reading))
                left_bytes -= len(piece)
                yield piece
                if not left_bytes:
                    return
        finally:
            if left_bytes:
                with anyio.CancelScope(shield=True):
                    await in_thread(reading.close)

    def _read(self) -> Generator[bytes, None, None]:
        """Yield as many bytes as there were at the first look, in threads."""
        left_bytes = self.size_bytes
        try:
            with self.path.open("rb") as file:
                self._check(os.fstat(file.fileno()))
                # Never more than the size: a server takes that many bytes for the whole.
                while left_bytes > self.piece_bytes and (piece := file.read(self.piece_bytes)):
                    left_bytes -= len(piece)
                    yield piece
                last = file.read(left_bytes + 1)
                self._check(os.fstat(file.fileno()))
                # By its name too: what is open stays readable when it was replaced.
                self._check(self.path.stat())
        except OSError as error:
            raise self.refusal(self.path, "lost", error.strerror or "it cannot be read") from None
        if len(last) != left_bytes:
            # What the system makes up as it is read, as below /proc, is of another size.
            raise self.refusal(self.path, "special")
        yield last

    def _check(self, status: os.stat_result) -> None:
        if FileIdentity.of(status) != self.identity:
            raise self.refusal(self.path, "changed")


def part_of(path: Path) -> Path:
    """Name the file that `put_in_place` is to rename, beside its place and used by no one else."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def create_private(path: Path) -> IO[bytes]:
    """Create a file that nobody else can read, and that is no link to another."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def put_in_place(part: Path, path: Path, *, must_last: bool = False) -> int:
    """Give a complete file its name, in one step that a crash cannot cut in two.

    Args:
        must_last: Whether a crash right afterwards must not lose the file. Not every file system
            can promise it; what can be fetched or made again need not ask for it.
    Returns: Its size in bytes.
    """
    with os.fdopen(os.open(part, os.O_RDWR | _NO_FOLLOW), "rb+") as file:
        os.fsync(file.fileno())
        size_bytes = os.fstat(file.fileno()).st_size
    part.replace(path)
    with contextlib.nullcontext() if must_last else contextlib.suppress(OSError):
        _flush_folder(path.parent)
    return size_bytes


def _flush_folder(path: Path) -> None:
    with open_folder(path) as folder:
        if folder is not None:
            os.fsync(folder)


@contextlib.contextmanager
def _replacing(path: Path, *, must_last: bool) -> Iterator[IO[bytes]]:
    """Write a private file that takes the place of another, whole or not at all."""
    part = part_of(path)
    try:
        with create_private(part) as file:
            yield file
        put_in_place(part, path, must_last=must_last)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file by new content, in one piece of work that no cancellation cuts in two."""
    with _replacing(path, must_last=True) as file:
        file.write(content)


def copy_durably(source: Path, path: Path) -> None:
    """Replace a file by a copy of another, whole or not at all."""
    with source.open("rb") as content, _replacing(path, must_last=False) as file:
        shutil.copyfileobj(content, file)


@contextlib.contextmanager
def open_folder(path: Path) -> Iterator[int | None]:
    """Open a folder so that a rename in it can be flushed; Windows has no such thing."""
    if sys.platform == "win32":
        yield None
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """Read a regular file of at most this size, without following a link or waiting for a pipe.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read, or is a folder, a pipe, a device, a link, or too large, or has
            a second name: the one who replaces it would leave the old content under the other.
    """
    descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW | _AT_ONCE | _BINARY)
    try:
        if _check_regular(descriptor).st_nlink > 1:
            raise OSError(errno.EMLINK, "it has a second name (a hard link); give a copy of it")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(most_bytes + 1)
    finally:
        os.close(descriptor)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {most_bytes:,} bytes")
    return content


def _check_regular(descriptor: int) -> os.stat_result:
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
    def take(cls, path: Path) -> FileLock | None:
        """Make and lock a file; None if another run, in whatever process, has it.

        Raises:
            OSError: it cannot be made, or there are no locks on its file system.
        """
        for _ in range(_ATTEMPTS):
            flags = os.O_RDWR | os.O_CREAT | _NO_FOLLOW | _AT_ONCE
            lock = cls(path, os.open(path, flags, 0o600))
            _LOCKS.add(lock)
            try:
                _check_regular(lock.descriptor)
                is_free = _lock(lock.descriptor)
            except BaseException:
                lock._close()
                raise
            if is_free and lock.is_held:
                return lock
            lock._close()
            if not is_free:
                return None
        raise OSError(errno.ESTALE, "it does not stay the same file")

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


def _lock(descriptor: int) -> bool:
    """Lock an open file at once; False if another one has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _OTHERS:
            return False
        raise
    return True


def leave_locks_to_parent() -> None:
    """Close what a forked child has inherited: it would keep a lock beyond its owner's end."""
    while _LOCKS:
        os.close(_LOCKS.pop().descriptor)


# Windows has no fork.
getattr(os, "register_at_fork", lambda **_: None)(after_in_child=leave_locks_to_parent)


_PREFIX: Final = "newsleopard-"
_OWNER: Final = ".owner"
"""The file in a private folder that its process holds a lock on, for as long as it lives."""

_SWEEP_S: Final = 0.1
"""Chosen: so long nobody notices; what is left is left to the next run."""

_IN_USE: Final[set[str]] = set()
"""The private folders of this process, and of those that it was forked from.

A process never meets its own locks, so that it must know its folders by name.
"""


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that nobody else can look into, and remove it with all that is in it.

    Made and removed without an await, which is where asyncio's own cancellation could strike
    whatever shields it: contacts must not stay on the disk. The folders of runs that were
    killed are removed first.
    """
    process = os.getpid()
    name = f"{_PREFIX}{secrets.token_hex(8)}"
    # Known before it is there, since another thread may be looking for abandoned ones.
    _IN_USE.add(name)
    try:
        with _writing():
            folder = Path(tempfile.gettempdir(), name)
            _remove_abandoned(folder.parent)
            folder.mkdir(0o700)
        owner = _own(folder)
        try:
            yield folder
        finally:
            # A forked child that comes past here leaves its parent's folder alone.
            if os.getpid() == process:
                _remove(folder, owner)
    finally:
        _IN_USE.discard(name)


def _own(folder: Path) -> IO[bytes] | None:
    """Put the locked file into a folder: under its name it was never without the lock.

    A folder without it, as on a file system without locks, is never taken for abandoned. Nor is
    any on Windows, which renames no open file.
    """
    part = folder / f"{_OWNER}.part"
    with contextlib.suppress(OSError):
        file = part.open("wb")
        if _is_locked_by_us(file):
            part.rename(folder / _OWNER)
        return file
    return None


def _is_locked_by_us(file: IO[bytes]) -> bool:
    """Lock a file until this process ends; a forked child neither holds nor frees such a lock."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_abandoned(root: Path) -> None:
    """Remove the private folders whose process is gone, for a short time."""
    until_s = time.monotonic() + _SWEEP_S
    with contextlib.suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.name not in _IN_USE:
                with contextlib.suppress(OSError):
                    _remove_if_abandoned(Path(entry.path))
            if time.monotonic() > until_s:
                return


def _remove_if_abandoned(folder: Path) -> None:
    status = folder.lstat()
    # Neither a link nor somebody else's.
    if status.st_mode != stat.S_IFDIR | 0o700 or status.st_uid != _user():
        return
    # It may be a link's or a pipe's name: neither is followed or waited for.
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(folder / _OWNER, flags), "r+b") as owner:
        if _is_locked_by_us(owner):
            _remove(folder, owner)


def _user() -> int:
    # Windows knows owners in another way; nothing is removed there.
    return -1 if sys.platform == "win32" else os.geteuid()


def _remove(folder: Path, owner: IO[bytes] | None) -> None:
    """Remove a folder; its owner's file goes last, so that a kill meanwhile leaves it findable."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name != _OWNER:
                Path(entry.path).unlink(missing_ok=True)
    if owner is not None:
        owner.close()
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Tell an error of the temporary folder from one of whoever gives the content."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"nothing can be put into the temporary folder: {error.strerror}; free some of its "
            "space, or name another folder in TMPDIR"
        ) from None


def append(path: Path, content: bytes) -> None:
    """Add to a file in a folder of ours, and make it if there is none.

    Raises:
        ConfigurationError: nothing can be written there.
    """
    # What is written last may find the disk full only when the file is closed.
    with _writing(), path.open("ab") as file:
        file.write(content)
