"""Pieces of any size cut into blocks of one size, so that no result depends on the pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["BLOCK_BYTES", "Blocks"]

BLOCK_BYTES: Final = 256 * 1024


class Blocks:
    """Cuts what it is fed, and holds less than a block."""

    def __init__(self) -> None:
        self._size_bytes = BLOCK_BYTES
        self._held: list[bytes] = []
        self._held_bytes = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the blocks that are full; to be iterated to its end, or not fed again."""
        self._held.append(piece)
        self._held_bytes += len(piece)
        if self._held_bytes < self._size_bytes:
            return
        whole = b"".join(self._held)
        end = len(whole) - len(whole) % self._size_bytes
        self._held = [whole[end:]]
        self._held_bytes = len(whole) - end
        for begin in range(0, end, self._size_bytes):
            yield whole[begin : begin + self._size_bytes]

    def rest(self) -> bytes:
        """Return what is left, once."""
        rest = b"".join(self._held)
        self._held, self._held_bytes = [], 0
        return rest
