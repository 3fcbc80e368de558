from __future__ import annotations

import pytest

from newsleopard_async.contacts.rules import CONTACT_RULES
from newsleopard_async.contacts.rules.import_text import problems_of_csv_text
from newsleopard_async.models.campaign import MAX_BODY_BYTES

ROW = "a@example.com,甲\n"


@pytest.mark.parametrize(
    "text",
    [
        "EMAIL,NAME\nuser1@newsleopard.com,會員1\nuser2@newsleopard.com,會員2",
        f"EMAIL,NAME,城市,生日\n{ROW}",
        f'EMAIL,NAME,"a, b",c\n{ROW}',
        f"EMAIL,NAME,a;b;c;d\n{ROW}",
    ],
)
def test_documented_text_passes(text: str) -> None:
    """The sample of the documentation, and columns beside."""
    assert problems_of_csv_text(text) == ()


@pytest.mark.parametrize(
    ("header", "rule", "message"),
    [
        ("", "header-order", "empty line"),
        ("\ufeffEMAIL,NAME", "byte-order-mark", "utf-8-sig"),
        ("EMAIL;NAME", "separator", "semicolons"),
        ("EMAIL\tNAME", "separator", "tabs"),
        ("EMAIL，NAME", "separator", "full-width commas"),
        ("email,name", "header-order", "upper case"),
        ('"EMAIL","NAME"', "header-order", "without quotes"),
        ("EMAIL, NAME", "header-order", "without quotes"),
        ("NAME,EMAIL", "header-order", "first"),
        ("PHONE,CITY", "header-order", "no column EMAIL and no column NAME"),
        ("user1@newsleopard.com,會員1", "header-order", "no header"),
        ("EMAIL,NAMES", "header-order", "rename the column NAMES to NAME"),
        ("EMAIL,NAME\\nuser1@newsleopard.com,x", "line-break", "line feed"),
        ("EMAIL,NAME,City, CITY ", "duplicate-header", "City or CITY"),
        ("EMAIL,NAME,", "empty-header", "without a name"),
        ('EMAIL,NAME,"a', "line-break", "not closed"),
        ('EMAIL,NAME,"a"b"', "line-break", "not closed"),
    ],
)
def test_other_header_is_refused_with_its_way_out(header: str, rule: str, message: str) -> None:
    """Each classic mistake is named by the rule of the contact check, and no contact is shown."""
    (problem,) = problems_of_csv_text(f"{header}\n{ROW}")

    assert (problem.field, problem.rule) == ("csv_text", rule)
    assert message in problem.message
    assert "@" not in problem.message


def test_all_problems_of_the_columns_are_reported() -> None:
    """Nameless and repeated columns come at once, each name once, and separator and form too."""
    found = problems_of_csv_text(f"EMAIL,NAME,,a,A,b,B\n{ROW}")
    formed = problems_of_csv_text(f"email\tname\n{ROW}")

    assert [problem.rule for problem in found] == ["empty-header", *["duplicate-header"] * 2]
    assert [problem.rule for problem in formed] == ["separator", "header-order"]


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (b"EMAIL,NAME\na@b.c,x", ["type"]),
        ("", ["empty-file"]),
        (" \n\t\n", ["empty-file"]),
        ("EMAIL,NAME", ["no-rows"]),
        ("EMAIL,NAME\n \n", ["no-rows"]),
        ("X", ["header-order", "no-rows"]),
        ("EMAIL,NAME\r\na@b.c,x\r\n", ["line-break"]),
        ("EMAIL,NAME\ra@b.c,x", ["line-break", "no-rows", "line-break"]),
        ("EMAIL,NAME\na@b.c,\ud800", ["encoding"]),
        ("EMAIL,NAME\n" + "a@b.c,x\n" * (MAX_BODY_BYTES // 8), ["too-large-for-text"]),
    ],
)
def test_text_that_would_fail_is_refused(text: object, rules: list[str]) -> None:
    """An import of text is checked for its header, its line ends and its size."""
    found = problems_of_csv_text(text)

    assert [problem.rule for problem in found] == rules
    assert {problem.field for problem in found} == {"csv_text"}


def test_rules_are_those_of_the_contact_check() -> None:
    """A program knows them by one name."""
    known = {rule.name for rule in CONTACT_RULES}
    texts = ["", "X", "EMAIL;NAME", "EMAIL,NAME\r\n", "EMAIL,NAME,,a,a\n", "\ufeffEMAIL,NAME"]

    assert {problem.rule for text in texts for problem in problems_of_csv_text(text)} <= known


def test_column_name_is_shown_without_control_characters() -> None:
    """A terminal does not obey it."""
    [problem] = problems_of_csv_text(f"EMAIL,NAME,a\x1b,A\x1b\n{ROW}")

    assert r"a\x1b or A\x1b" in problem.message
