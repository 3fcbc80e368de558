"""Bytes decoded strictly and measured, block by block, without being kept."""

from __future__ import annotations

import codecs
from typing import Final, Literal

import attrs

__all__ = ["BadBytes", "Measure", "StrictDecoder", "count_ends"]

MOST_LINE_BYTES: Final = 1024 * 1024
"""A longer line is taken to have no end; no contact comes near it."""

_MOST_SHOWN_BYTES: Final = 4
_SEPARATORS: Final = (b",", b";", b"\t", b"|")


@attrs.frozen
class BadBytes:
    """The first bytes that are not of an encoding.

    Attributes:
        before: What was decoded together with them and stands before them, in UTF-8.
        hex: The bytes themselves, at most four.
    """

    codec: str
    before: bytes
    hex: str


class StrictDecoder:
    """Decodes until the first bytes that are not of the encoding.

    Attributes:
        codec: The encoding.
        failed: Where it ended, or None.
    """

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self.failed: BadBytes | None = None
        self._is_wide = codec.startswith("utf-16")
        self._decoder = codecs.getincrementaldecoder(codec)()

    def decode(self, block: bytes, *, is_last: bool = False) -> bytes:
        """Decode the next bytes, and return them in an encoding whose line ends are ASCII's."""
        if self._is_wide:
            return self._decode(block, is_last).encode()
        # Most files are mostly ASCII, which need not be decoded to be judged.
        if not block.isascii() or self._decoder.getstate()[0]:
            self._decode(block, is_last)
        return block

    def _decode(self, block: bytes, is_last: bool) -> str:
        try:
            return self._decoder.decode(block, is_last)
        except UnicodeDecodeError as error:
            bad = error.object[error.start : error.end][:_MOST_SHOWN_BYTES]
            before = error.object[: error.start].decode(self.codec).encode()
            self.failed = BadBytes(self.codec, before, bad.hex(" "))
        return ""


class Measure:
    """Counts lines, and sees where one does not end.

    Attributes:
        lines: Line ends so far: LF, CRLF or CR.
        is_blank: Whether there was nothing but blank space.
        endless: Set where a line goes on for over 1 MiB: whether it is one of many columns.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.is_blank = True
        self.endless: Literal["columns", "text"] | None = None
        self._line_bytes = 0
        self._ends_in_cr = False

    def add(self, block: bytes) -> None:
        """Measure the next bytes."""
        self.is_blank = self.is_blank and not block.strip()
        first, last = _ends(block)
        if self._line_bytes + first > MOST_LINE_BYTES:
            self.endless = _kind_of_line(block)
            return
        self._line_bytes = len(block) - last - 1 + (self._line_bytes if last < 0 else 0)
        self.lines += self.lines_in(block)
        self._ends_in_cr = block.endswith(b"\r")

    def lines_in(self, block: bytes) -> int:
        """Count the line ends in what follows; the two of CRLF may stand in two blocks."""
        return count_ends(block) - (self._ends_in_cr and block.startswith(b"\n"))


def count_ends(block: bytes) -> int:
    """Count the line ends: LF, CRLF or CR."""
    lines = block.count(b"\n")
    if b"\r" in block:
        lines += block.count(b"\r") - block.count(b"\r\n")
    return lines


def _ends(block: bytes) -> tuple[int, int]:
    """Return where the first line end is, or the length; and the last one, or -1."""
    first, last = block.find(b"\n"), block.rfind(b"\n")
    if b"\r" in block:
        other = block.find(b"\r")
        first, last = other if first < 0 else min(first, other), max(last, block.rfind(b"\r"))
    return len(block) if first < 0 else first, last


def _kind_of_line(block: bytes) -> Literal["columns", "text"]:
    separators = max(block.count(separator) for separator in _SEPARATORS)
    return "columns" if separators * 1_000 > len(block) else "text"
