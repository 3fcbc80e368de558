"""The rows of a CSV and the lines that they stand in, read piece by piece."""

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
"""In a single column, blank lines cannot be told from rows by their cells."""


class RowReader:
    """Makes rows of bytes that were looked at before; memory does not grow with the file.

    Args:
        detected: How to decode them.
        trusts_quotes: As for `QuotedReader`.

    Attributes:
        separator: As it was read off the header, once there was one.
        first_line: The first line that is not blank, as it stands.
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
        """Whether the lines so far end in more than one way, and no cell is to blame for it."""
        return isinstance(self._decoder.newlines, tuple) and not self._has_broken_rows

    def feed(self, piece: bytes) -> list[Batch]:
        """Take the next bytes, and return the rows that are complete."""
        batches = [self._read(block) for block in self._blocks.feed(piece)]
        return [batch for batch in batches if batch.lines]

    def finish(self) -> list[Batch]:
        """Return the rows that are left."""
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
        """Hold back what follows the last line feed."""
        block = self._held + block
        end = 0 if is_last else block.rfind(b"\n") + 1
        end = end or len(block)
        self._held = block[end:]
        return block[:end]

    def _read_undecoded(self, block: bytes) -> Batch | None:
        """Read whole lines of UTF-8 as they are, if nothing of others is left; None if it cannot.

        Only the cells are decoded, which takes a sixth off the whole check.
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
            # To be said by `_decode`.
            return None

    def _decode(self, block: bytes, is_last: bool) -> str:
        skipped = min(self._mark_bytes, len(block))
        self._mark_bytes -= skipped
        try:
            return self._decoder.decode(block[skipped:], is_last)
        except UnicodeDecodeError:
            pass
        # Raised out here: the other error holds the contacts.
        raise InvalidRequest.of("contacts", "encoding", "was changed while it was read; try again")

    def _begin(self, text: str) -> str:
        """Look for the header, and return the text from there on."""
        begin = 0
        while (end := text.find("\n", begin)) >= 0:
            line = text[begin:end]
            hint = hinted_separator(line) if self.separator is None else None
            if line.strip() and hint is None:
                self.first_line = line
                self.separator = self.separator or choose_separator(line)
                cells, is_closed = split_line(line, self.separator)
                self._width = len(cells)
                # A single cell may be a title above the header.
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
        """Read rows that all have the header's width, as nearly all files do; None if not.

        Ten times faster than row by row, because there is no list for each.
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
    """Return the last of a text with a line feed at its end."""
    # What DOS ends a file with; `copy a.csv+b.csv` still writes it.
    text = text.rstrip("\x1a")
    return text + "\n" if text and not text.endswith("\n") else text


def iterate_rows(
    pieces: Callable[[], Iterable[bytes]],
    encoding: str | None = None,
    *,
    trusts_quotes: bool = False,
) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the cells of each row of a file, whatever its encoding and quotes.

    Args:
        pieces: Gives the file from its beginning; it is called twice.
        encoding: As for `EncodingDetector`.
        trusts_quotes: As for `QuotedReader`.

    Raises:
        InvalidRequest: it is no text, or of no encoding that is known; an empty one has no row.
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
