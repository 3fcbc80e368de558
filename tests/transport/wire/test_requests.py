from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from functools import cache

import pytest
from hypothesis import given, settings

from newsleopard_async.models import (
    Campaign,
    ContentTest,
    Mailing,
    SenderTest,
    SubjectTest,
)
from newsleopard_async.transport.wire.requests import (
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
    """It is in the content, as in the notes of 2026; without one the field is missing (T82)."""
    content = encode_submission(mailing, NOW)["content"]

    assert {name: content[name] for name in content if "preheader" in name} == own
    check(mailing)


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
