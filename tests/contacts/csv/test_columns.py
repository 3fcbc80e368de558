from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsleopard_async.contacts.csv.columns import columns_of
from tests.contacts.checking import check, csv_of, found
from tests.contacts.csv.reading import batches

CELLS = st.text(alphabet="a中,; ", max_size=3)
TABLES = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=4)
)


def write(rows: list[list[str]], separator: str, *, is_all_quoted: bool = False) -> str:
    """Write rows by the standard library."""
    file = io.StringIO(newline="")
    csv.writer(
        file,
        delimiter=separator,
        quoting=csv.QUOTE_ALL if is_all_quoted else csv.QUOTE_MINIMAL,
        lineterminator="\n",
    ).writerows(rows)
    return file.getvalue()


@given(TABLES, st.sampled_from(",;"), st.booleans())
def test_columns_are_those_of_the_rows(
    rows: list[list[str]], separator: str, all_quoted: bool
) -> None:
    """For any quotes of the cells, the clean CSV has only the quotes of the csv module."""
    text = write(rows, separator, is_all_quoted=all_quoted)

    found_columns = columns_of(text.encode(), separator.encode(), len(rows[0]))

    assert found_columns is not None
    columns, going = found_columns
    assert [list(column) for column in columns] == [
        list(cells) for cells in zip(*rows, strict=True)
    ]
    assert going.decode() == write(rows, separator)


@given(st.text(alphabet='a",\n', max_size=14))
@example('a,"b\nc","d\n')
@example('"a","b"c"\n')
@example('"a,b","c""d"\n')
@example('"a\nb","c","d","e"')
def test_columns_are_cut_only_where_the_csv_module_reads_the_same(text: str) -> None:
    """Rows with doubled, misplaced or open quotes or quoted line ends are not read here."""
    text += "\n"

    columns = columns_of(text.encode(), b",", 2)

    if columns is not None:
        rows = list(csv.reader(io.StringIO(text, newline="\n"), strict=True))
        assert [list(column) for column in columns[0]] == [
            list(cells) for cells in zip(*rows, strict=True)
        ]


@pytest.mark.parametrize(
    "text",
    [
        "a,b\nc\n",
        "a,b,c\nd\n",
        '"a","b\n',
        '"a","b""c"\n',
        'a"b,c\n',
        '"a"b,c\n',
        'a,"b\nc"\n',
        '"a\nb","c"\n',
        '"a\nb","c","d","e"\n',
        '"\n","b","c","d"\n',
        '"a",""\n"\n","b","c",""\n',
        # As many cells as two rows have.
        'a,"x\ny",c\n',
        '"a",b"c\n',
    ],
)
def test_rows_of_different_forms_are_not_columns(text: str) -> None:
    """They are read row by row."""
    assert columns_of(text.encode(), b",", 2) is None


@pytest.mark.parametrize("row", ["a,b", '"a","b"', '"a",b', '"a,1","b"', '"a",b\n"c,1",d'])
def test_file_of_alike_rows_has_columns(row: str) -> None:
    """A list for each row would take 11 times as long as the csv module."""
    [batch] = batches(f"EMAIL,NAME\n{row}\n")

    assert batch.columns is not None


def test_two_addresses_in_a_quoted_cell_are_none() -> None:
    """A cell of two lines is one cell, though a search of the whole column sees two lines."""
    content = csv_of("a@example.com,甲", '"b@example.com\nc@example.com",乙', "d@example.com,丙")

    checked = check(content)

    assert found(checked, "invalid-email").places == (3,)
    assert checked.report.unique == 2


def test_number_of_two_lines_is_text() -> None:
    """Two lines of digits are not two numbers either."""
    content = csv_of("a@example.com,甲,1", 'b@example.com,乙,"2\n3"', header="EMAIL,NAME,X")

    assert found(check(content), "mixed-type").places == (3,)


def test_quotes_are_written_if_needed() -> None:
    """The quotes follow the csv module, not the file that was read."""
    rows = ['"a@example.com","甲","x, y"', 'b@example.com,"乙",z', 'c@example.com,"""丙""",w']

    clean = check(csv_of(*rows, header='"EMAIL","NAME","X"')).clean.decode()

    assert clean.splitlines()[1:] == [
        'a@example.com,甲,"x, y"',
        "b@example.com,乙,z",
        'c@example.com,"""丙""",w',
    ]
