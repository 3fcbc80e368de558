"""The body of an answer: decoded in pieces of bounded size, and complete or an error."""

from __future__ import annotations

import io
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Final

import anyio.lowlevel
import attrs
import httpx

__all__ = ["GZIP", "PIECE_BYTES", "AnswerBody", "BodyReader", "IncompleteBody", "read_whole"]

BodyReader = Callable[["AnswerBody"], Awaitable[bytes]]
"""Reads the body of an answer; returns the part to keep."""

_LARGEST_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""Chosen: far above the 8 MiB that are parsed, and far below the memory of a small server."""

PIECE_BYTES: Final = 256 * 1024
"""Chosen: as large as the pieces of an uploaded file."""


class IncompleteBody(Exception):
    """A body did not arrive as it was sent; the message contains the reason."""


GZIP: Final = "gzip"

_HTTP_1: Final = (b"HTTP/1.0", b"HTTP/1.1")

_SLICE_BYTES: Final = 8 * 1024
"""The bytes that are decoded at a time. Chosen: they have room for only 400 empty members, and each
of these copies the rest of the slice."""

_LARGEST_SHARE: Final = 8
"""How many times larger than its content a stream can be. Chosen: flushing after each byte makes a
stream seven times as large."""

_MOST_SURPLUS_BYTES: Final = 256 * 1024
"""How many bytes more it can have. Without a bound, a stream of empty members and blocks never
ends. Chosen: the size of a piece."""

_GZIP_WBITS: Final = 16 + zlib.MAX_WBITS
"""A gzip header and trailer, whose checksum zlib compares."""


@attrs.frozen
class AnswerBody:
    """An answer with a body that has not been read yet.

    Attributes:
        status: The HTTP status.
        encoding: The compression of the body; empty if there is none. Only gzip is decoded.
        ends_at_close: Whether only the end of the connection marks the end of the body. It looks
            the same if the server stops in the middle of the body.
        size_bytes: The size, if the head contains it and the body is not compressed.
    """

    status: int
    encoding: str
    ends_at_close: bool
    size_bytes: int | None
    _pieces: AsyncIterator[bytes]

    @classmethod
    def of(
        cls, response: httpx.Response, headers: Mapping[str, str], pieces: AsyncIterator[bytes]
    ) -> AnswerBody:
        """Create the body from the head of an answer; names of headers are in lower case."""
        named = headers.get("content-encoding", "").lower().split(",")
        layers = [name.strip() for name in named if name.strip() not in {"", "identity"}]
        length = headers.get("content-length", "")
        is_framed = "content-length" in headers or "transfer-encoding" in headers
        return cls(
            status=response.status_code,
            encoding=GZIP if layers == ["x-gzip"] else ",".join(layers),
            # The caller's own transport, if it does not use HTTP/1, marks the end in another way.
            ends_at_close=response.extensions.get("http_version") in _HTTP_1 and not is_framed,
            size_bytes=int(length) if length.isdecimal() and not layers else None,
            pieces=pieces,
        )

    async def pour(self, take: Callable[[bytes], Awaitable[None]]) -> int:
        """Pass the body on, in pieces of bounded size; return the number of bytes received.

        Bodies with another or a second compression are passed on unchanged.

        Raises:
            IncompleteBody: the compressed stream is damaged or incomplete.
        """
        gunzip = _Gunzip() if self.encoding == GZIP else None
        size_bytes = 0
        async for piece in self._pieces:
            size_bytes += len(piece)
            if gunzip is None:
                await take(piece)
            else:
                await _decode(gunzip, piece, take)
            # Otherwise reporters of errors could show the piece in this frame during the next read.
            del piece
        if size_bytes and gunzip is not None and not gunzip.is_whole:
            raise IncompleteBody("its compressed body ends too soon")
        return size_bytes


async def _decode(gunzip: _Gunzip, piece: bytes, take: Callable[[bytes], Awaitable[None]]) -> None:
    """Decode a piece and pass it on; other tasks run in between, because that can take long."""
    for begin in range(0, len(piece), _SLICE_BYTES):
        for decoded in gunzip.pieces(piece[begin : begin + _SLICE_BYTES]):
            await take(decoded)
            await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()


class _Gunzip:
    """Decodes gzip, at most one piece at a time, so that no answer fills the memory."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_WBITS)
        self._surplus_bytes = 0

    @property
    def is_whole(self) -> bool:
        """Whether the stream is complete, and its checksum is correct."""
        return self._member.eof

    def pieces(self, coded: bytes) -> Iterator[bytes]:
        """Decode some more bytes.

        Raises:
            IncompleteBody: the stream is damaged, or has almost no content. Further members (RFC
                1952, 2.2) are part of it; anything else after a member is damage.
        """
        self._surplus_bytes += len(coded)
        is_full = False
        while coded or is_full:
            if self._member.eof and coded:
                self._member = zlib.decompressobj(_GZIP_WBITS)
            try:
                decoded = self._member.decompress(coded, PIECE_BYTES)
            except zlib.error:
                raise IncompleteBody("its compressed body is damaged") from None
            coded = self._member.unused_data or self._member.unconsumed_tail
            is_full = len(decoded) == PIECE_BYTES
            self._surplus_bytes = max(0, self._surplus_bytes - _LARGEST_SHARE * len(decoded))
            if decoded:
                yield decoded
        if self._surplus_bytes > _MOST_SURPLUS_BYTES:
            raise IncompleteBody("its compressed body has almost no content")


async def read_whole(answer: AnswerBody) -> bytes:
    """Read an answer into memory, up to a size far above that of any documented answer.

    Raises:
        IncompleteBody: the body is too large or damaged.
    """
    # Reporters of errors print the frames: a stream shows no content, but bytes would.
    content = io.BytesIO()

    async def take(piece: bytes) -> None:
        content.write(piece)
        if content.tell() > _LARGEST_ANSWER_BYTES:
            raise IncompleteBody("its body is too large")

    await answer.pour(take)
    return content.getvalue()
