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
    "state_folder",
    "write_durably",
]

AnyPath: TypeAlias = str | os.PathLike[str]
"""Where a file or folder is: a path, also as text."""

PATH_TYPES: Final = (str, os.PathLike)

_BINARY: Final = getattr(os, "O_BINARY", 0)

_SOON_S: Final = 0.1
"""Chosen: whoever takes 256 KiB in this time takes them at 2.5 MiB a second or faster."""


def as_path(path: AnyPath) -> Path:
    """Return a path that was given in any form."""
    return Path(os.fsdecode(path))


def real_path(path: AnyPath) -> Path:
    """Return the one name of a file: absolute, without links; a later `chdir` changes nothing.

    Raises:
        OSError: the working folder is gone.
        ValueError: it holds what no path can.
    """
    return Path(os.path.realpath(as_path(path)))


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

    Attributes:
        piece_bytes: How large a piece is at first, and after one that was not soon used.
        largest_piece_bytes: Up to where they double as long as each is soon used.
    """

    piece_bytes: ClassVar[int]
    largest_piece_bytes: ClassVar[int]

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

        The next piece is read while one is used.

        Raises:
            InvalidRequest: it cannot be read, or is no longer what it was.
        """
        left_bytes, piece_bytes = self.size_bytes, self.piece_bytes
        reading = self._read()
        ahead: ThreadWork[bytes] | None = None
        try:
            piece = await in_thread(partial(next, reading))
            while left_bytes := left_bytes - len(piece):
                # The last piece is never read ahead: it is due only when the others were used.
                is_ahead = left_bytes > piece_bytes
                ahead = ThreadWork(partial(reading.send, piece_bytes)) if is_ahead else None
                given_s = anyio.current_time()
                yield piece
                is_soon = anyio.current_time() - given_s < _SOON_S
                piece_bytes = self._larger(piece_bytes) if is_soon else self.piece_bytes
                if ahead is None:
                    piece = await in_thread(partial(reading.send, piece_bytes))
                else:
                    piece = await ahead.get()
            yield piece
        finally:
            if left_bytes:
                await _close(reading, ahead)

    def _larger(self, piece_bytes: int) -> int:
        return min(2 * piece_bytes, self.largest_piece_bytes)

    def _read(self) -> Generator[bytes, int, None]:
        """Yield as many bytes as there were at the first look, in threads.

        It is sent how large the next piece may be.
        """
        left_bytes, piece_bytes = self.size_bytes, self.piece_bytes
        try:
            with self.path.open("rb") as file:
                self._check(os.fstat(file.fileno()))
                # Never more than the size: a server takes that many bytes for the whole.
                while left_bytes > piece_bytes and (piece := file.read(piece_bytes)):
                    left_bytes -= len(piece)
                    piece_bytes = yield piece
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


async def _close(reading: Generator[bytes, int, None], ahead: ThreadWork[bytes] | None) -> None:
    """Close a file that was not read to its end, once no thread reads it any more."""

    async def close() -> None:
        if ahead is not None:
            await ahead.ended.wait()
        await in_thread(reading.close)

    with anyio.CancelScope(shield=True):
        await run_to_completion(close, when_cancelled=lambda _: None)


def state_folder() -> Path:
    """Return the folder for what the library must remember for this user; it need not exist.

    Raises:
        OSError: the user has no home folder.
    Source: XDG Base Directory Specification; Apple and Microsoft name one folder each
    """
    if sys.platform == "win32":
        named, below = os.environ.get("LOCALAPPDATA", ""), ("AppData", "Local")
    elif sys.platform == "darwin":
        named, below = "", ("Library", "Application Support")
    else:
        # The specification: a relative path is to be ignored.
        named, below = os.environ.get("XDG_STATE_HOME", ""), (".local", "state")
    base = Path(named) if Path(named).is_absolute() else _home().joinpath(*below)
    return base / "newsleopard-async"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise FileNotFoundError(errno.ENOENT, "this user has no home folder; set HOME") from None


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing; no one else can read what is made.

    Raises:
        OSError: it cannot be made; or it is a link, no folder, or another user's.
    """
    for each in (*reversed(folder.parents), folder):
        if not each.is_dir():
            each.mkdir(mode=0o700, exist_ok=True)
            # Else a power failure could take the folder away with files that were flushed.
            _flush_folder(each.parent)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "it is a link, and no folder")
    # Whoever owns a folder can replace each file in it. (Windows has no such numbers.)
    if status.st_uid not in (0, getattr(os, "geteuid", int)()):
        raise PermissionError(errno.EPERM, f"it belongs to another user (uid {status.st_uid})")


def part_of(path: Path) -> Path:
    """Name the file that `put_in_place` is to rename, beside its place and used by no one else."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def create_private(path: Path) -> IO[bytes]:
    """Create a file that nobody else can read, and that is no link to another."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | _BINARY
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def append_privately(path: Path, content: bytes, *, header: bytes) -> None:
    """Add to a file that only its owner can read, and flush it; a new one begins with the header.

    Raises:
        OSError: it cannot be written, or is a link.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | NO_FOLLOW | _BINARY
    with os.fdopen(os.open(path, flags, 0o600), "ab") as file:
        file.write(content if file.tell() else header + content)
        file.flush()
        os.fsync(file.fileno())


def put_in_place(part: Path, path: Path, *, must_last: bool = False) -> int:
    """Give a complete file its name, in one step that a crash cannot cut in two.

    Args:
        must_last: Whether a crash right afterwards must not lose the file. Not every file system
            can promise it; what can be fetched or made again need not ask for it.
    Returns: Its size in bytes.
    """
    with os.fdopen(os.open(part, os.O_RDWR | NO_FOLLOW), "rb+") as file:
        os.fsync(file.fileno())
        size_bytes = os.fstat(file.fileno()).st_size
    part.replace(path)
    with contextlib.nullcontext() if must_last else contextlib.suppress(OSError):
        _flush_folder(path.parent)
    return size_bytes


def _flush_folder(path: Path) -> None:
    """Let a rename in a folder outlast a crash; Windows has no such thing."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """Read a regular file of at most this size, without following a link or waiting for a pipe.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read, or is a folder, a pipe, a device, a link, or too large, or has
            a second name: the one who replaces it would leave the old content under the other.
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
