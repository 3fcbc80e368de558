"""The fields of a mail except the body: subject, preheader, sender and Google Analytics."""

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
    (re.compile(r"\s"), "white space"),
    (re.compile(r"[&?#]"), "&, ? or #"),
    (HIDDEN, "invisible characters"),
)
_TAGGED: Final = re.compile(r"[?&;]utm_[a-z]", re.IGNORECASE)


def find_awkward_values(context: CheckContext) -> Iterator[FindingDetails]:
    """Find values that a link can change or cut off."""
    for field, value in context.ga_values.items():
        if has := [name for pattern, name in _AWKWARD if pattern.search(value)]:
            yield FindingDetails(
                field,
                f"has {' and '.join(has)}, so a link can change it or cut it off; write _ or - "
                "instead",
            )


def find_no_links(context: CheckContext) -> Iterator[FindingDetails]:
    """Find bodies without a link that could be tracked."""
    if context.campaign.ga is None:
        return
    for page in context.pages:
        if not any(link.opens_web for link in page.links):
            yield FindingDetails(
                page.field,
                "has no http link for Google Analytics to tag; add a link, or leave ga out",
            )


def find_tagged_links(context: CheckContext) -> Iterator[FindingDetails]:
    """Find links that are tagged by hand."""
    if context.campaign.ga is None:
        return
    for page in context.pages:
        yield from one_finding_for_all(
            page.field,
            ((link.url, link.line) for link in page.links if _TAGGED.search(link.url)),
            "has links with utm_ parameters ({}), but ga also adds such parameters; take them out "
            "of the HTML, or leave ga out",
        )


# The lengths that the vendor's notes allow, in code points (T81).
MOST_OF_SUBJECT: Final = 150
"""Characters of a subject. Source: T81."""

MOST_OF_PREHEADER: Final = 60
"""Characters of a preheader. Source: T81."""

MOST_OF_SENDER: Final = 50
"""Characters of a sender's name. Source: T81."""


def find_long_subject(context: CheckContext) -> Iterator[FindingDetails]:
    """Find subjects that are longer than the vendor's notes allow."""
    for field, subject in context.subjects.items():
        yield from _too_long(field, subject, MOST_OF_SUBJECT)


def find_long_preheader(context: CheckContext) -> Iterator[FindingDetails]:
    """Find preheaders that are longer than the vendor's notes allow."""
    for field, preheader in context.preheaders.items():
        yield from _too_long(field, preheader, MOST_OF_PREHEADER)


def find_long_sender(context: CheckContext) -> Iterator[FindingDetails]:
    """Find names of senders that are longer than the vendor's notes allow."""
    for field, name in context.sender_names.items():
        yield from _too_long(field, name, MOST_OF_SENDER)


def _too_long(field: str, text: str, most: int) -> Iterator[FindingDetails]:
    if len(text) > most:
        yield FindingDetails(
            field,
            f"has {len(text):,} characters, but the platform's notes allow {most}; shorten it",
        )
