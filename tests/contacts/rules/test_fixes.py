from __future__ import annotations

import csv
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contacts.checking import Checked, check, csv_of, found

GOOD = "a@example.com,甲"
ALL = ("trim", "drop-duplicates", "leave-out-bad-rows")
FIRST = ("trim", "drop-later-duplicates", "leave-out-bad-rows")


def rows_of(content: bytes) -> list[list[str]]:
    """Read rows by the standard library."""
    return list(csv.reader(content.decode().splitlines(keepends=True), strict=True))


def test_trimming_takes_away_blanks_around_every_cell() -> None:
    """And counts the cells."""
    checked = check(
        csv_of(" a@example.com ,\t甲\u3000,x", "b@example.com,乙 丙, ", header="EMAIL,NAME,X"),
        fix="trim",
    )

    assert checked.clean == csv_of(
        "a@example.com,甲,x", "b@example.com,乙 丙,", header="EMAIL,NAME,X"
    )
    assert checked.report.trimmed == 3
    assert checked.triples == []


@pytest.mark.parametrize("check_rows", [True, False])
@pytest.mark.parametrize(
    "address", [" a@example.com", "a@example.com\u00a0", '"a@example.com\u3000"']
)
def test_address_is_written_without_blanks_for_any_fix(address: str, check_rows: bool) -> None:
    """The checked value is written and counted; all other text is unchanged."""
    rows = ["b@example.com, 乙", f"{address}, 甲 "]

    checked = check(csv_of(*rows), check_rows=check_rows)

    assert checked.clean == csv_of("b@example.com, 乙", "a@example.com, 甲 ")
    assert checked.report.trimmed == 1
    assert checked.triples == []


def test_address_of_an_unclear_row_is_written_unchanged() -> None:
    """One without that cell, or with a quote that is never closed."""
    content = csv_of('"x" y', "甲", '甲, a@example.com ,"x', header="NAME,EMAIL,X")

    assert check(content).report.trimmed == 0


def test_trimming_takes_away_line_breaks_around_cells() -> None:
    """A removed character is not a problem of the cell."""
    checked = check(csv_of('a@example.com,"甲\n"', '"b@example.com","x\ny"'), fix=("trim",))

    assert found(checked, "line-break").places == (4,)
    assert checked.clean == csv_of("a@example.com,甲", 'b@example.com,"x\ny"')


def test_trimmed_rows_of_another_number_of_cells_stay_as_many() -> None:
    """They remain an error."""
    checked = check(csv_of(" x ", GOOD), fix=["trim"])

    assert checked.clean == csv_of("x", GOOD)
    assert checked.triples == [("error", "column-count", 1)]


def test_missing_and_empty_cells_at_the_end_are_filled_or_removed() -> None:
    """Empty cells are added or removed; other surplus cells stay an error."""
    rows = ["a@example.com,甲", "b@example.com,乙,x,, ", "c@example.com,丙,y", 'd@example.com,"丁']

    checked = check(csv_of(*rows, "e@example.com,戊,z,!", header="EMAIL,NAME,X"), fix="fill-rows")

    note = found(checked, "column-count", level="note")
    assert (note.places, note.count) == ((2, 3), 2)
    assert found(checked, "column-count", level="error").places == (6,)
    assert found(checked, "line-break").places == (5,)
    assert checked.clean.decode().splitlines()[1:4] == [
        "a@example.com,甲,",
        "b@example.com,乙,x",
        "c@example.com,丙,y",
    ]
    assert (checked.report.bad_rows, checked.report.trimmed) == (1, 0)


def test_even_rows_need_no_filling() -> None:
    """Quotes or not, nothing is said of them."""
    for rows in ([GOOD], [GOOD, 'b@example.com,"乙, 丙"'], [GOOD, 'b@example.com,"乙 ""丙"""']):
        checked = check(csv_of(*rows), fix=["fill-rows", "trim"])

        assert (checked.triples, checked.clean) == ([], csv_of(*rows))


def test_row_whose_quote_is_never_closed_is_not_filled() -> None:
    """The cells of the row are unknown; the other rows have equal lengths."""
    checked = check(csv_of(GOOD, 'b@example.com,"乙'), fix="fill-rows")

    assert checked.triples == [("error", "line-break", 1)]


@pytest.mark.parametrize(
    ("fix", "kept", "lines", "says"),
    [
        ("drop-duplicates", (1, 3), (2, 4), "with an address that a later row has"),
        ("drop-later-duplicates", (0, 1), (4, 5), "with an address that an earlier row has"),
    ],
)
def test_one_row_of_an_address_is_kept(
    fix: str, kept: tuple[int, ...], lines: tuple[int, ...], says: str
) -> None:
    """The last row, like the platform probably, or the first; a note has the other lines."""
    rows = ["a@example.com,1", "b@example.com,2", "A@example.com ,3", "a@example.com,4"]

    checked = check(csv_of(*rows), fix=fix)

    note = found(checked, "duplicate-email")
    assert checked.clean == csv_of(*(rows[index] for index in kept))
    assert (note.level, note.count, note.places) == ("note", 2, lines)
    assert says in note.message
    assert f"kept the {'last' if lines[0] == 2 else 'first'} row of each address" in note.message
    assert (checked.report.rows, checked.report.dropped, checked.report.unique) == (4, 2, 2)
    assert checked.left_out == b""


def test_bad_rows_are_left_out_as_they_were() -> None:
    """With their line and the reason, below the columns of the input."""
    content = csv_of(
        "甲,a@example.com",
        " 乙 ,none",
        "丁,",
        "x",
        "丙,b@example.com,more,and",
        header="name,email",
    )

    checked = check(content, fix="leave-out-bad-rows")

    assert checked.clean == csv_of("a@example.com,甲")
    assert rows_of(checked.left_out) == [
        ["name", "email", "LINE", "REASON"],
        [" 乙 ", "none", "3", "invalid-email"],
        ["丁", "", "4", "missing-email"],
        ["x", "", "5", "column-count"],
        ["丙", "b@example.com", "6", "column-count", "more", "and"],
    ]
    assert checked.report.left_out == checked.report.bad_rows == 4
    assert checked.report.ok
    assert all("left out" in each.message for each in checked.report if each.rule != "header-order")


def test_rows_with_line_breaks_and_nuls_are_left_out_too() -> None:
    """The platform would not reject these rows, but must not get them."""
    rows = [GOOD, 'b@example.com,"x\ny"', "c@example.com,\0", 'd@example.com,"open', 'none,"x\n\0"']

    checked = check(csv_of(*rows), fix="leave-out-bad-rows")

    assert checked.clean == csv_of(GOOD)
    assert rows_of(checked.left_out)[1:] == [
        ["b@example.com", "x\ny", "3", "line-break"],
        ["c@example.com", "\0", "5", "null-byte"],
        ["d@example.com", '"open', "6", "line-break"],
        ["none", "x\n\0", "7", "line-break null-byte invalid-email"],
    ]
    assert (checked.report.left_out, checked.report.bad_rows) == (4, 1)
    assert {level for level, _, _ in checked.triples} == {"note"}


@pytest.mark.parametrize(("fix", "line"), [(ALL, 4), (FIRST, 5)])
def test_row_that_is_left_out_repeats_nothing(fix: tuple[str, ...], line: int) -> None:
    """It does not replace a good row of its address."""
    rows = ['a@example.com,"x\ny"', GOOD, GOOD, "a@example.com"]

    checked = check(csv_of(*rows), fix=fix)

    assert checked.clean == csv_of(GOOD)
    assert (checked.report.left_out, checked.report.dropped) == (2, 1)
    assert found(checked, "duplicate-email").places == (line,)


@pytest.mark.parametrize("fix", ["drop-duplicates", "drop-later-duplicates"])
@pytest.mark.parametrize("cell", ["\0", '"a "b" c"', '"x\ny"', "=1+1"])
def test_row_that_is_dropped_has_no_fault(fix: str, cell: str) -> None:
    """It is left out, so its cells are not checked."""
    rows = [f"a@example.com,{cell}", "a@example.com,甲", "b@example.com,乙"]
    if fix == "drop-later-duplicates":
        rows[:2] = rows[1::-1]

    checked = check(csv_of(*rows), fix=fix)

    assert checked.clean == csv_of(GOOD, "b@example.com,乙")
    assert checked.triples == [("note", "duplicate-email", 1)]


def test_problem_of_a_kept_row_is_reported_beside_a_dropped_one() -> None:
    """Only the latter does not count."""
    rows = ["a@example.com,\0", "a@example.com,甲\0", "none,\0", "b@example.com"]

    checked = check(csv_of(*rows), fix="drop-duplicates")

    assert found(checked, "null-byte").places == (3, 4)
    assert found(checked, "column-count").places == (5,)
    assert checked.report.bad_rows == 2


def test_header_that_cannot_be_used_drops_nothing() -> None:
    """No clean CSV is written; the rows are only checked."""
    checked = check(csv_of(GOOD, GOOD, header="EMAIL,FIRST"), fix="drop-duplicates")

    assert checked.report.dropped == 0
    assert "fix='drop-duplicates'" not in found(checked, "header-order").message


def test_row_left_out_has_no_other_finding() -> None:
    """A column is checked by the remaining rows."""
    rows = ["a@example.com,甲,1", "none,,x", "a@example.com,,=y", "b@example.com,乙,2"]

    checked = check(csv_of(*rows, header="EMAIL,NAME,X"), fix=FIRST)

    assert [each.rule for each in checked.report] == ["invalid-email", "duplicate-email"]


def test_left_out_file_may_be_checked_again() -> None:
    """Its own columns get other names the second time."""
    once = check(csv_of("none,甲", GOOD), fix="leave-out-bad-rows")

    again = check(once.left_out, fix="leave-out-bad-rows")

    assert rows_of(again.left_out)[0] == ["EMAIL", "NAME", "LINE", "REASON", "LINE_", "REASON_"]


def test_file_of_bad_rows_alone_has_no_rows() -> None:
    """If all rows are left out, no contact would get the mail."""
    checked = check(csv_of("none,甲", "x"), fix="leave-out-bad-rows")

    assert not checked.report.ok
    assert found(checked, "no-rows").level == "error"
    assert checked.report.requests == 0


def test_only_a_header_is_written_for_bad_rows_in_blocks() -> None:
    """Once, however many blocks there are."""
    rows = [f"none{index},甲" for index in range(30)]

    checked = check(csv_of(GOOD, *rows), fix=ALL, block_bytes=50)

    assert len(rows_of(checked.left_out)) == 31
    assert checked.clean == csv_of(GOOD)


CELLS = st.sampled_from(
    [
        "a@example.com",
        "A@example.com ",
        "b@example.com",
        "none",
        "",
        " ",
        "甲",
        "x,y",
        '5"',
        "=1",
        "7",
    ]
)


@given(
    rows=st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=12),
    header=st.sampled_from(["EMAIL,NAME,X", "X,name,email"]),
    fix=st.one_of(st.sets(st.sampled_from(ALL)), st.sets(st.sampled_from(FIRST))),
    block_bytes=st.integers(20, 200),
)
def test_fixes_lose_nothing(
    rows: list[list[str]], header: str, fix: set[str], block_bytes: int
) -> None:
    """Each row that came in went out, was left out with all of its cells, or was counted."""
    rows = [row for row in rows if "".join(row).strip()]
    lines = [",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in rows]

    checked = check(csv_of(*lines, header=header), fix=fix, block_bytes=block_bytes)

    report = checked.report
    clean, left_out = rows_of(checked.clean)[1:], rows_of(checked.left_out)[1:]
    assert report.rows == len(rows)
    assert len(clean) + report.dropped + report.left_out == len(rows)
    assert len(left_out) == report.left_out
    if "drop-duplicates" in fix:
        first = check(
            csv_of(*lines, header=header),
            fix=(fix - {"drop-duplicates"}) | {"drop-later-duplicates"},
        )
        assert len(rows_of(first.clean)) == len(clean) + 1
        assert (first.report.dropped, first.report.unique) == (report.dropped, report.unique)
    if not fix:
        at = header.lower().split(",").index("email")
        expected = [[*row[:at], *map(str.strip, row[at : at + 1]), *row[at + 1 :]] for row in rows]
        assert sorted(map(sorted, clean)) == sorted(map(sorted, expected))
    if not fix & {"drop-duplicates", "drop-later-duplicates"}:
        assert letters(clean) + letters([row[:3] + row[5:] for row in left_out]) == letters(rows)


def letters(rows: list[list[str]]) -> Counter[str]:
    """Count the characters that are not white space."""
    return Counter(letter for row in rows for cell in row for letter in cell if letter.strip())


def test_fixed_file_needs_no_fix() -> None:
    """The clean CSV has no finding."""
    content = csv_of(
        " a@example.com,甲 ", "a@example.com,乙", "none,丙", 'b@example.com,"x\ny"', "x"
    )

    fixed = check(content, fix=ALL)
    again = check(fixed.clean, fix=ALL)

    assert fixed.clean == csv_of("a@example.com,乙")
    assert again == Checked(again.report, fixed.clean, b"")
    assert again.triples == []
