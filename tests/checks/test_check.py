from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async.checks.check import check_campaign
from newsleopard_async.checks.rules import CAMPAIGN_RULES, RULES
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models import GoogleAnalytics, Mailing, SendAt, Sender
from newsleopard_async.models.findings import MOST_PLACES
from tests.checks.examples import COLUMNS, NOW, campaign, content_test, html, rules_of, subject_test

LEVELS = ("error", "warning", "note")
TABLE = {(info.name, info.level) for info in CAMPAIGN_RULES}

WORST_BODY = """
${CITTY} ${name} ${UNSUBSCRIBE} ${} ＄｛NAME｝ %24%7BNAME%7D {{name}} unsubscribe
<a href="https://a.example/?utm_source=${NAME}">x</a> <a href="#">x</a> <a href="#there">x</a>
<a href="x">x</a> <a href="file:///x">x</a> <a href="http://">x</a> <a href="javascript:x">x</a>
<img><img alt="" src="data:image/png;base64,AA"><p onclick="x">x</p><script></script><form>
<iframe></iframe><link rel=stylesheet><meta charset=big5><p title="x"">
"""


def worst() -> list[tuple[Mailing, dict[str, Any]]]:
    """Return mailings that break every rule between them, and what is known with them."""
    twice = datetime(2027, 11, 7, 1, 30, tzinfo=ZoneInfo("America/New_York"))
    broken = campaign(
        subject="x" * 151,
        sender=Sender("${NAME}" + "x" * 50, "a@example.com"),
        html=WORST_BODY + "<!--",
        ga=GoogleAnalytics("A ${B}", "c"),
        schedule=SendAt(NOW),
    )
    empty = campaign(
        html="<style>文</style>" + "<!--" + "x" * 110_000 + "-->",
        ga=GoogleAnalytics("a", "b"),
        schedule=SendAt(NOW + timedelta(minutes=1)),
    )
    return [
        (broken, {"columns": COLUMNS, "recipients": 0, "now": NOW}),
        (empty, {"now": NOW}),
        (
            campaign(
                subject="<b>Caf&eacute;</b> \ufffd Ã©", sender=Sender("\u3164", "a@a.example")
            ),
            {},
        ),
        (campaign(schedule=SendAt(twice)), {"now": datetime(2026, 1, 1, tzinfo=UTC)}),
        (subject_test("a", "A"), {"recipients": 1, "now": NOW}),
        (subject_test(preheader_a="${NAME}" + "x" * 60), {}),
        (content_test(html("<b>x</b>"), html("<i>x</i>")), {"recipients": 200}),
    ]


def test_every_rule_of_the_table_can_be_broken_and_no_other() -> None:
    """The documentation prints the table, so it holds what is found and nothing else."""
    found = {
        (finding.rule, finding.level)
        for mailing, known in worst()
        for finding in check_campaign(mailing, **known)
    }

    assert found == TABLE


def test_table_names_each_rule_once_and_the_errors_first() -> None:
    """Findings come in the order of the table, and a bare bar would end a cell of it."""
    levels = [LEVELS.index(rule.level) for rule in RULES]

    assert len({rule.name for rule in RULES}) == len(RULES)
    assert levels == sorted(levels)
    assert all(rule.says and not rule.says.endswith(".") for rule in RULES)
    assert not [rule.name for rule in RULES if re.search(r"(?<!\\)\||\n", rule.says)]


def test_messages_are_sentences_without_their_subject() -> None:
    """Each is shown after its field, in one line, and says the way out."""
    messages = [
        finding.message
        for mailing, known in worst()
        for finding in check_campaign(mailing, **known)
    ]

    assert all(message[0].islower() and "\n" not in message for message in messages)
    assert not [message for message in messages if message.endswith(".") or len(message) > 300]


def test_campaign_that_is_fine_gives_no_finding() -> None:
    """Silence is the answer to a campaign without fault."""
    report = check_campaign(campaign(), columns=COLUMNS, recipients=1, now=NOW)

    assert report.findings == ()
    assert report.ok


def test_report_is_plain_data() -> None:
    """A pipeline takes the findings as JSON."""
    data = check_campaign(campaign(subject="${X}"), columns=COLUMNS).to_dict()

    assert data["ok"] is False
    assert data["findings"][0]["rule"] == "unknown-placeholder"
    assert data["findings"][0]["line"] is None


def test_columns_may_come_from_anything_that_yields_names() -> None:
    """A generator is read once."""
    mailing = campaign(subject="${CITY} ${X}")

    found = rules_of(mailing, columns=(name for name in [" CITY ", "NAME"]))

    assert found == [("error", "unknown-placeholder", "subject", None)]


def test_text_of_many_lines_in_no_message() -> None:
    """Every message has one line, for any content of the campaign."""
    mailing = campaign(html=html("<a href='/x\ny'>x</a> {{a\nb}} ${c\nd}"))

    report = check_campaign(mailing, columns=COLUMNS)

    assert len(report.findings) == 3
    assert all("\n" not in each.message for each in report)


@pytest.mark.parametrize(
    ("argument", "field", "rule"),
    [
        ({"columns": "EMAIL"}, "columns", "type"),
        ({"columns": 3}, "columns", "type"),
        ({"columns": ["EMAIL", 3]}, "columns", "type"),
        ({"recipients": "3"}, "recipients", "type"),
        ({"recipients": True}, "recipients", "type"),
        ({"recipients": -1}, "recipients", "range"),
        ({"now": "today"}, "now", "type"),
        ({"now": datetime(2027, 1, 1)}, "now", "aware"),  # noqa: DTZ001 - naive on purpose
    ],
)
def test_bad_argument_is_refused(argument: dict[str, Any], field: str, rule: str) -> None:
    """A wrong argument raises an error; it is not a finding about the campaign."""
    with pytest.raises(InvalidRequest) as caught:
        check_campaign(campaign(), **argument)

    assert [(each.field, each.rule) for each in caught.value.problems] == [(field, rule)]


def test_everything_wrong_with_the_arguments_is_said_at_once() -> None:
    """A value that is not a campaign is refused like the other arguments."""
    body: Any = {"form": {}}

    with pytest.raises(InvalidRequest) as caught:
        check_campaign(body, columns="EMAIL", recipients=-1)

    assert [each.field for each in caught.value.problems] == ["campaign", "columns", "recipients"]


FRAGMENTS = (
    *(
        "<",
        ">",
        "</",
        "/>",
        "<!--",
        "-->",
        "<![",
        "]]>",
        "<!",
        "<?",
        "&",
        "&#",
        "&#x",
        ";",
        "'",
        '"',
    ),
    *(
        "<a href=",
        "<img src=",
        "<p style=",
        "<script>",
        "</script>",
        "<style>",
        "</style>",
        "<title>",
    ),
    *("${", "}", "{{", "}}", "%", "%%", "*|", "|*", "[[", "]]", "＄｛", "｝", "%24%7B", "%7D"),
    *(
        "NAME",
        "name",
        "http://",
        "https:",
        "//",
        "\\\\",
        "#",
        "[",
        "]",
        "::1",
        "javascript:",
        "data:",
    ),
    *(
        "url(",
        ")",
        "srcset=",
        "background=",
        "[if mso]",
        "\n",
        "\r",
        "\r\n",
        "\0",
        " ",
        "=",
        "9" * 30,
    ),
)
HOSTILE = st.lists(
    st.sampled_from(FRAGMENTS) | st.text(st.characters(exclude_categories=["Cs"])), max_size=40
).map("".join)
LINE = HOSTILE.map(
    lambda text: "x" + "".join(char for char in text if char.isprintable() or char == " ")
)


@pytest.mark.slow
@given(body=HOSTILE, line=LINE, columns=st.none() | st.lists(LINE, max_size=5))
def test_any_text_is_checked(body: str, line: str, columns: list[str] | None) -> None:
    """Nothing raises, and every finding stays within its bounds."""
    mailing = content_test("x" + body, body + "y", subject=line, preheader=line)
    most_lines = body.count("\n") + body.count("\r") + 1

    report = check_campaign(mailing, columns=columns, recipients=5, now=NOW)

    for finding in report:
        assert (finding.rule, finding.level) in TABLE
        assert "\n" not in finding.message
        assert all(1 <= line <= most_lines for line in finding.places)
        assert finding.line == (finding.places[0] if finding.places else None)
        assert len(finding.places) <= min(finding.count, MOST_PLACES)
