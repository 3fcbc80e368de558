"""Headers and cells of files whose form is not documented (T49, T119).

A first row that holds an address is no header: the columns are then called by their place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

__all__ = [
    "NumberedRow",
    "cell_at",
    "folded",
    "has_address",
    "is_clear_beginning",
    "not_blank",
    "place_name",
    "read_header",
    "values_of",
]

NumberedRow = tuple[int, list[str]]
"""A row's cells, and the line that it begins in."""

_HEADER_CELL: Final = re.compile(
    r"(e-?)?mail([ _-]?address)?|(電子)?(信箱|郵件|郵箱)(地址)?|電郵|"
    r"(full[ _-]?)?name|姓名|名字|名稱",
    re.IGNORECASE,
)
"""What a column is called and next to no cell is, though a reason may speak of e-mail."""


def folded(name: str) -> str:
    """Return a name as it is compared with others."""
    return name.strip().casefold()


def has_address(cell: str) -> bool:
    """Whether a cell looks like an address."""
    return "@" in cell


def is_clear_beginning(cells: Sequence[str]) -> bool:
    """Whether a first row is beyond doubt a header, or beyond doubt none."""
    return any(has_address(cell) or _HEADER_CELL.fullmatch(cell.strip()) for cell in cells)


def read_header(
    rows: Iterator[NumberedRow], *, has_header: bool = True
) -> tuple[tuple[str, ...], Iterator[NumberedRow]]:
    """Take the header off; return the columns' names, each once, and the rows below it.

    Args:
        has_header: Whether the first row is one, unless it has an address.
    """
    for first in not_blank(rows):
        cells = first[1]
        if not has_header or any(map(has_address, cells)):
            return _names([""] * len(cells)), chain([first], rows)
        return _names(cells), rows
    return (), rows


def not_blank(rows: Iterable[NumberedRow]) -> Iterator[NumberedRow]:
    """Leave out the rows that have nothing in any cell."""
    return (row for row in rows if any(map(str.strip, row[1])))


def _names(header: Iterable[str]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for place, cell in enumerate(header):
        name = cell.strip()
        names[name if name and name not in names else place_name(place)] = None
    return tuple(names)


def place_name(place: int) -> str:
    """Return what a column without a name is called."""
    return f"column {place + 1}"


def cell_at(cells: Sequence[str], place: int | None) -> str:
    """Return a cell without white space around it; empty where there is none."""
    return cells[place].strip() if place is not None and place < len(cells) else ""


def values_of(names: Sequence[str], cells: Sequence[str]) -> Mapping[str, str]:
    """Return the cells by column; those beyond the header are called by their place."""
    values = dict(zip(names, cells, strict=False))
    for place in range(len(names), len(cells)):
        values[place_name(place)] = cells[place]
    return values
