"""Advice about an import or a campaign that ended without success, by its state."""

from __future__ import annotations

from typing import Final

from newsleopard_async.checks.markup import shorten
from newsleopard_async.contacts.csv.separators import folded
from newsleopard_async.contacts.rules.header import REQUIRED
from newsleopard_async.models import CampaignState, ImportStatus
from newsleopard_async.models.contacts import RESERVED_COLUMNS

__all__ = ["advice_for", "advice_for_campaign"]

_MOST_NAMED: Final = 5
"""Columns that an error names. Chosen: 5 names keep the message to a sentence or two."""


def advice_for(status: ImportStatus, columns: tuple[str, ...] = ()) -> str:
    """Return the possible reason, and what to do.

    Args:
        status: The final state of the import.
        columns: The header that was sent, if it is known.

    Source: 狀態值; documented. That a column can be the reason for ERROR: notes 2026.
    """
    return {
        "DUPLICATE_HEADER": "two columns have the same name (標頭重複); rename one of them",
        "MISSING_REQUIRED_DATA": "the header does not begin with EMAIL,NAME, or nothing arrived "
        "(缺少需要的檔案)",
        "ERROR": "the file could not be read as CSV, or a column must be set up first in the "
        "console "
        f"(匯入失敗){_suspects(columns)}",
    }.get(status, "the state is not documented; check the import in the console")


def _suspects(columns: tuple[str, ...]) -> str:
    """Name the columns that the platform possibly rejects (T40, T41)."""
    custom = [each for each in columns if each not in REQUIRED]
    reserved = [each for each in custom if folded(each) in RESERVED_COLUMNS]
    others = [each for each in custom if each not in reserved]
    return "".join(
        (
            f"; check that these are set up: {_named(others)}" if others else "",
            f"; the platform reserves these, so rename them: {_named(reserved)}"
            if reserved
            else "",
        )
    )


def _named(columns: list[str]) -> str:
    more = len(columns) - _MOST_NAMED
    named = ", ".join(shorten(each) for each in columns[:_MOST_NAMED])
    return f"{named} and {more} more" if more > 0 else named


def advice_for_campaign(state: CampaignState) -> str:
    """Return why a campaign was not sent, or not all of it, and what to do.

    Source: the names of the states in the notes of 2026; their meaning is inferred (T124).
    """
    reason = {
        "STOP": "it was stopped, and the remaining mails are not sent; no documented way exists "
        "to continue it",
        "OVER_LIMIT": "the balance does not cover it; top up (儲值)",
        "EMPTY_RECIPIENT": "no recipient was left; check its lists, exclude_lists, and the "
        "unsubscribed contacts",
        "INSUFFICIENT_RECIPIENT_FOR_TESTING": "it has too few recipients for an A/B test; send to "
        "more, or send one version as a campaign",
        "UNAUTHENTICATED_SENDER": "the sender is not verified; verify it in the console "
        "(寄件人驗證)",
    }[state]
    return (
        f"{reason}. Before you send it again, check in the console (活動列表) who has received it"
    )
