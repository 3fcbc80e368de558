from __future__ import annotations

import pytest

from newsleopard_async.models import GoogleAnalytics, Sender
from tests.checks.examples import campaign, finding_of, html, rules_of, sender_test, subject_test

LINK = '<a href="https://www.example.com/">x</a>'
GA = GoogleAnalytics("spring-sale", "header_1")


@pytest.mark.parametrize(
    ("value", "has"),
    [
        ("spring sale", "white space"),
        ("a&b", "&, ? or #"),
        ("a?b", "&, ? or #"),
        ("a#b", "&, ? or #"),
        ("a b?c", "white space and &, ? or #"),
        ("spring\u200b", "invisible characters"),
    ],
)
@pytest.mark.parametrize("field", ["campaign", "content"])
def test_awkward_value_is_found(field: str, value: str, has: str) -> None:
    """Reports group by the value, and these characters mean something else in a link."""
    values = {"campaign": "a", "content": "b", field: value}
    ga = GoogleAnalytics(values["campaign"], values["content"])
    mailing = campaign(ga=ga, html=html(LINK))

    assert rules_of(mailing) == [("warning", "ga-value", f"ga.{field}", None)]
    assert finding_of("ga-value", mailing).message.startswith(f"has {has}, ")


@pytest.mark.parametrize("value", ["spring-sale", "Spring_2027", "週年慶"])
def test_value_that_a_link_carries_whole_is_fine(value: str) -> None:
    """中文 goes into a URL encoded, and comes out as it was."""
    mailing = campaign(ga=GoogleAnalytics(value, value), html=html(LINK))

    assert rules_of(mailing) == []


@pytest.mark.parametrize(
    "body", [LINK, '<a href="HTTP://a.example">x</a>', '<a href="${LINK}">x</a>']
)
def test_link_can_be_tracked(body: str) -> None:
    """The body has a web link, or a placeholder that can become one."""
    assert rules_of(campaign(ga=GA, html=html(body))) == []


@pytest.mark.parametrize("body", ["", '<a href="mailto:a@example.com">x</a>', "https://a.example"])
def test_tracking_without_a_link_is_found(body: str) -> None:
    """Tags go onto links, and there is none."""
    assert rules_of(campaign(ga=GA, html=html(body))) == [
        ("warning", "ga-without-links", "html", None)
    ]


def test_link_that_is_tagged_already_is_found() -> None:
    """Two tags on one link contradict each other."""
    body = f'{LINK}\n<a href="https://www.example.com/?a=1&amp;UTM_source=edm">x</a>'

    assert rules_of(campaign(ga=GA, html=html(body))) == [("warning", "ga-tagged-links", "html", 3)]


def test_without_tracking_nothing_is_judged() -> None:
    """Links may be tagged by hand where the platform does not."""
    assert rules_of(campaign(html=html('<a href="https://a.example/?utm_source=x">x</a>'))) == []


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


def test_long_preheader_is_found() -> None:
    """Sixty code points are allowed by the notes, of either preheader of a test."""
    mailing = subject_test(preheader_a="預" * 60, preheader_b="預" * 61)

    assert rules_of(mailing) == [("warning", "preheader-length", "preheader_b", None)]
    assert finding_of("preheader-length", mailing).message == (
        "has 61 characters, but the platform's notes allow 60; shorten it"
    )


def test_long_sender_is_found() -> None:
    """Either sender of a test is measured."""
    fits, too_long = Sender("電" * 50, "a@example.com"), Sender("電" * 51, "a@example.com")

    mailing = sender_test(fits, too_long)

    assert rules_of(mailing) == [("warning", "sender-name-length", "sender_b.name", None)]
    assert finding_of("sender-name-length", mailing).message == (
        "has 51 characters, but the platform's notes allow 50; shorten it"
    )
