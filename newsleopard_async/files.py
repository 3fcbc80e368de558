"""Files of ours and of the caller: whole after a crash, private, unchanged while they are read."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO

import attrs

from newsleopard_async.aio import open_file
from newsleopard_async.errors import ConfigurationError

__all__ = [
    "FileIdentity",
    "copy_durably",
    "lock",
    "new_file",
    "open_folder",
    "private_folder",
    "write_durably",
    "writing",
]


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


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file in one step that a crash cannot cut in two."""
    partial = path.with_name(f".{path.name}.part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    with open_folder(path.parent) as folder:
        if folder is not None:
            os.fsync(folder)


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


def lock(path: Path) -> IO[bytes] | None:
    """Open and lock a file; None if another run, in whatever process, has it."""
    file = path.open("ab")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that nobody else can look into, and remove it with all that is in it.

    Made and removed without an await, which is where asyncio's own cancellation could strike
    whatever shields it: contacts must not stay on the disk.
    """
    with writing():
        folder = tempfile.mkdtemp(prefix="newsleopard-")
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Tell an error of the temporary folder from one of whoever gives the contacts.

    Raises:
        ConfigurationError: nothing can be written there.
    """
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"contacts cannot be put into the temporary folder: {error.strerror}; free some of "
            "its space, or name another folder in TMPDIR"
        ) from None


@contextlib.asynccontextmanager
async def new_file(path: Path) -> AsyncIterator[IO[bytes]]:
    """Open a file of ours to write to; write to it within `writing`.

    Raises:
        ConfigurationError: nothing can be written there.
    """
    async with contextlib.AsyncExitStack() as stack:
        with writing():
            file = await stack.enter_async_context(open_file(path, "wb"))
        closing = stack.pop_all()
    try:
        yield file
    finally:
        # What is written last may find the disk full only now.
        with writing():
            await closing.aclose()


def copy_durably(source: Path, path: Path) -> None:
    """Copy under another name first, in one piece of work that no cancellation cuts in two."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as target, source.open("rb") as file:
            shutil.copyfileobj(file, target)
            target.flush()
            os.fsync(target.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
