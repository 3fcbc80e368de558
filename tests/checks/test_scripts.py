from __future__ import annotations

import pytest

from tests.checks.examples import campaign, finding_of, html, rules_of


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("<script>x()</script>", "script"),
        ("<SCRIPT src='https://a.example/x.js'></SCRIPT>", "script"),
        ("<script type='text/javascript'></script>", "script"),
        ("<p onclick='x()'>x</p>", "event-handler"),
        ("<body ONLOAD=x()>", "event-handler"),
        ("<a href='javascript:void(0)'>x</a>", "script-link"),
        ("<a href=' JavaScript:x()'>x</a>", "script-link"),
        ("<a href='java\tscript:x()'>x</a>", "script-link"),
        ("<img alt='' src='vbscript:x'>", "script-link"),
        ("<p background='javascript:x'>x</p>", "script-link"),
        ("<form action='https://a.example/'></form>", "form"),
        ("<input type=text>", "form"),
        ("<select><option>x</select>", "form"),
        ("<textarea>x</textarea>", "form"),
        ("<button>x</button>", "form"),
        ("<iframe src='https://a.example/'></iframe>", "embedded-content"),
        ("<object data='x'></object>", "embedded-content"),
        ("<frame src='https://a.example/'>", "embedded-content"),
        ("<applet code=x></applet>", "embedded-content"),
        ("<embed src='x'>", "embedded-content"),
        ("<video><source src='https://a.example/x.mp4'></video>", "embedded-content"),
        ("<audio src='x'></audio>", "embedded-content"),
        ("<link rel=stylesheet href='https://a.example/x.css'>", "external-style"),
        ("<link REL='alternate StyleSheet' href='https://a.example/x.css'>", "external-style"),
        ("<link rel=stylesheet>", "external-style"),
        (
            "<link rel=stylesheet href='https://fonts.googleapis.com.a.example/'>",
            "external-style",
        ),
        (
            "<link rel=stylesheet href='https://a.example/?//fonts.googleapis.com/'>",
            "external-style",
        ),
        ("<img alt='' src='data:image/png;base64,AAAA'>", "data-image"),
        ("<p style=\"background:url('DATA:image/gif;base64,AAAA')\">x</p>", "data-image"),
        ("<style>p { background: url(data:image/gif;base64,AAAA) }</style>", "data-image"),
        (
            "<img alt='' srcset=' DATA:image/png;base64,AA,AA' src='https://a.example/'>",
            "data-image",
        ),
    ],
)
def test_what_mail_programs_refuse_is_found(body: str, rule: str) -> None:
    """Each is dropped or blocked by some mail program."""
    assert rules_of(campaign(html=html(body))) == [("warning", rule, "html", 2)]


@pytest.mark.parametrize(
    "body",
    [
        "<script type=' Application/LD+JSON '>{}</script>",
        "<p once=x on=y one=z>x</p>",
        "<!-- <script>x()</script><form> -->",
        "<link rel=icon href='https://a.example/x.ico'>",
        "<link rel=stylesheet href='https://fonts.googleapis.com/css?family=Ubuntu:300,400'>",
        "<link rel=stylesheet href=' HTTP://Fonts.GStatic.com'>",
        "<link rel=stylesheet href='//use.typekit.net/x.css'>",
        "<link rel=stylesheet href='https://fonts.bunny.net?family=x'>",
        "<style>@font-face { src: url(data:font/woff2;base64,AAAA) }</style>",
        "onclick=x javascript:x <a href='https://a.example/?u=javascript:x'>x</a>",
        "&lt;script&gt;",
    ],
)
def test_harmless_look_alike_is_left_alone(body: str) -> None:
    """What no program refuses is not reported."""
    assert rules_of(campaign(html=html(body))) == []


@pytest.mark.parametrize("body", ["<form action=X>", "<button formaction=X>"])
def test_form_that_runs_a_script_is_found_as_both(body: str) -> None:
    """A form has other attributes for where it leads."""
    found = rules_of(campaign(html=html(body.replace("X", "javascript:x"))))

    assert [rule for _, rule, _, _ in found] == ["script-link", "form"]


def test_forms_are_found_together() -> None:
    """A form with several fields is one finding."""
    finding = finding_of("form", campaign(html=html("<form>\n<input>\n<input></form>")))

    assert (finding.count, finding.places) == (3, (2, 3, 4))
    assert "(<form>, <input>)" in finding.message


def test_style_sheet_is_named() -> None:
    """The message says which one."""
    body = "<link rel=stylesheet href='https://a.example/x.css'>"

    message = finding_of("external-style", campaign(html=html(body))).message

    assert "(https://a.example/x.css)" in message


def test_image_in_the_html_is_not_shown_whole() -> None:
    """The message names the kind of image, and none of its thousands of characters."""
    body = "<img alt='' src='data:image/png;base64," + "A" * 9_000 + "'>"

    assert "(data:image/png;base64)" in finding_of("data-image", campaign(html=html(body))).message
