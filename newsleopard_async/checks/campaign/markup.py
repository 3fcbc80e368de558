"""What a page of HTML consists of, as far as the rules ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

__all__ = ["INLINE_TAG", "Content", "Piece", "Tag"]

INLINE_TAG: Final = (
    r"<(?:!--\n{0,50}--|/?(?:a|abbr|b|big|br|code|del|em|font|i|ins|mark|o:p|s|small|span|strike"
    r"|strong|sub|sup|tt|u|wbr)\b[^<>]{0,500})>"
)
"""The pattern of a tag, or comment, that may stand inside a word."""


@attrs.frozen
class Tag:
    """A start tag; names are in lower case, a value that is missing is empty."""

    name: str
    line: int
    attributes: Mapping[str, str]


@attrs.frozen
class Piece:
    """A run of text, and the line that it begins in."""

    text: str
    line: int


@attrs.frozen
class Content:
    """What is seen of some HTML, the tags that have attributes, and the style sheets."""

    texts: Sequence[Piece]
    attributed: Sequence[Tag]
    styles: Sequence[Piece]
