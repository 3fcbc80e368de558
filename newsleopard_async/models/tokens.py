"""Text from the server that has known values, of which an unknown one is kept."""

from __future__ import annotations

from typing import ClassVar

__all__ = ["Token"]


class Token(str):
    """A word of the platform: equal to its text, and not limited to the known words."""

    __slots__ = ()

    known: ClassVar[frozenset[str]] = frozenset()

    @property
    def is_known(self) -> bool:
        """Whether this version of the library knows the word."""
        return self in self.known

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"
