"""Rows of the platform's files, read after the fact. They are personal data.

Their ``repr`` shows no contact; their fields and ``to_dict()`` do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import attrs

from newsleopard_async.plain import Plain

__all__ = ["RejectedRow", "ReportRow"]

_ADDRESS: Final = re.compile(r"\S*[@＠]\S*")
_LONGEST_SHOWN_CHARS: Final = 80


@attrs.frozen(kw_only=True)
class RejectedRow(Plain):
    """A row of an import that the platform did not take.

    Attributes:
        line: The line in the contacts as they were given, counted as an editor counts: the
            header is line 1. None where it is not known.
        email: The address as it stands in the file, without white space around it.
        reason: Why it was rejected, in the platform's words, or None where it does not say.
        values: The cells by column, but for the reason.
    Source: ``errorDownloadLink``; the file's form is not documented (T49).
    """

    line: int | None = None
    email: str = ""
    reason: str | None = None
    values: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    def __repr__(self) -> str:
        reason = _without_contact(self.reason, (self.email, *self.values.values()))
        return f"RejectedRow(line={self.line!r}, reason={reason!r})"


@attrs.frozen(kw_only=True)
class ReportRow(Plain):
    """A row of a report file: something that happened to one mail.

    Attributes:
        email: The recipient's address as it stands in the file, without white space around it.
        name: The recipient's name; empty where the file has none.
        at: When it happened, UTC; None where the file does not say, or not in a known form.
        url: What was clicked, or None.
        reason: Why the mail bounced, in the platform's words, or None.
        values: All cells by column, those above too.
    Source: the files behind 報表連結; their columns are not documented (T119).
    """

    email: str = ""
    name: str = ""
    at: datetime | None = None
    url: str | None = None
    reason: str | None = None
    values: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    def __repr__(self) -> str:
        reason = _without_contact(self.reason, (self.email, self.name))
        return f"ReportRow(at={self.at!r}, reason={reason!r})"


def _without_contact(reason: str | None, cells: Iterable[str]) -> str | None:
    """Take out of a reason what it may quote of its row."""
    if reason is None:
        return None
    for cell in sorted(map(str.strip, cells), key=len, reverse=True):
        # A single letter says nothing of anybody, and is in every word.
        if len(cell) > 1 or not cell.isascii():
            reason = reason.replace(cell, "…")
    return _ADDRESS.sub("…", reason)[:_LONGEST_SHOWN_CHARS]
