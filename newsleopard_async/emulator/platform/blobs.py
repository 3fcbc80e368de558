"""Bytes of any size, in memory while they are few and in a temporary file after that."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import weakref
from collections.abc import Iterator
from typing import Final

__all__ = ["Blob", "BlobWriter"]

IN_MEMORY_BYTES: Final = 4_000_000
CHUNK_BYTES: Final = 65_536


class _Spool:
    """A temporary file that is closed with the last reference to this object."""

    def __init__(self) -> None:
        self.file: tempfile.SpooledTemporaryFile[bytes] = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - see the class
            max_size=IN_MEMORY_BYTES
        )
        self.lock: threading.Lock = threading.Lock()
        weakref.finalize(self, self.file.close)


class Blob:
    """Bytes that were written once and may be read often, by several at once."""

    def __init__(self, spool: _Spool, *, size: int, lines: int, digest: str) -> None:
        self._spool = spool
        self.size = size
        self.lines = lines
        self.digest = digest

    def read_chunks(self, size: int = CHUNK_BYTES) -> Iterator[bytes]:
        """Yield the bytes in pieces that fit the memory."""
        for offset in range(0, self.size, size):
            yield self.piece(offset, size)

    def read(self) -> bytes:
        """Return everything."""
        return b"".join(self.read_chunks())

    def piece(self, start: int, size: int) -> bytes:
        """Return bytes from anywhere."""
        with self._spool.lock:
            self._spool.file.seek(start)
            return self._spool.file.read(size)


class BlobWriter:
    """Takes bytes piece by piece."""

    def __init__(self) -> None:
        self._spool = _Spool()
        self._digest = hashlib.sha256()
        self._lines = 0
        self.size: int = 0

    def write(self, piece: bytes) -> None:
        """Append a piece."""
        self._spool.file.write(piece)
        self._digest.update(piece)
        self._lines += piece.count(b"\n")
        self.size += len(piece)

    def close(self) -> Blob:
        """Return what was written."""
        return Blob(self._spool, size=self.size, lines=self._lines, digest=self._digest.hexdigest())

    @classmethod
    def of(cls, content: bytes) -> Blob:
        """Wrap bytes that are there already."""
        writer = cls()
        writer.write(content)
        return writer.close()
