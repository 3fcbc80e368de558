"""Columns of files whose form is not documented, recognised by their names (T49, T119).

Names are compared trimmed and without regard to case, in English and 中文. A first row that
holds an address is no header: the columns are then called by their place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

__all__ = [
    "EMAIL",
    "NAME",
    "REASON",
    "URL",
    "NumberedRow",
    "cell_at",
    "column_of",
    "folded",
    "has_address",
    "not_blank",
    "read_header",
    "time_column_of",
    "values_of",
]

NumberedRow = tuple[int, list[str]]
"""A row's cells, and the line that it begins in."""

Patterns = tuple[re.Pattern[str], ...]

EMAIL: Final[Patterns] = (
    re.compile(r"^e-?mail$", re.IGNORECASE),
    re.compile(r"^mail([ _-]?address)?$|e-?mail|recipient|信箱|電子郵件|電郵", re.IGNORECASE),
)
NAME: Final[Patterns] = (re.compile(r"^((full[ _-]?)?name|姓名|名字|名稱)$", re.IGNORECASE),)
REASON: Final[Patterns] = (re.compile(r"reason|error|原因|錯誤", re.IGNORECASE),)
URL: Final[Patterns] = (
    re.compile(r"^(url|link)$", re.IGNORECASE),
    re.compile(r"url|link|連結|網址", re.IGNORECASE),
)
_TIME: Final = re.compile(
    r"(?:^|[\W_])(?i:at|on)$|[a-z]At$|(?i:time|date|stamp)$|(?:時間|日期|時刻)$"
)
_EVENT: Final = re.compile(
    r"deliver|sent|open|click|bounce|unsub|complain|spam|event|到達|送達|開信|點擊|退信|取消|抱怨",
    re.IGNORECASE,
)


def folded(name: str) -> str:
    """Return a name as it is compared with others."""
    return name.strip().casefold()


def has_address(cell: str) -> bool:
    """Whether a cell looks like an address."""
    return "@" in cell


def read_header(rows: Iterator[NumberedRow]) -> tuple[tuple[str, ...], Iterator[NumberedRow]]:
    """Take the header off; return the columns' names, each once, and the rows below it."""
    for first in not_blank(rows):
        cells = first[1]
        if any(map(has_address, cells)):
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
        names[name if name and name not in names else _place_name(place)] = None
    return tuple(names)


def _place_name(place: int) -> str:
    return f"column {place + 1}"


def column_of(names: Sequence[str], patterns: Patterns) -> int | None:
    """Return the place of the first column that fits, the better patterns first."""
    return next(
        (
            place
            for pattern in patterns
            for place, name in enumerate(names)
            if pattern.search(name.strip())
        ),
        None,
    )


def time_column_of(names: Sequence[str]) -> int | None:
    """Return the place of the column that says when; a contact may have dates of its own."""
    places = [place for place, name in enumerate(names) if _TIME.search(name.strip())]
    of_events = [place for place in places if _EVENT.search(names[place])]
    return next(iter(of_events or places), None)


def cell_at(cells: Sequence[str], place: int | None) -> str:
    """Return a cell without white space around it; empty where there is none."""
    return cells[place].strip() if place is not None and place < len(cells) else ""


def values_of(names: Sequence[str], cells: Sequence[str]) -> Mapping[str, str]:
    """Return the cells by column; those beyond the header are called by their place."""
    values = dict(zip(names, cells, strict=False))
    for place in range(len(names), len(cells)):
        values[_place_name(place)] = cells[place]
    return values
