"""CSV by RFC 4180, read from bytes in constant memory (T34, T35).

Rows end with a line feed; a carriage return before it is dropped. A quoted field can contain
commas, doubled quotes and line breaks. ``read_row`` is the definition. ``read_blocks`` reads
many rows at a time, which is ten times as fast, and calls ``read_row`` if a block is irregular.
"""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise, repeat
from typing import Final

import attrs

__all__ = ["NEEDS_QUOTES", "Block", "MalformedCsv", "read_blocks", "read_row", "write_row"]

MAX_OPEN_BYTES: Final = 1_000_000
"""Chosen: no field has 1 MB, so a longer one begins with a wrong quote."""

_FIELD: Final = re.compile(r'"((?:[^"]|"")*)"|([^",]*)')
_WELL_QUOTED: Final = re.compile(r'(?:(?:"[^"]*+(?:""[^"]*+)*+"(?:\r(?=\n))?|[^",\n]*+)[,\n])*+')
NEEDS_QUOTES: Final = re.compile(r'[",\r\n]')


class MalformedCsv(Exception):
    """The bytes are not plain text in UTF-8, or a quote is wrong."""


@attrs.frozen(kw_only=True)
class Block:
    """Rows that were read together.

    Attributes:
        records: The fields of each row, or the texts of the rows if none has quotes.
        starts: The offset of each row in the file.
        sizes: The bytes of each row, with its line break.
    """

    records: list[list[str]] | list[str]
    starts: array[int]
    sizes: array[int]

    @property
    def rows(self) -> list[list[str]]:
        """The fields of each row."""
        return [row.split(",") if isinstance(row, str) else row for row in self.records]

    def columns(self, width: int) -> Sequence[Sequence[str]] | None:
        """Return the columns; None if the block is empty, or a row has another width."""
        if not self.records:
            return None
        if isinstance(self.records[0], str):
            if set(map(str.count, self.records, repeat(","))) != {width - 1}:
                return None
            cells = ",".join(self.records).split(",")
            return [cells[place::width] for place in range(width)]
        if set(map(len, self.records)) != {width}:
            return None
        return list(zip(*self.records, strict=True))

    def part(self, places: slice) -> Block:
        """Return some of the rows."""
        return Block(
            records=self.records[places], starts=self.starts[places], sizes=self.sizes[places]
        )


def read_blocks(chunks: Iterable[bytes], *, start: int = 0) -> Iterator[Block]:
    """Yield the rows; blank lines at the end do not count (T34).

    Args:
        chunks: The file in pieces of any size.
        start: The offset of the first piece in the file.

    Raises:
        MalformedCsv: a row is not CSV; the rows before it have been yielded.
    """
    blank: list[Block] = []
    for content in _whole_records(chunks):
        block = _read_block(content, start)
        start += len(content)
        filled = len(block.records)
        while filled and block.records[filled - 1] in ("", [""]):
            filled -= 1
        if filled:
            yield from blank
            yield block.part(slice(filled))
            blank = []
        if filled < len(block.records):
            blank.append(block.part(slice(filled, None)))


def _whole_records(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut the file at ends of records: line feeds after an even number of quotes."""
    pieces: list[bytes] = []
    quotes = size = 0
    for chunk in chunks:
        quotes += chunk.count(b'"')
        cut = _last_end(chunk, quotes)
        if cut:
            yield b"".join([*pieces, chunk[:cut]])
            pieces, size, quotes = [], 0, chunk.count(b'"', cut)
        pieces.append(chunk[cut:])
        size += len(chunk) - cut
        if quotes % 2 and size > MAX_OPEN_BYTES:
            raise MalformedCsv("a quoted field has no closing quote")
    if quotes % 2:
        raise MalformedCsv("a quoted field has no closing quote")
    if size:
        yield b"".join(pieces)


def _last_end(chunk: bytes, quotes: int) -> int:
    """Return where the last whole record of a chunk ends; ``quotes`` counts up to its end."""
    end = len(chunk)
    while (feed := chunk.rfind(b"\n", 0, end)) >= 0:
        if (quotes - chunk.count(b'"', feed)) % 2 == 0:
            return feed + 1
        end = chunk.rfind(b'"', 0, feed)
        if end < 0:
            break
    return 0


def _read_block(content: bytes, start: int) -> Block:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedCsv("not UTF-8") from error
    if "\0" in text:
        raise MalformedCsv("not plain text")
    records: list[list[str]] | list[str]
    if '"' not in text:
        records, sizes = _read_plain(text), _line_sizes(content)
    else:
        records, sizes = _read_quoted(text, content)
    starts = array("Q", accumulate(sizes[:-1], initial=start) if sizes else ())
    return Block(records=records, starts=starts, sizes=sizes)


def _read_plain(text: str) -> list[str]:
    lines = text.removesuffix("\n").split("\n")
    return [line.removesuffix("\r") for line in lines] if "\r" in text else lines


def _line_sizes(content: bytes) -> array[int]:
    """Return the bytes of each line, with its line feed if it has one."""
    lines = content.split(b"\n")
    sizes = array("I", [size + 1 for size in map(len, lines[:-1])])
    if lines[-1]:
        sizes.append(len(lines[-1]))
    return sizes


def _read_quoted(text: str, content: bytes) -> tuple[list[list[str]], array[int]]:
    whole = text if text.endswith("\n") else text + "\n"
    if text.count("\r") == whole.count("\r\n") and _WELL_QUOTED.fullmatch(whole):
        try:
            return _read_well_quoted(text, content)
        except csv.Error:  # a field is longer than its limit
            pass
    rows = []
    sizes = array("I")
    for record in _records(text):
        rows.append(read_row(record))
        sizes.append(len(record.encode()))
    return rows, sizes


def _read_well_quoted(text: str, content: bytes) -> tuple[list[list[str]], array[int]]:
    rows = list(csv.reader(io.StringIO(text, newline="\n")))
    sizes = _line_sizes(content)
    if len(sizes) > len(rows):
        # Some rows have several lines.
        reader = csv.reader(io.StringIO(text, newline="\n"))
        ends = [0, *(reader.line_num for _ in reader)]
        sizes = array("I", [sum(sizes[a:b]) for a, b in pairwise(ends)])
    return [row or [""] for row in rows], sizes


def _records(text: str) -> Iterator[str]:
    """Join lines until their quotes are balanced."""
    pieces: list[str] = []
    quotes = 0
    for line in io.StringIO(text, newline="\n"):
        pieces.append(line)
        quotes += line.count('"')
        if quotes % 2 == 0:
            yield "".join(pieces)
            pieces = []


def read_row(record: str) -> list[str]:
    """Split one record, with or without its line break.

    Raises:
        MalformedCsv: a quote is in the wrong position.
    """
    record = record.removesuffix("\n").removesuffix("\r")
    if '"' not in record:
        return record.split(",")
    fields = []
    position = 0
    while True:
        match = _FIELD.match(record, position)
        assert match is not None  # the second alternative also matches empty text
        quoted, plain = match.groups()
        fields.append(plain if quoted is None else quoted.replace('""', '"'))
        position = match.end()
        if position == len(record):
            return fields
        if record[position] != ",":
            raise MalformedCsv("a quote in the wrong position")
        position += 1


def write_row(fields: Iterable[str]) -> str:
    """Return one row with its line feed; fields are quoted if necessary."""
    return ",".join(_quoted(field) for field in fields) + "\n"


def _quoted(field: str) -> str:
    if NEEDS_QUOTES.search(field) is None:
        return field
    return '"' + field.replace('"', '""') + '"'
