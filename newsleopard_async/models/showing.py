"""Text of somebody else's, made fit to be shown."""

from __future__ import annotations

import unicodedata

__all__ = ["shown"]


def shown(name: str) -> str:
    """Return a name as messages show it: nothing in it steers a terminal, or hides."""
    if name.isprintable():
        return name
    return "".join(map(_shown_character, name))


def _shown_character(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode()
