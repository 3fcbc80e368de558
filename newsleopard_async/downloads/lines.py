"""Finds the rows of one table in another: rejected rows in the contacts that they came from.

The rules:

- A row is found again by its address and all cells in columns that both have. Of rows that
  are alike, the first is the first.
- One that is not there as it was (the platform may write a number its own way) is found by its
  address alone, if that is in both tables once.
- What is kept are digests, a few hundred bytes a row that is looked for, however large the other
  table is.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import attrs

from newsleopard_async.downloads.columns import cell_at, email_column, folded

__all__ = ["LineFinder", "address_key"]

_UNKNOWN: Final = 0
"""Lines are counted from 1."""

_LONGEST_KEY_BYTES: Final = 31


def address_key(email: str) -> bytes:
    """Return what stands for an address in a set: itself if it is short, else a digest."""
    address = folded(email).encode("utf-8", "surrogatepass")
    if len(address) <= _LONGEST_KEY_BYTES:
        return address
    return blake2b(address, digest_size=15).digest()


@attrs.frozen
class _Side:
    """How one of the two tables is read.

    Attributes:
        email: The place of the address.
        others: The places of the columns that both have, in one order for both.
    """

    email: int
    others: tuple[int, ...]

    @classmethod
    def of(cls, names: Sequence[str], shared: Sequence[str]) -> _Side:
        places = {folded(name): place for place, name in enumerate(names)}
        email = email_column(names)
        return cls(email, tuple(places[name] for name in shared if places[name] != email))

    def address(self, cells: Sequence[str]) -> bytes:
        return address_key(cell_at(cells, self.email))

    def key(self, cells: Sequence[str]) -> bytes:
        digest = blake2b(self.address(cells), digest_size=16)
        for place in self.others:
            digest.update(b"\x1f" + cell_at(cells, place).encode("utf-8", "surrogatepass"))
        return digest.digest()


@attrs.define
class _Queues:
    """First in, first out, a queue for each key, of numbers that are put in from 0 upwards.

    Each queue is a ring through one array, of which the last number is kept: a list for each
    of very many keys would be most of the memory.
    """

    _last: dict[bytes, int] = attrs.field(factory=dict, init=False)
    _next: array[int] = attrs.field(factory=lambda: array("Q"), init=False)

    def put(self, key: bytes, number: int) -> None:
        last = self._last.get(key)
        if last is None:
            self._next.append(number)
        else:
            self._next.append(self._next[last])
            self._next[last] = number
        self._last[key] = number

    def take(self, key: bytes) -> int | None:
        last = self._last.get(key)
        if last is None:
            return None
        first = self._next[last]
        if first == last:
            del self._last[key]
        else:
            self._next[last] = self._next[first]
        return first


@attrs.define
class _Address:
    """What is known of an address.

    Attributes:
        number: The first row to look for that has it.
        wanted: How many rows to look for have it.
        seen: How many rows that there are have it.
        line: The last of those.
    """

    number: int
    wanted: int = 0
    seen: int = 0
    line: int = _UNKNOWN


@attrs.define
class LineFinder:
    """Is told all rows to look for, then sees all rows that there are.

    Attributes:
        lines: The line of each row that was looked for, in their order, or 0.
    """

    _wanted: _Side
    _given: _Side
    lines: array[int] = attrs.field(factory=lambda: array("Q"), init=False)
    _left: int = attrs.field(default=0, init=False)
    _by_cells: _Queues = attrs.field(factory=_Queues, init=False)
    _by_address: dict[bytes, _Address] = attrs.field(factory=dict, init=False)

    @classmethod
    def between(cls, wanted: Sequence[str], given: Sequence[str]) -> LineFinder:
        """Compare two tables by the columns that both have.

        Args:
            wanted: The columns of the rows to look for.
            given: The columns of the rows that there are.
        """
        both = {folded(name) for name in wanted} & {folded(name) for name in given}
        return cls(_Side.of(wanted, sorted(both)), _Side.of(given, sorted(both)))

    def expect(self, cells: Sequence[str]) -> None:
        """Take a row to look for."""
        number = len(self.lines)
        self.lines.append(_UNKNOWN)
        self._left += 1
        self._by_cells.put(self._wanted.key(cells), number)
        address = self._wanted.address(cells)
        if address:
            self._by_address.setdefault(address, _Address(number)).wanted += 1

    def see(self, line: int, cells: Sequence[str]) -> None:
        """Take a row that there is."""
        address = self._given.address(cells)
        known = self._by_address.get(address)
        if known is not None:
            known.seen += 1
            known.line = line
        if known is not None or not address:
            number = self._by_cells.take(self._given.key(cells))
            if number is not None:
                self._settle(number, line)

    def finish(self) -> None:
        """Look by the address alone for those that are left."""
        for known in self._by_address.values():
            if self.lines[known.number] == _UNKNOWN and known.wanted == known.seen == 1:
                self._settle(known.number, known.line)

    def _settle(self, number: int, line: int) -> None:
        self.lines[number] = line
        self._left -= 1

    @property
    def is_done(self) -> bool:
        """Whether every row was found."""
        return self._left == 0
