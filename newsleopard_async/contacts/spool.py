"""Contacts that can be read only once, put into a file of ours that can be read again."""

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
from newsleopard_async.files import new_file, writing

__all__ = ["Look", "in_pieces", "spool"]

_GATHER_S: Final = 0.5
"""How long what is small is gathered; progress is told, and judging begins, without the rest."""

Look = Callable[[bytes], Awaitable[bool]]
"""Looks at a piece; False where no further one needs to be read."""


async def spool(source: ContactsSource, path: Path, look: Look) -> RegularFile:
    """Write what a source gives to a file, and look at each piece on the way.

    Raises:
        InvalidRequest: it gives something else than bytes.
        ConfigurationError: the file cannot be written.
    """
    async with new_file(path) as file, in_pieces(source) as pieces:
        async for piece in pieces:
            with writing():
                await in_thread(partial(file.write, piece))
            if not await look(piece):
                break
    return await RegularFile.at(path)


@contextlib.asynccontextmanager
async def in_pieces(source: ContactsSource) -> AsyncIterator[AsyncIterator[bytes]]:
    """Give what a source gives in pieces of one size, whatever sizes it likes itself."""
    pieces: Any = source.csv_pieces()
    if not hasattr(pieces, "__aiter__"):
        if hasattr(pieces, "close"):
            pieces.close()
        raise _wrong("csv_pieces() must be an async generator, or return an async iterator")
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
            raise _wrong(f"csv_pieces() gives {type(piece).__name__} and not bytes")
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


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest.of("contacts", "type", message)
