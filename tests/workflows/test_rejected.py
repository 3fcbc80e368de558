"""The rows that the platform rejected are read, and found in the contacts."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from pprint import pformat
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from newsleopard_async import InvalidRequest
from newsleopard_async.downloads import rejected_file
from newsleopard_async.downloads.rejected_file import read_rejected
from newsleopard_async.models.reports import RejectedRow, ReportRow
from newsleopard_async.plain import from_plain
from newsleopard_async.workflows import rejected_rows
from tests.contacts.books import book
from tests.workflows.rejections import CSV, TRUTH, facts, rejecting, rows_of, served

pytestmark = pytest.mark.anyio


async def test_rows_are_those_that_the_platform_rejected() -> None:
    """Each with its line in the contacts, its address, its reason and its cells."""
    async with rejecting() as (bench, report):
        rows = await rows_of(bench.nl, report)
        (job,) = bench.emulator.imports

    assert facts(rows) == TRUTH
    assert job.result is not None
    assert report.rejected_count == job.result.rejected == len(rows)
    assert rows[0].values == {"EMAIL": "absent", "NAME": "乙", "POINTS": "2"}
    assert rows[2].values == {"EMAIL": "c@example.com"}
    assert rows[4].values["column 4"] == "7"


@attrs.frozen
class Person:
    """A record of the caller."""

    email: str
    name: str
    points: int


PEOPLE = [Person("a@example.com", "甲", 1), Person("absent", "乙", 2), Person("x", "丙\n丁", 3)]
TABLE = 'EMAIL,NAME,points\na@example.com,甲,1\nabsent,乙,2\nx,"丙\n丁",3\ny,戊,4\n'

FRAME = {
    "EMAIL": ["a@example.com", "absent", "x", "y"],
    "NAME": ["甲", "乙", "丙\n丁", "戊"],
    "points": [1, 2, 3, 4],
}


def rows_below_header() -> list[tuple[Any, ...]]:
    """Return the header, and one tuple per contact."""
    return [tuple(FRAME), *zip(*FRAME.values(), strict=True)]


Build = Callable[[Path], Any]
FORMS: dict[str, Build] = {
    "text": lambda path: TABLE,
    "bytes": lambda path: TABLE.encode(),
    "bytearray": lambda path: bytearray(TABLE.encode()),
    "path": lambda path: path.write_text(TABLE, "utf-8") and path,
    "records": lambda path: [attrs.asdict(each) for each in (*PEOPLE, Person("y", "戊", 4))],
    "objects": lambda path: (*PEOPLE, Person("y", "戊", 4)),
    "view of a dict": lambda path: dict(enumerate((*PEOPLE, Person("y", "戊", 4)))).values(),
    "rows below a header": lambda path: rows_below_header(),
    "data frame of pandas": lambda path: pd.DataFrame(FRAME),
    "data frame of polars": lambda path: pl.DataFrame(FRAME),
    "workbook": lambda path: book([list(row) for row in rows_below_header()]),
    "workbook by its path": lambda path: (
        path.write_bytes(book([list(row) for row in rows_below_header()])) and path
    ),
}
OF_LINES = {"text", "bytes", "bytearray", "path"}
"""The forms with the lines of a file, in which the third contact takes two lines."""


@pytest.mark.parametrize("form", FORMS)
async def test_lines_are_found_in_every_form_of_contacts(form: str, tmp_path: Path) -> None:
    """Lines are counted as in an editor; the first record is in line 2, each takes one line."""
    contacts = FORMS[form](tmp_path / "members.csv")
    async with rejecting(TABLE) as (bench, report):
        rows = await rows_of(bench.nl, report, contacts)

    last = 6 if form in OF_LINES else 5
    assert [(row.line, row.email) for row in rows] == [(3, "absent"), (4, "x"), (last, "y")]


GIVEN = 'NAME;EMAIL;POINTS\r\n甲;a@example.com;1\r\n"乙\r\n丙";absent;2\r\n丁;x;3\r\n'
"""The lines are the caller's, although the platform got its own form."""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp950"])
async def test_lines_are_those_of_the_contacts_as_they_were_given(
    encoding: str, tmp_path: Path
) -> None:
    """The encoding, order, separator and line ends are the caller's."""
    path = tmp_path / "members.csv"
    path.write_bytes(GIVEN.encode(encoding))
    sent = 'EMAIL,NAME,POINTS\na@example.com,甲,1\nabsent,"乙\n丙",2\nx,丁,3\n'
    async with rejecting(sent) as (bench, report):
        rows = await rows_of(bench.nl, report, path)

    assert [(row.line, row.email) for row in rows] == [(3, "absent"), (5, "x")]


async def test_encoding_of_the_contacts_is_the_one_that_was_passed(tmp_path: Path) -> None:
    """An encoding that could not be detected before the import cannot be detected after it."""
    contacts = CSV.encode("utf-16-le")
    async with rejecting() as (bench, report):
        unsaid = await rows_of(bench.nl, report, contacts)
        said = await rows_of(bench.nl, report, contacts, contacts_encoding="utf-16-le")

    assert {row.line for row in unsaid} == {None}
    assert facts(said) == TRUTH


async def test_lines_are_found_under_the_names_that_were_given_to_columns() -> None:
    """The platform knows only the new names."""
    contacts = CSV.replace("EMAIL,NAME", "信箱,姓名")
    columns = {"信箱": "EMAIL", "姓名": "NAME"}
    async with rejecting() as (bench, report):
        rows = await rows_of(bench.nl, report, contacts, contacts_columns=columns)
        with pytest.raises(InvalidRequest, match="columns"):
            await rows_of(bench.nl, report, contacts, contacts_columns={"": "EMAIL"})

    assert facts(rows) == TRUTH


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp950"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_file_can_have_any_encoding(encoding: str, end: str) -> None:
    """The platform's file is not documented (T49)."""
    lines = ("EMAIL,NAME,POINTS,原因", '"absent","乙",2,"信箱, 不對"', "")

    (row,) = await served(end.join(lines).encode(encoding), CSV)

    assert (row.line, row.email, row.reason) == (3, "absent", "信箱, 不對")
    assert row.values == {"EMAIL": "absent", "NAME": "乙", "POINTS": "2"}


async def test_encoding_of_the_file_can_be_passed() -> None:
    """If it cannot be detected, the error says so, and shows no contact."""
    content = "EMAIL,NAME,原因\nming@example.com,甲,不對\n".encode("utf-16-le")

    with pytest.raises(InvalidRequest) as caught:
        await served(content, CSV)
    (row,) = await served(content, CSV, encoding="utf-16-le")

    assert "encoding=" in str(caught.value)
    assert "ming" not in str(caught.value)
    assert row.reason == "不對"


REASONS = [
    ("EMAIL,NAME,POINTS,why", "x,X,1,bad", "bad"),
    ("why,POINTS,NAME,EMAIL", "bad,1,X,x", "bad"),
    ("email,name,points,STATUS,Error_Message", "x,X,1,4,bad", "bad"),
    ("EMAIL,NAME,POINTS,錯誤原因,ROW", "x,X,1,bad,4", "bad"),
    ("EMAIL,NAME,POINTS,ROW,STATUS", "x,X,1,4,bad", "bad"),
    ("EMAIL,NAME,POINTS", "x,X,1", None),
    ("EMAIL,NAME,POINTS,POINTS", "x,X,1,bad", "bad"),
    ("EMAIL,NAME,POINTS,Points", "x,X,1,bad", "bad"),
    ("EMAIL,NAME,POINTS,REASON", "x,X,1,", None),
    ("REASON,EMAIL,NAME,POINTS", "bad,x,X,1", "bad"),
]


@pytest.mark.parametrize(("header", "row", "reason"), REASONS)
async def test_reason_is_the_column_that_the_contacts_had_not(
    header: str, row: str, reason: str | None
) -> None:
    """The column with the usual name, else the last one; without columns, none."""
    (found,) = await served(f"{header}\n{row}\n", "EMAIL,NAME,POINTS\nx,X,1\n")

    assert (found.line, found.email, found.reason) == (2, "x", reason)
    assert "bad" not in found.values.values()


@pytest.mark.parametrize(
    ("header", "row", "reason"),
    [
        ("EMAIL,NAME,POINTS,REASON,X", "x,X,1,bad,2", "bad"),
        ("EMAIL,NAME,why", "x,X,bad", "bad"),
        ("why,E-mail,姓名", "bad,x,X", "bad"),
        ("EMAIL,NAME", "x,X", None),
        ("EMAIL", "x", None),
        ("EMAIL_ERROR,EMAIL", "bad,x", "bad"),
    ],
)
async def test_reason_is_found_without_the_contacts(
    header: str, row: str, reason: str | None
) -> None:
    """By its name, else the last column; the address and the name are never the reason."""
    (found,) = await served(f"{header}\n{row}\n")

    assert (found.line, found.email, found.reason) == (None, "x", reason)


@pytest.mark.parametrize("contacts", ["EMAIL,NAME,POINTS\nabsent,X,1\n", None])
@pytest.mark.parametrize(
    ("header", "row", "reason"),
    [
        ("Error Email,Error Reason", "absent,bad absent", "bad absent"),
        ("Error Reason,Error Email", "bad absent,absent", "bad absent"),
        ("錯誤Email,錯誤原因", "absent,bad", "bad"),
        ("錯誤信箱,說明", "absent,bad", "bad"),
        ("Error Email,NAME", "absent,X", None),
        ("EMAIL,Error Email", "absent,absent", None),
        ("收件人,EMAIL,原因", "甲,absent,bad", "bad"),
        ("Error Email,errorCode,errorMessage", "absent,550,bad", "bad"),
    ],
)
async def test_address_is_never_the_reason(
    header: str, row: str, reason: str | None, contacts: str | None
) -> None:
    """A column with any name is recognised, so the row shows no contact."""
    sent = "EMAIL,NAME,POINTS\nabsent,X,1\n"

    (found,) = await served(f"{header}\n{row}\n", contacts, sent=sent)

    assert (found.line, found.email, found.reason) == (2 if contacts else None, "absent", reason)
    assert "absent" not in repr(found)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("x,bad", ("x", "bad")),
        ("x,X,1,2,3,bad", ("x", "bad")),
        ("x", ("x", None)),
    ],
)
async def test_reason_ends_a_row_of_any_length(row: str, expected: tuple[str, str | None]) -> None:
    """A row is rejected for its number of cells, and the reason comes after them."""
    (found,) = await served(f"EMAIL,NAME,POINTS,REASON\n{row}\n", CSV)

    assert (found.email, found.reason) == expected


async def test_reason_in_front_can_be_missing() -> None:
    """A row that ends before its reason has no reason."""
    (found,) = await served("EMAIL,REASON,NAME,POINTS\nx\n", CSV)

    assert (found.email, found.reason) == ("x", None)


async def test_file_without_a_header_loses_no_row() -> None:
    """The address is then the first cell, and the reason the last."""
    rows = await served("a@example.com,甲,1,bad\n\nb@example.com,乙,2,worse\n", CSV)

    assert facts(rows) == [(2, "a@example.com", "bad"), (4, "b@example.com", "worse")]


ONE = "EMAIL,NAME,POINTS\na@example.com,甲,1\nabsent,乙,2\n"
"""Contacts with one rejected row."""


@pytest.mark.parametrize("contacts", [ONE, None])
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("absent,乙,2,bad e-mail\n", ("absent", "bad e-mail")),
        ("absent\n", ("absent", None)),
        ("REASON,POINTS,NAME,EMAIL\nbad,2,乙,absent\n", ("absent", "bad")),
        ("電子信箱,原因\nabsent,bad\n", ("absent", "bad")),
        ("ADDRESS,REASON\nabsent,bad\n", ("absent", "bad")),
    ],
)
async def test_only_row_is_not_a_header(
    file: str, expected: tuple[str, str | None], contacts: str | None
) -> None:
    """A file without a header has no address column; columns are found by names or counts."""
    (row,) = await served(file, contacts, sent=ONE)

    assert (row.email, row.reason) == expected
    assert row.line == (3 if contacts else None)


@pytest.mark.parametrize("column", ["LINE@", "LINE@ID", "@timestamp", "Name @ Work"])
async def test_column_with_an_at_sign_makes_no_row_of_the_header(column: str) -> None:
    """Only a value in the form of an address counts as one."""
    sent = f"EMAIL,NAME,{column}\nok@example.com,A,x\nno address,B,y\n"
    async with rejecting(sent) as (bench, report):
        rows = await rows_of(bench.nl, report, sent)

    assert facts(rows) == [(3, "no address", "INVALID_EMAIL")]
    assert rows[0].values[column] == "y"


@pytest.mark.parametrize(
    "note",
    [
        "send it to\nboss@corp.example,C,soon\nthanks",
        "ask\nboss@corp.example,C,soon",
        "write to, boss@corp.example, or\ncall",
        '"a@x.tw",\n"b@x.tw"',
    ],
)
async def test_row_with_lines_that_look_like_rows_is_one(note: str) -> None:
    """The platform's file and the contacts are read in the same way, so the line is found."""
    file = io.StringIO()
    csv.writer(file).writerows(
        [["EMAIL", "NAME", "NOTE"], ["ok@example.com", "A", "x"], ["no address", "B", note]]
    )
    async with rejecting(file.getvalue()) as (bench, report):
        rows = await rows_of(bench.nl, report, file.getvalue())

    assert facts(rows) == [(3, "no address", "INVALID_EMAIL")]
    assert rows[0].values["NOTE"] == note


@pytest.mark.parametrize("contacts", [ONE, None])
@pytest.mark.parametrize(
    "file",
    [
        "Access denied",
        "The link has expired, please log in\nRequest id 7\n",
        '{"message":"The link has expired"}',
        "<Error><Code>AccessDenied</Code></Error>",
    ],
)
async def test_error_that_was_saved_as_the_file_is_refused(file: str, contacts: str | None) -> None:
    """It is neither a row nor a header."""
    with pytest.raises(InvalidRequest) as caught:
        await served(file, contacts, sent=ONE)

    assert [(each.field, each.rule) for each in caught.value.problems] == [("file", "not-text")]


async def test_row_of_words_is_a_row() -> None:
    """A value instead of an address can be a name; its reason shows that it is a row."""
    file = "Wang Ming, no address\nno address,bad e-mail\n"

    rows = await served(file, sent="EMAIL,NAME\nWang Ming,x\nno address,y\n")

    assert [row.email for row in rows] == ["Wang Ming", "no address"]


CELLS = st.lists(
    st.sampled_from(["a@x.tw", '"', ",", "\n", "x", "@", "b@x.tw,B,C", "王", "EMAIL,NAME\n"]),
    max_size=5,
).map("".join)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=5))
def test_any_proper_file_is_read_as_it_was_written(rows: list[tuple[str, str, str]]) -> None:
    """The cells of the contacts can contain anything; no row is lost or mixed up."""
    file = io.StringIO(newline="")
    table = [(email, name, note, "bad") for email, name, note in rows]
    csv.writer(file).writerows([("EMAIL", "NAME", "NOTE", "REASON"), *table])

    with TemporaryDirectory() as folder:
        path = Path(folder, "rejected.csv")
        path.write_text(file.getvalue(), "utf-8", newline="")
        found = [row for row in read_rejected(path, None, errors=len(rows)) if row is not None]

    assert [(*row.values.values(), row.reason) for row in found] == table


async def test_no_more_rows_than_errors_are_no_header() -> None:
    """A file without a header can have many rows, and no address."""
    file = "".join(f"{row[1] or '-'},{row[2]}\n" for row in TRUTH)

    rows = await served(file)

    assert [row.reason for row in rows] == [reason for _, _, reason in TRUTH]


@pytest.mark.parametrize(
    "content", [b"", b"\xef\xbb\xbf", b"EMAIL,REASON\n", "姓名,信箱\n".encode(), b"\n \n"]
)
async def test_empty_file_is_warned_of(content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It has no row, although the platform counted some: that is always logged."""
    async with rejecting() as (bench, report):
        bench.emulator.fail("download", status=200, body=content)
        rows = await rows_of(bench.nl, report)

    (warning,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert rows == []
    assert warning.name == "newsleopard_async"
    assert f"counts 5 rejected rows in import {report.import_sn}," in warning.getMessage()


@pytest.mark.parametrize("errors", [0, None])
async def test_empty_file_of_no_errors_is_not_warned_of(
    errors: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The platform can give a file in any case; without a count, nothing is missing."""
    async with rejecting() as (bench, report):
        bench.emulator.fail("download", status=200, body=b"ADDRESS,REASON\n")
        result = attrs.evolve(report.result, errors=errors)
        rows = await rows_of(bench.nl, attrs.evolve(report, result=result))

    assert rows == []
    assert [each for each in caplog.records if each.levelno == logging.WARNING] == []


async def test_rows_are_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """However early the reader goes."""
    async with rejecting() as (bench, report):
        await rows_of(bench.nl, report)
        async with aclosing(rejected_rows(bench.nl, report)) as rows:
            await anext(rows)

    assert [each for each in caplog.records if each.levelno == logging.WARNING] == []


async def test_row_of_a_repeated_address_is_found_by_its_cells() -> None:
    """Of two rows with one address, one can be good; the platform can write it differently."""
    contacts = "EMAIL,NAME,POINTS\nA@x.tw,A,1\na@x.tw,A,one\nb@x.tw,B,1.50\nc@x.tw,C,1\n"
    file = "EMAIL,NAME,POINTS,REASON\na@x.tw,A,one,n\na@x.tw,A,?,n\nb@x.tw,B,1.5,n\nd@x.tw,D,1,n\n"

    rows = await served(file, contacts)

    assert [row.line for row in rows] == [3, None, 4, None]


@pytest.mark.parametrize(("most", "with_lines"), [(5, True), (4, False)])
async def test_lines_of_very_many_rows_are_not_searched_for(
    most: int, with_lines: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All rows come, and memory has a bound."""
    monkeypatch.setattr(rejected_file, "MOST_ROWS_WITH_LINES", most)
    async with rejecting() as (bench, report):
        rows = await rows_of(bench.nl, report)

    assert [email for _, email, _ in facts(rows)] == [email for _, email, _ in TRUTH]
    assert all((row.line is not None) is with_lines for row in rows)


async def test_row_shows_no_contact() -> None:
    """The line and the reason, without the values of the row in the reason."""
    quoting = "\"'absent' (乙, 0912345678) is not an address; write to help@x.tw\""
    contacts = "EMAIL,NAME,PHONE,SEX\nabsent,乙,0912345678,s\n"
    file = f"EMAIL,NAME,PHONE,SEX,REASON\nabsent,乙,0912345678,s,{quoting}\n"
    (row,) = await served(file, contacts)

    shown = f"{row!r} {row}"

    assert row.reason is not None
    assert "absent" in row.reason
    assert "RejectedRow(line=2" in shown
    assert "is not an address" in shown
    assert not any(each in shown for each in ("absent", "乙", "0912", "@"))
    assert from_plain(RejectedRow, row.to_dict()) == row
    assert "None" in repr(RejectedRow())


async def test_name_that_is_also_a_word_of_headers_is_not_a_header() -> None:
    """It can be a family name, for example To: the platform's count of rows decides."""
    file = "wang.gmail.com,To,invalid email\nli.gmail.com,Li,invalid email\n"
    sent = "EMAIL,NAME\nwang.gmail.com,To\nli.gmail.com,Li\n"

    rows = await served(file, sent, sent=sent)

    assert facts(rows) == [
        (2, "wang.gmail.com", "invalid email"),
        (3, "li.gmail.com", "invalid email"),
    ]


async def test_column_of_other_addresses_is_not_the_reason() -> None:
    """Though it is the last one, and the contacts are not known."""
    rows = await served("EMAIL,NAME,why,Backup Email\nabsent,乙,no such domain,bk@x.com\n")

    assert [row.reason for row in rows] == ["no such domain"]


async def test_blank_rows_below_a_header_are_counted() -> None:
    """A list can contain blank records, and the others keep their positions."""
    contacts = [*rows_below_header()[:2], [], *rows_below_header()[2:]]
    async with rejecting(TABLE) as (bench, report):
        rows = await rows_of(bench.nl, report, contacts)

    assert [row.line for row in rows] == [4, 5, 6]


async def test_path_as_text_is_not_taken_for_contacts() -> None:
    """Text is the contacts themselves, here as everywhere else."""
    async with rejecting() as (bench, report):
        with pytest.raises(InvalidRequest, match="is text of one line"):
            rejected_rows(bench.nl, report, contacts="members.csv")


def test_rows_do_not_show_their_contact() -> None:
    """Neither the repr nor rich, which reads the fields of objects, shows them."""
    values = {"EMAIL": "absent@example.com", "NAME": "Absent"}
    rows = (
        RejectedRow(line=3, email="absent@example.com", reason="absent@example.com", values=values),
        ReportRow(
            email="absent@example.com",
            name="Absent",
            url="https://example.com/absent",
            reason="Absent is full",
            values=values,
        ),
    )

    for row in rows:
        for said in (repr(row), str(row), pretty_repr(row), pretty_repr([row]), pformat(row)):
            assert "absent" not in said.casefold()
            assert "reason='" in said
