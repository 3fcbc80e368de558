"""How columns are separated, by what their names are told apart, and what no name looks like."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

__all__ = [
    "COMMA",
    "KNOWN",
    "choose_separator",
    "folded",
    "foreign_separator",
    "hinted_separator",
    "looks_like_address",
    "split_line",
]


def folded(name: str) -> str:
    """Return a name as it is compared: without blanks around it, and without regard to case."""
    return name.strip().casefold()


_ADDRESS_LIKE: Final = re.compile(
    # Without a scheme, and with a domain in which letters follow the last dot: not LINE@,
    # LINE@ID, @timestamp, "Name @ Company", 50%@home or medium.com/@name.
    r"(?:[^<>@]*<)?[^\s@:<>]*[^\s@:<>/]@[^\s@:<>/]+\.[^\W\d_][\w-]+\.?>?"
)


def looks_like_address(text: str) -> bool:
    """Whether a text is an address, alone or behind a name, and no text or link with one in it.

    It says nothing of its being valid; it tells a row from a header, and from other text.
    """
    return "@" in text and _ADDRESS_LIKE.fullmatch(text.strip()) is not None


COMMA: Final = ","

KNOWN: Final = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""The separators that are taken; spreadsheets write no others."""

_FOREIGN: Final = {
    "|": "bars",
    "，": "full-width commas",
    "；": "full-width semicolons",
    "、": "ideographic commas",
    ":": "colons",
}
"""What people separate columns by, and no spreadsheet reads."""

_HINT: Final = re.compile(r'"?sep=([,;\t|])"?', re.IGNORECASE)
_WANTED: Final = frozenset({"email", "name"})


def hinted_separator(line: str) -> str | None:
    """Return the separator of a line such as ``sep=;``, which Excel writes above a header."""
    hint = _HINT.fullmatch(line)
    return None if hint is None else hint[1]


def choose_separator(header: str) -> str:
    """Return the separator that makes most sense of a header; a comma where none does."""

    def sense(separator: str) -> tuple[int, int]:
        cells = _folded_cells(header, separator)
        return len(_WANTED.intersection(cells)), len(cells)

    # The first of equals is the comma.
    return max(KNOWN, key=sense)


def foreign_separator(header: str) -> str | None:
    """Return the name of what separates the columns, where it is none that is taken."""
    for separator, name in _FOREIGN.items():
        if separator in header and "email" in _folded_cells(header, separator):
            return name
    return None


def _folded_cells(header: str, separator: str) -> list[str]:
    return list(map(folded, split_line(header, separator)[0]))


def split_line(line: str, separator: str) -> tuple[list[str], bool]:
    """Read a line as a row, whatever its quotes.

    Returns: The cells, and whether each quote that was opened is closed.
    """
    quoted, is_closed = _quoted_cell(separator), True
    cells, position = [], 0
    while True:
        match = quoted.match(line, position) if is_closed else None
        if match is not None:
            cells.append(match[1].replace('""', '"'))
            end = match.end()
        else:
            end = line.find(separator, position)
            end = len(line) if end < 0 else end
            # Where the quote of one cell is not closed to the end of the line, no other is.
            is_closed = is_closed and not line.startswith('"', position)
            cells.append(line[position:end])
        if end == len(line):
            return cells, is_closed
        position = end + 1


@cache
def _quoted_cell(separator: str) -> re.Pattern[str]:
    end = re.escape(separator)
    # Possessive, so that a quote without an end is given up in one go.
    return re.compile(rf'"((?:[^"]++|""|"(?=[^"{end}]))*+)"(?={end}|\Z)')
