"""Sources that can be read only once are written into a private file, which can be read again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from newsleopard_async.aio import in_thread
from newsleopard_async.contacts.sources import PIECE_BYTES, ContactsSource, RegularFile
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.temporary import append

__all__ = ["in_pieces", "spool"]

_GATHER_S: Final = 0.5
"""Seconds for which small pieces are gathered. Chosen: a user sees progress from a slow source
twice per second, and each check in a thread gets as many bytes as possible."""


async def spool(
    source: ContactsSource,
    path: Path,
    feed: Callable[[bytes], bool],
    *,
    on_piece: Callable[[bytes], Awaitable[None]] | None = None,
) -> RegularFile:
    """Write the pieces of a source to a file, and pass each piece to a function.

    Args:
        source: The source.
        path: The file, in a private folder.
        feed: Called in a thread with each piece; returns False to end the reading.
        on_piece: Called with each piece before it is written.

    Raises:
        InvalidRequest: a piece of the source is not bytes.
        ConfigurationError: the file cannot be written.
    """

    def keep(piece: bytes) -> bool:
        append(path, piece)
        return feed(piece)

    # The file must exist even without a piece, and a folder that is read-only fails early.
    await in_thread(partial(append, path, b""))
    async with in_pieces(source) as pieces:
        async for piece in pieces:
            if on_piece is not None:
                await on_piece(piece)
            if not await in_thread(partial(keep, piece)):
                break
    return await RegularFile.at(path)


@contextlib.asynccontextmanager
async def in_pieces(source: ContactsSource) -> AsyncIterator[AsyncIterator[bytes]]:
    """Return the bytes of a source in pieces of one size."""
    pieces: Any = source.csv_pieces()
    if not hasattr(pieces, "__aiter__"):
        if hasattr(pieces, "close"):
            pieces.close()
        raise _refusal("csv_pieces() must be an async generator, or return an async iterator")
    async with contextlib.AsyncExitStack() as stack:
        if hasattr(pieces, "aclose"):
            await stack.enter_async_context(contextlib.aclosing(pieces))
        yield await stack.enter_async_context(contextlib.aclosing(_even(pieces)))


async def _even(pieces: AsyncIterator[Any]) -> AsyncGenerator[bytes, None]:
    """Join small pieces, but not for long, and cut large ones."""
    gathered = bytearray()
    begun_s = time.monotonic()
    async for piece in pieces:
        if not isinstance(piece, bytes):
            raise _refusal(f"csv_pieces() must yield bytes, not {type(piece).__name__}")
        gathered += piece
        for begin in range(0, len(gathered) - PIECE_BYTES + 1, PIECE_BYTES):
            yield bytes(gathered[begin : begin + PIECE_BYTES])
        del gathered[: len(gathered) // PIECE_BYTES * PIECE_BYTES]
        if gathered and time.monotonic() - begun_s >= _GATHER_S:
            yield bytes(gathered)
            gathered.clear()
            begun_s = time.monotonic()
    if gathered:
        yield bytes(gathered)


def _refusal(message: str) -> InvalidRequest:
    return InvalidRequest.of("contacts", "type", message)
