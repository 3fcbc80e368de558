"""What to do about an import or a campaign that ended without success, by its state."""

from __future__ import annotations

from typing import Final

from newsleopard_async.checks.markup import shorten
from newsleopard_async.contacts.csv.separators import folded
from newsleopard_async.contacts.rules.header import REQUIRED
from newsleopard_async.models import CampaignState, ImportStatus
from newsleopard_async.models.contacts import RESERVED_COLUMNS

__all__ = ["advice_for", "advice_for_campaign"]

_MOST_NAMED: Final = 5
"""Columns that an error names. Chosen: it stays a sentence or two."""


def advice_for(status: ImportStatus, columns: tuple[str, ...] = ()) -> str:
    """Say what may be at fault, and what to do.

    Args:
        status: How the import ended.
        columns: The header that was sent, if it is known.

    Source: 狀態值; documented. That ERROR may be about a column: notes 2026.
    """
    return {
        "DUPLICATE_HEADER": "two columns have the same name (標頭重複); rename one of them",
        "MISSING_REQUIRED_DATA": "the header does not begin with EMAIL,NAME, or nothing arrived "
        "(缺少需要的檔案)",
        "ERROR": "the file could not be read as CSV, or a column must be set up first "
        f"(匯入失敗){_suspects(columns)}",
    }.get(status, "a state that is not documented")


def _suspects(columns: tuple[str, ...]) -> str:
    """Name the columns that the platform may not take (T40, T41)."""
    custom = [each for each in columns if each not in REQUIRED]
    reserved = [each for each in custom if folded(each) in RESERVED_COLUMNS]
    others = [each for each in custom if each not in reserved]
    return "".join(
        (
            f"; set up in the console, if they are not: {_named(others)}" if others else "",
            f"; reserved by the platform, so rename them: {_named(reserved)}" if reserved else "",
        )
    )


def _named(columns: list[str]) -> str:
    more = len(columns) - _MOST_NAMED
    named = ", ".join(shorten(each) for each in columns[:_MOST_NAMED])
    return f"{named} and {more} more" if more > 0 else named


def advice_for_campaign(state: CampaignState) -> str:
    """Say why a campaign was not sent, or not all of it, and what to do.

    Source: the names of the states in the notes of 2026; their meaning is inferred (T124).
    """
    reason = {
        "STOP": "it was stopped, and what had not gone out is not sent; there is no documented way "
        "to let it go on",
        "OVER_LIMIT": "the balance does not cover it; top up (儲值)",
        "EMPTY_RECIPIENT": "no recipient was left; look at its lists, at exclude_lists, and at who "
        "has unsubscribed",
        "INSUFFICIENT_RECIPIENT_FOR_TESTING": "it has too few recipients for an A/B test; send to "
        "more, or send one version as a campaign",
        "UNAUTHENTICATED_SENDER": "the sender is not verified; verify it in the console "
        "(寄件人驗證)",
    }[state]
    return (
        f"{reason}. Before you send it anew, look in the console (活動列表) at who has it already"
    )
