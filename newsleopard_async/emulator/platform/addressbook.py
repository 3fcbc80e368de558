"""Contacts, lists and who is in which (T19, T37, T38).

A contact is one EMAIL in the whole account. Being in a list is a fact apart from it, and so
is being excluded (無效會員): an import changes neither away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import attrs

__all__ = ["AddressBook", "Contact", "ContactList", "folded"]


def folded(name: str) -> str:
    """Return the form in which column names and addresses are compared."""
    return name.strip().lower()


@attrs.frozen(slots=True)
class Contact:
    """One address and what is known of it.

    Attributes:
        email: Trimmed and in lower case.
        name: The NAME column.
        values: The custom variables (自訂變數), by folded column name.
    """

    email: str
    name: str
    values: Mapping[str, str]


@attrs.define
class ContactList:
    """A list (群組).

    Attributes:
        sn: Its code.
        name: Any text; not unique (T53).
        created: When it was made.
        updated: When an import last changed it.
        members: The addresses in it, in order of arrival.
    """

    sn: str
    name: str
    created: datetime
    updated: datetime
    members: dict[str, None] = attrs.field(factory=dict, repr=False)


class AddressBook:
    """All contacts and lists of the account."""

    def __init__(self) -> None:
        self.contacts: dict[str, Contact] = {}
        self.lists: dict[str, ContactList] = {}
        self.excluded_since: dict[str, datetime] = {}
        self.columns: dict[str, str] = {}
        """The type of each custom variable: string, number, date, or undecided."""

    def create_list(self, sn: str, name: str, now: datetime) -> ContactList:
        """Add an empty list."""
        made = ContactList(sn, name, created=now, updated=now)
        self.lists[sn] = made
        return made

    def store(self, contacts: Iterable[Contact], *, list_sn: str | None, now: datetime) -> None:
        """Insert or update contacts, and put them into a list; none leaves another."""
        target = self.lists.get(list_sn) if list_sn is not None else None
        for contact in contacts:
            known = self.contacts.get(contact.email)
            values = contact.values if known is None else {**known.values, **contact.values}
            self.contacts[contact.email] = attrs.evolve(contact, values=values)
            if target is not None:
                target.members[contact.email] = None
        if target is not None:
            target.updated = now

    def exclude(self, email: str, since: datetime) -> None:
        """Never mail this address again from an instant on (退訂, 退信, 抱怨)."""
        known = self.excluded_since.get(email)
        self.excluded_since[email] = since if known is None else min(known, since)

    def is_excluded(self, email: str, now: datetime) -> bool:
        """Tell whether the address is excluded by now."""
        since = self.excluded_since.get(email)
        return since is not None and since <= now

    def count(self, list_sn: str, now: datetime) -> tuple[int, int]:
        """Count a list's members: (subscribed, excluded)."""
        members = self.lists[list_sn].members
        excluded = sum(1 for email in members if self.is_excluded(email, now))
        return len(members) - excluded, excluded

    def recipients(
        self, selected: Iterable[str], excluded: Iterable[str], now: datetime
    ) -> tuple[Contact, ...]:
        """Return who is in a selected list, in no excluded one, and not excluded himself (T68)."""
        left_out = {email for sn in excluded for email in self._members(sn)}
        chosen = {
            email: None
            for sn in selected
            for email in self._members(sn)
            if email not in left_out and not self.is_excluded(email, now)
        }
        return tuple(self.contacts[email] for email in chosen)

    def _members(self, sn: str) -> Iterator[str]:
        known = self.lists.get(sn)
        return iter(known.members if known is not None else ())
