"""What can become of an attempt, and which failure it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async.transport.outcome import (
    Answer,
    Failure,
    NotSent,
    Outcome,
    ReplyLost,
    retry_after_s,
    throttle_text,
)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (NotSent("ConnectError"), Failure.NOT_SENT),
        (ReplyLost("ReadError"), Failure.REPLY_LOST),
        (Answer(429), Failure.REFUSED),
        (Answer(429, b'{"code":"40001"}'), Failure.REFUSED),
        (Answer(503, b'{"message":"Limit Exceeded"}'), Failure.REFUSED),
        (Answer(408), Failure.SERVER_ERROR),
        (Answer(500), Failure.SERVER_ERROR),
        (Answer(599), Failure.SERVER_ERROR),
        *[(Answer(status), None) for status in (100, 200, 204, 301, 307, 400, 403, 404, 499)],
    ],
)
def test_outcome_is_classified(outcome: Outcome, expected: Failure | None) -> None:
    """Each outcome is one failure, or an answer to be read."""
    assert outcome.failure is expected


@pytest.mark.parametrize("status", [400, 403, 404, 429, 499, 500, 503, 599])
def test_throttle_text_counts_on_any_failure(status: int) -> None:
    """The status of a throttled answer is not documented, so the text decides (T06)."""
    assert Answer(status, b'{"message":"Limit Exceeded"}').failure is Failure.REFUSED


@pytest.mark.parametrize("status", [100, 200, 201, 202, 299, 301, 302, 307, 399, 600])
def test_throttle_text_counts_in_no_other_answer(status: int) -> None:
    """A success means that the request took effect, with any text in it."""
    assert Answer(status, b'{"message":"Limit Exceeded"}').failure is not Failure.REFUSED


@pytest.mark.parametrize(
    "body",
    [
        b'{"message":"Limit Exceeded"}',
        b'{"message": " LIMIT exceeded\\n"}',
        b'"limit exceeded"',
        b"  Limit Exceeded\r\n",
        b'{"message":"Too Many Requests"}',
        b"too many requests",
    ],
)
def test_throttle_text_is_recognised(body: bytes) -> None:
    """Both texts count, in any case, in JSON or bare."""
    assert throttle_text(body) in {"limit exceeded", "too many requests"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"message":"Limit Exceeded","sn":"x"}',
        b'{"message":"Limit Exceeded","code":"40012"}',
        b'{"message":"Limit Exceeded for size of file"}',
        b'{"message":{"message":"Limit Exceeded"}}',
        b'["Limit Exceeded"]',
        b'{"message":null}',
        b"\xff\xfe",
        b"Limit Exceeded" + b" " * 300,
        b"[" * 199,
    ],
)
def test_text_that_is_not_the_whole_message_is_no_throttle(body: bytes) -> None:
    """An answer that says more than the throttle's text means something else."""
    assert throttle_text(body) is None


@given(st.binary(max_size=300))
def test_no_body_crashes_the_search_for_the_text(body: bytes) -> None:
    """Any body of a proxy is read or ignored."""
    assert throttle_text(body) in {None, "limit exceeded", "too many requests"}


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_no_json_crashes_the_search_for_the_text(content: object) -> None:
    """A message may be of any JSON type."""
    body = json.dumps({"message": content}).encode()

    assert throttle_text(body) in {None, "limit exceeded", "too many requests"}


@pytest.mark.parametrize(
    ("status", "expected"), [(199, False), (200, True), (299, True), (300, False)]
)
def test_successful_is_any_2xx(status: int, expected: bool) -> None:
    """Only a 2xx is a success."""
    assert Answer(status).successful is expected


def test_repr_of_an_answer_hides_its_body() -> None:
    """What a server echoes may be contact data or the key."""
    assert "secret" not in repr(Answer(200, b"secret"))


NOW = datetime(2026, 1, 5, 2, tzinfo=UTC)
WEEK_S = 7 * 86_400.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("5, 5", None),
        ("Mon, 05 Jan 2026 02:00:30 -0000", 30.0),
        ("Mon, 05 Jan 2026 10:00:30 +0800", 30.0),
        ("Mon, 01 Jan 99999999999999 00:00:00 GMT", None),
        ("9" * 400, WEEK_S),
        ("Mon, 05 Jan 2026 02:00:42 GMT", 42.0),
        ("Mon, 05 Jan 2026 02:00:42", 42.0),
        ("Mon, 05 Jan 2026 01:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", WEEK_S),
        ("Fri, 31 Dec 9999 23:59:59 -2359", WEEK_S),
        ("Sat, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("-7", None),
        ("7.5", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        ("tomorrow", None),
        ("Mon, 99 Jan 2026 02:00:42 GMT", None),
    ],
)
def test_retry_after_is_read_within_bounds(value: str | None, expected: float | None) -> None:
    """An unreadable header counts as none; numbers and dates of any size are read."""
    assert retry_after_s(Answer(429, retry_after=value), NOW) == expected
    assert retry_after_s(ReplyLost("ReadTimeout"), NOW) is None


@given(st.text(max_size=60) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} .*"))
def test_no_retry_after_crashes(value: str) -> None:
    """The header is the server's, and may hold anything."""
    asked_s = retry_after_s(Answer(429, retry_after=value), NOW)

    assert asked_s is None or 0 <= asked_s <= WEEK_S
