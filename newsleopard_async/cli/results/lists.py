"""Read the contact lists of an account, and show them as a table."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

import attrs
from rich.table import Table
from rich.text import Text

from newsleopard_async import NewsLeopard
from newsleopard_async.cli.display.shown_values import count_text, local_time, rate_text
from newsleopard_async.cli.display.tables import headed_table
from newsleopard_async.cli.display.terminal import safe_text
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.models import ContactList

__all__ = ["FIRST_LISTS", "FoundLists", "lists_table", "read_lists"]

FIRST_LISTS: Final = 50
"""Chosen: two screens of a terminal, and one request."""

_CODE_CHARS: Final = 32
"""Characters of the codes in the platform's documentation; one that is broken cannot be copied."""
_WIDE_COLUMNS: Final = 116
"""Chosen: the code and a name of 16 wide characters fit beside the other columns."""
_MEDIUM_COLUMNS: Final = 76
"""Chosen: the numbers fit beside a code."""


@attrs.frozen
class FoundLists:
    """Lists of an account.

    Attributes:
        lists: The lists, in the platform's order.
        has_more: Whether the account has more.
    """

    lists: Sequence[ContactList]
    has_more: bool = False


async def read_lists(nl: NewsLeopard, *, search: str = "", limit: int | None = None) -> FoundLists:
    """Read lists, by a part of their name or by their code.

    Args:
        nl: The client.
        search: The part, without regard to case and width; empty for all.
        limit: The largest number of lists; None for all.
    """
    found: list[ContactList] = []
    async with aclosing(nl.contacts.iter_lists()) as lists:  # type: ignore[type-var]  # a generator
        async for each in lists:
            if not (_folded(search) in _folded(each.name) or search == each.sn):
                continue
            if len(found) == limit:
                return FoundLists(found, has_more=True)
            found.append(each)
    return FoundLists(found)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def lists_table(lists: Sequence[ContactList], *, width: int) -> Table:
    """Return a table with one row per list; on a narrow terminal, facts are below the name."""
    if width < _MEDIUM_COLUMNS:
        return _narrow_table(lists)
    is_wide = width >= _WIDE_COLUMNS
    table = headed_table()
    if is_wide:
        table.add_column(_("Code"), no_wrap=True)
    table.add_column(_("Name"), min_width=None if is_wide else _CODE_CHARS, overflow="fold")
    for title in (_("Subscribers"), _("Excluded"), _("Opened"), _("Clicked")):
        table.add_column(title, justify="right", no_wrap=True)
    if is_wide:
        table.add_column(_("Updated"), no_wrap=True)
    for each in lists:
        name, code = _name_of(each), safe_text(each.sn, "" if is_wide else "dim")
        cells: list[Text | str] = [
            *([code, name] if is_wide else [Text("\n").join([name, code])]),
            count_text(each.subscribed_count),
            count_text(each.excluded_count),
            rate_text(each.opened_rate_percent),
            rate_text(each.clicked_rate_percent),
            local_time(each.updated),
        ]
        table.add_row(*(cells if is_wide else cells[:-1]))
    return table


def _narrow_table(lists: Sequence[ContactList]) -> Table:
    table = headed_table()
    table.add_column(_("List"), min_width=_CODE_CHARS, overflow="fold")
    for each in lists:
        count = _("Subscribers: {count}").format(count=count_text(each.subscribed_count))
        table.add_row(
            Text("\n").join([_name_of(each), safe_text(each.sn, "dim"), Text(count, "dim")])
        )
    return table


def _name_of(found: ContactList) -> Text:
    """Return the name of a list with what a user should know before an import."""
    name = safe_text(found.name or "–")
    if found.is_segment:
        name.append(" " + _("(segment)"), style="dim")
    if found.status == "PROCESSING":
        name.append(" " + _("(an import is running)"), style="yellow")
    return name
