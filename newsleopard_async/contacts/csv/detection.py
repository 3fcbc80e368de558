"""Detects the encoding of a CSV by strict decoding of the whole file, never by statistics.

The rules, in this order:

1. A file that begins like a workbook, an archive or an image is not text.
2. The caller's encoding is used if Python supports it, and so is a byte order mark.
3. UTF-8, if the whole file is valid UTF-8.
4. CP950 (Big5), if the whole file is valid CP950; a warning reports it. If it can also be GB2312,
   EUC-KR or Latin-1, the caller must choose.
5. Anything else is refused with the line and the bytes, because a wrong guess would send mails
   with wrong names.

Big5 is read as CP950, the encoding that Windows writes: it contains Big5 and the characters 碁, 恒,
裏, 粧, 嫺, 銹, 墻 and €. Kana and Cyrillic are read only as Big5-HKSCS.
"""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Iterator
from typing import Final

import attrs

from newsleopard_async.contacts.csv.decoding import Measure, StrictDecoder
from newsleopard_async.contacts.csv.magic import finding_of_magic
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models.findings import Finding, Level

__all__ = ["BLOCK_BYTES", "ENCODINGS", "Blocks", "DetectedFormat", "EncodingDetector"]

BLOCK_BYTES: Final = 256 * 1024
"""Chosen: the rows of a block take little memory, and few calls are needed for a file."""


class Blocks:
    """Cuts bytes into blocks, and stores less than one block."""

    def __init__(self) -> None:
        self._size_bytes = BLOCK_BYTES
        self._held: list[bytes] = []
        self._held_bytes = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the full blocks; iterate to the end before the next call."""
        self._held.append(piece)
        self._held_bytes += len(piece)
        if self._held_bytes < self._size_bytes:
            return
        whole = b"".join(self._held)
        end = len(whole) - len(whole) % self._size_bytes
        self._held = [whole[end:]]
        self._held_bytes = len(whole) - end
        for begin in range(0, end, self._size_bytes):
            yield whole[begin : begin + self._size_bytes]

    def rest(self) -> bytes:
        """Return and forget the remaining bytes."""
        rest = b"".join(self._held)
        self._held, self._held_bytes = [], 0
        return rest


ENCODINGS: Final = (
    *("utf-8", "utf-16", "big5", "cp950", "big5hkscs"),
    *("gb18030", "shift_jis", "euc_kr", "cp1252"),
)
"""Examples for the message about an unknown encoding, by Python's names."""

_NO_FILES: Final = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
)
"""Python's text encodings that no file is written in."""

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    # Before UTF-16, because this mark begins with the mark of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE: Final = ("utf-16", "utf-32")
_CONTROLLED: Final = (*_WIDE, "iso2022")
"""Encodings in which text has many bytes that are control characters in ASCII."""

_NAMES: Final = {"cp950": "CP950 (Big5)", "big5hkscs": "Big5-HKSCS"}
_MEANT: Final = {"utf-8-sig": "utf-8", "big5": "cp950"}
"""The codecs that callers mean by these names."""

_CONTROLS: Final = bytes({*range(32), 127} - set(b"\t\n\r"))


@attrs.frozen(kw_only=True)
class DetectedFormat:
    """How to read a file.

    Attributes:
        encoding: The codec of the text after the mark; None if the file cannot be read, and the
            findings give the reason.
        mark_bytes: The length of the byte order mark, which is not part of the text.
        findings: The findings about the encoding.
        continued: The lines of a workbook's CSV that continue the row before; they are not
            counted, so that line numbers are Excel's row numbers.
    """

    encoding: str | None
    mark_bytes: int = 0
    findings: tuple[Finding, ...] = ()
    continued: tuple[int, ...] = ()


@attrs.frozen
class _BadLine:
    line: int
    hex: str
    is_of_eten: bool

    def __str__(self) -> str:
        return f"{self.line} has the bytes {self.hex}"


class EncodingDetector:
    """Reads a file once, in constant memory, and returns how to decode it.

    Args:
        encoding: The caller's encoding, by any name of Python; None detects it.

    Raises:
        InvalidRequest: the encoding is unknown, or is not an encoding of text files.
    """

    def __init__(self, encoding: str | None = None) -> None:
        self._said = None if encoding is None else _codec_said(encoding)
        self._blocks = Blocks()
        self._has_begun = False
        self._mark_bytes = 0
        self._marked: str | None = None
        self._decoders: list[StrictDecoder] = []
        self._failed: dict[str, _BadLine] = {}
        self._measure = Measure()
        self._fatal: Finding | None = None

    def feed(self, piece: bytes) -> bool:
        """Read the next bytes; return False if the rest need not be read."""
        for block in self._blocks.feed(piece):
            if self._fatal is not None:
                break
            self._take_block(block)
        return self._fatal is None

    def finish(self) -> DetectedFormat:
        """Return the format, after all bytes were fed or `feed` returned False."""
        if self._fatal is None:
            self._take_block(self._blocks.rest(), is_last=True)
        if self._fatal is None and self._measure.is_blank:
            self._fatal = _error(
                "empty-file",
                "has no content; begin with a line EMAIL,NAME, then one line for each contact",
            )
        if self._fatal is None:
            self._fatal = self._ambiguous(self._decoders[0])
        if self._fatal is not None:
            return DetectedFormat(encoding=None, findings=(self._fatal,))
        codec = self._decoders[0].codec
        return DetectedFormat(
            encoding=codec, mark_bytes=self._mark_bytes, findings=tuple(self._remarks(codec))
        )

    def _take_block(self, block: bytes, *, is_last: bool = False) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._begin(block)
            block = block[self._mark_bytes :]
        if self._fatal is None:
            self._decode(block, is_last=is_last)

    def _begin(self, head: bytes) -> None:
        """Select the possible encodings by the beginning of the file."""
        self._read_mark(head)
        self._fatal = finding_of_magic(head) or self._contradiction(head)
        known = self._said or self._marked
        possible = (known,) if known else ("utf-8", "cp950")
        if self._fatal is None:
            self._decoders = [StrictDecoder(codec) for codec in possible]

    def _read_mark(self, head: bytes) -> None:
        for mark, codec in _MARKS:
            if head.startswith(mark):
                self._marked = codec
                # Files that were joined can have several marks.
                while head.startswith(mark, self._mark_bytes):
                    self._mark_bytes += len(mark)
                break
        if self._said in _WIDE and (self._marked or "").startswith(self._said):
            self._said = self._marked

    def _contradiction(self, head: bytes) -> Finding | None:
        """Return why the beginning excludes all possible encodings."""
        if self._said is None and (self._marked or "").startswith("utf-32"):
            return _error("encoding", "is UTF-32; use encoding='utf-32', or save it as UTF-8")
        if self._marked is not None:
            return self._wrong_mark(self._marked)
        if self._said not in _WIDE and (self._said or "").startswith(_CONTROLLED):
            return None
        if self._said == "utf-32":
            return _mark_missing(self._said)
        if (unmarked := _unmarked_utf16(head)) is not None:
            return _error(
                "encoding",
                f"looks like UTF-16 without a byte order mark; use encoding={unmarked!r}, or save "
                "it as UTF-8",
            )
        if self._said == "utf-16":
            return _mark_missing(self._said)
        return _BINARY if _is_binary(head, most_percent=25) else None

    def _wrong_mark(self, marked: str) -> Finding | None:
        if self._said in {None, marked}:
            return None
        return _error(
            "encoding",
            f"begins with the byte order mark of {_name(marked)}, which is not the encoding of "
            "encoding=; remove the argument",
        )

    def _decode(self, block: bytes, *, is_last: bool) -> None:
        """Decode a block in all encodings that are still possible."""
        measured = block
        for decoder in tuple(self._decoders):
            measured = decoder.decode(block, is_last=is_last)
            if (bad := decoder.failed) is not None:
                self._decoders.remove(decoder)
                line = self._measure.lines + self._measure.lines_in(bad.before) + 1
                self._failed[bad.codec] = _BadLine(line, bad.hex, bad.is_of_eten)
        if not self._decoders:
            self._fatal = self._undecodable(block)
            return
        self._measure.add(measured)
        if self._measure.endless is not None:
            self._fatal = _endless(self._measure.endless, self._measure.lines + 1)

    def _undecodable(self, block: bytes) -> Finding:
        is_controlled = any(codec.startswith(_CONTROLLED) for codec in self._failed)
        if not is_controlled and _is_binary(block, most_percent=4):
            return _BINARY
        # UTF-8 comes first in the message, because the file should be UTF-8.
        codec, *others = sorted(self._failed, key=lambda codec: codec != "utf-8")
        place = self._failed[codec]
        tried = "".join(
            f", and line {self._failed[other]}, which are not {_name(other)}" for other in others
        )
        return _error(
            "encoding",
            f"cannot be decoded: line {place}, which are not {_name(codec)}{tried}; "
            f"{self._remedy()}",
            line=place.line,
        )

    def _remedy(self) -> str:
        if any(place.is_of_eten for place in self._failed.values()):
            if self._said:
                return "use encoding='big5hkscs', which has them, or save it as UTF-8"
            return (
                "if it is Big5 with Japanese or Cyrillic letters, use encoding='big5hkscs', "
                "which has them; otherwise save it as UTF-8"
            )
        if self._said:
            return "remove encoding=, or name the right one"
        return "save it as UTF-8, or name its encoding by encoding="

    def _ambiguous(self, decoder: StrictDecoder) -> Finding | None:
        """Return why it is uncertain that this encoding, which fits, is the right one."""
        lookalike = decoder.traits and decoder.traits.lookalike()
        if self._said or not lookalike:
            return None
        place = self._failed["utf-8"]
        return _error(
            "encoding",
            f"is not UTF-8 (line {place}), and fits {_name(decoder.codec)}, but {lookalike} as "
            f"well; use encoding={decoder.codec!r} if it is Big5, or save it as UTF-8",
            line=place.line,
        )

    def _remarks(self, codec: str) -> Iterator[Finding]:
        if self._marked == "utf-8":
            yield _finding(
                "note", "byte-order-mark", "begins with a byte order mark, which is removed"
            )
        if codec == "utf-8":
            return
        if self._said or self._marked:
            by = "as requested" if self._said else "by its byte order mark"
            yield _finding("note", "encoding", f"is {_name(codec)}, {by}; UTF-8 is written")
            return
        place = self._failed["utf-8"]
        yield _finding(
            "warning",
            "encoding",
            f"is not UTF-8 (line {place}), and was read as {_name(codec)}, which fits all of it; "
            f"check that the names are right; then use encoding={codec!r}, or save it as UTF-8",
            line=place.line,
        )


def _mark_missing(codec: str) -> Finding:
    return _error(
        "encoding",
        f"has no byte order mark to show which {_name(codec)} it is; use encoding='{codec}-le' or "
        f"encoding='{codec}-be'",
    )


def _codec_said(encoding: object) -> str:
    if isinstance(encoding, str) and encoding.isascii() and "\0" not in encoding:
        with contextlib.suppress(LookupError):
            name = codecs.lookup(encoding).name
            # Python's transformations that are not encodings, such as base64, raise LookupError.
            with contextlib.suppress(UnicodeError):
                b"a".decode(name)
            if name not in _NO_FILES:
                return _MEANT.get(name, name)
    raise InvalidRequest.of(
        "encoding",
        "choice",
        f"must be a text encoding of Python, such as {', '.join(ENCODINGS)}, not {encoding!r:.40}",
    )


def _name(codec: str) -> str:
    return _NAMES.get(codec, codec.upper())


def _unmarked_utf16(head: bytes) -> str | None:
    """Recognise UTF-16 by its NULs: every second byte of ASCII in UTF-16 is one."""
    pairs = len(head) // 2
    high, low = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
    if pairs < 2 or max(high, low) * 5 < pairs or min(high, low) * 10 > max(high, low):
        return None
    codec = "utf-16-le" if low > high else "utf-16-be"
    is_binary = _is_binary(head.decode(codec, "replace").encode(), most_percent=4)
    return None if is_binary else codec


def _is_binary(block: bytes, *, most_percent: int) -> bool:
    """Recognise binary data by the share of control characters; text can have one or two."""
    controls = len(block) - len(block.translate(None, _CONTROLS))
    return controls >= 4 and controls * 100 > len(block) * most_percent


def _endless(kind: str, line: int) -> Finding:
    if kind == "columns":
        return _error(
            "column-count",
            f"has over 1 MiB in line {line}, with many separators, and at most 1,000 columns are "
            "allowed; check whether the line ends were lost",
            line=line,
        )
    return _error(
        "not-text",
        f"has over 1 MiB in line {line} without its end, so it is not a CSV file; write one line "
        "for each contact",
        line=line,
    )


def _error(rule: str, message: str, *, line: int | None = None) -> Finding:
    return _finding("error", rule, message, line=line)


def _finding(level: Level, rule: str, message: str, *, line: int | None = None) -> Finding:
    places = () if line is None else (line,)
    return Finding(level=level, rule=rule, message=message, line=line, places=places)


_BINARY: Final = _error(
    "not-text", "is not text but binary data; export the contacts as CSV in UTF-8"
)
