from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsleopard_async.contacts.csv.batch import Column
from newsleopard_async.contacts.csv.detection import BLOCK_BYTES
from newsleopard_async.contacts.rules.cells import Cells
from newsleopard_async.contacts.rules.column_types import ColumnType
from tests.contacts.checking import Checked, check, csv_of, found


def check_column(*values: str, name: str = "X", block_bytes: int = BLOCK_BYTES) -> Checked:
    """Check contacts with a custom column of these values."""
    rows = [f'user{index}@example.com,甲,"{value}"' for index, value in enumerate(values)]
    return check(csv_of(*rows, header=f"EMAIL,NAME,{name}"), block_bytes=block_bytes)


@pytest.mark.parametrize(
    "values",
    [
        ["甲", "乙1", "1丙"],
        ["1", "-2", "+3.5", "", " 4 "],
        ["980", "1,280", "3,450", "-1,234,567.5"],
        ["2026-01-05", "2026/1/5", "", "2026-01-05 10:00", "2026-01-05T10:00:00.5Z"],
        ["2026-01-05 10:00:00+08:00", "2026-01-05 10:00+0800", "2026-01-05 10:00:01 +0800"],
        ["", " ", ""],
        ["甲", "1", "2026-01-05", "乙", "丙"],
        ["2026-13-01", "20260105甲", "2026-01/05"],
        ["0", "0.5", "10"],
        ["2024-02-29", "2000/2/29", "2024-12-31", "2024-4-30 23:59", "2023-02-28T00:00:00Z"],
        ["2024.1.5", "2024年1月5日", "113/02/30", "30/02/2024"],
    ],
)
def test_column_of_one_type_has_no_finding(values: list[str]) -> None:
    """Blank cells have no type; a column of text can contain anything."""
    assert check_column(*values).triples == []


@pytest.mark.parametrize(
    ("values", "kind", "places"),
    [
        (["1", "甲", "2", "2026-01-05"], "numbers", (3, 5)),
        (["1", "甲", "乙", "丙"], "numbers", (3, 4, 5)),
        (["甲", "1", "2", "3"], "numbers", (2,)),
        (["", "1", "甲", "乙"], "numbers", (4, 5)),
        (["2026-01-05", "2026-01-06", "soon", "5"], "dates", (4, 5)),
        (["1", "2026-01-05", "2026-01-06"], "dates", (2,)),
        (["1", "1,28", "1,2345", "2,345"], "numbers", (3, 4)),
        (["甲", "2026-01-05", " 2026-01-06 "], "dates", (2,)),
        (["2024-01-01", "2024-02-30", "2023-02-29", "2024/06/31", "2024-1-31"], "dates", (3, 4, 5)),
        (["2024-01-01", "1900-02-29 10:00", "2024/2/30T10:00", "2024-13-01"], "dates", (3, 4, 5)),
    ],
)
def test_other_values_in_a_column_of_numbers_or_dates_are_a_warning(
    values: list[str], kind: str, places: tuple[int, ...]
) -> None:
    """The platform is assumed to infer the type from the first or from most values (T39)."""
    checked = check_column(*values)

    warning = found(checked, "mixed-type")
    assert checked.triples == [("warning", "mixed-type", len(places))]
    assert (warning.column, warning.places) == ("X", places)
    assert f"a column of {kind}" in warning.message
    assert "probably" in warning.message


@pytest.mark.parametrize("block_bytes", [1, 30, 64])
def test_kind_is_inferred_from_the_whole_column(block_bytes: int) -> None:
    """Blocks of only numbers, only text and of both have the same result."""
    values = ["1", "2", "甲", "乙", "", "3", "x1", "4", "5", "2026-01-05", "6"]

    report = check_column(*values, block_bytes=block_bytes).report

    assert report == check_column(*values).report
    assert found(Checked(report, b"", b""), "mixed-type").places == (4, 5, 8, 11)


def test_first_lines_of_other_values_are_stored() -> None:
    """The first twenty lines, from any blocks."""
    values = ["1", *["甲"] * 30, *["2"] * 40]

    warning = found(check_column(*values, block_bytes=50), "mixed-type")

    assert warning.count == 30
    assert warning.places == tuple(range(3, 23))


def test_name_and_email_have_no_kind() -> None:
    """They are the platform's own."""
    assert check(csv_of("a@example.com,1", "b@example.com,甲", "c@example.com,007")).triples == []


@pytest.mark.parametrize(
    ("values", "places"),
    [
        (["0912345678", "0223456789"], (2, 3)),
        (["1", " 007 ", "00", "0"], (3, 4)),
        (["01", "甲", "02"], (2, 4)),
        (["1", "-05", "00.5"], (3, 4)),
    ],
)
def test_leading_zero_in_a_column_of_numbers_is_a_warning(
    values: list[str], places: tuple[int, ...]
) -> None:
    """A number does not keep it."""
    warning = found(check_column(*values), "leading-zero")

    assert (warning.level, warning.column, warning.places) == ("warning", "X", places)


def test_leading_zero_in_a_column_of_text_has_no_finding() -> None:
    """Text keeps it."""
    assert check_column("0912-345-678", "007", "甲").triples == []


@pytest.mark.parametrize(
    "name",
    [
        *(
            "手機",
            "手機號碼",
            "聯絡電話",
            "電話",
            "市話",
            "家用電話",
            "公司電話(O)",
            "門號",
            "傳真",
        ),
        *(
            "行動電話",
            "行動",
            "聯絡方式",
            "連絡方式",
            "聯繫方式",
            "电话",
            "手机",
            "宅電",
            "手機(LINE ID)",
        ),
        *("Mobile", "cell_phone", "cellphone", "Cell", "cell no.", "Tel", "TEL", "my phone"),
        *("userPhone", "billing_phone", "homeTel", "telNo", "Fax", "WhatsApp", "contactNumber"),
    ],
)
def test_zero_that_is_lost_already_is_a_warning(name: str) -> None:
    """In a column of phone numbers, by any usual name."""
    checked = check_column("912345678", "987654321", "12345", name=name)

    warning = found(checked, "leading-zero")
    assert (warning.level, warning.column, warning.places) == ("warning", name, (2, 3))
    assert "spreadsheet" in warning.message


@pytest.mark.parametrize(
    "number",
    [
        *("223456789", "277778888", "35712345", "37123456", "423456789", "47123456", "492345678"),
        *("52345678", "62345678", "72345678", "87345678", "82345678", "82661234", "83623456"),
        *("89345678", "912345678", "912345678.0", "72345678.0"),
    ],
)
def test_number_of_the_plan_without_its_zero_is_a_warning(number: str) -> None:
    """Each area code has subscribers of its own length."""
    assert found(check_column(number, name="電話"), "leading-zero").places == (2,)


@pytest.mark.parametrize(
    "number",
    [
        *("23456789", "12345678", "212345678", "512345678", "423", "100", "2345678", "81234567"),
        *("91234567", "886912345678", "9123456789", "912345678.5", "0912-345-678", "4123456789"),
    ],
)
def test_other_number_in_a_column_of_phones_has_lost_nothing(number: str) -> None:
    """A number without area code, of another country or of another length is unclear."""
    assert check_column(number, name="電話").triples == []


def test_numbers_without_area_codes_beside_them_keep_eight_digits_silent() -> None:
    """If some are of Taipei without 02 or of Hong Kong, the others are treated the same."""
    local = check_column("87716688", "23456789", "72345678", name="電話")
    both = check_column("61234567", "91234567", "912345678", name="電話")

    assert local.triples == []
    assert found(both, "leading-zero").places == (4,)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "points",
            "hotel",
            "身高",
            "點數",
            "統編",
            "統一編號",
            "會員編號",
            "郵遞區號",
            "telegram",
        ),
        *(
            "電話費",
            "電話時數",
            "mobile_os_version",
            "手機序號",
            "phone_id",
            "phoneId",
            "Mobile points",
            "cells",
            "金額",
            "訂單編號",
        ),
    ],
)
def test_digits_elsewhere_are_a_number(name: str) -> None:
    """Only a phone number has lost a zero."""
    assert check_column("912345678", "72345678", "223456789", "423", name=name).triples == []


def test_zeros_kept_and_lost_are_one_finding() -> None:
    """One message has both."""
    checked = check_column("0912345678", "987654321", name="手機")

    warning = found(checked, "leading-zero")
    assert (warning.count, warning.places) == (1, (2,))
    assert "lost it already" in warning.message


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+cmd|x",
        "+886-912-345-678-SUM(1)",
        "+886-912-345-678轉1|x!A0",
        "-2+3",
        "@SUM(1)",
        "\tx",
        "=x",
        "-a(1)",
        "+A1*2",
        "@x!A1",
        "+1-2",
        "+886-912-345-678-x",
    ],
)
def test_cell_that_a_spreadsheet_would_execute_is_a_warning(cell: str) -> None:
    """In any column."""
    checked = check(csv_of("a@example.com,甲,x", f"b@example.com,乙,{cell}", header="EMAIL,NAME,X"))

    warning = found(checked, "formula")
    assert checked.triples == [("warning", "formula", 1)]
    assert (warning.level, warning.column, warning.places) == ("warning", "X", (3,))


@pytest.mark.parametrize(
    "cell",
    [
        "-5",
        "-1.5",
        "-1,000",
        "-5%",
        "-",
        "--",
        "a=b",
        "x@y",
        " =1",
        "- 無",
        "-無",
        "-NT$100",
        "-1,200元",
        "@shop123",
        "@amy.lin_1",
        "@電子豹",
        "@my-shop",
        "+886912345678",
        "+886 912 345 678",
        "+886-912-345-678",
        "+886 (0)2 2345-6789 #12",
        "+886-2-2345-6789分機12",
        "+886-2-2345-6789轉123",
        "+886-2-2345-6789 轉 123",
        "+886-2-2345-6789 ext. 123",
        "+886 2 2345 6789#123(業務部)",
        "+886-912-345-678(王先生)",
        "+886-912-345-678 (Amy)",
        "+886-912-345-678（公司）",
        "+886-912-345-678/+886-2-2345-6789",
        "+886-912-345-678/(02)2345-6789轉5",
        "+886-912-345-678、0922-345-678",
        "+886-2-2345-6789~90",
        "(02) 2345-6789",
    ],
)
def test_numbers_phones_names_and_dashes_are_not_formulas(cell: str) -> None:
    """A sign before what nothing executes is a sign."""
    assert check(csv_of(f'a@example.com,甲,"{cell}"', header="EMAIL,NAME,X")).triples == []


def test_formula_in_name_and_address_is_a_warning_of_its_column() -> None:
    """An address may begin with anything, and is harmless with a plus."""
    checked = check(csv_of("=a@example.com,=x", "+b@example.com,x"))

    assert found(checked, "formula", column="EMAIL").places == (2,)
    assert found(checked, "formula", column="NAME").places == (2,)


def test_each_column_has_its_own_findings() -> None:
    """One for each rule and column."""
    content = csv_of(
        "a@example.com,甲,1,x,=1",
        "b@example.com,乙,x,2026-01-05,01",
        "c@example.com,丙,2,2026-01-06,02",
        header="EMAIL,NAME,a,b,c",
    )

    checked = check(content)

    assert [(each.rule, each.column, each.places) for each in checked.report] == [
        ("mixed-type", "a", (3,)),
        ("mixed-type", "b", (2,)),
        ("mixed-type", "c", (2,)),
        ("leading-zero", "c", (3, 4)),
        ("formula", "c", (2,)),
    ]


@pytest.mark.parametrize(
    ("rule", "values", "words"),
    [
        ("mixed-type", ["1", "x", "2"], ("(line 3) that is not a number,", "this row")),
        ("mixed-type", ["1", "x", "y"], ("(lines 3, 4) that are not numbers,", "these rows")),
        ("leading-zero", ["01", "1"], ("that begins with a zero", "write it as text")),
        ("leading-zero", ["01", "02"], ("that begin with a zero", "write them as text")),
        ("leading-zero", ["912345678"], ("that looks like a phone number",)),
        ("leading-zero", ["912345678"] * 2, ("that look like phone numbers",)),
    ],
)
def test_message_agrees_with_its_number(
    rule: str, values: list[str], words: tuple[str, ...]
) -> None:
    """One value begins, two begin."""
    message = found(check_column(*values, name="手機"), rule).message

    assert [each for each in words if each not in message] == []


def types_of(batches: list[list[str]]) -> list[str]:
    """Return the findings about a column whose cells arrive in several batches."""
    column = ColumnType("電話")
    for cells in batches:
        column.check(Cells(Column.of(cells), range(2, 2 + len(cells))))
    return [finding.message for finding in column.findings()]


ALIKE = st.sampled_from(["0-/-", "2024-02-29", "2024/1/3", "0912-345-678", "1,234.5", "1 \u30002"])


@given(
    st.lists(
        st.text(alphabet="01239-/:,. T+\u3000\n甲", max_size=11) | ALIKE, min_size=1, max_size=3
    )
)
@example(["2024-02-29", "2023-02-29"])
@example(["2024-02-30"])
@example(["2024-02/28"])
@example(["1", "\n"])
@example(["\u2003"])
@example(["\u2003", "甲"])
@example(["1.5", "2.5"])
def test_kind_of_cells_together_is_that_of_each(cells: list[str]) -> None:
    """A column that is checked as a whole has the findings of its cells."""
    text = "乙1 "

    together = types_of([[cell] * 2 for cell in cells] + [[text]])

    # A blank and a text among them prevent a check as a whole.
    assert together == types_of([[cell, cell, " \u3000"] for cell in cells] + [[text]])


def test_each_day_of_a_leap_year_and_no_other_is_a_date() -> None:
    """This includes a column of all days of a year in one form."""
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(366)]

    assert types_of([[day.isoformat() for day in days]]) == []
    assert types_of([[f"{day:%Y/%m/%d}" for day in days if (day.month, day.day) != (2, 29)]]) == []
    for no_day in ("2024-00-10", "2024-13-10", "2024-01-00", "2024-04-31", "2023-02-29"):
        assert len(types_of([["2024-01-01", "2024-01-02", no_day]])) == 1
