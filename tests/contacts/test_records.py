"""Records of any kind become the same CSV, or are refused by number and column."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from itertools import count
from typing import Any, ClassVar

import anyio
import attrs
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async import InvalidRequest
from newsleopard_async.contacts import records as records_module
from newsleopard_async.contacts.csv.reader import iterate_rows
from newsleopard_async.contacts.records import RecordsSource, RecordWriter
from tests.contacts.examples import CSV, ROWS, Person, later, read, refusal_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("is_async", [False, True])
async def test_no_record_is_a_header_alone(is_async: bool) -> None:
    """A query without results has columns and no rows."""
    assert await read(later([]) if is_async else []) == b"EMAIL,NAME\n"


async def test_first_record_names_the_columns() -> None:
    """EMAIL and NAME come first and in upper case, the others in their order, each by its key."""
    records = [
        {"city": "臺北", " Name": "王小明", "email": "ming@example.com", "age": 30},
        {"age": None, "email": "mei@example.com", "city": "", " Name": "李小美"},
    ]

    assert (await read(records)).decode() == (
        "EMAIL,NAME,city,age\nming@example.com,王小明,臺北,30\nmei@example.com,李小美,,\n"
    )


async def test_columns_that_are_not_the_two_stay_as_they_are() -> None:
    """Two columns of one name stay two, and the check reports a missing column."""
    assert await read([{"EMAIL": "a", "email": "b", "mail": "c"}]) == b"EMAIL,EMAIL,mail\na,b,c\n"


REFUSED: dict[str, tuple[list[Any], str, str]] = {
    "text": (["a@example.com"], "type", "record 1 has the type str; join lines of a CSV"),
    "bytes": ([b"EMAIL,NAME\n"], "type", "record 1 has the type bytes; pass pieces of a CSV"),
    "tuple among mappings": (
        [ROWS[0], ("a@example.com", "A")],
        "type",
        "record 2 has the type tuple; pass .* all of one type",
    ),
    "mapping among tuples": (
        [("EMAIL", "NAME"), ROWS[0]],
        "type",
        "row 2 has the type dict; pass .* all of one type",
    ),
    "tuples without a header": (
        [(1, "a@example.com")],
        "columns",
        "row 1 has .* the first row must be the header",
    ),
    "value of a row": (
        [("EMAIL", "NAME"), ("a@example.com", ["A"])],
        "value",
        "row 2 column 'NAME' is a list;",
    ),
    "value of a row that is too long": (
        [("EMAIL", "NAME"), ("a@example.com", "A", ["A"])],
        "value",
        "row 2 column 3 is a list;",
    ),
    "nothing": ([None], "type", "record 1 has the type NoneType; pass mappings"),
    "later text": ([ROWS[0], "a@example.com"], "type", "record 2 has the type str"),
    "key that is not text": (
        [{1: "a"}],
        "columns",
        "record 1 has a column whose name has the type int",
    ),
    "key missing": (
        [ROWS[0], {"EMAIL": "a@example.com", "NAME": "A"}],
        "columns",
        "record 2 has other columns than the first: lacks 'city'; give each record",
    ),
    "key more": ([*ROWS, {**ROWS[0], "age": 3}], "columns", "record 3 .* also has 'age';"),
    "other key": (
        [ROWS[0], {"EMAIL": "a@example.com", "NAME": "A", "town": "B"}],
        "columns",
        "lacks 'city' and also has 'town';",
    ),
    "many keys more": (
        [{"EMAIL": 1}, {"EMAIL": 1, **dict.fromkeys("abcdefg")}],
        "columns",
        "also has 'a', 'b', 'c', 'd', 'e', 2 more;",
    ),
    "key that is an address": (
        [{"EMAIL": 1}, {"ming@example.com": 1}],
        "columns",
        "lacks 'EMAIL' and also has …;",
    ),
    "key that is a number": (
        [{"EMAIL": 1}, {"EMAIL": 1, 912345678: 2}],
        "columns",
        "record 2 .* also has …;",
    ),
    "more cells than the header of csv.DictReader": (
        list(csv.DictReader(["EMAIL,NAME", "a@example.com,A,B"])),
        "columns",
        "record 1 has more cells than the header, .* pass the file itself",
    ),
    "more cells than the header later": (
        [{"EMAIL": 1}, {"EMAIL": 1, None: [2]}],
        "columns",
        "record 2 has more cells than the header",
    ),
    "data frames one after the other": (
        [pl.DataFrame([{"EMAIL": "a@example.com"}])],
        "type",
        "record 1 has the type DataFrame; join the frames",
    ),
    "first record taken for the header": (
        [{"王小明": 1, "臺北": 2}, {"李小美": 1, "臺北": 2, "高雄": 3}],
        "columns",
        "lacks 1 column and also has 2 columns;",
    ),
    "value below what was taken for the header": (
        [{"王小明": 1, "臺北": [2]}],
        "value",
        "record 1 column 2 is a list; pass text",
    ),
    "value": (
        [ROWS[0], {**ROWS[0], "city": ["臺北"]}],
        "value",
        "record 2 column 'city' is a list; pass text",
    ),
    "value of half a character": (
        [{**ROWS[0], "city": "\ud800"}],
        "encoding",
        "record 1 column 3 contains half of a surrogate pair",
    ),
    "column of half a character": ([{"a": "", "\ud800": ""}], "encoding", "column 2 contains half"),
}


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("name", REFUSED)
async def test_bad_record_is_refused_by_its_number(name: str, is_async: bool) -> None:
    """The record, the column and the way out are named, and no value is shown."""
    records, rule, says = REFUSED[name]

    found, message = await refusal_of(later(records) if is_async else records)

    assert found == rule
    assert pytest.raises(AssertionError, match=says).matches(AssertionError(message))
    assert "example.com" not in message


class Raising(dict[str, Any]):
    """A record whose last value cannot be read."""

    def __getitem__(self, key: str) -> Any:
        """Return the value, or fail like a value that is loaded on access."""
        if key == "city":
            raise StopIteration("ming@example.com")
        return super().__getitem__(key)


@attrs.define
class Unset:
    """An object whose last value was never set."""

    email: str = "ming@example.com"
    name: str = "王小明"
    city: str = attrs.field(init=False)


class Nowhere(datetime):
    """A time with an invalid time zone."""

    def utcoffset(self) -> None:
        """Fail like an invalid time."""
        raise ValueError("ming@example.com")


class Keyless(Mapping[str, Any]):
    """A record that does not give its keys."""

    def __iter__(self) -> Iterator[str]:
        """Fail."""
        raise ConnectionError("ming@example.com")

    __getitem__ = __len__ = None  # type: ignore[assignment]  # never asked


UNREADABLE: dict[str, tuple[Any, str, str]] = {
    "value": (Raising(ROWS[0]), "value", "record 1 column 'city' cannot be read: StopIteration"),
    "attribute": (Unset(), "value", "record 1 column 'city' cannot be read: AttributeError"),
    "time": (
        {"EMAIL": "ming@example.com", "NAME": Nowhere(2027, 1, 1)},
        "value",
        "record 1 column 'NAME' cannot be read: ValueError",
    ),
    "keys": (Keyless(), "readable", "record 1 cannot be read: ConnectionError"),
}


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("name", UNREADABLE)
async def test_record_that_cannot_be_read_is_refused(name: str, is_async: bool) -> None:
    """The type of the error is named, because the error can contain the contact."""
    record, rule, says = UNREADABLE[name]

    with pytest.raises(InvalidRequest) as caught:
        await read(later([record]) if is_async else [record])

    [problem] = caught.value.problems
    assert (problem.rule, problem.message) == (rule, says)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


async def test_error_of_half_a_character_keeps_the_contact_to_itself() -> None:
    """No chained exception contains the values of the record."""
    with pytest.raises(ValueError, match="surrogate") as caught:
        await read([{"EMAIL": "ming@example.com", "NAME": "\ud800"}])

    assert caught.value.__context__ is None


async def test_blocking_iterable_does_not_run_in_the_event_loop() -> None:
    """A database cursor can block, so it is iterated in a thread."""
    threads = set[int]()

    class Query:
        """Asks when it is iterated."""

        def __iter__(self) -> Iterator[dict[str, str]]:
            threads.add(threading.get_ident())
            yield from ROWS

    assert (await read(Query())).decode() == CSV
    assert threading.get_ident() not in threads


def contact(number: int) -> dict[str, str]:
    """Make a contact."""
    return {"EMAIL": f"user{number}@example.com", "NAME": ""}


async def test_endless_iterable_is_read_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are passed on before the end, and a cancellation is raised between batches."""
    monkeypatch.setattr(records_module, "_BATCH_S", math.inf)
    records = map(contact, count())
    with anyio.move_on_after(5) as scope:
        async for piece in RecordsSource(records).csv_pieces():
            assert piece.count(b"\n") == 501
            scope.cancel()

    assert next(records)["EMAIL"] == "user500@example.com"


async def test_error_of_the_iterable_is_raised_unchanged() -> None:
    """An error of the database reaches the caller unchanged."""

    def records() -> Iterator[dict[str, str]]:
        yield from ROWS
        raise ConnectionResetError("the database went away")

    with pytest.raises(ConnectionResetError, match="went away"):
        await read(records())


def test_objects_have_their_fields_as_columns() -> None:
    """An attrs object's fields are columns, `email` and `name` the two that must be there."""
    writer = RecordWriter()

    written = writer.write(Person(email="ming@example.com", name="王小明", city="臺北"))

    assert written.decode() == "EMAIL,NAME,city\nming@example.com,王小明,臺北\n"
    assert writer.count == 1


@attrs.frozen
class Secretive:
    """A contact with a field of its own."""

    email: str
    name: str
    _cache: dict[str, str] = attrs.field(factory=dict)


@dataclasses.dataclass
class Slotted:
    """A contact with a field, and attributes that are not fields."""

    email: str
    name: str
    _cache: list[str] = dataclasses.field(default_factory=list)
    kind: ClassVar[str] = "contact"
    seed: dataclasses.InitVar[int] = 0


@pytest.mark.parametrize("kind", [Secretive, Slotted])
async def test_private_fields_are_not_written(kind: Any) -> None:
    """Private fields are not columns, and their values are not checked."""
    assert await read([kind("a@example.com", "A")]) == b"EMAIL,NAME\na@example.com,A\n"


@pytest.mark.parametrize("is_async", [False, True])
async def test_rows_below_a_header_are_written_as_they_are(is_async: bool) -> None:
    """Each row, also a blank one, is one line, so the check names the right lines."""
    rows: list[Any] = [
        [],
        ("NAME", "EMAIL", None),
        ["A", "a@example.com", 5],
        [],
        ["B"],
    ]

    written = await read(later(rows) if is_async else rows)

    assert written == b"\nNAME,EMAIL,\nA,a@example.com,5\n,,\nB\n"


async def test_cursor_of_a_database_names_the_columns_of_its_tuples() -> None:
    """Rows without names have them in the cursor's description (PEP 249)."""
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as database:
        rows = database.execute("SELECT 'ming@example.com' AS email, '王小明' AS name")

        assert (await read(rows)).decode() == "email,name\nming@example.com,王小明\n"


async def test_cursor_of_this_thread_alone_is_refused_with_the_way_out() -> None:
    """Contacts are read in threads, which a connection of sqlite3 has to allow."""
    with closing(sqlite3.connect(":memory:")) as database:
        rows = database.execute("SELECT 'ming@example.com' AS email, '王小明' AS name")

        found, message = await refusal_of(rows)

    assert (found, "check_same_thread=False" in message) == ("type", True)


def test_object_of_another_type_than_the_first_is_refused() -> None:
    """Objects of several classes fit if their columns do."""

    @attrs.frozen
    class Other:
        email: str

    writer = RecordWriter()
    writer.write(Person(email="a", name="b"))

    with pytest.raises(ValueError, match="lacks 'name', 'city'"):
        writer.write(Other("a"))


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff\x00"), min_size=1)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, str]]:
    """Draw records with the two columns that must be there, and any others."""
    others = draw(st.lists(NAMES.map(lambda name: f"x{name}"), max_size=3, unique=True))
    keys = draw(st.permutations(["EMAIL", "NAME", *others]))
    return [{key: draw(VALUES) for key in keys} for _ in range(draw(st.integers(1, 4)))]


def ends_unified(text: str) -> str:
    """Make every line end a line feed, as reading does."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.slow
@given(tables())
def test_any_records_are_read_back_equal(records: list[dict[str, str]]) -> None:
    """What the core reads is what went in, quotes, commas and line breaks too."""
    writer = RecordWriter()
    content = b"".join([writer.write(record) for record in records])

    (_, header), *rows = iterate_rows(lambda: [content], "utf-8")

    names = [ends_unified(key) for key in records[0] if key not in {"EMAIL", "NAME"}]
    assert header == ["EMAIL", "NAME", *names]
    for (_, row), record in zip(rows, records, strict=True):
        others = [value for key, value in record.items() if key not in {"EMAIL", "NAME"}]
        assert row == [ends_unified(value) for value in (record["EMAIL"], record["NAME"], *others)]


@pytest.mark.slow
@given(tables())
def test_any_records_are_read_like_by_the_standard_library(records: list[dict[str, str]]) -> None:
    """Another reader of CSV agrees."""
    writer = RecordWriter()
    content = b"".join([writer.write(record) for record in records]).decode()

    rows = list(csv.DictReader(io.StringIO(content, newline="")))

    assert rows == records


async def test_database_columns_of_one_name_are_refused() -> None:
    """A row returns only one of two columns of the same name; the other would be lost."""
    database = sqlite3.connect(":memory:", check_same_thread=False)
    database.row_factory = sqlite3.Row
    try:
        rows = database.execute("SELECT 'a@example.com' EMAIL, 'A' NAME, 'B' NAME")
        with pytest.raises(InvalidRequest, match="columns of the same name"):
            await read(rows)
    finally:
        database.close()
