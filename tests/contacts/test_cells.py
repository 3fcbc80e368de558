"""Values become cells in one way, or are refused without being shown."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pandas as pd
import pytest

from newsleopard_async.contacts.records import csv_row
from newsleopard_async.contacts.scalars import CellError, cell_of


class Plan(str, Enum):  # noqa: UP042 - the kind whose text is another than its value
    """A text that has a name."""

    GOLD = "gold"


class Color(Enum):
    """A value that has a name."""

    RED = 5


class Level(IntEnum):
    """A number that has a name."""

    HIGH = 3


CELLS: list[tuple[Any, str]] = [
    ("王小明", "王小明"),
    ("", ""),
    (" a ", " a "),
    (None, ""),
    (Plan.GOLD, "gold"),
    (Level.HIGH, "3"),
    (0, "0"),
    (-5, "-5"),
    (True, "true"),
    (False, "false"),
    (1.5, "1.5"),
    (1e16, "10000000000000000"),
    (1e-7, "0.0000001"),
    (0.1, "0.1"),
    (Decimal("1E+2"), "100"),
    (Decimal("0.50"), "0.50"),
    (float("nan"), ""),
    (Decimal("NaN"), ""),
    (Decimal("sNaN"), ""),
    (pd.NA, ""),
    (pd.NaT, ""),
    (msgspec.UNSET, ""),
    (time(10, 30), "10:30:00"),
    (Color.RED, "5"),
    (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    (np.int64(5), "5"),
    (np.float64(1.5), "1.5"),
    (np.float32(0.1), "0.1"),
    (np.float32("nan"), ""),
    (np.bool_(True), "true"),
    (np.str_("王小明"), "王小明"),
    (np.array(5), "5"),
    (np.datetime64("2027-01-05", "ns"), "2027-01-05"),
    (np.datetime64("NaT"), ""),
    (date(2027, 1, 5), "2027-01-05"),
    (datetime(2027, 1, 5), "2027-01-05"),  # noqa: DTZ001 - that is the case
    (pd.Timestamp("2027-01-05"), "2027-01-05"),
    (pd.Timestamp("2027-01-05T10:00:00.5", tz="Asia/Taipei"), "2027-01-05T10:00:00.500000+08:00"),
    (datetime(2027, 1, 5, 10, tzinfo=UTC), "2027-01-05T10:00:00+00:00"),
    (
        datetime(2027, 1, 5, 10, 0, 30, tzinfo=timezone(timedelta(hours=8))),
        "2027-01-05T10:00:30+08:00",
    ),
]


@pytest.mark.parametrize(("value", "cell"), CELLS)
def test_value_becomes_a_cell(value: Any, cell: str) -> None:
    """A number has no exponent, a time has its zone, and what is missing is empty."""
    assert cell_of(value) == cell


def test_number_of_any_length_is_written_out() -> None:
    """Python's own limit on the digits that it writes does not hold here."""
    assert cell_of(10**5_000) == "1" + "0" * 5_000


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("-inf"), "is infinite"),
        (Decimal("Infinity"), "is infinite"),
        (np.datetime64("2027-01-05T10", "ns"), "without a time zone"),
        (pd.Timestamp("2027-01-05T10"), "without a time zone"),
        (np.array([1]), "is a ndarray;"),
        (datetime(2027, 1, 5, 10), "without a time zone"),  # noqa: DTZ001 - that is the case
        (timedelta(hours=10), "is a timedelta;"),
        (b"a@example.com", "is a bytes;"),
        (["a@example.com"], "is a list;"),
        (1j, "is a complex;"),
    ],
)
def test_value_without_one_way_to_be_written_is_refused(value: Any, says: str) -> None:
    """It is named by its type, and never shown."""
    with pytest.raises(CellError, match=says) as caught:
        cell_of(value)

    assert "example" not in str(caught.value)


@pytest.mark.parametrize(
    ("cells", "row"),
    [
        (["a", "b"], "a,b\n"),
        (["a", ""], "a,\n"),
        (["a,b", "c"], '"a,b",c\n'),
        (['say "hi"', "c"], '"say ""hi""",c\n'),
        (["a\nb", "c"], '"a\nb",c\n'),
        (["a\rb", "c"], '"a\rb",c\n'),
        (["a;b", "c"], '"a;b",c\n'),
        (["a\tb", "c|d"], '"a\tb","c|d"\n'),
        ([""], '""\n'),
        ([" "], '" "\n'),
        (["a"], "a\n"),
    ],
)
def test_row_is_quoted_where_it_must_be(cells: list[str], row: str) -> None:
    """Characters with a meaning in CSV are quoted, and so is a row that looks blank."""
    assert csv_row(cells) == row
