"""Files: private, complete after a crash, and unchanged while they are read."""

from __future__ import annotations

import abc
import contextlib
import errno
import os
import secrets
import shutil
import stat
import sys
from collections.abc import AsyncGenerator, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import IO, ClassVar, Final, Literal, Self, TypeAlias

import anyio
import attrs

from newsleopard_async.aio import ThreadWork, in_thread, run_to_completion
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.locks import AT_ONCE, NO_FOLLOW, check_regular

__all__ = [
    "PATH_TYPES",
    "AnyPath",
    "FileIdentity",
    "StableFile",
    "Unusable",
    "append_privately",
    "as_path",
    "copy_durably",
    "create_private",
    "make_private_folder",
    "part_of",
    "put_in_place",
    "read_bounded",
    "real_path",
    "replacing",
    "state_folder",
    "write_durably",
]

AnyPath: TypeAlias = str | os.PathLike[str]
"""The path of a file or folder, also as text."""

PATH_TYPES: Final = (str, os.PathLike)

_BINARY: Final = getattr(os, "O_BINARY", 0)


_FAST_S: Final = 0.1
"""A piece that is used within this time is fast. Chosen: 256 KiB in 0.1 s are 2.5 MiB per second,
so a slow line is not fast."""

_PROVEN_BYTES: Final = 16 * 1024**2
"""After so many fast bytes in a row, pieces are as large as blocks. Chosen: more than the system
(4 MiB on Linux) and a proxy usually accept at once while the line behind them is slow."""


def as_path(path: AnyPath) -> Path:
    """Return a path in any form as a `Path`."""
    return Path(os.fsdecode(path))


def real_path(path: AnyPath) -> Path:
    """Return the absolute path of a file without links, so that a later `chdir` has no effect.

    Raises:
        OSError: the working folder was deleted.
        ValueError: the path contains a null character.
    """
    return Path(os.path.realpath(as_path(path)))


@attrs.frozen
class FileIdentity:
    """The facts of the file system by which two states of a file are distinguished."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileIdentity:
        """Build it from the result of `os.stat`."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


Unusable = Literal["unreadable", "folder", "special", "lost", "changed"]
"""Why a file cannot be used. At the first check: unreadable, a folder, or ``special``, which can be
read only once. During the reading: the system reports an error, or the file has changed."""


@attrs.frozen
class StableFile(abc.ABC):
    """A file that is read more than once, and must not change after the first check.

    A subclass sets the sizes and the texts of the errors.

    Attributes:
        piece_bytes: The size of the pieces, until many of them were fast.
        block_bytes: The size of the blocks that are read, and of the pieces after that.
    """

    piece_bytes: ClassVar[int]
    block_bytes: ClassVar[int]

    path: Path
    identity: FileIdentity = attrs.field(repr=False)

    @classmethod
    @abc.abstractmethod
    def refusal(cls, path: Path, why: Unusable, system: str = "") -> InvalidRequest:
        """Build the error for a file that cannot be used.

        Args:
            path: The file.
            why: The reason.
            system: The system's error text, if there is one.
        """

    @classmethod
    async def at(cls, path: Path) -> Self:
        """Check a file, and remember its state.

        Raises:
            InvalidRequest: the file is missing, is a folder, or can be read only once.
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
        """The number of bytes of a reading."""
        return self.identity.size_bytes

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the file in pieces; the last block is yielded only if the file has not changed.

        The next block is read while the caller uses the current one.

        Raises:
            InvalidRequest: the file cannot be read, or has changed.
        """
        left_bytes, fast_bytes = self.size_bytes, 0
        reading = self._read()
        ahead: ThreadWork[bytes] | None = None
        try:
            block = await in_thread(partial(next, reading))
            while True:
                left_bytes -= len(block)
                # The last block is not read ahead, so that its check comes after all other pieces.
                is_ahead = left_bytes > self.block_bytes
                ahead = ThreadWork(partial(next, reading)) if is_ahead else None
                while block:
                    is_proven = fast_bytes >= _PROVEN_BYTES
                    size_bytes = self.block_bytes if is_proven else self.piece_bytes
                    piece, block = block[:size_bytes], block[size_bytes:]
                    given_s = anyio.current_time()
                    yield piece
                    is_fast = anyio.current_time() - given_s < _FAST_S
                    fast_bytes = fast_bytes + len(piece) if is_fast else 0
                if not left_bytes:
                    return
                if ahead is None:
                    block = await in_thread(partial(next, reading))
                else:
                    block = await ahead.get()
        finally:
            if left_bytes:
                await _close(reading, ahead)

    def _read(self) -> Generator[bytes, None, None]:
        """Yield as many bytes as the file had at the first check; runs in threads."""
        left_bytes, block_bytes = self.size_bytes, self.block_bytes
        try:
            with self.path.open("rb") as file:
                self._check(os.fstat(file.fileno()))
                # Never more than the size, because the server expects exactly this number of bytes.
                while left_bytes > block_bytes and (block := file.read(block_bytes)):
                    left_bytes -= len(block)
                    yield block
                last = file.read(left_bytes + 1)
                self._check(os.fstat(file.fileno()))
                # Also by its name, because an open file stays readable after it was replaced.
                self._check(self.path.stat())
        except OSError as error:
            raise self.refusal(self.path, "lost", error.strerror or "it cannot be read") from None
        if len(last) != left_bytes:
            # A file below /proc, for example, has another size than the system reports.
            raise self.refusal(self.path, "special")
        yield last

    def _check(self, status: os.stat_result) -> None:
        if FileIdentity.of(status) != self.identity:
            raise self.refusal(self.path, "changed")


async def _close(reading: Generator[bytes, None, None], ahead: ThreadWork[bytes] | None) -> None:
    """Close a file that was not read to its end, after the last thread has stopped reading."""

    async def close() -> None:
        if ahead is not None:
            await ahead.ended.wait()
        # When asyncio cancels every task, a thread can still read. It then closes the file itself.
        with contextlib.suppress(ValueError):
            await in_thread(reading.close)

    with anyio.CancelScope(shield=True):
        await run_to_completion(close, when_cancelled=lambda _: None)


def state_folder() -> Path:
    """Return the folder for the state that the library keeps for this user; it may be missing.

    Raises:
        OSError: the user has no home folder.
    Source: XDG Base Directory Specification; Apple and Microsoft name one folder each
    """
    if sys.platform == "win32":
        named, below = os.environ.get("LOCALAPPDATA", ""), ("AppData", "Local")
    elif sys.platform == "darwin":
        named, below = "", ("Library", "Application Support")
    else:
        # The specification requires that a relative path is ignored.
        named, below = os.environ.get("XDG_STATE_HOME", ""), (".local", "state")
    base = Path(named) if Path(named).is_absolute() else _home().joinpath(*below)
    return base / "newsleopard-async"


def _home() -> Path:
    try:
        home = Path.home()
    except RuntimeError:
        raise FileNotFoundError(errno.ENOENT, "this user has no home folder; set HOME") from None
    if not home.is_absolute():
        # Each working folder would have a store of its own, and send what another one has sent.
        raise FileNotFoundError(errno.ENOENT, "HOME is not an absolute path; correct it")
    return home


def make_private_folder(folder: Path) -> None:
    """Create a folder and its missing parents; only this user can read the new folders.

    Raises:
        OSError: the folder cannot be created, is a link or a file, or belongs to another user.
    """
    for each in (*reversed(folder.parents), folder):
        if not each.is_dir():
            each.mkdir(mode=0o700, exist_ok=True)
            # Otherwise a power failure could remove the folder with files that were flushed.
            _flush_folder(each.parent)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(
            errno.ENOTDIR, "it is a link or a file, not a folder; name a folder"
        )
    # The owner of a folder can replace each file in it. (Windows has no user numbers.)
    if status.st_uid not in (0, getattr(os, "geteuid", int)()):
        raise PermissionError(errno.EPERM, f"it belongs to another user (uid {status.st_uid})")


def part_of(path: Path) -> Path:
    """Return a new name for a file in the same folder, which `put_in_place` then renames."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def create_private(path: Path) -> IO[bytes]:
    """Create a file that only this user can read; an existing file or link is an error."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | _BINARY
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def append_privately(path: Path, content: bytes, *, header: bytes) -> None:
    """Append to a file that only its owner can read; a new file begins with the header.

    Raises:
        OSError: the file cannot be written, or is a link.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | NO_FOLLOW | _BINARY
    with os.fdopen(os.open(path, flags, 0o600), "ab") as file:
        file.write(content if file.tell() else header + content)
        file.flush()
        os.fsync(file.fileno())


def put_in_place(part: Path, path: Path, *, must_last: bool = False) -> int:
    """Rename a complete file to its final name, in one atomic step.

    Args:
        must_last: Whether the file must survive a crash right afterwards, or else an error is
            raised. Some file systems cannot guarantee this.
    Returns: The size of the file in bytes.
    """
    with os.fdopen(os.open(part, os.O_RDWR | NO_FOLLOW), "rb+") as file:
        os.fsync(file.fileno())
        size_bytes = os.fstat(file.fileno()).st_size
    part.replace(path)
    with contextlib.nullcontext() if must_last else contextlib.suppress(OSError):
        _flush_folder(path.parent)
    return size_bytes


def _flush_folder(path: Path) -> None:
    """Flush a folder, so that a rename survives a crash; Windows has no such function."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing(path: Path, *, must_last: bool = False) -> Iterator[IO[bytes]]:
    """Write a private file that replaces another one at the end, completely or not at all."""
    part = part_of(path)
    try:
        with create_private(part) as file:
            yield file
        put_in_place(part, path, must_last=must_last)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_durably(path: Path, content: bytes) -> None:
    """Replace the content of a file, completely or not at all."""
    with replacing(path, must_last=True) as file:
        file.write(content)


def copy_durably(source: Path, path: Path) -> None:
    """Replace a file by a copy of another, completely or not at all."""
    with source.open("rb") as content, replacing(path, must_last=False) as file:
        shutil.copyfileobj(content, file)


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """Read a regular file of at most this size, without following a link or waiting for a pipe.

    Raises:
        FileNotFoundError: the file is missing.
        OSError: the file cannot be read, is not a regular file, or is too large; or it has a
            second name, which would keep the old content after a replacement.
    """
    descriptor = os.open(path, os.O_RDONLY | NO_FOLLOW | AT_ONCE | _BINARY)
    try:
        if check_regular(descriptor).st_nlink > 1:
            raise OSError(errno.EMLINK, "it has a second name (a hard link); give a copy of it")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(most_bytes + 1)
    finally:
        os.close(descriptor)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {most_bytes:,} bytes")
    return content
