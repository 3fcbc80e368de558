"""Removes blanks, invisible characters and an apostrophe around the value of a cell.

Blanks and invisible characters come from text copied from web pages, chats and spreadsheets. A byte
order mark inside a file comes from joining files. An apostrophe marks a number as text in a
spreadsheet, and some programs write it before text that looks like a formula.
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

# The characters that are removed around a value.
_AROUND: Final = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u3000"
    # The invisible characters (models/damage.py), except those that belong to the letter or the
    # emoji before them: variation selectors and tags.
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u2800\u3164\ufeff\uffa0\ufff9\ufffa\ufffb"
    # Ranges of blanks and invisible characters.
    + "".join(map(chr, (*range(0x2000, 0x2010), *range(0x2028, 0x2030), *range(0x205F, 0x2070))))
)
_INVISIBLE: Final = re.compile(f"[{''.join(each for each in _AROUND if not each.isspace())}]")

_ASCII_AROUND: Final = (
    f"\n{_MARK}",
    *(each for each in _AROUND if each.isascii() and each != "\n"),
)

_MARKED: Final = re.compile(
    # An apostrophe before text that a spreadsheet would execute or read as a number or a date, or
    # before Chinese. The names 'Abd al-Malik and 't Hooft and the year '95 do not match.
    r"\s*'\s*(?:[=+@\t-].|[+-]?[(]?[0-9][-0-9 ().,:/#]{2,}\Z|[\u3400-\u9fff](?!.*'\Z))"
)


def has_invisible(name: str) -> bool:
    """Return whether a name has an invisible character, except those that join emoji."""
    return any(each not in "\u200c\u200d" for each in _INVISIBLE.findall(name))


def is_marked(cell: str) -> bool:
    """Return whether a cell begins with an apostrophe that marks it as text."""
    return _MARKED.match(cell) is not None


def trim(text: str) -> str:
    """Return a text without the blanks and invisible characters around it."""
    return text.strip(_AROUND)


def trim_address(cell: str) -> str:
    """Return an address without blanks, invisible characters and an apostrophe around it."""
    cell = trim(cell)
    # The standards allow an apostrophe at the beginning, but no real address has it.
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
    """Return addresses without blanks, invisible characters and apostrophes around them."""
    return _trim_column(cells, trim_address)


def trim_values(cells: Column) -> Column:
    """Return cells without blanks, invisible characters and apostrophes that mark text."""
    return _trim_column(cells, _trim_value)


def _trim_column(cells: Column, trim_one: Callable[[str], str]) -> Column:
    joined = cells.joined
    # Addresses and numbers contain none of these characters.
    is_one_word = joined.isascii() and not any(blank in joined for blank in _ASCII_AROUND)
    if is_one_word and not cells.has_breaks:
        return cells
    stripped = list(map(str.strip, cells))
    joined = "\n" + "\n".join(stripped)
    # A check of each cell takes ten times as long, and nearly no file needs it.
    is_trimmed = f"\n{_MARK}" not in joined and (
        joined.isascii() or _INVISIBLE.search(joined) is None
    )
    return cells.with_cells(stripped if is_trimmed else list(map(trim_one, stripped)))
