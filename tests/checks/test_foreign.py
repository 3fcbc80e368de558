from __future__ import annotations

import pytest

from tests.checks.examples import COLUMNS, campaign, finding_of, html, rules_of

FOREIGN = ("warning", "foreign-placeholder", "html", 2)


@pytest.mark.parametrize(
    "body",
    [
        "{{name}}",
        "{{ contact.FIRST NAME }}",
        "{{{name}}}",
        "{{}}",
        "{% if vip %}",
        "%NAME%",
        "親愛的%NAME%您好",
        "%姓名%",
        "%會員等級%",
        "毛利%，%姓名%",
        "%%First_Name%%",
        "*|FNAME|*",
        "[[NAME]]",
        "[[ 姓名 ]]",
        "&#123;&#123;name}}",
        "<img src='https://a.example/' alt='%NAME%'>",
        "<a href='https://a.example/?u={{id}}'>x</a>",
        "<a href='https://a.example/?u=%%id%%'>x</a>",
        "<p style='color:{{color}}'>x</p>",
        "{{<b>name</b>}}",
        "{{ <span style='color:red'>first</span> name }}",
        "<!--[if mso]>{{name}}<![endif]-->",
        "<!--[if mso]><img src='https://a.example/' alt='%NAME%'><![endif]-->",
        "{NAME}",
        "{ city }",
        "$ {NAME}",
        "$&nbsp;{會員等級}",
        "｛NAME｝",
        "％NAME％",
        "％會員等級％",
    ],
)
def test_syntax_of_other_products_is_found(body: str) -> None:
    """It would go out as it stands, to everybody."""
    assert rules_of(campaign(html=html(body)), columns=COLUMNS) == [FOREIGN]


@pytest.mark.parametrize(
    "body",
    [
        "50% off, then 20% more",
        "50%off%",
        "成長%與比重%",
        "CTR%、CVR%",
        "100%棉 %",
        "https://a.example/%E4%BD%A0%20x",
        "<a href='https://a.example/?q=%E4%BD%A0abc%20x%NAME%'>x</a>",
        "<p style='width:50%;height:%x%'>x</p>",
        "<style>p { width: 100% } {{x}} %NAME%</style>",
        "<script type='application/ld+json'>{{x}} %NAME%</script>",
        "<!-- {{x}} %NAME% -->",
        "{x} [x] [[限時優惠]] a[b[0]] * | %s 5 %",
        "{ {x} } [[]] %% ** ||",
        "{x} $ {x} {NAMES} {} ％x％ 50％NAME",
        "<p style='{NAME}'>x</p>",
    ],
)
def test_ordinary_text_is_left_alone(body: str) -> None:
    """A percent sign or a bracket is no placeholder by itself."""
    assert rules_of(campaign(html=html(body)), columns=COLUMNS) == []


@pytest.mark.parametrize(
    "attribute", ["action", "background", "href", "poster", "src", "srcset", "style"]
)
def test_percent_sign_in_a_url_or_style_is_no_mark(attribute: str) -> None:
    """There, it is an escape or a share."""
    mailing = campaign(html=html(f"<p {attribute}='https://a.example/%NAME%'>x</p>"))

    assert "foreign-placeholder" not in [rule for _, rule, _, _ in rules_of(mailing)]


@pytest.mark.parametrize(
    ("subject", "says"),
    [
        ("{{city}} 您好", "write ${CITY}"),
        ("*|FNAME|* 您好", "write ${NAME}"),
        ("%%zzz%%", "write ${…} with the name of a column"),
        ("$ {name}", "write ${NAME}"),
        ("％會員等級％", "write ${會員等級}"),
    ],
)
def test_subject_is_looked_at(subject: str, says: str) -> None:
    """The way out names the column where one is near."""
    finding = finding_of("foreign-placeholder", campaign(subject=subject), columns=COLUMNS)

    assert (finding.field, finding.line) == ("subject", None)
    assert says in finding.message


def test_line_is_that_of_the_text() -> None:
    """A text of many lines is counted within."""
    finding = finding_of("foreign-placeholder", campaign(html=html("a\nb\n{{x}} c\n{{x}}")))

    assert (finding.line, finding.count, finding.places) == (4, 2, (4, 5))


def test_column_is_suggested_without_the_tags() -> None:
    """What an editor has put inside is no part of the name."""
    finding = finding_of(
        "foreign-placeholder", campaign(html=html("{{<b>city</b>}}")), columns=COLUMNS
    )

    assert "has {{<b>city</b>}}, " in finding.message
    assert finding.message.endswith("; write ${CITY}")


def test_line_of_a_text_for_outlook_is_its_own() -> None:
    """A comment of many lines is counted within."""
    body = "<!--[if mso]>\n<p>\n{{x}}</p><![endif]-->"

    assert finding_of("foreign-placeholder", campaign(html=html(body))).line == 4


@pytest.mark.parametrize("columns", [None, (), ("",)])
def test_columns_that_all_contacts_have_are_known(columns: tuple[str, ...] | None) -> None:
    """Without the columns, marks around EMAIL and NAME still are placeholders."""
    found = rules_of(campaign(html=html("{EMAIL} {CITY} {}")), columns=columns)

    assert found == [FOREIGN]
