"""The body of an upload: bytes of a known size that can be sent again from the start.

A stream of unknown length would be sent chunked, which the storage refuses with 501. A stream that
was read already would upload an empty object. So a body opens again for every attempt.
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
"""Chosen: at 2,048 bytes per second, the least speed of an upload, a piece leaves within about the
120 s of `Timeouts.storage_write_s`."""

_BLOCK_BYTES: Final = 1024 * 1024
"""Measured: each block costs a thread, and each piece a write. In pieces of 1 MiB an upload costs
about half of the CPU time that it costs in pieces of 256 KiB. Larger ones hardly cost less, and
each one blocks the event loop for longer. A piece counts as stalled until it has left completely,
so only a line that is proven to be fast gets such pieces."""


class Body(Protocol):
    """Bytes of a known size that can be read any number of times."""

    @property
    def size_bytes(self) -> int:
        """The number of bytes of one reading."""
        ...

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """Read from the start.

        Raises:
            InvalidRequest: it has changed since its size was taken.
        """
        ...


@attrs.frozen
class BytesBody:
    """Bytes in memory."""

    content: bytes = attrs.field(repr=False)

    @property
    def size_bytes(self) -> int:
        """The number of bytes of one reading."""
        return len(self.content)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Read from the start, in pieces that never block the event loop for long."""
        for begin in range(0, len(self.content), _PIECE_BYTES):
            yield self.content[begin : begin + _PIECE_BYTES]


@attrs.frozen
class FileBody(StableFile):
    """A file that must not change after its first check; it is read outside of the event loop."""

    piece_bytes: ClassVar[int] = _PIECE_BYTES
    block_bytes: ClassVar[int] = _BLOCK_BYTES

    @classmethod
    def refusal(cls, path: Path, why: Unusable, system: str = "") -> InvalidRequest:
        """Return the error for a file that cannot be uploaded."""
        if why == "unreadable":
            return InvalidRequest.of("source", "readable", f"{path} cannot be read: {system}")
        if why in {"folder", "special"}:
            return InvalidRequest.of(
                "source", "file", f"{path} is not a file; name the CSV file itself"
            )
        changed = system or "it is not the file that the upload began with"
        return InvalidRequest.of(
            "source",
            "unchanged",
            f"{path.name} changed during the upload ({changed}); "
            "nothing was imported; call again when no program writes to it",
        )


async def open_body(source: AnyPath | bytes) -> Body:
    """Check the source of an upload, and return its body.

    Args:
        source: A path, or the content itself.

    Raises:
        InvalidRequest: the source does not exist, is a folder, is empty, or has another type.
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
        raise InvalidRequest.of("source", "empty", "is empty; there is nothing to upload")
    return body
