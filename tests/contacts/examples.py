"""Helpers for the tests of sources: sources of every type, and their results."""

from __future__ import annotations

import io
import sqlite3
import zipfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, closing
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import anyio.lowlevel
import attrs
import pytest

from newsleopard_async import InvalidRequest
from newsleopard_async.contacts.contacts_options import ContactsOptions
from newsleopard_async.contacts.preparation import PreparedContacts, prepare_contacts
from newsleopard_async.contacts.sources import as_source
from newsleopard_async.models.validation import raise_problems

Row = Mapping[str, Any]

ROWS: tuple[dict[str, str], ...] = (
    {"EMAIL": "ming@example.com", "NAME": "王小明", "city": "臺北"},
    {"EMAIL": "mei@example.com", "NAME": "李小美, 二", "city": ""},
)
CSV = 'EMAIL,NAME,city\nming@example.com,王小明,臺北\nmei@example.com,"李小美, 二",\n'
"""The same rows as a clean CSV."""


@attrs.frozen
class Person:
    """A contact in a user's program."""

    name: str
    email: str
    city: str = ""


@attrs.frozen
class Pieces:
    """A source that a user wrote."""

    pieces: tuple[Any, ...]

    async def csv_pieces(self) -> AsyncIterator[bytes]:
        """Give the pieces."""
        for piece in self.pieces:
            await anyio.lowlevel.checkpoint()
            yield piece


async def later(records: Iterable[Any]) -> AsyncIterator[Any]:
    """Give records one by one, each at another time."""
    for record in records:
        await anyio.lowlevel.checkpoint()
        yield record


def persons() -> list[Person]:
    """Make the rows objects."""
    return [Person(email=row["EMAIL"], name=row["NAME"], city=row["city"]) for row in ROWS]


def queried() -> Iterator[sqlite3.Row]:
    """Ask a database for the rows; what it gives is like a mapping, and none."""
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as database:
        database.row_factory = sqlite3.Row
        database.execute("CREATE TABLE people (name TEXT, email TEXT, city TEXT)")
        database.executemany("INSERT INTO people VALUES (:NAME, :EMAIL, :city)", ROWS)
        yield from database.execute("SELECT name, email, city FROM people ORDER BY rowid")


def written(folder: Path, content: bytes = CSV.encode(), name: str = "members.csv") -> Path:
    """Write a file."""
    path = folder / name
    path.write_bytes(content)
    return path


def packed() -> IO[bytes]:
    """Open the CSV inside an archive."""
    with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        archive.writestr("members.csv", CSV)
        return archive.open("members.csv")


Build = Callable[[Path], Any]
FORMS: dict[str, Build] = {
    "path": written,
    "bytes": lambda folder: CSV.encode(),
    "bytearray": lambda folder: bytearray(CSV.encode()),
    "memoryview": lambda folder: memoryview(CSV.encode()),
    "text": lambda folder: CSV,
    "text of Windows": lambda folder: CSV.replace("\n", "\r\n"),
    "text in a buffer": lambda folder: io.StringIO(CSV),
    "binary file": lambda folder: io.BytesIO(CSV.encode()),
    "member of an archive": lambda folder: packed(),
    "file of an upload": lambda folder: SimpleNamespace(file=io.BytesIO(CSV.encode())),
    "source": lambda folder: Pieces((CSV.encode()[:30], b"", CSV.encode()[30:])),
    "list of mappings": lambda folder: list(ROWS),
    "generator of mappings": lambda folder: (row for row in ROWS),
    "async generator of mappings": lambda folder: later(ROWS),
    "database": lambda folder: queried(),
    "list of objects": lambda folder: persons(),
    "async generator of objects": lambda folder: later(persons()),
}


async def read(contacts: Any) -> bytes:
    """Read everything that contacts give."""
    async with aclosing(as_source(contacts).csv_pieces()) as pieces:  # type: ignore[type-var]
        return b"".join([piece async for piece in pieces])


async def refusal_of(contacts: Any) -> tuple[str, str]:
    """Read contacts that must be refused; return the rule and the message."""
    with pytest.raises(InvalidRequest) as caught:
        await read(contacts)
    assert caught.value.__cause__ is None
    [problem] = caught.value.problems
    assert problem.field == "contacts"
    return problem.rule, problem.message


@asynccontextmanager
async def clean_contacts(
    contacts: Any, *, on_progress: Any = None, **options: Any
) -> AsyncIterator[PreparedContacts]:
    """Take contacts as a pipeline does: examine them, refuse what is unusable, publish."""
    async with prepare_contacts(
        contacts, ContactsOptions(**options), on_progress=on_progress
    ) as found:
        raise_problems(each.as_problem() for each in found.report.fatal_errors)
        await found.publish()
        yield found
