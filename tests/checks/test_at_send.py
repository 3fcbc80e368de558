from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from newsleopard_async.checks.at_send import problems_at_send
from newsleopard_async.models import Campaign, SendAt, SubjectTest, Timezone
from tests.constants import START
from tests.models.examples import CAMPAIGN, SUBJECT_TEST


def test_campaign_for_now_may_go() -> None:
    """With a list and no schedule, nothing is in the way."""
    assert problems_at_send(Campaign(**CAMPAIGN), START) == ()


def test_campaign_for_the_future_may_go() -> None:
    """Only the documented lead is required."""
    campaign = Campaign(**CAMPAIGN, schedule=SendAt(START + timedelta(seconds=1)))

    assert problems_at_send(campaign, START) == ()


@pytest.mark.parametrize("late_s", [0, 1, 86_400])
def test_time_that_has_come_is_refused(late_s: int) -> None:
    """The message shows the time on both clocks, where a wrong zone catches the eye."""
    when = (START - timedelta(seconds=late_s)).astimezone(ZoneInfo("Asia/Tokyo"))

    (problem,) = problems_at_send(Campaign(**CAMPAIGN, schedule=SendAt(when)), START)

    assert (problem.field, problem.rule) == ("schedule.when", "future")
    assert f"{when:%Y-%m-%d %H:%M:%S} TOKYO" in problem.message
    assert f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" in problem.message


def test_everything_is_reported_at_once() -> None:
    """An A/B test is held to the same rules."""
    ab_test = SubjectTest(**{**SUBJECT_TEST, "lists": (), "schedule": SendAt(START)})

    found = [(problem.field, problem.rule) for problem in problems_at_send(ab_test, START)]

    assert found == [("lists", "required"), ("schedule.when", "future")]


def test_what_is_no_campaign_is_refused() -> None:
    """A dictionary in the wire's form is a classic; the error says what to give."""
    body: Any = {"form": {}, "content": {}}

    found = [(problem.field, problem.rule) for problem in problems_at_send(body, START)]

    assert found == [("campaign", "type")]


def test_past_at_the_beginning_of_the_calendar_is_refused() -> None:
    """A time that the zone's clocks cannot show is shown in UTC."""
    first = SendAt(datetime(1, 1, 1, tzinfo=UTC), Timezone.HONOLULU)

    (problem,) = problems_at_send(Campaign(**CAMPAIGN, schedule=first), START)

    assert problem.rule == "future"
