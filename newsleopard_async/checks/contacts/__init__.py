"""A CSV of contacts, judged before it is uploaded; no message shows a contact.

The way through the package is that of the bytes: `encoding` finds out how to read them, `records`
makes rows of them, `examiner` has them judged, mended and written again. `text` is for a CSV that
is to be imported exactly as it is.
"""

from __future__ import annotations

from newsleopard_async.checks.contacts.rules import CONTACT_RULES
from newsleopard_async.checks.contacts.text import problems_of_csv_text

__all__ = ["CONTACT_RULES", "problems_of_csv_text"]
