"""What a page of HTML consists of, as far as the rules ask."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

__all__ = ["Piece", "Tag"]


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
