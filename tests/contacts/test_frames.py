"""Data frames of every library are contacts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import narwhals
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from newsleopard_async import InvalidRequest, check_contacts
from newsleopard_async.contacts import frames
from tests.contacts.examples import CSV, ROWS, read, refusal_of

pytestmark = pytest.mark.anyio

COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}

FRAMES: dict[str, Callable[[], Any]] = {
    "pandas": lambda: pd.DataFrame(COLUMNS),
    "pandas with an index": lambda: pd.DataFrame(COLUMNS, index=["x", "y"]),
    "subclass of pandas": lambda: type("GeoDataFrame", (pd.DataFrame,), {})(COLUMNS),
    "categories of pandas": lambda: pd.DataFrame(COLUMNS).astype("category"),
    "polars": lambda: pl.DataFrame(COLUMNS),
    "table of pyarrow": lambda: pa.table(COLUMNS),
    "narwhals": lambda: narwhals.from_native(pd.DataFrame(COLUMNS), eager_only=True),
}


@pytest.mark.parametrize("frame", FRAMES)
async def test_frames_of_every_library_are_the_same(
    frame: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row is a contact, slice by slice, and the index is not a column."""
    monkeypatch.setattr(frames, "_SLICE_ROWS", 1)

    assert (await read(FRAMES[frame]())).decode() == CSV


@pytest.mark.parametrize("rows", [1, 7])
def test_frame_that_changes_while_it_is_read_is_refused(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the rows at its end would be missing in silence."""
    frame = pd.DataFrame({"EMAIL": [f"a{number}@example.com" for number in range(5)], "NAME": "x"})
    later = frame.iloc[[0] * rows]
    held = SimpleNamespace(shape=frame.shape, iloc=frame.iloc)
    monkeypatch.setattr(frames, "_SLICE_ROWS", 2)
    records = iter(frames.FrameRows(("EMAIL", "NAME"), held, frames._cut_pandas))

    next(records)
    held.shape, held.iloc = later.shape, later.iloc

    with pytest.raises(InvalidRequest, match="changed while it was read"):
        list(records)


@pytest.mark.parametrize("frame", FRAMES)
async def test_frame_without_a_row_has_its_columns(frame: str) -> None:
    """A query without results is a header without rows, and is reported."""
    report = await check_contacts(FRAMES[frame]()[:0])

    assert report.columns == ("EMAIL", "NAME", "city")
    assert [each.rule for each in report.errors] == ["no-rows"]


VALUES: list[tuple[list[Any], list[str]]] = [
    ([912345678, None], ["912345678", ""]),
    ([912345678.0, float("nan")], ["912345678", ""]),
    ([1.5, 2.0], ["1.5", "2.0"]),
    ([True, None], ["true", ""]),
    ([date(2027, 1, 5), None], ["2027-01-05", ""]),
    ([datetime(2027, 1, 5), None], ["2027-01-05", ""]),  # noqa: DTZ001 - that is the case
    ([datetime(2027, 1, 5, 10, tzinfo=UTC), None], ["2027-01-05T10:00:00+00:00", ""]),
    (["0912345678", None], ["0912345678", ""]),
]


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
@pytest.mark.parametrize(("values", "cells"), VALUES)
async def test_values_of_a_column_are_cells(
    library: Callable[[Any], Any], values: list[Any], cells: list[str]
) -> None:
    """What is missing is empty, and integers with gaps do not become floats."""
    frame = library({"EMAIL": ["a", "b"], "NAME": ["A", "B"], "x": values})

    found = (await read(frame)).decode()

    assert [line.split(",")[2] for line in found.splitlines()] == ["x", *cells]


async def test_types_of_pandas_and_numpy_are_cells() -> None:
    """Integers that may be missing, NumPy's own floats and columns of any objects."""
    frame = pd.DataFrame(
        {
            "EMAIL": pd.array(["a", pd.NA], dtype="string"),
            "NAME": pd.array([1, pd.NA], dtype="Int64"),
            "x": np.array([1, np.inf], dtype="float64"),
            "y": pd.Series([912345678.0, None], dtype="object"),
        }
    )

    rule, message = await refusal_of(frame)

    assert (rule, message) == (
        "value",
        "record 2 column 'x' is infinite; pass None for an empty cell",
    )
    assert await read(frame.drop(columns="x")) == b"EMAIL,NAME,y\na,1,912345678\n,,\n"


async def test_columns_of_one_name_are_left_to_the_check() -> None:
    """Each is written, and the check names them."""
    frame = pd.DataFrame([["a@example.com", "A", "B"]], columns=["EMAIL", "NAME", "NAME"])

    report = await check_contacts(frame)

    assert [each.rule for each in report.errors] == ["duplicate-header"]


class DataFrame:
    """A frame of an unknown library; iterating over it yields the columns' names."""

    columns = ("EMAIL", "NAME")

    def __iter__(self) -> Any:
        return iter(self.columns)

    def __getitem__(self, key: str) -> list[str]:
        return ["x"]


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "lazy": (lambda: pl.DataFrame(COLUMNS).lazy(), "is a LazyFrame"),
    "lazy of narwhals": (
        lambda: narwhals.from_native(pl.DataFrame(COLUMNS).lazy()),
        "is a LazyFrame",
    ),
    "column of pandas": (lambda: pd.Series(["a"]), "is a Series, which is one column"),
    "column of polars": (lambda: pl.Series(["a"]), "is a Series, which is one column"),
    "column of pyarrow": (lambda: pa.chunked_array([["a"]]), "is a ChunkedArray, which narwhals"),
    "unknown": (
        DataFrame,
        "is a DataFrame, which narwhals does not read as a data frame in memory;",
    ),
    "numbers for names": (
        lambda: pd.DataFrame([["a", "b"]]),
        "is a DataFrame with a column whose name",
    ),
    "names of two levels": (
        lambda: pd.DataFrame([["a"]], columns=pd.MultiIndex.from_tuples([("x", "y")])),
        "whose name has the type tuple",
    ),
    "value": (
        lambda: pl.DataFrame({"EMAIL": ["a", "b"], "tags": [["x"], ["y"]]}),
        "record 1 column 'tags' is a list",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_object_that_is_not_a_frame_in_memory_is_refused(name: str) -> None:
    """The message names its type and the way out."""
    build, says = REFUSED[name]

    _, message = await refusal_of(build())

    assert says in message


async def test_frame_of_another_library_names_narwhals(monkeypatch: pytest.MonkeyPatch) -> None:
    """If it is not installed, the way out is to install it, or to pass records."""
    monkeypatch.setitem(sys.modules, "narwhals", None)

    _, message = await refusal_of(pa.table(COLUMNS))

    assert "is a Table; pass its rows as mappings" in message
    assert "pip install narwhals" in message
