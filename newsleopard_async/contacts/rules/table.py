"""Checks, corrects and writes the rows below a header, batch by batch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from itertools import compress

import attrs

from newsleopard_async.contacts.csv.batch import Batch, Column
from newsleopard_async.contacts.csv.writer import CleanWriter, LeftOutWriter
from newsleopard_async.contacts.rules import ROW_RULES
from newsleopard_async.contacts.rules.cells import CellRule, Cells, LineTally
from newsleopard_async.contacts.rules.column_types import ColumnType
from newsleopard_async.contacts.rules.emails import (
    Addresses,
    DeepCheck,
    Kept,
    addresses_in,
    are_addresses,
    key_of,
)
from newsleopard_async.contacts.rules.header import REQUIRED, Header
from newsleopard_async.contacts.rules.row_shapes import RowShapes, filled
from newsleopard_async.contacts.rules.text_rules import TextRules
from newsleopard_async.contacts.rules.trimming import trim, trim_addresses, trim_values
from newsleopard_async.models.findings import Finding, Fix, counted, either

__all__ = ["Table"]


class Table:
    """Checks the rows below one header; if the header is not usable, nothing is written.

    Args:
        header: The header.
        separator: The separator of the cells.
        fix, check_rows, repeats, skip: As for `ContactsChecker`.
        deep: A further check of addresses.

    Attributes:
        rows: The number of rows that are not blank.
        bad_rows: The number of rows that the platform would reject.
        dropped: The number of rows that were dropped, because another row has their address.
        left_out: The number of rows in the file of rows that are left out.
        trimmed: The number of trimmed cells.
    """

    def __init__(
        self,
        header: Header,
        *,
        separator: str,
        fix: Collection[Fix] = (),
        check_rows: bool = True,
        deep: DeepCheck | None = None,
        repeats: Mapping[bytes, int] | None = None,
        skip: AbstractSet[bytes] = frozenset(),
    ) -> None:
        self.rows: int = 0
        self.bad_rows: int = 0
        self.dropped: int = 0
        self.left_out: int = 0
        self.trimmed: int = 0
        email_index = header.index_of(REQUIRED[0])
        assert email_index is not None  # the caller checks it
        self._trims = "trim" in fix
        self._fills = header.is_usable and "fill-rows" in fix
        self._kept = _kept(fix) if header.is_usable else None
        self._drops = self._kept == "first" or repeats is not None
        self._may_read_again = self._kept == "last" and repeats is None
        self._leaves_out = header.is_usable and "leave-out-bad-rows" in fix
        self._checks_rows = check_rows
        self._email_index = email_index
        self._addresses = Addresses(
            deep, left_out=self._leaves_out, kept=self._kept, repeats=repeats
        )
        self._skip = skip
        self._skipped = LineTally()
        self._blank = LineTally()
        self._filled = LineTally()
        self._marked = LineTally()
        self._shapes = RowShapes(header.labels)
        self._rules = tuple(_rules_of(header))
        self._clean = (
            CleanWriter(header.names, header.order, separator=separator)
            if header.is_usable
            else None
        )
        self._left_out = LeftOutWriter(header.given)

    @property
    def unique(self) -> int:
        """The number of different addresses."""
        return self._addresses.unique

    @property
    def skipped(self) -> int:
        """The number of rows with an address of ``skip``."""
        return self._skipped.count

    @property
    def repeats(self) -> Mapping[bytes, int]:
        """The number of rows of each repeated address, if the rows must be read again."""
        return self._addresses.repeats if self._may_read_again else {}

    def header(self) -> bytes:
        """Return the header of the clean CSV."""
        return b"" if self._clean is None else self._clean.header()

    def check(self, batch: Batch) -> tuple[bytes, bytes]:
        """Check the next rows; return the bytes of the clean rows and of those left out."""
        batch = self._without_blank_rows(batch)
        self.rows += len(batch)
        if self._skip:
            batch = self._without_skipped_rows(batch)
        mended = self._mended(batch)
        reasons: Mapping[int, Sequence[str]] = {}
        removed: Collection[int] = ()
        if self._checks_rows:
            reasons, removed = self._check_rows(mended)
        elif (frame := _frame_of(mended, width=len(self._rules))) is not None:
            # A pipeline compares the number of addresses with the platform's count.
            self._addresses.check(frame.columns[self._email_index], frame.lines)
        if mended is not batch and self._checks_rows and not self._trims:
            self._count_marks(batch, mended, removed)
        if self._clean is None:
            return b"", b""
        if mended is not batch:
            differences = enumerate(mended.differences(batch))
            self.trimmed += sum(count for index, count in differences if index not in removed)
        left_out = self._left_out.write(batch, reasons if self._leaves_out else {})
        return self._clean.write(mended, removed=removed), left_out

    def _mended(self, batch: Batch) -> Batch:
        """Return the rows after the fixes that do not remove rows."""
        mended = batch
        if self._fills:
            mended = batch.reshaped(partial(filled, width=len(self._rules)))
            if mended is not batch:
                pairs = zip(batch.rows, mended.rows, batch.lines, strict=True)
                lines = [line for row, new, line in pairs if row is not new]
                self._filled.add(len(lines), lines)
        if self._trims:
            mended = mended.changed(trim_values)
        return mended.changed(trim_addresses, at=self._email_index)

    def _count_marks(self, batch: Batch, mended: Batch, removed: Collection[int]) -> None:
        """Count the addresses from which an apostrophe was removed."""
        at = self._email_index
        for index, (row, new) in enumerate(zip(batch.rows, mended.rows, strict=True)):
            # Other characters around an address are removed without a finding.
            if index not in removed and len(row) > at and trim(row[at]) != trim(new[at]):
                self._marked.add(1, (batch.lines[index],))

    def _without_blank_rows(self, batch: Batch) -> Batch:
        blank = batch.blank_rows()
        self._blank.add(len(blank), (batch.lines[index] for index in blank))
        return batch.without(blank)

    def _without_skipped_rows(self, batch: Batch) -> Batch:
        index_of_email = self._email_index
        if batch.columns is not None:
            cells = batch.columns[index_of_email]
        else:
            # A row that lacks the cell has no address.
            cells = Column.of(
                ["".join(row[index_of_email : index_of_email + 1]) for row in batch.rows]
            )
        cells = trim_addresses(cells)
        skipped = [index for index, cell in enumerate(cells) if key_of(cell) in self._skip]
        if not are_addresses(cells):
            # The platform might read an address from a cell with other characters around it.
            found = (
                index
                for index, cell in enumerate(cells)
                if any(key_of(each) in self._skip for each in addresses_in(cell))
            )
            skipped = sorted({*skipped, *found})
        self._skipped.add(len(skipped), (batch.lines[index] for index in skipped))
        return batch.without(skipped)

    def _check_rows(self, batch: Batch) -> tuple[Mapping[int, Sequence[str]], Collection[int]]:
        """Return why rows are bad, and which rows do not go out."""
        # A row that is left out repeats no address; a row that is dropped has no problems.
        reasons = self._shapes.check(batch) if self._leaves_out else {}
        removed: set[int] = set()
        frame = _frame_of(batch, width=len(self._rules))
        if frame is not None:
            removed = self._check_addresses(frame, reasons)
            self._check_columns(frame, removed)
        if not self._leaves_out:
            reasons = _merged(self._shapes.check(_blanked(batch, removed)), reasons)
        self.bad_rows += sum(not ROW_RULES.isdisjoint(broken) for broken in reasons.values())
        if self._leaves_out:
            self.left_out += len(reasons)
            removed.update(reasons)
        return reasons, removed

    def _check_addresses(self, frame: _Frame, reasons: dict[int, list[str]]) -> set[int]:
        """Add reasons, and return the rows whose other cells are not checked."""
        ignored: Collection[int] = ()
        if self._leaves_out and reasons:
            ignored = {at for at, index in enumerate(frame.indices) if index in reasons}
        found = self._addresses.check(
            frame.columns[self._email_index], frame.lines, ignored=ignored
        )
        for position, rule in found.bad.items():
            reasons.setdefault(frame.indices[position], []).append(rule)
        removed = set(reasons) if self._leaves_out else set()
        if self._drops:
            self.dropped += len(found.repeated)
            removed.update(frame.indices[position] for position in found.repeated)
        return removed

    def _check_columns(self, frame: _Frame, removed: Collection[int]) -> None:
        frame = frame.without(removed)
        if not frame.indices:
            return
        for rules, column in zip(self._rules, frame.columns, strict=True):
            cells = Cells(column, frame.lines)
            for rule in rules:
                rule.check(cells)

    def findings(self) -> Iterator[Finding]:
        """Yield all findings about the rows."""
        yield from self._shapes.findings(left_out=self._leaves_out)
        if self._blank.count:
            yield self._blank.finding(
                "note",
                "missing-email",
                f"has {counted(self._blank.count, 'blank row')} ({self._blank.where}), which "
                f"{either(self._blank.count, 'is', 'are')} left out",
            )
        if self._skipped.count:
            yield self._skipped.finding(
                "note",
                "skipped",
                f"had {counted(self._skipped.count, 'row')} ({self._skipped.where}) with an "
                "address in the list of skip=, left out",
            )
        if self._filled.count:
            yield self._filled.finding(
                "note",
                "column-count",
                f"had {counted(self._filled.count, 'row')} ({self._filled.where}) with too few "
                "cells or too many empty ones, which "
                f"{either(self._filled.count, 'is', 'are')} written with as many as the header has",
            )
        if self._checks_rows:
            yield from self._addresses.findings()
            yield from self._findings_of_marks()
        for rules in self._rules:
            for rule in rules:
                yield from rule.findings()

    def _findings_of_marks(self) -> Iterator[Finding]:
        if self._marked.count:
            yield self._marked.finding(
                "warning",
                "text-apostrophe",
                f"has {counted(self._marked.count, 'row')} ({self._marked.where}) whose EMAIL "
                "begins with the apostrophe by which a spreadsheet marks text; the address "
                "is written without it; remove it, or use fix='trim'",
                column=REQUIRED[0],
            )


def _kept(fix: Collection[Fix]) -> Kept:
    if "drop-later-duplicates" in fix:
        return "first"
    return "last" if "drop-duplicates" in fix else None


def _merged(
    first: dict[int, list[str]], others: Mapping[int, Sequence[str]]
) -> dict[int, list[str]]:
    """Add the other reasons to the first ones, row by row."""
    for index, reasons in others.items():
        first.setdefault(index, []).extend(reasons)
    return first


def _blanked(batch: Batch, indices: Collection[int]) -> Batch:
    """Return the batch with the cells of some rows emptied."""
    if not indices or not (batch.broken or batch.stray or b"\0" in batch.raw):
        return batch
    rows = [[""] * len(row) if index in indices else row for index, row in enumerate(batch.rows)]
    stray = [index for index in batch.stray if index not in indices]
    return attrs.evolve(batch, rows=rows, columns=None, stray=stray)


@attrs.frozen
class _Frame:
    """Rows of one length, column by column; a position is an index into `indices`.

    Attributes:
        columns: The cells.
        lines: The line in which each row begins.
        indices: The index of each row in its batch.
    """

    columns: Sequence[Column]
    lines: Sequence[int]
    indices: Sequence[int]

    def without(self, indices: Collection[int]) -> _Frame:
        """Return the other rows."""
        if not indices:
            return self
        is_kept = [index not in indices for index in self.indices]
        return _Frame(
            [Column.of(list(compress(column, is_kept))) for column in self.columns],
            list(compress(self.lines, is_kept)),
            list(compress(self.indices, is_kept)),
        )


def _rules_of(header: Header) -> Iterator[tuple[CellRule, ...]]:
    """Build the rules of each column, in the order of the file."""
    email, name = map(header.index_of, REQUIRED)
    for index, column in enumerate(header.labels):
        if index == email:
            yield (TextRules.of_email(column),)
        elif index == name:
            yield (TextRules.of_name(column),)
        else:
            yield ColumnType(column), TextRules(column)


def _frame_of(batch: Batch, *, width: int) -> _Frame | None:
    """Return the rows that can be checked column by column; None if there are none."""
    if batch.columns is not None:
        return _Frame(batch.columns, batch.lines, range(len(batch))) if batch.lines else None
    # If a quote is never closed, it is unknown where the cells of the row end.
    unclosed = frozenset(batch.unclosed)
    indices = [
        index for index, row in enumerate(batch.rows) if len(row) == width and index not in unclosed
    ]
    if not indices:
        return None
    columns = zip(*(batch.rows[index] for index in indices), strict=True)
    return _Frame(list(map(Column.of, columns)), [batch.lines[index] for index in indices], indices)
