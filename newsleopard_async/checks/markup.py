"""The parts of HTML that the rules read, and texts for their messages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import attrs

from newsleopard_async.models.damage import HIDDEN

__all__ = [
    "INLINE_TAG",
    "OutlookContent",
    "Piece",
    "Tag",
    "fold",
    "shorten",
    "with_lines",
    "write_out",
]

INLINE_TAG: Final = (
    r"<(?:!--\n{0,50}--|/?(?:a|abbr|b|big|br|code|del|em|font|i|ins|mark|o:p|s|small|span|strike"
    r"|strong|sub|sup|tt|u|wbr)\b[^<>]{0,500})>"
)
"""The pattern of a tag or comment that can occur inside a word."""


@attrs.frozen
class Tag:
    """A start tag; names are in lower case, and a missing value is empty."""

    name: str
    line: int
    attributes: Mapping[str, str]


@attrs.frozen
class Piece:
    """A piece of text, and the line in which it begins."""

    text: str
    line: int


@attrs.frozen
class OutlookContent:
    """The content for Outlook: visible texts, tags with attributes, and style sheets.

    Attributes:
        broken: The source of tags without an end, or that continue after their intended end.
    """

    texts: Sequence[Piece]
    attributed: Sequence[Tag]
    styles: Sequence[Piece]
    broken: Sequence[Piece]


def fold(text: str) -> str:
    """Return a text for comparison, without white space, case and invisible characters."""
    seen = text if text.isascii() else unicodedata.normalize("NFC", HIDDEN.sub("", text))
    return "".join(seen.split()).casefold()


_BREAK: Final = re.compile("[\t-\r\x1c-\x20\x85\u2028\u2029]+")
_UNSEEN: Final = re.compile(rf"(?! )\s|{HIDDEN.pattern}")


def write_out(text: str) -> str:
    r"""Return a text with invisible characters and unusual blanks as escapes, like ``\u200b``."""
    return _UNSEEN.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def shorten(text: str, most: int = 60) -> str:
    """Return a text for a message: one line of limited length."""
    line = write_out(_BREAK.sub(" ", text[: most * 4]).strip(" "))
    return line if len(line) <= most else line[: most - 1] + "…"


def with_lines(
    matches: Iterable[re.Match[str]], line: int = 1
) -> Iterator[tuple[re.Match[str], int]]:
    """Yield the matches of one text, in order, with the lines in which they begin.

    Args:
        line: The line in which the text begins.
    """
    at = 0
    for match in matches:
        line += match.string.count("\n", at, match.start())
        at = match.start()
        yield match, line
