"""Contacts from a pipe, copied to a private file, because a send reads its contacts twice."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import anyio

from newsleopard_async.aio import in_thread
from newsleopard_async.cli.contacts.streams import open_contacts
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import reason_of
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.files import create_private

__all__ = ["copy_from_pipe", "is_pipe"]

_PIECE_BYTES: Final = 1024**2
"""Chosen: a megabyte, so that few threads are started."""


def is_pipe(path: Path | None) -> bool:
    """Return whether contacts can be read only once."""
    if path is None:
        return False
    try:
        return str(path) == "-" or not stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        # The check reports a missing file.
        return False


def copy_from_pipe(session: Session, path: Path, copy: Path) -> None:
    """Copy contacts to a new file; it is removed if the copy fails.

    Raises:
        InvalidRequest: the contacts, or the file, cannot be used.
    """
    try:
        with (
            open_contacts(path) as (source, _title),
            session.step_display() as steps,
            steps.step(_("Read the contacts")) as line,
        ):
            size_bytes = anyio.run(_copy, source, copy)
            line.detail = _("{bytes:,} bytes").format(bytes=size_bytes)
    except BaseException as error:
        copy.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            error.add_note(_("Nothing was sent, and nothing was changed at the platform."))
            raise
        reason = reason_of(error)
    else:
        return
    message = _("cannot be copied to {copy}: {reason}").format(copy=copy, reason=reason)
    raise InvalidRequest.of("contacts", "writable", message)


async def _copy(source: Any, copy: Path) -> int:
    size_bytes = 0
    with create_private(copy) as file:
        async for piece in _pieces_of(source):
            size_bytes += len(piece)
            await in_thread(partial(file.write, piece))
    return size_bytes


async def _pieces_of(source: Any) -> AsyncIterator[bytes]:
    if hasattr(source, "csv_pieces"):
        async for piece in source.csv_pieces():
            yield piece
        return
    file: IO[bytes] = source
    while piece := await in_thread(partial(file.read, _PIECE_BYTES)):
        yield piece
