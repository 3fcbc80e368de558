from __future__ import annotations

import pytest

from tests.checks.examples import campaign, content_test, finding_of, html, rules_of

ALT = ("warning", "missing-alt", "html", 2)
SRC = ("warning", "missing-src", "html", 2)
OWN = ("note", "own-unsubscribe", "html", 2)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("<p>text</p>", "<html> and no <body>"),
        ("text", "<html> and no <body>"),
        ("<HTML>text</HTML>", "<body>"),
        ("<body>text</body>", "<html>"),
    ],
)
def test_fragment_is_found(text: str, missing: str) -> None:
    """The platform asks for a document, not for a piece of one."""
    mailing = campaign(html=text)

    assert rules_of(mailing) == [("warning", "html-fragment", "html", None)]
    assert f"has no {missing};" in finding_of("html-fragment", mailing).message


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("<p>a\n<!-- b </body>", 3),
        ("a\n\n<a href='x>y</a>", 4),
        ("<b", 2),
        ("</b", 2),
        ("<?php", 2),
        ("<!x", 2),
        ("<style>p {}", 2),
        ("\n<script type='application/ld+json'>{}", 3),
        ("<title>x", 2),
        ("<script type='text/javascript'/>", 2),
        ("<textarea\n>x</text", 2),
        ("<p>a</p>\n<iframe src='https://a.example/'/>", 3),
    ],
)
def test_html_that_ends_too_early_is_found(body: str, line: int) -> None:
    """What is still open at the end swallows the rest of the mail."""
    text = f"<html><body>a\n{body}"

    finding = finding_of("unclosed-html", campaign(html=text))

    assert (finding.line, finding.places) == (line, (line,))
    assert f"begins in line {line}" in finding.message


@pytest.mark.parametrize("end", ["a < b", "a <", "<3", "AT&T", "x &amp", "&#", "<p>a</p", ""])
def test_end_of_the_text_is_no_open_tag(end: str) -> None:
    """A lone mark is text; an end tag that is cut off is cut off."""
    rules = [rule for _, rule, _, _ in rules_of(campaign(html=f"<html><body>a {end}"))]

    assert rules == (["unclosed-html"] if end == "<p>a</p" else [])


@pytest.mark.parametrize(
    ("body", "is_found"),
    [
        ("", True),
        ("&nbsp;\n", True),
        ('<img alt="text" src="https://a.example/x.png">', True),
        ("<style>p {}</style><!-- x -->", True),
        ("文", False),
        ("${CONTENT}", False),
        ("&zwnj;&#847;&#8203;&shy;&nbsp;&#xfeff;", True),
        ("&zwnj;x", False),
        ("<div style='display:none'>文</div>", True),
        ("<div style='color:red; DISPLAY : none !important'><b>文</b></div>\n", True),
        ("<div style='display:none'><div>a</div>b</div>", True),
        ("<div style='display:none'><div>a</div></div>b", False),
        ("<div style='display:none'>a</div><div>b</div>", False),
        ("<div style='display:none'>a</div><div style='display:none'>b</div>", True),
        ("<img style='display:none' alt='' src='https://a.example/x.png'>文", False),
        ("<div style='display:none'><br></div></div>文", False),
        ("<p style='display:none'>a<p>b", False),
        ("<p style='display:none'>&zwnj;<p>", True),
        ("<p style='display:nonexistent'>a</p>", False),
    ],
)
def test_mail_without_text_is_found(body: str, is_found: bool) -> None:
    """The text of images does not count, because images can be blocked."""
    text = f"<html><head><meta charset=utf-8><title>主旨</title></head><body>{body}</body></html>"

    expected = [("warning", "no-text", "html", None)] if is_found else []
    assert rules_of(campaign(html=text)) == expected


def test_size_is_counted_in_bytes() -> None:
    """Gmail clips by bytes, and a Chinese character has three."""
    fits = html("文" * 30_000)
    fits = fits.replace("文字", "文字" + "x" * (102 * 1024 - len(fits.encode())))

    assert rules_of(campaign(html=fits)) == []
    assert rules_of(campaign(html=fits + "x")) == [("warning", "clipped", "html", None)]


def test_carriage_returns_count_as_bytes() -> None:
    """The size is that of the text as given."""
    text = html("a\r\n" * 35_000)

    assert f"has {len(text.encode()):,} bytes" in finding_of("clipped", campaign(html=text)).message


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("", ["missing-charset"]),
        ("<meta name=viewport content='width=1'>", ["missing-charset"]),
        ("<meta http-equiv=content-type content='text/html'>", ["missing-charset"]),
        ("<meta charset=''>", ["missing-charset"]),
        ("<META CHARSET=UTF-8>", []),
        ("<meta charset=' utf8 '>", []),
        ("<meta http-equiv='Content-Type' content='text/html; charset=utf-8'>", []),
        ("<meta http-equiv=' Content-Type ' content='text/html; charset=utf-8'>", []),
        ("<meta charset=big5>", ["other-charset"]),
        (
            "<meta http-equiv=content-type content=\"text/html; charset = 'Big5'\">",
            ["other-charset"],
        ),
    ],
)
def test_character_set_is_judged(head: str, expected: list[str]) -> None:
    """Text outside ASCII needs the name of the encoding that it goes out in."""
    assert [rule for _, rule, _, _ in rules_of(campaign(html=html("", head=head)))] == expected


def test_ascii_needs_no_character_set() -> None:
    """Every encoding reads ASCII alike."""
    assert rules_of(campaign(html="<html><body>text<!-- 註解 --></body></html>")) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<img src='https://a.example/a.png' alt='a'>", []),
        ("<img src='https://a.example/a.png' alt=''/>", []),
        ("<img src='https://a.example/a.png' alt>", []),
        ("<img src='https://a.example/a.png'>", [ALT]),
        ("<img src='https://a.example/a.png' title='a'/>", [ALT]),
        ("<img src='' alt=''>", [SRC]),
        ("<img src=' ' alt=''>", [SRC]),
        ("<img alt=''>", [SRC]),
        ("<img>", [ALT, SRC]),
        ("<!-- <img> --><!--[if mso]><img><![endif]-->", []),
    ],
)
def test_image_is_judged(body: str, expected: list[object]) -> None:
    """An image has an address, and a text for where it is blocked."""
    assert rules_of(campaign(html=html(body))) == expected


def test_image_without_anything_is_named_so() -> None:
    """An empty address would show nothing by itself."""
    finding = finding_of("missing-alt", campaign(html=html("<img src=' '>")))

    assert "(no src)" in finding.message


def test_images_without_alt_are_counted() -> None:
    """One finding says how many, where, and shows the first three."""
    body = "\n".join(f"<img src='https://a.example/{name}.png'>" for name in "abcd")

    finding = finding_of("missing-alt", campaign(html=html(body)))

    assert (finding.count, finding.places) == (4, (2, 3, 4, 5))
    assert (
        "(https://a.example/a.png, https://a.example/b.png, https://a.example/c.png, …)"
        in finding.message
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Unsubscribe here", [OWN]),
        ("若不想再收到，請取消訂閱", [OWN]),
        ("取消订阅", [OWN]),
        ("<a href='https://a.example/UNSUBSCRIBE?x=1'>x</a>", [OWN]),
        ("<a href='${UNSUBSCRIBE}'>x</a> ${UNSUBSCRIBE}", []),
        ("若不想再收到，請<a href='https://a.example/x'>退訂</a>", [OWN]),
        ("退订", [OWN]),
        ("退訂電子報", [OWN]),
        ("退訂房間請來電", []),
        ("退訂金", []),
    ],
)
def test_footer_of_its_own_is_noted(body: str, expected: list[object]) -> None:
    """The platform adds a footer, so a second footer is reported."""
    assert rules_of(campaign(html=html(body))) == expected


def test_both_bodies_are_judged() -> None:
    """Of a test of the body, each finding says which one."""
    ab_test = content_test("<body>a</body>", html("<img src='https://a.example/x' >"))

    assert rules_of(ab_test) == [
        ("warning", "html-fragment", "html_a", None),
        ("warning", "missing-alt", "html_b", 2),
    ]
