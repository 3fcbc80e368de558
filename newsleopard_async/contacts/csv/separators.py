"""The separators of columns, the comparison of column names, and cells that are not names."""

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
    """Return a name for comparisons: without blanks around it, and in one case."""
    return name.strip().casefold()


_ADDRESS_LIKE: Final = re.compile(
    # Without a scheme, and with a domain with letters after the last dot. LINE@, LINE@ID,
    # @timestamp, "Name @ Company", 50%@home and medium.com/@name do not match.
    r"(?:[^<>@]*<)?[^\s@:<>]*[^\s@:<>/]@[^\s@:<>/]+\.[^\W\d_][\w-]+\.?>?"
)


def looks_like_address(text: str) -> bool:
    """Return whether a text is an address, possibly after a name, and not a longer text or a link.

    The address can be invalid: this only distinguishes a row from a header and from other text.
    """
    return "@" in text and _ADDRESS_LIKE.fullmatch(text.strip()) is not None


COMMA: Final = ","

KNOWN: Final = {",": "by commas", ";": "by semicolons", "\t": "by tabs"}
"""The supported separators, with words for messages; spreadsheets write only these."""

_FOREIGN: Final = {
    "|": "by bars",
    "，": "by full-width commas",
    "；": "by full-width semicolons",
    "、": "by ideographic commas",
    ":": "by colons",
}
"""Separators that people use, and that no spreadsheet reads."""

_HINT: Final = re.compile(r'"?sep=([,;\t|])"?', re.IGNORECASE)
_REQUIRED: Final = frozenset({"email", "name"})


def hinted_separator(line: str) -> str | None:
    """Return the separator of a line such as ``sep=;``, which Excel writes above a header."""
    hint = _HINT.fullmatch(line)
    return None if hint is None else hint[1]


def choose_separator(header: str) -> str:
    """Return the separator with which a header has most required and other names.

    If several separators are equal, it is the first of `KNOWN`.
    """

    def score(separator: str) -> tuple[int, int]:
        cells = _folded_cells(header, separator)
        return len(_REQUIRED.intersection(cells)), len(cells)

    return max(KNOWN, key=score)


def foreign_separator(header: str) -> str | None:
    """Return the name of an unsupported separator of the columns, or None."""
    for separator, name in _FOREIGN.items():
        if separator in header and "email" in _folded_cells(header, separator):
            return name
    return None


def _folded_cells(header: str, separator: str) -> list[str]:
    return list(map(folded, split_line(header, separator)[0]))


def split_line(line: str, separator: str) -> tuple[list[str], bool]:
    """Read a line as a row, even if its quotes are not well-formed.

    Returns: The cells, and whether all quotes are closed.
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
            # If the quote of one cell is not closed in the line, no later quote is closed either.
            is_closed = is_closed and not line.startswith('"', position)
            cells.append(line[position:end])
        if end == len(line):
            return cells, is_closed
        position = end + 1


@cache
def _quoted_cell(separator: str) -> re.Pattern[str]:
    end = re.escape(separator)
    # Possessive, so that a quote without an end fails without backtracking.
    return re.compile(rf'"((?:[^"]++|""|"(?=[^"{end}]))*+)"(?={end}|\Z)')
