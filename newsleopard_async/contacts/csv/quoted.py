"""Rows of a CSV that holds quotes, whatever state they are in.

The rules:

1. What RFC 4180 allows is read by it; a quote inside a cell that is not quoted stays as it is.
2. In a quoted cell, a quote that no separator or line end follows belongs to the cell.
3. A quoted cell may go on in the next lines, for 64 KiB. Where it ends in no proper way, its
   quote was never closed: the line that it began in is a row by itself, and reading goes on
   with the next line, so that one lone quote spoils one row.
4. A row over several lines that has as many cells as the header is one row, whatever its lines
   look like. Only where each of them would be a row itself, of that length and with an address,
   it is not known which was meant: a file of the platform, which a program writes, is taken at
   its word; in contacts the first line is a row by itself, so that two lone quotes in one column
   swallow nobody. Fifty such lines, one below the other, are rows in any file.
5. In a row of any other length the quote was never closed if the cell holds what looks like rows,
   each a line with an address for a cell, or if its last line looks like one and the row is longer
   than the header. So no lone quote swallows the rows up to the next one.
6. Going back costs time. Where it comes to more than the length of the text, no cell goes on in
   the next line any more, so that no file takes more than a few times as long as another.
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
"""So many whole rows in one quoted cell, one below another: its quote was never closed. Chosen:
nobody pastes a longer table into a cell, and few lines are read twice."""

MOST_RECORD_CHARS: Final = 64 * 1024
FREE_WASTE_CHARS: Final = 8 * 1024 * 1024


@attrs.define
class Rows:
    """Rows as they were read; each index is one of `rows`.

    Attributes:
        rows: The cells.
        lines: The line in which each begins, counted from the first of the text.
        broken: Rows with a line break in a cell.
        unclosed: Rows whose quote is never closed.
        stray: Rows with a quote that should have been doubled.
    """

    rows: list[list[str]] = attrs.field(factory=list)
    lines: list[int] = attrs.field(factory=list)
    broken: list[int] = attrs.field(factory=list)
    unclosed: list[int] = attrs.field(factory=list)
    stray: list[int] = attrs.field(factory=list)


class QuotedReader:
    """Reads text of which it sees a block at a time.

    Args:
        separator: Between cells, a single character.
        width: How many cells the header has; None if its first line does not show it.
        trusts_quotes: Whether a program wrote the file, so that its quotes are meant.
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

        Returns: The rows, blank lines among them, and the text of a last one that may go on in
            the next block.
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
        """Tell whether a row over several lines holds no other."""
        if self._width in {None, len(row)}:
            return self._trusts_quotes or source.others > 0 or not self._is_whole_row(source.last)
        if self._width < len(row) and _is_row(source.last, self._separator):
            return False
        return not any(_holds_rows(cell, self._separator) for cell in row if "\n" in cell)

    def _is_whole_row(self, line: str) -> bool:
        """Tell whether a line would be a row by itself, with or without regard to its quotes."""
        width, cells = self._width or 0, line.count(self._separator) + 1
        # A space follows a comma in prose. In a table that has it so, no quote behind it opens a
        # cell, so that none can be left open.
        if cells < width or f"{self._separator} " in line:
            return False
        is_long = cells > width and len(split_line(line, self._separator)[0]) != width
        return not is_long and _has_address(line, self._separator)

    def _take_plain(self, found: Rows, line: str, start: int) -> None:
        found.rows.append(line.split(self._separator))
        found.lines.append(start)
        self._position_chars += len(line) + 1

    def _take(self, found: Rows, source: _Lines, row: list[str]) -> int:
        """Add a row that was read well, and return of how many lines it was."""
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
        """Add a row of the first line alone."""
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
    """Lines for one record, as the csv module wants them; it takes more as long as a quote is open.

    Attributes:
        start: The index of the first line.
        taken: How many were taken.
        others: How many of them, but for the last one, would be no row themselves.
        ran_out: Whether one more was asked for than there are.
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
        """The last line that was taken."""
        return self._lines[self.start + self.taken - 1]

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.taken and not self._may_go_on():
            raise StopIteration
        if self.start + self.taken == len(self._lines):
            self.ran_out = True
            raise StopIteration
        line = self._lines[self.start + self.taken] + "\n"
        self.taken += 1
        self.taken_chars += len(line)
        return line

    def _may_go_on(self) -> bool:
        """Tell whether a cell may go on behind the lines that were taken."""
        if self._is_row(self.last):
            self._rows += 1
        else:
            self._rows = 0
            self.others += 1
        return self.taken_chars < self._most_chars and self._rows < _MOST_ROWS_IN_A_CELL


def _holds_rows(cell: str, separator: str) -> bool:
    """Tell whether the lines of a cell look like rows."""
    if "@" not in cell:
        return False
    first, *others = cell.split("\n")
    # The first line is the rest of one, so that what stands before a separator is no whole cell.
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
