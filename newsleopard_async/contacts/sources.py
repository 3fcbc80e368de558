"""What contacts may be given as, and the one interface behind it.

What can be read only once is put into a file of ours, which can be read again.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Iterable,
    Mapping,
)
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, runtime_checkable

import attrs

from newsleopard_async.aio import in_thread
from newsleopard_async.contacts.frames import DataFrame, rows_of_frame
from newsleopard_async.contacts.record_types import Record, is_record
from newsleopard_async.contacts.records import RecordsSource
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.files import StableFile, Unusable
from newsleopard_async.models.validation import problems_of_encoding, raise_problems

__all__ = [
    "PIECE_BYTES",
    "BinaryFile",
    "BinaryFileSource",
    "BytesSource",
    "Contacts",
    "ContactsSource",
    "PathSource",
    "RegularFile",
    "TextSource",
    "as_source",
    "is_decoded",
]

PIECE_BYTES: Final = 1024 * 1024
"""How much is read, and judged, at once."""


class BinaryFile(Protocol):
    """A file that is open for reading bytes; anything that has ``read(size)``.

    If it has ``read1(size)``, that is asked first, since it does not wait for all of it.
    """

    def read(self, size: int, /) -> bytes | None:
        """Return at most ``size`` bytes, and none at the end."""
        ...


class AsyncBinaryFile(Protocol):
    """A file whose reading is awaited: an upload of Starlette or FastAPI, of aiofiles, of anyio."""

    async def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, and none at the end."""
        ...


class UploadedFile(Protocol):
    """A file that was uploaded and stands in a field, as aiohttp has it."""

    @property
    def file(self) -> BinaryFile:
        """The file."""
        ...


@attrs.frozen
class RegularFile(StableFile):
    """A CSV file that is read more than once, and must stay as it was when it was first seen."""

    piece_bytes: ClassVar[int] = PIECE_BYTES
    largest_piece_bytes: ClassVar[int] = PIECE_BYTES

    @classmethod
    def refusal(cls, path: Path, why: Unusable, system: str = "") -> InvalidRequest:
        """Build the error for a file that contacts cannot be read from."""
        match why:
            case "folder":
                return _refusal("file", f"{path} is a folder; name the CSV file in it")
            case "special":
                return _refusal(
                    "file",
                    f"{path} is not an ordinary file; open it with mode='rb', and give that",
                )
            case "changed":
                return _refusal(
                    "unchanged",
                    f"{path} changed while it was read; call again once nothing writes to it",
                )
            case _:
                return _refusal("readable", f"{path} cannot be read: {system}")


@attrs.frozen
class PathSource:
    """A CSV file by its path."""

    path: Path

    async def csv_pieces(self) -> AsyncGenerator[bytes, None]:
        """Read it once."""
        file = await RegularFile.at(self.path)
        async with contextlib.aclosing(file.pieces()) as pieces:
            async for piece in pieces:
                yield piece


@attrs.frozen
class BytesSource:
    """A CSV as bytes in memory."""

    content: bytes = attrs.field(repr=False)

    async def csv_pieces(self) -> AsyncGenerator[bytes, None]:
        """Cut it into pieces."""
        for begin in range(0, len(self.content), PIECE_BYTES):
            yield self.content[begin : begin + PIECE_BYTES]


@attrs.frozen
class TextSource:
    """A CSV as text in memory."""

    is_decoded: ClassVar[bool] = True

    text: str = attrs.field(repr=False)

    async def csv_pieces(self) -> AsyncGenerator[bytes, None]:
        """Encode it piece by piece, so that it is not there twice."""
        for begin in range(0, len(self.text), PIECE_BYTES):
            yield self.text[begin : begin + PIECE_BYTES].encode()


@attrs.frozen
class BinaryFileSource:
    """An open file, read from where it stands; whoever opened it closes it.

    Its ``read()`` may be async, as that of an upload, of aiofiles and of anyio is.
    """

    file: BinaryFile | AsyncBinaryFile = attrs.field(repr=False)

    async def csv_pieces(self) -> AsyncGenerator[bytes, None]:
        """Read it to its end.

        Raises:
            InvalidRequest: it is closed, not open for reading, or gives no bytes.
        """
        # Of no size first: a file in text mode tells itself apart before it decodes anything.
        await self._read(0)
        while piece := await self._read(PIECE_BYTES):
            yield piece

    async def _read(self, size: int) -> bytes:
        piece: Any = None
        why = ""
        if inspect.iscoroutinefunction(self.file.read):
            piece = self.file.read(size)
        else:
            piece, why = await in_thread(partial(_try_read, self.file, size))
        if inspect.isawaitable(piece):
            piece, why = await _await_read(piece)
        if why:
            # Raised out here: what a file of somebody else's raised may hold contacts.
            raise _refusal("readable", f"is an open file that cannot be read: {why}")
        if isinstance(piece, bytes):
            return piece
        raise _refusal("type", _type_error(piece))


def _try_read(file: Any, size: int) -> tuple[object, str]:
    """Return what a file gives, or why it gives nothing; no thread may end with StopIteration."""
    try:
        return _call_read(file, size), ""
    except Exception as error:  # noqa: BLE001 - whatever somebody else's file may raise
        return None, _read_error(error)


async def _await_read(piece: Awaitable[object]) -> tuple[object, str]:
    try:
        return await piece, ""
    except Exception as error:  # noqa: BLE001 - whatever somebody else's file may raise
        return None, _read_error(error)


def _call_read(file: Any, size: int) -> object:
    """Ask for what is there already; a pipe's read() would wait until it is all there."""
    read1 = getattr(file, "read1", None)
    if size and callable(read1):
        # Not every kind of file that has it can do it.
        with contextlib.suppress(io.UnsupportedOperation):
            if piece := read1(size):
                return piece
    # Nothing from read1() may be the end, or a pipe that does not block: read() tells them apart.
    return file.read(size)


def _read_error(error: Exception) -> str:
    """Say why a file gives nothing, in no word of its own."""
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
        return "it is closed, or not open for reading"
    if isinstance(error, OSError) and isinstance(error.errno, int):
        return os.strerror(error.errno)
    return type(error).__name__


def _type_error(piece: object) -> str:
    if isinstance(piece, str):
        return "is a file in text mode; open it with mode='rb', or give its path as Path('…')"
    if hasattr(piece, "columns"):
        return "is a reader of data frames; read them as one, and give that"
    return f"is an open file whose read() gives {type(piece).__name__} and not bytes"


@runtime_checkable
class ContactsSource(Protocol):
    """Where contacts come from; write your own for an object store, a queue, a service.

    ::

        class FromBucket:
            async def csv_pieces(self) -> AsyncIterator[bytes]:
                async with bucket.open("members.csv") as body:
                    async for piece in body:
                        yield piece
    """

    def csv_pieces(self) -> AsyncIterator[bytes]:
        """Return the CSV, header first, in pieces of any size.

        It is called once, and an async generator is closed if it is not read to its end. What
        it raises goes on to the caller as it is.
        """
        ...


Contacts = (
    os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | str
    | io.StringIO
    | BinaryFile
    | AsyncBinaryFile
    | UploadedFile
    | ContactsSource
    | DataFrame
    | Iterable[Record]
    | AsyncIterable[Record]
)
"""A path to a CSV file or a workbook; the content of one, as bytes; a CSV as text; a file that is
open for reading bytes, async or not; a data frame; an iterable, async or not, of records; or a
`ContactsSource`.

An iterable that is not async is gone through in threads, batch by batch. A database that minds
being used in another thread must be told: ``sqlite3.connect(…, check_same_thread=False)``.

No thread can be interrupted: a cancellation waits until the one ``next()`` of such an iterable,
or the one ``read()`` of an open file, that is under way has returned.

A generator, and whatever async iterator has ``aclose()``, is closed when reading ends before it
does. An open file is left open.
"""


def as_source(contacts: object) -> ContactsSource:
    """Find out where contacts come from.

    Raises:
        InvalidRequest: nowhere; it says what to give in its place.
    """
    match contacts:
        case type():
            raise _refusal("type", f"is the class {contacts.__name__}; give an object of it")
        case os.PathLike():
            return PathSource(Path(os.fsdecode(contacts)))
        case bytes() | bytearray() | memoryview():
            return BytesSource(bytes(contacts))
        case str() | io.StringIO():
            return _text_source(contacts)
        case ContactsSource():
            return contacts
        case _ if (file := _open_file(contacts)) is not None:
            return BinaryFileSource(file)
        case _:
            return _records_source(contacts)


def _open_file(contacts: Any) -> Any:
    """Return what can be read; the uploads of aiohttp have it in a field."""
    for file in (contacts, getattr(contacts, "file", None)):
        if callable(getattr(file, "read", None)):
            return file
    return None


def is_decoded(source: ContactsSource) -> bool:
    """Whether the encoding is known, since it was text that it came from."""
    # Asked of it, since a source may hand on what another one gives.
    return getattr(source, "is_decoded", False) is True


def _text_source(contacts: str | io.StringIO) -> TextSource:
    # Text that is in memory is decoded; a text file is refused, since what it was opened with may
    # be another encoding than its own.
    text = contacts if isinstance(contacts, str) else contacts.read()
    if text and "\n" not in text and "\r" not in text:
        raise _refusal("text", "is text of one line; a file is given as Path('…')")
    raise_problems(problems_of_encoding("contacts", text))
    return TextSource(text)


def _records_source(contacts: object) -> RecordsSource:
    if isinstance(contacts, AsyncIterable):
        return RecordsSource(contacts)
    if inspect.isawaitable(contacts):
        if inspect.iscoroutine(contacts):
            contacts.close()
        raise _refusal("type", f"is a {type(contacts).__name__}, which was not awaited; await it")
    if (rows := rows_of_frame(contacts)) is not None:
        return RecordsSource(rows)
    if is_record(contacts):
        kind = "mapping" if isinstance(contacts, Mapping) else type(contacts).__name__
        raise _refusal("type", f"is one {kind}; give a list of them, one for each contact")
    if isinstance(contacts, Iterable):
        return RecordsSource(contacts)
    if callable(contacts):
        raise _refusal("type", f"is a {type(contacts).__name__}; call it, and give its result")
    raise _refusal(
        "type",
        "must be a path, bytes, text, an open binary file, an iterable of records, a data frame "
        f"or a ContactsSource, not {type(contacts).__name__}",
    )


def _refusal(rule: str, message: str) -> InvalidRequest:
    return InvalidRequest.of("contacts", rule, message)
