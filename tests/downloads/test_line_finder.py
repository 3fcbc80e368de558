"""Rows are found again in the table that they came from."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async.downloads.line_finder import LineFinder, address_key

NAMES = ("EMAIL", "NAME", "POINTS")


def find(
    wanted: Sequence[Sequence[str]],
    given: Sequence[Sequence[str]],
    *,
    names: tuple[Sequence[str], Sequence[str]] = (NAMES, NAMES),
) -> list[int]:
    """Look rows up, and return their lines."""
    finder = LineFinder.between(*names)
    for cells in wanted:
        finder.expect(cells)
    for line, cells in enumerate(given, start=2):
        finder.compare(line, cells)
    finder.finish()
    return list(finder.lines)


A, B, A2, NO_EMAIL = (
    ("a@x.tw", "A", "1"),
    ("b@x.tw", "B", "2"),
    ("a@x.tw", "A", "2"),
    ("", "N", "3"),
)


@pytest.mark.parametrize(
    ("wanted", "given", "lines"),
    [
        ([B], [A, B], [3]),
        ([A2], [A, A2], [3]),
        ([A2, A], [A, A2], [3, 2]),
        ([A, A], [A, B, A], [2, 4]),
        ([A, A, A], [A, A, A], [2, 3, 4]),
        ([NO_EMAIL], [A, NO_EMAIL], [3]),
        ([("", "", "")], [A, ("", "", "")], [3]),
        ([NO_EMAIL], [A], [0]),
        ([("c@x.tw", "C", "1")], [A, B], [0]),
        ([(" B@X.tw ", "B ", " 2")], [A, B], [3]),
        ([("b@x.tw", "b", "2.0")], [A, B], [3]),
        ([("a@x.tw", "A", "9")], [A, A2], [0]),
        ([("a@x.tw", "A", "8"), ("a@x.tw", "A", "9")], [A], [0, 0]),
        ([("", "N", "9")], [NO_EMAIL], [0]),
        ([("b@x.tw",)], [A, B], [3]),
        ([("b@x.tw", "B", "2", "more")], [A, ("b@x.tw", "B", "2", "more")], [3]),
        ([], [A], []),
    ],
)
def test_row_is_found_by_its_cells_or_its_address(
    wanted: list[tuple[str, ...]], given: list[tuple[str, ...]], lines: list[int]
) -> None:
    """A row is found by all its cells, or by its address if only one row has the address."""
    assert find(wanted, given) == lines


def test_columns_are_compared_by_their_names() -> None:
    """The two tables can have another order of columns, and additional columns."""
    wanted = [("2", "a@x.tw", "kept"), ("1", "a@x.tw", "kept")]
    given = [("a@x.tw", "A", "1"), ("a@x.tw", "A", "2")]

    assert find(wanted, given, names=((" points", "Email", "LINE"), NAMES)) == [3, 2]


def test_everything_found_is_the_end() -> None:
    """Who has found every row need not look further."""
    finder = LineFinder.between(NAMES, NAMES)
    finder.expect(B)

    seen = []
    for line, cells in ((2, A), (3, B)):
        finder.compare(line, cells)
        seen.append(finder.is_done)

    assert seen == [False, True]


CELLS = st.sampled_from(["", "x", "y"])
ROWS = st.lists(st.tuples(st.sampled_from(["", "a@x.tw", "b@x.tw"]), CELLS, CELLS), max_size=12)


@given(ROWS, st.data())
def test_every_row_of_the_table_is_found(rows: list[tuple[str, ...]], data: st.DataObject) -> None:
    """Any of its rows, however often they are repeated, have a line each, and their own."""
    places = data.draw(st.lists(st.sampled_from(range(len(rows))), unique=True)) if rows else []
    wanted = [rows[place] for place in sorted(places)]

    lines = find(wanted, rows)

    assert [rows[line - 2] for line in lines] == wanted
    assert len(set(lines)) == len(lines)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a@x.tw", " A@X.tw\t", True),
        ("a@x.tw", "\ufeff'a@x.tw\u200b", True),
        ("a" * 40 + "@x.tw", "A" * 40 + "@x.tw", True),
        ("a" * 40 + "@x.tw", "b" + "a" * 39 + "@x.tw", False),
        ("a@x.tw", "b@x.tw", False),
        ("Wang <a@x.tw>", "a@x.tw", True),
        ("<A@x.tw>", "王小明 <a@x.tw>", True),
        ("Wang <a@x.tw>", "Wang <b@x.tw>", False),
        ("\ud800@x.tw", "\ud800@x.tw", True),
    ],
)
def test_key_stands_for_an_address(one: str, other: str, same: bool) -> None:
    """Trimmed and without regard to case, in 31 bytes at most."""
    assert (address_key(one) == address_key(other)) is same
    assert len(address_key(one)) <= 31
