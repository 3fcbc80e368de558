from __future__ import annotations

import pytest

from newsleopard_async.checks.page import parse_page
from tests.checks.examples import campaign, finding_of, html, rules_of

WARNING_RULES = {
    "relative-link": [
        "page.html",
        "/page",
        "../page",
        "?a=1",
        "//cdn.example.com/x.png",
        "www.example.com",
        "www.example.com:8080/x",
        "https//www.example.com",
        "/p/${ID}",
        "x.png#y",
    ],
    "local-link": [
        "file:///C:/x.png",
        "C:\\x\\y.png",
        "c:/x.png",
        "\\\\server\\x.png",
        "http://localhost/x",
        "http://LOCALHOST:8000",
        "localhost:3000/x",
        "https://127.0.0.1/x",
        "https://192.168.1.10/x",
        "http://[::1]/x",
        "http://printer/x",
        "https://nas.local/x",
        "https://nas.lan/x",
        "https://wiki.internal/x",
        "https://app.localhost./",
        "cid:image001.png",
        "blob:https://a.example/x",
    ],
    "bad-link": [
        "http://",
        "https:///x",
        "http:/www.example.com",
        "https:www.example.com",
        "https://www.exa mple.com/",
        "http://[x]/",
        "htp://www.example.com",
        "htttps://www.example.com",
        "https://www。example。com",
        "https://www，example",
        "http://https://www.example.com",
        "https://HTTP//www.example.com",
        "https://www.example.com:abc/x",
        "https://www.example.com:80800/x",
        "https://www.example.com:443000/x",
        "https://www..example.com/",
        "https://.example.com/",
        "https://localhost:80a",
        "https://a.example/summer sale (1).pdf",
        "https://a.example/?q=summer sale",
        "https://a.example/a\nb",
        "https://a.example/sale&nbsp;",
        "&nbsp;https://a.example/",
        "\u3000https://a.example/",
        "https://a.example/夏季\u3000特賣",
        "https://a.example/sale。",
        "https://a.example/sale，了解更多",
        "https://a.example/？a＝1＆b＝2",
        "https://a.example/sale）",
        "https://a.example/sale」",
        "https://a.example/sale&rdquo;",
        "https://a.example/\u200bsale",
        "https://a.example/sa&shy;le",
        "https://a\u200b.example/",
        "\u200bhttps://a.example/",
        "\ufeffhttps://a.example/",
        "https://a.example/?q=\u2060#x",
        "${LINK}\u200b",
        "${LINK}&nbsp;",
        "mailto:a＠a.example",
        "mailto:a@a.example\u200b",
        "tel:02－1234",
    ],
    "empty-link": ["", " ", "\u3000", "\u200b", "#", "mailto:", "TEL:", "sms:"],
}


@pytest.mark.parametrize(
    ("url", "rule"), [(url, rule) for rule, urls in WARNING_RULES.items() for url in urls]
)
def test_link_that_leads_nowhere_is_found(url: str, rule: str) -> None:
    """A mail has no page for relative links, and is not on the author's machine."""
    body = f'<a href="{url}">x</a>'

    assert rules_of(campaign(html=html(body))) == [("warning", rule, "html", 2)]


@pytest.mark.parametrize(
    "url",
    [
        "https://www.example.com",
        "http://www.example.com:8080/a/b?c=d&amp;e=%20#f",
        "HTTPS://WWW.EXAMPLE.COM",
        " https://www.example.com ",
        "https://8.8.8.8/x",
        "https://[2001:4860:4860::8888]/x",
        "https://www.example.com:/x",
        "https://www.example.com:65535/x",
        "https://www.example.com:08080/x",
        "https://a:b@www.example.com/x",
        "https://www.example.com/a:b?c=d:e",
        "https://例え.jp/週年慶",
        "${LINK}",
        "${BASE}/x",
        "mailto:a@example.com?subject=x",
        "tel:+886-2-1234-5678",
        "sms:+886912345678",
        "line://ti/p/@example",
        "whatsapp://send?text=x",
        "#top",
        "#place",
        "#PLACE",
        "#other",
        "#%70lace",
        "#100%25",
        "#50%",
        "\n https://a.example/x\t\n",
        "https://a.example/a%20b/商品?q=中文",
        "https://a.example/wiki/臺北（消歧義）/《書》「引」",
        "https://a.example/men’s-shoes~(1)!,;:@&amp;=+$*'|品牌｜商品～",
        "https://a.example/❤️/👨\u200d👩\u200d👧",
        "https://a.example/${Birth Day}/x",
        "mailto:a@a.example?subject=週年慶，請 回覆。",
    ],
)
def test_link_that_leads_somewhere_is_left_alone(url: str) -> None:
    """A link is fine if a mail program can open it, perhaps after placeholders are replaced."""
    places = '<a id="place"></a><a name="other"></a><i id="100%"></i><i id="50%"></i>'
    body = f'<a href="{url}">x</a>{places}'

    found = [rule for rule in rules_of(campaign(html=html(body))) if "in-url" not in rule[1]]

    assert found == []


@pytest.mark.parametrize(
    "host", ["${HOST}", "${SHOP}.example.com", "{{host}}", "www.example.com:${PORT}"]
)
def test_host_that_is_filled_in_is_not_judged(host: str) -> None:
    """Nothing is known of a host before the mail goes out."""
    found = rules_of(campaign(html=html(f'<a href="https://{host}/x">x</a>')))

    assert {rule for _, rule, _, _ in found} <= {"placeholder-in-url", "foreign-placeholder"}


@pytest.mark.parametrize(
    "body",
    [
        "<img alt='' src='x.png'>",
        "<img alt='' src='https://a.example/x.png' srcset='https://a.example/x.png 1x, y.png 2x'>",
        "<td background='x.png'>x</td>",
        "<p style='background: #fff url( \"x.png\" ) no-repeat'>x</p>",
        "<style>p { background: URL('x.png') }</style>",
        "<area href='x.html'>",
        "<map><area href='/x'></map>",
    ],
)
def test_path_of_an_image_is_looked_at(body: str) -> None:
    """Images have more places for an address than src."""
    assert rules_of(campaign(html=html(body))) == [("warning", "relative-link", "html", 2)]


@pytest.mark.parametrize(
    "body",
    [
        "<img alt='' src='https://a.example/main pic.png'>",
        "<img alt='' src='https://a.example/' srcset='https://a.example/main pic.png 2x, ${X}'>",
        "<img alt='' src='https://a.example/' srcset='https://a.example/a.png 1x, ${X} y 2x'>",
        "<td background='https://a.example/夏。png'>x</td>",
        "<p style='background:url(\"https://a.example/main pic.png\")'>x</p>",
        "<p style='background:url(https://a.example/main pic.png)'>x</p>",
        "<style>p { background: url('https://a.example/main pic.png' }</style>",
        "<!--[if mso]><v:fill src='https://a.example/main pic.png'><![endif]-->",
    ],
)
def test_stray_character_in_the_path_of_an_image_is_found(body: str) -> None:
    """A blank ends an address early, wherever the address is."""
    finding = finding_of("bad-link", campaign(html=html(body)))

    assert "take these out, or percent-encode them" in finding.message


def test_stray_character_is_shown() -> None:
    """The message shows invisible characters as escapes."""
    body = '<a href="https://a.example/\u200bsale\u3000x\u3164">x</a>'

    message = finding_of("bad-link", campaign(html=html(body))).message

    assert r"(https://a.example/\u200bsale\u3000x\u3164)" in message


@pytest.mark.parametrize("style", ["url()", "url('')", "url( )"])
def test_empty_path_of_a_style_is_left_alone(style: str) -> None:
    """Nothing is loaded from nowhere."""
    body = f'<style>p {{ background: {style} }}</style><p style="background:{style}">x</p>'

    assert rules_of(campaign(html=html(body))) == []


@pytest.mark.parametrize(
    ("srcset", "relative"),
    [
        ("https://a.example/w_1,h_2/x.png 1x, https://a.example/w_3,h_4/x.png 2x", []),
        ("https://a.example/x.png 1x,https://a.example/y.png 2x", []),
        ("https://a.example/x.png, https://a.example/y.png 2x", []),
        ("https://a.example/x.png?a=1,b 100w, w_1,h_2/x.png 200w", ["w_1,h_2/x.png"]),
        ("x.png, , y.png 2x,", ["x.png", "y.png"]),
        ("x.png,y.png 2x", ["x.png,y.png"]),
        ("data:image/png;base64,AA,AA 1x, x.png 2x", ["x.png"]),
        (" , ", []),
        ("", []),
    ],
)
def test_set_of_images_is_read_as_a_browser_does(srcset: str, relative: list[str]) -> None:
    """Services that resize images have commas in their addresses."""
    page = parse_page("html", f"<source src='https://a.example/' srcset='{srcset}'>")

    assert [image.url for image in page.images if image.kind == "relative"] == relative


@pytest.mark.parametrize(
    "tag",
    [
        "a href='x.html'",
        "v:roundrect href='/x'",
        "img src='x.png'",
        "v:fill src='x.png'",
        "td background='x.png'",
        "td style='background:url(x.png)'",
    ],
)
def test_link_for_outlook_alone_is_looked_at(tag: str) -> None:
    """What other programs take for a comment is the mail of the readers of Outlook."""
    body = f"<!--[if mso]>\n<{tag}><![endif]-->"

    assert rules_of(campaign(html=html(body))) == [("warning", "relative-link", "html", 3)]


@pytest.mark.parametrize(
    "content",
    [
        '<v:roundrect xmlns:v="urn:schemas-microsoft-com:vml" href="https://a.example">x',
        '<v:fill src="https://a.example/x.png" type="frame"/><v:textbox inset="0,0">',
        "<xml><o:AllowPNG/><o:PixelsPerInch>96</o:PixelsPerInch></xml>",
        "<table width='600'><tr><td style='width:50%'>",
        "<a href='https://a.example'>x<b",
        "<img><script>x</script><form>",
    ],
)
def test_markup_for_outlook_alone_is_left_alone(content: str) -> None:
    """It is half of something, in a vocabulary of its own."""
    assert rules_of(campaign(html=html(f"<!--[if mso]>{content}<![endif]-->"))) == []


def test_place_that_only_outlook_has_is_a_place() -> None:
    """A link to an anchor in the mail is not reported if the anchor exists."""
    body = '<a href="#x">x</a><!--[if mso]><a name="x"></a><![endif]-->'

    assert rules_of(campaign(html=html(body))) == []


def test_line_in_a_style_sheet_is_its_own() -> None:
    """A path in a style sheet is named by its line, not by that of the sheet."""
    body = "<style>\np {}\np { background: url(x.png) }</style>"

    assert finding_of("relative-link", campaign(html=html(body))).line == 4


@pytest.mark.parametrize("url", ["{{url}}", "{% url %}", "*|URL|*", "%%url%%", "[[url]]"])
def test_placeholder_of_another_product_is_no_path(url: str) -> None:
    """One finding is enough for a link that another product would have filled in."""
    body = f'<a href="{url}">x</a>'

    assert rules_of(campaign(html=html(body))) == [("warning", "foreign-placeholder", "html", 2)]


@pytest.mark.parametrize(
    ("url", "rule"),
    [("＄｛URL｝", "full-width-placeholder"), ("%24%7BURL%7D", "encoded-placeholder")],
)
def test_placeholder_that_is_spoilt_is_no_path(url: str, rule: str) -> None:
    """A misspelt absolute link is not reported as a relative link."""
    found = rules_of(campaign(html=html(f'<a href="{url}">x</a>')))

    assert [each for _, each, _, _ in found] == [rule]


@pytest.mark.parametrize("tag", ["input type=image", "source"])
def test_image_of_another_tag_is_looked_at(tag: str) -> None:
    """An image is not always an ``img``."""
    found = rules_of(campaign(html=html(f"<{tag} src='x.png'>")))

    assert "relative-link" in [rule for _, rule, _, _ in found]


def test_anchor_without_a_place_is_noted() -> None:
    """A link within the mail needs the place."""
    body = '<a href="#here">x</a>\n<a href="#there">x</a><p id="here">x</p>'

    assert rules_of(campaign(html=html(body))) == [("note", "missing-anchor", "html", 3)]


def test_links_are_found_together() -> None:
    """Fifty relative images are one finding, which shows a few."""
    body = "\n".join(f'<img alt="" src="img/{number}.png">' for number in range(50))

    finding = finding_of("relative-link", campaign(html=html(body)))

    assert (finding.count, len(finding.places)) == (50, 20)
    assert "(img/0.png, img/1.png, img/2.png, …)" in finding.message


def test_three_links_are_all_shown() -> None:
    """Nothing is left out where nothing is left."""
    body = "".join(f'<img alt="" src="{name}.png">' for name in "abc")

    message = finding_of("relative-link", campaign(html=html(body))).message

    assert "(a.png, b.png, c.png), " in message


def test_long_link_is_shortened() -> None:
    """A message stays readable with any link."""
    body = f'<a href="/{"x" * 9_000}">x</a>'

    assert len(finding_of("relative-link", campaign(html=html(body))).message) < 250


def test_empty_link_is_shown_as_it_stands() -> None:
    """An empty address would show nothing by itself."""
    finding = finding_of("empty-link", campaign(html=html('<a href="">x</a>')))

    assert '(href="")' in finding.message


def test_anchor_without_an_address_is_no_link() -> None:
    """An ``<a>`` that marks a place leads nowhere by design."""
    assert rules_of(campaign(html=html('<a name="x">x</a>'))) == []
