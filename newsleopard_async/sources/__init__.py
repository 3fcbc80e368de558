"""Contacts from anywhere: what they may be given as, and how they become one clean CSV file."""

from __future__ import annotations

from newsleopard_async.sources.cleaning import CleanContacts
from newsleopard_async.sources.contacts import Contacts, ContactsSource

__all__ = ["CleanContacts", "Contacts", "ContactsSource"]
