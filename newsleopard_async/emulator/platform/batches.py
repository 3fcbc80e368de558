"""The rows of imports, which stay in the uploaded files and are read on access.

Contacts are numbered in the order of arrival of their addresses. An import is a batch: it stores
for each good row the contact's number and the offset in the uploaded file. For each contact, a
chain leads from the newest row to the rows before. So a million contacts take about 150 MiB, each
further import of them 20 MiB, and every contact can be read as it was at any time.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain, compress, filterfalse, repeat
from typing import Final

import attrs

from newsleopard_async.emulator.platform.blobs import Blob
from newsleopard_async.emulator.platform.csvfile import read_row

__all__ = ["AddressTable", "BatchHistory", "ImportBatch", "NumberSet"]

NAME: Final = 1
"""The index of NAME in each row; an import with another header fails (T31)."""

MANY: Final = 20_000
"""Chosen: above so many numbers, one byte for each known contact is smaller than a set."""

MOST_SPREAD: Final = 8
"""Chosen: reading 8 rows together costs less than a seek to the single row."""

_SLICE: Final = 8_192
"""Chosen: adding so many numbers takes a few milliseconds, in which other requests wait."""


class AddressTable:
    """Addresses by number, in tuples.

    Each garbage collection visits a list of a million again, which blocks all requests for 0.1 s.
    It visits tuples of texts only once.
    """

    def __init__(self) -> None:
        self._full: list[tuple[str, ...]] = []
        self._last: list[str] = []

    def __len__(self) -> int:
        return len(self._full) * TUPLE_SIZE + len(self._last)

    def __getitem__(self, number: int) -> str:
        part, place = number // TUPLE_SIZE, number % TUPLE_SIZE
        return self._full[part][place] if part < len(self._full) else self._last[place]

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self.parts())

    def parts(self) -> Iterator[tuple[str, ...]]:
        """Yield all addresses, some thousands at a time."""
        yield from self._full
        yield tuple(self._last)

    def copy(self) -> AddressTable:
        """Return a copy, which can grow separately."""
        made = AddressTable()
        made._full, made._last = self._full[:], self._last[:]
        return made

    def extend(self, emails: Iterable[str]) -> None:
        """Add addresses, which get the next numbers."""
        self._last.extend(emails)
        while len(self._last) >= TUPLE_SIZE:
            self._full.append(tuple(self._last[:TUPLE_SIZE]))
            del self._last[:TUPLE_SIZE]


TUPLE_SIZE: Final = 4_096
"""Chosen: a million addresses are 250 tuples, and only the last 4,096 are in a list."""


class NumberSet:
    """An ordered set of contacts' numbers."""

    def __init__(self) -> None:
        self.order: array[int] = array("I")
        self.known: set[int] | bytearray = set()

    def __len__(self) -> int:
        return len(self.order)

    def tester(self, top: int) -> Callable[[int], object]:
        """Return a function that checks whether a number below ``top`` is in the set."""
        if isinstance(self.known, set):
            return self.known.__contains__
        self.known.extend(bytes(max(0, top - len(self.known))))
        return self.known.__getitem__

    def copy(self) -> NumberSet:
        """Return a copy, which can grow separately."""
        made = NumberSet()
        made.order, made.known = self.order[:], self.known.copy()
        return made

    def add(self, numbers: array[int], top: int) -> None:
        """Add numbers below ``top``, without duplicates among them, at the end."""
        for _ in self.adding(numbers, top):
            pass

    def adding(self, numbers: array[int], top: int) -> Iterator[None]:
        """Do the same in slices."""
        for begin in range(0, len(numbers), _SLICE):
            self._add_part(numbers[begin : begin + _SLICE], top)
            yield

    def _add_part(self, part: array[int], top: int) -> None:
        is_member = self.tester(top)
        known, run = self.known, _run_of(part)
        if isinstance(known, set):
            new = array("I", filterfalse(is_member, part))
            known.update(new)
            if len(known) > MANY:
                self._turn_to_bytes(top)
        elif run is not None and known.find(1, run.start, run.stop) < 0:
            new = part
            known[run] = b"\1" * len(part)
        else:
            new = array("I", filterfalse(is_member, part))
            for _ in map(known.__setitem__, new, repeat(1)):
                pass
        self.order.extend(new)

    def _turn_to_bytes(self, top: int) -> None:
        known = bytearray(top)
        for number in self.known:
            known[number] = 1
        self.known = known

    def union(self, others: NumberSet, top: int) -> None:
        """Add another set; fast if this one is empty."""
        if not self.order:
            made = others.copy()
            self.order, self.known = made.order, made.known
        elif not self._contains(others):
            self.add(others.order, top)

    def remove(self, numbers: Collection[int]) -> None:
        """Remove numbers, if they are in the set."""
        gone = frozenset(numbers)
        self.order = array("I", filterfalse(gone.__contains__, self.order))
        if isinstance(self.known, set):
            self.known -= gone
            return
        for number in gone:
            if number < len(self.known):
                self.known[number] = 0

    def _contains(self, others: NumberSet) -> bool:
        """Return whether this set contains another large set; False if one of them is small."""
        if isinstance(self.known, set) or isinstance(others.known, set):
            return False
        own, other = (int.from_bytes(each.known, "little") for each in (self, others))
        return own & other == other


def _run_of(numbers: array[int]) -> slice | None:
    """Return the range of consecutive numbers, such as those of new contacts; else None."""
    if not numbers:
        return None
    run = slice(numbers[0], numbers[0] + len(numbers))
    return run if numbers == array("I", range(run.start, run.stop)) else None


@attrs.define(eq=False)
class ImportBatch:
    """The good rows of one import.

    Attributes:
        names: The folded names of the columns.
        blob: The uploaded file.
        first: The index of its first row among all rows of the history.
        version: The version from which the batch counts; None before it is committed.
        numbers: The contact's number of each row.
        starts: The offset of each row in the file.
        sizes: The bytes of each row.
        before: The index of the contact's row before, plus 1; 0 for none.
        kept: 0 for a row that a later row of the same address replaced, else 1 (T47).
        members: The contacts of the rows, each once, in the order of their last rows.
    """

    names: tuple[str, ...]
    blob: Blob
    first: int
    version: int | None = None
    numbers: array[int] = attrs.field(factory=lambda: array("I"), repr=False)
    starts: array[int] = attrs.field(factory=lambda: array("Q"), repr=False)
    sizes: array[int] = attrs.field(factory=lambda: array("I"), repr=False)
    before: array[int] = attrs.field(factory=lambda: array("I"), repr=False)
    kept: bytearray = attrs.field(factory=bytearray, repr=False)
    members: NumberSet = attrs.field(factory=NumberSet, repr=False)

    def counts_in(self, since: int, version: int) -> bool:
        """Return whether the batch counts at a version, but not yet at the version ``since``."""
        return self.version is not None and since < self.version <= version

    def fields(self, place: int) -> list[str]:
        """Return the fields of one row."""
        return read_row(self.blob.piece(self.starts[place], self.sizes[place]).decode())

    def names_of(self, places: Sequence[int]) -> list[str]:
        """Return the NAME of many rows; rows close to each other are read together."""
        first, last = min(places), max(places)
        if last - first < MOST_SPREAD * len(places):
            start = self.starts[first]
            text = self.blob.piece(start, self.starts[last] + self.sizes[last] - start).decode()
            rows = text.removesuffix("\n").split("\n")
            if len(rows) == last - first + 1 and '"' not in text and "\r" not in text:
                return [rows[place - first].split(",", NAME + 1)[NAME] for place in places]
        return [self.fields(place)[NAME] for place in places]


class BatchHistory:
    """All batches, and the chain of each contact's rows through them."""

    def __init__(self) -> None:
        self.version: int = 0
        self._batches: list[ImportBatch] = []
        self._firsts: list[int] = []
        self._rows = 0
        self._newest: array[int] = array("I")
        """The index of each contact's newest row, plus 1; 0 for none."""

        self._forgotten: dict[int, int] = {}
        """The removed contacts, and the version from which their earlier rows do not count."""

    def open(self, names: Sequence[str], blob: Blob) -> ImportBatch:
        """Begin a batch, which has no effect until it is committed."""
        made = ImportBatch(tuple(names), blob, self._rows)
        self._batches.append(made)
        self._firsts.append(made.first)
        return made

    def append(
        self, batch: ImportBatch, numbers: array[int], starts: Iterable[int], sizes: Iterable[int]
    ) -> int:
        """Append rows to the newest batch; return the number of its rows that they replace."""
        newest = self._newest
        newest.extend(repeat(0, max(numbers, default=-1) + 1 - len(newest)))
        places = range(self._rows + 1, self._rows + 1 + len(numbers))
        batch.kept.extend(b"\1" * len(numbers))
        run = _run_of(numbers)
        before = newest[run] if run else array("I", map(newest.__getitem__, numbers))
        is_repeating = run is None and len(set(numbers)) < len(numbers)
        replaced = 0
        if is_repeating or max(before, default=0) > batch.first:
            for index, (number, place) in enumerate(zip(numbers, places, strict=True)):
                before[index] = row = newest[number]
                newest[number] = place
                if row > batch.first:
                    replaced += 1
                    batch.kept[row - 1 - batch.first] = 0
        elif run is not None:
            newest[run] = array("I", places)
        else:
            for _ in map(newest.__setitem__, numbers, places):
                pass
        self._rows += len(numbers)
        batch.numbers.extend(numbers)
        batch.starts.extend(starts)
        batch.sizes.extend(sizes)
        batch.before.extend(before)
        return replaced

    def close(self, batch: ImportBatch, top: int) -> Iterator[None]:
        """Compute, in slices, the members of a finished batch."""
        numbers = batch.numbers
        if 0 in batch.kept:
            numbers = array("I", compress(numbers, batch.kept))
        yield from batch.members.adding(numbers, top)

    def commit(self, batch: ImportBatch) -> None:
        """Give a batch its version, so that its rows count."""
        self.version += 1
        batch.version = self.version

    def forget(self, numbers: Iterable[int]) -> None:
        """End the effect of all rows of some contacts; earlier versions do not change."""
        self.version += 1
        self._forgotten.update(zip(numbers, repeat(self.version)))

    def remembered(self, numbers: array[int]) -> array[int]:
        """Return the contacts that still have rows."""
        if not self._forgotten:
            return numbers
        return array("I", filter(self._is_known, numbers))

    def _is_known(self, number: int) -> bool:
        return number not in self._forgotten or any(True for _ in self.rows(number, self.version))

    def names(self, numbers: Sequence[int], version: int) -> list[str]:
        """Return the NAME of some contacts at a version."""
        rows = list(map(self._newest.__getitem__, numbers))
        batch = self._batch_of(max(rows, default=1))
        if rows and min(rows) > batch.first and batch.counts_in(0, version):
            return batch.names_of([row - 1 - batch.first for row in rows])
        found = (next(self.rows(number, version)) for number in numbers)
        return [batch.fields(place)[NAME] for batch, place in found]

    def rows(self, number: int, version: int) -> Iterator[tuple[ImportBatch, int]]:
        """Yield the batch and the index of a contact's rows at a version, the newest first."""
        row = self._newest[number] if number < len(self._newest) else 0
        forgotten = self._forgotten.get(number, 0)
        since = forgotten if forgotten <= version else 0
        while row:
            batch = self._batch_of(row)
            place = row - 1 - batch.first
            if batch.counts_in(since, version):
                yield batch, place
            row = batch.before[place]

    def _batch_of(self, row: int) -> ImportBatch:
        return self._batches[bisect_right(self._firsts, row - 1) - 1]
