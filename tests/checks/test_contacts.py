from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsleopard_async.checks.contacts import (
    count_rows,
    problems_of_csv_text,
    problems_of_header,
)
from newsleopard_async.models.mailing import MAX_BODY_BYTES


@pytest.mark.parametrize(
    "line",
    [
        "EMAIL,NAME",
        "EMAIL,NAME\n",
        "EMAIL,NAME\r\n",
        "EMAIL,NAME,城市,生日",
        'EMAIL,NAME,"a, b",c',
        "EMAIL,NAME,a;b",
    ],
)
def test_documented_header_passes(line: str) -> None:
    """As text or as bytes, with or without its end."""
    assert problems_of_header(line) == ()
    assert problems_of_header(line.encode()) == ()


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("", "required"),
        ("\n", "required"),
        (b"  \r\n", "required"),
        ("\ufeffEMAIL,NAME", "byte_order_mark"),
        (b"\xef\xbb\xbfEMAIL,NAME", "byte_order_mark"),
        ("EMAIL,NAME".encode("utf-16"), "encoding"),
        ("EMAIL,NAME".encode("utf-16-be"), "encoding"),
        ("EMAIL,NAME,城市".encode("big5"), "encoding"),
        ("EMAIL;NAME", "separator"),
        ("email;name", "separator"),
        ("EMAIL\tNAME", "separator"),
        ("EMAIL|NAME", "separator"),
        ("EMAIL，NAME", "separator"),
        ("email,name", "upper_case"),
        ("Email,Name,City", "upper_case"),
        ('"EMAIL","NAME"', "bare"),
        ("EMAIL, NAME", "bare"),
        ("NAME,EMAIL", "order"),
        ("ID,EMAIL,NAME", "order"),
        ("EMAIL", "required"),
        ("EMAIL,CITY", "required"),
        ("user1@newsleopard.com,會員1", "required"),
        ("EMAIL,NAMES", "required"),
        ("EMAIL,NAME\\nuser1@newsleopard.com,x", "line_breaks"),
        ("EMAIL,NAME\ruser1@newsleopard.com,x", "line_breaks"),
        ("EMAIL,NAME,City, CITY ", "duplicate"),
        ("EMAIL,NAME,email", "duplicate"),
        ("EMAIL,NAME,", "column_name"),
        ('EMAIL,NAME,"a', "quotes"),
    ],
)
def test_other_header_is_refused_with_its_way_out(line: str | bytes, rule: str) -> None:
    """Each classic mistake has a rule of its own, and no message shows a contact."""
    (problem,) = problems_of_header(line)

    assert (problem.field, problem.rule) == ("contacts", rule)
    assert "@" not in problem.message


def test_missing_columns_are_named() -> None:
    """The message says what to add."""
    (problem,) = problems_of_header("PHONE,CITY")

    assert "EMAIL and NAME" in problem.message


def test_all_problems_of_the_columns_are_reported() -> None:
    """Nameless and repeated columns come at once, each name once."""
    found = problems_of_header("EMAIL,NAME,,a,A,b,B")

    assert [problem.rule for problem in found] == ["column_name", "duplicate"]
    assert ": a, b;" in found[1].message


def test_documented_csv_text_passes() -> None:
    """The sample of the documentation."""
    sample = "EMAIL,NAME\nuser1@newsleopard.com,會員1\nuser2@newsleopard.com,會員2"

    assert problems_of_csv_text(sample) == ()


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (b"EMAIL,NAME\na@b.c,x", ["type"]),
        ("EMAIL,NAME", ["required"]),
        ("EMAIL,NAME\n \n", ["required"]),
        ("", ["required", "required"]),
        ("EMAIL,NAME\r\na@b.c,x\r\n", ["line_breaks"]),
        ("EMAIL,NAME\na@b.c,\ud800", ["encoding"]),
        ("EMAIL,NAME\n" + "a@b.c,x\n" * (MAX_BODY_BYTES // 8), ["too_large"]),
    ],
)
def test_csv_text_that_would_fail_is_refused(text: object, rules: list[str]) -> None:
    """An import of text is held to its header, its line ends and its size."""
    found = problems_of_csv_text(text)

    assert [problem.rule for problem in found] == rules
    assert {problem.field for problem in found} == {"csv_text"}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", 0),
        ("EMAIL,NAME", 0),
        ("EMAIL,NAME\na,b", 1),
        ("EMAIL,NAME\na,b\n\n\nc,d\n", 2),
        ("EMAIL,NAME\r\na,b\r\nc,d\r\n", 2),
        ('EMAIL,NAME\na,"b\nc\nd"\ne,f', 2),
        ("EMAIL,NAME\n" + "a,b\n" * 100, 100),
        ("EMAIL,NAME\n" + "a,b\n" * 101, 101),
        ("EMAIL,NAME\n" + "a,b\n" * 5000, 101),
        ("EMAIL,NAME\na," + "b" * 200_000, 101),
    ],
)
def test_rows_are_counted_up_to_the_limit(text: str, rows: int) -> None:
    """Blank lines and line breaks in quotes are no rows; what is no CSV is too many."""
    assert count_rows(text, 100) == rows


@settings(max_examples=50)
@given(st.text(), st.integers(0, 5))
def test_counting_never_fails(text: str, limit: int) -> None:
    """Any text has a number of rows."""
    assert 0 <= count_rows(text, limit) <= limit + 1
