from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from newsleopard_async.models import SendAt, Timezone
from tests.models.examples import problems_of

TAIPEI = ZoneInfo("Asia/Taipei")


def test_local_time_becomes_the_instant() -> None:
    """The time is kept in UTC, and shown again on the zone's clocks."""
    schedule = SendAt(datetime(2027, 1, 5, 10, tzinfo=TAIPEI))

    assert schedule.when == datetime(2027, 1, 5, 2, tzinfo=UTC)
    assert schedule.when.tzinfo is UTC
    assert schedule.local.hour == 10


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (ZoneInfo("Asia/Tokyo"), Timezone.TOKYO),
        (ZoneInfo("Asia/Calcutta"), Timezone.KOLKATA),
        (ZoneInfo("Asia/Kuching"), Timezone.TAIPEI),
        (UTC, Timezone.TAIPEI),
        (timezone(timedelta(hours=9)), Timezone.TAIPEI),
    ],
)
def test_zone_is_taken_from_the_time(zone: tzinfo, expected: Timezone) -> None:
    """A zone that the platform does not list goes out with TAIPEI's code."""
    assert SendAt(datetime(2027, 1, 5, 10, tzinfo=zone)).timezone is expected


def test_zone_of_its_own_leaves_the_instant_alone() -> None:
    """A zone that is given chooses the code and moves nothing."""
    schedule = SendAt(datetime(2027, 1, 5, 10, tzinfo=TAIPEI), Timezone.LONDON)

    assert schedule.timezone is Timezone.LONDON
    assert schedule.when == datetime(2027, 1, 5, 2, tzinfo=UTC)


class LocalMeanTime(tzinfo):
    """What pytz gives to a datetime's constructor: an offset of another century."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        """Return the offset of the city's own noon."""
        return timedelta(hours=8, minutes=6)

    def dst(self, when: datetime | None) -> timedelta:
        """Return none."""
        return timedelta(0)

    def tzname(self, when: datetime | None) -> str:
        """Return what pytz calls it."""
        return "LMT"

    def fromutc(self, when: datetime) -> datetime:
        """Return the time by the rules of today, as pytz does."""
        return when + timedelta(hours=8)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"when": datetime(2027, 1, 5, 10, tzinfo=UTC).replace(tzinfo=None)}, [("when", "aware")]),
        ({"when": date(2027, 1, 5)}, [("when", "type")]),
        ({"when": "2027-01-05T10:00:00Z"}, [("when", "type")]),
        (
            {"when": datetime(2027, 3, 14, 2, 30, tzinfo=ZoneInfo("America/New_York"))},
            [("when", "exists")],
        ),
        ({"when": datetime(2027, 1, 5, 10, tzinfo=LocalMeanTime())}, [("when", "exists")]),
        ({"when": datetime.min.replace(tzinfo=TAIPEI)}, [("when", "exists")]),
        ({"when": datetime(2027, 1, 5, tzinfo=UTC), "timezone": 8}, [("timezone", "type")]),
        ({"when": datetime(2027, 1, 5, tzinfo=UTC), "timezone": TAIPEI}, [("timezone", "type")]),
        ({"when": None, "timezone": "Asia/Taipei"}, [("when", "type"), ("timezone", "type")]),
    ],
)
def test_time_that_names_no_instant_is_refused(
    arguments: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """Naive, skipped and mistyped times are refused, and so is a zone that is a number."""
    assert problems_of(SendAt, **arguments) == expected


def test_time_that_comes_twice_is_taken_as_it_is_marked() -> None:
    """When the clocks are set back, ``fold`` selects one of the two times."""
    zone = ZoneInfo("America/New_York")
    first = SendAt(datetime(2027, 11, 7, 1, 30, tzinfo=zone))
    second = SendAt(datetime(2027, 11, 7, 1, 30, tzinfo=zone, fold=1))

    assert second.when - first.when == timedelta(hours=1)
