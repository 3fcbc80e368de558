"""Temporary folders of contacts: private, and gone with the run, also with one that was killed."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from newsleopard_async.errors import ConfigurationError
from newsleopard_async.locks import AT_ONCE, NO_FOLLOW

__all__ = ["append", "private_folder", "writing"]

_PREFIX: Final = "newsleopard-"

_OWNER: Final = ".owner"
"""The file in a private folder that its process holds a lock on, for as long as it lives."""

_SWEEP_S: Final = 0.1
"""Chosen: so long nobody notices; what is left is left to the next run."""

_SWEEP_EVERY_S: Final = 60.0
"""How long other runs of this process do not look again. Chosen: a thousand that begin at once
would look at each other's folders, which took more than half of what they begin with."""

_swept_at: Final = [-math.inf]

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
        with writing():
            folder = Path(tempfile.gettempdir(), name)
            if _is_sweep_due():
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


def _is_sweep_due() -> bool:
    """Whether abandoned folders are to be looked for: not for each of many runs at once."""
    now = time.monotonic()
    if len(_IN_USE) > 1 and now - _swept_at[-1] < _SWEEP_EVERY_S:
        return False
    _swept_at[-1] = now
    return True


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
    with os.fdopen(os.open(folder / _OWNER, os.O_RDWR | NO_FOLLOW | AT_ONCE), "r+b") as owner:
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
def writing() -> Iterator[None]:
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
    with writing(), path.open("ab") as file:
        file.write(content)
