"""Small things about text that several rules need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ["fold", "shorten", "with_lines"]


def fold(text: str) -> str:
    """Return a text without white space and case."""
    return "".join(text.split()).casefold()


def shorten(text: str, most: int = 60) -> str:
    """Return a text in one line and of bounded length, fit for a message."""
    line = " ".join(text[: most * 4].split())
    return line if len(line) <= most else line[: most - 1] + "…"


def with_lines(
    matches: Iterable[re.Match[str]], line: int = 1
) -> Iterator[tuple[re.Match[str], int]]:
    """Number the matches of one text, in order, by the lines that they begin in.

    Args:
        line: The line that the text begins in.
    """
    at = 0
    for match in matches:
        line += match.string.count("\n", at, match.start())
        at = match.start()
        yield match, line
