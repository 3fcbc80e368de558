from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async.contacts.csv.quoted import QuotedReader
from tests.contacts.csv.reading import marked, read


def swallowing(opened: str, closed: str, *, between: int = 1190) -> str:
    """Write a table in which a single quote is closed by another, many rows below."""
    rows = "".join(f"u{index}@example.com,會員{index},台北\n" for index in range(between))
    return f"EMAIL,NAME,STORE\n{opened}\n{rows}{closed}\nlast@example.com,末,台北\n"


@pytest.mark.parametrize("between", [0, 1, 2, 1190])
@pytest.mark.parametrize(
    ("opened", "closed"),
    [
        ('a@example.com,"甲,台北', 'b@example.com,螢幕27",台北'),
        ('a@example.com,甲,"台北', 'b@example.com",乙,台北'),
        ('a@example.com,甲,"台北', 'b@example.com,螢幕27",台北'),
        ('"甲,a@example.com,台北', '螢幕27",b@example.com,台北'),
        ('甲,a@example.com,"台北', '螢幕27",b@example.com,台北'),
        ('甲,台北,"a@example.com', '螢幕27",台北,b@example.com'),
        ('a@example.com,"甲,台北', '""b@example.com"",乙",台北'),
    ],
)
def test_single_quote_that_a_later_one_closes_hides_no_row(
    opened: str, closed: str, between: int
) -> None:
    """It damages only its own row, with EMAIL in any column."""
    text = swallowing(opened, closed, between=between)

    rows = read(text)

    assert [line for line, _ in rows] == list(range(1, between + 5))
    assert marked(text, "unclosed") == [2]
    assert marked(text, "broken") == []
    assert rows[1] == (2, opened.split(","))
    assert rows[-1] == (between + 4, ["last@example.com", "末", "台北"])


@pytest.mark.parametrize("block_bytes", [1, 7, 64, 1000])
def test_blocks_change_nothing_where_a_later_quote_closes(block_bytes: int) -> None:
    """Wherever a block ends between the two quotes."""
    text = swallowing('a@example.com,"甲,台北', 'b@example.com,螢幕27",台北', between=50)

    assert read(text, block_bytes=block_bytes) == read(text)
    assert marked(text, "unclosed", block_bytes=block_bytes) == [2]


@given(
    st.lists(st.sampled_from(["a@b.co", '"', '""', ",", "\n", "x", '",', "@", "."]), max_size=40),
    st.integers(1, 30),
)
def test_any_addresses_are_read_the_same_in_any_blocks(parts: list[str], block_bytes: int) -> None:
    """Whether rows are seen in a cell or not."""
    text = "EMAIL,NAME\n" + "".join(parts)

    assert read(text, block_bytes=block_bytes) == read(text)
    for name in ("broken", "unclosed", "stray"):
        assert marked(text, name, block_bytes=block_bytes) == marked(text, name)


@pytest.mark.parametrize(
    "row",
    [
        'a@example.com,甲,"台北市\n信義區, 5 樓\n"',
        'a@example.com,"Lin\nMing",台北',
        '"Lin\nMing",a@example.com,台北',
        'a@example.com,甲,"call b@example.com, or\nask c@example.com, please"',
        'a@example.com,甲,"write to\nb@example.com"',
        'a@example.com,甲,"one\n@home, user@host"',
        'a@example.com,甲,"b@example.com,\nlater"',
        'a@example.com,甲,台北,"four\ncells"',
    ],
)
def test_cell_of_lines_that_are_not_rows_is_one_cell(row: str) -> None:
    """Addresses of streets and remarks stay cells; a line break is their only fault."""
    text = f"EMAIL,NAME,STORE\n{row}\nlast@example.com,末,台北\n"

    rows = read(text)

    assert marked(text, "broken") == [2]
    assert marked(text, "unclosed") == []
    assert [row for _, row in rows] == list(csv.reader(io.StringIO(text, newline="")))


def test_header_of_several_lines_does_not_set_the_width() -> None:
    """How many cells it has is not known from its first line."""
    text = 'EMAIL,"NA\nME",A\nx,"y\nz",a@example.com\n'

    assert marked(text, "broken") == [1, 3]


ROW = "b@example.com,乙,台北\n"


@pytest.mark.parametrize("between", [0, 1, 5, 60])
def test_many_quotes_that_later_ones_close_take_no_time(between: int) -> None:
    """Of the rows that a cell would take in, no more than fifty are read twice."""
    text = ('a@example.com,"甲,台北\n' + ROW * between) * 2_000 + 'c@example.com,27",x\n'
    reader = QuotedReader(",", width=3)

    rows, _ = reader.read(text, is_last=True)

    assert len(rows.rows) == 2_000 * (between + 1) + 1
    assert len(rows.unclosed) == 2_000
    assert reader._wasted_chars <= len(text)


@pytest.mark.parametrize("trusts_quotes", [True, False])
@pytest.mark.parametrize("closed", ['螢幕27",台北', '27"', '27",台北,x', 'b@example.com,27",台北'])
def test_single_quote_hides_no_fifty_rows(closed: str, trusts_quotes: bool) -> None:
    """No cell of any file contains so many rows."""
    text = swallowing('a@example.com,"甲,台北', closed)

    rows = read(text, trusts_quotes=trusts_quotes)

    assert [line for line, _ in rows] == list(range(1, 1195))
    assert marked(text, "unclosed") == [2]


OF_THE_HEADERS_LENGTH = [
    'a@example.com,甲,"see\nb@example.com,乙,台北\nthanks"',
    'a@example.com,甲,"b@example.com,乙,台北\nc@example.com,丙,台中"',
    'a@example.com,"b@example.com, or\nc@example.com, please",台北',
    '"<甲>,\nb@example.com,乙,台北",a@example.com,台北',
    'no address,甲,"see\nb@example.com,乙,台北"',
    'a@example.com,甲,"Final-Recipient: rfc822;\nb@example.com,b@example.com\nAction: failed"',
    'a@example.com,甲,"""b@example.com"",\nb@example.com,乙,""台北"""',
    'a@example.com,甲,"see\n' + ROW * 48 + 'thanks"',
]


@pytest.mark.parametrize("trusts_quotes", [True, False])
@pytest.mark.parametrize("row", OF_THE_HEADERS_LENGTH)
def test_row_of_the_headers_length_is_one_row_with_any_lines(row: str, trusts_quotes: bool) -> None:
    """A cell can contain answers of servers, lists of addresses, rows of another table."""
    text = f"EMAIL,NAME,STORE\n{row}\nlast@example.com,末,台北\n"

    rows = read(text, trusts_quotes=trusts_quotes)

    assert [row for _, row in rows] == list(csv.reader(io.StringIO(text, newline="")))
    assert marked(text, "broken") == [2]


@pytest.mark.parametrize(
    "row",
    [
        'a@example.com,甲,"see\nb@example.com,乙,台北"',
        'a@example.com,甲,"see\n' + ROW * 47 + 'b@example.com,乙,台北"',
        'a@example.com,"甲,台北\nb@example.com,乙",台北',
    ],
)
def test_quotes_of_a_program_are_meant(row: str) -> None:
    """Text that is read as two single quotes in contacts is one cell in a report."""
    text = f"EMAIL,NAME,STORE\n{row}\nlast@example.com,末,台北\n"

    trusted = read(text, trusts_quotes=True)

    assert [row for _, row in trusted] == list(csv.reader(io.StringIO(text, newline="")))
    assert marked(text, "unclosed") == [2]
    assert len(read(text)) == text.count("\n")


CELLS = st.lists(
    st.sampled_from(["a@b.co", '"', ",", "\n", "x", "@", "c@d.tw,x,y", "甲", "\nc@d.tw,x"]),
    max_size=6,
).map("".join)
TABLES = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=5)
)
BLOCKS = st.sampled_from([5, 64, 1 << 18])


def written(rows: list[list[str]]) -> str:
    """Write a table by the standard library."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()


@given(TABLES, BLOCKS)
def test_any_proper_file_of_a_program_is_read_as_it_was_written(
    rows: list[list[str]], block_bytes: int
) -> None:
    """Addresses, quotes and line breaks in its cells, and in the first row, change nothing."""
    found = read(written(rows), separator=",", block_bytes=block_bytes, trusts_quotes=True)

    assert [row for _, row in found] == rows


@given(TABLES, BLOCKS)
def test_any_proper_file_of_contacts_is_read_as_it_was_written_or_named(
    rows: list[list[str]], block_bytes: int
) -> None:
    """No row is split or hidden without a finding that names the line."""
    text = "EMAIL,NAME" + ",x" * (len(rows[0]) - 2 if rows else 0) + "\n" + written(rows)

    found = [row for _, row in read(text, block_bytes=block_bytes)][1:]

    assert found == rows or marked(text, "unclosed", block_bytes=block_bytes)
    several = [row for row in found if "\n" in "".join(row)]
    assert len(marked(text, "broken", block_bytes=block_bytes)) == len(several)


@pytest.mark.parametrize(
    ("note", "rows"),
    [
        ("see me @ noon\nbye", [["a@example.com", "see me @ noon\nbye"]]),
        (
            "one\nb@example.com,乙,x\nbye",
            [["a@example.com", '"one'], ["b@example.com", "乙", "x"], ['bye"']],
        ),
    ],
)
def test_row_of_another_length_is_one_unless_it_holds_rows(
    note: str, rows: list[list[str]]
) -> None:
    """Its quotes are not trusted: the second one can belong to another row."""
    found = read(f'EMAIL,NAME,STORE\na@example.com,"{note}"\n')

    assert [cells for _, cells in found][1:] == rows
