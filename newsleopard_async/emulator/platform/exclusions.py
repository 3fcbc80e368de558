"""Who is excluded (無效會員), and from what instant on (T38)."""

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
    """Contacts by number who bounced, unsubscribed or complained, each from an instant on.

    Attributes:
        changes: How often these changed; what was counted before may be wrong then.
    """

    def __init__(self, addresses: AddressTable) -> None:
        self.changes: int = 0
        self._addresses = addresses
        self._since: array[float] = array("d")
        self._numbers: list[int] = []
        self._instants: tuple[int, array[float]] = (0, array("d"))

    def add(self, exclusions: Iterable[tuple[int, float]]) -> None:
        """Exclude contacts, each from an instant in seconds on."""
        since = self._since
        since.extend(array("d", [math.inf]) * (len(self._addresses) - len(since)))
        for number, instant in exclusions:
            if since[number] == math.inf:
                self._numbers.append(number)
            since[number] = min(since[number], instant)
        self.changes += 1

    def expect(self, exclusions: Iterable[tuple[int, float]], now: datetime) -> None:
        """Let these be all exclusions to come; those that were expected before are forgotten."""
        instant = now.timestamp()
        self._drop([number for number in self._numbers if self._since[number] > instant])
        self.add(each for each in exclusions if each[1] > instant)

    def forget(self, numbers: Collection[int], now: datetime) -> None:
        """Let contacts be excluded no longer (T63)."""
        self._drop(set(numbers).intersection(self.by(now)))
        self.changes += 1

    def _drop(self, numbers: Collection[int]) -> None:
        since = self._since
        for number in numbers:
            since[number] = math.inf
        self._numbers = [number for number in self._numbers if since[number] < math.inf]

    def by(self, now: datetime) -> Iterator[int]:
        """Yield who is excluded by now."""
        instant = now.timestamp()
        return (number for number in self._numbers if self._since[number] <= instant)

    def since(self, number: int) -> float | None:
        """Return from which instant in seconds on a contact is excluded, if at all."""
        found = self._since[number] if number < len(self._since) else math.inf
        return None if found == math.inf else found

    def without(self, numbers: array[int], now: datetime) -> array[int]:
        """Return those who are not excluded by now."""
        gone = set(self.by(now))
        return array("I", filterfalse(gone.__contains__, numbers)) if gone else numbers

    def count(self, now: datetime) -> int:
        """Count who is excluded by now."""
        if self._instants[0] != self.changes:
            instants = sorted(self._since[each] for each in self._numbers)
            self._instants = self.changes, array("d", instants)
        return bisect_right(self._instants[1], now.timestamp())

    def instants_of(self, members: NumberSet) -> Iterator[float]:
        """Yield when members were excluded; a thousand small lists are counted in one request."""
        since = self._since
        if len(members) < len(self._numbers):
            found = (since[each] for each in members.order if each < len(since))
            return (instant for instant in found if instant < math.inf)
        is_member = members.tester(len(self._addresses))
        return (since[each] for each in self._numbers if is_member(each))
