"""Tags that hide the text after them are reported, and correct tags are not."""

from __future__ import annotations

import pytest

from tests.checks.examples import campaign, finding_of, html, rules_of

BROKEN = "broken-tag"


def is_found(body: str) -> bool:
    """Tell whether the rule fires for a piece of a mail that goes on behind it."""
    mailing = campaign(html=html(f"{body}\n<p class=\"x\">b</p>\n<p title='y'>c</p>"))
    return BROKEN in [rule for _, rule, _, _ in rules_of(mailing)]


@pytest.mark.parametrize(
    "body",
    [
        '<a href="https://shop.example/sale>看優惠</a><p>只到週日</p>',
        '<a href="https://shop.example/sale>看優惠</a>',
        '<a href="https://shop.example/a>看</a><a href="https://shop.example/b">b</a>',
        '<a href="https://shop.example/a>看</a><a href="https://shop.example/b>b</a>',
        '<a href="https://shop.example/a>看</a>他說「好」"好"',
        "<a href='https://shop.example/a>Don't</a>",
        "<a href='https://shop.example/a>看</a>",
        '<a href="https://shop.example/a target="_blank">看</a>',
        '<a href="https://shop.example/a target="">看</a>',
        '<a class="b" href="https://shop.example/a>看</a><br class="">',
        '<td width="50 height="20>x</td>',
        '<p style="color:red>全館八折',
        '<td bgcolor="#fff>全館</td><td bgcolor="#eee">x</td>',
        '<img src="https://a.example/a.png" alt="主圖><p>全館八折</p>',
        '<img src="https://a.example/a.png" alt="主圖><img src="https://a.example/b.png">',
        '<img alt="主圖 src="https://a.example/a.png">',
        '<!--[if mso]><v:rect style="width:600px><v:fill color="#fff"/></v:rect><![endif]-->',
        '<!--[if mso]><td width="600><![endif]-->',
        "<a href=\"https://shop.example/a'>看</a>",
    ],
)
def test_missing_closing_quote_is_found(body: str) -> None:
    """A browser reads on to the next quote, wherever that is."""
    assert is_found(body)


@pytest.mark.parametrize(
    "body",
    [
        '<a href=""https://shop.example/"">x</a>',
        '<a href=""https://shop.example/">x</a>',
        '<a href="https://shop.example/"">x</a>',
        "<a href=''https://shop.example/''>x</a>",
        '<p style="font-family:"Segoe UI",Arial">x</p>',
        '<img src="https://a.example/a.png" alt="他說"好"了">',
        "<a href='https://a.example/' title='Don't miss'>x</a>",
        "<a href=“https://shop.example/”>x</a>",
        "<a href=‘https://shop.example/’>x</a>",
        "<a href=”https://shop.example/“ target=”_blank”>x</a>",
        '<a href=“https://shop.example/">x</a>',
        '<a href="https://shop.example/”>x</a>',
        "<img src='https://a.example/a.png' alt=“主 圖”>",
        "<a href=＂https://shop.example/＂>x</a>",
        '<a href＝"https://shop.example/">x</a>',
        "<a href=&quot;https://shop.example/&quot;>x</a>",
        "<a href=&ldquo;https://shop.example/&rdquo;>x</a>",
        '<a href=\\"https://shop.example/\\">x</a>',
        "<a href=`https://shop.example/`>x</a>",
        '<a href=https://shop.example/">x</a>',
        "<a href=https://shop.example/'>x</a>",
        '<a href=https://shop.example/" target="_blank">x</a>',
        '<a href"https://shop.example/">x</a>',
    ],
)  # fmt: skip
def test_wrong_quote_is_found(body: str) -> None:
    """Doubled, curly, escaped, inside of others of its kind, or at one end only."""
    assert is_found(body)


@pytest.mark.parametrize(
    "body",
    [
        '<a href="https://shop.example/"<p>全館</p>',
        '<a href="https://shop.example/"\n<p class="x">全館</p>',
        '<a href="https://shop.example/" 看優惠</a>',
        "<a href=https://shop.example/<b>看</b>",
        "<p<b>全館</b>",
        "<p 全館</p>",
        "<br<br>",
        "<td>全館</td<td>x</td>",
        '<p>全館</p\n<p class="x">x</p>',
        '<img src="https://a.example/a.png" alt="主圖" <p>全館</p>',
    ],
)
def test_tag_without_its_end_is_found(body: str) -> None:
    """The next tag becomes a part of it."""
    assert is_found(body)


@pytest.mark.parametrize(
    "body",
    [
        '<img src="https://a.example/a.png" alt="a > b">',
        '<img src="https://a.example/a.png" alt="a > b < c, <b>">',
        '<a href="https://a.example/" title="&lt;b&gt;x">x</a>',
        '<a href="https://a.example/" title="<b>x</b> & <i>y</i>">x</a>',
        '<a href="https://a.example/?a=1&b=&c=2#=">x</a>',
        '<a href="https://a.example/?q=">x</a>',
        '<a href="https://a.example/?q=<b>x</b>">x</a>',
        "<a href=https://a.example/?a=b title=Women's>x</a>",
        "<a href=\"https://a.example/\" title='他說\"好\"'>x</a>",
        '<a href="https://a.example/" title="他說“好”、「讚」，it\'s 5\' &quot;x&quot;">x</a>',
        "<a href='https://a.example/'title=\"x\"target=_blank>x</a>",
        "<a\n  href = 'https://a.example/'\n  title = \"a\n> b\"\n/>",
        "<iframe srcdoc='<p class=\"x\">a</p>'></iframe>",
        '<p onclick="if (a > b) show(\'<b>x</b>\')">x</p>',
        "<p onclick=show('x')>x</p>",
        "<div data-x='{\"html\": \"<p class=x>\", \"b\": \"a > b\"}'>x</div>",
        '<div data-x="{&quot;a&quot;: 1}" data-html="<p>a</p><a href=\'x\'>b</a>">x</div>',
        "<p class=\"[&>p]:m-0 md:w-1/2\" style=\"font-family:'Segoe UI',Arial; content:'>'\">x</p>",
        "<p style=\"background:url('data:image/svg+xml,<svg xmlns=%22x%22><g/></svg>')\">x</p>",
        "<a href='mailto:a@a.example?body=<b>x</b>'>x</a>",
        "<p title=「主圖」 lang=zh-TW>x</p>",
        "<p title=''><br/><br /><hr noshade><o:p></o:p></p><td nowrap/>",
        '<!--[if mso]><v:rect xmlns:v="urn:x" style="width:9px;" inset="0,0"/><![endif]-->',
        "<!--[if mso]><td width='300'><![endif]--><!--[if !mso]><!--><td><!--<![endif]-->",
        '<td {% if a == "b" %}class="x"{% endif %}>x</td>',
        '<a href="{{ url | default("https://a.example/") }}">x</a>',
        '<a href="<%= url("x") %>" title="<?php echo "a" ?>">x</a>',
        '<p <#if a == "b">class="x"</#if>>x</p>',
        '<p %%=IIF(@a == "b", "c", "d")=%%>x</p>',
        '<a href="*|IF:A="b"|*">x</a>',
        '<a href="https://a.example/?n=${NAME}" title="${NAME}">x</a><a href=${CITY}>x</a>',
        'a < b, c > d, <3, &lt;a href="x&gt;',
    ],
)  # fmt: skip
def test_what_is_meant_so_is_not_found(body: str) -> None:
    """A tag in order may hold anything, and the commands of other products are another rule's."""
    assert not is_found(body)


def test_finding_has_the_lines_and_the_begin_of_the_tags() -> None:
    """The message quotes the tag and has a way out."""
    body = '<a href="https://shop.example/a>x</a>\n<p class="x">b</p>\n\n<td>x</td<td>'

    finding = finding_of(BROKEN, campaign(html=html(body)))

    assert (finding.level, finding.line, finding.places, finding.count) == ("warning", 2, (2, 5), 2)
    assert '(<a href="https://shop.example/a>x</a> <p class="x">, </td<td>)' in finding.message
    assert "write each value between two straight quotes" in finding.message


def test_lines_are_those_of_the_mail_in_comments_for_outlook_too() -> None:
    """A tag that is open at the end of its comment is found where it begins."""
    body = '<!--[if mso]>\n<td width="6">\n<v:rect\nstyle="a><![endif]-->\nb\n'

    assert finding_of(BROKEN, campaign(html=html(body))).line == 4


@pytest.mark.matrix
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", ["{{", "<%", ">", "> =", " class", "x ", "<", '" ', "x='y' ", "x=y<"]
)
def test_time_grows_with_the_length_of_a_tag(piece: str) -> None:
    """A single tag may be all of the mail."""
    assert not is_found(f"<p title='{piece * (500_000 // len(piece))}'></p>".replace("'y'", ""))
