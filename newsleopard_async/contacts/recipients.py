"""The recipients of automation events, read batch by batch from a clean CSV (T133, T134).

A row has one line or several. A batch is stored as offsets in the file, so that it can be read
again. Rows are counted from 1, below the header.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs

from newsleopard_async.contacts.parts import cells_of, rows_of
from newsleopard_async.contacts.rules.emails import key_of
from newsleopard_async.errors import InvalidRequest, Problem
from newsleopard_async.models.automation import MOST_RECIPIENTS, Recipient
from newsleopard_async.models.findings import counted, listed
from newsleopard_async.models.validation import raise_problems
from newsleopard_async.plain import Plain

__all__ = ["MOST_BATCHES", "RecipientBatch", "divide", "read_batch"]

MOST_BATCHES: Final = 999
"""Chosen: a tenth of the daily 10,000 requests; the record stays small in a checkpoint."""


@attrs.frozen(kw_only=True)
class RecipientBatch(Plain):
    """Consecutive rows of a clean CSV, for one event.

    Attributes:
        begin: The offset in the file at which the rows begin.
        end: The offset at which they end.
        first_row: The number of the first row.
        rows: The number of rows.
    """

    begin: int
    end: int
    first_row: int
    rows: int

    def __str__(self) -> str:
        if self.rows == 1:
            return f"row {self.first_row:,}"
        return f"rows {self.first_row:,} to {self.first_row + self.rows - 1:,}"


def divide(path: Path) -> tuple[RecipientBatch, ...]:
    """Divide a clean CSV into batches, after a check of every row.

    Raises:
        InvalidRequest: a row is not usable, an address occurs twice, or there are too many rows.
    """
    problems: dict[tuple[str, str], _ProblemRows] = {}
    keys: set[bytes] = set()
    batches: list[RecipientBatch] = []
    with path.open("rb") as file:
        header = file.readline()
        names, end = cells_of(header), len(header)
        for number, row in enumerate(rows_of(file), start=1):
            if (number - 1) % MOST_RECIPIENTS == 0:
                batches.append(RecipientBatch(begin=end, end=end, first_row=number, rows=0))
            end += len(row)
            batches[-1] = attrs.evolve(batches[-1], end=end, rows=batches[-1].rows + 1)
            cells = cells_of(row)
            for each in _problems_of(names, cells, keys):
                problems.setdefault((each.field, each.rule), _ProblemRows(each)).rows.append(number)
            keys.add(key_of(cells[0]))
    raise_problems(
        [*(each.as_problem() for each in problems.values()), *_problems_of_number(batches)]
    )
    return tuple(batches)


def read_batch(path: Path, batch: RecipientBatch) -> tuple[Recipient, ...]:
    """Read the recipients of a batch."""
    with path.open("rb") as file:
        names = cells_of(file.readline())
        file.seek(batch.begin)
        content = file.read(batch.end - batch.begin)
    return tuple(_recipient(names, cells_of(row)) for row in rows_of(io.BytesIO(content)))


def _recipient(names: Sequence[str], cells: Sequence[str]) -> Recipient:
    """Build a recipient from a row: EMAIL and NAME, and all other columns as variables."""
    return Recipient(cells[1], cells[0], dict(zip(names[2:], cells[2:], strict=True)))


@attrs.define
class _ProblemRows:
    """A problem that several rows have, with the message for the first of them."""

    problem: Problem
    rows: list[int] = attrs.field(factory=list)

    def as_problem(self) -> Problem:
        where = listed([f"{row:,}" for row in self.rows])
        return Problem(
            "contacts",
            self.problem.rule,
            f"{self.problem.field} {self.problem.message} ({counted(len(self.rows), 'row')}, "
            f"counted below the header: {where})",
        )


def _problems_of(names: Sequence[str], cells: Sequence[str], keys: set[bytes]) -> Iterator[Problem]:
    """Yield the problems of a row; no message shows a cell."""
    try:
        _recipient(names, cells)
    except InvalidRequest as error:
        yield from error.problems
    if key_of(cells[0]) in keys:
        yield Problem(
            "address",
            "unique",
            "also occurs in an earlier row, and a script must not begin twice for it; remove one "
            "of the rows, or let fix='drop-duplicates' keep the last row of each",
        )


def _problems_of_number(batches: Sequence[RecipientBatch]) -> Iterator[Problem]:
    if len(batches) > MOST_BATCHES:
        most = MOST_BATCHES * MOST_RECIPIENTS
        yield Problem(
            "contacts",
            "too-many",
            f"would take {len(batches):,} requests, and at most {MOST_BATCHES} are allowed; pass "
            f"at most {most:,} contacts per call",
        )
