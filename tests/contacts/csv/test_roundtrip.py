from __future__ import annotations

import csv
import io
from typing import Literal

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsleopard_async.contacts.rules.trimming import trim_address
from newsleopard_async.emulator.platform.csvfile import read_blocks
from tests.contacts.checking import check

# Python 3.11's csv module reads NUL, the platform does not; surrogates are not text.
CELLS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=12
) | st.text(alphabet='",;\t 甲x=', max_size=8)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """Make rows of the same length, of two cells at least, of which the second is not blank."""
    width = draw(st.integers(2, 5))
    rows = st.lists(CELLS, min_size=width, max_size=width).filter(lambda row: row[1].strip())
    return draw(st.lists(rows, max_size=10))


@attrs.frozen(kw_only=True)
class Dialect:
    """How a CSV is written."""

    delimiter: str = ","
    is_all_quoted: bool = False
    end: str = "\n"
    codec: str = "utf-8"

    def write(self, rows: list[list[str]]) -> bytes:
        """Write rows by the standard library."""
        file = io.StringIO(newline="")
        quoting: Literal[0, 1] = csv.QUOTE_ALL if self.is_all_quoted else csv.QUOTE_MINIMAL
        writer = csv.writer(
            file, delimiter=self.delimiter, quoting=quoting, lineterminator=self.end
        )
        writer.writerows(rows)
        return file.getvalue().encode(self.codec)


DIALECTS = st.builds(
    Dialect,
    delimiter=st.sampled_from(",;\t"),
    is_all_quoted=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
    codec=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
BLOCKS = st.sampled_from([7, 64, 1 << 18])


def header_of(rows: list[list[str]]) -> list[str]:
    """Name the columns of a table."""
    width = len(rows[0]) if rows else 2
    return ["EMAIL", "NAME", *(f"c{index}" for index in range(width - 2))]


@pytest.mark.slow
@settings(max_examples=300)
@given(rows=tables(), dialect=DIALECTS, block_bytes=BLOCKS)
def test_any_table_comes_out_as_it_went_in(
    rows: list[list[str]], dialect: Dialect, block_bytes: int
) -> None:
    """In each encoding every cell is the same, except characters around addresses."""
    table = [header_of(rows), *rows]

    checked = check(dialect.write(table), block_bytes=block_bytes)

    expected = [[trim_address(email), *others] for email, *others in table]
    again = csv.reader(io.StringIO(checked.clean.decode(), newline=""), strict=True)
    assert list(again) == expected
    found = [row for block in read_blocks([checked.clean]) for row in block.rows]
    assert found == expected
    assert checked.report.rows == len(rows)


@pytest.mark.slow
@settings(max_examples=100)
@given(rows=tables(), block_bytes=BLOCKS)
def test_lines_are_those_of_the_file(rows: list[list[str]], block_bytes: int) -> None:
    """Every row without an address is named by the line that it stands in."""
    content = Dialect().write([header_of(rows), *(["", *row[1:]] for row in rows)])

    report = check(content, block_bytes=block_bytes).report

    places = [each.places for each in report if each.rule == "missing-email"]
    assert places == ([tuple(range(2, 2 + len(rows)))] if rows else [])


MANY = (
    "email;NAME;點數;手機\r\n"
    'a@example.com;"甲; 乙";1;0912345678\r\n'
    "\r\n"
    'A@example.com ;丙"丁;x;912345678\n'
    'none;;2;\r"=b@example.com";"戊\r\n己";2026-01-05;-\r\n'
    "c@example.com;庚;3\r\n"
    '"d@example.com;辛;4;5\r\n'
    "e@example.com;\0;5;6;7\r\n"
).encode()


@pytest.mark.matrix
@pytest.mark.parametrize("fix", [(), ("trim", "drop-duplicates", "leave-out-bad-rows")])
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "cp950"])
def test_pieces_change_nothing(codec: str, fix: tuple[str, ...]) -> None:
    """Wherever a piece or a block ends, report and files are the same."""
    content = MANY.decode().encode(codec)
    whole = check(content, fix=fix)
    assert len(whole.report.findings) > 5

    for size_bytes in range(1, len(content)):
        assert check(content, fix=fix, piece_bytes=size_bytes) == whole
        assert check(content, fix=fix, block_bytes=size_bytes) == whole


def test_every_first_piece_changes_nothing() -> None:
    """Two pieces, cut at every byte."""
    whole = check(MANY)

    for size_bytes in range(1, len(MANY)):
        assert check(MANY, piece_bytes=size_bytes, block_bytes=1 << 18) == whole
