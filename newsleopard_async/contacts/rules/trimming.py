"""What stands around a cell and is not part of it: blanks, invisible characters, an apostrophe.

Blanks and invisible characters come from copying out of web pages, chats and spreadsheets, and a
byte order mark from files that were joined. The apostrophe is what one types in a spreadsheet to
make text of a number, and what some programs write before anything that looks like a formula.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from newsleopard_async.contacts.csv.batch import Column
from newsleopard_async.contacts.rules.cells import is_formula
from newsleopard_async.contacts.rules.emails import is_address

__all__ = ["has_invisible", "is_marked", "trim", "trim_address", "trim_addresses", "trim_values"]

_MARK: Final = "'"

_AROUND: Final = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u3000"
    # Of the invisible ones (models/damage.py) all but those that belong to the letter or the
    # emoji before them: variation selectors and tags.
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u2800\u3164\ufeff\uffa0\ufff9\ufffa\ufffb"
    # Blanks and invisible ones in turn.
    + "".join(map(chr, (*range(0x2000, 0x2010), *range(0x2028, 0x2030), *range(0x205F, 0x2070))))
)
_INVISIBLE: Final = re.compile(f"[{''.join(each for each in _AROUND if not each.isspace())}]")

_ASCII_AROUND: Final = (
    f"\n{_MARK}",
    *(each for each in _AROUND if each.isascii() and each != "\n"),
)

_MARKED: Final = re.compile(
    # Before what a spreadsheet would execute or make a number or a date of, or before Chinese;
    # 'Abd al-Malik, 't Hooft and the year '95 are written so.
    r"\s*'\s*(?:[=+@\t-].|[+-]?[(]?[0-9][-0-9 ().,:/#]{2,}\Z|[\u3400-\u9fff](?!.*'\Z))"
)


def has_invisible(name: str) -> bool:
    """Whether there is an invisible character in a name, those aside that join emoji."""
    return any(each not in "\u200c\u200d" for each in _INVISIBLE.findall(name))


def is_marked(cell: str) -> bool:
    """Whether an apostrophe before a cell marks it as text."""
    return _MARKED.match(cell) is not None


def trim(text: str) -> str:
    """Return a text without the blanks and invisible characters around it."""
    return text.strip(_AROUND)


def trim_address(cell: str) -> str:
    """Return an address without anything around it, an apostrophe before it included."""
    cell = trim(cell)
    # Nobody's address begins with one, though the standards allow it.
    unmarked = trim(cell.lstrip(_MARK))
    return unmarked if unmarked != cell and is_address(unmarked) else cell


def _trim_value(cell: str) -> str:
    cell = trim(cell)
    if not is_marked(cell):
        return cell
    unmarked = trim(cell.removeprefix(_MARK))
    # The mark before a formula keeps a spreadsheet from executing it.
    return cell if is_formula(unmarked) else unmarked


def trim_addresses(cells: Column) -> Column:
    """Return addresses without anything around them."""
    return _trim_column(cells, trim_address)


def trim_values(cells: Column) -> Column:
    """Return cells of any kind without blanks, invisible characters and marks of text."""
    return _trim_column(cells, _trim_value)


def _trim_column(cells: Column, trim_one: Callable[[str], str]) -> Column:
    joined = cells.joined
    # Addresses and numbers have nothing of the kind, not even inside.
    is_one_word = joined.isascii() and not any(blank in joined for blank in _ASCII_AROUND)
    if is_one_word and not cells.has_breaks:
        return cells
    stripped = list(map(str.strip, cells))
    joined = "\n" + "\n".join(stripped)
    # A look at each takes ten times as long, and next to no file needs it.
    is_bare = f"\n{_MARK}" not in joined and (joined.isascii() or _INVISIBLE.search(joined) is None)
    return cells.with_cells(stripped if is_bare else list(map(trim_one, stripped)))
