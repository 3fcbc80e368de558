"""The excluded contacts (無效會員), each with the instant of its exclusion (T38)."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import filterfalse

from newsleopard_async.emulator.platform.batches import AddressTable, NumberSet

__all__ = ["Exclusions"]


class Exclusions:
    """The numbers of the contacts that bounced, unsubscribed or complained, and the instants.

    Attributes:
        changes: The number of changes; a count that was made before a change can be wrong.
    """

    def __init__(self, addresses: AddressTable) -> None:
        self.changes: int = 0
        self._addresses = addresses
        self._since: array[float] = array("d")
        self._numbers: list[int] = []
        self._instants: tuple[int, array[float]] = (0, array("d"))

    def add(self, exclusions: Iterable[tuple[int, float]]) -> None:
        """Exclude contacts, each from an instant (in seconds since 1970)."""
        since = self._since
        since.extend(array("d", [math.inf]) * (len(self._addresses) - len(since)))
        for number, instant in exclusions:
            if since[number] == math.inf:
                self._numbers.append(number)
            since[number] = min(since[number], instant)
        self.changes += 1

    def expect(self, exclusions: Iterable[tuple[int, float]], now: datetime) -> None:
        """Replace the future exclusions by these."""
        instant = now.timestamp()
        self._drop([number for number in self._numbers if self._since[number] > instant])
        self.add(each for each in exclusions if each[1] > instant)

    def forget(self, numbers: Collection[int], now: datetime) -> None:
        """End the exclusion of contacts (T63)."""
        self._drop(set(numbers).intersection(self.by(now)))
        self.changes += 1

    def _drop(self, numbers: Collection[int]) -> None:
        since = self._since
        for number in numbers:
            since[number] = math.inf
        self._numbers = [number for number in self._numbers if since[number] < math.inf]

    def by(self, now: datetime) -> Iterator[int]:
        """Yield the contacts that are excluded at an instant."""
        instant = now.timestamp()
        return (number for number in self._numbers if self._since[number] <= instant)

    def since(self, number: int) -> float | None:
        """Return the instant of a contact's exclusion in seconds since 1970, or None."""
        found = self._since[number] if number < len(self._since) else math.inf
        return None if found == math.inf else found

    def without(self, numbers: array[int], now: datetime) -> array[int]:
        """Return the contacts that are not excluded at an instant."""
        gone = set(self.by(now))
        return array("I", filterfalse(gone.__contains__, numbers)) if gone else numbers

    def count(self, now: datetime) -> int:
        """Return the number of contacts that are excluded at an instant."""
        if self._instants[0] != self.changes:
            instants = sorted(self._since[each] for each in self._numbers)
            self._instants = self.changes, array("d", instants)
        return bisect_right(self._instants[1], now.timestamp())

    def instants_of(self, members: NumberSet) -> Iterator[float]:
        """Yield when members were excluded; fast, because one request can count 1,000 lists."""
        since = self._since
        if len(members) < len(self._numbers):
            found = (since[each] for each in members.order if each < len(since))
            return (instant for instant in found if instant < math.inf)
        is_member = members.tester(len(self._addresses))
        return (since[each] for each in self._numbers if is_member(each))
