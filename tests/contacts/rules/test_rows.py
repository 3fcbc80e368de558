from __future__ import annotations

import pytest

from newsleopard_async.contacts.rules import CONTACT_RULES, ROW_RULES
from tests.contacts.checking import check, csv_of, found

GOOD = "a@example.com,甲"


@pytest.mark.parametrize(
    "content",
    [
        csv_of(GOOD, "b@example.com,乙"),
        csv_of(GOOD).replace(b"\n", b"\r\n"),
        csv_of(GOOD).replace(b"\n", b"\r"),
        csv_of(GOOD).removesuffix(b"\n"),
        csv_of(GOOD) + b"\x1a",
        csv_of(GOOD).removesuffix(b"\n") + b"\x1a",
        csv_of(GOOD, "", "b@example.com,乙", "", ""),
        csv_of(f'{GOOD},"x, ""y"""', "b@example.com,乙,-5", header="EMAIL,NAME,註"),
        csv_of(f"{GOOD},-,--", "b@example.com,乙,,+886912345678", header="EMAIL,NAME,註,二"),
        csv_of(f"{GOOD},2026-01-05,100,1.5,0", header="EMAIL,NAME,日,數,比,零"),
    ],
)
def test_clean_file_has_no_finding(content: bytes) -> None:
    """Contacts without a problem have no findings."""
    checked = check(content)

    assert checked.triples == []
    assert checked.report.ok
    assert checked.report.encoding == "utf-8"


def test_report_counts_the_rows_of_the_file() -> None:
    """Rows, unique addresses, bad rows, the bytes that go out and the requests it takes."""
    content = csv_of(GOOD, "A@Example.com ,乙", "no address,丙", ",丁", "b@example.com")

    checked = check(content)

    report = checked.report
    assert (report.rows, report.unique, report.bad_rows) == (5, 1, 3)
    assert (report.dropped, report.left_out, report.trimmed) == (0, 0, 1)
    assert report.columns == ("EMAIL", "NAME")
    assert checked.clean == content.replace(b" ,", b",")
    assert report.size_bytes == len(content) - 1
    assert report.requests == 8


def test_findings_are_sorted_by_level() -> None:
    """Errors, then warnings, then notes, each in the order of the table of rules."""
    content = csv_of("x,甲", "a@example.com,", ",y", "z", header="email,name").decode()

    report = check(content.encode("cp950")).report

    assert [(each.level, each.rule) for each in report] == [
        ("error", "column-count"),
        ("error", "missing-email"),
        ("error", "invalid-email"),
        ("warning", "encoding"),
        ("warning", "empty-name"),
        ("note", "header-order"),
    ]


@pytest.mark.parametrize("row", ["a@example.com", "a@example.com,甲,x", ",,x", "a@example.com;甲"])
def test_row_of_another_number_of_cells_is_an_error(row: str) -> None:
    """It is one of the rows that the platform would reject."""
    checked = check(csv_of(GOOD, row, "b@example.com,乙"))

    error = found(checked, "column-count")
    assert (error.level, error.line, error.places, error.count) == ("error", 3, (3,), 1)
    assert error.column is None
    assert (checked.report.bad_rows, checked.report.unique) == (1, 2)


def test_first_twenty_places_are_named_and_all_are_counted() -> None:
    """One finding for all of them."""
    error = found(check(csv_of(GOOD, *["x"] * 30)), "column-count")

    assert error.count == 30
    assert error.places == tuple(range(3, 23))
    assert "lines 3, 4, 5, 6, 7 and 25 more" in error.message


def test_line_break_inside_a_cell_is_an_error_of_its_column() -> None:
    """The line is the one in which the row begins."""
    checked = check(
        csv_of('a@example.com,"甲\n乙"', 'b@example.com,"x"', '"c@\nexample.com","y\nz"')
    )

    of_name = found(checked, "line-break", column="NAME")
    of_email = found(checked, "line-break", column="EMAIL")
    assert (of_name.level, of_name.places, of_name.count) == ("error", (2, 5), 2)
    assert (of_email.level, of_email.places) == ("error", (5,))
    assert checked.report.bad_rows == 1


@pytest.mark.parametrize(
    ("row", "count"),
    [
        ('a@example.com,甲,"see\nb@example.com,乙,台北\nthanks"', 2),
        ('a@example.com,甲,"b@example.com, or\nc@example.com, please"', 2),
        # One row with a line break, or two rows with a single quote each: it is unclear.
        ('a@example.com,甲,"see\nb@example.com,乙,台北"', 3),
    ],
)
def test_cell_with_lines_that_look_like_rows_is_always_reported(row: str, count: int) -> None:
    """The line in which it begins is named, and no row in it is written without a finding."""
    checked = check(csv_of(row, "last@example.com,末,台北", header="EMAIL,NAME,STORE"))

    assert found(checked, "line-break").places == (2,)
    assert checked.report.rows == count


def test_line_break_beyond_the_last_column_is_an_error_of_the_last() -> None:
    """The row also has another problem."""
    checked = check(csv_of('a@example.com,甲,"x\ny"'))

    assert found(checked, "line-break").column == "NAME"
    assert found(checked, "column-count").count == 1


def test_quote_that_is_never_closed_is_an_error_of_one_row() -> None:
    """The rows below it are checked as usual."""
    checked = check(csv_of('a@example.com,"甲', '"b@example.com', "c@example.com,丙", "d@e.tw,丁"))

    error = found(checked, "line-break")
    assert (error.level, error.places, error.column) == ("error", (2, 3), None)
    assert "never closed" in error.message
    assert (checked.report.rows, checked.report.unique) == (4, 2)
    assert [each.rule for each in checked.report] == ["line-break"]


def test_mixed_line_ends_are_a_note() -> None:
    """Line feeds go out."""
    checked = check(b"EMAIL,NAME\r\na@example.com,x\nb@example.com,y\r")

    assert checked.triples == [("note", "line-break", 1)]
    assert checked.clean == b"EMAIL,NAME\na@example.com,x\nb@example.com,y\n"


def test_line_feed_inside_a_cell_does_not_mix_the_line_ends() -> None:
    """Excel ends rows with CRLF, and lines in a cell with LF; only the cell is reported."""
    checked = check(b'EMAIL,NAME\r\na@example.com,"x\ny"\r\n')

    assert checked.triples == [("error", "line-break", 1)]


def test_nul_is_an_error_of_its_column() -> None:
    """Damaged exports have them."""
    checked = check(csv_of(GOOD, "b@example.com,\0", "c@example.com,\0x\0", f"\0{GOOD}"))

    of_name = found(checked, "null-byte", column="NAME")
    assert (of_name.level, of_name.places) == ("error", (3, 4))
    assert found(checked, "null-byte", column="EMAIL").places == (5,)


def test_stray_quote_is_a_note_and_is_written_doubled() -> None:
    """The cell keeps it."""
    checked = check(csv_of('a@example.com,5" pipe', '"b@example.com","a "b" c"'))

    note = found(checked, "quote")
    assert checked.triples == [("note", "quote", 2)]
    assert note.places == (2, 3)
    assert checked.clean == csv_of('a@example.com,"5"" pipe"', 'b@example.com,"a ""b"" c"')


@pytest.mark.parametrize("address", ["", " ", "\t", "\u3000"])
def test_row_without_an_address_is_an_error(address: str) -> None:
    """White space is not an address."""
    checked = check(csv_of(GOOD, f"{address},乙"))

    error = found(checked, "missing-email")
    assert (error.level, error.places, error.column) == ("error", (3,), "EMAIL")
    assert checked.report.bad_rows == 1


def test_address_that_is_none_is_an_error() -> None:
    """It is checked without the blanks around it."""
    checked = check(csv_of(" a@example.com ,甲", "a@b@c.tw,乙", "b＠example.com,丙"))

    error = found(checked, "invalid-email")
    assert (error.level, error.places, error.column) == ("error", (3, 4), "EMAIL")
    assert (checked.report.bad_rows, checked.report.unique) == (2, 1)


def test_repeated_address_is_a_warning_at_its_later_rows() -> None:
    """After trimming, and without regard to case."""
    rows = [
        "a@example.com,1",
        "b@example.com,2",
        " A@EXAMPLE.COM,3",
        "b@Example.com,4",
        "a@example.com,5",
    ]

    checked = check(csv_of(*rows))

    warning = found(checked, "duplicate-email")
    assert (warning.level, warning.count, warning.places) == ("warning", 3, (4, 5, 6))
    assert (checked.report.rows, checked.report.unique) == (5, 2)
    assert checked.report.bad_rows == 0


def test_long_addresses_are_distinguished() -> None:
    """They are remembered by a strong hash, short ones as they are."""
    long = "x" * 40
    rows = [f"{long}{index}@example.com,甲" for index in range(50)]

    checked = check(csv_of(*rows, rows[7].upper(), GOOD))

    assert checked.report.unique == 51
    assert found(checked, "duplicate-email").places == (52,)


def test_address_repeated_across_blocks_is_found() -> None:
    """They are remembered for the whole of the file."""
    rows = [f"user{index}@example.com,甲" for index in range(20)]

    checked = check(csv_of(*rows, *rows), block_bytes=64)

    assert found(checked, "duplicate-email").places == tuple(range(22, 42))
    assert checked.report.unique == 20


def test_bad_addresses_are_not_repeated() -> None:
    """Text that is not an address repeats no address."""
    checked = check(csv_of("x,甲", "x,乙", ",x", ",x", "y,"))

    assert [each.rule for each in checked.report] == [
        "missing-email",
        "invalid-email",
        "empty-name",
    ]


def test_contact_without_a_name_is_a_warning() -> None:
    """It would be greeted by nothing."""
    checked = check(csv_of("a@example.com,", "b@example.com, ", GOOD.replace("a@", "c@")))

    warning = found(checked, "empty-name")
    assert checked.triples == [("warning", "empty-name", 2)]
    assert (warning.places, warning.column) == ((2, 3), "NAME")


def test_too_large_for_text_is_a_note() -> None:
    """As the body of a request, in which line feeds and quotes take two bytes."""
    row = "a@example.com," + "王" * 1000
    rows = [row] * (10_000_000 // len(row.encode()))
    content = csv_of(*rows)

    assert found(check(content), "too-large-for-text").level == "note"
    assert "too-large-for-text" not in {
        each.rule for each in check(content[: len(content) // 2]).report
    }


@pytest.mark.slow
def test_size_includes_the_escapes_of_json() -> None:
    """A CSV just below the limit is above it as JSON."""
    row = 'a@example.com,"""' + '""' * 1000 + '"'
    content = csv_of(*[row] * 4950)

    assert len(content) < 10_000_000
    assert found(check(content), "too-large-for-text").count == 1


def test_rows_are_only_written_if_not_checked() -> None:
    """An unreadable file and problems of the header are still found."""
    rows = ["x,", ",甲", GOOD, GOOD, "b@example.com", '"c@example.com","=x\ny"']

    checked = check(csv_of(*rows), check_rows=False)

    assert checked.triples == []
    assert (checked.report.rows, checked.report.unique, checked.report.bad_rows) == (6, 2, 0)
    assert checked.clean == csv_of(*rows).replace(b'"c@example.com"', b"c@example.com")
    assert check(csv_of(), check_rows=False).triples == [("error", "no-rows", 1)]
    assert check(csv_of(GOOD, header="X,Y"), check_rows=False).triples == [
        ("error", "header-order", 1)
    ]


def test_row_of_another_number_of_cells_keeps_its_number() -> None:
    """If the columns are reordered, the platform must still find the problem."""
    content = csv_of(
        "甲,x", "甲,a@example.com,x,y", "甲", "乙,b@example.com,y", header="NAME,EMAIL,X"
    )

    clean = check(content).clean.decode().splitlines()

    assert clean == ["EMAIL,NAME,X", "x,甲", "a@example.com,甲,x,y", "甲", "b@example.com,乙,y"]


@pytest.mark.parametrize(
    ("content", "rule", "scope"),
    [
        (csv_of("none,甲"), "invalid-email", "rows"),
        (csv_of(",甲"), "missing-email", "rows"),
        (csv_of(GOOD, "a"), "column-count", "rows"),
        (csv_of(GOOD, header="EMAIL,NAME" + ",X" * 1_000), "column-count", "whole"),
        (csv_of(GOOD, 'b@example.com,"乙\n二"'), "line-break", "whole"),
        (csv_of(GOOD, "b@example.com,\0"), "null-byte", "whole"),
        (csv_of(GOOD, header="EMAIL"), "header-order", "whole"),
    ],
)
def test_error_of_rows_differs_from_error_of_the_file(
    content: bytes, rule: str, scope: str
) -> None:
    """Only an error of the whole makes contacts unusable."""
    checked = check(content)

    error = found(checked, rule)

    assert error.scope == scope
    assert (error in checked.report.fatal_errors) == (scope == "whole")


def test_rules_of_rows_are_in_the_table() -> None:
    """Every rule has one row in the table."""
    names = [rule.name for rule in CONTACT_RULES]

    assert len(set(names)) == len(names)
    assert set(names) >= ROW_RULES


BLANK_ROWS = pytest.mark.parametrize("blank", [",", " ,\u3000", ",,,", '"",""', '"\n",'])


@BLANK_ROWS
@pytest.mark.parametrize("check_rows", [True, False])
def test_blank_rows_are_left_out_and_counted(blank: str, check_rows: bool) -> None:
    """Excel leaves them below the last contact; no contact is lost."""
    lines = 1 + blank.count("\n")

    checked = check(
        csv_of(GOOD, blank, "b@example.com,乙", blank, "none,丙"), check_rows=check_rows
    )

    note = found(checked, "missing-email")
    assert (note.level, note.count, note.column) == ("note", 2, None)
    assert note.places == (3, 4 + lines)
    assert "has 2 blank rows (lines" in note.message
    assert "which are left out" in note.message
    assert (checked.report.rows, checked.report.left_out) == (3, 0)
    assert checked.clean == csv_of(GOOD, "b@example.com,乙", "none,丙")
    if check_rows:
        assert checked.report.bad_rows == 1
        assert found(checked, "invalid-email").places == (4 + 2 * lines,)


@BLANK_ROWS
def test_file_of_blank_rows_alone_has_no_rows(blank: str) -> None:
    """One of them is written of as one."""
    checked = check(csv_of(blank))

    assert checked.triples == [("error", "no-rows", 1), ("note", "missing-email", 1)]
    assert "1 blank row (line 2), which is left out" in found(checked, "missing-email").message


def test_row_of_anything_but_an_address_is_not_blank() -> None:
    """A contact would be lost."""
    checked = check(csv_of(",,x", ",,", ",乙,", header="EMAIL,NAME,X"))

    assert found(checked, "missing-email", level="error").places == (2, 4)
    assert found(checked, "missing-email", level="note").places == (3,)
    assert (checked.report.rows, checked.report.bad_rows) == (2, 2)


@pytest.mark.parametrize(("count", "words"), [(1, "leave it out"), (2, "leave them out")])
def test_way_out_of_a_bad_row_agrees_with_the_number(count: int, words: str) -> None:
    """One row is left out, or several are."""
    message = found(check(csv_of(GOOD, *["x"] * count)), "column-count").message

    assert message.endswith(f"or let fix='leave-out-bad-rows' {words}")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([GOOD], ("fewer cells than the 4", "the last are missing (x, y)", "fix='fill-rows' add")),
        ([f"{GOOD},1"], ("fewer cells than the 4 of the header (line 2)", "are missing (y)")),
        (
            [f"{GOOD},1,2,"],
            ("more cells than the 4", "are empty", "fix='fill-rows' remove"),
        ),
        ([f"{GOOD},1,2, ,"], ("more cells than the 4", "the last are empty")),
        ([f"{GOOD},1,2,3"], ("more cells than the 4", "put quotes around cells")),
    ],
)
def test_message_names_how_a_row_differs_from_the_header(
    rows: list[str], words: tuple[str, ...]
) -> None:
    """Missing and empty cells at the end need no quotes."""
    error = found(check(csv_of(*rows, header="EMAIL,NAME,x,y")), "column-count")

    assert (error.level, error.scope) == ("error", "rows")
    assert [each for each in words if each not in error.message] == []
    assert ("put quotes" in error.message) == ("put quotes" in "".join(words))


def test_missing_cells_of_many_columns_are_counted() -> None:
    """Five are named."""
    header = "EMAIL,NAME," + ",".join(f"c{index}" for index in range(7))

    error = found(check(csv_of(GOOD, header=header)), "column-count")

    assert "(c0, c1, c2, c3, c4, 2 more)" in error.message


def test_rows_of_each_kind_have_a_finding() -> None:
    """Each has its own way out."""
    checked = check(csv_of("a@example.com", f"{GOOD},", f"{GOOD},x", GOOD.replace("a@", "b@")))

    assert [(each.rule, each.places) for each in checked.report.errors] == [
        ("column-count", (2,)),
        ("column-count", (3,)),
        ("column-count", (4,)),
    ]
    assert checked.report.bad_rows == 3
