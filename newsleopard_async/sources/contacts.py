"""What contacts may be given as, and the one interface behind all of it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import attrs

from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models.rules import problems_of_encoding, refuse
from newsleopard_async.sources.files import (
    BinaryFile,
    BinaryFileSource,
    BytesSource,
    PathSource,
    TextSource,
)
from newsleopard_async.sources.records import RecordsSource, is_record

__all__ = ["Contacts", "ContactsSource", "as_source", "is_decoded"]


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
    | str
    | BinaryFile
    | ContactsSource
    | Iterable[Mapping[str, Any]]
    | AsyncIterable[Mapping[str, Any]]
    | Iterable[attrs.AttrsInstance]
    | AsyncIterable[attrs.AttrsInstance]
)
"""A path to a CSV file; the CSV itself, as bytes or text; a file that is open for reading bytes;
an iterable, async or not, of mappings or attrs objects; or a `ContactsSource`.

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
        case str():
            return _text_source(contacts)
        case ContactsSource():
            return contacts
        case _ if callable(getattr(contacts, "read", None)):
            return BinaryFileSource(contacts)  # type: ignore[arg-type]  # it has read()
        case _:
            return _records_source(contacts)


def is_decoded(source: ContactsSource) -> bool:
    """Whether the encoding is known, since it was text that it came from."""
    return isinstance(source, (TextSource, RecordsSource))


def _text_source(text: str) -> TextSource:
    if text and "\n" not in text and "\r" not in text:
        raise _refusal("text", "is text of one line; a file is given as Path('…')")
    refuse(problems_of_encoding("contacts", text))
    return TextSource(text)


def _records_source(contacts: object) -> RecordsSource:
    if isinstance(contacts, Mapping):
        raise _refusal("type", "is one mapping; give a list of them, one a contact")
    if isinstance(contacts, (Iterable, AsyncIterable)):
        return RecordsSource(contacts)
    if is_record(contacts):
        raise _refusal("type", "is one record; give a list of them, one a contact")
    raise _refusal(
        "type",
        "must be a path, bytes, text, an open binary file, an iterable of mappings or a "
        f"ContactsSource, not {type(contacts).__name__}",
    )


def _refusal(rule: str, message: str) -> InvalidRequest:
    return InvalidRequest.of("contacts", rule, message)
