"""Contacts that can be read only once: the standard input, a named pipe, ``<(…)`` of a shell."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import AsyncGenerator, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import anyio
import attrs
import click

from newsleopard_async.aio import in_thread
from newsleopard_async.cli.translation import reason_of
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.errors import InvalidRequest

__all__ = ["open_contacts"]

_PIECE_BYTES: Final = 256 * 1024
"""Chosen: a pipe of Linux contains 64 KiB by default, so one read empties it."""
_IS_STREAM: Final = (stat.S_ISFIFO, stat.S_ISCHR, stat.S_ISSOCK)


@contextlib.contextmanager
def open_contacts(path: Path) -> Iterator[tuple[Any, str]]:
    """Open contacts by their name on the command line.

    Yields: The contacts for `check_contacts` (the path itself if it can be read more than once),
        and their name for messages.

    Raises:
        InvalidRequest: they cannot be opened.
    """
    if str(path) == "-":
        yield _standard_input(), _("standard input")
    elif _is_stream(path):
        with _open(path) as file:
            yield _Stream(file.fileno()), str(path)
    else:
        yield path, path.name


def _standard_input() -> Any:
    if sys.stdin is None:
        raise _refusal(_("the standard input is closed; name a file instead of -"))
    file = sys.stdin.buffer
    if file.isatty():
        text = _("Reading the standard input; Ctrl-D (on Windows Ctrl-Z) ends it.")
        click.echo(text, err=True)
    try:
        return _Stream(file.fileno())
    except OSError:
        # It is not a file of the system, for example in a test.
        return file


def _is_stream(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        # The check reports a missing file.
        return False
    return any(is_of(mode) for is_of in _IS_STREAM)


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb", buffering=0)
    except OSError as error:
        message = _("{path} cannot be read: {reason}; check its rights")
        raise _refusal(message.format(path=path, reason=reason_of(error))) from None


@attrs.frozen
class _Stream:
    """A `ContactsSource` of an open file, which another program possibly still writes."""

    descriptor: int

    async def csv_pieces(self) -> AsyncGenerator[bytes, None]:
        """Read the file to its end.

        Raises:
            InvalidRequest: the system cannot read it.
        """
        try:
            while piece := await self._read():
                yield piece
        except OSError as error:
            message = _("the input cannot be read to its end: {reason}; run the command again")
            raise _refusal(message.format(reason=reason_of(error))) from None

    async def _read(self) -> bytes:
        read = partial(os.read, self.descriptor, _PIECE_BYTES)
        if not _can_be_waited_for(self.descriptor):
            return await in_thread(read)
        # A reading thread cannot be interrupted, so Ctrl-C would wait for the writer.
        await anyio.wait_readable(self.descriptor)
        return read()


def _can_be_waited_for(descriptor: int) -> bool:
    if sys.platform == "win32":
        return False
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)


def _refusal(message: str) -> InvalidRequest:
    return InvalidRequest.of("contacts", "readable", message)
