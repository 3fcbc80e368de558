"""A clean CSV divided into parts; each part is a CSV with the header and with whole rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import attrs

from newsleopard_async.contacts.csv.separators import COMMA, split_line
from newsleopard_async.contacts.rules.emails import is_address, key_of
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.plain import Plain
from newsleopard_async.temporary import writing

__all__ = ["MOST_PARTS", "Part", "cells_of", "rows_of", "split", "write_part"]

MOST_PARTS: Final = 200
"""Chosen: a part takes about five requests, so 200 parts take a tenth of the daily 10,000, and
their record is far smaller than the largest checkpoint file."""

_COPIED_BYTES: Final = 1024 * 1024
"""Chosen: the same as `sources.PIECE_BYTES`; a copy needs this much memory."""


@attrs.frozen(kw_only=True)
class Part(Plain):
    """Consecutive rows of a clean CSV.

    Attributes:
        header_bytes: The length of the header, with which each part begins.
        begin: The offset in the file at which the rows begin.
        end: The offset at which they end.
        addresses: The number of different addresses.
    """

    header_bytes: int
    begin: int
    end: int
    addresses: int


def split(path: Path, part_bytes: int) -> tuple[Part, ...]:
    """Divide a clean CSV into the fewest parts that keep the order of the rows.

    Args:
        path: The file.
        part_bytes: The largest size of a part, with its header.

    Raises:
        InvalidRequest: a row does not fit into a part, or there would be too many parts.
    """
    with path.open("rb") as file:
        header = file.readline()
        parts = tuple(_divided(header, rows_of(file), part_bytes))
    if len(parts) > MOST_PARTS:
        at_least = path.stat().st_size // MOST_PARTS + len(header)
        raise _refusal(
            f"divides the contacts into {len(parts):,} parts, and at most {MOST_PARTS} are "
            f"allowed; set it to about {at_least:,} or more"
        )
    return parts


def rows_of(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the rows; a row can have several lines, and ends when its number of quotes is even."""
    row = b""
    for line in lines:
        row += line
        if row.count(b'"') % 2 == 0:
            yield row
            row = b""


def _divided(header: bytes, rows: Iterable[bytes], part_bytes: int) -> Iterator[Part]:
    width = len(cells_of(header))
    begin = end = len(header)
    keys: set[bytes] = set()

    def part() -> Part:
        return Part(header_bytes=len(header), begin=begin, end=end, addresses=len(keys))

    for row in rows:
        if len(header) + len(row) > part_bytes:
            raise _refusal(
                f"is too small: the header and one row have {len(header) + len(row):,} bytes; set "
                "it higher, for example to 8_000_000"
            )
        if len(header) + end - begin + len(row) > part_bytes:
            yield part()
            begin = end
            keys = set()
        end += len(row)
        cells = cells_of(row)
        # The platform may reject a row with another number of cells, and then does not count it.
        if len(cells) == width and is_address(cells[0]):
            keys.add(key_of(cells[0]))
    yield part()


def cells_of(row: bytes) -> list[str]:
    """Return the cells of a row of a clean CSV."""
    text = row.decode().removesuffix("\n")
    if '"' not in text:
        return text.split(COMMA)
    # The csv module is not used: it refuses cells of more than 128 KiB.
    return split_line(text, COMMA)[0]


def write_part(path: Path, part: Part) -> Path:
    """Write a part into the folder of the file, and overwrite the previous part.

    Raises:
        ConfigurationError: the folder cannot be written to.
    """
    written = path.with_name("part.csv")
    with writing(), path.open("rb") as file, written.open("wb") as copy:
        copy.write(file.read(part.header_bytes))
        file.seek(part.begin)
        left_bytes = part.end - part.begin
        while left_bytes:
            piece = file.read(min(left_bytes, _COPIED_BYTES))
            left_bytes -= len(piece)
            copy.write(piece)
    return written


def _refusal(message: str) -> InvalidRequest:
    return InvalidRequest.of("part_bytes", "range", message)
