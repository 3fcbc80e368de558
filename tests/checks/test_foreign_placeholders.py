from __future__ import annotations

import time

import pytest

from newsleopard_async.checks.check import check_campaign
from tests.checks.examples import COLUMNS, campaign, finding_of, html, rules_of, with_text

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
        "*|<b>FNAME</b>|*",
        "«<span style='mso-no-proof:yes'>NAME</span>»",
        "&laquo;NAME<wbr>&raquo;",
        "[<b>NAME</b>]",
        "{<b><i>NAME</i></b>}",
        "%%<b>NAME</b>%%",
        "&lt;&lt;<b>NAME</b>&gt;&gt;",
        "<!--[if mso]>{{name}}<![endif]-->",
        "<!--[if mso]><img src='https://a.example/' alt='%NAME%'><![endif]-->",
        "{NAME}",
        "{ city }",
        "$ {NAME}",
        "$&nbsp;{會員等級}",
        "｛NAME｝",
        "％NAME％",
        "％會員等級％",
        "{!Contact.FirstName}",
        "({!name})",
        "{$user.name}",
        "$[FNAME]$",
        "[% name %]",
        "&lt;%= name %&gt;",
        "[NAME%%friend]",
        "[subscriber:firstname | default:reader]",
        "[contact_attribute:firstname]",
        "[MERGE_FIRST_NAME/friend]",
        "[Name,fallback=]",
        '[[data:firstname:"friend"]]',
        "[[FIRSTNAME OR friend]]",
        "%%=v(@name)=%%",
        "~Contact.FirstName~",
        "{ MERGEFIELD NAME }",
        "{contactfield=firstname}",
        "{subtag:name}",
        "#recipient:name#",
        "{|Subscriber.FirstName|}",
    ],
)
def test_syntax_of_other_products_is_found(body: str) -> None:
    """All recipients would see the unreplaced placeholder."""
    assert rules_of(campaign(html=html(body)), columns=COLUMNS) == [FOREIGN]


@pytest.mark.parametrize(
    "body",
    [
        "{NAME&#124;friend}",
        "#{NAME}",
        "$CITY$",
        "$(city)",
        "$[NAME]",
        "#[NAME]",
        "%[NAME]%",
        "##會員等級##",
        "＃＃NAME＃＃",
        "@@NAME@@",
        "__NAME__",
        "%%Birth Day%%",
        "[$NAME$]",
        "<a title='{(CITY)}'>x</a>",
        "{firstname}",
        "$First_Name$",
        "#*CITY#",
        "{姓名}",
    ],
)
def test_marks_of_code_around_a_known_name_are_found(body: str) -> None:
    """These are not around the name of a column or a common name."""
    assert rules_of(campaign(html=html(body)), columns=COLUMNS) == [FOREIGN]


@pytest.mark.parametrize(
    "body",
    [
        "[NAME]",
        "您在[CITY]的門市",
        "[NAME][CITY]",
        "[name]",
        "[First Name]",
        "【NAME】",
        "［CITY］",
        "«NAME»",
        "&laquo;NAME&raquo;",
        "&lt;&lt;NAME&gt;&gt;",
        "&lt;NAME&gt;",
        "《CITY》",
        "您好 -NAME-，",
        "--NAME--",
        "#NAME#",
        "@firstname@",
        "Dear [Name],",
        "Dear <b>[Name]</b>",
        "親愛的【姓名】您好",
        "【姓名】先生",
        "<b>[會員等級]</b>您好",
        "您的等級是[會員等級]。",
        "[會員等級]",
        "<img src='https://a.example/' alt='Hello [City]'>",
        "[NAME|friend]",
    ],
)
def test_marks_of_labels_are_found_where_a_value_is_meant(body: str) -> None:
    """A name that no label has, or a greeting beside it, tells a placeholder from a label."""
    found = rules_of(campaign(html=html(body)), columns=COLUMNS)

    assert set(found) == {FOREIGN}


@pytest.mark.parametrize("body", ["<<NAME>>", "<<會員等級>>", "Dear <First Name>,", "<EMAIL>"])
def test_placeholder_that_is_taken_for_a_tag_is_found(body: str) -> None:
    """A browser shows nothing of it."""
    finding = finding_of("foreign-placeholder", campaign(html=html(body)), columns=COLUMNS)

    assert finding.line == 2


@pytest.mark.parametrize(
    "body",
    [
        "<name>x</name> <<x>> <<必讀>> <address>x</address>",
        "[<a href='https://a.example/'>公告</a>] 【<b>VIP</b>】 -<b>NAME</b>x- [<b>Name</b>]",
        "$<b>{CITY}</b> {<b>x</b>}",
        "[公告] 【公告】 «特價» 《哈利波特》 &lt;&lt;必讀&gt;&gt; ［限時］",
        "(NAME) （NAME） 「NAME」 『NAME』 *NAME* **NAME** _NAME_ ~NAME~",
        "a-name-b first-name-last -5- - NAME - -----NAME----- --NAME-",
        "#sale #city @shop #1 #2 #NAME##",
        "$100 (NAME) [1] NT$500 US$NAME$ [50% off, 20%]",
        "[City] 台北 [Name] [A] [N",
        "[VIP] 限定 【VIP】會員專屬 親愛的【VIP】您好",
        "[Email] a@a.example [EMAIL] a@a.example",
        "【EMAIL】<b>a@a.example</b>",
        "[會員等級] 黃金會員 【會員等級】",
        "請提供【姓名】、【電話】；[姓名]、[電話]",
        "【CITY】${CITY} [會員等級]：${會員等級}，您的 [會員等級]",
        "[${NAME}] 【${CITY}】 -${NAME}- NT$${CITY} &lt;${NAME}&gt; %24{NAME}",
        "From: 王小明 &lt;ming@a.example&gt; shop@name@a.example",
        "{ 'a': { 'b': 1 }} [NAME@a.example]",
        "<a href='https://a.example/?filter[name]=x&amp;filter%5Bcity%5D=y'>x</a>",
        "<a href='https://a.example/?[name]=x'>x</a>",
        "<a href='https://a.example/a-name-b'>x</a>",
        "[會員 [NAME}",
    ],
)
def test_labels_and_dashes_are_left_alone(body: str) -> None:
    """Brackets alone do not make a placeholder, even around the name of a column."""
    found = rules_of(campaign(html=html(body)), columns=(*COLUMNS, "VIP", "A"))

    assert "foreign-placeholder" not in [rule for _, rule, _, _ in found]


@pytest.mark.parametrize(
    "query",
    [
        "{{name}}",
        "%7B%7Bname%7D%7D",
        "*%7CNAME%7C*",
        "[NAME]",
        "%5BNAME%5D",
        "%C2%ABNAME%C2%BB",
        "%E3%80%90NAME%E3%80%91",
        "%7B%E6%9C%83%E5%93%A1%E7%AD%89%E7%B4%9A%7D",
        "%25%25NAME%25%25",
        "{NAME}",
    ],
)
def test_placeholder_in_a_url_is_found_and_shown_as_it_stands(query: str) -> None:
    """An editor percent-encodes what it takes for a part of the address."""
    body = f"<a href='https://a.example/?q=%E4%BD%A0%20&amp;n={query}'>x</a>"

    finding = finding_of("foreign-placeholder", campaign(html=html(body)), columns=COLUMNS)

    assert finding.message.startswith(f"has {query}, ")
    assert finding.message.endswith("; write ${會員等級}" if "%AD" in query else "; write ${NAME}")


@pytest.mark.parametrize("text", ["{{company}}", "[NAME]", "%NAME%"])
@pytest.mark.parametrize("field", ["sender.name", "ga.campaign", "ga.content"])
def test_sender_and_tracking_are_looked_at(field: str, text: str) -> None:
    """Neither has placeholders, in any syntax."""
    mailing = with_text(field, text)

    finding = finding_of("foreign-placeholder", mailing, columns=COLUMNS)

    assert finding.field == field
    assert finding.message.startswith(f"has {text}, ")


@pytest.mark.parametrize("value", ["edm-name-01", "[VIP]", "2027_%E6%98%A5", "20%off%", "NAME"])
def test_value_of_tracking_is_left_alone(value: str) -> None:
    """A label or an escape in the value is not a placeholder."""
    assert rules_of(with_text("ga.campaign", value), columns=(*COLUMNS, "VIP")) == []


@pytest.mark.parametrize("unit", ["{", "[NAME", "-NAME", "#NAME#", "$ ", "*|", "%7B", "[a%%"])
def test_time_grows_with_the_length(unit: str) -> None:
    """No text makes the search slow."""
    mailing = campaign(
        html=html(f"<a href='https://a.example/{unit * 20_000}'>{unit * 20_000}</a>")
    )
    began_s = time.process_time()

    check_campaign(mailing)

    assert time.process_time() - began_s < 5


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
    """A percent sign or a bracket alone is not a placeholder."""
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
        ("[NAME] 您好", "write ${NAME}"),
        ("[subscriber:firstname | default:x]", "write ${NAME}"),
        ("[MERGE_CITY]", "write ${CITY}"),
        ("{!Contact.FirstName}", "write ${NAME}"),
        ("$ {name}", "has $ {name}, "),
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
    """Tags that an editor has put inside do not belong to the name."""
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
