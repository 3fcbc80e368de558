"""What stands beside the body: subject, preheader, sender, and the values of Google Analytics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from newsleopard_async.checks.context import CheckContext, FindingDetails, one_finding_for_all
from newsleopard_async.models.damage import HIDDEN

__all__ = [
    "find_awkward_values",
    "find_long_preheader",
    "find_long_sender",
    "find_long_subject",
    "find_no_links",
    "find_tagged_links",
]

_AWKWARD: Final = (
    (re.compile(r"\s"), "spaces"),
    (re.compile(r"[&?#]"), "&, ? or #"),
    (HIDDEN, "invisible characters"),
)
_TAGGED: Final = re.compile(r"[?&;]utm_[a-z]", re.IGNORECASE)


def find_awkward_values(context: CheckContext) -> Iterator[FindingDetails]:
    """Find values that may come out of a URL changed, or cut off."""
    for field, value in context.ga_values.items():
        if has := [name for pattern, name in _AWKWARD if pattern.search(value)]:
            yield FindingDetails(
                field,
                f"has {' and '.join(has)}, which may cut it off or change it in a link; write "
                "_ or - in their place",
            )


def find_no_links(context: CheckContext) -> Iterator[FindingDetails]:
    """Find bodies without a link that could be tracked."""
    if context.campaign.ga is None:
        return
    for page in context.pages:
        if not any(link.opens_web for link in page.links):
            yield FindingDetails(
                page.field, "has no http link for Google Analytics to tag; add one, or leave ga out"
            )


def find_tagged_links(context: CheckContext) -> Iterator[FindingDetails]:
    """Find links that are tagged by hand."""
    if context.campaign.ga is None:
        return
    for page in context.pages:
        yield from one_finding_for_all(
            page.field,
            ((link.url, link.line) for link in page.links if _TAGGED.search(link.url)),
            "has links with utm_ parameters of their own ({}), and ga adds its own to them; take "
            "the ones in the HTML out, or leave ga out",
        )


MOST_OF_SUBJECT: Final = 150

MOST_OF_PREHEADER: Final = 60

MOST_OF_SENDER: Final = 50
"""Characters that the vendor's notes allow, counted as code points (T81)."""


def find_long_subject(context: CheckContext) -> Iterator[FindingDetails]:
    """Find subjects over the length of the notes."""
    for field, subject in context.subjects.items():
        yield from _too_long(field, subject, MOST_OF_SUBJECT)


def find_long_preheader(context: CheckContext) -> Iterator[FindingDetails]:
    """Find preheaders over the length of the notes."""
    for field, preheader in context.preheaders.items():
        yield from _too_long(field, preheader, MOST_OF_PREHEADER)


def find_long_sender(context: CheckContext) -> Iterator[FindingDetails]:
    """Find names of senders over the length of the notes."""
    for field, name in context.sender_names.items():
        yield from _too_long(field, name, MOST_OF_SENDER)


def _too_long(field: str, text: str, most: int) -> Iterator[FindingDetails]:
    if len(text) > most:
        yield FindingDetails(
            field,
            f"has {len(text):,} characters, and the platform's notes allow {most}; shorten it",
        )
