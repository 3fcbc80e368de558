"""The removal of contacts from a list by a filter (T63).

The contacts are searched in slices before the request is answered, because reading a column of a
million contacts takes some seconds. Other requests are answered between the slices.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import compress
from typing import ClassVar, Final

import attrs

from newsleopard_async.emulator.platform.addressbook import AddressBook, ContactList, folded
from newsleopard_async.emulator.platform.fields import FieldCheck, Refused
from newsleopard_async.emulator.platform.timeline import ScheduledChange, Timeline
from newsleopard_async.emulator.switches import SwitchBoard, Switches

__all__ = ["Removals"]

FIELDS: Final = ("NAME", "MAIL_ADDRESS", "DOMAIN", "LISTSN")
"""The fields of the vendor's notes; any other field is a custom variable."""

OPERATORS: Final = ("EQ", "NOT_EQ", "LIKE", "NOT_LIKE")

SLICE: Final = 512
"""Chosen: reading a column of 512 contacts takes a few milliseconds."""


@attrs.frozen(kw_only=True)
class Filter:
    """The condition for a contact to be removed.

    Attributes:
        field: One of ``FIELDS``, or the folded name of a custom variable.
        operator: One of ``OPERATORS``.
        value: The value to search for, folded.
    """

    field: str
    operator: str
    value: str

    def finds(self, text: str) -> bool:
        """Return whether a contact's value matches."""
        value = folded(text)
        is_found = value == self.value if self.operator.endswith("EQ") else self.value in value
        return is_found is not self.operator.startswith("NOT")


class Removals:
    """Removes contacts from lists, or from the account."""

    def __init__(self, *, book: AddressBook, timeline: Timeline, board: SwitchBoard) -> None:
        self._book = book
        self._timeline = timeline
        self._board = board

    def remove(self, content: bytes, list_sn: str, now: datetime) -> None:
        """Remove the members of a list that a filter finds, from the list or from the account.

        Raises:
            Refused: 40001 with all wrong fields, or 40007 for an unknown list.
        """
        on = self._board.on
        chosen = read_filter(content, columns=self._book.columns, on=on)
        target = self._book.lists.get(list_sn)
        if target is None:
            raise Refused(40007)
        self._timeline.add(
            now,
            _ContactRemoval(
                self._book,
                target,
                search=_Search(self._book, target, chosen),
                from_account=on.removal_from == "account",
            ),
        )


def read_filter(content: bytes, *, columns: Iterable[str], on: Switches) -> Filter:
    """Read the body; raise ``Refused`` for an incomplete or unknown filter."""
    check = FieldCheck(on)
    body = check.body(content)
    check.refuse_unknown(body, "", {"field", "operator", "value"})
    field = check.text(body, "", "field")
    operator = check.word(body, "", "operator", OPERATORS)
    value = folded(check.text(body, "", "value"))
    if field and field not in FIELDS:
        field = folded(field)
        if field not in columns:
            check.refuse("field", "Range")
    if not value:
        check.refuse("value", "NotEmpty")
    check.finish()
    return Filter(field=field, operator=operator, value=value)


@attrs.frozen(eq=False)
class _ContactRemoval(ScheduledChange):
    """The removal of the contacts that a search finds, from a list or from the account."""

    book: AddressBook
    target: ContactList
    search: _Search
    from_account: bool

    def apply(self, at: datetime) -> None:
        if self.from_account:
            self.book.forget(self.search.result(), at)
        else:
            self.book.take_out(self.target, self.search.result(), at)

    def preparing(self, at: datetime) -> Iterator[None]:
        del at
        return self.search.slices()


class _Search:
    """The search for the members of a list that match a filter."""

    AFRESH: ClassVar[Mapping[str, object]] = {"_found": None}

    def __init__(self, book: AddressBook, target: ContactList, chosen: Filter) -> None:
        self._book = book
        self._target = target
        self._chosen = chosen
        self._found: tuple[object, array[int]] | None = None

    def result(self) -> array[int]:
        """Return the contacts that were found; search again if an import came between."""
        if self._found is None or self._found[0] != self._state():
            for _ in self.slices():
                pass
        assert self._found is not None  # the last slice sets it
        return self._found[1]

    def _state(self) -> tuple[int, int]:
        return len(self._target.members.numbers), self._book.history.version

    def slices(self) -> Iterator[None]:
        """Search, a few milliseconds at a time."""
        state, found = self._state(), array("I")
        test = self._test()
        members = self._candidates()
        for begin in range(0, len(members), SLICE):
            part = members[begin : begin + SLICE]
            found.extend(compress(part, test(part)))
            yield
        self._found = state, found

    def _candidates(self) -> array[int]:
        """Return the members to search; only one, if the filter has a whole address."""
        members = self._target.members.numbers
        if (self._chosen.field, self._chosen.operator) != ("MAIL_ADDRESS", "EQ"):
            return members.order[:]
        number, is_member = self._book.number(self._chosen.value), members.tester(self._book.top)
        return array("I", [] if number is None or not is_member(number) else [number])

    def _test(self) -> Callable[[Sequence[int]], Iterable[bool]]:
        """Return a function that checks for each of many contacts whether it matches."""
        chosen, book = self._chosen, self._book
        if chosen.field == "LISTSN":
            return self._test_of_lists()
        version = book.history.version

        def values(numbers: Sequence[int]) -> Iterable[str]:
            if chosen.field == "NAME":
                return book.history.names(numbers, version)
            if chosen.field in FIELDS:
                emails = map(book.addresses.__getitem__, numbers)
                is_whole = chosen.field == "MAIL_ADDRESS"
                return emails if is_whole else (email.rpartition("@")[2] for email in emails)
            contacts = (book.contact(number, version) for number in numbers)
            return (each.values.get(chosen.field, "") if each else "" for each in contacts)

        return lambda numbers: map(chosen.finds, values(numbers))

    def _test_of_lists(self) -> Callable[[Sequence[int]], Iterable[bool]]:
        """Return a function that checks for each contact whether it is in a matching list."""
        is_inverse = self._chosen.operator.startswith("NOT")
        plain = attrs.evolve(self._chosen, operator=self._chosen.operator.removeprefix("NOT_"))
        testers = [
            each.members.numbers.tester(self._book.top)
            for each in self._book.lists.values()
            if plain.finds(each.sn)
        ]
        return lambda numbers: (
            any(is_member(number) for is_member in testers) is not is_inverse for number in numbers
        )
