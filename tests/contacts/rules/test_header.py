from __future__ import annotations

import csv

import pytest

from newsleopard_async.emulator.platform import csvimport
from newsleopard_async.models.contacts import RESERVED_COLUMNS
from tests.contacts.checking import Triple, check, csv_of, found

ROW = "a@example.com,王小明"


@pytest.mark.parametrize(
    "header", ["EMAIL,NAME", "EMAIL,NAME,城市", "EMAIL,NAME,VIP,a b", 'EMAIL,NAME,"a, b"']
)
def test_documented_header_has_no_finding(header: str) -> None:
    """EMAIL and NAME first, without quotes, and any others after them."""
    others = len(next(csv.reader([header]))) - 2

    assert check(csv_of(ROW + ",x" * others, header=header)).triples == []


@pytest.mark.parametrize(
    ("header", "row", "clean"),
    [
        ("email,name", "a@example.com,甲", "a@example.com,甲"),
        ('"EMAIL","NAME"', '"a@example.com","甲"', "a@example.com,甲"),
        (" Email , Name ", "a@example.com,甲", "a@example.com,甲"),
        ("NAME,EMAIL", "甲,a@example.com", "a@example.com,甲"),
        ("City,name,X,eMail", "台北,甲,y,a@example.com", "a@example.com,甲,台北,y"),
    ],
)
def test_order_and_form_of_the_header_are_put_right(header: str, row: str, clean: str) -> None:
    """A note reports it; the clean CSV begins with EMAIL,NAME, the rest in its order."""
    checked = check(csv_of(row, header=header))

    note = found(checked, "header-order")
    assert (note.level, note.line) == ("note", 1)
    assert checked.report.columns[:2] == ("EMAIL", "NAME")
    first, second = checked.clean.decode().splitlines()
    assert first == ",".join(checked.report.columns)
    assert second == clean


@pytest.mark.parametrize(
    ("header", "row"), [("EMAIL;NAME;X", "a@example.com;甲;1,5"), ("EMAIL\tNAME\tX", f"{ROW}\ty")]
)
def test_separator_of_spreadsheets_is_noted(header: str, row: str) -> None:
    """Commas go out, with quotes around the cells that hold one."""
    row = row.replace(",", "\t", 1) if "\t" in header else row

    checked = check(csv_of(row, header=header))

    assert checked.triples == [("note", "separator", 1)]
    lines = checked.clean.decode().splitlines()
    assert lines[0] == "EMAIL,NAME,X"
    assert lines[1] in {'a@example.com,甲,"1,5"', "a@example.com,王小明,y"}


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("EMAIL|NAME", "bars"),
        ("email，name", "full-width commas"),
        ("EMAIL；NAME", "semicolons"),
        ("EMAIL、NAME", "ideographic commas"),
        ("EMAIL:NAME", "colons"),
        ("sep=|\nEMAIL|NAME", "|"),
    ],
)
def test_other_separator_is_an_error(header: str, name: str) -> None:
    """It is named, and nothing else is checked."""
    checked = check(csv_of("a@example.com|x", header=header))

    [finding] = checked.report
    assert (finding.level, finding.rule) == ("error", "separator")
    assert name in finding.message
    assert checked.clean == b""


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        ("E-mail,NAME", "rename the column E-mail to EMAIL"),
        ("信箱,NAME", "rename the column 信箱 to EMAIL"),
        ("電子郵件,姓名", "rename the column 電子郵件 to EMAIL; rename the column 姓名 to NAME"),
        ("EMAIL,姓名", "rename the column 姓名 to NAME"),
        ("EMAIL,Nmae", "rename the column Nmae to NAME"),
        ("EMIAL,NAME", "rename the column EMIAL to EMAIL"),
        ("PHONE,CITY", "no column EMAIL and no column NAME in its first line; begin with"),
        (
            "電子郵件,姓名,LINE@",
            "rename the column 電子郵件 to EMAIL; rename the column 姓名 to NAME",
        ),
        ("E-mail,NAME,LINE@ID", "rename the column E-mail to EMAIL"),
        ("@timestamp,EMAIL,姓名", "rename the column 姓名 to NAME"),
        ("信箱 (如 a@example.com),NAME", "has no column EMAIL in its first line"),
        ("EMAIL", "no column NAME in its first line; begin with"),
        (
            "會員信箱,大名",
            "to EMAIL; give another column the name NAME, or add one; or leave the file as it",
        ),
        ("PHONE,CITY", "begin with EMAIL,NAME, or name them by columns="),
        ("信箱,NAME", "or leave the file as it is, and use columns={'信箱': 'EMAIL'}"),
    ],
)
def test_missing_column_is_an_error_with_its_way_out(header: str, hint: str) -> None:
    """A near miss is suggested; nothing goes out."""
    checked = check(csv_of(ROW, ROW, header=header))

    finding = found(checked, "header-order")
    assert (finding.level, finding.line) == ("error", 1)
    assert hint in finding.message
    assert (checked.clean, checked.report.rows, checked.report.columns) == (b"", 2, ())
    assert checked.report.requests == 0


@pytest.mark.parametrize(
    "row", [" a@example.com ,甲", "甲 <a@example.com>,x", "甲,\u200ba@example.com"]
)
def test_first_line_with_an_address_is_not_a_header(row: str) -> None:
    """A line EMAIL,NAME belongs above it."""
    assert "has no header" in found(check(csv_of(row, header=row)), "header-order").message


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("門\ufffd市", "lost-character"),
        ("門市".encode().decode("latin-1"), "double-decoding"),
        ("R&amp;D", "character-reference"),
        ("#REF!", "spreadsheet-error"),
        ("<b>門市</b>", "markup"),
        ("${門市}", "placeholder-in-value"),
        ("門\u200b市", "invisible-character"),
    ],
)
def test_damaged_name_of_a_column_is_a_warning(name: str, rule: str) -> None:
    """No placeholder could be written for it."""
    checked = check(csv_of(f"{ROW},x,y", header=f"EMAIL,NAME,{name},門市 2"))

    assert checked.triples == [("warning", rule, 1)]
    assert (found(checked, rule).line, found(checked, rule).scope) == (1, "whole")


def test_emoji_in_the_name_of_a_column_has_no_finding() -> None:
    """Characters that join emoji are visible."""
    assert check(csv_of(f"{ROW},x", header="EMAIL,NAME,👨\u200d👩 ❤\ufe0f")).triples == []


@pytest.mark.parametrize("first", ["secret@example.com,Emil Name", "Emael,Secret", "Nama,Secretx"])
def test_first_line_that_may_be_a_contact_is_not_shown(first: str) -> None:
    """A file without a header begins with a person."""
    [finding] = check(csv_of(ROW, header=first)).report

    assert finding.rule == "header-order"
    for word in first.replace("@", ",").replace(" ", ",").split(","):
        assert word not in finding.message.replace("EMAIL,NAME", "")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("EMAIL,NAME,a, A ", [("error", "duplicate-header", 2)]),
        ("EMAIL,NAME,email", [("error", "duplicate-header", 2)]),
        (
            "EMAIL,NAME,a,b,A,B,a",
            [("error", "duplicate-header", 3), ("error", "duplicate-header", 2)],
        ),
        ("EMAIL,NAME,", [("error", "empty-header", 1)]),
        ("EMAIL,NAME,, ,x", [("error", "empty-header", 2)]),
        ("name,email,,b,B", [("error", "duplicate-header", 2), ("error", "empty-header", 1)]),
    ],
)
def test_columns_without_a_name_of_their_own_are_errors(
    header: str, expected: list[Triple]
) -> None:
    """All problems of the header are reported together, and no clean CSV is written."""
    row = ROW + ",x" * (header.count(",") - 1)
    row = "甲,a@example.com,x,y,z" if header.startswith("name") else row

    checked = check(csv_of(row, header=header))

    errors = [each for each in checked.triples if each[0] == "error"]
    assert errors == expected
    assert checked.clean == b""
    assert checked.report.rows == 1


def test_columns_of_the_same_name_are_named() -> None:
    """As they are written, each once, in a finding of each name."""
    checked = check(csv_of(ROW, header="EMAIL,NAME,a,A,b,c,c,a"))

    of_a = found(checked, "duplicate-header", column="a")
    of_c = found(checked, "duplicate-header", column="c")
    assert (of_a.count, of_a.line, of_c.count) == (3, 1, 2)
    assert "3 columns of the name a or A, " in of_a.message
    assert "2 columns of the name c, " in of_c.message


@pytest.mark.parametrize(
    ("header", "words"),
    [("EMAIL,NAME,", "has a column without a name"), ("EMAIL,NAME,,", "2 columns without a name")],
)
def test_columns_without_a_name_are_counted(header: str, words: str) -> None:
    """In a message that agrees with the number."""
    assert words in found(check(csv_of(ROW, header=header)), "empty-header").message


@pytest.mark.parametrize("fix", [(), ("trim", "drop-duplicates", "leave-out-bad-rows")])
@pytest.mark.parametrize(
    ("header", "rule"),
    [
        ("EMAIL,NAME,Shop,shop", "duplicate-header"),
        ("EMAIL,NAME,Shop,", "empty-header"),
        ("EMAIL,姓名,Shop,x", "header-order"),
    ],
)
def test_rows_below_a_wrong_header_are_checked(
    header: str, rule: str, fix: tuple[str, ...]
) -> None:
    """All problems are reported together, and no row is written, left out or dropped."""
    rows = ["nope,A,1,2", "a@example.com,=x,1,2", "A@example.com ,B,1,2", ",,,", "x", ",A,x,2"]

    checked = check(csv_of(*rows, header=header), fix=fix)

    report = checked.report
    rules = {(each.level, each.rule): each.places for each in report}
    assert rules["error", rule] == (1,)
    assert rules["error", "invalid-email"] == (2,)
    assert rules["error", "missing-email"] == (7,)
    assert rules["error", "column-count"] == (6,)
    assert rules["warning", "duplicate-email"] == (4,)
    assert rules["warning", "mixed-type"] == (7,)
    assert rules["warning", "formula"] == (3,)
    assert rules["note", "missing-email"] == (5,)
    assert (report.rows, report.unique, report.bad_rows) == (5, 1, 3)
    assert (report.dropped, report.left_out, report.trimmed) == (0, 0, 0)
    assert (report.size_bytes, report.requests) == (0, 0)
    assert (checked.clean, checked.left_out) == (b"", b"")


def test_rows_below_a_header_without_addresses_are_only_counted() -> None:
    """They cannot be checked; blank rows are not counted."""
    checked = check(csv_of("nope,A", ",", "=x,B", header="信箱,NAME"))

    assert checked.triples == [("error", "header-order", 1)]
    assert checked.report.rows == 2


def test_rows_below_a_wrong_header_are_checked_only_on_request() -> None:
    """The header's own faults are all that counts."""
    checked = check(csv_of("nope,A,1", header="EMAIL,NAME,name"), check_rows=False)

    assert checked.triples == [("error", "duplicate-header", 2)]
    assert (checked.report.rows, checked.report.unique, checked.clean) == (1, 0, b"")


def test_header_without_names_has_other_problems_reported() -> None:
    """It is surely a header, since EMAIL is there."""
    checked = check(csv_of("a@example.com,x,y,z", header="EMAIL,a,A,city"))

    assert checked.triples == [
        ("error", "header-order", 1),
        ("error", "duplicate-header", 2),
        ("warning", "reserved-header", 1),
    ]


def test_column_without_a_name_is_called_by_its_place() -> None:
    """A message needs a word for it."""
    checked = check(csv_of(f"{ROW},=x", header="EMAIL,NAME,"))

    assert found(checked, "formula").column == "column 3"
    assert "1 cell in column 3" in found(checked, "formula").message


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("\x1b]0;x\x07", r"\x1b]0;x\x07"),
        ("a\u202eb", r"a\u202eb"),
        ("a\x85b", r"a\x85b"),
        ("門\u3000市", "門\u3000市"),
    ],
)
def test_column_name_is_shown_without_control_characters(name: str, label: str) -> None:
    """It has no effect on a terminal; the report's columns contain it unchanged."""
    rows = [f'{ROW},1,"x\n"', "b@example.com,甲,x,=x", "c@example.com,甲,2,\0"]
    checked = check(csv_of(*rows, header=f"EMAIL,NAME,{name},x{name}"))
    doubled = check(csv_of(*rows, header=f"EMAIL,NAME,{name},{name}"))

    assert checked.report.columns == ("EMAIL", "NAME", name, f"x{name}")
    assert found(checked, "mixed-type").column == label
    shown = f"{checked.report}{doubled.report}".replace("\n", "")
    assert {each.column for each in checked.report} == {label, f"x{label}"}
    assert found(doubled, "duplicate-header").column == label
    assert shown.replace("\u3000", "").isprintable()


def test_near_miss_is_shown_without_control_characters() -> None:
    """It is a column's name, too."""
    message = found(check(csv_of(ROW, header="EMAIL,na\x1bme")), "header-order").message

    assert r"rename the column na\x1bme to NAME" in message


def test_reserved_names_are_warnings() -> None:
    """One for each column; the platform's own use of them is unknown."""
    checked = check(csv_of(f"{ROW},x,y", header="EMAIL,NAME,City,VIP"))

    assert checked.triples == [("warning", "reserved-header", 1)]
    assert found(checked, "reserved-header").column == "City"


def test_all_reserved_names_are_recognised() -> None:
    """The thirty-five names of the vendor's notes, which the emulator also has."""
    assert len(RESERVED_COLUMNS) == 35
    assert {*RESERVED_COLUMNS, "email", "name"} == csvimport.RESERVED_COLUMNS


@pytest.mark.parametrize("columns", [1_001, 100_000])
def test_too_many_columns_are_an_error(columns: int) -> None:
    """No list needs more than a thousand."""
    header = ",".join(["EMAIL", "NAME", *(f"c{index}" for index in range(columns - 2))])

    [finding] = check(csv_of(ROW, header=header)).report

    assert (finding.level, finding.rule) == ("error", "column-count")
    assert f"{columns:,} columns" in finding.message


def test_a_thousand_columns_are_allowed() -> None:
    """The limit itself is allowed."""
    header = ",".join(["EMAIL", "NAME", *(f"c{index}" for index in range(998))])
    row = ",".join([ROW, *["x"] * 998])

    assert check(csv_of(row, header=header)).triples == []


@pytest.mark.parametrize("header", ['EMAIL,NAME,"a\nb"', 'EMAIL,NAME,"a'])
def test_header_with_an_open_quote_is_an_error(header: str) -> None:
    """Whether it is closed in another line or never."""
    [finding] = check(csv_of(ROW, header=header)).report

    assert (finding.level, finding.rule, finding.line) == ("error", "line-break", 1)


def test_nul_in_the_header_is_an_error() -> None:
    """No name has one."""
    [finding] = check(csv_of(ROW, header="EMAIL,NA\0ME")).report

    assert (finding.level, finding.rule, finding.line) == ("error", "null-byte", 1)


def test_marks_of_joined_files_are_removed_from_the_names() -> None:
    """They are invisible, and not part of a name."""
    checked = check(csv_of("x,a@example.com,甲", header="X,\ufeffEMAIL,\u200bNAME"))

    assert checked.report.columns == ("EMAIL", "NAME", "X")


@pytest.mark.parametrize("content", [b"EMAIL,NAME", b"EMAIL,NAME\r\n", b"EMAIL,NAME\n \n\n"])
def test_header_alone_has_no_rows(content: bytes) -> None:
    """No contact would get the mail."""
    checked = check(content)

    assert checked.triples == [("error", "no-rows", 1)]
    assert (checked.report.ok, checked.clean) == (False, b"EMAIL,NAME\n")


@pytest.mark.parametrize("content", [b'""\n""\n', b"sep=;\n"])
def test_file_without_a_first_row_is_empty(content: bytes) -> None:
    """Nothing in it is a row."""
    checked = check(content)

    assert checked.triples == [("error", "empty-file", 1)]
    assert checked.report.encoding == "utf-8"


def test_header_below_blank_lines_keeps_its_line() -> None:
    """Lines are counted as an editor counts them."""
    checked = check(b"\n\nemail,name\n\nx,y\n")

    assert found(checked, "header-order").places == (3,)
    assert found(checked, "invalid-email").places == (5,)
