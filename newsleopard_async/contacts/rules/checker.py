"""Decodes, parses, checks, corrects and writes contacts, piece by piece."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import attrs

from newsleopard_async.contacts.csv.batch import Batch
from newsleopard_async.contacts.csv.detection import BLOCK_BYTES, DetectedFormat
from newsleopard_async.contacts.csv.reader import RowReader
from newsleopard_async.contacts.rules import CONTACT_RULES
from newsleopard_async.contacts.rules.emails import load_deep_check
from newsleopard_async.contacts.rules.header import REQUIRED, Header, read_header
from newsleopard_async.contacts.rules.table import Table
from newsleopard_async.models.campaign import MAX_BODY_BYTES
from newsleopard_async.models.findings import ContactsReport, Finding, Fix, Level
from newsleopard_async.models.options import Polling

__all__ = ["CheckedPiece", "ContactsChecker", "estimated_requests"]

_LEVELS: Final = ("error", "warning", "note")
_RULES: Final = tuple(rule.name for rule in CONTACT_RULES)
_OF_HTML: Final = "unescaped-value"
_ESCAPED: Final = (b"\n", b'"', b"\\", b"\t")
"""The characters that take one byte more in JSON."""
_LARGEST_FILE_BYTES: Final = 10_000_000
"""Source: the vendor's guide of 2026, at most 10 MB per file. It does not say what happens to a
larger file."""
_BODY_BYTES: Final = len(b'{"contacts": ""}')


@attrs.frozen
class CheckedPiece:
    """The result of the check of some bytes.

    Attributes:
        clean: The bytes to append to the clean CSV.
        left_out: The bytes to append to the file of the rows that are left out.
    """

    clean: bytes = b""
    left_out: bytes = b""


class ContactsChecker:
    """Checks a file of contacts, whose bytes are passed from its beginning.

    Args:
        detected: The format of the file.
        fix, check_rows, deep, columns, part_bytes: As for `ContactsOptions`.
        repeats: The `repeats` of the previous reading, if the file is read again to drop rows.
        skip: The keys of the addresses whose rows are left out.

    Raises:
        ConfigurationError: ``deep`` is set, and email-validator is not installed.
    """

    def __init__(
        self,
        detected: DetectedFormat,
        *,
        fix: Collection[Fix] = (),
        check_rows: bool = True,
        deep: bool = False,
        columns: Mapping[str, str] | None = None,
        repeats: Mapping[bytes, int] | None = None,
        skip: AbstractSet[bytes] = frozenset(),
        part_bytes: int | None = None,
    ) -> None:
        self._part_bytes = part_bytes
        self._skip = skip
        self._repeats = repeats
        self._columns = columns
        self._detected = detected
        self._fix = fix
        self._check_rows = check_rows
        self._deep = load_deep_check() if deep else None
        self._reader = RowReader(detected)
        self._header: Header | None = None
        self._table: Table | None = None
        self._unread_rows = 0
        self._size_bytes = 0
        self._escaped_bytes = 0

    @property
    def is_readable(self) -> bool:
        """Whether the file can be decoded; otherwise its bytes must not be passed."""
        return self._detected.encoding is not None

    @property
    def repeats(self) -> Mapping[bytes, int]:
        """The number of rows of each repeated address, if the file must be read again."""
        return {} if self._table is None else self._table.repeats

    def feed(self, piece: bytes) -> CheckedPiece:
        """Check the next bytes."""
        checked: list[CheckedPiece] = []
        # One block at a time, so that only its rows are in memory.
        for begin in range(0, len(piece), BLOCK_BYTES):
            batches = self._reader.feed(piece[begin : begin + BLOCK_BYTES])
            checked += map(self._check, batches)
        return _joined(checked)

    def finish(self) -> CheckedPiece:
        """Check the end of the file."""
        return _joined(list(map(self._check, self._reader.finish())))

    def report(self) -> ContactsReport:
        """Return the report, after `finish`; the caller adds the paths of the files."""
        header, table = self._header, self._table
        found = sorted(self._findings(), key=_rank)
        report = ContactsReport(
            findings=tuple(each for each in found if each.rule != _OF_HTML),
            unescaped=tuple(each for each in found if each.rule == _OF_HTML),
            rows=self._unread_rows,
            columns=() if header is None else header.names,
            encoding=self._detected.encoding,
        )
        if header is None or table is None:
            return report
        going = table.rows - table.dropped - table.left_out - table.skipped
        return attrs.evolve(
            report,
            rows=table.rows,
            unique=table.unique,
            bad_rows=table.bad_rows,
            dropped=table.dropped,
            left_out=table.left_out,
            skipped=table.skipped,
            trimmed=table.trimmed,
            size_bytes=self._size_bytes,
            requests=estimated_requests(going) if header.is_usable else 0,
        )

    def _check(self, batch: Batch) -> CheckedPiece:
        first = b""
        if continued := self._detected.continued:
            rows = [line - bisect_right(continued, line) for line in batch.lines]
            batch = attrs.evolve(batch, lines=rows)
        if self._header is None:
            first = self._begin(batch)
            batch = batch.below_first()
        if self._table is None:
            self._unread_rows += len(batch) - len(batch.blank_rows())
            return CheckedPiece()
        clean, left_out = self._table.check(batch)
        self._measure(first + clean)
        return CheckedPiece(first + clean, left_out)

    def _begin(self, batch: Batch) -> bytes:
        """Read the header, and return the header of the clean CSV."""
        reader = self._reader
        assert reader.separator is not None  # because there is a row
        self._header = read_header(
            batch.rows[0],
            line=batch.lines[0],
            text=reader.first_line,
            separator=reader.separator,
            is_broken=0 in batch.broken or 0 in batch.unclosed,
            columns=self._columns,
        )
        checks_rows = self._check_rows and self._header.index_of(REQUIRED[0]) is not None
        if not self._header.is_usable and not checks_rows:
            return b""
        self._table = Table(
            self._header,
            separator=reader.separator,
            fix=self._fix,
            check_rows=self._check_rows,
            deep=self._deep,
            repeats=self._repeats,
            skip=self._skip,
        )
        return self._table.header()

    def _measure(self, clean: bytes) -> None:
        self._size_bytes += len(clean)
        if self._size_bytes <= MAX_BODY_BYTES:
            self._escaped_bytes += sum(map(clean.count, _ESCAPED))

    def _findings(self) -> Iterator[Finding]:
        yield from self._detected.findings
        if not self.is_readable:
            return
        if self._header is None:
            yield _finding("error", "empty-file", "has no header; begin with a line EMAIL,NAME")
            return
        if self._reader.has_mixed_line_ends:
            yield _finding(
                "note", "line-break", "ends its lines in several ways; line feeds are written"
            )
        yield from self._header.findings
        if self._table is not None:
            yield from self._table.findings()
            yield from self._findings_of_size(self._table)

    def _findings_of_size(self, table: Table) -> Iterator[Finding]:
        if table.rows == 0:
            yield _finding(
                "error", "no-rows", "has a header without a contact below it; add one row for each"
            )
        elif table.rows == table.left_out + table.skipped:
            yield _finding(
                "error",
                "no-rows",
                "has no row left, because all rows are left out; correct them, or check the list "
                "of skip=",
            )
        if min(self._size_bytes, self._part_bytes or self._size_bytes) > _LARGEST_FILE_BYTES:
            yield _finding(
                "warning",
                "large-file",
                f"becomes a file of {self._size_bytes:,} bytes, and the vendor's guide allows "
                f"{_LARGEST_FILE_BYTES:,}; import it in several parts "
                f"(part_bytes={_LARGEST_FILE_BYTES:_} does it)",
            )
        if self._size_bytes + self._escaped_bytes + _BODY_BYTES > MAX_BODY_BYTES:
            yield _finding(
                "note",
                "too-large-for-text",
                f"would become a request of over {MAX_BODY_BYTES:,} bytes as text; it is uploaded "
                "as a file",
            )


def _joined(checked: Sequence[CheckedPiece]) -> CheckedPiece:
    return CheckedPiece(
        b"".join(each.clean for each in checked), b"".join(each.left_out for each in checked)
    )


def _rank(finding: Finding) -> tuple[int, int]:
    return _LEVELS.index(finding.level), _RULES.index(finding.rule)


def _finding(level: Level, rule: str, message: str) -> Finding:
    return Finding(level=level, rule=rule, message=message)


_FIXED: Final = 5
"""The requests of each send: two pages to search for the list (the second is empty), then create
the list, begin the import, submit the campaign.

The upload of a file is a request to the storage, which does not count for the API's quota.
"""

_IMPORT_S: Final = 8.0
_ROWS_PER_S: Final = 5_000
"""Chosen: slow guesses, because the duration of an import is not documented."""


def estimated_requests(rows: int) -> int:
    """Estimate the number of requests to import rows into a new list and to send to it."""
    return _FIXED + _polls(_IMPORT_S + rows / _ROWS_PER_S) if rows else 0


def _polls(job_s: float) -> int:
    """Return the number of polls of a job of this duration, with the default polling."""
    polling = Polling()
    polls, elapsed_s, wait_s = 1, 0.0, polling.first_s
    while elapsed_s < min(job_s, polling.deadline_s):
        elapsed_s += wait_s
        wait_s = min(polling.max_s, wait_s * polling.factor)
        polls += 1
    return polls
