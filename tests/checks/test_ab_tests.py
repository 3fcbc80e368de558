from __future__ import annotations

import pytest

from newsleopard_async.models import Sender
from tests.checks.examples import (
    NOW,
    campaign,
    content_test,
    finding_of,
    html,
    rules_of,
    sender_test,
    subject_test,
)

SAME = ("warning", "same-variants")


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("Sale now", " SALE  now ", [(*SAME, "subject_b", None)]),
        ("限時優惠", "限 時優惠", [(*SAME, "subject_b", None)]),
        ("Sale now", "Sale today", []),
        ("特價", "特\u200b價\u3164", [(*SAME, "subject_b", None)]),
        ("café", "cafe\u0301", [(*SAME, "subject_b", None)]),
        ("SALE", "ＳＡＬＥ", []),
        ("❤", "❤\ufe0f", []),
        ("👨\u200d👩", "👨👩", []),
    ],
)
def test_subjects_are_compared(a: str, b: str, expected: list[object]) -> None:
    """White space, case, invisible characters and Unicode's form make no test."""
    assert rules_of(subject_test(a, b)) == expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("今日限定", "明日截止", []),
        ("Today", " TODAY\u200b", [(*SAME, "subject_b", None)]),
        (None, None, [(*SAME, "subject_b", None)]),
        ("今日限定", None, [("warning", "lone-preheader", "preheader_b", None)]),
        (None, "今日限定", [("warning", "lone-preheader", "preheader_a", None)]),
    ],
)
def test_preheaders_are_compared(a: str | None, b: str | None, expected: list[object]) -> None:
    """Recipients see preheaders next to the subject; a single missing one is probably forgotten."""
    assert rules_of(subject_test("Sale", "SALE", preheader_a=a, preheader_b=b)) == expected


@pytest.mark.parametrize(
    ("name", "address", "expected"),
    [
        ("LEOPARD", "News@Example.com", [(*SAME, "sender_b", None)]),
        ("Leo\u00adpard", "news@example.com", [(*SAME, "sender_b", None)]),
        ("Leopard", "other@example.com", []),
        ("Tiger", "news@example.com", []),
    ],
)
def test_senders_are_compared(name: str, address: str, expected: list[object]) -> None:
    """Either the name or the address must differ."""
    ab_test = sender_test(Sender("Leopard", "news@example.com"), Sender(name, address))

    assert rules_of(ab_test) == expected


A = html('<p class="x" id="y">Buy <b>now</b></p>')


@pytest.mark.parametrize(
    ("b", "expected"),
    [
        (A.replace(" ", "  ").replace("<b>", "<B>"), [(*SAME, "html_b", None)]),
        (A.replace("Buy", "BUY"), [(*SAME, "html_b", None)]),
        (html('<p id="y" class="x">Buy <b>now</b></p><!-- b -->'), [(*SAME, "html_b", None)]),
        (A.replace("now", "n\u200bow&shy;"), [(*SAME, "html_b", None)]),
        (A.replace("now", "today"), []),
        (A.replace("<b>", "<i>"), [("note", "same-text", "html_b", None)]),
        (A.replace('"x"', '"z"'), [("note", "same-text", "html_b", None)]),
        (A.replace("<b>", "<style>b {}</style><b>"), [("note", "same-text", "html_b", None)]),
        (
            A.replace("<b>", "<!--[if mso]>x<![endif]--><b>"),
            [("note", "same-text", "html_b", None)],
        ),
    ],
)
def test_bodies_are_compared_by_what_is_seen(b: str, expected: list[object]) -> None:
    """What a recipient could notice makes a test; of the text alone there is a note."""
    assert rules_of(content_test(A, b)) == expected


def test_bodies_of_images_only_have_no_text_to_compare() -> None:
    """Two mails without text are not told to have the same."""
    bodies = [
        f'<html><body><img alt="" src="https://a.example/{name}.png"></body></html>'
        for name in "ab"
    ]

    assert [rule for _, rule, _, _ in rules_of(content_test(*bodies))] == ["no-text", "no-text"]


@pytest.mark.parametrize(
    ("recipients", "proportion", "expected"),
    [
        (0, 10, ("error", "no-recipients", "recipients", None)),
        (1, 99, ("error", "test-too-small", "proportion", None)),
        (19, 10, ("error", "test-too-small", "proportion", None)),
        (20, 10, ("note", "small-test", "proportion", None)),
        (1_999, 10, ("note", "small-test", "proportion", None)),
    ],
)
def test_size_of_a_test_is_judged(recipients: int, proportion: int, expected: object) -> None:
    """Each half needs one recipient to run, and a hundred to say something."""
    ab_test = subject_test(proportion=proportion)

    assert rules_of(ab_test, recipients=recipients) == [expected]


@pytest.mark.parametrize("recipients", [2_000, None])
def test_size_is_enough_or_not_known(recipients: int | None) -> None:
    """What is not known is not judged."""
    assert rules_of(subject_test(proportion=10), recipients=recipients) == []


def test_messages_show_the_numbers() -> None:
    """The reader sees how far it is off."""
    small = finding_of("small-test", subject_test(), recipients=1_000)
    too_small = finding_of("test-too-small", subject_test(), recipients=12)

    assert "puts 50 recipients into each half" in small.message
    assert "is too small for 12 recipients: each half" in too_small.message
    assert too_small.message.endswith("; make it 17 or more, or send a Campaign")


def test_one_recipient_is_spelt_as_one() -> None:
    """One recipient is written in the singular, and no share makes such a test possible."""
    small = finding_of("small-test", subject_test(), recipients=20)
    too_small = finding_of("test-too-small", subject_test(), recipients=1)

    assert "puts 1 recipient into each half" in small.message
    assert "is too small for 1 recipient: " in too_small.message
    assert too_small.message.endswith("; send a Campaign instead")


def test_share_that_is_said_to_do_is_enough() -> None:
    """The way out leads out."""
    mailing = subject_test(proportion=67)

    assert rules_of(mailing, recipients=3) == [("note", "small-test", "proportion", None)]
    assert "make it 67 or more" in (
        finding_of("test-too-small", subject_test(), recipients=3).message
    )


def test_campaign_has_no_halves() -> None:
    """A campaign goes to however few."""
    assert rules_of(campaign(), recipients=1, now=NOW) == []
    assert rules_of(campaign(), recipients=0) == [("error", "no-recipients", "recipients", None)]
