"""Rows of a CSV file, or of contacts that the caller still has and that can be read again."""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Iterator
from functools import partial
from importlib.util import find_spec
from itertools import count, islice
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from newsleopard_async.aio import in_thread
from newsleopard_async.contacts.csv.magic import is_xlsx
from newsleopard_async.contacts.csv.reader import iterate_rows
from newsleopard_async.contacts.frames import FrameRows
from newsleopard_async.contacts.records import RecordsSource
from newsleopard_async.contacts.sources import as_source
from newsleopard_async.downloads.table_headers import NumberedRow, Rows
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.files import as_path
from newsleopard_async.log import Log

__all__ = ["ContactsUnreadable", "contact_rows", "next_slice", "rows_of_file"]

_log: Final = Log()

T = TypeVar("T")

_PIECE_BYTES: Final = 256 * 1024
"""Size of a piece of a file. Chosen: few reads, and little memory."""


def rows_of_file(path: Path, encoding: str | None = None, *, is_of_platform: bool = False) -> Rows:
    """Read a file, which stays open until the generator ends or is closed.

    Args:
        path: The file.
        encoding: See `iterate_rows`.
        is_of_platform: Whether a program wrote the file, so that its quotes are reliable.

    Raises:
        InvalidRequest: the file is not text in a known encoding.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:

        def pieces() -> Iterator[bytes]:
            file.seek(0)
            return iter(partial(file.read, _PIECE_BYTES), b"")

        yield from iterate_rows(pieces, encoding, trusts_quotes=is_of_platform)


class ContactsUnreadable(Exception):
    """Contacts that were imported cannot be read again."""


def contact_rows(contacts: object, encoding: str | None = None) -> Rows | None:
    """Read imported contacts again, header first; record n is line n + 1.

    Args:
        contacts: A path, bytes, text, a data frame, or a list or another collection of records.
            Anything else can be iterated only once, so it is not read.
        encoding: The encoding of bytes, if the caller knows it.
    Returns: The rows, which can raise `ContactsUnreadable`; or None.
    """
    is_whole = isinstance(contacts, (os.PathLike, bytes, bytearray, memoryview, str))
    if is_whole or isinstance(_records_of(contacts), (Collection, FrameRows)):
        return _rows_again(contacts, encoding)
    return None


def _records_of(contacts: object) -> Any:
    """Return the records of contacts, such as the rows of a data frame."""
    try:
        source = as_source(contacts)
    except InvalidRequest:
        return None
    return source.records if isinstance(source, RecordsSource) else None


def _rows_again(contacts: Any, encoding: str | None) -> Rows:
    try:
        yield from _read(contacts, encoding)
    except Exception as error:  # noqa: BLE001 - the caller's objects can raise anything
        # The text of the error can show a contact.
        _log.info(
            "contacts cannot be read again (%s); rejected rows come without lines",
            type(error).__name__,
        )
        raise ContactsUnreadable from None


def _read(contacts: Any, encoding: str | None) -> Iterator[NumberedRow]:
    match contacts:
        case os.PathLike():
            path = as_path(contacts)
            return _rows_of_workbook(path.open("rb")) or rows_of_file(path, encoding)
        case str():
            return iterate_rows(partial(_cut, contacts.encode()), "utf-8")
        case bytes() | bytearray() | memoryview():
            content = bytes(contacts)
            in_workbook = _rows_of_workbook(io.BytesIO(content))
            return in_workbook or iterate_rows(partial(_cut, content), encoding)
        case _:
            rows = iterate_rows(RecordsSource(_records_of(contacts)).again, "utf-8")
            # A record is counted by its number, because it can be several lines of CSV.
            return zip(count(1), (cells for _, cells in rows), strict=False)


def _cut(content: bytes) -> Iterator[bytes]:
    return (content[begin : begin + _PIECE_BYTES] for begin in range(0, len(content), _PIECE_BYTES))


def _rows_of_workbook(file: IO[bytes]) -> Iterator[NumberedRow] | None:
    """Read the sheet of a workbook; None for another file, or without python-calamine."""
    with file:
        if not is_xlsx(file.read(_PIECE_BYTES)) or find_spec("python_calamine") is None:
            return None
        from newsleopard_async.contacts.workbook import open_sheet

        # calamine loads the whole sheet into memory before the file is closed.
        return open_sheet(file).rows


_SLICE_ITEMS: Final = 2_000
"""Rows of one slice. Chosen: about 10 ms, longer than a change of threads, and not noticed."""


async def next_slice(items: Iterator[T]) -> list[T]:
    """Return the next items, which a thread takes; an empty list means the end.

    A cancellation is raised between two slices, when it is safe to close the iterator.
    """
    return await in_thread(lambda: list(islice(items, _SLICE_ITEMS)))
