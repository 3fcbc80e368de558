"""Reads the rows of a CSV and their line numbers, piece by piece."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import attrs

from newsleopard_async.contacts.csv.batch import Batch, Column
from newsleopard_async.contacts.csv.columns import NEVER_IN_UTF8, columns_of
from newsleopard_async.contacts.csv.detection import Blocks, DetectedFormat, EncodingDetector
from newsleopard_async.contacts.csv.quoted import QuotedReader
from newsleopard_async.contacts.csv.separators import (
    COMMA,
    choose_separator,
    hinted_separator,
    split_line,
)
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models.validation import raise_problems

__all__ = ["RowReader", "iterate_rows"]

_FEWEST_COLUMNS: Final = 2
"""In a single column, blank lines and rows cannot be distinguished by their cells."""


class RowReader:
    """Reads rows from bytes of a detected format; memory does not grow with the file.

    Args:
        detected: The format.
        trusts_quotes: As for `QuotedReader`.

    Attributes:
        separator: The separator of the header; None before the header was read.
        first_line: The first line that is not blank, unchanged.
    """

    def __init__(self, detected: DetectedFormat, *, trusts_quotes: bool = False) -> None:
        self.separator: str | None = None
        self.first_line: str = ""
        codec = codecs.getincrementaldecoder(detected.encoding or "utf-8")()
        self._decoder = io.IncrementalNewlineDecoder(codec, translate=True)
        self._mark_bytes = detected.mark_bytes
        self._blocks = Blocks()
        self._trusts_quotes = trusts_quotes
        self._quoted: QuotedReader | None = None
        self._width = 0
        self._is_utf8 = detected.encoding == "utf-8"
        self._held = b""
        self._rest = ""
        self._next_line = 1
        self._has_broken_rows = False

    @property
    def has_mixed_line_ends(self) -> bool:
        """Whether the lines so far end in several ways, and not because of line breaks in cells."""
        return isinstance(self._decoder.newlines, tuple) and not self._has_broken_rows

    def feed(self, piece: bytes) -> list[Batch]:
        """Read the next bytes, and return the complete rows."""
        batches = [self._read(block) for block in self._blocks.feed(piece)]
        return [batch for batch in batches if batch.lines]

    def finish(self) -> list[Batch]:
        """Return the remaining rows."""
        batch = self._read(self._blocks.rest(), is_last=True)
        return [batch] if batch.lines else []

    def _read(self, block: bytes, *, is_last: bool = False) -> Batch:
        if self._is_utf8:
            block = self._whole_lines(block, is_last=is_last)
            if (batch := self._read_undecoded(block)) is not None:
                return batch
        text = self._rest + self._decode(block, is_last)
        if is_last:
            text = _ended(text)
        end = text.rfind("\n") + 1
        self._rest = text[end:]
        text = text[:end]
        if self._quoted is None:
            text = self._begin(text)
        if self._quoted is None:
            return Batch([], ())
        raw = text.encode()
        if (batch := self._read_even(self._quoted, raw)) is not None:
            return batch
        if '"' in text:
            return self._read_quoted(self._quoted, text, is_last)
        self._quoted.skip(len(text))
        rows = [line.split(self.separator or COMMA) for line in text.split("\n")]
        rows.pop()
        return Batch(rows, self._count_lines(raw), raw, is_as_read=True).without_blank_lines()

    def _whole_lines(self, block: bytes, *, is_last: bool) -> bytes:
        """Return the bytes up to the last line feed, and store the rest for the next block."""
        block = self._held + block
        end = 0 if is_last else block.rfind(b"\n") + 1
        end = end or len(block)
        self._held = block[end:]
        return block[:end]

    def _read_undecoded(self, block: bytes) -> Batch | None:
        """Read whole lines of UTF-8 without decoding them first; None if that is not possible.

        Only the cells are decoded, which makes the whole check a sixth faster.
        """
        quoted = self._quoted
        has_rest = self._rest or self._decoder.getstate() != (b"", 0)
        if quoted is None or has_rest or self._decoder.newlines != "\n":
            return None
        if b"\r" in block or not block.endswith(b"\n") or NEVER_IN_UTF8 in block:
            return None
        try:
            return self._read_even(quoted, block)
        except UnicodeDecodeError:
            # `_decode` raises the error.
            return None

    def _decode(self, block: bytes, is_last: bool) -> str:
        skipped = min(self._mark_bytes, len(block))
        self._mark_bytes -= skipped
        try:
            return self._decoder.decode(block[skipped:], is_last)
        except UnicodeDecodeError:
            pass
        # Raised outside of the except block, because the other error contains the contacts.
        raise InvalidRequest.of("contacts", "encoding", "changed while it was read; call again")

    def _begin(self, text: str) -> str:
        """Find the header, and return the text from the header."""
        begin = 0
        while (end := text.find("\n", begin)) >= 0:
            line = text[begin:end]
            hint = hinted_separator(line) if self.separator is None else None
            if line.strip() and hint is None:
                self.first_line = line
                self.separator = self.separator or choose_separator(line)
                cells, is_closed = split_line(line, self.separator)
                self._width = len(cells)
                # A line of one cell is possibly a title above the header.
                width = self._width if is_closed and self._width > 1 else None
                self._quoted = QuotedReader(
                    self.separator, width=width, trusts_quotes=self._trusts_quotes
                )
                break
            self.separator = self.separator or hint
            self._next_line += 1
            begin = end + 1
        return text[begin:]

    def _read_even(self, quoted: QuotedReader, raw: bytes) -> Batch | None:
        """Read rows that all have the header's width, as in nearly all files; None if they do not.

        This is ten times faster than row by row, because it needs no list for each row.
        """
        if self._width < _FEWEST_COLUMNS:
            return None
        found = columns_of(raw, (self.separator or COMMA).encode(), self._width)
        if found is None:
            return None
        columns, going = found
        quoted.skip(sum(len(column.joined) for column in columns))
        return Batch(None, self._count_lines(raw), going, columns=columns, is_as_read=True)

    def _count_lines(self, raw: bytes) -> range:
        begin = self._next_line
        self._next_line += raw.count(b"\n")
        return range(begin, self._next_line)

    def _read_quoted(self, quoted: QuotedReader, text: str, is_last: bool) -> Batch:
        found, rest = quoted.read(text, is_last=is_last)
        self._has_broken_rows |= bool(found.broken or found.unclosed)
        self._rest = rest + self._rest
        text = text.removesuffix(rest)
        raw = text.encode()
        lines = self._count_lines(raw)
        is_even = self._width >= _FEWEST_COLUMNS and all(
            len(row) == self._width for row in found.rows
        )
        batch = Batch(
            found.rows,
            lines if len(lines) == len(found.rows) else [lines[line] for line in found.lines],
            raw,
            columns=list(map(Column.of, zip(*found.rows, strict=True)))
            if is_even and not found.unclosed
            else None,
            broken=found.broken,
            unclosed=found.unclosed,
            stray=found.stray,
        )
        return batch if is_even else batch.without_blank_lines()


def _ended(text: str) -> str:
    """Return the end of a file with a line feed at its end."""
    # The end of a file in DOS; `copy a.csv+b.csv` still writes it.
    text = text.rstrip("\x1a")
    return text + "\n" if text and not text.endswith("\n") else text


def iterate_rows(
    pieces: Callable[[], Iterable[bytes]],
    encoding: str | None = None,
    *,
    trusts_quotes: bool = False,
) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the cells of each row of a file; an empty file has no rows.

    Args:
        pieces: Returns the file from its beginning; it is called twice.
        encoding: As for `EncodingDetector`.
        trusts_quotes: As for `QuotedReader`.

    Raises:
        InvalidRequest: the file is not text, or its encoding cannot be detected.
    """
    detector = EncodingDetector(encoding)
    for piece in pieces():
        if not detector.feed(piece):
            break
    detected = detector.finish()
    if detected.encoding is None:
        raise_problems(
            attrs.evolve(finding, field="file").as_problem()
            for finding in detected.findings
            if finding.rule != "empty-file"
        )
        return
    reader = RowReader(detected, trusts_quotes=trusts_quotes)
    for piece in pieces():
        yield from _rows_of(reader.feed(piece))
    yield from _rows_of(reader.finish())


def _rows_of(batches: Iterable[Batch]) -> Iterator[tuple[int, list[str]]]:
    for batch in batches:
        yield from zip(batch.lines, batch.rows, strict=True)
