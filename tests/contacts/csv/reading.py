"""Rows of a text read in a single call, in blocks of any size."""

from __future__ import annotations

from unittest import mock

from newsleopard_async.contacts.csv import detection as blocks
from newsleopard_async.contacts.csv.batch import Batch
from newsleopard_async.contacts.csv.detection import BLOCK_BYTES, DetectedFormat
from newsleopard_async.contacts.csv.reader import RowReader

__all__ = ["UTF8", "batches", "marked", "read"]

UTF8 = DetectedFormat(encoding="utf-8")
Row = tuple[int, list[str]]


def batches(
    text: str,
    *,
    separator: str | None = None,
    block_bytes: int = BLOCK_BYTES,
    trusts_quotes: bool = False,
) -> list[Batch]:
    """Read a text."""
    with mock.patch.object(blocks, "BLOCK_BYTES", block_bytes):
        reader = RowReader(UTF8, trusts_quotes=trusts_quotes)
        reader.separator = separator
    return [*reader.feed(text.encode()), *reader.finish()]


def read(
    text: str,
    *,
    separator: str | None = None,
    block_bytes: int = BLOCK_BYTES,
    trusts_quotes: bool = False,
) -> list[Row]:
    """Read the lines and cells of a text."""
    return [
        row
        for batch in batches(
            text, separator=separator, block_bytes=block_bytes, trusts_quotes=trusts_quotes
        )
        for row in zip(batch.lines, batch.rows, strict=True)
    ]


def marked(text: str, name: str, *, block_bytes: int = BLOCK_BYTES) -> list[int]:
    """Return the lines of the rows that are marked so."""
    return [
        batch.lines[index]
        for batch in batches(text, block_bytes=block_bytes)
        for index in getattr(batch, name)
    ]
