"""The text of a rehearsal is aligned, safe for a terminal, and honest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from newsleopard_async.models.findings import CheckReport, ContactsReport, Finding
from newsleopard_async.models.reports import RejectedRow
from newsleopard_async.rehearsal import Rehearsal, RehearsedMail, RehearsedTest
from newsleopard_async.rehearsal.model import LINE_COLUMNS, aligned, width_of

WHEN = datetime(2027, 1, 5, 2, tzinfo=UTC)
MAIL = RehearsedMail(
    to="a@example.com", name="王", sender="誰 <b@example.com>", subject="s", html="h", sent_at=WHEN
)
SHOWN = Rehearsal(
    ok=True,
    contacts=ContactsReport(rows=4_000, unique=3_990, encoding="utf-8"),
    campaign=CheckReport(),
    name="週年慶",
    began=WHEN - timedelta(hours=1),
    requests={"list_lists": 1, "get_import": 1_200},
    quota_used=1_150,
    quota_limit=10_000,
    recipients=3_980,
    goes_out_at=WHEN,
    is_scheduled=True,
    timezone="Asia/Taipei",
    sent_by=WHEN + timedelta(minutes=3),
    accepted_after=timedelta(seconds=13),
    duration=timedelta(hours=25, minutes=5),
    mails=(MAIL,) * 3,
    assumed=("A first sentence.", "A second one."),
)


def lines_of(**changes: Any) -> dict[str, str]:
    """Return the lines of a summary by their label."""
    text = str(attrs.evolve(SHOWN, **changes))
    parts = (line.split("  ", 1) for line in text.splitlines() if "  " in line.strip())
    return {label: rest.strip() for label, rest in parts if label}


def test_summary_is_a_page_of_aligned_lines() -> None:
    """The whole text, as a terminal shows it."""
    assert str(SHOWN) == (
        "Rehearsal of 週年慶: it would go out.\n"
        "\n"
        "Contacts    4,000 rows, 3,990 different addresses, utf-8\n"
        "Requests    1,201 (assumed): list_lists=1, get_import=1,200\n"
        "Quota       1,150 of 10,000 requests a day (assumed)\n"
        "Recipients  3,980 (assumed)\n"
        "Balance     3,980 mails are needed (assumed)\n"
        "Goes out    2027-01-05 10:00 Asia/Taipei (2027-01-05 02:00 UTC) (assumed)\n"
        "All out by  2027-01-05 10:03 Asia/Taipei (2027-01-05 02:03 UTC) (assumed)\n"
        "Accepted    after 13 s (assumed)\n"
        "Whole job   25 h 05 min, report included (assumed)\n"
        "Mails       3 rendered, in .mails\n"
        "\n"
        "Assumed, since it is not documented:\n"
        "-  A first sentence.\n"
        "-  A second one."
    )


CHANGES: list[tuple[dict[str, Any], str, str]] = [
    ({"recipients": 1}, "Balance", "1 mail is needed (assumed)"),
    ({"problem": "no recipient is left"}, "Problem", "no recipient is left"),
    (
        {"contacts": ContactsReport(rows=1, unique=1, skipped=5, dropped=2, left_out=3, trimmed=4)},
        "Contacts",
        "1 row, 1 different address, 5 skipped, 2 dropped, 3 left out, 4 cells trimmed",
    ),
    (
        {"contacts": ContactsReport(rows=2, unique=2, trimmed=1)},
        "Contacts",
        "2 rows, 2 different addresses, 1 cell trimmed",
    ),
    (
        {
            "rejected": 2,
            "rejected_for": {"X": 2},
            "rejected_rows": (RejectedRow(line=7), RejectedRow()),
        },
        "Rejected",
        "2 rows (assumed): X=2; in lines 7, …",
    ),
    (
        {"rejected": 1, "rejected_for": {"X": 1}, "rejected_rows": (RejectedRow(line=7),)},
        "Rejected",
        "1 row (assumed): X=1; in line 7",
    ),
    (
        {
            "rejected": 30,
            "rejected_for": {"X": 29, "Y": 1},
            "rejected_rows": tuple(RejectedRow(line=line) for line in range(2, 22)),
        },
        "Rejected",
        "30 rows (assumed): X=29, Y=1; in lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …",
    ),
    (
        {"rejected": 2, "rejected_for": {"X": 2}, "rejected_rows": (RejectedRow(), RejectedRow())},
        "Rejected",
        "2 rows (assumed): X=2",
    ),
    ({"duplicates": 2}, "Repeated", "2 rows, replaced by a later one (assumed)"),
    (
        {"is_scheduled": False},
        "Goes out",
        "2027-01-05 10:00 Asia/Taipei (2027-01-05 02:00 UTC) (assumed)",
    ),
    (
        {"test": RehearsedTest(a=5, b=5, rest=90, rest_goes_out_at=WHEN, winner="B")},
        "A/B test",
        "5 get A, 5 get B (assumed)",
    ),
    (
        {"test": RehearsedTest(a=1, b=1, rest=2, rest_goes_out_at=WHEN, winner="B")},
        "A/B test",
        "1 gets A, 1 gets B (assumed)",
    ),
    ({"duration": timedelta(minutes=5)}, "Whole job", "5 min, report included (assumed)"),
    ({"duration": timedelta(days=365)}, "Whole job", "365.0 days, report included (assumed)"),
    ({"unfilled": ("NMAE", "X")}, "Unfilled", "${NMAE}, ${X}"),
    (
        {
            "mails": (
                attrs.evolve(MAIL, path=Path("a.html")),
                attrs.evolve(MAIL, path=Path("b.html")),
            )
        },
        "Mails",
        "a.html, b.html",
    ),
]


@pytest.mark.parametrize(("changes", "label", "text"), CHANGES)
def test_line_shows_the_fact(changes: dict[str, Any], label: str, text: str) -> None:
    """Each fact has its line."""
    assert lines_of(**changes)[label] == text


def test_line_that_says_nothing_is_left_out() -> None:
    """A fact without a value has no line."""
    bare = lines_of(ok=False, requests={}, goes_out_at=None, sent_by=None, mails=(), assumed=())

    assert list(bare) == ["Contacts"]
    assert "it would NOT go out." in str(attrs.evolve(SHOWN, ok=False))


def test_rest_of_a_test_has_its_time_and_an_assumed_winner() -> None:
    """The winner is chosen by chance, and is shown as assumed."""
    test = RehearsedTest(a=5, b=5, rest=90, rest_goes_out_at=WHEN, winner="B")

    text = " ".join(str(attrs.evolve(SHOWN, test=test)).split())

    assert "The rest 90 at 2027-01-05 10:00 Asia/Taipei" in text
    assert "here they got B (assumed)" in text


def test_findings_come_by_level() -> None:
    """Errors come before warnings, warnings before notes, for contacts and campaign together."""
    findings = [
        Finding(level=level, rule=f"rule-{level}", message="says so", line=7, count=2)
        for level in ("note", "error", "warning")
    ]

    text = str(
        attrs.evolve(
            SHOWN,
            contacts=ContactsReport(findings=tuple(findings[:2])),
            campaign=CheckReport(findings=tuple(findings[2:])),
        )
    )

    places = [text.index(f"\n{level}") for level in ("error", "warning", "note")]
    assert places == sorted(places)
    assert "error    contacts: rule-error: says so (line 7)" in text


def test_columns_are_aligned_in_any_script() -> None:
    """Chinese takes two columns of a terminal, a combining mark takes no column."""
    lines = list(aligned([("欄位", "a"), ("e\u0301", "b"), ("name", "c")]))

    assert {width_of(line[:-1]) for line in lines} == {6}


@pytest.mark.parametrize(("text", "columns"), [("ab", 2), ("中文", 4), ("ＡＢ", 4), ("e\u0301", 1)])
def test_width_is_that_of_a_terminal(text: str, columns: int) -> None:
    """Chinese and full-width letters take two columns, a combining mark takes no column."""
    assert width_of(text) == columns


def test_long_text_continues_below_itself() -> None:
    """No line is wider than a terminal, unless a word is."""
    lines = list(aligned([("label", "word " * 60 + "中文" * 60)]))

    assert all(line.startswith("       ") for line in lines[1:])
    assert all(width_of(line) <= LINE_COLUMNS for line in lines[:-1])
    assert width_of(lines[-1]) == 7 + 240


def test_terminal_is_not_spoken_to() -> None:
    """Control characters in a column or a name are replaced."""
    text = str(attrs.evolve(SHOWN, name="a\x1b[2J\u202eb", unfilled=("x\x07",)))

    assert "a\ufffd[2J\ufffdb" in text
    assert "${x\ufffd}" in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
