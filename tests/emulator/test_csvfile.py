"""CSV as RFC 4180 has it."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async.emulator.platform.blobs import BlobWriter
from newsleopard_async.emulator.platform.csvfile import (
    MalformedCsv,
    read_blocks,
    read_row,
    write_row,
)

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


def read(text: str | bytes) -> list[list[str]]:
    """Read a whole CSV."""
    content = text.encode() if isinstance(text, str) else text
    return [
        row for block in read_blocks(BlobWriter.of(content).read_chunks()) for row in block.rows
    ]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", []),
        ("\n\r\n\n", []),
        ("a,b", [["a", "b"]]),
        ("a,b\n", [["a", "b"]]),
        ("a,b\r\nc,d\r\n", [["a", "b"], ["c", "d"]]),
        ("a,\n,b\n", [["a", ""], ["", "b"]]),
        ("a\n\nb\n", [["a"], [""], ["b"]]),
        ('"a,b",c\n', [["a,b", "c"]]),
        ('"a ""b""",c\n', [['a "b"', "c"]]),
        ('"a\nb\r\nc",d\n', [["a\nb\r\nc", "d"]]),
        ('"",""\n', [["", ""]]),
        ("a\rb,c\n", [["a\rb", "c"]]),
        ("a\u2028b\n", [["a\u2028b"]]),
    ],
)
def test_text_is_split_as_the_standard_says(text: str, rows: list[list[str]]) -> None:
    """Only a line feed ends a row, and quotes protect what is between them."""
    assert read(text) == rows


@pytest.mark.parametrize(
    "content", ['"a', '"a"b,c\n', 'a"b,c\n', '"a\n' * 3, b"\xff\xfe", b"PK\x03\x04\0\0", b"a\0b"]
)
def test_text_that_is_no_csv_is_refused(content: str | bytes) -> None:
    """Unbalanced quotes, other encodings and binary files are not CSV."""
    with pytest.raises(MalformedCsv):
        read(content)


def test_quote_without_end_is_refused_before_it_fills_the_memory() -> None:
    """A stray quote does not make one field of a whole file."""
    lines = (b'"' if number == 0 else b"x" * 1000 + b"\n" for number in range(10**9))

    with pytest.raises(MalformedCsv):
        next(read_blocks(lines))


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=5))
def test_written_rows_are_read_back(table: list[list[str]]) -> None:
    """Writing and reading are inverse for cells with any text."""
    text = "".join(write_row(row) for row in table)

    assert read(text) == table


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=5))
def test_reader_agrees_with_the_standard_library(table: list[list[str]]) -> None:
    """The output of Python's csv module is read with the same cells."""
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\r\n").writerows(table)

    assert read(file.getvalue()) == table


NASTY = st.text(st.sampled_from(['"', ",", "\n", "\r", "a", "é", "\u2028"]), max_size=24)


@given(NASTY, st.integers(1, 9))
def test_blocks_agree_with_rows_read_one_by_one(text: str, size: int) -> None:
    """However a file is cut and however quickly it is read, a record alone decides on its row."""
    content = text.encode()
    chunks = [content[place : place + size] for place in range(0, len(content), size)]

    try:
        blocks = list(read_blocks(chunks))
    except MalformedCsv:
        blocks = None

    assert (blocks is None) == (one_by_one(text) is None)
    if blocks is not None:
        places = [
            content[start : start + length]
            for block in blocks
            for start, length in zip(block.starts, block.sizes, strict=True)
        ]
        assert [row for block in blocks for row in block.rows] == one_by_one(text)
        assert [read_row(place.decode()) for place in places] == one_by_one(text)


def one_by_one(text: str) -> list[list[str]] | None:
    """Read a CSV by its definition: a record ends at a line feed after balanced quotes."""
    rows, record = [], ""
    for line in io.StringIO(text, newline="\n"):
        record += line
        if record.count('"') % 2 == 0:
            try:
                rows.append(read_row(record))
            except MalformedCsv:
                return None
            record = ""
    while rows and rows[-1] == [""]:
        rows.pop()
    return None if record else rows
