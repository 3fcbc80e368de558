"""Breaks lines of 中文, which has no spaces between its words, and letters of two columns.

A line can break between two characters if one of them is wide. Closing punctuation does not begin
a line, and an opening bracket does not end one (避頭尾). Latin words break at spaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console, Group, JustifyMethod, OverflowMethod
from rich.containers import Lines
from rich.text import Text

__all__ = ["WideConsole", "WideText", "has_wide", "line_starts", "wrapped_lines"]

_NOT_FIRST: Final = frozenset("，。、；：？！）」』】〉》…,.;:?!)]}%")
_NOT_LAST: Final = frozenset("（「『【〈《([{")


def has_wide(text: str) -> bool:
    """Return whether a text has a letter of two columns."""
    return not text.isascii() and cell_len(text) > len(text)


def wrapped_lines(text: str, width: int) -> list[str]:
    """Return the lines of a text, without the spaces at their ends.

    Args:
        text: The text, without line breaks.
        width: The columns of a line.
    """
    starts = [0, *line_starts(text, width)]
    ends = [*starts[1:], len(text)]
    return [text[start:end].rstrip(" ") for start, end in zip(starts, ends, strict=True)]


def line_starts(text: str, width: int) -> list[int]:
    """Return the indices at which all lines but the first begin.

    Args:
        text: The text, without line breaks.
        width: The columns of a line.
    """
    found, columns = [], 0
    for start, end in _pieces(text):
        piece = text[start:end]
        size = cell_len(piece.rstrip(" "))
        if columns and columns + size > width:
            found.append(start)
            columns = 0
        if size <= width:
            columns += cell_len(piece)
            continue
        # No line has room for this word.
        for place in range(start, end):
            letter = cell_len(text[place])
            if columns and columns + letter > width:
                found.append(place)
                columns = 0
            columns += letter
    return found


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each part of a text in which no line breaks."""
    start = 0
    for place in range(1, len(text)):
        if _can_break(text[place - 1], text[place]):
            yield start, place
            start = place
    if text:
        yield start, len(text)


def _can_break(before: str, after: str) -> bool:
    if after == " " or after in _NOT_FIRST or before in _NOT_LAST:
        return False
    return before == " " or cell_len(before) == 2 or cell_len(after) == 2


class WideText(Text):
    """A text that breaks its lines like this if it has wide letters, and otherwise as rich does."""

    def wrap(
        self,
        console: Console,
        width: int,
        *,
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        tab_size: int = 8,
        no_wrap: bool | None = None,
    ) -> Lines:
        """Return the lines; rich calls this when it knows their width."""
        is_one_line = no_wrap or self.no_wrap or overflow == "ignore"
        if is_one_line or justify not in (None, "default", "left") or not has_wide(self.plain):
            return super().wrap(
                console,
                width,
                justify=justify,
                overflow=overflow,
                tab_size=tab_size,
                no_wrap=no_wrap,
            )
        lines = Lines()
        for line in self.split(allow_blank=True):
            lines.extend(line.divide(line_starts(line.plain, width)))
        for line in lines:
            line.rstrip_end(width)
        if justify == "left":
            # The rest of the line gets the style of the text, as in rich's own lines.
            lines.justify(console, width, justify="left", overflow=overflow or "fold")
        return lines


class WideConsole(Console):
    """A console that breaks the lines of all texts like this, and not only of `WideText`.

    rich makes a text of its own of what is printed alone.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """Print something; see rich."""
        if len(objects) == 1 and "end" not in options:
            objects = (_with_own_lines(objects[0]),)
        super().print(*objects, **options)


def _with_own_lines(printed: Any) -> Any:
    """Return a text with wide letters in a group, in which rich leaves it as it is."""
    # A bracket can be the markup of rich.
    if isinstance(printed, str) and "[" not in printed:
        printed = Text(printed)
    if not (isinstance(printed, Text) and has_wide(printed.plain)):
        return printed
    spans = list(printed.spans)
    return Group(WideText(printed.plain, style=printed.style, end=printed.end, spans=spans))
