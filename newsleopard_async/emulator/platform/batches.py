"""The rows that imports brought: kept where they were uploaded, and read when asked for.

Contacts are numbered in the order in which their addresses were first seen. An import is a
batch: for each of its good rows it keeps the contact's number and the place in the uploaded
file, and for each contact a chain leads from his newest row to those before. So a million
contacts take about 150 MiB, each further import of them 20, and every contact can be read as
he was at any time.
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
"""Where NAME stands in each row; an import whose header has it elsewhere ends otherwise (T31)."""

MANY: Final = 20_000
"""Chosen: from so many numbers on, one byte for each known contact is smaller than a set."""

MOST_SPREAD: Final = 8
"""Chosen: to read so many rows at once costs less than to seek the one that is wanted."""

_SLICE: Final = 8_192


class AddressTable:
    """Addresses by number, in tuples: a list of a million is visited at each collection of garbage.

    That would hold everybody up for 0.1 s; tuples of texts are visited once.
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
        """Yield all of them, some thousands at a time."""
        yield from self._full
        yield tuple(self._last)

    def copy(self) -> AddressTable:
        """Return the same addresses, which may grow apart from these."""
        made = AddressTable()
        made._full, made._last = self._full[:], self._last[:]
        return made

    def extend(self, emails: Iterable[str]) -> None:
        """Give the next numbers."""
        self._last.extend(emails)
        while len(self._last) >= TUPLE_SIZE:
            self._full.append(tuple(self._last[:TUPLE_SIZE]))
            del self._last[:TUPLE_SIZE]


TUPLE_SIZE: Final = 4_096


class NumberSet:
    """An ordered set of contacts' numbers."""

    def __init__(self) -> None:
        self.order: array[int] = array("I")
        self.known: set[int] | bytearray = set()

    def __len__(self) -> int:
        return len(self.order)

    def tester(self, top: int) -> Callable[[int], object]:
        """Return what tells whether a number below ``top`` is in here."""
        if isinstance(self.known, set):
            return self.known.__contains__
        self.known.extend(bytes(max(0, top - len(self.known))))
        return self.known.__getitem__

    def copy(self) -> NumberSet:
        """Return the same set, which may grow apart from this one."""
        made = NumberSet()
        made.order, made.known = self.order[:], self.known.copy()
        return made

    def add(self, numbers: array[int], top: int) -> None:
        """Put further numbers below ``top``, none of them twice, at the end."""
        for _ in self.adding(numbers, top):
            pass

    def adding(self, numbers: array[int], top: int) -> Iterator[None]:
        """Do so in slices."""
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
        """Add another set; nearly free while this one is empty."""
        if not self.order:
            made = others.copy()
            self.order, self.known = made.order, made.known
        elif not self._holds(others):
            self.add(others.order, top)

    def remove(self, numbers: Collection[int]) -> None:
        """Take some out; those that are not in here do not matter."""
        gone = frozenset(numbers)
        self.order = array("I", filterfalse(gone.__contains__, self.order))
        if isinstance(self.known, set):
            self.known -= gone
            return
        for number in gone:
            if number < len(self.known):
                self.known[number] = 0

    def _holds(self, others: NumberSet) -> bool:
        """Tell quickly whether all of another large set are in here."""
        if isinstance(self.known, set) or isinstance(others.known, set):
            return False
        here, there = (int.from_bytes(each.known, "little") for each in (self, others))
        return here & there == there


def _run_of(numbers: array[int]) -> slice | None:
    """Return the place of numbers that follow one another, as those of new contacts do."""
    if not numbers:
        return None
    run = slice(numbers[0], numbers[0] + len(numbers))
    return run if numbers == array("I", range(run.start, run.stop)) else None


@attrs.define(eq=False)
class ImportBatch:
    """The good rows of one import.

    Attributes:
        names: Folded names of its columns.
        blob: The uploaded file.
        first: The place of its first row among all rows.
        version: When it counted, as a number that grows with each import; None before.
        numbers: Whose each row is.
        starts: Where each row begins in the file.
        sizes: How many bytes it has.
        before: One more than the place of the same contact's row before; 0 for none.
        kept: 0 for a row that a later one of the same address replaced (T47).
        members: Whose rows these are, each once and where the last one stands.
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
        """Tell whether the batch counted at a version, and not yet at an earlier one."""
        return self.version is not None and since < self.version <= version

    def fields(self, place: int) -> list[str]:
        """Read one row."""
        return read_row(self.blob.piece(self.starts[place], self.sizes[place]).decode())

    def names_of(self, places: Sequence[int]) -> list[str]:
        """Read the NAME of many rows; those between them, too, if there are not many."""
        first, last = min(places), max(places)
        if last - first < MOST_SPREAD * len(places):
            start = self.starts[first]
            text = self.blob.piece(start, self.starts[last] + self.sizes[last] - start).decode()
            rows = text.removesuffix("\n").split("\n")
            if len(rows) == last - first + 1 and '"' not in text and "\r" not in text:
                return [rows[place - first].split(",", NAME + 1)[NAME] for place in places]
        return [self.fields(place)[NAME] for place in places]


class BatchHistory:
    """All batches, and each contact's way through them."""

    def __init__(self) -> None:
        self.version: int = 0
        self._batches: list[ImportBatch] = []
        self._firsts: list[int] = []
        self._rows = 0
        self._newest: array[int] = array("I")
        """One more than the place of each contact's newest row; 0 for none."""

        self._forgotten: dict[int, int] = {}
        """Whose earlier rows count no longer, and from which version on."""

    def open(self, names: Sequence[str], blob: Blob) -> ImportBatch:
        """Begin a batch; it counts for nothing until it is committed."""
        made = ImportBatch(tuple(names), blob, self._rows)
        self._batches.append(made)
        self._firsts.append(made.first)
        return made

    def append(
        self, batch: ImportBatch, numbers: array[int], starts: Iterable[int], sizes: Iterable[int]
    ) -> int:
        """Put rows at the end of the newest batch, and count those that they replace in it."""
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
        """Find out, in slices, whose rows a whole batch holds."""
        numbers = batch.numbers
        if 0 in batch.kept:
            numbers = array("I", compress(numbers, batch.kept))
        yield from batch.members.adding(numbers, top)

    def commit(self, batch: ImportBatch) -> None:
        """Let a batch count from now on."""
        self.version += 1
        batch.version = self.version

    def forget(self, numbers: Iterable[int]) -> None:
        """Let no earlier row of some contacts count from now on; what was before stays."""
        self.version += 1
        self._forgotten.update(zip(numbers, repeat(self.version)))

    def remembered(self, numbers: array[int]) -> array[int]:
        """Return the contacts that have an exclusion by now."""
        if not self._forgotten:
            return numbers
        return array("I", filter(self._is_known, numbers))

    def _is_known(self, number: int) -> bool:
        return number not in self._forgotten or any(True for _ in self.rows(number, self.version))

    def names(self, numbers: Sequence[int], version: int) -> list[str]:
        """Return the NAME of each of some contacts as it was at a version."""
        rows = list(map(self._newest.__getitem__, numbers))
        batch = self._batch_of(max(rows, default=1))
        if rows and min(rows) > batch.first and batch.counts_in(0, version):
            return batch.names_of([row - 1 - batch.first for row in rows])
        found = (next(self.rows(number, version)) for number in numbers)
        return [batch.fields(place)[NAME] for batch, place in found]

    def rows(self, number: int, version: int) -> Iterator[tuple[ImportBatch, int]]:
        """Yield where a contact's rows were at a version, the newest first."""
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
