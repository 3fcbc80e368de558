from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsleopard_async.transport.wire import values
from newsleopard_async.transport.wire.values import WireError
from tests.models.strategies import instants


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (4963, 4963),
        ("4963", 4963),
        (" 12 ", 12),
        ("12.0", 12),
        ("-1", -1),
        ("1,000", 1_000),
        ("1,234,567", 1_234_567),
        (4963.0, 4963),
        (1e3, 1_000),
        (10**17 + 1, 10**17 + 1),
        (0, 0),
        (None, None),
        ("", None),
        (" ", None),
    ],
)
def test_whole_number_may_be_text(data: object, expected: int | None) -> None:
    """It comes as a number, as text, grouped, or not at all (T55)."""
    assert values.whole(data, "$") == expected


@pytest.mark.parametrize(
    "data",
    [
        *(
            True,
            1.5,
            "1.5",
            "1e3",
            "١",
            "１２",
            "9" * 5000,
            float("inf"),
            10**400,
            1e18,
            [],
            {"a": 1},
        ),
        *("1.000", "1,00", ",100", "1,0000", "1234,567", "1 000", "12 %"),
    ],
)
def test_unreadable_whole_number_fails(data: object) -> None:
    """Bools and digits of other scripts are not numbers, and 1.000 can be 1 or 1,000."""
    with pytest.raises(WireError):
        values.whole(data, "$")


@pytest.mark.parametrize("data", [-1, "-5", -2.0])
def test_nothing_is_counted_below_0(data: object) -> None:
    """A count is from 0 on; what means something else is unknown."""
    with pytest.raises(WireError, match="below 0"):
        values.count(data, "$")

    assert values.count("5", "$") == 5


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (66.6667, 66.6667),
        ("10.05", 10.05),
        (" 5.5 ", 5.5),
        ("-0", 0.0),
        (5, 5.0),
        (None, None),
        ("", None),
    ],
)
def test_rate_may_be_text(data: object, expected: float | None) -> None:
    """Percent come as they are, clamped to nothing (T61)."""
    assert values.number(data, "$") == expected


@pytest.mark.parametrize("data", [False, "nan", "NaN", float("nan"), float("-inf"), "1,5", "5%"])
def test_unreadable_rate_fails(data: object) -> None:
    """JSON has no NaN, although Python's parser accepts it."""
    with pytest.raises(WireError):
        values.number(data, "$")


MORNING = datetime(2019, 4, 1, 8, 38, 32, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("2019-03-05T08:19:26Z", datetime(2019, 3, 5, 8, 19, 26, tzinfo=UTC)),
        ("2019-08-27T08:08:54.09Z", datetime(2019, 8, 27, 8, 8, 54, 90_000, tzinfo=UTC)),
        ("2019-04-01T08:38:32.569Z", datetime(2019, 4, 1, 8, 38, 32, 569_000, tzinfo=UTC)),
        ("2019-04-01T08:38:32.123456789Z", datetime(2019, 4, 1, 8, 38, 32, 123_456, tzinfo=UTC)),
        ("2019-04-01T08:38:32.5-03:30", datetime(2019, 4, 1, 12, 8, 32, 500_000, tzinfo=UTC)),
        *((f"2019-04-01{text}", MORNING) for text in ("t08:38:32z", "T08:38:32.Z", " 08:38:32")),
        *(
            (f"2019-04-01T08:38:32{zone}", MORNING)
            for zone in ("", "+0000", "+00", " UTC", ",000Z")
        ),
        *((f"2019-04-01T16:38:32{zone}", MORNING) for zone in ("+08:00", "+0800", " +08")),
        ("2019-04-01T16:38:32+08:00[Asia/Taipei]", MORNING),
        ("2019/04/01 08:38:32", MORNING),
        ("2019-04-01T08:38Z", MORNING.replace(second=0)),
        (" 2019-04-01T08:38:32Z\n", MORNING),
        (1_554_107_912, MORNING),
        (1_554_107_912.5, MORNING.replace(microsecond=500_000)),
        ("1554107912", MORNING),
        (1_554_107_912_000, MORNING),
        ("1554107912569", MORNING.replace(microsecond=569_000)),
        (10**9, datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)),
        (10**13 - 1, datetime(2286, 11, 20, 17, 46, 39, 999_000, tzinfo=UTC)),
        ("", None),
        (" ", None),
        (None, None),
    ],
)
def test_time_comes_in_many_forms(data: object, expected: datetime | None) -> None:
    """As documented with any fraction; as servers in Java write it; since 1970 (T108)."""
    assert values.instant(data, "$") == expected


@pytest.mark.parametrize(
    "data",
    [
        "yesterday",
        "2019-03-05",
        "2019-03/05 08:19:26Z",
        "05/03/2019 08:19:26",
        "2019-02-30T08:19:26Z",
        "2019-03-05T25:19:26Z",
        "2019-03-05T08:19:26+24:00",
        "2019-03-05T08:19:26+08:60",
        "2019-03-05T08:19:26[Asia/Taipei]",
        "0001-01-01T00:00:00+08:00",
        "２０19-03-05T08:19:26Z",
        *("20190305", "20190305081926", "155410791", "15541079120", "１554107912"),
        *(0, -1, True, 10**9 - 1, 10**10, 10**12 - 1, 10**13, 10**400, 20190305081926),
        *(float("nan"), float("inf"), [2019, 3, 5], {"epoch": 1}),
    ],
)
def test_unreadable_time_fails(data: object) -> None:
    """A day names no instant; a number that could be anything is none; nor is 30 February."""
    with pytest.raises(WireError):
        values.instant(data, "$")


@pytest.mark.parametrize(
    ("data", "expected"),
    [("0012", "0012"), (12, "12"), (10**40, "1" + 40 * "0"), ("a-b", "a-b")],
)
def test_code_may_be_a_number(data: object, expected: str) -> None:
    """A whole number is taken as its digits (T16, T64)."""
    assert values.code(data, "$") == expected


@pytest.mark.parametrize("data", [0, -5, True, 12.0, 1e20, [], {}, None, "", " ", "a b", 10**200])
def test_unreadable_code_fails(data: object) -> None:
    """A float may have lost digits, and 0 stands for nothing."""
    with pytest.raises(WireError):
        values.code(data, "$")


def test_first_of_many_unread_values_are_named() -> None:
    """A page of lists has hundreds of dates; a log line stays a line."""
    unread = values.Unread()
    found = [unread.read(values.instant, "soon", f"$[{place}].createDate") for place in range(300)]

    assert set(found) == {None}
    assert str(unread).startswith("$[0].createDate is not a time, $[1].createDate is not a time, ")
    assert str(unread).endswith("$[4].createDate is not a time, and 295 more")


@settings(deadline=None, max_examples=50)
@given(instants, st.integers(0, 9))
def test_written_time_is_read_back(when: datetime, digits: int) -> None:
    """However many digits a time is written with, it is the same to that precision."""
    fraction = f"{when.microsecond:06d}000"[:digits]
    text = f"{when:%Y-%m-%dT%H:%M:%S}{'.' if fraction else ''}{fraction}Z"

    found = values.instant(text, "$")

    assert found is not None
    assert timedelta(0) <= when - found < timedelta(microseconds=10 ** max(0, 6 - digits))


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.amazonaws.com/a%2Fb?X-Amz-Signature=1&b=/../",
        "HTTPS://example.com/",
        "https://例え.jp/檔案.csv",
        "https://example.com:99999/x",
    ],
)
def test_url_is_kept_byte_for_byte(url: str) -> None:
    """A signature covers every byte."""
    assert values.url(url, "$") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x",
        "http://10.0.0.1/x",
        "http://localhost.example.com/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "//example.com/x",
        "https://",
        "https://[bad/x",
        "https://example.com/a b",
        "https://example.com/a\nb",
        " https://example.com/x",
        "",
        None,
        5,
    ],
)
def test_url_that_may_leak_fails(url: object) -> None:
    """Plain http goes nowhere that the key does not go (T09)."""
    with pytest.raises(WireError):
        values.url(url, "$")


@pytest.mark.parametrize("read", [values.required_text, values.optional_text])
def test_text_is_read_as_it_may_be_shown(read: Callable[[object, str], str]) -> None:
    """It goes on into errors, events, checkpoints, logs and terminals; UTF-8 can hold it."""
    assert read("ERR\x1b[2J\n\u202e\ud800 錯誤", "$") == "ERR\\x1b[2J\\n\\u202e\\ud800 錯誤"


@pytest.mark.parametrize("read", [values.url, values.link])
@pytest.mark.parametrize("bad", ["\x1b", "\n", "\x9b", "\u200b", "\ud800"])
def test_url_is_never_written_in_another_way(read: Callable[[object, str], str], bad: str) -> None:
    """It is signed byte for byte; one that cannot be sent is refused and not cleaned."""
    url = f"https://s3.example/x{bad}?y=1"

    with contextlib.suppress(WireError):
        assert read(url, "$") == url


@pytest.mark.parametrize(
    "url", ["http://localhost:8025/x", "http://127.3.2.1/x", "http://[::1]:80/x"]
)
def test_url_of_this_machine_is_for_an_api_on_it(url: str) -> None:
    """An emulator has its storage beside it; the platform has not."""
    assert values.url(url, "$", "http://127.0.0.1:8000") == url
    with pytest.raises(WireError, match="this machine"):
        values.url(url, "$")
