"""The check of an imported file: its contacts, and its rejected rows with reasons (T30 to T47).

``reason_of`` in ``_row_check`` is the definition for one row. A block of rows is checked column
by column, which is faster; only suspicious rows are then checked one by one.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Final

import attrs

from newsleopard_async.emulator.platform.addressbook import AddressBook, folded
from newsleopard_async.emulator.platform.batches import BatchHistory, ImportBatch
from newsleopard_async.emulator.platform.blobs import Blob, BlobWriter
from newsleopard_async.emulator.platform.csvfile import (
    Block,
    MalformedCsv,
    read_blocks,
    write_row,
)
from newsleopard_async.emulator.switches import Switches

__all__ = ["RESERVED_COLUMNS", "FileCheckResult", "check_file", "is_email"]

REASON_COLUMN: Final = "REASON"
SLICE_BYTES: Final = 16_384
"""Chosen: 16 KiB are checked in about 1 ms, and a request waits for about 20 such slices."""

MOST_SEEN: Final = 20_000
"""Chosen: the checked values that a column remembers, to check each value once; 1 MB."""

UNDECIDED: Final = "undecided"
"""The type of a column without values so far."""

_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_DATE: Final = re.compile(
    r"\d{4}([-/])(0?[1-9]|1[0-2])\1(0?[1-9]|[12]\d|3[01])"
    r"([ T]([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
_EMAIL: Final = re.compile(
    r"[^\s@,;:<>()\[\]\\\"\x00-\x1f\x7f]{1,64}@(?=.{3,253}$)"
    r"([^\W_]([\w-]{0,61}[^\W_])?\.)+[^\W_]([\w-]{0,61}[^\W_])"
)
_PLAIN: Final = (
    r"[a-z0-9_.+-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,3}"
    r"[a-z0-9][a-z0-9-]{0,57}[a-z0-9]"
)
"""The form of most addresses in lower case; ``_EMAIL`` accepts all of these, and more."""

_PLAIN_EMAIL: Final = re.compile(_PLAIN)
_PLAIN_EMAILS: Final = re.compile(rf"(?:{_PLAIN}\n)*+")

_CHECKS: Final[Mapping[str, tuple[str, Callable[[str], object]]]] = {
    "number": ("NOT_A_NUMBER", _NUMBER.fullmatch),
    "date": ("NOT_A_DATE", _DATE.fullmatch),
}

_RESERVED: Final = """
name email gender phone country_code country city address register_date birthday line_uid
facebook_id shopline_id cyberbiz_id waca_id easystore_id qdm_id line_display_name user
reporttype oncemode campaign app_host subject campaignname mail_hash schedule_date link_url
link_text s__id s:wh nl_is_recipient_unique nl_estimate_point nl_subscribe_form_sn unsubscribe
unsubscribe_en unsubscribe_ja
"""

RESERVED_COLUMNS: Final = frozenset(_RESERVED.split())
"""Column names that the vendor's notes of 2026 reserve (T41)."""


def is_email(text: str) -> bool:
    """Return whether a text has the form of an address."""
    return _EMAIL.fullmatch(text) is not None


@attrs.frozen(kw_only=True)
class FileCheckResult:
    """The result of the check of a file.

    Attributes:
        status: One of the five states.
        rows: The number of rows in the file, without the header.
        batch: The rows to import; None if the import fails.
        duplicates: The number of rows that a later row of the same address replaced (T47).
        rejected: The number of rejected rows.
        rejected_file: The rejected rows, with a column for the reason; None if all were good.
        new_columns: The types of new custom variables.
    """

    status: str
    rows: int = 0
    batch: ImportBatch | None = attrs.field(default=None, repr=False)
    duplicates: int = 0
    rejected: int = 0
    rejected_file: Blob | None = None
    new_columns: Mapping[str, str] = attrs.field(factory=dict)


FileCheck = Generator[None, None, FileCheckResult]
"""Yields every few milliseconds of work, and returns the result."""


def check_file(
    blob: Blob,
    *,
    book: AddressBook,
    columns: Mapping[str, str],
    switches: Switches,
    history: BatchHistory | None = None,
) -> FileCheck:
    """Check a file with the columns that the account has before.

    Its rows are stored in the account's history, or in a separate one.
    """
    history = book.history if history is None else history
    blocks = _blocks(blob, switches)
    try:
        first = next(blocks, None)
        header = first.rows[0] if first is not None else []
        status = _check_header(header, switches)
        if status is not None or first is None:
            return FileCheckResult(status=status or "ERROR")
        checker = _RowChecker(header, blob=blob, book=book, history=history, columns=columns)
        checker.check(first.part(slice(1, None)))
        for block in blocks:
            yield
            checker.check(block)
    except MalformedCsv:
        return FileCheckResult(status="ERROR")
    yield from history.close(checker.batch, book.top)
    return checker.result()


def _blocks(blob: Blob, switches: Switches) -> Iterator[Block]:
    chunks = blob.read_chunks(SLICE_BYTES)
    first = next(chunks, b"")
    bare = first if switches.bom_spoils_header else first.removeprefix(b"\xef\xbb\xbf")
    return read_blocks(_chain(bare, chunks), start=len(first) - len(bare))


def _chain(first: bytes, others: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from others


def _check_header(header: list[str], switches: Switches) -> str | None:
    """Return the state in which the import ends, or None if the header is good."""
    names = [folded(name) for name in header]
    exact = [name.strip() for name in header[:2]]
    found = exact if switches.strict else [name.upper() for name in exact]
    if found != ["EMAIL", "NAME"]:
        return "MISSING_REQUIRED_DATA"
    if len(set(names)) < len(names):
        return "DUPLICATE_HEADER"
    if not all(names) or not _are_allowed(names[2:], switches):
        return "ERROR"
    return None


def _are_allowed(names: list[str], switches: Switches) -> bool:
    if switches.reserved_columns_are_errors and RESERVED_COLUMNS.intersection(names):
        return False
    defined = switches.predefined_columns
    return defined is None or {folded(name) for name in defined}.issuperset(names)


class _RowChecker:
    """Checks the rows of one file."""

    def __init__(
        self,
        header: list[str],
        *,
        blob: Blob,
        book: AddressBook,
        history: BatchHistory,
        columns: Mapping[str, str],
    ) -> None:
        names = [folded(name) for name in header]
        self.batch = history.open(names, blob)
        self._book = book
        self._history = history
        self._header = header
        self._names = names
        self._typed = {
            index: _VariableColumn({kind}) for index, kind in _typed(names, columns).items()
        }
        self._new = {
            index: _VariableColumn(set(_CHECKS))
            for index, name in enumerate(names)
            if index > 1 and columns.get(name, UNDECIDED) == UNDECIDED
        }
        self._reason_of = _row_check(names, columns)
        self._errors: BlobWriter | None = None
        self._rows = self._rejected = self._duplicates = 0

    def check(self, block: Block) -> None:
        """Check a block of rows."""
        self._rows += len(block.records)
        columns = block.columns(len(self._names))
        if columns is None:
            self._check_one_by_one(block)
            return
        for index, column in self._new.items():
            column.narrow(columns[index])
        # The indexes of rows that can be bad; all other rows are good.
        emails, suspects = columns[0], set[int]()
        if not _are_plain(emails):
            emails = _fold_all(emails)
            if not _are_plain(emails):
                suspects.update(
                    place for place, email in enumerate(emails) if not _PLAIN_EMAIL.fullmatch(email)
                )
        for index, column in self._typed.items():
            suspects.update(column.misfits(columns[index]))
        if not suspects:
            self._store(emails, block.starts, block.sizes)
            return
        rows = block.rows
        bad = {place for place in sorted(suspects) if self._reject(rows[place])}
        self._store_but(bad, emails, block)

    def _check_one_by_one(self, block: Block) -> None:
        """Check a block in which some rows have too few or too many cells."""
        rows, width = block.rows, len(self._names)
        for index, column in self._new.items():
            column.narrow([row[index] for row in rows if len(row) == width])
        bad = {place for place, row in enumerate(rows) if self._reject(row)}
        self._store_but(bad, [folded(row[0]) for row in rows], block)

    def _store_but(self, bad: set[int], emails: Sequence[str], block: Block) -> None:
        good = [place for place in range(len(emails)) if place not in bad]
        starts = array("Q", map(block.starts.__getitem__, good))
        sizes = array("I", map(block.sizes.__getitem__, good))
        self._store([emails[place] for place in good], starts, sizes)

    def _store(self, emails: Sequence[str], starts: array[int], sizes: array[int]) -> None:
        numbers = self._book.number_all(emails)
        self._duplicates += self._history.append(self.batch, numbers, starts, sizes)

    def _reject(self, row: list[str]) -> bool:
        """Write a row to the error file, and return True, if there is a reason."""
        reason = self._reason_of(row)
        if reason is None:
            return False
        if self._errors is None:
            self._errors = BlobWriter()
            self._errors.write(write_row([*self._header, REASON_COLUMN]).encode())
        self._rejected += 1
        self._errors.write(write_row([*row, reason]).encode())
        return True

    def result(self) -> FileCheckResult:
        """Return the result of all rows."""
        return FileCheckResult(
            status="COMPLETE",
            rows=self._rows,
            batch=self.batch,
            duplicates=self._duplicates,
            rejected=self._rejected,
            rejected_file=None if self._errors is None else self._errors.close(),
            new_columns={self._names[index]: each.kind for index, each in self._new.items()},
        )


def _fold_all(emails: Sequence[str]) -> list[str]:
    """Apply ``folded`` to many addresses."""
    stripped = list(map(str.strip, emails))
    together = "\n".join(stripped)
    found = together.lower().split("\n") if together.isascii() else []
    # A cell can contain a line feed, and beyond ASCII the lower case can depend on the context.
    return found if len(found) == len(stripped) else list(map(str.lower, stripped))


def _are_plain(emails: Sequence[str]) -> bool:
    together = "\n".join([*emails, ""])
    # The pattern also requires lower case. A cell with a line feed could match as two addresses.
    return together.count("\n") == len(emails) and bool(_PLAIN_EMAILS.fullmatch(together))


class _VariableColumn:
    """The values of one custom variable (T39).

    Attributes:
        kinds: The types that fit all values so far.
    """

    def __init__(self, kinds: set[str]) -> None:
        self.kinds = kinds
        self._has_values = False
        self._seen: set[str] = set()

    @property
    def kind(self) -> str:
        """The type of the values."""
        return min(self.kinds, default="string") if self._has_values else UNDECIDED

    def narrow(self, values: Sequence[str]) -> None:
        """Remove the types that do not fit the values."""
        if self._has_values and (not self.kinds or self._are_digits(values)):
            return
        new = self._unseen(values)
        self._has_values = self._has_values or bool(new)
        for kind in tuple(self.kinds):
            if not _all_fit(kind, new):
                self.kinds.discard(kind)

    def misfits(self, values: Sequence[str]) -> list[int]:
        """Return the indexes of values that do not fit."""
        if self._are_digits(values):
            return []
        new = self._unseen(values)
        [kind] = self.kinds
        if _all_fit(kind, new):
            return []
        fits = _CHECKS[kind][1]
        wrong = {value for value in new if not fits(value)}
        self._seen -= wrong
        return [place for place, value in enumerate(values) if value.strip() in wrong]

    def _are_digits(self, values: Sequence[str]) -> bool:
        """Return whether all cells of a column of numbers are digits or blank; a fast check."""
        digits = "".join(values)
        return self.kinds == {"number"} and digits.isascii() and digits.isdigit()

    def _unseen(self, values: Sequence[str]) -> set[str]:
        """Return the values that are not blank and were not checked recently."""
        new = set(map(str.strip, values))
        new.discard("")
        new -= self._seen
        if len(self._seen) > MOST_SEEN:
            self._seen = set()
        self._seen |= new
        return new


def _all_fit(kind: str, values: Iterable[str]) -> bool:
    return all(map(_CHECKS[kind][1], values))


def _typed(names: Sequence[str], columns: Mapping[str, str]) -> dict[int, str]:
    """Return the types of the columns that have one, by index."""
    return {
        index: columns[name]
        for index, name in enumerate(names)
        if index > 1 and columns.get(name) in _CHECKS
    }


def _row_check(names: list[str], columns: Mapping[str, str]) -> Callable[[list[str]], str | None]:
    typed = [
        (index, names[index], *_CHECKS[kind]) for index, kind in _typed(names, columns).items()
    ]

    def reason_of(row: list[str]) -> str | None:
        if len(row) != len(names):
            return "WRONG_COLUMN_COUNT"
        email = row[0].strip()
        if not email:
            return "EMPTY_EMAIL"
        if not is_email(email):
            return "INVALID_EMAIL"
        for index, name, reason, fits in typed:
            value = row[index].strip()
            if value and not fits(value):
                return f"{reason}:{name}"
        return None

    return reason_of
