from __future__ import annotations

import pytest

from newsleopard_async.checks.check import check_campaign
from tests.checks.examples import COLUMNS, campaign, finding_of, html, rules_of

ENCODED = ("warning", "encoded-placeholder", "html", 2)
SPLIT = ("warning", "malformed-placeholder", "html", 2)


@pytest.mark.parametrize(
    "body",
    [
        "$&#123;CITY}",
        "&#36;{CITY}",
        "&#36{CITY}",
        "$&#123;CITY&#125;",
        "${CITY&#125; x }",
        "&#x24;&#X7B;CITY&#x7d;",
        "&#036;&#00123;CITY&#x007D;",
        "&dollar;&lcub;CITY&rcub;",
        "&dollar;&lbrace;CITY&rbrace;",
        "&#36;{&#67;ITY}",
        "&#36;{會員等級}",
        "&#36;{CITY|x}",
        "%24{CITY}",
        "%24%7B%E6%9C%83%E5%93%A1%7D",
        "<p title='$&#123;CITY}'>x</p>",
        "<a href='$&#123;CITY}'>x</a>",
        "<a href='&#36;%7BCITY%7D'>x</a>",
        "<!--[if mso]>&#36;{CITY}<![endif]-->",
    ],
)
def test_placeholder_in_character_references_is_found(body: str) -> None:
    """A recipient would read it as ``${CITY}``: the platform looks at the HTML as it stands."""
    found = rules_of(campaign(html=html(body)))

    assert ENCODED in found
    assert {rule for _, rule, _, _ in found} <= {"encoded-placeholder", "malformed-placeholder"}


@pytest.mark.parametrize(
    "body",
    [
        "$<b>{CITTY}</b>",
        "$</b><i class='x'>{CITTY}",
        "<b>$</b>{CITTY}",
        "$<!-- x\ny -->{CITTY}",
        "$<b>{C<wbr>ITTY}</b>",
        "$&#123;<b>CITTY</b>&#125;",
        "&#36;<SPAN>&#123;CITTY&#125;</SPAN>",
        "$<o:p></o:p>{CITTY}",
        "<!--[if mso]>$<b>{CITTY}</b><![endif]-->",
    ],
)
def test_placeholder_with_tags_between_its_signs_is_found(body: str) -> None:
    """An editor that makes half of it bold takes it apart."""
    assert rules_of(campaign(html=html(body)), columns=COLUMNS) == [SPLIT]


@pytest.mark.parametrize(
    "body",
    [
        "${CITY} $5 &#36;5 NT&#36; &#36;${CITY} $<b>5</b> {x}",
        "$<p>{x}</p> $</td><td>{x}",
        "&#360;{x} &#x24f;{x} &#36;&#1230;x}",
        "<!-- $&#123;CITY} $<b>{CITY} -->",
        "<script type='application/ld+json'>$&#123;CITY}</script>",
        "$<b>{\n}</b>",
        "https://a.example/?q=%24%7B",
    ],
)
def test_text_that_is_not_a_placeholder_is_accepted(body: str) -> None:
    """An amount, a brace or an invisible text is not a placeholder."""
    assert rules_of(campaign(html=html(body)), columns=COLUMNS) == []


def test_placeholder_that_the_platform_finds_is_reported_once() -> None:
    """The platform finds its begin and end, so only the other rule reports it."""
    assert rules_of(campaign(html=html("${<b>NAME</b>}")), columns=COLUMNS) == [SPLIT]
    assert finding_of("malformed-placeholder", campaign(html=html("${<b>NAME</b>}"))).count == 1


@pytest.mark.parametrize(
    ("body", "rule", "shown", "right"),
    [
        ("$&#123;CITY}", "encoded-placeholder", "$&#123;CITY}", "${CITY}"),
        ("%24%7B%E5%9F%8E%7D", "encoded-placeholder", "%24%7B%E5%9F%8E%7D", "${城}"),
        ("&#36;{A&amp;B}", "encoded-placeholder", "&#36;{A&amp;B}", "${A&B}"),
        ("$<b>{CITY}</b>", "malformed-placeholder", "$<b>{CITY}", "${CITY}"),
    ],
)
def test_message_quotes_it_and_shows_what_to_write(
    body: str, rule: str, shown: str, right: str
) -> None:
    """A message quotes the source, which a reader can search for, and the correct form."""
    message = finding_of(rule, campaign(html=html(body))).message

    assert message.startswith(f"has {shown}")
    assert message.endswith(f"; write {right}")


def test_subject_and_lines_are_looked_at() -> None:
    """Each has its place."""
    mailing = campaign(subject="&#36;{NAME}", html=html("\n&#36;{NAME}\n$<b\n>{X}"))

    found = [(each.rule, each.field, each.line) for each in check_campaign(mailing)]

    assert found == [
        ("malformed-placeholder", "html", 4),
        ("encoded-placeholder", "subject", None),
        ("encoded-placeholder", "html", 3),
    ]


def test_message_stays_short_and_in_one_line() -> None:
    """The contents of the tags do not matter."""
    style = "x\n" * 200
    body = f"$<b style='{style}'>{{{'y' * 70}}} &#36;&#123;{'&#65;' * 60}&#125;"

    findings = check_campaign(campaign(html=html(body))).findings

    assert [each.rule for each in findings] == ["malformed-placeholder", "encoded-placeholder"]
    for finding in findings:
        assert len(finding.message) < 300
        assert "\n" not in finding.message
