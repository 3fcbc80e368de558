"""What can be read only once, put into a file of ours, which can be read again."""

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
"""How long what is small is gathered; progress is told, and judging begins, without the rest."""


async def spool(
    source: ContactsSource,
    path: Path,
    feed: Callable[[bytes], bool],
    *,
    on_piece: Callable[[bytes], Awaitable[None]] | None = None,
) -> RegularFile:
    """Write what a source gives to a file, and look at each piece on the way.

    Args:
        source: The source.
        path: The file, in a folder of ours.
        look: Called in a thread with each piece; False if no further one needs to be read.
        tell: Told of each piece before.

    Raises:
        InvalidRequest: it gives something else than bytes.
        ConfigurationError: the file cannot be written.
    """

    def keep(piece: bytes) -> bool:
        append(path, piece)
        return feed(piece)

    # Made first, since there may be no piece, and the folder no place to write to.
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
    """Give what a source gives in pieces of one size, whatever sizes it likes itself."""
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
    """Gather what is small, but not for long, and cut what is large."""
    gathered = bytearray()
    begun_s = time.monotonic()
    async for piece in pieces:
        if not isinstance(piece, bytes):
            raise _refusal(f"csv_pieces() gives {type(piece).__name__} and not bytes")
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
