"""Contacts checked in a single call, as the drivers of the package do it in several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from unittest import mock

import attrs

from newsleopard_async.contacts.contacts_options import ContactsOptions
from newsleopard_async.contacts.csv import detection as blocks
from newsleopard_async.contacts.csv.detection import BLOCK_BYTES, DetectedFormat, EncodingDetector
from newsleopard_async.contacts.rules.checker import ContactsChecker
from newsleopard_async.models.findings import ContactsReport, Finding, Level

__all__ = ["Checked", "check", "csv_of", "detect", "found", "in_pieces"]

Triple = tuple[str, str, int]


@attrs.frozen
class Checked:
    """The result of a check."""

    report: ContactsReport
    clean: bytes
    left_out: bytes

    @property
    def triples(self) -> list[Triple]:
        """Level, rule and count of each finding."""
        return [(each.level, each.rule, each.count) for each in self.report]


def csv_of(*rows: str, header: str = "EMAIL,NAME") -> bytes:
    """Write lines under a header."""
    return "".join(f"{line}\n" for line in (header, *rows)).encode()


def in_pieces(content: bytes, size_bytes: int) -> Iterator[bytes]:
    """Cut a file."""
    for begin in range(0, len(content), size_bytes):
        yield content[begin : begin + size_bytes]


def detect(pieces: Iterable[bytes], encoding: str | None = None) -> DetectedFormat:
    """Find out how a file is encoded."""
    detector = EncodingDetector(encoding)
    for piece in pieces:
        if not detector.feed(piece):
            break
    return detector.finish()


def check(
    content: bytes,
    *,
    encoding: str | None = None,
    piece_bytes: int = 1 << 30,
    block_bytes: int = BLOCK_BYTES,
    fix: Any = (),
    **options: Any,
) -> Checked:
    """Detect the format of a file, and check it.

    Args:
        piece_bytes: Size of the pieces that it comes in.
        block_bytes: Size of the blocks in which they are examined.
        fix: What to put right.
        options: Others of `ContactsChecker`.
    """
    detected = detect(in_pieces(content, piece_bytes), encoding)
    with mock.patch.object(blocks, "BLOCK_BYTES", block_bytes):
        checker = ContactsChecker(detected, fix=ContactsOptions(fix=fix).fix, **options)
    pieces = in_pieces(content, piece_bytes) if checker.is_readable else ()
    pieces_out = [checker.feed(piece) for piece in pieces]
    pieces_out.append(checker.finish())
    if checker.repeats:
        # Once more, as `preparation` does.
        return check(
            content,
            encoding=encoding,
            piece_bytes=piece_bytes,
            block_bytes=block_bytes,
            fix=fix,
            repeats=checker.repeats,
            **options,
        )
    return Checked(
        checker.report(),
        b"".join(each.clean for each in pieces_out),
        b"".join(each.left_out for each in pieces_out),
    )


def found(
    checked: Checked, rule: str, *, column: str | None = None, level: Level | None = None
) -> Finding:
    """Return the single finding of a rule."""
    [finding] = [
        each
        for each in checked.report
        if each.rule == rule and column in {None, each.column} and level in {None, each.level}
    ]
    return finding
