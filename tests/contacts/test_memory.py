"""The size of contacts does not matter to memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator
from typing import Final

import pytest

from tests.contacts.examples import clean_contacts

pytestmark = pytest.mark.slow

_MIB: Final = 1024 * 1024


class Large:
    """A source that creates its rows when they are read, all with the same address."""

    def __init__(self, size_mib: int) -> None:
        self.size_mib = size_mib

    async def csv_pieces(self) -> AsyncIterator[bytes]:
        """Give so many MiB."""
        yield b"EMAIL,NAME\n"
        row = b"ming@example.com," + b"x" * 4_000 + b"\n"
        piece = row * (_MIB // len(row))
        for _ in range(self.size_mib * _MIB // len(piece)):
            yield piece


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("anyio_backend", "size_mib"),
    # Memory that grows with the size is also found at 40 MiB, twice the limit.
    [("asyncio", 200), ("trio", 40)],
    indirect=["anyio_backend"],
)
async def test_large_source_is_read_in_constant_memory(size_mib: int) -> None:
    """A source of 200 MiB needs the memory of a few pieces, even if it is written again."""
    tracemalloc.start()
    try:
        async with clean_contacts(Large(size_mib)) as clean:
            _, peak_bytes = tracemalloc.get_traced_memory()
            size_bytes = clean.path.stat().st_size
    finally:
        tracemalloc.stop()

    assert size_bytes > (size_mib - 2) * _MIB
    assert peak_bytes < 20 * _MIB
