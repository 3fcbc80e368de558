"""Whether an A/B test can give a result: A and B must differ, and have enough recipients."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Final

from newsleopard_async.checks.context import CheckContext, FindingDetails
from newsleopard_async.checks.markup import Piece, fold
from newsleopard_async.checks.page import Page
from newsleopard_async.models.ab_test import BaseABTest
from newsleopard_async.models.campaign import Sender
from newsleopard_async.models.findings import counted

__all__ = [
    "find_lone_preheader",
    "find_no_recipients",
    "find_same",
    "find_same_text",
    "find_small_test",
    "find_too_small_test",
]

FEW: Final = 100
"""With fewer recipients per half, 20 % opens can differ by half of them through chance alone."""

MOST_PERCENT: Final = 99
"""The largest share that a test can have; the main send gets the rest."""


def find_same(context: CheckContext) -> Iterator[FindingDetails]:
    """Find an A and a B without a visible difference."""
    for field, is_same in _pairs(context):
        if is_same:
            yield FindingDetails(
                field,
                "differs from A only in white space, case or invisible characters, or not at all; "
                "make a difference that readers notice",
            )


def _pairs(context: CheckContext) -> Iterator[tuple[str, bool]]:
    subjects, senders = context.subjects, context.senders
    if "subject_b" in subjects:
        yield "subject_b", _visible_lines(context, "a") == _visible_lines(context, "b")
    if "sender_b" in senders:
        yield (
            "sender_b",
            _visible_sender(senders["sender_a"]) == _visible_sender(senders["sender_b"]),
        )
    for a, b in _bodies(context):
        yield "html_b", _visible_parts(a) == _visible_parts(b)


def _visible_lines(context: CheckContext, letter: str) -> tuple[str, str]:
    """Return the subject and the preheader as a list of mails shows them."""
    subject = context.subjects[f"subject_{letter}"]
    return fold(subject), fold(context.preheaders.get(f"preheader_{letter}", ""))


def find_lone_preheader(context: CheckContext) -> Iterator[FindingDetails]:
    """Find a test of the subject in which only one half has a preheader."""
    a, b = "preheader_a", "preheader_b"
    for present, missing in ((a, b), (b, a)):
        if present in context.preheaders and missing not in context.preheaders:
            yield FindingDetails(
                missing,
                f"is missing, but {present} is set, so the test measures more than the subject; "
                "set both, or leave both out",
            )


def find_same_text(context: CheckContext) -> Iterator[FindingDetails]:
    """Find two bodies with the same text and another design, which is possibly intended."""
    for a, b in _bodies(context):
        words = _words(a.texts)
        if words and words == _words(b.texts) and _visible_parts(a) != _visible_parts(b):
            yield FindingDetails(
                "html_b",
                "has the same text as A, so the test compares only images, links and layout; "
                "change the text if you want to compare it",
            )


def _bodies(context: CheckContext) -> Iterator[tuple[Page, Page]]:
    """Yield the bodies of A and B if the test compares bodies."""
    if len(context.pages) == 2:
        yield context.pages[0], context.pages[1]


def _visible_parts(page: Page) -> Hashable:
    """Return everything that decides how a mail program displays a body."""
    return (
        _words(page.texts),
        _words(page.styles),
        _words(page.conditionals),
        tuple(
            (tag.name, tuple(sorted((name, fold(v)) for name, v in tag.attributes.items())))
            for tag in page.tags
        ),
    )


def _words(pieces: Iterable[Piece]) -> str:
    return fold(" ".join(piece.text for piece in pieces))


def _visible_sender(sender: Sender) -> tuple[str, str]:
    return fold(sender.name), fold(sender.address)


def find_no_recipients(context: CheckContext) -> Iterator[FindingDetails]:
    """Find a campaign without recipients."""
    if context.recipients == 0:
        yield FindingDetails(
            "recipients", "the lists have no subscribers; add contacts, or select other lists"
        )


def find_too_small_test(context: CheckContext) -> Iterator[FindingDetails]:
    """Find a test whose share leaves a half of it without recipients (T97)."""
    if context.recipients and _half_of(context) == 0:
        yield FindingDetails(
            "proportion",
            f"is too small for {counted(context.recipients, 'recipient')}: each half of the test "
            "would have no recipients, and the platform stops such a test "
            f"(INSUFFICIENT_RECIPIENT_FOR_TESTING); {_way_out(context.recipients)}",
        )


def _way_out(recipients: int) -> str:
    """Return advice with the smallest share that gives each half of a test a recipient."""
    least = -(-200 // recipients)
    if least > MOST_PERCENT:
        return "send a Campaign instead"
    return f"make it {least} or more, or send a Campaign"


def find_small_test(context: CheckContext) -> Iterator[FindingDetails]:
    """Find a test that is too small to distinguish a difference from chance."""
    half = _half_of(context)
    if half is not None and 0 < half < FEW:
        yield FindingDetails(
            "proportion",
            f"puts {counted(half, 'recipient')} into each half of the test, so a difference is "
            f"mostly chance; use {FEW} or more in each half",
        )


def _half_of(context: CheckContext) -> int | None:
    """Return how many recipients get A; None without a test or a number of recipients."""
    campaign = context.campaign
    if context.recipients is None or not isinstance(campaign, BaseABTest):
        return None
    return context.recipients * campaign.proportion // 200
