from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async.contacts.csv.quoted import QuotedReader
from tests.contacts.csv.reading import marked, read


def swallowing(opened: str, closed: str, *, between: int = 1190) -> str:
    """Write a table in which one lone quote is closed by another, many rows below."""
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
def test_lone_quote_that_a_later_one_closes_swallows_no_row(
    opened: str, closed: str, between: int
) -> None:
    """It spoils the row that it stands in; every other one is a row, wherever EMAIL stands."""
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
def test_cell_of_several_lines_that_are_no_rows_is_one(row: str) -> None:
    """Addresses of streets and remarks stay cells; a line break is their only fault."""
    text = f"EMAIL,NAME,STORE\n{row}\nlast@example.com,末,台北\n"

    rows = read(text)

    assert marked(text, "broken") == [2]
    assert marked(text, "unclosed") == []
    assert [row for _, row in rows] == list(csv.reader(io.StringIO(text, newline="")))


def test_header_of_several_lines_is_no_measure() -> None:
    """How many cells it has is not known from its first line."""
    text = 'EMAIL,"NA\nME",A\nx,"y\nz",a@example.com\n'

    assert marked(text, "broken") == [1, 3]


def test_many_quotes_that_later_ones_close_take_no_time() -> None:
    """What looks like a row ends a cell at once, so that nothing is read twice."""
    text = 'a@example.com,"甲,台北\nb@example.com,乙,台北\n' * 5_000 + 'c@example.com,27",x\n'
    reader = QuotedReader(",")

    rows, _ = reader.read(text, is_last=True)

    assert len(rows.rows) == 10_001
    assert len(rows.unclosed) == 5_000
    assert reader._wasted_chars == 0
