"""Whether an A/B test can show anything: two that differ, and people enough."""

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
    "find_nobody",
    "find_same",
    "find_same_text",
    "find_small_test",
    "find_too_small_test",
]

FEW: Final = 100
"""Fewer in each half, and what differs is chance: at 20 % opens, half of them more or less."""

MOST_PERCENT: Final = 99
"""The largest share that a test may have; the main send is the rest."""


def find_same(context: CheckContext) -> Iterator[FindingDetails]:
    """Find an A and a B that differ in nothing that is seen."""
    for field, is_same in _pairs(context):
        if is_same:
            yield FindingDetails(
                field,
                "differs from A in white space, case or invisible characters at most, which hardly "
                "anybody will see; make a difference",
            )


def _pairs(context: CheckContext) -> Iterator[tuple[str, bool]]:
    subjects, senders = context.subjects, context.senders
    if "subject_b" in subjects:
        yield "subject_b", _lines_of(context, "a") == _lines_of(context, "b")
    if "sender_b" in senders:
        yield "sender_b", _shown_of(senders["sender_a"]) == _shown_of(senders["sender_b"])
    for a, b in _bodies(context):
        yield "html_b", _look_of(a) == _look_of(b)


def _lines_of(context: CheckContext, letter: str) -> tuple[str, str]:
    """Return what a mail of a test of the subject shows in the list of mails."""
    subject = context.subjects[f"subject_{letter}"]
    return fold(subject), fold(context.preheaders.get(f"preheader_{letter}", ""))


def find_lone_preheader(context: CheckContext) -> Iterator[FindingDetails]:
    """Find a test of the subject of which one half has a preheader and the other none."""
    a, b = "preheader_a", "preheader_b"
    for given, missing in ((a, b), (b, a)):
        if given in context.preheaders and missing not in context.preheaders:
            yield FindingDetails(
                missing,
                f"is missing, and {given} is there: half of the test is without a preheader, and "
                "what it measures is more than the subject; give both, or neither",
            )


def find_same_text(context: CheckContext) -> Iterator[FindingDetails]:
    """Find two bodies that say the same and look different, which may be meant."""
    for a, b in _bodies(context):
        words = _words(a.texts)
        if words and words == _words(b.texts) and _look_of(a) != _look_of(b):
            yield FindingDetails(
                "html_b",
                "has the same text as A, so that the test is of images, links and layout only",
            )


def _bodies(context: CheckContext) -> Iterator[tuple[Page, Page]]:
    """Yield the bodies of A and B where the test is of the body."""
    if len(context.pages) == 2:
        yield context.pages[0], context.pages[1]


def _look_of(page: Page) -> Hashable:
    """Return what a mail program makes a mail's looks from."""
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


def _shown_of(sender: Sender) -> tuple[str, str]:
    return fold(sender.name), fold(sender.address)


def find_nobody(context: CheckContext) -> Iterator[FindingDetails]:
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
            "would have nobody to go to, and the platform stops such a test "
            f"(INSUFFICIENT_RECIPIENT_FOR_TESTING); {_way_out(context.recipients)}",
        )


def _way_out(recipients: int) -> str:
    """Say what would do: the least share that gives each half of a test somebody."""
    least = -(-200 // recipients)
    if least > MOST_PERCENT:
        return "send a Campaign"
    return f"make it {least} or more, or send a Campaign"


def find_small_test(context: CheckContext) -> Iterator[FindingDetails]:
    """Find a test too small to tell a difference from chance."""
    half = _half_of(context)
    if half is not None and 0 < half < FEW:
        yield FindingDetails(
            "proportion",
            f"puts {counted(half, 'recipient')} into each half of the test, where a difference is "
            f"mostly chance; {FEW} or more would say more",
        )


def _half_of(context: CheckContext) -> int | None:
    """Return how many get A; None where it is no test, or nothing is known."""
    campaign = context.campaign
    if context.recipients is None or not isinstance(campaign, BaseABTest):
        return None
    return context.recipients * campaign.proportion // 200
