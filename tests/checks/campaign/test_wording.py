from __future__ import annotations

from newsleopard_async.models import Sender
from tests.checks.campaign.examples import (
    campaign,
    finding_of,
    rules_of,
    sender_test,
    subject_test,
)


def test_subject_up_to_the_limit_is_fine() -> None:
    """Characters are counted as code points, and not as bytes."""
    assert rules_of(campaign(subject="週" * 150)) == []


def test_long_subject_is_found() -> None:
    """The limit of the notes is a warning, since the documentation has none."""
    mailing = subject_test("a" * 151, "b" * 1_200)

    assert rules_of(mailing) == [
        ("warning", "subject-length", "subject_a", None),
        ("warning", "subject-length", "subject_b", None),
    ]


def test_long_sender_is_found() -> None:
    """Either sender of a test is measured."""
    fits, too_long = Sender("電" * 50, "a@example.com"), Sender("電" * 51, "a@example.com")

    mailing = sender_test(fits, too_long)

    assert rules_of(mailing) == [("warning", "sender-name-length", "sender_b.name", None)]
    assert finding_of("sender-name-length", mailing).message == (
        "has 51 characters, and the platform's notes allow 50; shorten it"
    )
