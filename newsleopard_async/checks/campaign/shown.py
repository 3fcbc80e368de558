"""Whether anything of a mail's text is shown, where preheaders are padded and hidden."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from newsleopard_async.checks.campaign.markup import Tag

__all__ = ["Shown"]

_NOT_DISPLAYED: Final = re.compile(r"\bdisplay\s*:\s*none\b", re.IGNORECASE)
_VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
"""Elements that have no end tag and no text."""

_JOINER: Final = "\u034f"
"""Takes no room, and is no format character to Unicode."""


class Shown:
    """Follows a mail's tags and texts, and remembers whether one was shown; for one use."""

    def __init__(self) -> None:
        self._has_shown = False
        self._has_hidden = False
        self._hiding: str | None = None
        self._depth = 0

    @property
    def anything(self) -> bool:
        """Whether there was text; an element that is never closed is not trusted to hide it."""
        return self._has_shown or (self._hiding is not None and self._has_hidden)

    def open(self, tag: Tag) -> None:
        """Note a start tag."""
        if self._hiding is None and _hides(tag):
            self._hiding = tag.name
        if self._hiding == tag.name:
            self._depth += 1

    def close(self, name: str) -> None:
        """Note an end tag."""
        if self._hiding == name:
            self._depth -= 1
            self._hiding = name if self._depth else None

    def take(self, text: str) -> None:
        """Note a text."""
        if self._hiding is None:
            self._has_shown = self._has_shown or _is_visible(text)
        else:
            self._has_hidden = self._has_hidden or _is_visible(text)


def _hides(tag: Tag) -> bool:
    style = tag.attributes.get("style", "")
    return tag.name not in _VOID and _NOT_DISPLAYED.search(style) is not None


def _is_visible(text: str) -> bool:
    return not all(
        char.isspace() or char == _JOINER or unicodedata.category(char) == "Cf" for char in text
    )
