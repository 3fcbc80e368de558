"""Type checkers accept every source without cast or ignore."""

from __future__ import annotations

import csv
import io
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from starlette.datastructures import UploadFile

from newsleopard_async import ContactsSource
from newsleopard_async.contacts.sources import Contacts, as_source
from tests.contacts.examples import CSV, Person, Pieces, persons
from tests.contacts.test_record_types import Checked, Data, Dict, Member, Model, Struct, Tuple


async def async_persons() -> AsyncIterator[Person]:
    """Give objects, each at another time."""
    for person in persons():
        yield person


async def of_sqlalchemy(connection: AsyncConnection, session: AsyncSession) -> list[Contacts]:
    """Query rows and objects in all ways; this is for type checkers and never called."""
    query = sa.select(Member.email, Member.name)
    return [
        await connection.execute(query),
        (await connection.execute(query)).all(),
        (await connection.execute(query)).mappings(),
        await connection.stream(query),
        (await session.scalars(sa.select(Member))).all(),
        await session.scalars(sa.select(Member)),
        await session.stream_scalars(sa.select(Member)),
    ]


async def of_files(path: Path) -> list[Contacts]:
    """Open files in every way; this is for type checkers and never called."""
    return [
        await anyio.open_file(path, "rb"),
        path.open("rb"),
        tempfile.SpooledTemporaryFile(),
    ]


def test_every_source_has_its_type() -> None:
    """Sources that a type checker accepts are accepted at runtime."""
    fields: dict[str, Any] = {"email": "a@example.com", "name": "A", "city": ""}
    row = Tuple("a@example.com", "A", "")
    with closing(sqlite3.connect(":memory:")) as database:
        sources: list[Contacts] = [
            Path("members.csv"),
            CSV,
            CSV.encode(),
            bytearray(CSV.encode()),
            memoryview(CSV.encode()),
            io.StringIO(CSV),
            io.BytesIO(CSV.encode()),
            UploadFile(io.BytesIO(CSV.encode())),
            Pieces(()),
            pl.DataFrame([fields]),
            [fields],
            ({"EMAIL": each, "NAME": ""} for each in "ab"),
            persons(),
            async_persons(),
            [Data(**fields)],
            [Dict(email="a@example.com", name="A", city="")],
            [row],
            [Checked(**fields)],
            [Model.model_validate(fields | {"e-mail": "a@example.com"})],
            [Struct(**fields)],
            [("EMAIL", "NAME"), ("a@example.com", "A")],
            csv.reader(io.StringIO(CSV)),
            csv.DictReader(io.StringIO(CSV)),
            database.execute("SELECT 1 AS email, 2 AS name"),
        ]

        assert all(isinstance(as_source(source), ContactsSource) for source in sources)


@pytest.mark.parametrize("wrong", [5, None])
def test_object_that_is_not_a_source_has_no_such_type(wrong: Any) -> None:
    """The types accept the same sources as the runtime, and no others."""
    with pytest.raises(ValueError, match="must be a path"):
        as_source(wrong)
