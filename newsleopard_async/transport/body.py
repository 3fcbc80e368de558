"""What an upload sends: bytes that can be sent again from the start, of a size known before.

A stream of unknown length would go out chunked, which the storage refuses with 501; a
spent one would upload an empty object. So a body opens anew for every attempt.
"""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import anyio
import attrs

from newsleopard_async.aio import in_thread, open_file
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.files import FileIdentity

__all__ = ["Body", "BytesBody", "FileBody", "open_body"]

_PIECE_BYTES: Final = 256 * 1024


class Body(Protocol):
    """Bytes of a known size that can be read any number of times."""

    @property
    def size_bytes(self) -> int:
        """How many bytes a reading gives."""
        ...

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """Read from the start.

        Raises:
            InvalidRequest: it is no longer what it was when its size was taken.
        """
        ...


@attrs.frozen
class BytesBody:
    """Bytes in memory."""

    content: bytes = attrs.field(repr=False)

    @property
    def size_bytes(self) -> int:
        """How many bytes a reading gives."""
        return len(self.content)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Read from the start, in pieces, so that the event loop is never held up."""
        for begin in range(0, len(self.content), _PIECE_BYTES):
            yield self.content[begin : begin + _PIECE_BYTES]


@attrs.frozen
class FileBody:
    """A file, read off the event loop, that must stay as it was when it was first seen."""

    path: Path
    identity: FileIdentity = attrs.field(repr=False)

    @property
    def size_bytes(self) -> int:
        """How many bytes a reading gives."""
        return self.identity.size_bytes

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Read from the start; the last piece goes only if the file is still the same.

        Raises:
            InvalidRequest: the file changed or vanished.
        """
        left_bytes = self.size_bytes
        try:
            async with open_file(self.path, "rb") as file:
                await self._check(file.fileno())
                # Never more than the size: a server takes that many bytes for the whole.
                while left_bytes > _PIECE_BYTES and (
                    piece := await in_thread(partial(file.read, _PIECE_BYTES))
                ):
                    left_bytes -= len(piece)
                    yield piece
                last = await in_thread(partial(file.read, left_bytes))
                # By its name too: what is open stays readable when it was replaced.
                await self._check(file.fileno())
                await self._check(self.path)
        except OSError as error:
            raise _changed(self.path, error.strerror or "it cannot be read") from None
        yield last

    async def _check(self, file: int | Path) -> None:
        status = await in_thread(partial(os.stat, file))
        if FileIdentity.of(status) != self.identity:
            raise _changed(self.path, "it is not the file that the upload began with")


def _changed(path: Path, why: str) -> InvalidRequest:
    return InvalidRequest.of(
        "source",
        "unchanged",
        f"{path.name} changed during the upload ({why}); "
        "nothing was imported; call again once nothing writes to it",
    )


async def open_body(source: os.PathLike[str] | bytes) -> Body:
    """Look at what is to be uploaded and refuse what cannot be.

    Args:
        source: A path, or the content itself.

    Raises:
        InvalidRequest: nothing there, a directory, no content, or not of these types.
    """
    if isinstance(source, bytes):
        body: Body = BytesBody(source)
    elif isinstance(source, os.PathLike):
        body = await _open_file(Path(source))
    else:
        raise InvalidRequest.of(
            "source", "type", f"must be a path or bytes, not {type(source).__name__}"
        )
    if body.size_bytes == 0:
        raise InvalidRequest.of("source", "empty", "there is nothing in it to upload")
    return body


async def _open_file(path: Path) -> FileBody:
    try:
        status = await anyio.Path(path).stat()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InvalidRequest.of("source", "readable", f"{path} cannot be read: {why}") from None
    if not stat.S_ISREG(status.st_mode):
        raise InvalidRequest.of("source", "file", f"{path} is not a file; name the CSV itself")
    return FileBody(path, FileIdentity.of(status))
