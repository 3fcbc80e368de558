"""How long the lines are that a recipient sees in the inbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from newsleopard_async.checks.campaign.asked import Asked, Found

__all__ = ["find_long_sender", "find_long_subject"]

MOST_OF_SUBJECT: Final = 150
MOST_OF_SENDER: Final = 50
"""Characters that the vendor's notes allow, counted as code points (T81)."""


def find_long_subject(asked: Asked) -> Iterator[Found]:
    """Find subjects over the length of the notes."""
    for field, subject in asked.subjects.items():
        yield from _too_long(field, subject, MOST_OF_SUBJECT)


def find_long_sender(asked: Asked) -> Iterator[Found]:
    """Find names of senders over the length of the notes."""
    for field, sender in asked.senders.items():
        yield from _too_long(f"{field}.name", sender.name, MOST_OF_SENDER)


def _too_long(field: str, text: str, most: int) -> Iterator[Found]:
    if len(text) > most:
        yield Found(
            field,
            f"has {len(text):,} characters, and the platform's notes allow {most}; shorten it",
        )
