"""The HTML of a mail in the frame of the page."""

from __future__ import annotations

import justhtml
import pytest

from newsleopard_async.emulator.sandbox.control.mails import FRAME_HEADERS, framed

LINK = '<link rel="preconnect" href="https://t.example">'
REFRESH = '<meta http-equiv="refresh" content="0; url=https://t.example">'
HOSTILE = [
    LINK,
    REFRESH,
    '<base href="https://t.example/">',
    "<LINK\nrel=preconnect href=//t.example>",
    "<link/rel=preconnect/href=//t.example>",
    "<meta content='0;url=//t.example' http-equiv=refresh>",
    '<meta content=">" http-equiv="refresh">',
    "<meta x='a' content='0' HTTP-EQUIV = refresh >",
    "<meta name=x<meta http-equiv=refresh content=0>",
    f"<style>a{{}}</style foo>{LINK}",
    f"<!--><p>{LINK}",
    f"<!-- a --!>{LINK}",
    f"<noscript>{LINK}</noscript>",
    f"<svg><style>{LINK}</style></svg>",
    f"<table>{LINK}{REFRESH}</table>",
    f"<title></title {LINK}>{LINK}",
    f"<template>{REFRESH}</template>",
    f"<math><mtext></p>{LINK}",
    f"<a title='{LINK}'{LINK}>",
    "<link",
    '<iframe src="https://t.example"></iframe>',
    '<frameset><frame src="https://t.example"></frameset>',
    "<li\0nk rel=preconnect href=//t.example>",
    '<iframe srcdoc="&lt;link rel=preconnect href=//t.example&gt;"></iframe>',
    "<iframe SRCDOC = '&lt;base href=//t.example&gt;'></iframe>",
    f"<IFRAME/src=//t.example>{LINK}</iframe>",
    "<object type=text/html data=//t.example></object><embed src=//t.example>",
]


TAKEN = ("link", "base", "iframe", "frame", "object", "embed")


def _dangerous(html: str) -> list[str]:
    """Return the elements that a browser would find."""
    found = justhtml.JustHTML(html, sanitize=False).query(", ".join([*TAKEN, "meta"]))
    return [
        node.name for node in found if node.name in TAKEN or {"http-equiv"} & set(node.attrs or {})
    ]


@pytest.mark.parametrize("html", HOSTILE)
def test_element_that_loads_or_leaves_is_removed(html: str) -> None:
    """A browser finds no such element, in any spelling and at any place."""
    assert _dangerous(framed(html)) == []


def test_browser_finds_what_is_not_framed() -> None:
    """The test above finds these elements without `framed`."""
    assert _dangerous(LINK + REFRESH) == ["link", "meta"]


@pytest.mark.parametrize(
    "html",
    [
        '<meta charset="utf-8">',
        '<META name="viewport" content="width=device-width, initial-scale=1"/>',
        "<meta name=color-scheme content='light dark'>",
        "<p style='color:red'>會員您好，<a href='#below'>link</a></p>",
        '<svg><image href="data:image/png;base64,AAAA"/></svg>',
        "<style>@media (max-width: 600px) { .base { width: 100% } }</style>",
        "<linked><basement><metadata>",
        "<blink>srcdoc</blink>",
    ],
)
def test_other_html_does_not_change(html: str) -> None:
    """HTML without such elements is unchanged to the letter."""
    assert framed(html) == html


@pytest.mark.parametrize(
    "link",
    [
        "<a href='https://shop.example/?a=1&amp;b=2'>",
        "<a class=x HREF = https://shop.example/>",
        '<area href="//shop.example">',
        "<a title='>' href\n=\n'https://shop.example'>",
        '<svg><a xlink:href="https://shop.example">',
        '<a href="&#104;ttps://shop.example">',
        """<a title="href='#" href="https://shop.example">""",
    ],
)
def test_links_have_no_target(link: str) -> None:
    """A browser would connect when the pointer is above a link; the link keeps its design."""
    shown = framed(f"{link}Shop</a>")

    [node] = justhtml.JustHTML(shown, sanitize=False).query("a, area")
    names = {name.removeprefix("xlink:"): value for name, value in (node.attrs or {}).items()}
    assert names["href"] == "#"
    assert "shop.example" in (names.get("data-href") or names.get("xlink:data-href") or shown)


def test_headers_allow_our_own_frame_and_forbid_scripts() -> None:
    """The sandbox has no exception, and only ``data:`` URLs are loaded."""
    policy = FRAME_HEADERS["Content-Security-Policy"].split("; ")

    assert policy[0] == "sandbox"
    assert {"default-src 'none'", "frame-ancestors 'self'", "form-action 'none'"} <= set(policy)
    assert "img-src data:" in policy
    assert FRAME_HEADERS["X-DNS-Prefetch-Control"] == "off"
