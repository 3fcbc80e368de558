"""CSV as RFC 4180 has it, read from bytes without holding the whole file (T34, T35).

Rows end with a line feed; a carriage return before it is dropped. A quoted field may hold
commas, doubled quotes and line breaks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["MalformedCsv", "read_rows", "write_row"]

MAX_RECORD_CHARS: Final = 1_000_000
_FIELD: Final = re.compile(r'"((?:[^"]|"")*)"|([^",]*)')
_NEEDS_QUOTES: Final = re.compile(r'[",\r\n]')


class MalformedCsv(Exception):
    """The bytes are no plain text in UTF-8, or their quotes do not add up."""


def read_rows(lines: Iterable[bytes]) -> Iterator[list[str]]:
    """Yield the rows; blank lines at the end do not count (T34).

    Args:
        lines: The file in pieces that end with a line feed each, the last one perhaps not.

    Raises:
        MalformedCsv: this is no CSV; the rows before have been yielded.
    """
    blank_rows = 0
    for record in _records(lines):
        fields = _split(record)
        if fields == [""]:
            blank_rows += 1
            continue
        for _ in range(blank_rows):
            yield [""]
        blank_rows = 0
        yield fields


def _records(lines: Iterable[bytes]) -> Iterator[str]:
    """Join lines until their quotes are balanced."""
    pieces: list[str] = []
    quotes = size = 0
    for line in lines:
        text = _decode(line)
        quotes += text.count('"')
        if not pieces and quotes % 2 == 0:
            yield text
            continue
        pieces.append(text)
        size += len(text)
        if quotes % 2 == 0:
            yield "".join(pieces)
            pieces, size = [], 0
        elif size > MAX_RECORD_CHARS:
            raise MalformedCsv("a quoted field does not end")
    if pieces:
        raise MalformedCsv("a quoted field does not end")


def _decode(line: bytes) -> str:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedCsv("not UTF-8") from error
    if "\0" in text:
        raise MalformedCsv("not plain text")
    return text


def _split(record: str) -> list[str]:
    record = record.removesuffix("\n").removesuffix("\r")
    if '"' not in record:
        return record.split(",")
    fields = []
    position = 0
    while True:
        match = _FIELD.match(record, position)
        assert match is not None  # the second alternative also matches nothing
        quoted, plain = match.groups()
        fields.append(plain if quoted is None else quoted.replace('""', '"'))
        position = match.end()
        if position == len(record):
            return fields
        if record[position] != ",":
            raise MalformedCsv("a quote in the wrong place")
        position += 1


def write_row(fields: Iterable[str]) -> str:
    """Write one row, quoted where it must be, with its line feed."""
    return ",".join(_quoted(field) for field in fields) + "\n"


def _quoted(field: str) -> str:
    if _NEEDS_QUOTES.search(field) is None:
        return field
    return '"' + field.replace('"', '""') + '"'
