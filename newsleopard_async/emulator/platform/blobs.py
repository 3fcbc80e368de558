"""Bytes of any size: small blobs are in memory, larger ones in a temporary file."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import weakref
from collections.abc import Iterator
from typing import Final

__all__ = ["Blob", "BlobWriter"]

IN_MEMORY_BYTES: Final = 4_000_000
"""Chosen: most imports and reports of tests stay in memory, and 100 blobs need 400 MB at most."""

CHUNK_BYTES: Final = 65_536
"""Chosen: a common buffer size; a blob of any size is read in constant memory."""


class _Spool:
    """A temporary file that is closed with the last reference to this object."""

    def __init__(self) -> None:
        self.file: tempfile.SpooledTemporaryFile[bytes] = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - see the class
            max_size=IN_MEMORY_BYTES
        )
        self.lock: threading.Lock = threading.Lock()
        weakref.finalize(self, self.file.close)


class Blob:
    """Bytes that were written once; several threads can read them."""

    def __init__(self, spool: _Spool, *, size: int, lines: int, digest: str) -> None:
        self._spool = spool
        self.size = size
        self.lines = lines
        self.digest = digest

    def read_chunks(self, size: int = CHUNK_BYTES) -> Iterator[bytes]:
        """Yield the bytes in pieces."""
        for offset in range(0, self.size, size):
            yield self.piece(offset, size)

    def read(self) -> bytes:
        """Return all bytes."""
        return b"".join(self.read_chunks())

    def piece(self, start: int, size: int) -> bytes:
        """Return some bytes from an offset."""
        with self._spool.lock:
            self._spool.file.seek(start)
            return self._spool.file.read(size)


class BlobWriter:
    """Writes a blob piece by piece."""

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
        """Return the blob."""
        return Blob(self._spool, size=self.size, lines=self._lines, digest=self._digest.hexdigest())

    @classmethod
    def of(cls, content: bytes) -> Blob:
        """Return a blob with these bytes."""
        writer = cls()
        writer.write(content)
        return writer.close()
