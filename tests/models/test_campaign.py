from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models import (
    Campaign,
    ContentTest,
    FooterLanguage,
    GoogleAnalytics,
    ListSn,
    SendAt,
    Sender,
    SenderTest,
    SendNow,
    SubjectTest,
    with_lists,
)
from newsleopard_async.models.campaign import MAX_BODY_BYTES, show_length
from newsleopard_async.plain import to_plain
from newsleopard_async.transport.wire.requests import encode_submission
from tests.constants import SENDER, START
from tests.models.examples import (
    CAMPAIGN,
    CONTENT_TEST,
    SENDER_TEST,
    SUBJECT_TEST,
    problems_of,
)
from tests.models.strategies import ab_tests, campaigns


@pytest.mark.parametrize(
    ("name", "address", "expected"),
    [
        ("", "a@example.com", [("name", "required")]),
        (" ", "a@example.com", [("name", "required")]),
        ("電子\n豹", "a@example.com", [("name", "one-line")]),
        (None, "a@example.com", [("name", "type")]),
        ("豹", "", [("address", "required")]),
        ("豹", "example.com", [("address", "address")]),
        ("豹", "@example.com", [("address", "address")]),
        ("豹", "a@", [("address", "address")]),
        ("豹", "a@b@c", [("address", "address")]),
        ("豹", "a b@example.com", [("address", "address")]),
        ("豹", " a@example.com", [("address", "address")]),
        ("豹", "豹 <a@example.com>", [("address", "ascii")]),
        ("豹", "NL <a@example.com>", [("address", "address")]),
        ("豹", ".a@example.com", [("address", "address")]),
        ("豹", "a.@example.com", [("address", "address")]),
        ("豹", "a..b@example.com", [("address", "address")]),
        ("豹", "a@example..com", [("address", "address")]),
        ("豹", "service＠example.com", [("address", "ascii")]),
        ("豹", "a@example.com\r\nBcc: x@example.com", [("address", "one-line")]),
        ("豹", 5, [("address", "type")]),
        (1, 2, [("name", "type"), ("address", "type")]),
    ],
)
def test_sender_that_cannot_send_is_refused(
    name: Any, address: Any, expected: list[tuple[str, str]]
) -> None:
    """A sender has a name of one line and a bare address."""
    assert problems_of(Sender, name=name, address=address) == expected


@pytest.mark.parametrize(
    "address", ["a@b", "first.last+tag@mail.example.com.tw", "x@xn--fiqs8s.tw"]
)
def test_bare_address_passes(address: str) -> None:
    """The platform decides which addresses are verified."""
    assert Sender("豹", address).address == address


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"campaign": ""}, [("campaign", "required")]),
        ({"content": " "}, [("content", "required")]),
        ({"content": "a\tb"}, [("content", "one-line")]),
        ({"ecommerce": "false"}, [("ecommerce", "type")]),
        ({"campaign": None, "content": 1}, [("campaign", "type"), ("content", "type")]),
    ],
)
def test_tracking_without_its_values_is_refused(
    arguments: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """Google Analytics needs both values."""
    valid = {"campaign": "spring_sale", "content": "logolink"}

    assert problems_of(GoogleAnalytics, **{**valid, **arguments}) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"name": ""}, [("name", "required")]),
        ({"name": 5}, [("name", "type")]),
        ({"name": "a\u2028b"}, [("name", "one-line")]),
        ({"name": "\ud800"}, [("name", "encoding")]),
        ({"subject": ""}, [("subject", "required")]),
        ({"subject": "a\r\nBcc: b@example.com"}, [("subject", "one-line")]),
        ({"subject": "\udfff\n"}, [("subject", "encoding"), ("subject", "one-line")]),
        ({"subject": None}, [("subject", "type")]),
        ({"sender": "service@example.com"}, [("sender", "type")]),
        ({"html": ""}, [("html", "required")]),
        ({"html": " \n"}, [("html", "required")]),
        ({"html": "<p>\ud800</p>"}, [("html", "encoding")]),
        ({"html": b"<p></p>"}, [("html", "type")]),
        ({"html": Path("a.html")}, [("html", "type")]),
        ({"lists": "40280a3c"}, [("lists", "type")]),
        ({"lists": b"40280a3c"}, [("lists", "type")]),
        ({"lists": 5}, [("lists", "type")]),
        ({"lists": None}, [("lists", "type")]),
        ({"lists": ["a", "", "a/b"]}, [("lists", "required"), ("lists", "code")]),
        ({"lists": ["file"]}, [("lists", "reserved")]),
        ({"lists": [["a"]]}, [("lists", "type")]),
        ({"exclude_lists": "40280a3c"}, [("exclude_lists", "type")]),
        ({"exclude_lists": ["Hello, world!"]}, [("exclude_lists", "code")]),
        ({"lists": ["a", "b"], "exclude_lists": ["b"]}, [("exclude_lists", "overlap")]),
        ({"schedule": datetime(2027, 1, 5, tzinfo=UTC)}, [("schedule", "type")]),
        ({"schedule": SendNow}, [("schedule", "type")]),
        ({"schedule": None}, [("schedule", "type")]),
        ({"ga": True}, [("ga", "type")]),
        ({"footer": 1}, [("footer", "type")]),
        ({"footer": True}, [("footer", "type")]),
        (
            {"name": "", "subject": "", "sender": None, "html": "", "lists": "x"},
            [
                ("name", "required"),
                ("lists", "type"),
                ("subject", "required"),
                ("sender", "type"),
                ("html", "required"),
            ],
        ),
    ],
)
def test_campaign_that_would_be_refused_cannot_be_built(
    arguments: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """One error names every problem, and each with its field and its rule."""
    assert problems_of(Campaign, **{**CAMPAIGN, **arguments}) == expected


@pytest.mark.parametrize(
    ("kind", "valid", "field"),
    [
        (Campaign, CAMPAIGN, "preheader"),
        (SubjectTest, SUBJECT_TEST, "preheader_a"),
        (SubjectTest, SUBJECT_TEST, "preheader_b"),
        (SenderTest, SENDER_TEST, "preheader"),
        (ContentTest, CONTENT_TEST, "preheader"),
    ],
)
@pytest.mark.parametrize(
    ("value", "rules"),
    [
        ("", ["required"]),
        (" \n", ["required"]),
        ("a\nb", ["one-line"]),
        ("a\u2028b", ["one-line"]),
        ("\ud800", ["encoding"]),
        (b"x", ["type"]),
        (5, ["type"]),
        (False, ["type"]),
    ],
)
def test_preheader_is_one_line_or_none(
    kind: Any, valid: dict[str, Any], field: str, value: Any, rules: list[str]
) -> None:
    """It obeys the rules of a subject, and is left out by None alone."""
    assert problems_of(kind, **valid, **{field: value}) == [(field, rule) for rule in rules]
    assert problems_of(kind, **valid, **{field: "預覽 ${NAME} 👋"}) == []
    assert getattr(kind(**valid, **{field: None}), field) is None


def test_empty_preheader_has_its_way_out() -> None:
    """Unlike a subject, it may be left out."""
    with pytest.raises(InvalidRequest, match=r"^preheader: is empty; "):
        Campaign(**CAMPAIGN, preheader=" ")


def test_campaign_takes_the_defaults_of_the_face() -> None:
    """Four fields are enough; lists may follow."""
    campaign = Campaign(name="n", subject="s", sender=SENDER, html="<p></p>")

    assert campaign.lists == ()
    assert campaign.exclude_lists == ()
    assert campaign.schedule == SendNow()
    assert campaign.ga is None
    assert campaign.footer is FooterLanguage.CHINESE


def test_list_given_twice_is_kept_once() -> None:
    """Codes keep their order and lose their duplicates; any iterable will do."""
    codes = (ListSn(code) for code in "abac")

    assert Campaign(**{**CAMPAIGN, "lists": codes}).lists == ("a", "b", "c")


@pytest.mark.parametrize("field", ["name", "subject", "sender", "html", "lists"])
def test_message_says_the_way_out(field: str) -> None:
    """The text of the error is for a person: field, fault and remedy."""
    with pytest.raises(InvalidRequest, match=rf"^{field}: must be .+, not float$"):
        Campaign(**{**CAMPAIGN, field: 0.5})


@pytest.mark.parametrize("html", ["x" * MAX_BODY_BYTES, "豹" * (MAX_BODY_BYTES // 3)])
def test_request_over_the_limit_is_refused(html: str) -> None:
    """Bytes count, not characters."""
    assert problems_of(Campaign, **{**CAMPAIGN, "html": html}) == [("html", "too-large")]


def test_escapes_count_towards_the_limit() -> None:
    """A quote takes two bytes in JSON."""
    html = '"' * (MAX_BODY_BYTES // 2)

    assert problems_of(Campaign, **{**CAMPAIGN, "html": html}) == [("html", "too-large")]


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(campaigns() | ab_tests())
def test_estimated_size_covers_the_real_one(mailing: Any) -> None:
    """No body exceeds what the constructor reckons with."""
    body = len(json.dumps(encode_submission(mailing, START), ensure_ascii=False).encode())

    assert body <= len(json.dumps(to_plain(mailing), ensure_ascii=False).encode()) + 1_000


def test_lists_are_checked_when_they_are_set() -> None:
    """A copy with other lists is held to the same rules."""
    campaign = Campaign(**CAMPAIGN, exclude_lists=[ListSn("out")])

    assert with_lists(campaign, [ListSn("in")]).lists == ("in",)
    with pytest.raises(InvalidRequest, match="out"):
        with_lists(campaign, [ListSn("out")])


def test_repr_shows_the_length_of_the_html() -> None:
    """A log line is not drowned by a newsletter."""
    shown = repr(Campaign(**{**CAMPAIGN, "html": "<b>" * 1000}))

    assert "html=<3000 characters>" in shown
    assert "<b>" not in shown


def test_repr_of_what_is_no_html_is_plain() -> None:
    """A debugger may look at a half-built object."""
    assert show_length(None) == "None"


@settings(deadline=None, max_examples=30)
@given(campaigns(), st.data())
def test_campaign_is_a_value(campaign: Campaign, data: st.DataObject) -> None:
    """Equal campaigns are equal and hash alike; a campaign cannot be changed."""
    twin = with_lists(campaign, campaign.lists)

    assert twin == campaign
    assert hash(twin) == hash(campaign)
    with pytest.raises(AttributeError):
        campaign.name = "other"  # type: ignore[misc]  # that it is frozen is the point


@pytest.mark.parametrize("schedule", [SendNow(), SendAt(START)])
def test_either_schedule_is_taken(schedule: SendNow | SendAt) -> None:
    """The constructor does not check whether the time is in the future."""
    assert Campaign(**CAMPAIGN, schedule=schedule).schedule == schedule
