"""What to do about an import that ended without success, by its state and the header sent."""

from __future__ import annotations

from typing import Final

from newsleopard_async.checks.markup import shorten
from newsleopard_async.contacts.csv.separators import folded
from newsleopard_async.contacts.rules.header import REQUIRED
from newsleopard_async.models import ImportStatus
from newsleopard_async.models.contacts import RESERVED_COLUMNS

__all__ = ["advice_for"]

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
