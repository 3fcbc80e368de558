"""The caller's names of columns replace the file's, or an error names the wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from newsleopard_async import InvalidRequest, check_contacts
from newsleopard_async.contacts.contacts_options import ContactsOptions
from tests.contacts.checking import check, csv_of, found

COLUMNS = {"電子郵件": "EMAIL", "姓名": "NAME"}


@pytest.mark.parametrize("header", ["電子郵件,姓名,店", "\ufeff 電子郵件 ,\u200b姓名,店"])
def test_columns_are_written_with_the_callers_names(header: str) -> None:
    """Names are compared without blanks and invisible characters; the rest stays."""
    checked = check(csv_of("a@example.com,甲,x", header=header), columns=COLUMNS)

    assert checked.clean == csv_of("a@example.com,甲,x", header="EMAIL,NAME,店")
    assert checked.report.columns == ("EMAIL", "NAME", "店")
    assert checked.report.ok


def test_case_makes_no_difference() -> None:
    """As for the names that the platform wants."""
    checked = check(
        csv_of("甲,a@example.com", header="Kunde,Mail"), columns={"MAIL": "email", "kunde": "Name "}
    )

    assert checked.clean == csv_of("a@example.com,甲")


def test_names_may_be_exchanged() -> None:
    """A column may get the name that another one gives up."""
    checked = check(
        csv_of("甲,a@example.com", header="EMAIL,NAME"), columns={"EMAIL": "NAME", "NAME": "EMAIL"}
    )

    assert checked.clean == csv_of("a@example.com,甲")


def test_left_out_rows_stay_under_the_names_of_the_file() -> None:
    """So that they can be checked again in the same way."""
    content = csv_of("a@example.com,甲", "none,乙", header="電子郵件,姓名")

    once = check(content, columns=COLUMNS, fix="leave-out-bad-rows")
    again = check(once.left_out, columns=COLUMNS)

    assert once.left_out.decode().startswith("電子郵件,姓名,LINE,REASON\n")
    assert found(again, "invalid-email").line == 2


def test_name_that_the_file_lacks_is_an_error() -> None:
    """It is named, with the names that there are."""
    checked = check(csv_of("a@example.com,甲", header="信箱,姓名"), columns={**COLUMNS, "x": "y"})

    finding = found(checked, "column-names")
    assert (finding.level, finding.scope, finding.line) == ("error", "whole", 1)
    assert "no column 電子郵件 and no column x, which columns= name" in finding.message
    assert finding.message.endswith("its columns are 信箱, 姓名")


@pytest.mark.parametrize("first", ["a@example.com,甲", "甲,0912345678"])
def test_first_line_that_may_be_a_contact_is_not_shown(first: str) -> None:
    """A file without a header begins with one."""
    checked = check(csv_of("b@example.com,乙", header=first), columns=COLUMNS)

    finding = found(checked, "column-names")
    assert "check whether its first line is a header" in finding.message
    assert "甲" not in finding.message


def test_many_names_are_not_all_listed() -> None:
    """A message stays readable."""
    header = ",".join(f"c{number}" for number in range(30))

    message = found(check(csv_of("x", header=header), columns=COLUMNS), "column-names").message

    assert message.endswith("c19, …")


def test_name_that_another_column_has_already_is_an_error() -> None:
    """It is unclear which of the two is intended."""
    checked = check(
        csv_of("a@example.com,甲,b@example.com", header="EMAIL,NAME,公司信箱"),
        columns={"公司信箱": "EMAIL"},
    )

    assert "gives to the column 公司信箱" in (found(checked, "column-names").message)


@pytest.mark.parametrize(
    ("columns", "rules"),
    [
        ("EMAIL", {"type"}),
        ([("a", "b")], {"type"}),
        ({"a": 5}, {"type"}),
        ({None: "EMAIL"}, {"type"}),
        ({"a": " "}, {"required"}),
        ({"": "EMAIL"}, {"required"}),
        ({"a": "E\nMAIL"}, {"one-line"}),
        ({"a": "EMAIL", "b": " email"}, {"unique"}),
        ({"a": "EMAIL", "A ": "NAME"}, {"unique"}),
    ],
)
def test_names_that_cannot_be_used_are_refused(columns: Any, rules: set[str]) -> None:
    """Before anything is read."""
    with pytest.raises(InvalidRequest) as caught:
        ContactsOptions(columns=columns)

    assert {each.rule for each in caught.value.problems} == rules
    assert {each.field for each in caught.value.problems} == {"columns"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "contacts", [[{"電子郵件": "a@example.com", "姓名": "甲"}], "電子郵件,姓名\na@example.com,甲\n"]
)
async def test_error_of_missing_columns_names_the_way_out(contacts: Any) -> None:
    """The suggested argument can be copied, for records and files."""
    report = await check_contacts(contacts)

    [error] = report.errors
    said = error.message.rpartition("columns=")[2]
    assert said == str(COLUMNS)
    assert (await check_contacts(contacts, columns=COLUMNS)).ok
