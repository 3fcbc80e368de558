"""Finds the rows of one table in another: the rejected rows in the imported contacts.

- A row is found by its address and all cells in the columns of both tables. The first of several
  equal rows is the first in the other table.
- If no row is equal (the platform can write a number differently), a row is found by its address
  alone, if both tables have this address once.
- Only digests are stored, because the other table can be large: a few hundred bytes for each
  rejected row.
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
"""The line of a row that was not found; lines are counted from 1."""

_SEVERAL: Final = -1
"""The mark of an address that several rows have."""


def address_key(email: str) -> bytes:
    """Return the key by which addresses in a file of the platform are compared.

    The key does not contain anything that an import removes: blanks, invisible characters, an
    apostrophe, or a name before the address, as in ``Wang <wang@example.com>``.
    """
    bare = trim_address(email)
    return key_of(bare[bare.find("<") + 1 : -1] if bare.endswith(">") else bare)


@attrs.frozen
class _Side:
    """The columns of one of the two tables.

    Attributes:
        email: The index of the address.
        others: The indexes of the columns that both tables have, in the same order for both.
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
    """Finds rows: `expect` takes the rows to find, then `compare` takes the rows to search.

    Attributes:
        lines: The line of each row to find, in their order, or 0.
    """

    _rejected: _Side
    _contacts: _Side
    lines: array[int] = attrs.field(factory=lambda: array("Q"), init=False)
    _by_cells: dict[bytes, list[int]] = attrs.field(factory=dict, init=False)
    _by_address: dict[bytes, int] = attrs.field(factory=dict, init=False)
    _seen: dict[int, int] = attrs.field(factory=dict, init=False)
    _left: int = attrs.field(default=0, init=False)

    @classmethod
    def between(cls, rejected: Sequence[str], contacts: Sequence[str]) -> LineFinder:
        """Return a finder that compares the columns that both tables have.

        Args:
            rejected: The columns of the rows to find.
            contacts: The columns of the rows to search.
        """
        both = {folded(name) for name in rejected} & {folded(name) for name in contacts}
        return cls(_Side.of(rejected, sorted(both)), _Side.of(contacts, sorted(both)))

    def expect(self, cells: Sequence[str]) -> None:
        """Add a row to find."""
        number = len(self.lines)
        self.lines.append(_UNKNOWN)
        self._left += 1
        self._by_cells.setdefault(self._rejected.key(cells), []).append(number)
        address = self._rejected.address(cells)
        if address:
            self._by_address[address] = _SEVERAL if address in self._by_address else number

    def compare(self, line: int, cells: Sequence[str]) -> None:
        """Compare a row with the rows to find."""
        address = self._contacts.address(cells)
        if address:
            number = self._by_address.get(address)
            if number is None:
                return
            self._seen[number] = _UNKNOWN if number in self._seen else line
        alike = self._by_cells.get(self._contacts.key(cells))
        if alike:
            # If all of 100,000 rows are equal, this takes about two seconds, in a thread.
            self.lines[alike.pop(0)] = line
            self._left -= 1

    def finish(self) -> None:
        """Find the remaining rows by their address alone."""
        for number, line in self._seen.items():
            if number != _SEVERAL and self.lines[number] == _UNKNOWN:
                self.lines[number] = line

    @property
    def is_done(self) -> bool:
        """Whether all rows were found."""
        return self._left == 0
