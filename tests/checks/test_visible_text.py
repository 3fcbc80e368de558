from __future__ import annotations

import pytest

from newsleopard_async.checks.check import check_campaign
from newsleopard_async.models import GoogleAnalytics, Sender
from tests.checks.examples import campaign, finding_of, html, rules_of, sender_test


@pytest.mark.parametrize(
    "text", ["\u200b", "\u200b\u2060", "\u3164", "\u2800", "\u00ad", " \u034f "]
)
def test_text_that_shows_nothing_is_found(text: str) -> None:
    """What has no ink is empty to its reader."""
    mailing = campaign(
        name=text,
        subject=text,
        preheader=text,
        sender=Sender(text, "a@a.example"),
        ga=GoogleAnalytics("a", text),
    )

    found = [each for each in rules_of(mailing) if each[1] == "unseen-text"]

    fields = ("name", "subject", "preheader", "sender.name", "ga.content")
    assert found == [("warning", "unseen-text", field, None) for field in fields]


def test_text_that_shows_nothing_is_written_out() -> None:
    """The message shows the invisible characters as escapes."""
    message = finding_of("unseen-text", campaign(subject="\u3164\u200b")).message

    assert r"\u3164\u200b" in message


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("R&amp;D 特賣", "character-reference"),
        ("It&#39;s time", "character-reference"),
        ("王&nbsp;小明", "character-reference"),
        ("游錫&#x5803;", "character-reference"),
        ("王&nbsp小明", "character-reference"),
        ("It#039;s time", "character-reference"),
        ("It#8217;s time", "character-reference"),
        ("<b>特價</b>", "markup"),
        ("特價<br/>", "markup"),
        ("<span style='color:red'>特價", "markup"),
        ("週年\ufffd", "lost-character"),
        ("週年\ue123", "lost-character"),
        ("嚙踝蕭", "lost-character"),
        ("????，50%", "lost-character"),
        ("ç‰¹åƒ¹", "double-decoding"),
        ("Jos\u00c3\u00a9", "double-decoding"),
        ("³¯¤j¤å", "double-decoding"),
    ],
)
def test_damage_of_a_line_is_found(text: str, rule: str) -> None:
    """A subject, a preheader, a name and a value of tracking are read as they stand."""
    mailing = sender_test(
        Sender(text, "a@a.example"),
        Sender("B", "a@a.example"),
        name=text,
        subject=text,
        preheader=text,
        ga=GoogleAnalytics(text, "b"),
        html=html('<a href="https://a.example/">x</a>'),
    )

    fields = ("name", "subject", "preheader", "sender_a.name", "ga.campaign")
    found = [each for each in rules_of(mailing) if each[1] != "ga-value"]
    assert found == [("warning", rule, field, None) for field in fields]


@pytest.mark.parametrize(
    "text",
    [
        "A & B; C",
        "AT&T; R&D",
        "Tom & Jerry &copy 2027",
        "I <3 you, 5 < 6 > 4",
        "<限時> <SALE> << 必讀 >> <b",
        "準備好了嗎?週年慶開跑",
        "真的?!?? ???",
        "José Müller Ångström NESCAFÉ® «特價» ½¼",
        "👨\u200d👩\u200d👧 出遊 ❤\ufe0f 1\ufe0f\u20e3",
        "#039 #8217; 訂單 #1038;",
        "游錫堃、𠮷野家、瑭嫘",
    ],
)
def test_line_that_is_fine_is_left_alone(text: str) -> None:
    """A sign of HTML or an accent makes no damage."""
    mailing = campaign(name=text, subject=text, preheader=text, sender=Sender(text, "a@a.example"))

    assert rules_of(mailing) == []


@pytest.mark.parametrize(
    ("text", "rule", "shown"),
    [
        ("ç‰¹åƒ¹", "double-decoding", "(ç‰¹åƒ¹ should be 特價)"),
        ("會員\ufffd惠五折，敬請把握機會", "lost-character", "(會員\ufffd惠五折，敬請把握)"),
        ("R&amp;D", "character-reference", "(&amp;)"),
    ],
)
def test_message_quotes_the_fault(text: str, rule: str, shown: str) -> None:
    """A reader can search the text for the quoted characters."""
    first = check_campaign(campaign(subject=text)).findings[0]

    assert (first.field, first.rule) == ("subject", rule)
    assert shown in first.message


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("<p>會員\ufffd惠</p>", "lost-character"),
        ("<p>\ue123</p>", "lost-character"),
        ("<p>?????? 50%</p>", "lost-character"),
        ("<img src='https://a.example/' alt='優\ufffd'>", "lost-character"),
        ("<!--[if mso]><p>優\ufffd</p><![endif]-->", "lost-character"),
        (
            "<!--[if mso]><img src='https://a.example/' alt='優\ufffd'><![endif]-->",
            "lost-character",
        ),
        ("<p>é€±å¹´æ…¶</p>", "double-decoding"),
        ("<p title='JosÃ©'>x</p>", "double-decoding"),
        ("<p>hello&amp;nbsp;there</p>", "character-reference"),
        ("<p>&amp;lt;b&amp;gt;</p>", "character-reference"),
        ("<p>it&amp;#39;s &#38;quot;x&#x26;quot;</p>", "character-reference"),
        ("<p>R&amp;amp;amp;D</p>", "character-reference"),
        ("<p>It#039;s</p>", "character-reference"),
        ("<a href='https://a.example/?a=1&amp;amp;b=2'>x</a>", "character-reference"),
        ("<a href='https://a.example/?a=1&amp;#038;b=2'>x</a>", "character-reference"),
        ("<a href='https://a.example/?a=1#038;b=2'>x</a>", "character-reference"),
        ("<a href='https://a.example/?a=1%26amp%3Bb=2'>x</a>", "character-reference"),
        ("<a href='https://a.example/?amp;b=2'>x</a>", "character-reference"),
        ("<img alt='' src='https://a.example/?a=1&amp;amp;b=2'>", "character-reference"),
        ("<img alt='R&amp;amp;D' src='https://a.example/'>", "character-reference"),
        ("<code>x</code>&amp;lt;", "character-reference"),
        ("&amp;#36;{x}", "character-reference"),
        ("</pre>&amp;lt;", "character-reference"),
    ],
)
def test_damage_of_a_body_is_found(body: str, rule: str) -> None:
    """Visible texts and URLs of the HTML are checked after their references are resolved."""
    assert set(rules_of(campaign(html=html(body)))) == {("warning", rule, "html", 2)}


@pytest.mark.parametrize(
    "body",
    [
        "<a href='https://a.example/?a=1&amp;b=2&c=3&amp=4#8217;'>A &amp; B &lt;b&gt; &nbsp;</a>",
        "<p>想省錢嗎?現在就加入。真的??</p>",
        "<p>R&amp;D; &amp;c; &amp;amp &amp;xyzzy; &amp;</p>",
        "Write <code>&amp;lt;</code>, <pre>\n<b>&amp;amp;nbsp;</b></pre>, <kbd>&amp;gt;</kbd>",
        "<script type='application/ld+json'>{'a': '&amp;amp; \ufffd Ã©'}</script>",
        "<!-- &amp;amp; \ufffd Ã© -->",
        "<p title='Crème brûlée'>Ça va, José? 20°C ÀÉ «»</p>",
    ],
)
def test_body_that_is_fine_is_left_alone(body: str) -> None:
    """One escape is right, and code is shown as it is meant."""
    assert rules_of(campaign(html=html(body))) == []


def test_each_place_of_a_body_is_named() -> None:
    """Lines and examples lead to the faults."""
    body = "<p>&amp;nbsp;</p>\n<p>It#039;s\n#039;</p>\n<a href='https://a.example/#038;'>x</a>"

    finding = finding_of("character-reference", campaign(html=html(body)))

    assert (finding.count, finding.places) == (4, (2, 3, 4, 5))
    assert "(&amp;nbsp;, #039;, https://a.example/#038;)" in finding.message
