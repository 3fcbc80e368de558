"""Files that the caller gets: there whole, or not at all."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from newsleopard_async.aio import in_thread
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.files import copy_durably

__all__ = ["check_output", "left_out_beside", "publish"]


def left_out_beside(path: Path) -> Path:
    """Name the file for the rows that are left out of a file."""
    return path.with_name(f"{path.stem}.left-out{path.suffix or '.csv'}")


async def check_output(field: str, path: Path, *others: object) -> None:
    """Refuse, before anything is read, a file that could not be written in the end.

    Args:
        field: What the caller calls it.
        path: The file.
        others: Paths and open files that it must not be; whatever else is passed over.

    Raises:
        InvalidRequest: it is a folder, or in none, or one of the others.
    """
    problem = await in_thread(partial(_problem_of, path, others))
    if problem is not None:
        raise InvalidRequest.of(field, *problem)


def _problem_of(path: Path, others: tuple[object, ...]) -> tuple[str, str] | None:
    if any(_is_same(path, other) for other in others):
        return "same-file", f"{path} is what is read, or another output; name another file"
    if path.is_dir():
        return "file", f"{path} is a folder; name the file itself"
    if not path.parent.is_dir():
        return "folder", f"there is no folder {path.parent}; make it first"
    return None


def _is_same(path: Path, other: object) -> bool:
    """Tell whether a path leads to another's file, whatever it is called there."""
    try:
        if isinstance(other, Path):
            return path.resolve() == other.resolve() or path.samefile(other)
        # An open file knows its number, unless it is none of the system's.
        number = other.fileno()  # type: ignore[attr-defined]  # whatever has none is refused below
        return os.path.samestat(path.stat(), os.fstat(number))
    except (AttributeError, OSError, TypeError, ValueError):
        return False


async def publish(field: str, source: Path, path: Path) -> None:
    """Copy a file that is complete to where the caller wants it, replacing what is there.

    Raises:
        InvalidRequest: it cannot be written.
    """
    try:
        await in_thread(partial(copy_durably, source, path))
    except OSError as error:
        raise InvalidRequest.of(
            field, "writable", f"{path} cannot be written: {error.strerror}; name another file"
        ) from None
