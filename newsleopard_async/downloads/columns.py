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
    "address_columns",
    "cell_at",
    "email_column",
    "folded",
    "has_address",
    "is_address",
    "is_clear_beginning",
    "is_url",
    "name_column",
    "not_blank",
    "other_address_columns",
    "place_name",
    "plain_name",
    "read_header",
    "reason_column",
    "url_columns",
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


# What a column means, by its name, in files whose form is not documented (T49, T119).
#
# The rules:
#
# - Names are compared as words, in English and 中文, whatever their case and their signs.
# - Of several columns that fit, the one that says more comes first.
# - A name that could mean another thing means nothing: the cells are in the row's values anyway.

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


_SIGNS: Final = re.compile(r"[\W_]+")


_EMAIL: Final = re.compile(
    r"^e ?mail(?: address)?$|^(?:電子)?(?:信箱|郵件|郵箱)(?:地址)?$|^電郵(?:地址)?$"
)


_LIKE_EMAIL: Final = re.compile(
    r"^mail(?: ?address)?$|email|(?<![a-z])e mail|信箱|電子郵件|電郵|郵箱"
)


_RECIPIENT: Final = re.compile(
    r"recipient|receiver|收件|收信|^to$|^to (?:e ?mail|mail|address)|(?:mail|sent|delivered) to$"
)


_OTHER_ADDRESS: Final = re.compile(
    r"(?<![a-z])from|sender|reply|寄件|寄信|發件|發信|回覆|subject|主旨"
)
"""A column whose cells may look like addresses, and are not the recipients'."""


_NO_ADDRESS: Final = re.compile(
    r"title|標題|status|狀態|(?<![a-z])type|類型|(?<![a-z])kind|種類|(?<![a-z])count|次數|"
    r"domain|網域|(?<![a-z])ur[li]|(?<![a-z])links?(?![a-z])|網址|連結|"
    r"(?<![a-z])(?:date|time)|日期|時間|result|結果|validation|description|說明|"
    r"(?<![a-z])(?:name|id|reason|error|message|code)$|(?:姓名|名稱|編號|原因|錯誤|訊息|代碼)$"
)
"""A column that speaks of mail or of a recipient, and is no address."""


_NAME: Final = re.compile(r"^(?:full ?)?name$|^(?:姓名|名字|名稱)$")


_URLS: Final = (
    re.compile(r"^(?:url|網址)$|(?:click|link|target|點擊|連結).*(?:url|網址)"),
    re.compile(r"url|網址"),
    re.compile(r"(?<![a-z])link|連結"),
)


_NO_CLICK: Final = re.compile(r"unsub|退訂|取消|image|圖片|logo|referr")


_CODE: Final = re.compile(r"code$|代碼$")


_REASONS: Final = (
    re.compile(r"reason|原因"),
    re.compile(r"message|訊息"),
    re.compile(r"error|錯誤"),
)


_REASON_CODE: Final = re.compile(r"(?:reason|error|bounce|smtp|原因|錯誤|退信).*(?:code|代碼)$")


_NO_REASON: Final = re.compile(
    r"(?<![a-z])(?:id|no|number|sn|name|type|time|date|at|count|row|line|field|column|subject|"
    r"title|address)$|mail$|"
    r"(?:編號|名稱|類型|時間|日期|次數|行號|列號|欄位|主旨|標題|地址|信箱|郵件|電郵|郵箱)$"
)


_ADDRESS_CELL: Final = re.compile(r"(?:[^<>]*<)?[^\s@:<>]+@[^\s@:<>]+>?")


_URL_CELL: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*:|/)\S+|[^\s@]+\.[a-z]\S*", re.IGNORECASE)


def plain_name(name: str) -> str:
    """Return a column's name as words in small letters: ``openedAt`` is ``opened at``."""
    return _SIGNS.sub(" ", _HUMP.sub(" ", name)).strip().casefold()


def is_address(cell: str) -> bool:
    """Whether a cell is an address, and no text or link with one in it."""
    return _ADDRESS_CELL.fullmatch(cell) is not None


def is_url(cell: str) -> bool:
    """Whether a cell can be where a link leads."""
    return _URL_CELL.fullmatch(cell) is not None


def address_columns(names: Sequence[str]) -> tuple[int, ...]:
    """Return the places of columns that may be the recipients' addresses, the best first."""
    return tuple(dict.fromkeys(_address_places(names, (_RECIPIENT, _EMAIL, _LIKE_EMAIL))))


def email_column(names: Sequence[str]) -> int | None:
    """Return the place of the address among a contact's columns, where an EMAIL is a must."""
    return next(_address_places(names, (_EMAIL, _LIKE_EMAIL, _RECIPIENT)), None)


def other_address_columns(names: Sequence[str]) -> frozenset[int]:
    """Return the places of the sender's address and the like."""
    return frozenset(_places(names, _OTHER_ADDRESS))


def name_column(names: Sequence[str]) -> int | None:
    """Return the place of the recipient's name."""
    return next(_places(names, _NAME), None)


def url_columns(names: Sequence[str]) -> tuple[int, ...]:
    """Return the places of columns that may be what was clicked, the best first."""
    unwanted = set(_places(names, _NO_CLICK))
    found = (place for pattern in _URLS for place in _places(names, pattern))
    return tuple(dict.fromkeys(place for place in found if place not in unwanted))


def reason_column(names: Sequence[str]) -> int | None:
    """Return the place of the column that says why, in words if there are any."""
    codes, unwanted = set(_places(names, _CODE)), set(_places(names, _NO_REASON))
    words = (place for pattern in _REASONS for place in _places(names, pattern))
    in_words = next((place for place in words if place not in codes | unwanted), None)
    return next(_places(names, _REASON_CODE), None) if in_words is None else in_words


def _address_places(names: Sequence[str], patterns: Sequence[re.Pattern[str]]) -> Iterator[int]:
    unwanted = {*_places(names, _OTHER_ADDRESS), *_places(names, _NO_ADDRESS)}
    for pattern in patterns:
        yield from (place for place in _places(names, pattern) if place not in unwanted)


def _places(names: Sequence[str], pattern: re.Pattern[str]) -> Iterator[int]:
    return (place for place, name in enumerate(names) if pattern.search(plain_name(name)))
