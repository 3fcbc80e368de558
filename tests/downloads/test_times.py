"""Times in files are read in the forms that are about, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async.downloads.times import read_time

TWO = datetime(2026, 1, 5, 2, tzinfo=UTC)
TAIPEI = ZoneInfo("Asia/Taipei")


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05T02:00:00Z",
        "2026-01-05t02:00:00z",
        "2026-01-05T02:00:00.000Z",
        "2026-01-05T02:00:00.000000000Z",
        "2026-01-05T10:00:00+08:00",
        "2026-01-05T10:00:00+0800",
        "2026-01-05T10:00+08",
        "2026-01-04 21:00:00 -0500",
        "2026-01-05 02:00:00 UTC",
        "2026-01-05 10:00:00 GMT+08:00",
        "  2026-01-05 02:00:00Z  ",
        "1767578400",
        "1767578400000",
        "Mon, 05 Jan 2026 02:00:00 +0000",
        "Mon, 05 Jan 2026 10:00:00 +0800",
        "5 Jan 2026 02:00 GMT",
        "05 Jan 2026 02:00:00 -0000",
    ],
)
def test_time_with_its_zone_is_read(text: str) -> None:
    """ISO 8601, the mail format and seconds since 1970 do not depend on the caller's zone."""
    assert read_time(text) == read_time(text, TAIPEI) == TWO


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05T10:00:00",
        "2026-01-05 10:00:00",
        "2026-01-05 10:00:00.0",
        "2026-01-05 10:00:00,000",
        "2026-01-05 10:00",
        "2026/01/05 10:00:00",
        "2026/1/5 10:00",
        "2026.1.5 10:00",
        "2026年1月5日 10:00",
        "2026/1/5 上午 10:00:00",
        "2026/1/5 上午10:00",
        "2026/1/5 10:00 AM",
        "2026-01-05 10:00 a.m.",
    ],
)
def test_time_without_a_zone_is_of_the_one_that_is_said(text: str) -> None:
    """A time without a zone is in the caller's zone, by default UTC; the result is in UTC."""
    found = read_time(text, TAIPEI)

    assert found == TWO
    assert found.tzinfo is UTC
    assert read_time(text) == TWO + timedelta(hours=8)


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("上午 12:00", 0),
        ("上午 1:00", 1),
        ("下午 12:00", 12),
        ("下午 2:00", 14),
        ("下午 11:00", 23),
    ],
)
def test_half_days_are_understood(text: str, hour: int) -> None:
    """Noon is 12 in the afternoon, as a spreadsheet writes it."""
    assert read_time(f"2026/1/5 {text}") == TWO.replace(hour=hour)


def test_date_is_its_first_instant() -> None:
    """A date alone begins at midnight, where the caller says."""
    assert read_time("2026-01-05") == TWO.replace(hour=0)
    assert read_time("2026/1/5", TAIPEI) == datetime(2026, 1, 5, tzinfo=TAIPEI)


def test_fraction_counts_from_its_first_digit() -> None:
    """``.09`` is 90 ms, as at the platform (T108)."""
    assert read_time("2019-08-27T08:08:54.09Z") == datetime(
        2019, 8, 27, 8, 8, 54, 90_000, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "–",
        "soon",
        "12345",
        "05/01/2026",
        "2026-13-01",
        "2026-02-30 10:00",
        "2026-01-05 25:00",
        "2026-01-05 13:00 PM",
        "2026-01-05 下午 0:00",
        "2026-01-05 10:00 CST",
        "2026-01-05T10:00:00+99:00",
        "0000-01-01",
        "0001-01-01T00:00:00+08:00",
        "9999-12-31T23:59:59-08:00",
        "Mon, 35 Jan 2026 02:00:00 +0000",
        "05 Xyz 2026 02:00:00 GMT",
        "05 Jan 2026 02:00:00 CST",
        "٢٠٢٦-٠١-٠٥",
    ],
)
def test_unknown_form_is_no_time(text: str) -> None:
    """A text that can mean two instants, or none, is not read."""
    assert read_time(text) is None


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)),  # noqa: DTZ001 - the zone is next
    st.integers(-14 * 60, 14 * 60),
)
def test_any_iso_time_is_read(local: datetime, minutes: int) -> None:
    """To the microsecond, in any zone."""
    when = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))

    assert read_time(when.isoformat()) == when


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_none(text: str) -> None:
    """Nothing makes it fail."""
    found = read_time(text)

    assert found is None or found.tzinfo is UTC
