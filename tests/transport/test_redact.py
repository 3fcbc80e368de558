"""Text from the wire, made fit to be shown."""

from __future__ import annotations

import json
import re
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async.transport import redact as module
from newsleopard_async.transport.redact import excerpt, redact

VISIBLE = "".join(sorted(set(string.printable) - set(string.whitespace)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all is well", "all is well"),
        ("未驗證寄件人地址", "未驗證寄件人地址"),
        ("the key k3y is bad", "the key ••• is bad"),
        ("no service@example.com here", "no •••@••• here"),
        ('{"from":"a.b+c@mail.example"}', '{"from":"•••@•••"}'),
        (
            "see https://s3.example/a/b.csv?X-Amz-Signature=1&b=2.",
            "see https://s3.example/a/b.csv?•••",
        ),
        ("HTTPS://S3.EXAMPLE/x?sig=1", "HTTPS://S3.EXAMPLE/x?•••"),
        ('"https:\\/\\/s3.example\\/x?sig=1"', '"https:\\/\\/s3.example\\/x?•••"'),
        ("https://s3.example/x#token=1", "https://s3.example/x?•••"),
        ("https://user:pass@host/x", "https://user:•••@•••"),
        ("one\r\ntwo\x00three\x1b[31m", "one  two�three�[31m"),
    ],
)
def test_what_nobody_may_see_is_hidden(text: str, expected: str) -> None:
    """The key, queries of URLs and addresses go; the rest stays, on one line."""
    assert redact(text, "k3y") == expected


def test_long_text_is_cut() -> None:
    """A message of a page is no message."""
    assert redact("x" * 501) == "x" * 500 + "…"
    assert redact("x" * 500) == "x" * 500


def test_no_secret_hides_nothing() -> None:
    """An empty secret is in every text, and hides none of it."""
    assert redact("text", "") == "text"


@given(
    secret=st.text(VISIBLE, min_size=8),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_echoed_key_is_hidden_however_it_is_written(secret: str, before: str, after: str) -> None:
    """A server may echo the key as it is, or as JSON writes it."""
    shown = excerpt(json.dumps({"message": before + secret + after}).encode(), secret)

    assert json.dumps(secret)[1:-1] not in shown


@pytest.mark.parametrize("fill_bytes", range(1_255, 1_285))
def test_key_at_the_cut_is_not_half_shown(fill_bytes: int) -> None:
    """What is looked at of a body may end in the middle of the key."""
    body = b" " * fill_bytes + b"k3yTh4tNobodyMaySee" + b" end" * 400

    assert "k3y" not in excerpt(body, "k3yTh4tNobodyMaySee")


def test_excerpt_is_short_and_on_one_line() -> None:
    """An excerpt fits a log line."""
    shown = excerpt(b"<html>\n  <body>\n" + b"gateway " * 1_000)

    assert shown.startswith("<html> <body> gateway")
    assert len(shown) == 161


def test_excerpt_of_a_short_body_is_all_of_it() -> None:
    """Nothing is cut that need not be."""
    assert excerpt(b'{"message":"Forbidden"}') == '{"message":"Forbidden"}'


@given(st.binary(max_size=2_000))
def test_excerpt_of_garbage_is_printable(body: bytes) -> None:
    """Whatever comes, what is shown cannot move a terminal's cursor."""
    shown = excerpt(body, "k3y")

    assert shown.isprintable()
    assert len(shown) <= 161


@pytest.mark.parametrize("pattern", [module._ADDRESS, module._QUERY])
@pytest.mark.parametrize("piece", ["x", "@", "https:", "a@", "https://x?"])
def test_patterns_take_time_in_proportion(pattern: re.Pattern[str], piece: str) -> None:
    """A text without white space does not hold up the event loop."""
    text = piece * (100_000 // len(piece))
    began_s = time.perf_counter()

    pattern.sub("", text)

    assert time.perf_counter() - began_s < 1.0
