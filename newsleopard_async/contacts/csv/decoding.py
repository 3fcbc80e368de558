"""Decodes bytes strictly and measures lines, block by block, without storing the text."""

from __future__ import annotations

import codecs
from typing import Final, Literal

import attrs

from newsleopard_async.contacts.csv.big5_lookalikes import Big5Traits, find_misread, is_of_eten

__all__ = ["BadBytes", "Measure", "StrictDecoder", "count_ends"]

MOST_LINE_BYTES: Final = 1024 * 1024
"""Chosen: no contact is nearly as long; a longer line means that the line ends were lost."""

_MOST_SHOWN_BYTES: Final = 4
"""Chosen: the length of the longest character of UTF-8 and GB18030."""
_ASCII_ENDS: Final = frozenset({"utf-8", "cp950", "big5hkscs"})
"""The codecs in which the bytes CR and LF are always line ends; text of others is decoded first."""

_SEPARATORS: Final = (b",", b";", b"\t", b"|")


@attrs.frozen
class BadBytes:
    """The first bytes that are invalid in an encoding.

    Attributes:
        codec: The encoding.
        before: The text before them that was decoded in the same block, in UTF-8.
        hex: The bytes, at most four.
        is_of_eten: Whether they seem to be Big5 of the extension ETEN, which CP950 lacks.
    """

    codec: str
    before: bytes
    hex: str
    is_of_eten: bool


class StrictDecoder:
    """Decodes until the first invalid bytes.

    Attributes:
        codec: The encoding.
        failed: The first invalid bytes, or None.
        traits: The traits of text in CP950; None for other encodings.
    """

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self.failed: BadBytes | None = None
        self.traits: Big5Traits | None = Big5Traits() if codec == "cp950" else None
        self._decoder = codecs.getincrementaldecoder(codec)()

    def decode(self, block: bytes, *, is_last: bool = False) -> bytes:
        """Decode the next bytes, and return them in an encoding with the line ends of ASCII."""
        if self.codec not in _ASCII_ENDS:
            return self._encoded(self._decode(block, is_last))
        # Most files are mostly ASCII, which is valid without decoding.
        is_plain = block.isascii() and not self._decoder.getstate()[0]
        text = block.decode("ascii") if is_plain else self._decode(block, is_last)
        if self.traits is not None:
            self.traits.add(block, text)
            if not text.isascii():
                self._find_misread(text)
        return block

    def _encoded(self, text: str) -> bytes:
        """Return text as UTF-8, up to half of a surrogate pair, which UTF-7 can contain."""
        try:
            return text.encode()
        except UnicodeEncodeError as error:
            before, half = text[: error.start], text[error.start]
        self._fail(before, half.encode(self.codec)[:_MOST_SHOWN_BYTES])
        return before.encode()

    def _decode(self, block: bytes, is_last: bool) -> str:
        """Decode the next bytes, or the bytes before the first invalid ones."""
        state = self._decoder.getstate()
        try:
            return self._decoder.decode(block, is_last)
        except UnicodeDecodeError as error:
            begin, whole = error.start, error.object
            bad = whole[begin : error.end][:_MOST_SHOWN_BYTES]
        # The state before the block can change the meaning of these bytes.
        self._decoder.setstate(state)
        before = self._decoder.decode(block[: max(0, begin - (len(whole) - len(block)))])
        pair = whole[begin : begin + 2]
        self._fail(before, pair if self.codec == "cp950" and is_of_eten(pair) else bad)
        return before

    def _find_misread(self, text: str) -> None:
        if (misread := find_misread(text)) is not None:
            self._fail(text[: misread.start()], misread[0].encode(self.codec))

    def _fail(self, before: str, bad: bytes) -> None:
        is_eten = self.codec == "cp950" and is_of_eten(bad)
        if is_eten:
            # GB2312 and EUC-KR also have these bytes; then Big5-HKSCS would be wrong advice.
            traits = Big5Traits()
            traits.add(before.encode(self.codec), before)
            is_eten = traits.lookalike() is None
        self.failed = BadBytes(self.codec, before.encode(), bad.hex(" "), is_eten)


class Measure:
    """Counts lines, and finds a line without an end.

    Attributes:
        lines: The number of line ends so far: LF, CRLF or CR.
        is_blank: Whether the bytes so far are only blank space.
        endless: Set if a line is longer than 1 MiB: whether it has many columns or is text.
    """

    def __init__(self) -> None:
        self.lines: int = 0
        self.is_blank: bool = True
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
        """Count the line ends in the next block; CRLF can be split between two blocks."""
        return count_ends(block) - (self._ends_in_cr and block.startswith(b"\n"))


def count_ends(block: bytes) -> int:
    """Count the line ends: LF, CRLF or CR."""
    lines = block.count(b"\n")
    if b"\r" in block:
        lines += block.count(b"\r") - block.count(b"\r\n")
    return lines


def _ends(block: bytes) -> tuple[int, int]:
    """Return the index of the first line end, or the length; and of the last one, or -1."""
    first, last = block.find(b"\n"), block.rfind(b"\n")
    if b"\r" in block:
        other = block.find(b"\r")
        first, last = other if first < 0 else min(first, other), max(last, block.rfind(b"\r"))
    return len(block) if first < 0 else first, last


def _kind_of_line(block: bytes) -> Literal["columns", "text"]:
    separators = max(block.count(separator) for separator in _SEPARATORS)
    return "columns" if separators * 1_000 > len(block) else "text"
