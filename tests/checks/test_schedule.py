from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from newsleopard_async.checks.at_send import problems_at_send
from newsleopard_async.models import SendAt, Timezone
from tests.checks.examples import NOW, campaign, finding_of, rules_of, subject_test

FIELD = "schedule.when"
TOLD = ("note", "send-time", FIELD, None)


@pytest.mark.parametrize(
    ("lead", "level", "rule"),
    [
        (timedelta(days=-400), "error", "future"),
        (timedelta(0), "error", "future"),
        (timedelta(seconds=1), "warning", "short-lead"),
        (timedelta(minutes=9, seconds=59), "warning", "short-lead"),
        (timedelta(days=366, seconds=1), "warning", "far-future"),
    ],
)
def test_bad_time_is_found(lead: timedelta, level: str, rule: str) -> None:
    """A past time is an error; a near or far time is a warning."""
    mailing = campaign(schedule=SendAt(NOW + lead))

    assert rules_of(mailing, now=NOW) == [(level, rule, FIELD, None), TOLD]


@pytest.mark.parametrize("lead", [timedelta(minutes=10), timedelta(days=366)])
def test_good_time_is_told_only(lead: timedelta) -> None:
    """From ten minutes to a year, there is nothing but the note that spells it out."""
    assert rules_of(campaign(schedule=SendAt(NOW + lead)), now=NOW) == [TOLD]


def test_time_is_spelt_out_on_both_clocks() -> None:
    """Weekday, zone and UTC stand side by side, so that a slip catches the eye."""
    when = datetime(2027, 7, 5, 1, 30, tzinfo=ZoneInfo("Asia/Taipei"))

    finding = finding_of("send-time", campaign(schedule=SendAt(when)), now=NOW)

    assert finding.message == (
        "is Mon 2027-07-05 01:30:00 on the clocks of TAIPEI (Asia/Taipei), which is "
        "Sun 2027-07-04 17:30:00 UTC"
    )


@pytest.mark.parametrize(
    ("day", "name"), list(enumerate(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], 1))
)
def test_weekday_is_named_in_english(day: int, name: str) -> None:
    """The machine's language does not matter."""
    when = datetime(2027, 3, day, 12, tzinfo=UTC)

    finding = finding_of("send-time", campaign(schedule=SendAt(when)), now=NOW)

    assert finding.message.startswith(f"is {name} 2027-03-0{day} 20:00:00 on ")
    assert f"{name} 2027-03-0{day} 12:00:00 UTC" in finding.message


def test_past_is_the_problem_of_the_send() -> None:
    """Field, rule and message are those at the send, so that a caller can drop the double."""
    mailing = campaign(schedule=SendAt(NOW), lists=["list-1"])

    assert [finding_of("future", mailing, now=NOW).as_problem()] == list(
        problems_at_send(mailing, NOW)
    )


def test_short_lead_is_told_in_minutes() -> None:
    """The message says how much is left, and how much is asked for."""
    mailing = campaign(schedule=SendAt(NOW + timedelta(minutes=4, seconds=30)))

    message = finding_of("short-lead", mailing, now=NOW).message

    assert message.startswith("is 4 minutes from now")
    assert "at least 10 minutes" in message


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (1, "is less than a minute from now"),
        (59, "is less than a minute from now"),
        (60, "is 1 minute from now"),
        (120, "is 2 minutes from now"),
    ],
)
def test_last_minutes_are_spelt_as_people_say_them(seconds: int, says: str) -> None:
    """A minute is one, and no minutes are a little less."""
    mailing = campaign(schedule=SendAt(NOW + timedelta(seconds=seconds)))

    assert finding_of("short-lead", mailing, now=NOW).message.startswith(f"{says}, ")


@pytest.mark.parametrize("schedule", [SendAt(NOW - timedelta(days=1)), SendAt(NOW)])
def test_without_a_clock_no_time_is_judged(schedule: SendAt) -> None:
    """What needs the present is not guessed."""
    assert rules_of(campaign(schedule=schedule)) == []


@pytest.mark.parametrize(("fold", "which"), [(0, "first"), (1, "second")])
def test_time_that_comes_twice_is_found(fold: int, which: str) -> None:
    """When clocks are set back, an hour of local time names two instants."""
    when = datetime(2027, 10, 31, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=fold)
    mailing = campaign(schedule=SendAt(when))

    finding = finding_of("ambiguous-time", mailing)

    assert rules_of(mailing) == [("warning", "ambiguous-time", FIELD, None)]
    assert f"the {which} of the two is used" in finding.message


def test_main_send_of_a_set_time_is_computed() -> None:
    """The wait is counted from the test."""
    when = datetime(2027, 3, 5, 10, tzinfo=ZoneInfo("Asia/Tokyo"))
    ab_test = subject_test(schedule=SendAt(when), wait=timedelta(hours=20))

    finding = finding_of("main-send-time", ab_test, now=NOW)

    assert finding.field == "wait"
    assert finding.message == (
        "puts the main send at Sat 2027-03-06 06:00:00 on the clocks of TOKYO (Asia/Tokyo), "
        "which is Fri 2027-03-05 21:00:00 UTC"
    )


def test_main_send_of_a_test_sent_now_is_about() -> None:
    """What is sent at once starts about now."""
    finding = finding_of("main-send-time", subject_test(wait=timedelta(hours=1)), now=NOW)

    assert finding.message.startswith("puts the main send at about Mon 2027-03-01 11:00:00 on ")


def test_ends_of_the_calendar_are_told() -> None:
    """A time that another clock cannot show is told in UTC."""
    first = datetime(1, 1, 1, tzinfo=UTC)
    ab_test = subject_test(
        schedule=SendAt(first, Timezone.HONOLULU), wait=timedelta(hours=24 * 366 * 9_999)
    )

    messages = [
        finding_of(rule, ab_test, now=NOW).message
        for rule in ("future", "send-time", "main-send-time")
    ]

    assert "0:00:00 HONOLULU" in messages[0]
    assert "on the clocks of HONOLULU" in messages[1]
    assert messages[2] == "puts the main send at a time after the year 9999; shorten it"


def test_send_now_has_no_time_to_judge() -> None:
    """A campaign for now says nothing of its time."""
    assert rules_of(campaign(), now=NOW) == []


def test_send_asks_for_a_campaign_with_lists() -> None:
    """The check of the send is for what the constructor does not see."""
    body: Any = {"form": {}}

    assert [each.field for each in problems_at_send(body, NOW)] == ["campaign"]
    assert [each.rule for each in problems_at_send(campaign(), NOW)] == ["required"]
