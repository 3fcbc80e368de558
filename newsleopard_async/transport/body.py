"""What an upload sends: bytes that can be sent again from the start, of a size known before.

A stream of unknown length would go out chunked, which the storage refuses with 501; a
spent one would upload an empty object. So a body opens anew for every attempt.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import ClassVar, Final, Protocol

import attrs

from newsleopard_async.errors import InvalidRequest
from newsleopard_async.files import PATH_TYPES, AnyPath, StableFile, Unusable, as_path

__all__ = ["Body", "BytesBody", "FileBody", "open_body"]

_PIECE_BYTES: Final = 256 * 1024
"""It leaves within the 120 s of `Timeouts.storage_write_s` at some 2,048 bytes a second, which is
as slow as an upload may be."""

_LARGEST_PIECE_BYTES: Final = 1024 * 1024
"""Measured: each piece costs a thread and a write. In pieces of 1 MiB an upload costs about half of
the CPU time that it costs in pieces of 256 KiB; in larger ones it hardly costs less, and each
holds the event loop for longer. A piece leaves whole or counts as stalled, so that only what leaves
fast goes in larger ones."""


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
class FileBody(StableFile):
    """A file, read off the event loop, that must stay as it was when it was first seen."""

    piece_bytes: ClassVar[int] = _PIECE_BYTES
    largest_piece_bytes: ClassVar[int] = _LARGEST_PIECE_BYTES

    @classmethod
    def refusal(cls, path: Path, why: Unusable, system: str = "") -> InvalidRequest:
        """Build the error for a file that cannot be uploaded."""
        if why == "unreadable":
            return InvalidRequest.of("source", "readable", f"{path} cannot be read: {system}")
        if why in {"folder", "special"}:
            return InvalidRequest.of("source", "file", f"{path} is not a file; name the CSV itself")
        changed = system or "it is not the file that the upload began with"
        return InvalidRequest.of(
            "source",
            "unchanged",
            f"{path.name} changed during the upload ({changed}); "
            "nothing was imported; call again once nothing writes to it",
        )


async def open_body(source: AnyPath | bytes) -> Body:
    """Look at what is to be uploaded and refuse what cannot be.

    Args:
        source: A path, or the content itself.

    Raises:
        InvalidRequest: nothing there, a directory, no content, or not of these types.
    """
    if isinstance(source, bytes):
        body: Body = BytesBody(source)
    elif isinstance(source, str) and "\n" in source:
        raise InvalidRequest.of(
            "source", "type", "is text with line breaks; encode it, or give its path"
        )
    elif isinstance(source, PATH_TYPES):
        body = await FileBody.at(as_path(source))
    else:
        raise InvalidRequest.of(
            "source", "type", f"must be a path or bytes, not {type(source).__name__}"
        )
    if body.size_bytes == 0:
        raise InvalidRequest.of("source", "empty", "there is nothing in it to upload")
    return body
