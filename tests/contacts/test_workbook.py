"""Excel workbooks are contacts, from any source."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import ContactsReport, InvalidRequest, check_contacts
from newsleopard_async.contacts import workbook as workbook_module
from tests.contacts.books import Rows, book
from tests.contacts.examples import CSV, ROWS, Pieces, clean_contacts, written

pytestmark = pytest.mark.anyio

TABLE = [list(ROWS[0]), *(list(row.values()) for row in ROWS)]


async def clean(contacts: Any, **options: Any) -> str:
    """Return the clean CSV."""
    async with clean_contacts(contacts, **options) as found:
        return found.path.read_text("utf-8")


def found(report: ContactsReport, rule: str) -> str:
    """Return the message of a rule."""
    [message] = [each.message for each in report if each.rule == rule]
    return message


FORMS: dict[str, Callable[[Path, bytes], Any]] = {
    "path": lambda folder, content: written(folder, content, "members.xlsx"),
    "path under another name": lambda folder, content: written(folder, content, "members.csv"),
    "bytes": lambda folder, content: content,
    "open file": lambda folder, content: io.BytesIO(content),
    "source of small pieces": lambda folder, content: Pieces(
        tuple(content[begin : begin + 100] for begin in range(0, len(content), 100))
    ),
}


@pytest.mark.parametrize("form", FORMS)
async def test_workbook_of_every_form_is_read(form: str, tmp_path: Path) -> None:
    """It is recognised by its content, and not by its name."""
    assert await clean(FORMS[form](tmp_path, book(TABLE))) == CSV


async def test_values_of_a_sheet_are_cells() -> None:
    """Numbers have no ".0", dates are ISO, and errors keep their text."""
    values = [
        912345678,
        1.5,
        True,
        "0912345678",
        date(2027, 1, 5),
        datetime(2027, 1, 5, 10, 30),  # noqa: DTZ001 - a sheet has no zones
        time(10, 30),
        timedelta(hours=26, minutes=3),
    ]
    names: list[Any] = [f"x{number}" for number in range(len(values))]

    def prepare(workbook: Any) -> None:
        [sheet] = workbook.worksheets()
        sheet.write(0, 10, "error")
        sheet.write_formula(1, 10, "=NA()", None, "#N/A")

    rows: Rows = [["EMAIL", "NAME", *names], ["a@example.com", "", *values]]
    header, row = (await clean(book(rows, prepare))).splitlines()

    assert header.endswith(",x7,error")
    assert row == (
        "a@example.com,,912345678,1.5,true,0912345678,2027-01-05,2027-01-05T10:30:00,10:30:00,"
        "26:03:00,#N/A"
    )


async def test_lost_zero_of_a_phone_is_reported() -> None:
    """A phone number that Excel took for a number has lost its zero."""
    rows: Rows = [["EMAIL", "NAME", "手機"], *([f"{each}@x.tw", "A", 912345678] for each in "ab")]

    report = await check_contacts(book(rows))

    assert "leading-zero" in [each.rule for each in report.warnings]


async def test_lines_of_findings_are_the_rows_of_the_sheet() -> None:
    """Blank rows and line breaks inside cells move no row."""
    rows: Rows = [
        [],
        ["", "EMAIL", "NAME"],
        ["", "a@example.com", "A\nB\n"],
        [],
        ["", "nowhere", "B"],
        ["", "b@example.com", "C"],
        ["", "someone", "D"],
    ]

    report = await check_contacts(book(rows))

    assert report.columns == ("EMAIL", "NAME")
    [invalid] = [each for each in report if each.rule == "invalid-email"]
    assert invalid.places == (5, 7)


async def test_first_visible_sheet_with_a_cell_is_read() -> None:
    """A warning names the sheet if there are several visible ones."""

    def hide(workbook: Any) -> None:
        workbook.get_worksheet_by_name("隱藏").hide()
        pie = workbook.add_chart({"type": "pie"})
        pie.add_series({"values": "='說明'!$A$1:$A$1"})
        workbook.add_chartsheet("圖表").set_chart(pie)
        workbook.get_worksheet_by_name("空白").activate()

    several = book(
        {"空白": [], "隱藏": [["x"]], "會員": TABLE, "舊會員": TABLE, "說明": [["讀我"]]}, hide
    )
    single = book({"空白": [], "隱藏": [["x"]], "會員": TABLE, "說明": []}, hide)

    report, quiet = await check_contacts(several), await check_contacts(single)

    assert report.rows == 2
    assert "'會員' was read, and not '舊會員', '說明';" in found(report, "workbook")
    assert quiet.rows == 2
    assert "workbook" not in [each.rule for each in quiet]


async def test_names_of_many_sheets_are_cut() -> None:
    """The message names five sheets."""
    report = await check_contacts(book({f"S{number}": TABLE for number in range(9)}))

    assert "and not 'S1', 'S2', 'S3', 'S4', 'S5', 3 more;" in found(report, "workbook")


async def test_error_beside_empty_columns_keeps_its_text() -> None:
    """The cells begin at the first column that has one, and errors are counted from the first."""

    def fail(workbook: Any) -> None:
        workbook.worksheets()[0].write_formula(1, 3, "=NA()", None, "#N/A")

    rows = [[None, *row] for row in [["EMAIL", "NAME", "X"], ["a@example.com", "王", "x"]]]

    assert await clean(book(rows, fail)) == "EMAIL,NAME,X\na@example.com,王,#N/A\n"


async def test_hidden_rows_are_counted() -> None:
    """A user who filtered a list possibly does not expect the hidden rows."""

    def hide(workbook: Any) -> None:
        workbook.worksheets()[0].set_row(1, None, None, {"hidden": True})

    report = await check_contacts(book(TABLE, hide))

    assert report.rows == 2
    assert found(report, "workbook").startswith("has 1 hidden row,")


async def test_rows_that_are_left_out_are_written_to_a_csv(tmp_path: Path) -> None:
    """The file of rows left out beside a workbook is named as a CSV."""
    path = written(tmp_path, book([*TABLE, ["nowhere", "B", ""]]), "members.xlsx")

    report = await check_contacts(path, fix="leave-out-bad-rows")

    assert report.left_out_to == tmp_path / "members.left-out.csv"


async def test_workbook_has_no_encoding() -> None:
    """A workbook has no encoding, so the caller probably means another file."""
    with pytest.raises(InvalidRequest, match="a workbook has none"):
        await check_contacts(book(TABLE), encoding="big5")


async def test_workbook_that_changes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workbook that is saved meanwhile is refused."""
    path = written(tmp_path, book(TABLE), "members.xlsx")
    unpack = workbook_module.unpack

    def change(source: Path, target: Path) -> Any:
        source.write_bytes(book([*TABLE, *TABLE]))
        return unpack(source, target)

    monkeypatch.setattr(workbook_module, "unpack", change)

    with pytest.raises(InvalidRequest, match="changed while it was read"):
        await check_contacts(path)


async def test_workbook_without_the_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are two ways out: to install it, or to save the sheet as CSV."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)

    report = await check_contacts(book(TABLE))

    assert report.errors == report.findings
    message = found(report, "spreadsheet-file")
    assert "pip install 'newsleopard-async[xlsx]'; or save it as CSV" in message


def repacked(content: bytes, change: Callable[[str, bytes], bytes | None], **more: bytes) -> bytes:
    """Pack a workbook again, with some parts changed or left out, and more of them."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            if (part := change(name, old.read(name))) is not None:
                new.writestr(name, part)
        for name, part in more.items():
            new.writestr(name, part)
    return file.getvalue()


def in_sheet(old: bytes, new: bytes) -> Callable[[str, bytes], bytes]:
    """Replace something in the sheets."""
    return lambda name, part: part.replace(old, new) if "worksheets/" in name else part


def last_row(cell: bytes) -> Callable[[str, bytes], bytes]:
    """Add a cell of the last row; a writer of workbooks would write a million rows before it."""
    row = b'<row r="1048576"><c r="%b"><v>1</v></c></row>' % cell
    return in_sheet(b"</sheetData>", row + b"</sheetData>")


def without(name: str) -> Callable[[str, bytes], bytes | None]:
    """Leave a part out."""
    return lambda other, part: None if other == name else part


def lying(content: bytes, part: str = "xl/worksheets/sheet1.xml") -> bytes:
    """Claim a smaller size of a part in the directory, with the matching checksum."""
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        entry = archive.getinfo(part)
        archive.writestr("comment", b"")  # so that the directory is written again
        shorter = archive.read(entry)[:100]
        entry.file_size, entry.CRC = 100, zipfile.crc32(shorter)  # type: ignore[attr-defined]  # zlib's
    return file.getvalue()


GOOD = book(TABLE)

BAD: dict[str, tuple[bytes, str]] = {
    "nothing in it": (book([]), "is a workbook without a cell; fill in its first sheet"),
    "cut off": (GOOD[:3_000], "is damaged (BadZipFile); save it again"),
    "without its index": (repacked(GOOD, without("xl/workbook.xml")), "is damaged (KeyError)"),
    "without its sheet": (
        repacked(GOOD, without("xl/worksheets/sheet1.xml")),
        "is damaged (KeyError)",
    ),
    "index of no XML": (
        repacked(GOOD, lambda name, part: part[:90] if name == "xl/workbook.xml" else part),
        "is damaged (ParseError)",
    ),
    "large index": (
        repacked(GOOD, lambda name, part: part + b" " * 2**20 if "workbook.xml" in name else part),
        "is damaged (ValueError)",
    ),
    "sheet of no XML": (
        repacked(GOOD, in_sheet(b"</sheetData>", b"</sheet><<")),
        "is damaged (XmlError)",
    ),
    "sheet that is larger than it says": (lying(GOOD), "is damaged (BadZipFile)"),
    "cell far out": (
        repacked(GOOD, last_row(b"XFD1048576")),
        "has cells up to row 1,048,576 and column 16,384; delete the cells",
    ),
    "cells that do not say where": (
        repacked(
            repacked(GOOD, last_row(b"A1048576")),
            in_sheet(b'<c r="A1"', b"<c" + b' t="s"><v>0</v></c><c' * 16_000),
        ),
        "has cells up to row 1,048,576 and column 16,0",
    ),
    "row far out": (
        repacked(
            book(TABLE, lambda workbook: workbook.worksheets()[0].write(1, 16_383, "x")),
            in_sheet(b"</sheetData>", b'<row r="1048576"><c><v>1</v></c></row></sheetData>'),
        ),
        "has cells up to row 1,048,576 and column 16,3",
    ),
    "shared texts that are larger than they say": (
        lying(GOOD, "xl/sharedStrings.xml"),
        "is damaged (BadZipFile)",
    ),
    "two sheets of one name": (
        repacked(
            book({"a": TABLE, "b": TABLE}),
            lambda _, part: part.replace(b'<sheet name="b"', b'<sheet name="a"'),
        ),
        "is damaged (ValueError)",
    ),
    "two parts of one name": (
        repacked(GOOD, lambda _, part: part, **{"XL/workbook.xml": b""}),
        "is damaged (ValueError)",
    ),
    "sheet that is looked for elsewhere": (
        repacked(
            GOOD,
            lambda name, part: (
                part.replace(b'"worksheets/', b'"xl/worksheets/')
                if name.endswith("workbook.xml.rels")
                else part
            ),
        ),
        "is damaged (ValueError)",
    ),
    "shared text in CDATA": (
        repacked(
            GOOD,
            lambda name, part: (
                part.replace(b"<t>EMAIL</t>", b"<t><![CDATA[EMAIL]]></t>")
                if name == "xl/sharedStrings.xml"
                else part
            ),
        ),
        "is damaged (ValueError)",
    ),
    **{
        markup.decode(): (
            repacked(GOOD, in_sheet(b"</sheetData>", markup + b"</sheetData>")),
            "is damaged (ValueError)",
        )
        for markup in (
            b'<row r="9"><c r="XFD0001048576"><v>1</v></c></row>',
            b'<row r="9"><c r="AAAA9"><v>1</v></c></row>',
            b'<row r="0009"><c><v>1</v></c></row>',
            b'<row r="9"><c x=">" r="XFD1048576"><v>1</v></c></row>',
            b'<row r="9"><c r="A9"><v>1</v></c><c r="A9"><v>2</v></c></row>',
            b'<row r="1"><c r="A9"><v>1</v></c></row>',
            b'<row r="9"><c r="A9" t="str"><v><![CDATA[a]]></v></c></row>',
        )
    },
}


@pytest.mark.parametrize("name", BAD)
async def test_workbook_that_cannot_be_read_is_an_error(name: str) -> None:
    """The problem is reported before the workbook fills the memory."""
    content, says = BAD[name]

    report = await check_contacts(content)

    assert says in found(report, "spreadsheet-file")
    assert report.rows == 0


async def test_error_without_a_text_takes_none_of_another_cell() -> None:
    """It is an empty cell."""
    cells = b'<row r="9"><c r="A9" t="e"></c><c r="B9" t="str"><v>x</v></c></row></sheetData>'
    content = repacked(book([["EMAIL", "NAME"]]), in_sheet(b"</sheetData>", cells))

    assert (await clean(content)).splitlines()[1:] == [",x"]


async def test_formulas_without_a_result_are_counted() -> None:
    """Neither a program that writes a formula nor calamine computes it."""
    cells = (
        b'<row r="9"><c r="A9" t="str"><v>a@example.com</v></c><c r="B9"><f>A1</f><v></v></c>'
        b'<c r="C9"><f>A1</f></c><c r="D9" t="str"><f>A1</f><v></v></c><c r="E9"><f>1</f><v>1</v>'
        b'</c><c r="F9"><f t="shared" si="0"/><v/></c></row></sheetData>'
    )
    content = repacked(
        book([["EMAIL", "NAME", "C", "D", "E", "F"]]), in_sheet(b"</sheetData>", cells)
    )

    message = found(await check_contacts(content), "workbook")

    assert "has 3 formulas without a result" in message


async def test_rows_and_cells_may_leave_out_where_they_are() -> None:
    """They follow each other."""
    texts = (("EMAIL", "NAME"), ("a@example.com", "x"))
    rows = "".join(
        "<row>" + "".join(f'<c t="str"><v>{text}</v></c>' for text in row) + "</row>"
        for row in texts
    )
    content = repacked(
        book([]), in_sheet(b"<sheetData/>", f"<sheetData>{rows}</sheetData>".encode())
    )

    assert await clean(content) == "EMAIL,NAME\na@example.com,x\n"


class PanicException(BaseException):
    """The exception of calamine for a panic."""


class Ending(BaseException):
    """An exception that ends a program."""


async def test_panic_of_calamine_is_an_error_of_the_workbook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A panic does not end the program, unlike other BaseExceptions."""

    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(workbook_module, "_rows", fail)

    raised: type[BaseException] = PanicException
    report = await check_contacts(GOOD)
    assert "is damaged (PanicException)" in found(report, "spreadsheet-file")

    raised = Ending
    with pytest.raises(Ending):
        await check_contacts(GOOD)


async def test_sheet_without_rows_is_not_stored_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sheet is scanned in constant memory, cut between its rows."""
    monkeypatch.setattr(workbook_module, "_PIECE_BYTES", 4)

    report = await check_contacts(GOOD)

    assert "is damaged (ValueError)" in found(report, "spreadsheet-file")


async def test_binary_workbook_is_an_error() -> None:
    """The extent of its cells is unknown before it is in memory."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/workbook.bin", b"")

    report = await check_contacts(file.getvalue())

    assert "is a binary workbook (.xlsb); save it as .xlsx" in found(report, "spreadsheet-file")


async def test_workbook_that_would_be_huge_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sizes in the archive are checked first."""
    monkeypatch.setattr(workbook_module, "_MOST_BYTES", 1_000)

    report = await check_contacts(GOOD)

    assert "of over 1,000 bytes when it is unpacked" in found(report, "spreadsheet-file")
