"""The types of objects that contacts can be passed as, and the one interface behind them."""

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
"""The size of the pieces in which contacts are read and checked. Chosen: a check of a piece takes
so little time that a cancellation is not noticed, and few calls into threads are needed."""


class BinaryFile(Protocol):
    """A file that is open for reading bytes: any object with ``read(size)``.

    If it has ``read1(size)``, that is called first, because it does not wait for all bytes.
    """

    def read(self, size: int, /) -> bytes | None:
        """Return at most ``size`` bytes, and an empty result at the end."""
        ...


class AsyncBinaryFile(Protocol):
    """A file with an async ``read``: an upload of Starlette or FastAPI, of aiofiles, of anyio."""

    async def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, and an empty result at the end."""
        ...


class UploadedFile(Protocol):
    """An uploaded file in the attribute ``file`` of an object, for example in aiohttp."""

    @property
    def file(self) -> BinaryFile:
        """The file."""
        ...


@attrs.frozen
class RegularFile(StableFile):
    """A file of contacts that is read more than once, and must not change meanwhile."""

    piece_bytes: ClassVar[int] = PIECE_BYTES
    block_bytes: ClassVar[int] = PIECE_BYTES

    @classmethod
    def refusal(cls, path: Path, why: Unusable, system: str = "") -> InvalidRequest:
        """Build the error for a file that contacts cannot be read from."""
        match why:
            case "folder":
                return _refusal("file", f"{path} is a folder; pass the path of the CSV file in it")
            case "special":
                return _refusal(
                    "file",
                    f"{path} is not a regular file; open it with mode='rb', and pass that",
                )
            case "changed":
                return _refusal(
                    "unchanged",
                    f"{path} changed while it was read; call again when no program writes to it",
                )
            case _:
                return _refusal(
                    "readable", f"{path} cannot be read: {system}; check the path and its rights"
                )


@attrs.frozen
class PathSource:
    """A CSV file by its path."""

    path: Path

    async def csv_pieces(self) -> AsyncGenerator[bytes, None]:
        """Read the file once."""
        file = await RegularFile.at(self.path)
        async with contextlib.aclosing(file.pieces()) as pieces:
            async for piece in pieces:
                yield piece


@attrs.frozen
class BytesSource:
    """A CSV as bytes in memory."""

    content: bytes = attrs.field(repr=False)

    async def csv_pieces(self) -> AsyncGenerator[bytes, None]:
        """Cut the bytes into pieces."""
        for begin in range(0, len(self.content), PIECE_BYTES):
            yield self.content[begin : begin + PIECE_BYTES]


@attrs.frozen
class TextSource:
    """A CSV as text in memory."""

    is_decoded: ClassVar[bool] = True

    text: str = attrs.field(repr=False)

    async def csv_pieces(self) -> AsyncGenerator[bytes, None]:
        """Encode the text piece by piece, so that it is not in memory twice."""
        for begin in range(0, len(self.text), PIECE_BYTES):
            yield self.text[begin : begin + PIECE_BYTES].encode()


@attrs.frozen
class BinaryFileSource:
    """An open file, read from its current position; the caller closes it.

    Its ``read()`` can be async, like that of an upload, of aiofiles and of anyio.
    """

    file: BinaryFile | AsyncBinaryFile = attrs.field(repr=False)

    async def csv_pieces(self) -> AsyncGenerator[bytes, None]:
        """Read the file to its end.

        Raises:
            InvalidRequest: the file is closed, not open for reading, or does not return bytes.
        """
        # A read of 0 characters recognises a file in text mode before it decodes anything.
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
            # Raised outside of the except block, because the other error can contain contacts.
            raise _refusal(
                "readable",
                f"is an open file that cannot be read: {why}; open it again with mode='rb'",
            )
        if isinstance(piece, bytes):
            return piece
        raise _refusal("type", _type_error(piece))


def _try_read(file: Any, size: int) -> tuple[object, str]:
    """Return the result of a read, or why it failed; a thread must not raise StopIteration."""
    try:
        return _call_read(file, size), ""
    except Exception as error:  # noqa: BLE001 - a caller's file can raise anything
        return None, _read_error(error)


async def _await_read(piece: Awaitable[object]) -> tuple[object, str]:
    try:
        return await piece, ""
    except Exception as error:  # noqa: BLE001 - a caller's file can raise anything
        return None, _read_error(error)


def _call_read(file: Any, size: int) -> object:
    """Read the bytes that are available; read() of a pipe would wait for all of them."""
    read1 = getattr(file, "read1", None)
    if size and callable(read1):
        # Some files have read1() without supporting it.
        with contextlib.suppress(io.UnsupportedOperation):
            if piece := read1(size):
                return piece
    # An empty read1() means the end or a non-blocking pipe; only read() distinguishes them.
    return file.read(size)


def _read_error(error: Exception) -> str:
    """Return why a read failed, without the error's own text, which can contain contacts."""
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
        return "it is closed, or not open for reading"
    if isinstance(error, OSError) and isinstance(error.errno, int):
        return os.strerror(error.errno)
    return type(error).__name__


def _type_error(piece: object) -> str:
    if isinstance(piece, str):
        return "is a file in text mode; open it with mode='rb', or pass its path as Path('…')"
    if hasattr(piece, "columns"):
        return "is a reader of data frames; read one data frame, and pass that"
    return f"has a read() that must return bytes, not {type(piece).__name__}"


@runtime_checkable
class ContactsSource(Protocol):
    """A source of contacts; write your own for an object store, a queue or a service.

    ::

        class FromBucket:
            async def csv_pieces(self) -> AsyncIterator[bytes]:
                async with bucket.open("members.csv") as body:
                    async for piece in body:
                        yield piece
    """

    def csv_pieces(self) -> AsyncIterator[bytes]:
        """Return the CSV, header first, in pieces of any size.

        It is called once, and an async generator is closed if it is not read to its end. The
        caller gets its errors unchanged.
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

An iterable that is not async is read in threads, batch by batch. A database that allows only one
thread needs an option: ``sqlite3.connect(…, check_same_thread=False)``.

A thread cannot be interrupted: a cancellation waits until the running ``next()`` of such an
iterable, or the running ``read()`` of an open file, has returned.

A generator, and any async iterator with ``aclose()``, is closed if reading ends before its end.
An open file stays open.
"""


def as_source(contacts: object) -> ContactsSource:
    """Return the source for an object.

    Raises:
        InvalidRequest: contacts cannot be read from it; the message names what to pass instead.
    """
    match contacts:
        case type():
            raise _refusal("type", f"is the class {contacts.__name__}; pass an object of it")
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
    """Return the object that has ``read``; uploads of aiohttp have it in an attribute."""
    for file in (contacts, getattr(contacts, "file", None)):
        if callable(getattr(file, "read", None)):
            return file
    return None


def is_decoded(source: ContactsSource) -> bool:
    """Return whether the source was text, so that its encoding is UTF-8."""
    # An attribute and not a type, because a caller's source can wrap another source.
    return getattr(source, "is_decoded", False) is True


def _text_source(contacts: str | io.StringIO) -> TextSource:
    # Text in memory is decoded. A text file is refused, because it was possibly opened with
    # another encoding than its own.
    text = contacts if isinstance(contacts, str) else contacts.read()
    if text and "\n" not in text and "\r" not in text:
        raise _refusal("text", "is text of one line; pass a file as Path('…')")
    raise_problems(problems_of_encoding("contacts", text))
    return TextSource(text)


def _records_source(contacts: object) -> RecordsSource:
    if isinstance(contacts, AsyncIterable):
        return RecordsSource(contacts)
    if inspect.isawaitable(contacts):
        if inspect.iscoroutine(contacts):
            contacts.close()
        raise _refusal("type", f"is a {type(contacts).__name__} that was not awaited; await it")
    if (rows := rows_of_frame(contacts)) is not None:
        return RecordsSource(rows)
    if is_record(contacts):
        kind = "mapping" if isinstance(contacts, Mapping) else type(contacts).__name__
        raise _refusal("type", f"is one {kind}; pass a list of them, one for each contact")
    if isinstance(contacts, Iterable):
        return RecordsSource(contacts)
    if callable(contacts):
        raise _refusal("type", f"is a {type(contacts).__name__}; call it, and pass its result")
    raise _refusal(
        "type",
        "must be a path, bytes, text, an open binary file, an iterable of records, a data frame "
        f"or a ContactsSource, not {type(contacts).__name__}",
    )


def _refusal(rule: str, message: str) -> InvalidRequest:
    return InvalidRequest.of("contacts", rule, message)
