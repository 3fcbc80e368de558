"""The formats of values on the page: times, numbers, JSON, and unfilled placeholders."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from datetime import datetime, timedelta, timezone
from typing import Final

from markupsafe import Markup, escape

__all__ = [
    "TAIPEI",
    "UNITS",
    "coded",
    "duration",
    "marked",
    "number",
    "pretty",
    "share",
    "taipei",
    "utc",
]

TAIPEI: Final = timezone(timedelta(hours=8), "Asia/Taipei")
"""Taipei has had no daylight saving time since 1979, so a fixed offset is enough."""

LONGEST_JSON_CHARS: Final = 200_000
"""Chosen: 200,000 characters. Longer JSON is not indented, because it would slow the browser."""

_STEPS: Final = (("days", 86_400), ("h", 3_600), ("min", 60))
UNITS: Final = ("s", "min", "h", "day", "days")
_QUOTED: Final = re.compile(r"`([^`]+)`")
_ESCAPED: Final = re.compile(r"\$\{([^{}]*)\}")


def coded(text: str) -> Markup:
    """Return a text as HTML, with the names between backquotes as code."""
    parts = _QUOTED.split(text)
    # Every second part is a name.
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part
        for place, part in enumerate(parts)
    )


def taipei(instant: datetime) -> str:
    """Return a time in the time zone of Taipei, to the second."""
    return instant.astimezone(TAIPEI).strftime("%Y-%m-%d %H:%M:%S")


def utc(instant: datetime) -> str:
    """Return a time in UTC, to the second."""
    return instant.strftime("%Y-%m-%d %H:%M:%S UTC")


def number(value: float) -> str:
    """Return a number with commas between the thousands, and at most one decimal."""
    return f"{value:,.1f}".removesuffix(".0")


def share(part: int, whole: int) -> str:
    """Return a share in percent, or a dash if the whole is zero."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def duration(seconds: float) -> tuple[str, str]:
    """Return a duration in its largest unit: the number, and the unit's name in English."""
    for unit, length in _STEPS:
        if abs(seconds) >= length:
            text = number(seconds / length)
            return text, "day" if (text, unit) == ("1", "days") else unit
    return number(seconds), "s"


def pretty(text: str) -> str:
    """Return an indented text if it is a JSON object or array, else the same text."""
    if len(text) > LONGEST_JSON_CHARS:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(value, dict | list):
        return text
    return json.dumps(value, ensure_ascii=False, indent=2)


def marked(text: str, unfilled: Collection[str]) -> Markup:
    """Escape a text, and mark the unfilled placeholders in it."""

    def mark(found: re.Match[str]) -> str:
        if found[1].strip() not in unfilled:
            return str(escape(found[0]))
        return f"<mark>{escape(found[0])}</mark>"

    pieces, end = [], 0
    for found in _ESCAPED.finditer(text):
        pieces += [str(escape(text[end : found.start()])), mark(found)]
        end = found.end()
    return Markup("".join([*pieces, str(escape(text[end:]))]))  # noqa: S704  # each piece is escaped above
