"""A clean CSV in parts that are CSV files themselves: with the header, and no row cut in two."""

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
"""Chosen: a part takes five requests or so, so that these take a tenth of the day's 10,000, and
their record stays far below what a checkpoint's file may hold."""

_COPIED_BYTES: Final = 1024 * 1024


@attrs.frozen(kw_only=True)
class Part(Plain):
    """Some rows of a clean CSV that stand one after the other.

    Attributes:
        header_bytes: Length of the header, which each part begins with.
        begin: Where its rows begin in the file.
        end: Where they end.
        addresses: How many different addresses it has.
    """

    header_bytes: int
    begin: int
    end: int
    addresses: int


def split(path: Path, part_bytes: int) -> tuple[Part, ...]:
    """Divide a clean CSV into as few parts as there can be in its order.

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
            f"makes {len(parts):,} parts, and at most {MOST_PARTS} are taken; give at least about "
            f"{at_least:,}"
        )
    return parts


def rows_of(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the rows, of which one may have several lines: every quote in the file is doubled."""
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
                f"is too small: the header and one row have {len(header) + len(row):,} bytes; give "
                "more, such as 8_000_000"
            )
        if len(header) + end - begin + len(row) > part_bytes:
            yield part()
            begin = end
            keys = set()
        end += len(row)
        cells = cells_of(row)
        # As they are counted in all: a row of other cells may be rejected, and not be counted.
        if len(cells) == width and is_address(cells[0]):
            keys.add(key_of(cells[0]))
    yield part()


def cells_of(row: bytes) -> list[str]:
    """Read a row of a clean CSV."""
    text = row.decode().removesuffix("\n")
    if '"' not in text:
        return text.split(COMMA)
    # Not by the csv module: it takes no cell of more than 128 KiB.
    return split_line(text, COMMA)[0]


def write_part(path: Path, part: Part) -> Path:
    """Write a part beside the file, in the place of the one before.

    Raises:
        ConfigurationError: nothing can be written there.
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
