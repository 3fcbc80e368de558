from __future__ import annotations

import attrs
import pytest

from newsleopard_async.checks.check import check_campaign
from newsleopard_async.models import Sender
from tests.checks.examples import (
    COLUMNS,
    campaign,
    content_test,
    finding_of,
    html,
    rules_of,
    sender_test,
    subject_test,
    with_text,
)

UNKNOWN = ("error", "unknown-placeholder", "html", 2)
CASE = ("warning", "placeholder-case", "html", 2)
RESERVED = ("note", "reserved-placeholder", "html", 2)
MALFORMED = ("warning", "malformed-placeholder", "html", 2)
FULL_WIDTH = ("error", "full-width-placeholder", "html", 2)
ENCODED = ("warning", "encoded-placeholder", "html", 2)
IN_URL = ("note", "placeholder-in-url", "html", 2)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("${NAME} ${EMAIL} ${CITY} ${會員等級} ${Birth Day}", []),
        ("NT$${CITY} $5 {x} $ {x} ${CITY}}", []),
        ("${CITTY}", [UNKNOWN]),
        ("${CITTY} ${CITTY}", [UNKNOWN]),
        ("${A} ${B}", [UNKNOWN, UNKNOWN]),
        ("<p title='${A}'>", [UNKNOWN]),
        ("<!--[if mso]>${A}<![endif]-->", [UNKNOWN]),
        ("<style>p { color: ${A} }</style>", [UNKNOWN]),
        ("<!-- ${A} -->", []),
        ("<!--x--><!--${A}--><!y>${NAME}", []),
        ("<script type='application/ld+json'>${A}</script>${NAME}", []),
        ("${name}", [CASE]),
        ("${ NAME }", [CASE]),
        ("${birth day}", [CASE]),
        ("${UNSUBSCRIBE}", [RESERVED]),
        ("${unsubscribe_en}", [RESERVED]),
        ("${ UNSUBSCRIBE }", [RESERVED]),
        ("${S:WH}", [RESERVED]),
        ("${}", [MALFORMED]),
        ("${ }", [MALFORMED]),
        ("${NAME", [MALFORMED]),
        ("${" + "x" * 300 + "}", [MALFORMED]),
        ("${<b>NAME</b>}", [MALFORMED]),
        ("${NA\nME}", [MALFORMED]),
        ("${${NAME}", [MALFORMED]),
        ("＄｛NAME｝", [FULL_WIDTH]),
        ("$｛NAME｝", [FULL_WIDTH]),
        ("＄{NAME}", [FULL_WIDTH]),
        ("＄100｛含稅｝", []),
        ("$<b>{NAME", []),
        ("NT$</td><td>{x}", []),
        ("%24%7BNAME%7D", [ENCODED]),
        ("<a href='https://a.example/?n=$%7bNAME%7d'>x</a>", [ENCODED]),
        ("<a href='https://a.example/?n=${NAME}'>x</a>", [IN_URL]),
        ("<img alt='' src='HTTPS://a.example/${NAME}.png'>", [IN_URL]),
        ("<a href='${CITY}'>x</a> <a href='mailto:${EMAIL}'>y</a>", []),
        ("${S__ID} ${NAME}", [RESERVED]),
    ],
)
def test_placeholder_is_judged(body: str, expected: list[object]) -> None:
    """Each visible placeholder is compared with the columns by its exact name."""
    found = rules_of(campaign(html=html(body)), columns=COLUMNS)

    assert found == expected


@pytest.mark.parametrize(
    ("mailing", "fields"),
    [
        (campaign(subject="${X}", html=html("${X}")), ["subject", "html"]),
        (subject_test("${X}", "${X} b"), ["subject_a", "subject_b"]),
        (campaign(preheader="${X}"), ["preheader"]),
        (subject_test(preheader_a="${X}", preheader_b="${X}"), ["preheader_a", "preheader_b"]),
        (sender_test(Sender("a", "a@b.c"), Sender("b", "a@b.c"), subject="${X}"), ["subject"]),
        (content_test(html("${X}"), html("${X} b")), ["html_a", "html_b"]),
    ],
)
def test_every_text_is_looked_at(mailing: object, fields: list[str]) -> None:
    """An A/B test has its placeholders in either of the two."""
    report = check_campaign(mailing, columns=COLUMNS)  # type: ignore[arg-type]  # a union

    assert [each.field for each in report.errors] == fields


def test_unknown_columns_judge_no_name() -> None:
    """Without the columns a name cannot be wrong, while the syntax still can."""
    found = rules_of(campaign(html=html("${CITTY} ${name} ${UNSUBSCRIBE} ${}")))

    assert found == [MALFORMED]


def test_email_and_name_are_always_known() -> None:
    """Every contact has the two, whether or not the caller lists them."""
    assert rules_of(campaign(subject="${NAME} ${EMAIL}"), columns=()) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CITTY", "CITY"),
        ("c_i_t_y", "CITY"),
        ("ＣＩＴＹ", "CITY"),
        ("CI TY", "CITY"),
        ("BIRTHDAY_", "Birth Day"),
        ("會員 等級", "會員等級"),
        ("會員等", "會員等級"),
        ("CITY|您的城市", "CITY"),
        ("name:-friend", "NAME"),
        ("&nbsp;CITY", "CITY"),
        (" citty | default ", "CITY"),
        *((name, "NAME") for name in ("姓名", "名字", "名稱", "稱呼", "會員姓名", "First_Name")),
        *((name, "NAME") for name in ("FNAME", "USERNAME", "FullName", "LNAME", "last-name")),
        *((name, "NAME") for name in ("customer.name",)),
        *((name, "EMAIL") for name in ("信箱", "電子郵件", "電子信箱", "郵件", "Mail")),
        *((name, "EMAIL") for name in ("email address",)),
    ],
)
def test_near_miss_is_suggested(name: str, meant: str) -> None:
    """What was probably meant is named, so that it can be copied."""
    finding = finding_of("unknown-placeholder", campaign(subject=f"${{{name}}}"), columns=COLUMNS)

    assert finding.message.endswith(f"; did you mean ${{{meant}}}?")


def test_message_says_what_is_there_and_the_way_out() -> None:
    """Without a similar column, the way out is to add the column or remove the placeholder."""
    finding = finding_of("unknown-placeholder", campaign(subject="${XYZ}"), columns=COLUMNS)

    assert finding.message.startswith("has ${XYZ}, ")
    assert "; add it to the contacts" in finding.message


@pytest.mark.parametrize(
    "name",
    [
        *("NAME\u200b", "\u2060CITY", "NA\u00adME", "NAME\u3164", "NA\u034fME", "CITY\ufe0f"),
        *("NAME\u00a0", "\u3000NAME", "Birth\u00a0Day", "Birth\u2009Day", "ci\u200bty"),
    ],
)
def test_invisible_character_in_a_name_is_written_out(name: str) -> None:
    """A message shows the difference between two names that look the same."""
    [finding] = check_campaign(campaign(subject=f"${{{name}}}"), columns=COLUMNS)

    assert f"has ${{{name.encode('unicode_escape').decode()}}}, " in finding.message
    assert finding.message.isascii()


@pytest.mark.parametrize(
    ("body", "rule", "shown", "right"),
    [
        ("${ name }", "placeholder-case", "${ name }", "${NAME}"),
        ("${USER", "malformed-placeholder", "${USER </body></html>", "close it"),
        ("${ }", "malformed-placeholder", "${ }", "a column's name"),
        ("${<i>A}", "malformed-placeholder", "${<i>A}", "the column's name"),
        ("$%7BCITY%7D", "encoded-placeholder", "$%7BCITY%7D", "${CITY}"),
        ("＄｛ CITY ｝", "full-width-placeholder", "＄｛ CITY ｝", "${CITY}"),
        (
            "<a href='https://a.example/?x=${CITY}'>x</a>",
            "placeholder-in-url",
            "${CITY}",
            "percent-encode",
        ),
        ("${PHONE}", "reserved-placeholder", "${PHONE}", "check a test mail"),
    ],
)
def test_message_shows_what_to_write(body: str, rule: str, shown: str, right: str) -> None:
    """A message quotes the fault, and says how to correct it."""
    finding = finding_of(rule, campaign(html=html(body)), columns=COLUMNS)

    assert finding.message.startswith(f"has {shown}")
    assert right in finding.message.removeprefix(f"has {shown}")


def test_places_and_count_are_those_of_one_name() -> None:
    """One finding a name says how often, and the lines without repeats."""
    body = "${X} ${X}\n${Y}\n${X}"

    first, second = check_campaign(campaign(html=html(body)), columns=COLUMNS)

    assert (first.line, first.count, first.places) == (2, 3, (2, 4))
    assert (second.line, second.count, second.places) == (3, 1, (3,))


def test_lines_are_those_of_the_file() -> None:
    """Comments, scripts and any kind of line end count as an editor counts them."""
    before = "<!-- a\r\nb -->\r<script type='application/ld+json'>\n\r\n</script>\r\n"

    assert finding_of("unknown-placeholder", campaign(html=html(before + "${X}")), columns=()) == (
        finding_of("unknown-placeholder", campaign(html=html("\n" * 5 + "${X}")), columns=())
    )


def test_names_beyond_the_first_twenty_are_summed_up() -> None:
    """Thousands of names make no thousands of findings, and are not lost."""
    subject = " ".join(f"${{{number:03}}}" for number in range(25))

    report = check_campaign(campaign(subject=subject), columns=())

    of_names = [each for each in report if each.rule == "unknown-placeholder"]
    assert len(of_names) == 21
    assert of_names[-1].message.startswith("has 5 more placeholders")
    assert of_names[-1].count == 5


@pytest.mark.parametrize(("names", "findings"), [(20, 20), (21, 21), (22, 21)])
def test_one_name_is_never_summed_up(names: int, findings: int) -> None:
    """Its name says more than "1 more placeholders"."""
    subject = " ".join(f"${{{number}}}" for number in range(names))

    report = check_campaign(campaign(subject=subject), columns=())

    of_names = [each for each in report if each.rule == "unknown-placeholder"]
    assert len(of_names) == findings
    assert of_names[-1].message.startswith("has 2 more" if names == 22 else "has ${")


def test_many_lines_are_counted_and_the_first_named() -> None:
    """A finding names twenty lines at most."""
    finding = finding_of("unknown-placeholder", campaign(html=html("${X}\n" * 30)), columns=COLUMNS)

    assert finding.count == 30
    assert finding.places == tuple(range(2, 22))


def test_long_name_is_shortened() -> None:
    """A message stays readable with any content of the campaign."""
    finding = finding_of(
        "unknown-placeholder", campaign(subject="${" + "x" * 190 + "}"), columns=COLUMNS
    )

    assert len(finding.message) < 200
    assert "x…}" in finding.message


@pytest.mark.parametrize(
    "text",
    [
        *("${CITTY}", "${city}", "${UNSUBSCRIBE}", "${", "${}", "＄｛NAME｝", "%24%7BNAME%7D"),
        *("&#36;{NAME}", "$<b>{NAME}</b>", "{{name}}", "*|FNAME|*", "%NAME%", "[NAME]"),
        " ".join(f"${{{number}}}" for number in range(25)),
    ],
)
def test_preheader_is_judged_as_a_subject_is(text: str) -> None:
    """What is wrong in a subject is wrong in a preheader."""
    of_preheader = check_campaign(campaign(preheader=f"x{text}"), columns=COLUMNS)
    of_subject = check_campaign(campaign(subject=f"x{text}"), columns=COLUMNS)

    others = {"placeholder-in-preheader", "preheader-length"}
    found = [each for each in of_preheader if each.rule not in others]
    assert found == [attrs.evolve(each, field="preheader") for each in of_subject]
    assert found


def test_placeholder_in_a_preheader_is_noted() -> None:
    """A known placeholder gets only a note, because preheaders are not documented."""
    mailing = campaign(preheader="${NAME}，${CITY}")

    assert rules_of(mailing, columns=COLUMNS) == [
        ("note", "placeholder-in-preheader", "preheader", None)
    ]


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("sender.name", "placeholder-in-sender"),
        ("ga.campaign", "placeholder-in-ga"),
        ("ga.content", "placeholder-in-ga"),
    ],
)
@pytest.mark.parametrize("text", ["${NAME}", "${X", "＄｛NAME｝", "%24%7BNAME%7D", "&#36;{NAME}"])
def test_sender_and_tracking_take_no_placeholder(field: str, rule: str, text: str) -> None:
    """The platform does not describe placeholders in these fields."""
    mailing = with_text(field, text)

    others = {"ga-value", "markup"}
    assert [each for each in rules_of(mailing) if each[1] not in others] == [
        ("warning", rule, field, None)
    ]
    assert finding_of(rule, mailing).message.startswith(f"has {text}, ")
