"""A table decides whether a campaign can be sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from newsleopard_async import (
    Campaign,
    ContactsReport,
    ContentTest,
    Finding,
    ListSn,
    SendAt,
    SubjectTest,
)
from newsleopard_async.workflows.send_check import (
    SendCheckResult,
    Tolerance,
    are_few_enough,
    check_send,
)
from newsleopard_async.workflows.target import Target
from tests.constants import SENDER

NOW = datetime(2027, 1, 5, 2, tzinfo=UTC)
LIST = ListSn("l1")
NEW = Target(list_name="會員")
GOOD = Campaign(
    name="週年慶",
    subject="${NAME}，您的專屬優惠",
    sender=SENDER,
    html='<html><head><meta charset="utf-8"></head><body><p>${NAME} 您好</p></body></html>',
)
COLUMNS = ("EMAIL", "NAME")
CLEAN = ContactsReport(rows=10, unique=10, columns=COLUMNS, encoding="utf-8")
ROWS = Finding(level="error", rule="invalid-email", message="has 2 rows", count=2, scope="rows")
BAD_ROWS = attrs.evolve(CLEAN, findings=(ROWS,), bad_rows=2)
FAULT = Finding(level="error", rule="line-break", message="has a line break")
WARNING = Finding(level="warning", rule="empty-name", message="has 1 row without a name")
NOTE = Finding(level="note", rule="separator", message="separates columns by tabs")


def checked(
    campaign: Any = GOOD,
    report: ContactsReport | None = CLEAN,
    target: Target | None = NEW,
    **tolerance: Any,
) -> SendCheckResult:
    """Check a campaign."""
    return check_send(campaign, report, target=target, now=NOW, tolerance=Tolerance(**tolerance))


def refused(*given: Any, **tolerance: Any) -> list[tuple[str, str]]:
    """Return field and rule of the problems."""
    return [(each.field, each.rule) for each in checked(*given, **tolerance).problems]


def remarks(*given: Any, **tolerance: Any) -> list[str]:
    """Return the rules of the remarks."""
    return [each.rule for each in checked(*given, **tolerance).remarks]


def test_clean_contacts_have_no_findings() -> None:
    """A campaign gets its list later."""
    assert checked() == SendCheckResult(problems=(), remarks=())
    assert refused(GOOD, None, None) == [("lists", "required")]


@pytest.mark.parametrize(
    ("tolerance", "is_refused"),
    [
        ({}, True),
        ({"max_rejected": 1}, True),
        ({"max_rejected": 2}, False),
        ({"max_rejected": 0.1}, True),
        ({"max_rejected": 0.2}, False),
        ({"max_rejected": None}, False),
        ({"max_rejected": None, "strict": True}, False),
        ({"check": False}, False),
    ],
)
def test_bad_rows_refuse_unless_they_are_allowed(
    tolerance: dict[str, Any], is_refused: bool
) -> None:
    """Rows that the platform is allowed to reject are only a remark."""
    expected = [("contacts", "invalid-email")] if is_refused else []

    assert refused(GOOD, BAD_ROWS, **tolerance) == expected
    assert remarks(GOOD, BAD_ROWS, **tolerance) == ([] if is_refused else ["invalid-email"])


@pytest.mark.parametrize(
    ("html", "expected"),
    [("<p>${COMPANY}</p>", ["unescaped-value"]), ("<p>COMPANY ${NAME}</p>", [])],
)
def test_values_are_noted_that_the_html_takes_in_as_they_stand(
    html: str, expected: list[str]
) -> None:
    """R&D in a column that no mail uses is not reported (T84)."""
    note = Finding(level="note", rule="unescaped-value", message="has R&D", column="COMPANY")
    report = attrs.evolve(CLEAN, columns=(*COLUMNS, "COMPANY"), unescaped=(note,))
    campaign = attrs.evolve(GOOD, html=GOOD.html.replace("</body>", f"{html}</body>"))
    halves = ContentTest(
        name="週年慶",
        subject="${NAME}，您的專屬優惠",
        sender=SENDER,
        html_a=GOOD.html,
        html_b=campaign.html,
        proportion=20,
        wait=timedelta(hours=2),
    )

    assert remarks(campaign, report, strict=True) == expected
    assert [each for each in remarks(halves, report) if each == note.rule] == expected
    assert remarks(campaign, report, check=False) == []


def test_dropped_rows_do_not_count_in_a_share() -> None:
    """The share refers to the rows that are sent."""
    report = attrs.evolve(BAD_ROWS, dropped=5)

    assert refused(GOOD, report, max_rejected=0.4) == []
    assert refused(GOOD, report, max_rejected=0.3) == [("contacts", "invalid-email")]


@pytest.mark.parametrize("tolerance", [{}, {"max_rejected": None}, {"check": False}])
def test_fault_of_the_whole_always_refuses(tolerance: dict[str, Any]) -> None:
    """No number of rejected rows allows for it."""
    report = attrs.evolve(BAD_ROWS, findings=(FAULT, ROWS))

    assert ("contacts", "line-break") in refused(GOOD, report, **tolerance)


@pytest.mark.parametrize(("strict", "rules"), [(False, []), (True, [("contacts", "empty-name")])])
def test_warnings_refuse_if_the_caller_is_strict(
    strict: bool, rules: list[tuple[str, str]]
) -> None:
    """Notes never do."""
    report = attrs.evolve(CLEAN, findings=(WARNING, NOTE))

    assert refused(GOOD, report, strict=strict) == rules
    assert remarks(GOOD, report, strict=strict) == (
        ["separator"] if strict else ["empty-name", "separator"]
    )


def test_campaign_is_judged_by_the_columns() -> None:
    """A placeholder without a column, and everything else that its own check finds."""
    wrong = attrs.evolve(GOOD, subject="${會員等級}", html="<p>${NAME}</p><script></script>")

    assert refused(wrong) == [("subject", "unknown-placeholder")]
    assert {"html-fragment", "script"} <= set(remarks(wrong))
    assert ("html", "script") in refused(wrong, strict=True)
    assert refused(wrong, check=False) == []
    assert remarks(wrong, check=False) == []


@pytest.mark.parametrize("report", [None, ContactsReport(findings=(FAULT,))])
def test_placeholders_are_not_judged_without_columns(report: ContactsReport | None) -> None:
    """The columns of lists, and of an unreadable header, are unknown."""
    wrong = attrs.evolve(GOOD, subject="${會員等級}", lists=[LIST])

    assert ("subject", "unknown-placeholder") not in refused(wrong, report)


def test_contacts_and_campaign_come_at_once() -> None:
    """All problems are raised together."""
    wrong = attrs.evolve(GOOD, subject="${會員等級}", schedule=SendAt(NOW))
    report = attrs.evolve(BAD_ROWS, findings=(FAULT, ROWS))

    assert refused(wrong, report) == [
        ("contacts", "line-break"),
        ("contacts", "invalid-email"),
        ("subject", "unknown-placeholder"),
        ("schedule.when", "future"),
    ]


@pytest.mark.parametrize("check", [True, False])
def test_time_of_sending_is_reported_once(check: bool) -> None:
    """Both checks find it."""
    late = attrs.evolve(GOOD, schedule=SendAt(NOW - timedelta(hours=1)))

    assert refused(late, check=check) == [("schedule.when", "future")]


@pytest.mark.parametrize("check", [True, False])
def test_excluded_list_cannot_be_the_target(check: bool) -> None:
    """A list cannot be sent to and left out."""
    without = attrs.evolve(GOOD, exclude_lists=[LIST])

    assert refused(without, CLEAN, Target(list_sn=LIST), check=check) == [
        ("exclude_lists", "overlap")
    ]


TEST = SubjectTest(
    name="測試",
    subject_a="甲",
    subject_b="乙",
    sender=GOOD.sender,
    html=GOOD.html,
    proportion=10,
    wait=timedelta(hours=4),
)


@pytest.mark.parametrize(
    ("campaign", "report", "target", "is_known"),
    [
        (TEST, CLEAN, NEW, True),
        (TEST, CLEAN, Target(list_sn=LIST), False),
        (TEST, CLEAN, Target(list_name="會員", if_list_exists="reuse"), False),
        (attrs.evolve(TEST, lists=[LIST]), CLEAN, NEW, False),
        (attrs.evolve(TEST, lists=[LIST]), None, None, False),
        (TEST, attrs.evolve(CLEAN, findings=(FAULT,)), NEW, False),
    ],
)
def test_size_of_a_test_is_judged_where_it_is_known(
    campaign: Any, report: ContactsReport | None, target: Target | None, is_known: bool
) -> None:
    """An existing list can have other members, so the number of recipients is unknown."""
    assert (("proportion", "test-too-small") in refused(campaign, report, target)) is is_known


@pytest.mark.parametrize(
    ("rejected", "rows", "max_rejected", "enough"),
    [
        (0, 10, 0, True),
        (1, 10, 0, False),
        (1, 10, 1, True),
        (1, 10, 0.1, True),
        (2, 10, 0.1, False),
        (1, None, 0.5, False),
        (0, None, 0.5, True),
        (10, 10, None, True),
    ],
)
def test_rows_are_counted_or_shared(
    rejected: int, rows: int | None, max_rejected: float | None, enough: bool
) -> None:
    """A share of an unknown number of rows allows none."""
    assert are_few_enough(rejected, rows, max_rejected) is enough
