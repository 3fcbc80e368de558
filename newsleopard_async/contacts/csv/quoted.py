"""Reads rows of a CSV with quotes, even if the quotes are not well-formed.

The fear behind the rules: one unclosed quote turns all rows up to the next quote into one cell,
and these contacts get no mail.

1. Rows that follow RFC 4180 are read by it. A quote inside a cell that is not quoted is part of
   the cell.
2. In a quoted cell, a quote that is not followed by a separator or line end is part of the cell.
3. A quoted cell can continue in the next lines, for up to 64 KiB. If it has no valid end, its quote
   was never closed: then its first line is a row, and reading continues with the next line. So a
   single quote damages only one row.
4. A row over several lines that has as many cells as the header is one row. If each of its lines
   would also be a row of that length with an address, its meaning is unknown. In a file of the
   platform, which a program writes, it is one row. In contacts, the first line is a row, so that
   two single quotes in one column hide no contacts. Fifty such consecutive lines are rows in any
   file.
5. In a row of any other length, the quote was never closed if the cell contains lines that look
   like rows (an address in a cell), or if its last line looks like a row and the row is longer than
   the header.
6. Reading lines again takes time. If it takes more than the length of the text, no cell continues
   in the next line any more, so no file takes more than a few times as long as another.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

import attrs

from newsleopard_async.contacts.csv.separators import looks_like_address, split_line

__all__ = ["QuotedReader", "Rows"]

_MOST_ROWS_IN_A_CELL: Final = 50
"""The number of consecutive lines in a quoted cell that look like rows, from which its quote counts
as never closed. Chosen: people do not paste a longer table into a cell, and few lines are read
twice."""

MOST_RECORD_CHARS: Final = 64 * 1024
"""Chosen: no cell of a contact is longer, and an unclosed quote makes only this much be read
twice."""
FREE_WASTE_CHARS: Final = 8 * 1024 * 1024
"""The text that can be read again before rule 6 applies. Chosen: reading it takes a moment, and a
short file with many unclosed quotes is read by the same rules as a long one."""


@attrs.define
class Rows:
    """The rows of a text.

    Attributes:
        rows: The cells.
        lines: The line in which each row begins, from 0 for the first line of the text.
        broken: The indices of rows with a line break in a cell.
        unclosed: The indices of rows with a quote that is never closed.
        stray: The indices of rows with a quote that should have been doubled.
    """

    rows: list[list[str]] = attrs.field(factory=list)
    lines: list[int] = attrs.field(factory=list)
    broken: list[int] = attrs.field(factory=list)
    unclosed: list[int] = attrs.field(factory=list)
    stray: list[int] = attrs.field(factory=list)


class QuotedReader:
    """Reads text block by block.

    Args:
        separator: The separator of the cells, a single character.
        width: The number of cells in the header; None if its first line does not show it.
        trusts_quotes: Whether a program wrote the file, so its quotes are intended.
    """

    def __init__(
        self, separator: str, *, width: int | None = None, trusts_quotes: bool = False
    ) -> None:
        self._separator = separator
        self._width = width
        self._trusts_quotes = trusts_quotes
        self._position_chars = 0
        self._wasted_chars = 0

    def skip(self, size_chars: int) -> None:
        """Count text that was read without this reader."""
        self._position_chars += size_chars

    def read(self, block: str, *, is_last: bool) -> tuple[Rows, str]:
        """Read the rows of whole lines.

        Returns: The rows, including blank lines, and the text of a last row that possibly continues
            in the next block.
        """
        lines = block.split("\n")
        lines.pop()
        found = self._read_well_formed(block, lines)
        if found is not None:
            self._position_chars += len(block)
            return found, ""
        return self._read_with_care(lines, is_last=is_last)

    def _read_well_formed(self, block: str, lines: list[str]) -> Rows | None:
        """Read a block in which each line is a row, or return None."""
        source = io.StringIO(block, newline="\n")
        try:
            rows = list(csv.reader(source, delimiter=self._separator, strict=True))
        except csv.Error:
            return None
        if len(rows) != len(lines):
            return None
        found = Rows(rows, list(range(len(rows))))
        proper = _proper_line(self._separator)
        found.stray = [
            index
            for index, row in enumerate(rows)
            if '"' in "".join(row) and not proper.fullmatch(lines[index])
        ]
        return found

    def _read_with_care(self, lines: list[str], *, is_last: bool) -> tuple[Rows, str]:
        """Read a block row by row."""
        found = Rows()
        start = 0
        while start < len(lines):
            if '"' not in lines[start]:
                self._take_plain(found, lines[start], start)
                start += 1
                continue
            source = _Lines(lines, start, self._most_chars(), self._is_whole_row)
            try:
                row = next(csv.reader(source, delimiter=self._separator, strict=True))
            except csv.Error:
                if source.ran_out and not is_last:
                    break
                taken = self._recover(found, source)
            else:
                is_one = source.taken == 1 or self._is_one_row(source, row)
                taken = self._take(found, source, row) if is_one else self._recover(found, source)
            start += taken
        return found, "".join(f"{line}\n" for line in lines[start:])

    def _most_chars(self) -> int:
        allowed = FREE_WASTE_CHARS + self._position_chars
        return MOST_RECORD_CHARS if self._wasted_chars <= allowed else 0

    def _is_one_row(self, source: _Lines, row: list[str]) -> bool:
        """Return whether a row over several lines is one row."""
        if self._width in {None, len(row)}:
            return self._trusts_quotes or source.others > 0 or not self._is_whole_row(source.last)
        if self._width < len(row) and _is_row(source.last, self._separator):
            return False
        return not any(_holds_rows(cell, self._separator) for cell in row if "\n" in cell)

    def _is_whole_row(self, line: str) -> bool:
        """Return whether a line would be a row itself, with or without its quotes."""
        width, cells = self._width or 0, line.count(self._separator) + 1
        # In prose a space follows a comma. In a table with such spaces, a quote after one opens no
        # cell, so no quote can be left open.
        if cells < width or f"{self._separator} " in line:
            return False
        is_long = cells > width and len(split_line(line, self._separator)[0]) != width
        return not is_long and _has_address(line, self._separator)

    def _take_plain(self, found: Rows, line: str, start: int) -> None:
        found.rows.append(line.split(self._separator))
        found.lines.append(start)
        self._position_chars += len(line) + 1

    def _take(self, found: Rows, source: _Lines, row: list[str]) -> int:
        """Add a row that was read, and return the number of its lines."""
        index = len(found.rows)
        self._width = self._width or len(row)
        found.rows.append(row)
        found.lines.append(source.start)
        if source.taken > 1:
            found.broken.append(index)
        elif '"' in "".join(row) and not _proper_line(self._separator).fullmatch(source.first):
            found.stray.append(index)
        self._position_chars += source.taken_chars
        return source.taken

    def _recover(self, found: Rows, source: _Lines) -> int:
        """Add only the first line as a row, and return 1, the number of its lines."""
        row, is_closed = split_line(source.first, self._separator)
        if not is_closed:
            found.unclosed.append(len(found.rows))
        elif not _proper_line(self._separator).fullmatch(source.first):
            found.stray.append(len(found.rows))
        found.rows.append(row)
        found.lines.append(source.start)
        self._wasted_chars += source.taken_chars - len(source.first) - 1
        self._position_chars += len(source.first) + 1
        return 1


class _Lines:
    """An iterator over the lines of one row; the csv module reads on while a quote is open.

    Attributes:
        start: The index of the first line.
        taken: The number of lines that were read.
        taken_chars: The length of these lines.
        others: The number of these lines, except the last, that would not be rows themselves.
        ran_out: Whether the block ended before the row.
    """

    def __init__(
        self, lines: list[str], start: int, most_chars: int, is_row: Callable[[str], bool]
    ) -> None:
        self.start = start
        self.taken = 0
        self.taken_chars = 0
        self.others = 0
        self.ran_out = False
        self._rows = 0
        self._lines = lines
        self._most_chars = most_chars
        self._is_row = is_row

    @property
    def first(self) -> str:
        """The first line."""
        return self._lines[self.start]

    @property
    def last(self) -> str:
        """The last line that was read."""
        return self._lines[self.start + self.taken - 1]

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.taken and not self._can_continue():
            raise StopIteration
        if self.start + self.taken == len(self._lines):
            self.ran_out = True
            raise StopIteration
        line = self._lines[self.start + self.taken] + "\n"
        self.taken += 1
        self.taken_chars += len(line)
        return line

    def _can_continue(self) -> bool:
        """Return whether a cell can continue after the lines that were read."""
        if self._is_row(self.last):
            self._rows += 1
        else:
            self._rows = 0
            self.others += 1
        return self.taken_chars < self._most_chars and self._rows < _MOST_ROWS_IN_A_CELL


def _holds_rows(cell: str, separator: str) -> bool:
    """Return whether a line of a cell looks like a row."""
    if "@" not in cell:
        return False
    first, *others = cell.split("\n")
    # The first line is the rest of a row, so the text before its first separator is part of a cell.
    rest = first.partition(separator)[2]
    return _has_address(rest, separator) or any(_is_row(line, separator) for line in others)


def _is_row(line: str, separator: str) -> bool:
    return separator in line and _has_address(line, separator)


def _has_address(line: str, separator: str) -> bool:
    cells = line.replace('"', " ").split(separator) if "@" in line else ()
    return any(map(looks_like_address, cells))


@cache
def _proper_line(separator: str) -> re.Pattern[str]:
    end = re.escape(separator)
    cell = rf'(?:"(?:[^"]++|"")*+"|[^"{end}]*+)'
    return re.compile(rf"{cell}(?:{end}{cell})*+")
