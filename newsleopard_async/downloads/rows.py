"""Rows of a CSV that can be read again: a file, or contacts as the caller still has them."""

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


def rows_of_file(path: Path, encoding: str | None = None, *, is_of_platform: bool = False) -> Rows:
    """Read a file; it is open until the generator ends or is closed.

    Args:
        path: The file.
        encoding: As for `iterate_rows`.
        is_of_platform: Whether a program wrote it, so that its quotes are meant.

    Raises:
        InvalidRequest: it is not text in a known encoding.
        OSError: it cannot be read.
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
        contacts: A path, bytes, text, a data frame, or a list or another collection of records;
            of anything else, which can be gone through once only, nothing is read.
        encoding: The encoding of bytes, where the caller said it.
    Returns: The rows, which raise `ContactsUnreadable`; or None.
    """
    is_whole = isinstance(contacts, (os.PathLike, bytes, bytearray, memoryview, str))
    if is_whole or isinstance(_records_of(contacts), (Collection, FrameRows)):
        return _rows_again(contacts, encoding)
    return None


def _records_of(contacts: object) -> Any:
    """Return the records behind what was given, such as the rows of a frame."""
    try:
        source = as_source(contacts)
    except InvalidRequest:
        return None
    return source.records if isinstance(source, RecordsSource) else None


def _rows_again(contacts: Any, encoding: str | None) -> Rows:
    try:
        yield from _read(contacts, encoding)
    except Exception as error:  # noqa: BLE001 - whatever the caller's own objects raise
        # Its text may show a contact.
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
            # By its number: a record may be of several lines as it goes out.
            return zip(count(1), (cells for _, cells in rows), strict=False)


def _cut(content: bytes) -> Iterator[bytes]:
    return (content[begin : begin + _PIECE_BYTES] for begin in range(0, len(content), _PIECE_BYTES))


def _rows_of_workbook(file: IO[bytes]) -> Iterator[NumberedRow] | None:
    """Read the sheet of a workbook; None of any other file, and if no one can read workbooks."""
    with file:
        if not is_xlsx(file.read(_PIECE_BYTES)) or find_spec("python_calamine") is None:
            return None
        from newsleopard_async.contacts.workbook import open_sheet

        # calamine has all of it in memory before the file is closed.
        return open_sheet(file).rows


_SLICE_ITEMS: Final = 2_000
"""Some 10 ms of rows: longer than it takes to change threads, shorter than anybody notices."""


async def next_slice(items: Iterator[T]) -> list[T]:
    """Take so many items in a thread; none at all means the end.

    A cancellation strikes between two slices: closing the iterator is then safe.
    """
    return await in_thread(lambda: list(islice(items, _SLICE_ITEMS)))
