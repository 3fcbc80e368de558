"""The column that says when is recognised, and no other is taken for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest

from newsleopard_async.downloads.times import time_columns, time_of
from newsleopard_async.models.contacts import RESERVED_COLUMNS

TAIPEI = timezone(timedelta(hours=8))
TWO = datetime(2026, 1, 5, 2, tzinfo=UTC)

NAMED = [
    ("開信時間(UTC+8),更新時間", 0),
    ("更新時間,開信時間", 1),
    ("createdDate,openDate", 1),
    ("Updated At,Date,openedAt", 2),
    ("REGISTER_DATE,BIRTHDAY,SCHEDULE_DATE,CLICKED_AT", 3),
    ("Sent At,Delivered At,Opened At", 2),
    ("Sent At,Delivered At", 1),
    ("Opened At,Clicked At,Event Time", 2),
    ("Unsubscribe Click Time", 0),
    ("退信日期", 0),
    ("Spam Complaint Time", 0),
    ("Date Opened", 0),
    ("Time", 0),
    ("timestamp", 0),
    ("date_time", 0),
    ("at", 0),
    ("日期時間", 0),
    ("CREATED_AT,時間", 1),
]


@pytest.mark.parametrize(("header", "place"), NAMED)
def test_column_of_the_event_is_found(header: str, place: int) -> None:
    """By its name, in English and 中文; else one that is called time and nothing else."""
    assert [column.place for column in time_columns(header.split(","))] == [place]


@pytest.mark.parametrize(
    "header",
    [
        "更新時間",
        "createDate",
        "updated_at",
        "BIRTHDAY_DATE",
        "生日日期",
        "Consent Date",
        "Reopened Date",
        "Sent At",
        "發送時間",
        "Scheduled Open Time",
        "開信更新時間",
        "Opened",
        "Open Count",
        "點擊位置",
        "FORMAT,STAT",
        "Opened At,Clicked At",
        "Opened At,Clicked At,Time",
    ],
)
def test_column_of_something_else_is_none(header: str) -> None:
    """Rather no time than a wrong one."""
    assert time_columns(header.split(",")) == ()


@pytest.mark.parametrize("name", sorted(RESERVED_COLUMNS))
def test_reserved_column_is_none(name: str) -> None:
    """The platform's own columns are of the contact (section 2.10)."""
    assert time_columns([name, name.upper()]) == ()


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
        ("Open Time (CST)", None),
        ("Open Time (UTC+99)", None),
        ("Open Time (UTC+8:75)", None),
        ("Open Time (yyyy-mm-dd)", None),
    ],
)
def test_zone_in_the_name_is_that_of_the_times(name: str, hours: float | None) -> None:
    """Where it is an offset or Taipei's; else it is what the caller says."""
    ours = timezone(timedelta(hours=1))
    expected: tzinfo = ours if hours is None else timezone(timedelta(hours=hours))

    found = time_of(time_columns([name]), ["2026-01-05 10:00"], ours)

    assert found == datetime(2026, 1, 5, 10, tzinfo=expected)


def test_zone_in_the_cell_goes_before_that_in_the_name() -> None:
    """The cell is nearer to what happened."""
    columns = time_columns(["開信時間(UTC+8)"])

    assert time_of(columns, ["2026-01-05T02:00Z"], TAIPEI) == TWO


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["2026-01-05", "2026-01-05 02:00"], TWO),
        (["2026-01-05 02:00", "2026-01-06 02:00"], TWO),
        (["2026-01-05", "02:00"], None),
        (["2026-01-05", ""], None),
        ([], None),
    ],
)
def test_date_and_time_of_their_own_are_not_taken_apart(
    cells: list[str], expected: datetime | None
) -> None:
    """A date beside a time of day is not midnight."""
    assert time_of(time_columns(["Open Date", "Open Time"]), cells, UTC) == expected


def test_no_column_is_no_time() -> None:
    """Nothing is guessed at by its shape."""
    assert time_of((), ["2026-01-05 02:00"], UTC) is None
