from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings

from newsleopard_async.models import (
    Campaign,
    ContentTest,
    FooterLanguage,
    GoogleAnalytics,
    ListSn,
    Mailing,
    SendAt,
    Sender,
    SenderTest,
    SubjectTest,
    Timezone,
)
from newsleopard_async.transport.wire.requests import (
    encode_ab_test,
    encode_campaign,
    encode_submission,
    format_query_date,
    format_schedule_date,
)
from tests.models.examples import CAMPAIGN, CONTENT_TEST, SENDER_TEST, SUBJECT_TEST
from tests.models.strategies import ab_tests, campaigns
from tests.requests_schema import Profile, RequestSchema

NOW = datetime(2019, 7, 5, 6, 0, 28, tzinfo=UTC)
HEADERS = {"content-type": "application/json", "accept": "application/json", "x-api-key": "k"}


@cache
def schema(profile: Profile) -> RequestSchema:
    """Read openapi.yaml once."""
    return RequestSchema(profile)


def check(mailing: Mailing) -> None:
    """Hold an encoded mailing against the documented schema, or with a preheader the later one."""
    kind = "normal" if isinstance(mailing, Campaign) else "testing"
    body = encode_submission(mailing, NOW)
    profile: Profile = "vendor-2026" if "preheader" in str(body["content"].keys()) else "documented"
    sent = json.dumps(body).encode()
    schema(profile).check("POST", f"/v1/campaign/{kind}/submit", HEADERS, sent)


def test_documented_sample_is_written() -> None:
    """The campaign of the documentation's sample becomes that sample."""
    html = "<!DOCTYPE html><html><head></head><body><p>Hello ${NAME},</p></body></html>"
    campaign = Campaign(
        name="活動名稱",
        subject="信件主旨",
        sender=Sender("寄件人名稱", "service@newsleopard.com"),
        html=html,
        lists=[
            ListSn("40280a3c6a0cb8c5016a10142a230001"),
            ListSn("40280a3c6a0cb8c5016a10142a230003"),
        ],
        ga=GoogleAnalytics(campaign="spring_sale", content="logolink"),
    )

    assert encode_campaign(campaign, NOW) == {
        "form": {
            "name": "活動名稱",
            "selectedLists": [
                "40280a3c6a0cb8c5016a10142a230001",
                "40280a3c6a0cb8c5016a10142a230003",
            ],
            "excludeLists": [],
        },
        "config": {
            "schedule": {"type": 0, "timezone": 21, "scheduleDate": "2019-07-05T06:00:28.000Z"},
            "ga": {
                "enable": "true",
                "ecommerceEnable": "false",
                "utmCampaign": "spring_sale",
                "utmContent": "logolink",
            },
        },
        "content": {
            "subject": "信件主旨",
            "fromName": "寄件人名稱",
            "fromAddress": "service@newsleopard.com",
            "htmlContent": html,
            "footerLang": 1,
        },
    }


@settings(deadline=None, max_examples=50)
@given(campaigns())
def test_every_campaign_is_valid_on_the_wire(campaign: Campaign) -> None:
    """What the constructor lets pass, the documented schema lets pass."""
    check(campaign)


@settings(deadline=None, max_examples=50)
@given(ab_tests())
def test_every_ab_test_is_valid_on_the_wire(
    ab_test: SubjectTest | SenderTest | ContentTest,
) -> None:
    """What the constructor lets pass, the documented schema lets pass."""
    check(ab_test)


@pytest.mark.parametrize(
    ("mailing", "own"),
    [
        (
            SubjectTest(**SUBJECT_TEST),
            {"testingOn": 1, "subjectA": "A", "subjectB": "B", "fromName": "電子豹"},
        ),
        (
            SenderTest(**SENDER_TEST),
            {
                "testingOn": 2,
                "subject": "主旨",
                "fromNameA": "電子豹",
                "fromNameB": "電子豹",
                "fromAddressA": "service@example.com",
                "fromAddressB": "news@example.com",
            },
        ),
        (
            ContentTest(**CONTENT_TEST),
            {"testingOn": 3, "htmlContentA": "<p>A</p>", "htmlContentB": "<p>B</p>"},
        ),
    ],
)
def test_content_of_an_ab_test_stands_at_the_top(
    mailing: SubjectTest | SenderTest | ContentTest, own: dict[str, Any]
) -> None:
    """Each kind has its own fields, in the same place (T95, T96)."""
    body = encode_ab_test(mailing, NOW)

    assert own.items() <= body["content"].items()
    assert set(body) == {"form", "config", "content"}
    assert set(body["config"]) == {"schedule", "ga"}


@pytest.mark.parametrize(
    ("mailing", "own"),
    [
        (Campaign(**CAMPAIGN, preheader="${NAME}"), {"preheader": "${NAME}"}),
        (
            SubjectTest(**SUBJECT_TEST, preheader_a="a", preheader_b="b"),
            {"preheaderA": "a", "preheaderB": "b"},
        ),
        (SubjectTest(**SUBJECT_TEST, preheader_b="b"), {"preheaderB": "b"}),
        (SenderTest(**SENDER_TEST, preheader="x"), {"preheader": "x"}),
        (ContentTest(**CONTENT_TEST, preheader="x"), {"preheader": "x"}),
        (Campaign(**CAMPAIGN), {}),
        (SubjectTest(**SUBJECT_TEST), {}),
        (SenderTest(**SENDER_TEST), {}),
        (ContentTest(**CONTENT_TEST), {}),
    ],
)
def test_preheader_is_sent_only_on_request(mailing: Mailing, own: dict[str, str]) -> None:
    """It stands in the content, as in the notes of 2026; without one nothing does (T82)."""
    content = encode_submission(mailing, NOW)["content"]

    assert {name: content[name] for name in content if "preheader" in name} == own
    check(mailing)


@pytest.mark.parametrize(
    ("wait", "time", "unit"),
    [
        (timedelta(hours=1), 1, 0),
        (timedelta(hours=23), 23, 0),
        (timedelta(hours=24), 1, 1),
        (timedelta(hours=25), 25, 0),
        (timedelta(days=3), 3, 1),
    ],
)
def test_whole_days_are_sent_as_days(wait: timedelta, time: int, unit: int) -> None:
    """The unit is 1 for days and 0 for hours."""
    ab_test = SubjectTest(**{**SUBJECT_TEST, "wait": wait})

    testing = encode_ab_test(ab_test, NOW)["content"]["testing"]

    assert testing == {"proportion": 10, "time": time, "unit": unit}


def test_scheduled_campaign_is_sent_in_utc_with_its_zone() -> None:
    """The instant is UTC, and the zone's code stands beside it (T71)."""
    when = datetime(2027, 1, 5, 10, 0, 0, 250_999, tzinfo=ZoneInfo("Asia/Tokyo"))
    campaign = Campaign(**CAMPAIGN, schedule=SendAt(when))

    assert encode_campaign(campaign, NOW)["config"]["schedule"] == {
        "type": 1,
        "timezone": Timezone.TOKYO.code,
        "scheduleDate": "2027-01-05T01:00:00.250Z",
    }


@pytest.mark.parametrize(
    ("ga", "expected"),
    [
        (None, {"enable": "false", "ecommerceEnable": "false"}),
        (
            GoogleAnalytics(campaign="c", content="d", ecommerce=True),
            {"enable": "true", "ecommerceEnable": "true", "utmCampaign": "c", "utmContent": "d"},
        ),
    ],
)
def test_flags_of_tracking_are_text(ga: GoogleAnalytics | None, expected: dict[str, str]) -> None:
    """The published documentation types them as strings (T76, T78)."""
    assert encode_campaign(Campaign(**CAMPAIGN, ga=ga), NOW)["config"]["ga"] == expected


def test_footer_is_an_integer() -> None:
    """Codes are JSON integers (T87)."""
    body = encode_campaign(Campaign(**CAMPAIGN, footer=FooterLanguage.ENGLISH), NOW)

    assert type(body["content"]["footerLang"]) is int
    assert body["content"]["footerLang"] == 0


@pytest.mark.parametrize(
    ("when", "query", "schedule"),
    [
        (NOW, "2019-07-05T06:00:28.00Z", "2019-07-05T06:00:28.000Z"),
        (
            datetime(2019, 7, 5, 14, 0, 28, 569_999, tzinfo=timezone(timedelta(hours=8))),
            "2019-07-05T06:00:28.56Z",
            "2019-07-05T06:00:28.569Z",
        ),
    ],
)
def test_time_is_written_in_utc(when: datetime, query: str, schedule: str) -> None:
    """Two fraction digits in a query, three in a body (T74, T105)."""
    assert format_query_date(when) == query
    assert format_schedule_date(when) == schedule


def test_naive_time_is_not_written() -> None:
    """A naive datetime would silently take the machine's zone."""
    with pytest.raises(ValueError, match="naive"):
        format_query_date(NOW.replace(tzinfo=None))
