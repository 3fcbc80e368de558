"""Rows of a CSV that can be read again: a file, or contacts as the caller still has them."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any, Final, TypeVar

from newsleopard_async.aio import in_thread
from newsleopard_async.contacts.csv.reader import iterate_rows
from newsleopard_async.contacts.records import RecordWriter
from newsleopard_async.downloads.columns import NumberedRow

__all__ = ["SLICE_ITEMS", "Rereadable", "next_slice", "rows_of_file", "run_through"]

_PIECE_BYTES: Final = 256 * 1024

Pieces = Callable[[], Iterable[bytes]]


def rows_of_file(path: Path, encoding: str | None = None) -> Generator[NumberedRow, None, None]:
    """Read a file; it is open until the generator ends or is closed.

    Raises:
        InvalidRequest: it is no text in a known encoding.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:

        def pieces() -> Iterator[bytes]:
            file.seek(0)
            return iter(partial(file.read, _PIECE_BYTES), b"")

        yield from iterate_rows(pieces, encoding)


class Rereadable:
    """Contacts that can be read a second time, as nothing that is gone through once can.

    Args:
        contacts: A path, bytes, text, or a list or tuple of records.
        encoding: The encoding of bytes, where the caller said it.
    """

    def __init__(self, contacts: Any, encoding: str | None = None) -> None:
        self._contacts = contacts
        self._encoding = encoding

    @classmethod
    def of(cls, contacts: object, encoding: str | None = None) -> Rereadable | None:
        """Keep contacts, if they can be read again."""
        again = (os.PathLike, bytes, bytearray, memoryview, str, list, tuple)
        return cls(contacts, encoding) if isinstance(contacts, again) else None

    def rows(self) -> Generator[NumberedRow, None, None]:
        """Read them from the start, header first; record n is line n + 1.

        Raises:
            InvalidRequest: they are no contacts, or no longer.
            OSError: the file cannot be read.
            Exception: whatever the caller's own objects raise.
        """
        match self._contacts:
            case os.PathLike():
                yield from rows_of_file(Path(os.fsdecode(self._contacts)), self._encoding)
            case str():
                yield from iterate_rows(partial(_cut, self._contacts.encode()), "utf-8")
            case bytes() | bytearray() | memoryview():
                yield from iterate_rows(partial(_cut, bytes(self._contacts)), self._encoding)
            case _:
                rows = iterate_rows(partial(_written, self._contacts), "utf-8")
                # By its number: a record may be of several lines as it goes out.
                yield from zip(count(1), (cells for _, cells in rows), strict=False)


def _cut(content: bytes) -> Iterator[bytes]:
    return (content[begin : begin + _PIECE_BYTES] for begin in range(0, len(content), _PIECE_BYTES))


def _written(records: Iterable[Any]) -> Iterator[bytes]:
    writer, left = RecordWriter(), iter(records)
    # In a generator a record's own StopIteration is an error, and not the end.
    while piece := writer.write_some(left):
        yield piece


T = TypeVar("T")


SLICE_ITEMS: Final = 2_000
"""Some 10 ms of rows: longer than it takes to change threads, shorter than anybody notices."""


async def next_slice(items: Iterator[T]) -> list[T]:
    """Take so many items in a thread; none at all means the end.

    A cancellation strikes between two slices: closing the iterator is then safe.
    """
    return await in_thread(lambda: list(islice(items, SLICE_ITEMS)))


async def run_through(items: Iterator[None]) -> None:
    """Run work to its end that yields wherever it may be interrupted."""
    while await next_slice(items):
        pass
