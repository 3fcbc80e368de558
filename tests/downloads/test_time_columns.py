"""The column with the time of the event is recognised, and no other column is used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest

from newsleopard_async.downloads.times import time_columns, time_of
from newsleopard_async.models.contacts import RESERVED_COLUMNS

TAIPEI = timezone(timedelta(hours=8))
TWO = datetime(2026, 1, 5, 2, tzinfo=UTC)

NAMED = [
    ("open", "開信時間(UTC+8),更新時間", 0),
    ("open", "Updated At,Date,openedAt", 2),
    ("open", "Sent At,Delivered At,Opened At,Clicked At", 2),
    ("click", "Sent At,Delivered At,Opened At,Clicked At", 3),
    ("delivery", "Sent At,Delivered At,Opened At,Clicked At", 1),
    ("bounce", "Opened At,退信日期", 1),
    ("unsubscribe", "取消訂閱時間", 0),
    ("complain", "Complaint Time,Complained", 0),
    ("open", "Date Opened", 0),
    ("open", "Ｔｉｍｅ", 0),
    ("bounce", "Opened At,Clicked At,Event Time", 2),
    ("forward", "Opened At,timestamp", 1),
    ("click", "date_time", 0),
    ("click", "CREATED_AT,時間", 1),
]


@pytest.mark.parametrize(("kind", "header", "place"), NAMED)
def test_column_of_the_event_is_found(kind: str, header: str, place: int) -> None:
    """The type of the file decides the name of the column; or the name is only "time"."""
    assert [column.place for column in time_columns(header.split(","), kind)] == [place]


EVENTS = {
    "delivery": "DELIVERED_AT",
    "open": "OPENED_AT",
    "click": "CLICKED_AT",
    "bounce": "BOUNCED_AT",
    "unsubscribe": "UNSUBSCRIBED_AT",
    "complain": "COMPLAINED_AT",
}


@pytest.mark.parametrize("kind", EVENTS)
def test_time_is_of_the_event_of_its_file(kind: str) -> None:
    """In a file of another type it is the time of another event."""
    for other, name in EVENTS.items():
        assert len(time_columns([name], kind)) == (other == kind)


@pytest.mark.parametrize(
    "header",
    [
        "更新時間,createDate,updated_at,BIRTHDAY_DATE,生日日期,Consent Date,Reopened Date",
        "Sent At,發送時間,Scheduled Open Time,開信更新時間,Opened,Open Count,點擊位置,FORMAT,STAT",
        "Delivered At,Clicked At",
        "Open Time (CST),Open Time (UTC+99),Open Time (UTC+8:75),Open Time (2026-01)",
    ],
)
def test_column_of_something_else_is_none(header: str) -> None:
    """Rather no time than a wrong one."""
    assert time_columns(header.split(","), "open") == ()


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        ("open", "EMAIL,DATE,OPENED_AT (CST)"),
        ("open", "EMAIL,日期,開信時間 (當地)"),
        ("open", "EMAIL,DATE,FIRST_OPENED_AT"),
        ("bounce", "EMAIL,TIME,BOUNCED TIMESTAMP"),
    ],
)
def test_bare_time_is_none_beside_one_that_may_be_meant(kind: str, header: str) -> None:
    """The event's own column may have a name that is not known."""
    assert time_columns(header.split(","), kind) == ()


@pytest.mark.parametrize("header", ["TIME,SENT_AT", "TIME,DELIVERED_AT,建立時間", "TIME,REASON"])
def test_bare_time_counts_beside_those_that_are_known_to_be_others(header: str) -> None:
    """When a mail was sent or delivered is not when it was opened."""
    assert [column.place for column in time_columns(header.split(","), "open")] == [0]


@pytest.mark.parametrize("name", sorted(RESERVED_COLUMNS))
def test_reserved_column_is_none(name: str) -> None:
    """The platform's own columns are of the contact."""
    assert time_columns([name, name.upper()], "open") == ()


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("開信時間(UTC+8)", 8),
        ("開信時間（UTC+08:00）", 8),
        ("Opened At [GMT-0330]", -3.5),
        ("openedAt (+0800)", 8),
        ("開信時間(台北)", 8),
        ("開信時間 (臺灣時間)", 8),
        ("Open Time (Asia/Taipei)", 8),
        ("Open Time (UTC)", 0),
        ("opened_at_utc", 0),
        ("Open Time GMT+8", 8),
        ("Open Time", None),
    ],
)
def test_zone_in_the_name_is_that_of_the_times(name: str, hours: float | None) -> None:
    """The name's zone counts if it is an offset or Taipei; otherwise the caller's zone does."""
    ours = timezone(timedelta(hours=1))
    expected: tzinfo = ours if hours is None else timezone(timedelta(hours=hours))

    found = time_of(time_columns([name], "open"), ["2026-01-05 10:00"], ours)

    assert found == datetime(2026, 1, 5, 10, tzinfo=expected)


def test_zone_in_the_cell_goes_before_that_in_the_name() -> None:
    """The cell is nearer to what happened."""
    columns = time_columns(["開信時間(UTC+8)"], "open")

    assert time_of(columns, ["2026-01-05T02:00Z"], TAIPEI) == TWO


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["2026-01-05", "2026-01-05 02:00"], TWO),
        (["2026-01-05 02:00", "2026-01-06 02:00"], TWO),
        (["2026-01-05", "02:00"], None),
        (["", "2026-01-05"], None),
        ([], None),
    ],
)
def test_date_and_time_of_their_own_are_not_taken_apart(
    cells: list[str], expected: datetime | None
) -> None:
    """A date beside a time of day is not midnight."""
    assert time_of(time_columns(["Open Time", "Open Date"], "open"), cells, UTC) == expected


def test_no_column_is_no_time() -> None:
    """Nothing is guessed at by its shape."""
    assert time_of((), ["2026-01-05 02:00"], UTC) is None
