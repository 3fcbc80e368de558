"""Contacts as the caller has them, made a file that can be looked at and sent again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from newsleopard_async.checks.contacts.first_look import (
    count_rows,
    problems_of_csv_text,
    problems_of_header,
)
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models.rules import problems_of_encoding, refuse
from newsleopard_async.plain import Plain
from newsleopard_async.transport.inflight import in_thread

__all__ = ["Contacts", "ContactsFile", "contacts_file", "csv_text", "goes_as_text"]

Contacts = os.PathLike[str] | bytes | str
"""A path to a CSV file, or the CSV itself."""

_MOST_TEXT_ROWS: Final = 100
"""Above this the platform advises a file (建議筆數 > 100)."""

_LARGEST_TEXT_BYTES: Final = 1_600_000
"""A sixth of the documented 10 MB, since JSON may write a byte in six."""


@attrs.frozen(kw_only=True)
class ContactsFile(Plain):
    """A CSV file of contacts that passed a first look.

    Attributes:
        path: Where it is.
        as_text: Whether it is small enough to be imported as text.
        sha256: Of its content, by which a checkpoint knows it again.
    """

    path: Path
    as_text: bool
    sha256: str


def goes_as_text(rows: int, size_bytes: int) -> bool:
    """Choose between the two kinds of import: text for the small, a file for the rest."""
    return rows <= _MOST_TEXT_ROWS and size_bytes <= _LARGEST_TEXT_BYTES


@contextlib.asynccontextmanager
async def contacts_file(contacts: Contacts) -> AsyncIterator[ContactsFile]:
    """Give the contacts as a file for as long as the context lasts.

    Raises:
        InvalidRequest: nothing there, a folder, no text, no row, or a wrong header.
    """
    if isinstance(contacts, os.PathLike):
        yield await in_thread(partial(_look_at, Path(contacts)))
        return
    content = _bytes_of(contacts)
    # Made and removed without an await, which is where asyncio's own cancellation could strike
    # whatever shields it: contacts must not stay on the disk.
    folder = tempfile.mkdtemp(prefix="newsleopard-")
    try:
        yield await in_thread(partial(_spool, content, Path(folder, "contacts.csv")))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _bytes_of(contacts: object) -> bytes:
    if isinstance(contacts, bytes):
        return contacts
    if not isinstance(contacts, str):
        raise _refuse("type", f"must be a path, bytes or text, not {type(contacts).__name__}")
    if contacts and "\n" not in contacts:
        raise _refuse("text", "is text of one line; a file is given as Path('…')")
    refuse(problems_of_encoding("contacts", contacts))
    return contacts.encode()


def _spool(content: bytes, path: Path) -> ContactsFile:
    path.write_bytes(content)
    return _look_at(path)


def _look_at(path: Path) -> ContactsFile:
    size_bytes, begin = _read_begin(path)
    if not begin:
        raise _refuse("empty", "has no content: not even the header EMAIL,NAME")
    refuse(problems_of_header(begin.partition(b"\n")[0]))
    rows = count_rows(begin.decode("utf-8", "replace"), _MOST_TEXT_ROWS)
    if rows == 0:
        raise _refuse("no-rows", "has a header and no contact below it")
    as_text = goes_as_text(rows, size_bytes)
    if as_text:
        csv_text(begin)
    return ContactsFile(path=path, as_text=as_text, sha256=_sha256(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_begin(path: Path) -> tuple[int, bytes]:
    """Return a file's size, and as much of it as could be imported as text."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _refuse("file", f"{path} is a folder; name the CSV file in it")
        if not stat.S_ISREG(status.st_mode):
            raise _refuse("file", f"{path} is no ordinary file; an upload may need it twice")
        with path.open("rb") as file:
            return status.st_size, file.read(_LARGEST_TEXT_BYTES + 1)
    except OSError as error:
        raise _refuse("readable", f"{path} cannot be read: {error.strerror}") from None


def csv_text(content: bytes) -> str:
    """Read a small file as text, with the line ends that the platform asks for.

    Raises:
        InvalidRequest: it is not UTF-8, or nothing that can be imported as text.
    """
    bad_at = -1
    try:
        text = content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        bad_at = error.start
    if bad_at >= 0:
        # Raised out here: the other error holds the contacts.
        line = content.count(b"\n", 0, bad_at) + 1
        raise _refuse("encoding", f"is not UTF-8: line {line}; save it as UTF-8")
    refuse(attrs.evolve(problem, field="contacts") for problem in problems_of_csv_text(text))
    return text


def _refuse(rule: str, message: str) -> InvalidRequest:
    return InvalidRequest.of("contacts", rule, message)
