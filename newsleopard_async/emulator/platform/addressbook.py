"""Contacts, lists and their members (T19, T37, T38).

A contact is one EMAIL in the whole account. Its membership of lists and its exclusion (無效會員)
are stored separately, because no import ends them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import count, filterfalse
from typing import ClassVar, overload

import attrs

from newsleopard_async.emulator.platform.batches import (
    AddressTable,
    BatchHistory,
    ImportBatch,
    NumberSet,
)
from newsleopard_async.emulator.platform.exclusions import Exclusions

__all__ = [
    "AddressBook",
    "Contact",
    "ContactList",
    "Contacts",
    "Guests",
    "Members",
    "Recipients",
    "folded",
]


def folded(name: str) -> str:
    """Return a column name or an address in the form for comparison."""
    return name.strip().lower()


@attrs.frozen(slots=True)
class Contact:
    """One address with its values.

    Attributes:
        email: Trimmed and in lower case.
        name: The NAME column.
        values: The custom variables (自訂變數), by folded column name.
    """

    email: str
    name: str
    values: Mapping[str, str]


class Members(Mapping[str, None]):
    """The addresses in a list, in order of arrival, as the keys of a mapping to None.

    A segment contains all contacts of the account (T62).
    """

    def __init__(self, book: AddressBook, *, is_segment: bool) -> None:
        self._own = None if is_segment else NumberSet()
        self._book = book

    @property
    def numbers(self) -> NumberSet:
        """The numbers of the members."""
        return self._book.everyone() if self._own is None else self._own

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[str]:
        return map(self._book.addresses.__getitem__, self.numbers.order[:])

    def __getitem__(self, email: str) -> None:
        number = self._book.number(email)
        if number is None or not self.numbers.tester(self._book.top)(number):
            raise KeyError(email)

    def __repr__(self) -> str:
        return f"<{len(self)} addresses>"


@attrs.define
class ContactList:
    """A list (群組).

    Attributes:
        sn: The code of the list.
        name: Any text; not unique (T53).
        created: When it was created.
        updated: When an import last changed it.
        members: Its addresses, in order of arrival.
        is_segment: Whether it always contains all contacts of the account (T62).
        left: The state in which the exclusions were counted, and their sorted instants.
    """

    AFRESH: ClassVar[Mapping[str, object]] = {"left": None}

    sn: str
    name: str
    created: datetime
    updated: datetime
    members: Members = attrs.field(repr=False)
    is_segment: bool = False
    left: tuple[tuple[int, int, int], array[float]] | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True, eq=False)
class Guests:
    """The contacts of one upload for a campaign without lists, outside the account (T122).

    Attributes:
        members: The numbers of the contacts.
        history: Their rows.
        columns: The custom variables of the upload.
    """

    members: NumberSet = attrs.field(factory=NumberSet, repr=False)
    history: BatchHistory = attrs.field(factory=BatchHistory, repr=False)
    columns: frozenset[str] = frozenset()


class Recipients(Sequence[Contact]):
    """Contacts as they were at one moment; each is read when it is accessed.

    Attributes:
        numbers: The numbers of the contacts.
        version: The version of the history at that moment.
        columns: The custom variables at that moment.
    """

    def __init__(
        self,
        book: AddressBook,
        numbers: array[int],
        *,
        history: BatchHistory,
        version: int,
        columns: frozenset[str],
    ) -> None:
        self.numbers = numbers
        self.version = version
        self.columns = columns
        self._book = book
        self._history = history

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Contact: ...

    @overload
    def __getitem__(self, index: slice) -> Recipients: ...

    def __getitem__(self, index: int | slice) -> Contact | Recipients:
        if isinstance(index, slice):
            return self._with(self.numbers[index])
        found = self._book.contact(self.numbers[index], self.version, history=self._history)
        assert found is not None  # only contacts are members of lists
        return found

    def at(self, places: Iterable[int]) -> Recipients:
        """Return the recipients at some indexes."""
        return self._with(array("I", map(self.numbers.__getitem__, places)))

    def address(self, place: int) -> str:
        """Return the address of a recipient without reading the contact's row."""
        return self._book.addresses[self.numbers[place]]

    def emails_and_names(self, places: Iterable[int]) -> tuple[list[str], list[str]]:
        """Return the addresses and the names of the recipients at some indexes."""
        numbers = list(map(self.numbers.__getitem__, places))
        emails = list(map(self._book.addresses.__getitem__, numbers))
        return emails, self._history.names(numbers, self.version)

    def subscribed(self, now: datetime) -> Recipients:
        """Return the recipients that are not excluded or removed, with their present values."""
        book = self._book
        return Recipients(
            book,
            book.exclusions.without(self._history.remembered(self.numbers), now),
            history=self._history,
            version=self._history.version,
            columns=self.columns.union(book.columns),
        )

    def _with(self, numbers: array[int]) -> Recipients:
        return Recipients(
            self._book,
            numbers,
            history=self._history,
            version=self.version,
            columns=self.columns,
        )

    def __repr__(self) -> str:
        return f"<{len(self)} recipients>"


class Contacts(Mapping[str, Contact]):
    """All contacts as they are at one moment, by address."""

    def __init__(self, book: AddressBook) -> None:
        self._book = book
        self._version = book.history.version
        self._numbers = book.everyone().order[:]

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[str]:
        return map(self._book.addresses.__getitem__, self._numbers)

    def __getitem__(self, email: str) -> Contact:
        number = self._book.number(email)
        found = None if number is None else self._book.contact(number, self._version)
        if found is None:
            raise KeyError(email)
        return found

    def __repr__(self) -> str:
        return f"<{len(self)} contacts>"


class AddressBook:
    """All contacts and lists of the account."""

    AFRESH: ClassVar[Mapping[str, object]] = {"_latest": None, "_numbers": {}}

    def __init__(self) -> None:
        self.lists: dict[str, ContactList] = {}
        self.columns: dict[str, str] = {}
        """The type of each custom variable: string, number, date, or undecided."""

        self.history: BatchHistory = BatchHistory()
        self._everyone = NumberSet()
        self._arrived: list[NumberSet] = []
        """The contacts of the imports since the last call of ``everyone``."""

        self._numbers: dict[str, int] = {}
        self.addresses: AddressTable = AddressTable()
        """All addresses with a number, in the order of the numbers; see ``number_all``."""

        self.exclusions: Exclusions = Exclusions(self.addresses)
        self._departures = 0
        self._latest: tuple[object, array[int]] | None = None

    @property
    def top(self) -> int:
        """One more than the largest number of a contact."""
        return len(self.addresses)

    def number(self, email: object) -> int | None:
        """Return the number of an address, or None; a number alone does not make a contact."""
        return self._numbers.get(email)  # type: ignore[call-overload, no-any-return]  # any key is possible

    def number_again(self) -> None:
        """Build the index of numbers again; for a duplicate address, the first number counts."""
        numbers: dict[str, int] = {}
        for _ in map(numbers.setdefault, self.addresses, count()):
            pass
        self._numbers = numbers

    def number_all(self, emails: Sequence[str]) -> array[int]:
        """Return the numbers of many addresses, and give new addresses a number.

        A number can stay unused if some of the addresses had one before: so the loop runs in C.
        """
        new = range(self.top, self.top + len(emails))
        found = array("I", map(self._numbers.setdefault, emails, new))
        if max(found, default=0) >= self.top:
            self.addresses.extend(emails)
        return found

    def everyone(self) -> NumberSet:
        """Return the numbers of all contacts, in order of arrival."""
        for numbers in self._arrived:
            self._everyone.union(numbers, self.top)
        self._arrived.clear()
        return self._everyone

    def create_list(
        self, sn: str, name: str, now: datetime, *, is_segment: bool = False
    ) -> ContactList:
        """Add an empty list, or a segment."""
        members = Members(self, is_segment=is_segment)
        made = ContactList(
            sn, name, created=now, updated=now, members=members, is_segment=is_segment
        )
        self.lists[sn] = made
        return made

    def commit(self, batch: ImportBatch, *, list_sn: str | None, now: datetime) -> None:
        """Insert or update contacts, and add them to a list; they stay in their other lists."""
        self.history.commit(batch)
        self._arrived.append(batch.members)
        target = self.lists.get(list_sn) if list_sn is not None else None
        if target is not None:
            target.updated = now
            if not target.is_segment:
                target.members.numbers.union(batch.members, self.top)
        batch.members = NumberSet()

    def contact(
        self, number: int, version: int, *, history: BatchHistory | None = None
    ) -> Contact | None:
        """Return a contact at a version: each column from the newest row that has the column."""
        history = self.history if history is None else history
        rows = [
            dict(zip(batch.names, batch.fields(place), strict=True))
            for batch, place in history.rows(number, version)
        ]
        if not rows:
            return None
        merged: dict[str, str] = {}
        for row in reversed(rows):
            merged.update(row)
        del merged["email"]
        return Contact(self.addresses[number], merged.pop("name"), merged)

    def take_out(self, target: ContactList, numbers: Collection[int], now: datetime) -> None:
        """Remove contacts from a list (T63), but not from a segment."""
        if numbers and not target.is_segment:
            target.members.numbers.remove(numbers)
            target.updated = now
            self._departures += 1

    def forget(self, numbers: Collection[int], now: datetime) -> None:
        """Remove contacts from the account, together with their exclusion (T63)."""
        for each in self.lists.values():
            is_member = each.members.numbers.tester(self.top)
            self.take_out(each, [number for number in numbers if is_member(number)], now)
        self.everyone().remove(numbers)
        self.history.forget(numbers)
        self.exclusions.forget(numbers, now)
        self._departures += 1

    def exclude(self, email: str, since: datetime) -> None:
        """Exclude an address from an instant (退訂, 退信, 抱怨)."""
        self.exclusions.add([(self.number_all([email])[0], since.timestamp())])

    def count(self, list_sn: str, now: datetime) -> tuple[int, int]:
        """Return the numbers of subscribed and of excluded members of a list."""
        found = self.lists[list_sn]
        members = found.members.numbers
        state = (len(members), self._departures, self.exclusions.changes)
        if found.left is None or found.left[0] != state:
            found.left = state, array("d", sorted(self.exclusions.instants_of(members)))
        excluded = bisect_right(found.left[1], now.timestamp())
        return len(members) - excluded, excluded

    def recipients(
        self,
        selected: Iterable[str],
        excluded: Iterable[str],
        now: datetime,
        *,
        guests: Guests | None = None,
    ) -> Recipients:
        """Return the contacts in a selected list that are not excluded, also not by a list (T68).

        Guests replace the selected lists.
        """
        chosen = self._sets(selected) if guests is None else [guests.members]
        left_out = self._sets(excluded)
        state = (
            [(each, len(each)) for each in chosen],
            [(each, len(each)) for each in left_out],
            self._departures,
            self.exclusions.changes,
            self.exclusions.count(now),
        )
        if self._latest is None or self._latest[0] != state:
            self._latest = state, self._select(chosen, left_out, now)
        history = self.history if guests is None else guests.history
        return Recipients(
            self,
            self._latest[1],
            history=history,
            version=history.version,
            columns=frozenset(self.columns).union(guests.columns if guests else ()),
        )

    def _sets(self, sns: Iterable[str]) -> list[NumberSet]:
        return [self.lists[sn].members.numbers for sn in dict.fromkeys(sns) if sn in self.lists]

    def _select(
        self, chosen: Sequence[NumberSet], left_out: Sequence[NumberSet], now: datetime
    ) -> array[int]:
        together = chosen[0] if chosen else NumberSet()
        if len(chosen) > 1:
            together = together.copy()
            for each in chosen[1:]:
                together.add(each.order, self.top)
        numbers = together.order[:]
        for each in left_out:
            numbers = array("I", filterfalse(each.tester(self.top), numbers))
        return self.exclusions.without(numbers, now)
