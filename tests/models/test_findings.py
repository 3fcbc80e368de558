"""What a check finds, as text, as data and as a problem."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from newsleopard_async.models.findings import CheckReport, ContactsReport, Finding

ERROR = Finding(level="error", rule="script", message="has one; take it out", field="html")
WARNING = Finding(level="warning", rule="formula", message="has one (line 3)", line=3, places=(3,))
NOTE = Finding(level="note", rule="encoding", message="is Big5")


@pytest.mark.parametrize(
    ("line", "column", "places", "where"),
    [
        (None, None, (), ""),
        (None, "STORE", (), "STORE"),
        (7, None, (), "line 7"),
        (7, "STORE", (7,), "line 7 of STORE"),
        (7, None, (7, 9), "lines 7, 9"),
        (1_007, None, (1_007, 2_000, 3_000), "lines 1,007, 2,000, 3,000"),
        (1, None, (1, 2, 3, 4), "lines 1, 2, 3, …"),
    ],
)
def test_place_is_told_in_words(
    line: int | None, column: str | None, places: tuple[int, ...], where: str
) -> None:
    """A few lines are named, and it is said that there are more."""
    finding = Finding(
        level="error", rule="x", message="y", line=line, column=column, places=places, count=9
    )

    assert finding.where == where


def test_message_gets_its_lines_once() -> None:
    """The problem of an error contains the lines once."""
    placed = Finding(level="error", rule="x", message="is bad", field="html", line=2, places=(2,))

    assert str(placed.as_problem()) == "html: is bad (line 2)"
    assert str(placed) == "error: html: x: is bad (line 2)"
    assert str(WARNING) == "warning: contacts: formula: has one (line 3)"
    assert str(NOTE.as_problem()) == "contacts: is Big5"


def test_report_sorts_findings_by_what_to_do() -> None:
    """Only an error makes it not ok; the report goes through all findings."""
    report = CheckReport(findings=(ERROR, WARNING, NOTE))

    assert not report.ok
    assert report.errors == (ERROR,)
    assert report.warnings == (WARNING,)
    assert list(report) == [ERROR, WARNING, NOTE]
    assert CheckReport(findings=(WARNING, NOTE)).ok


def test_report_reads_as_lines() -> None:
    """One line per finding, or a short text without findings."""
    assert str(CheckReport(findings=(ERROR, NOTE))).splitlines() == [str(ERROR), str(NOTE)]
    assert str(CheckReport()) == "nothing was found"


def test_report_of_contacts_says_what_they_are_first() -> None:
    """Who prints it learns how many there are, found or not found."""
    empty = ContactsReport()
    report = ContactsReport(findings=(NOTE,), rows=1_000, unique=999, columns=("EMAIL", "NAME"))

    assert str(empty).splitlines() == [
        "rows: 0; different addresses: 0; columns: unknown",
        "nothing was found",
    ]
    assert str(report).splitlines() == [
        "rows: 1,000; different addresses: 999; columns: EMAIL, NAME",
        str(NOTE),
    ]


def test_report_is_json_with_its_verdict() -> None:
    """A pipeline reads ``ok`` without knowing the levels."""
    report = ContactsReport(
        findings=(WARNING,), rows=2, unique=1, columns=("EMAIL", "NAME"), left_out_to=Path("x.csv")
    )

    data = json.loads(json.dumps(report.to_dict()))

    assert (data["ok"], data["rows"], data["columns"]) == (True, 2, ["EMAIL", "NAME"])
    assert data["left_out_to"] == "x.csv"
    assert data["findings"][0]["places"] == [3]
