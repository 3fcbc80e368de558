"""A mail as a page: two insertions at the right positions, and no other change."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async.rehearsal.mail_pages import page_of

POLICY = re.compile(r"<meta http-equiv=\"Content-Security-Policy\" content=\"[^\"]*\">")
BLOCK = re.compile(r"<pre style=\"[^\"]*\">head</pre>")


def placed(mail_html: str) -> str:
    """Return a page with short signs instead of the insertions."""
    page = page_of(mail_html, "head")
    return BLOCK.sub("[B]", POLICY.sub("[P]", page, count=1), count=1)


@pytest.mark.parametrize(
    "marked",
    [
        "<!DOCTYPE html>[P]<html><head><title>a</title></head><body>[B]<p>b</p></body></html>",
        '[P]<html>\n<BODY bgcolor="#fff" title="a > b">[B]c</BODY></html>',
        "<!doctype html>[P]\n\n<html>\n<head></head>\n\n  <body\n class='x'>[B]a",
        "<!-- <body> --><!DOCTYPE html>[P]<script>'<body>'</script><body>[B]a",
        "<!DOCTYPE html>[P]<html><head><style>a</style></head>[B]<p>b",
        "<!-- a --!><!DOCTYPE html>[P]<title><body></title><textarea><body></textarea><body>[B]b",
        "[P]<html>[B]<p>b",
        "<!DOCTYPE html>[P][B]<p>b</p>",
        "[P][B]<p>b</p>",
        "[P][B]just text & nothing else",
        "[P][B]text<!DOCTYPE html><p>late</p>",
        "[P]<p>b</p><!DOCTYPE html><body>[B]late",
        '[P]<?xml version="1.0"?><html><body/>[B]a',
        "[P]<body>[B]<body>twice</body><html></head>",
        "[P]<html><head></head>[B]" + "x" * 200_000,
        "[P]" + "<!-- " + "x" * 200_000 + " --><body>[B]",
        "[P][B]<p " + "x" * 300,
        "[P][B]",
    ],
)
def test_places_are_found(marked: str) -> None:
    """The policy comes before everything except the doctype, the header first in the body."""
    mail_html = marked.replace("[P]", "").replace("[B]", "")

    assert placed(mail_html) == marked


def test_long_search_is_given_up() -> None:
    """A body that begins after a megabyte is not waited for."""
    assert placed("<!--" + "x" * 2_000_000 + "--><body>").startswith("[P][B]<!--")


PIECES = st.sampled_from(
    [
        "<body>",
        "<html>",
        "</head>",
        "<!doctype html>",
        "<!--",
        "-->",
        "<",
        ">",
        "\n",
        "&",
        "\0",
        "中",
    ]
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=12).map("".join))
def test_mail_itself_is_not_changed(mail_html: str) -> None:
    """Without the two insertions, any mail is unchanged."""
    page = page_of(mail_html, "head")

    assert POLICY.sub("", BLOCK.sub("", page, count=1), count=1) == mail_html


def test_head_is_escaped() -> None:
    """A contact's cell does not become markup of the header."""
    page = page_of("<body></body>", 'To: <script>alert(1)</script> & "x"')

    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;x&quot;" in page


def test_no_script_runs() -> None:
    """A script in a contact's cell stays in the page, and the policy prevents it from running."""
    page = page_of("<!DOCTYPE html><html><body><script>x</script></body></html>", "head")

    assert page.index("script-src 'none'") < page.index("<html>") < page.index("<script>")
