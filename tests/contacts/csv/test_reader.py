from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async.contacts.csv import detection as blocks
from newsleopard_async.contacts.csv import quoted
from newsleopard_async.contacts.csv.detection import BLOCK_BYTES, DetectedFormat
from newsleopard_async.contacts.csv.quoted import QuotedReader
from newsleopard_async.contacts.csv.reader import RowReader, iterate_rows
from newsleopard_async.errors import InvalidRequest
from tests.contacts.checking import detect, in_pieces
from tests.contacts.csv.reading import UTF8, batches, marked, read


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_rows_end_with_any_line_end(end: str, last: bool) -> None:
    """The last one may have none."""
    text = end.join(["a,b", "c,", ",d"]) + (end if last else "")

    assert read(text) == [(1, ["a", "b"]), (2, ["c", ""]), (3, ["", "d"])]


def test_mixed_line_ends_are_recognised() -> None:
    """A reader says whether there were several kinds."""
    reader = RowReader(UTF8)
    reader.feed(b"a,b\nc,d\r\n")
    reader.finish()

    assert reader.has_mixed_line_ends


def test_blank_lines_are_counted_as_lines_and_not_as_rows() -> None:
    """Above the header, between rows, below; blank space alone is blank, too."""
    text = '\n \na,b\n\n\t\nc,d\n""\n\n'

    assert read(text) == [(3, ["a", "b"]), (6, ["c", "d"])]
    assert read('\na,"b"\n\n\nc,d\n') == [(2, ["a", "b"]), (5, ["c", "d"])]


def test_blank_lines_of_a_single_column_are_not_rows() -> None:
    """A list of addresses has no separator at all."""
    assert read("a\n\nb\n \n") == [(1, ["a"]), (3, ["b"])]


def test_row_of_empty_cells_is_a_row() -> None:
    """Spreadsheets leave them below a table."""
    assert read("a,b\n,\n") == [(1, ["a", "b"]), (2, ["", ""])]


@pytest.mark.parametrize(
    ("header", "separator"),
    [
        ("EMAIL;NAME;a,b", ";"),
        ("EMAIL\tNAME", "\t"),
        ("EMAIL,NAME,a;b;c;d;e", ","),
        ('"EMAIL";"NAME"', ";"),
        ('"a;b;c",EMAIL', ","),
        ("a;b;c,d", ";"),
        ("EMAIL", ","),
        ("", ","),
    ],
)
def test_separator_is_read_off_the_header(header: str, separator: str) -> None:
    """The one that makes columns of the names that there must be."""
    reader = RowReader(UTF8)
    reader.feed(f"{header}\nx\n".encode())
    reader.finish()

    assert reader.separator == separator


@pytest.mark.parametrize("hint", ["sep=;", '"sep=;"', "SEP=;"])
def test_hint_of_excel_is_not_a_row(hint: str) -> None:
    """Excel writes its separator above the header."""
    assert read(f"{hint}\na,b;c\n") == [(2, ["a,b", "c"])]


def test_separator_can_be_named_in_a_line() -> None:
    """A caller who knows it is obeyed."""
    assert read("a,b;c\n", separator=";") == [(1, ["a,b", "c"])]


def test_quotes_are_read_as_written() -> None:
    """Separators, doubled quotes and line breaks belong to a quoted cell."""
    text = 'h,"i"\n"a,b","c ""d"" e"\nf,"g\n\nh"\n"",""\n'

    assert read(text) == [
        (1, ["h", "i"]),
        (2, ["a,b", 'c "d" e']),
        (3, ["f", "g\n\nh"]),
        (6, ["", ""]),
    ]
    assert marked(text, "broken") == [3]
    assert marked(text, "stray") == marked(text, "unclosed") == []


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ('5" pipe,a', ['5" pipe', "a"]),
        ('a,b"', ["a", 'b"']),
        ('a, "b"', ["a", ' "b"']),
        ('"a "b" c",d', ['a "b" c', "d"]),
        ('"a"b,c', ['"a"b', "c"]),
        ('x,"a"b","c""d"', ["x", 'a"b', 'c"d']),
    ],
)
def test_stray_quote_stays_in_its_cell(line: str, cells: list[str]) -> None:
    """A quote that nothing follows as it should is part of the cell, and is said."""
    text = f"EMAIL,NAME\n{line}\nq,r\n"

    if cells[0] == '"a"b':
        # Nothing closes it, though the line has a quote.
        assert marked(text, "unclosed") == [2]
    else:
        assert marked(text, "stray") == [2]
    assert read(text)[1:] == [(2, cells), (3, ["q", "r"])]


def test_quote_that_is_never_closed_spoils_one_row() -> None:
    """The line in which it opens is a row, and reading continues below."""
    text = 'a,b\nc,"Lin\nd,"Wang"\ne,f\n'

    assert read(text) == [
        (1, ["a", "b"]),
        (2, ["c", '"Lin']),
        (3, ["d", "Wang"]),
        (4, ["e", "f"]),
    ]
    assert marked(text, "unclosed") == [2]


def test_quote_that_is_open_at_the_end_spoils_one_row() -> None:
    """The same where no other quote follows."""
    text = 'a,b\nc,"Lin\nd,e'

    assert read(text) == [(1, ["a", "b"]), (2, ["c", '"Lin']), (3, ["d", "e"])]
    assert marked(text, "unclosed") == [2]


def test_quote_that_is_not_closed_for_long_is_never_closed() -> None:
    """A cell of a contact is never 64 KiB long, and the memory is limited."""
    many = "d,e\n" * 20_000
    text = f'a,b\nc,"Lin\n{many}f,"g"\n'

    rows = read(text)

    assert len(rows) == 20_003
    assert marked(text, "unclosed") == [2]
    assert rows[-1] == (20_003, ["f", "g"])


def test_cell_longer_than_the_csv_module_takes_is_read() -> None:
    """Its limit is the whole process's, and stays as it is."""
    limit = csv.field_size_limit()
    cell = "x" * (limit + 10)

    assert read(f'a,b\n"{cell}",c\n') == [(1, ["a", "b"]), (2, [cell, "c"])]
    assert marked(f'a,b\n"{cell}",c\n', "stray") == []
    assert csv.field_size_limit() == limit


def test_unclosed_quote_has_no_finding_about_line_ends() -> None:
    """The breaks that it took in are its fault, and one finding says so."""
    reader = RowReader(UTF8)
    reader.feed(b'EMAIL,NAME\r\na@example.com,"A\nb@example.com,B\r\n')
    reader.finish()

    assert not reader.has_mixed_line_ends


HOSTILE = (
    'EMAIL,NAME\r\na,"x, y"\r\n\r\nb,"Lin\r\nc,"Wang"\r\nd,"multi\r\nline"\r\n'
    'e,5" pipe\r\n"f "g" h",i\n\rx","y\nx","y\n,\n"",\n甲,"乙\n丙""丁"\nlast,"'
)


@pytest.mark.parametrize("block_bytes", [*range(1, 40), 64, 100])
def test_blocks_change_nothing(block_bytes: int) -> None:
    """Wherever a block ends, rows, lines and marks are the same."""
    whole, cut = batches(HOSTILE), batches(HOSTILE, block_bytes=block_bytes)

    assert read(HOSTILE, block_bytes=block_bytes) == read(HOSTILE)
    for name in ("broken", "unclosed", "stray"):
        assert marked(HOSTILE, name, block_bytes=block_bytes) == marked(HOSTILE, name)
    assert sum(len(batch.rows) for batch in cut) == sum(len(batch.rows) for batch in whole)


@given(st.text(alphabet='",;\n\rab 甲\t', max_size=60), st.integers(1, 20))
def test_any_text_is_read_the_same_in_any_blocks(text: str, block_bytes: int) -> None:
    """No text makes it stop, and none is read differently."""
    assert read(text, block_bytes=block_bytes) == read(text)
    for name in ("broken", "unclosed", "stray"):
        assert marked(text, name, block_bytes=block_bytes) == marked(text, name)


LINES = st.lists(
    st.sampled_from(["a,甲\n", "b,é\n", '"c","d,"\n', "e,f\r\n", '"g\n', "h\n", "i,j\r", "\n"]),
    max_size=12,
)


@given(LINES, st.integers(4, 30), st.sampled_from(["", "k,王"]))
def test_utf8_is_read_as_any_encoding_is(lines: list[str], block_bytes: int, last: str) -> None:
    """Lines that need no decoding before they are cut stand between others that do."""
    text = "A,B\n" + "".join(lines) + last

    def read_in(encoding: str) -> tuple[object, ...]:
        with mock.patch.object(blocks, "BLOCK_BYTES", block_bytes):
            reader = RowReader(DetectedFormat(encoding=encoding))
        read = [*reader.feed(text.encode(encoding)), *reader.finish()]
        rows = [row for batch in read for row in zip(batch.lines, batch.rows, strict=True)]
        lines = [
            (name, batch.lines[index])
            for batch in read
            for name in ("broken", "unclosed", "stray")
            for index in getattr(batch, name)
        ]
        return rows, sorted(lines), reader.has_mixed_line_ends

    assert read_in("utf-8") == read_in("utf-16-le")


@pytest.mark.parametrize("bad", [b"\xff", b"\xe7\x94", b"\xc0\x80"])
def test_bytes_that_were_changed_meanwhile_are_refused(bad: bytes) -> None:
    """In a row like all others, and the message shows none of it."""
    with mock.patch.object(blocks, "BLOCK_BYTES", 8):
        reader = RowReader(UTF8)
    reader.feed(b"A,B\na,b\n" * 2)

    with pytest.raises(InvalidRequest, match="changed while") as caught:
        reader.feed(b"c," + bad + b"\nd,e\n")

    assert caught.value.__cause__ is caught.value.__context__ is None


@given(st.text(alphabet='",\nab 甲', max_size=80))
def test_no_text_is_lost(text: str) -> None:
    """Every letter of the text is in one of the cells."""
    cells = "".join(cell for _, row in read(text, separator=",") for cell in row)

    for letter in "ab甲":
        assert cells.count(letter) == text.count(letter)


@pytest.mark.matrix
@pytest.mark.parametrize("line", ['x","y\n', 'a,"x\n', '"\n', '"a,\n', "a,b\n" * 900 + 'c,"d\n'])
def test_going_back_costs_no_more_than_the_text_is_long(line: str) -> None:
    """Each line may open a quote that nothing closes, and the time stays linear."""
    text = line * (300_000 // len(line))
    reader = QuotedReader(",")

    with mock.patch.object(quoted, "FREE_WASTE_CHARS", 0):
        rows, rest = reader.read(text, is_last=True)

    assert len(rows.rows) >= text.count("\n") // 2
    assert rest == ""
    assert reader._wasted_chars <= len(text) + quoted.MOST_RECORD_CHARS + len(line)


@pytest.mark.parametrize("line", ['"a,' * 300_000, '"' + 'a""' * 300_000 + '"', '"' * 900_001])
def test_long_line_of_quotes_is_read_without_backtracking(line: str) -> None:
    """No pattern goes back over it."""
    began_s = time.process_time()

    batches(f"EMAIL,NAME\n{line}\n")

    assert time.process_time() - began_s < 5


def test_line_longer_than_a_block_is_put_together() -> None:
    """A line that is longer than several blocks is one line."""
    long = "x" * 3 * BLOCK_BYTES

    assert read(f"a,b\n{long},c\nd,e\n") == [(1, ["a", "b"]), (2, [long, "c"]), (3, ["d", "e"])]


def test_file_that_changed_in_between_is_refused() -> None:
    """The second decoding can fail only if the file changed; no content is shown."""
    reader = RowReader(UTF8)

    with pytest.raises(InvalidRequest, match="changed while") as caught:
        _ = [*reader.feed(b"EMAIL,NAME\nsecret@example.com,\xff\n"), *reader.finish()]

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "cp950", "utf-16"])
def test_rows_of_any_file_are_iterated(codec: str) -> None:
    """For the platform's own files: any encoding, any quotes, physical lines."""
    content = 'EMAIL,REASON\na@example.com,王\n\nb@example.com,x"y\n'.encode(codec)

    rows = list(iterate_rows(lambda: in_pieces(content, 5)))

    assert rows == [
        (1, ["EMAIL", "REASON"]),
        (2, ["a@example.com", "王"]),
        (4, ["b@example.com", 'x"y']),
    ]


def test_iterated_encoding_can_be_requested() -> None:
    """As everywhere."""
    content = "EMAIL,王\n".encode("big5")

    assert list(iterate_rows(lambda: [content], "big5")) == [(1, ["EMAIL", "王"])]


def test_empty_file_has_no_rows() -> None:
    """A report without rows is a report."""
    assert list(iterate_rows(list)) == []


def test_file_that_cannot_be_read_is_refused() -> None:
    """No traceback, and all that is known; nothing more is read than it takes."""

    def pieces() -> Iterator[bytes]:
        yield b"\x89PNG\r\n\x1a\n" + b"\0" * BLOCK_BYTES
        raise AssertionError

    with pytest.raises(InvalidRequest, match="PNG") as caught:
        list(iterate_rows(pieces))

    assert [problem.field for problem in caught.value.problems] == ["file"]


def test_mark_is_not_part_of_the_first_cell() -> None:
    """Even where it comes byte by byte."""
    content = "\ufeffEMAIL,NAME\n".encode()
    detected = detect([content])
    with mock.patch.object(blocks, "BLOCK_BYTES", 1):
        reader = RowReader(detected)

    [batch] = [*reader.feed(content), *reader.finish()]

    assert batch.rows == [["EMAIL", "NAME"]]
