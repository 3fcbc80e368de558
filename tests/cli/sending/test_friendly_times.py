"""Times and durations as a person writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from newsleopard_async.cli.sending.friendly_times import parse_duration, parse_instant
from newsleopard_async.models import SendAt

TEN = datetime(2027, 1, 5, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2027-01-05 10:00 Asia/Taipei",
        " 2027/1/5 10:00:00  Asia/Taipei ",
        "2027-01-05T10:00+08:00",
        "2027-01-05 10:00 +0800",
        "2027-01-05 10:00 +08",
        "2027-01-05 02:00 UTC",
        "2027-01-05T02:00Z",
        "2027-01-05 10:00 taipei",
        "2027-01-05 10:00 UTC+8",
        "2027-01-05 10:00 gmt+08:00",
        "2027-01-04 21:00 America/New_York",
    ],
)
def test_time_with_a_zone_is_an_instant(text: str) -> None:
    """A name of a zone, the platform's name for it, or an offset."""
    assert parse_instant(text) == TEN


def test_zone_of_the_text_is_the_zone_of_the_schedule() -> None:
    """The console shows the time in the zone that a person wrote."""
    assert SendAt(parse_instant("2027-01-05 11:00 Asia/Tokyo")).timezone.name == "TOKYO"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2027-01-05 10:00", "has no time zone; add its name or its offset"),
        ("2027-01-05", "is not a time"),
        ("tomorrow", "is not a time; write it as 2027-01-05 10:00 Asia/Taipei"),
        ("2027-01-05 10:00 Asia/Tapei", "did you mean Asia/Taipei?"),
        ("2027-01-05 10:00 8", "no time zone has the name '8'; newsleopard timezones"),
        ("2027-01-05 10:00 +25:00", "no time zone has the name"),
        ("2027-01-05 10:00 ../etc/passwd", "no time zone has the name"),
        ("2027-01-05 10:00 +08:99", "no time zone has the name"),
        ("2027-01-05 10:00 CST", "no time zone has the name 'CST'; newsleopard timezones"),
        (
            "2027-01-05 10:00 Asia/台北",
            "no time zone has the name 'Asia/台北'; newsleopard timezones",
        ),
        ("9999-12-31 23:00 -12:00", "is not in the calendar"),
        ("2027-02-30 10:00 UTC", "is not in the calendar"),
        ("2027-02-20 24:00 UTC", "is not in the calendar"),
        ("2027-03-14 02:30 America/New_York", "does not exist: the clocks skip it"),
        (
            "2027-11-07 01:30 America/New_York",
            "2027-11-07 01:30 -0400 / 2027-11-07 01:30 -0500",
        ),
    ],
)
def test_time_that_is_not_one_instant_is_refused(text: str, reason: str) -> None:
    """The message has the way out; a time that occurs twice is never chosen by chance."""
    with pytest.raises(ValueError, match=r"time|calendar|exist|twice") as refused:
        parse_instant(text)

    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("1h30m", timedelta(minutes=90)),
        ("0.5h", timedelta(minutes=30)),
        (" 2d ", timedelta(days=2)),
    ],
)
def test_duration_has_units(text: str, duration: timedelta) -> None:
    """Seconds, minutes, hours and days, also together."""
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["10", "m", "-5m", "10 minutes", "1w", "", "9" * 30 + "d"])
def test_duration_without_a_unit_is_refused(text: str) -> None:
    """A number alone could be seconds or minutes."""
    with pytest.raises(ValueError, match=r"duration|too long"):
        parse_duration(text)
