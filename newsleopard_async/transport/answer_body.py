"""An answer's body as it arrives: decoded in bounds, and whole or an error."""

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
"""Reads the body of an answer; returns what is to be kept of it."""

_LARGEST_ANSWER_BYTES: Final = 64 * 1024 * 1024

PIECE_BYTES: Final = 256 * 1024
"""Chosen: as large as the pieces of an uploaded file."""


class IncompleteBody(Exception):
    """A body did not come as it was sent; the text says how it is known."""


GZIP: Final = "gzip"

_HTTP_1: Final = (b"HTTP/1.0", b"HTTP/1.1")

_SLICE_BYTES: Final = 8 * 1024
"""Decoded at a time. Chosen: 400 empty members are in it, each of which copies what follows."""

_LARGEST_SHARE: Final = 8
_MOST_SURPLUS_BYTES: Final = 256 * 1024
"""A stream may be this many times as large as what is in it, and so many bytes more: empty members
and blocks have no end by themselves. Chosen: flushing after each byte makes it seven times."""

_GZIP_WBITS: Final = 16 + zlib.MAX_WBITS
"""A gzip header and trailer, whose checksum zlib compares."""


@attrs.frozen
class AnswerBody:
    """An answer whose body is yet to be read.

    Attributes:
        status: Its status.
        encoding: How the body is compressed: not at all if empty. Only gzip is decoded.
        ends_at_close: Whether nothing but the end of the connection shows the body's end. It
            looks the same if the server dies amid the body.
        size_bytes: How long it is, if the head says so and it is not compressed.
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
        """Read it off the head of an answer, whose headers have names in lower case."""
        named = headers.get("content-encoding", "").lower().split(",")
        layers = [name.strip() for name in named if name.strip() not in {"", "identity"}]
        length = headers.get("content-length", "")
        is_framed = "content-length" in headers or "transfer-encoding" in headers
        return cls(
            status=response.status_code,
            encoding=GZIP if layers == ["x-gzip"] else ",".join(layers),
            # A transport of the caller's that does not name HTTP/1 has its own way to know.
            ends_at_close=response.extensions.get("http_version") in _HTTP_1 and not is_framed,
            size_bytes=int(length) if length.isdecimal() and not layers else None,
            pieces=pieces,
        )

    async def pour(self, take: Callable[[bytes], Awaitable[None]]) -> int:
        """Pass the body on, in pieces of a bounded size; return its size on the wire.

        What is compressed in another way than by gzip, or twice, is passed on as it came.

        Raises:
            IncompleteBody: the compressed stream is damaged, or has no end.
        """
        gunzip = _Gunzip() if self.encoding == GZIP else None
        size_bytes = 0
        async for piece in self._pieces:
            size_bytes += len(piece)
            if gunzip is None:
                await take(piece)
            else:
                await _decode(gunzip, piece, take)
            # While the next one is waited for, this frame shows what it holds to those who look.
            del piece
        if size_bytes and gunzip is not None and not gunzip.is_whole:
            raise IncompleteBody("its compressed body ends too soon")
        return size_bytes


async def _decode(gunzip: _Gunzip, piece: bytes, take: Callable[[bytes], Awaitable[None]]) -> None:
    """Pass on what a piece holds; others have their turn, since that may be a thousand times it."""
    for begin in range(0, len(piece), _SLICE_BYTES):
        for decoded in gunzip.pieces(piece[begin : begin + _SLICE_BYTES]):
            await take(decoded)
            await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()


class _Gunzip:
    """Decodes gzip, never more at a time than a piece, so that no answer fills the memory."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_WBITS)
        self._surplus_bytes = 0

    @property
    def is_whole(self) -> bool:
        """Whether the stream has come to its end, and its checksum is right."""
        return self._member.eof

    def pieces(self, coded: bytes) -> Iterator[bytes]:
        """Decode some more.

        Raises:
            IncompleteBody: it is damaged, or is followed by something else than a further member
                (RFC 1952, 2.2), which counts as part of it; or there is next to nothing in it.
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
            raise IncompleteBody("next to nothing is in its compressed body")


async def read_whole(answer: AnswerBody) -> bytes:
    """Read an answer into memory, up to a size that no documented one comes near.

    Raises:
        IncompleteBody: it is larger, or damaged.
    """
    # Shown without what is in it, to those who print the frames that run.
    content = io.BytesIO()

    async def take(piece: bytes) -> None:
        content.write(piece)
        if content.tell() > _LARGEST_ANSWER_BYTES:
            raise IncompleteBody("its body is too large")

    await answer.pour(take)
    return content.getvalue()
