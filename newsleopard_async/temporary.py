"""Private temporary folders for contacts.

A run removes its folder at its end. A later run removes the folder of a process that was killed.
"""

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
"""The file in a private folder that its process locks until it ends."""

_SWEEP_S: Final = 0.1
"""The longest search for abandoned folders. Chosen: a user does not notice a delay of 0.1 s, and
the next run removes the remaining folders."""

_SWEEP_EVERY_S: Final = 60.0
"""The pause between two searches of one process. Measured: a thousand runs that began together and
each checked all folders spent more than half of their time on it."""

_swept_at: Final = [-math.inf]

_IN_USE: Final[set[str]] = set()
"""The names of the private folders of this process and of the processes it was forked from.

A process can lock its own file again, so it recognises its own folders only by name.
"""


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """Create a folder that only this user can read, and remove it with its content at the end.

    Nothing is awaited here, because asyncio could raise a cancellation there and leave contacts on
    the disk. The folders of killed runs are removed first.
    """
    process = os.getpid()
    name = f"{_PREFIX}{secrets.token_hex(8)}"
    # Listed before it exists, because another thread may be searching for abandoned folders.
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
            # A forked child that gets here must not remove the folder of its parent.
            if os.getpid() == process:
                _remove(folder, owner)
    finally:
        _IN_USE.discard(name)


def _is_sweep_due() -> bool:
    """Return whether to search for abandoned folders now; parallel runs share one search."""
    now = time.monotonic()
    if len(_IN_USE) > 1 and now - _swept_at[-1] < _SWEEP_EVERY_S:
        return False
    _swept_at[-1] = now
    return True


def _own(folder: Path) -> IO[bytes] | None:
    """Create the locked file of a folder; it gets its name only after it is locked.

    A folder without this file never counts as abandoned, for example on a file system without
    locks, or on Windows, which cannot rename an open file.
    """
    part = folder / f"{_OWNER}.part"
    with contextlib.suppress(OSError):
        file = part.open("wb")
        if _is_locked_by_us(file):
            part.rename(folder / _OWNER)
        return file
    return None


def _is_locked_by_us(file: IO[bytes]) -> bool:
    """Lock a file until this process ends; a forked child neither has nor releases this lock."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_abandoned(root: Path) -> None:
    """Remove private folders of ended processes, for `_SWEEP_S` at most."""
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
    # Not a link, and not the folder of another user.
    if status.st_mode != stat.S_IFDIR | 0o700 or status.st_uid != _user():
        return
    # The name can belong to a link or a pipe: do not follow a link, do not wait for a pipe.
    with os.fdopen(os.open(folder / _OWNER, os.O_RDWR | NO_FOLLOW | AT_ONCE), "r+b") as owner:
        if _is_locked_by_us(owner):
            _remove(folder, owner)


def _user() -> int:
    # Windows has no user numbers; nothing is removed there.
    return -1 if sys.platform == "win32" else os.geteuid()


def _remove(folder: Path, owner: IO[bytes] | None) -> None:
    """Remove a folder; the owner's file last, so that another run can continue the removal."""
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
    """Raise `ConfigurationError` for an error of the temporary folder.

    Only private folders are accessed inside, because any OSError is taken for theirs.
    """
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"the temporary folder cannot be written: {error.strerror}; free some space there, "
            "or name another folder in TMPDIR"
        ) from None


def append(path: Path, content: bytes) -> None:
    """Append to a file in a private folder; create it if it is missing.

    Raises:
        ConfigurationError: the folder cannot be written.
    """
    # The error of a full disk can come as late as when the file is closed.
    with writing(), path.open("ab") as file:
        file.write(content)
