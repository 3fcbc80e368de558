"""A suppression list: addresses that must not get any mail, even if the contacts have them."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sized
from functools import partial
from itertools import islice
from typing import Any, Final

import attrs

from newsleopard_async.aio import in_thread
from newsleopard_async.contacts.csv.batch import Batch
from newsleopard_async.contacts.csv.detection import EncodingDetector
from newsleopard_async.contacts.csv.reader import RowReader
from newsleopard_async.contacts.rules.cells import LineTally
from newsleopard_async.contacts.rules.emails import addresses_in, key_of
from newsleopard_async.contacts.rules.header import email_column
from newsleopard_async.contacts.rules.trimming import trim_address
from newsleopard_async.contacts.sources import as_source
from newsleopard_async.contacts.spool import in_pieces
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.files import PATH_TYPES, AnyPath, as_path
from newsleopard_async.models.findings import Finding, Level, either
from newsleopard_async.models.validation import raise_problems

__all__ = ["Skip", "SkipList", "problem_of_skip", "read_skip"]

_FIELD: Final = "skip"
_AT_ONCE: Final = 10_000
"""Addresses that are read in one call in a thread. Chosen: a cancellation waits some 10 ms."""

Skip = AnyPath | AsyncIterable[str] | Iterable[str]
"""A path to a file of addresses, also as text; or an iterable of them, async or not."""


@attrs.define
class SkipList:
    """The addresses to leave out.

    Attributes:
        keys: The key of each address, as `key_of` returns it.
        invalid: The entries without an address, by their lines in a file or their positions.
        is_doubtful: Whether one of these entries has an at sign.
        has_address: Whether the list has any address.
        is_file: Whether the list was read from a file.
        is_empty: Whether the caller passed an empty list, which can be intended.
    """

    keys: set[bytes] = attrs.field(factory=set, repr=False)
    invalid: LineTally = attrs.field(factory=LineTally)
    is_doubtful: bool = False
    has_address: bool = False
    is_file: bool = False
    is_empty: bool = False

    def add(self, cells: Iterable[str], position: int) -> None:
        """Add the addresses in the cells of one entry."""
        # An address too many does no harm; one too few sends mail to a person who refused it.
        trimmed = list(map(trim_address, cells))
        keys = [key_of(each) for cell in trimmed for each in addresses_in(cell)]
        self.keys.update(keys)
        if keys:
            self.has_address = True
        else:
            self.invalid.add(1, (position,))
            doubtful = [cell for cell in trimmed if "@" in cell]
            self.is_doubtful = self.is_doubtful or bool(doubtful)
            # A contact with the same text in EMAIL is left out.
            self.keys.update(map(key_of, doubtful))

    def finding(self) -> Finding | None:
        """Report the entries without an address; a warning if one of them has an at sign."""
        if self.is_empty:
            return Finding(
                level="warning",
                rule="skipped",
                message="has an empty list as skip=, so no contact is left out; check that this is "
                "intended",
            )
        if not self.invalid.count:
            return None
        count = self.invalid.count
        where = self.invalid.where if self.is_file else self.invalid.positions
        what = either(count, "1 entry that is", f"{count:,} entries that are")
        it = either(count, "it", "each")
        level: Level = "warning" if self.is_doubtful else "note"
        way_out = f"; write {it} as name@example.com" if self.is_doubtful else ""
        return Finding(
            level=level,
            rule="skipped",
            message=f"has in the list of skip= {what} not an address ({where}), so no contact is "
            f"left out for {either(count, 'it', 'them')}{way_out}",
            count=self.invalid.count,
        )


def problem_of_skip(skip: object) -> str | None:
    """Return why an object cannot be a suppression list, or None if it can."""
    if isinstance(skip, PATH_TYPES):
        return None
    if isinstance(skip, (bytes, bytearray, memoryview, Mapping)):
        return f"must be a path or addresses as text, not {type(skip).__name__}"
    if hasattr(skip, "columns"):
        return f"is a {type(skip).__name__}; pass its column of addresses, as in frame['EMAIL']"
    if not isinstance(skip, (Iterable, AsyncIterable)):
        return f"must be a path or an iterable of addresses, not {type(skip).__name__}"
    return None


async def read_skip(skip: Any) -> SkipList:
    """Read a suppression list; the key of each address is kept in memory.

    Raises:
        InvalidRequest: the list cannot be read, or has no address.
    """
    if isinstance(skip, PATH_TYPES):
        found = await _read_file(skip)
    else:
        # An iterator that was already consumed is also empty, and that is a mistake.
        found = SkipList(is_empty=isinstance(skip, Sized) and not len(skip))
        await _take_all(found, skip)
    if not found.has_address and not found.is_empty:
        raise _refusal(
            "empty",
            "has no address; check that it is the right list, or remove skip=",
        )
    return found


async def _take_all(found: SkipList, skip: AsyncIterable[str] | Iterable[str]) -> None:
    number = 0
    if isinstance(skip, AsyncIterable):
        async for entry in skip:
            number += 1
            _take(found, entry, number)
        return
    entries = iter(skip)

    def take_some() -> int:
        count = 0
        for count, entry in enumerate(islice(entries, _AT_ONCE), start=1):
            _take(found, entry, number + count)
        return count

    while count := await in_thread(take_some):
        number += count


def _take(found: SkipList, entry: object, number: int) -> None:
    if not isinstance(entry, str):
        raise _refusal(
            "type", f"has a {type(entry).__name__} at position {number:,}; pass addresses as text"
        )
    found.add((entry,), number)


async def _read_file(path: Any) -> SkipList:
    """Read a CSV with a column of addresses, or a file with one address per line."""
    source = as_source(as_path(path))
    reading = _SkipListReader()
    detector = EncodingDetector()
    try:
        async with in_pieces(source) as pieces:
            async for piece in pieces:
                if not await in_thread(partial(detector.feed, piece)):
                    break
        detected = await in_thread(detector.finish)
        raise_problems(each.as_problem() for each in detected.findings if each.level == "error")
        reader = RowReader(detected)
        async with in_pieces(source) as pieces:
            async for piece in pieces:
                await in_thread(partial(reading.take, reader.feed, piece))
        await in_thread(partial(reading.take, reader.finish))
    except InvalidRequest as error:
        raise InvalidRequest(attrs.evolve(each, field=_FIELD) for each in error.problems) from None
    return reading.found


@attrs.define
class _SkipListReader:
    """Adds the rows of a file to the list."""

    found: SkipList = attrs.field(factory=lambda: SkipList(is_file=True))
    column: int | None = None
    has_begun: bool = False

    def take(self, read: Callable[..., list[Batch]], *piece: bytes) -> None:
        """Add the rows that `read` returns for the next piece, or at the end."""
        for batch in read(*piece):
            for line, row in zip(batch.lines, batch.rows, strict=True):
                if self.has_begun or not self._is_header(row):
                    self._take_row(row, line)

    def _is_header(self, row: list[str]) -> bool:
        """Find the column of the addresses; a single column needs no name."""
        self.has_begun = True
        if any(True for cell in row for _ in addresses_in(cell)):
            return False
        self.column = email_column([trim_address(cell) for cell in row])
        if self.column is None and len(row) > 1:
            raise _refusal("header-order", "has no column EMAIL; name the column of addresses so")
        return self.column is not None

    def _take_row(self, row: list[str], line: int) -> None:
        cells = row if self.column is None else row[self.column : self.column + 1]
        self.found.add(cells, line)


def _refusal(rule: str, message: str) -> InvalidRequest:
    return InvalidRequest.of(_FIELD, rule, message)
