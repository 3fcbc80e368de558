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
        ("-1", -1),
        (4963.0, 4963),
        (10**17 + 1, 10**17 + 1),
        (0, 0),
        (None, None),
    ],
)
def test_count_may_be_text(data: object, expected: int | None) -> None:
    """Whole numbers come as number, as text, or not at all (T55)."""
    assert values.count(data, "$") == expected


@pytest.mark.parametrize(
    "data",
    [True, 1.5, "1.5", "", " 1", "1e3", "١", "9" * 5000, float("inf"), 10**400, [], {"a": 1}],
)
def test_what_is_no_count_fails(data: object) -> None:
    """A bool is no number, and digits of another script are no digits."""
    with pytest.raises(WireError):
        values.count(data, "$")


@pytest.mark.parametrize(
    ("data", "expected"),
    [(66.6667, 66.6667), ("10.05", 10.05), ("-0", 0.0), (5, 5.0), (None, None)],
)
def test_rate_may_be_text(data: object, expected: float | None) -> None:
    """Percent come as they are, clamped to nothing (T61)."""
    assert values.number(data, "$") == expected


@pytest.mark.parametrize("data", [False, "nan", "NaN", float("nan"), float("-inf"), "1,5", ""])
def test_what_is_no_rate_fails(data: object) -> None:
    """JSON has no NaN, whatever Python's parser says."""
    with pytest.raises(WireError):
        values.number(data, "$")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("2019-03-05T08:19:26Z", datetime(2019, 3, 5, 8, 19, 26, tzinfo=UTC)),
        ("2019-08-27T08:08:54.09Z", datetime(2019, 8, 27, 8, 8, 54, 90_000, tzinfo=UTC)),
        ("2019-04-01T08:38:32.569Z", datetime(2019, 4, 1, 8, 38, 32, 569_000, tzinfo=UTC)),
        ("2019-04-01T08:38:32.123456789Z", datetime(2019, 4, 1, 8, 38, 32, 123_456, tzinfo=UTC)),
        ("2019-04-01t08:38:32z", datetime(2019, 4, 1, 8, 38, 32, tzinfo=UTC)),
        ("2019-04-01T08:38:32+08:00", datetime(2019, 4, 1, 0, 38, 32, tzinfo=UTC)),
        ("2019-04-01T08:38:32.5-03:30", datetime(2019, 4, 1, 12, 8, 32, 500_000, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_time_has_any_number_of_fraction_digits(data: object, expected: datetime | None) -> None:
    """The documentation prints none, two and three (T108)."""
    assert values.instant(data, "$") == expected


@pytest.mark.parametrize(
    "data",
    [
        "2019-03-05T08:19:26",
        "2019-03-05",
        "2019-03-05 08:19:26Z",
        "2019-03-05T08:19:26.Z",
        "2019-03-05T08:19:26.1234567890Z",
        "2019-02-30T08:19:26Z",
        "2019-03-05T25:19:26Z",
        "2019-03-05T08:19:26+24:00",
        "0001-01-01T00:00:00+08:00",
        "２０19-03-05T08:19:26Z",
        " ",
        1551773966,
    ],
)
def test_what_is_no_time_fails(data: object) -> None:
    """A time without a zone names no instant; one that no calendar has is none."""
    with pytest.raises(WireError):
        values.instant(data, "$")


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
