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

from newsleopard_async.contacts.csv.separators import folded
from newsleopard_async.contacts.rules.emails import key_of
from newsleopard_async.contacts.rules.trimming import trim_address
from newsleopard_async.downloads.table_headers import cell_at, email_column

__all__ = ["LineFinder", "address_key"]

_UNKNOWN: Final = 0
"""Lines are counted from 1."""

_SEVERAL: Final = -1
"""Instead of the number of the one row of an address."""


def address_key(email: str) -> bytes:
    """Return what an address in a file of the platform is told from others by.

    What an import takes off makes no difference: blanks, invisible characters, an apostrophe. Nor
    does a name before it, as in ``Wang <wang@example.com>``.
    """
    bare = trim_address(email)
    return key_of(bare[bare.find("<") + 1 : -1] if bare.endswith(">") else bare)


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
class LineFinder:
    """Is given all rows to look for, then all rows that there are.

    Attributes:
        lines: The line of each row that was looked for, in their order, or 0.
    """

    _wanted: _Side
    _given: _Side
    lines: array[int] = attrs.field(factory=lambda: array("Q"), init=False)
    _by_cells: dict[bytes, list[int]] = attrs.field(factory=dict, init=False)
    _by_address: dict[bytes, int] = attrs.field(factory=dict, init=False)
    _seen: dict[int, int] = attrs.field(factory=dict, init=False)
    _left: int = attrs.field(default=0, init=False)

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
        self._by_cells.setdefault(self._wanted.key(cells), []).append(number)
        address = self._wanted.address(cells)
        if address:
            self._by_address[address] = _SEVERAL if address in self._by_address else number

    def compare(self, line: int, cells: Sequence[str]) -> None:
        """Take a row that there is."""
        address = self._given.address(cells)
        if address:
            number = self._by_address.get(address)
            if number is None:
                return
            self._seen[number] = _UNKNOWN if number in self._seen else line
        alike = self._by_cells.get(self._given.key(cells))
        if alike:
            # If all of 100,000 rows are alike, this adds some two seconds, in a thread.
            self.lines[alike.pop(0)] = line
            self._left -= 1

    def finish(self) -> None:
        """Look by the address alone for those that are left."""
        for number, line in self._seen.items():
            if number != _SEVERAL and self.lines[number] == _UNKNOWN:
                self.lines[number] = line

    @property
    def is_done(self) -> bool:
        """Whether every row was found."""
        return self._left == 0
