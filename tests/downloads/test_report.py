"""Columns of report files are recognised, and other columns are not confused with them."""

from __future__ import annotations

import csv
import io
from datetime import UTC
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async import InvalidRequest
from newsleopard_async.downloads.report import ReportCounts, count_report, report_rows
from newsleopard_async.models.reports import ReportRow

pytestmark = pytest.mark.anyio


async def rows_of(path: Path, content: str) -> list[ReportRow]:
    """Write a report file, and read it."""
    path.write_text(content, "utf-8")
    return [row async for row in report_rows(path, kind="open", zone=UTC, encoding=None)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a report file is."""
    return tmp_path / "open.csv"


ADDRESSES = [
    ("Email,To Email", "s@x.tw,a@x.tw"),
    ("From Email,To Email", "s@x.tw,a@x.tw"),
    ("fromEmail,replyTo,email", "s@x.tw,r@x.tw,a@x.tw"),
    ("寄件人信箱,收件人信箱", "s@x.tw,a@x.tw"),
    ("電子郵件主旨,收件人,時間", "50%@home,a@x.tw,-"),
    ("收件人,EMAIL", "王小明,a@x.tw"),
    ("ＥＭＡＩＬ", "a@x.tw"),
    ("E-mail Address", "a@x.tw"),
    ("Recipient,EMAIL", "a@x.tw,-"),
]


@pytest.mark.parametrize(("header", "row"), ADDRESSES)
async def test_address_is_the_recipients(header: str, row: str, path: Path) -> None:
    """By the names of its columns, the one that says most first, if the cell is an address."""
    (found,) = await rows_of(path, f"{header}\n{row}\n")
    counts = await count_report(path, encoding=None)

    assert found.email == "a@x.tw"
    assert counts.people == 1


@pytest.mark.parametrize(
    "row", ["https://x.tw/?u=b@x.tw,550 <b@x.tw> is full,a@x.tw", "mailto:b@x.tw,a@x.tw"]
)
async def test_address_without_a_header_is_known_by_its_look(row: str, path: Path) -> None:
    """A link or text that contains an address is not an address; other cells have no meaning."""
    (found, longer) = await rows_of(path, f"{row}\n2026-01-05,-,-,a@x.tw\n")

    assert found.email == longer.email == "a@x.tw"
    assert (longer.at, longer.url, longer.reason) == (None, None, None)


NOT_ADDRESSES = [
    "LINE@",
    "LINE@ID",
    "@timestamp",
    "E-mail @ work",
    "50%@home",
    "x.tw/@a.b",
    "@",
    "V@2.0",
]


@pytest.mark.parametrize("name", NOT_ADDRESSES)
async def test_name_with_an_at_sign_is_a_name(name: str, path: Path) -> None:
    """A first row is a header unless one of its cells looks like an address."""
    content = f"{name},電子郵件,姓名\n@abc,a@x.tw,王\nb@,b@gmail,林\n"

    first, second = await rows_of(path, content)
    counts = await count_report(path, encoding=None)

    assert (first.email, first.name, first.values[name]) == ("a@x.tw", "王", "@abc")
    assert second.email == "b@gmail"
    assert (counts.rows, counts.people) == (2, 2)


@pytest.mark.parametrize("cell", NOT_ADDRESSES)
async def test_cell_with_an_at_sign_is_no_address_without_a_header(cell: str, path: Path) -> None:
    """An address has a domain, which ends in letters; any other cell is left in the values."""
    found = await rows_of(path, f"{cell},a@x.tw,王\n{cell},b@xn--kpry57d.xn--kpry57d,林\n")

    assert [row.email for row in found] == ["a@x.tw", "b@xn--kpry57d.xn--kpry57d"]
    assert found[0].values["column 1"] == cell


async def test_address_may_stand_behind_a_name(path: Path) -> None:
    """An address as in a mail header is returned unchanged."""
    (found,) = await rows_of(path, "收件人\n王小明 <a@x.tw>\n")

    assert found.email == "王小明 <a@x.tw>"


@pytest.mark.parametrize(
    "content",
    [
        "Email Status\nopened\n",
        "EMAIL\n-\n",
        "From Email\ns@x.tw\n",
        "Email Subject\nHi@x\n",
        "WHO\na@x.tw\n",
    ],
)
async def test_rows_without_any_address_belong_to_no_contact(content: str, path: Path) -> None:
    """How many people they are of is then not known, and is not 0; the rows are counted.

    An address in a column of an unknown name may be anybody's.
    """
    (found,) = await rows_of(path, content)
    counts = await count_report(path, encoding=None)

    assert found.email == ""
    assert (counts.rows, counts.people) == (1, None)


REASONS = [
    "550 blocked\nfor help write to, postmaster@isp.example, and quote this\nbye",
    "550 no such user, a@x.tw, here\nbye",
    "Final-Recipient: rfc822;\na@x.tw,a@x.tw\nAction: failed",
    "see\nc@x.tw,C,2026-01-05 10:00:00,550 full",
    "c@x.tw,C,2026-01-05 10:00:00,550 full\nd@x.tw,D,2026-01-05 10:00:00,550 full",
    '"<a@x.tw>": quota\n"b@x.tw", or\nEMAIL,NAME,BOUNCED_AT,REASON',
    "\n\na@x.tw\n",
]


@pytest.mark.parametrize(
    ("header", "separator"), [("EMAIL,NAME,BOUNCED_AT,REASON", ","), ("信箱,a,b,c", ";"), ("", ",")]
)
@pytest.mark.parametrize("reason", REASONS)
async def test_answer_of_a_server_may_have_lines_that_look_like_rows(
    reason: str, header: str, separator: str, path: Path
) -> None:
    """A cell with several lines is part of one row, with and without a header."""
    rows = [[who, "A", "2026-01-05 10:00:00", reason] for who in ("a@x.tw", "b@x.tw")]
    file = io.StringIO(newline="")
    table = [*([header.split(",")] if header else []), *rows]
    csv.writer(file, delimiter=separator).writerows(table)

    found = await rows_of(path, file.getvalue())
    counts = await count_report(path, encoding=None)

    assert [list(row.values.values()) for row in found] == rows
    assert [row.email for row in found] == ["a@x.tw", "b@x.tw"]
    assert (counts.rows, counts.people) == (2, 2)


CELLS = st.lists(
    st.sampled_from(
        ["a@x.tw", '"', ",", "\n", "x", "@", "b@x.tw,B,C,D", "王", "EMAIL,NAME\n", ";"]
    ),
    max_size=5,
).map("".join)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=5), st.sampled_from(",;\t"))
def test_any_proper_report_is_read_as_it_was_written(
    rows: list[tuple[str, str, str]], separator: str
) -> None:
    """Cells can have any content, because RFC 4180 has quotes."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator)
    writer.writerows([("EMAIL", "NAME", "NOTE", "REASON"), *(("c@x.tw", *row) for row in rows)])

    with TemporaryDirectory() as folder:
        found = anyio.run(rows_of, Path(folder, "open.csv"), file.getvalue())

    assert [tuple(row.values.values()) for row in found] == [("c@x.tw", *row) for row in rows]


async def test_lone_quote_spoils_one_row_of_a_report(path: Path) -> None:
    """A program that writes no quotes writes those of names as they are."""
    rows = "".join(f"u{number}@x.tw,U{number}\n" for number in range(30))

    found = await rows_of(path, f'EMAIL,NAME\na@x.tw,"Lin\n{rows}b@x.tw,27" TV\n')

    assert len(found) == 32
    assert found[0].values["NAME"] == '"Lin'


def test_file_without_rows_counts_no_contact() -> None:
    """That is known."""
    assert ReportCounts().people == 0


CLICKS = [
    ("LINK_TEXT,LINK_URL", "立即購買,https://x.tw/", "https://x.tw/"),
    ("連結,網址", "立即購買,https://x.tw/", "https://x.tw/"),
    ("Link,Target", "https://x.tw/,-", "https://x.tw/"),
    ("linkName,clickUrl", "buy,x.tw/a", "x.tw/a"),
    ("unsubscribe_url,Image URL,URL", "https://u.tw,https://i.tw,https://x.tw/", "https://x.tw/"),
    ("Page URL,Clicked URL", "https://p.tw/,https://x.tw/", "https://x.tw/"),
    ("URL,LINK", ",mailto:a@x.tw", "mailto:a@x.tw"),
    ("LINK,LINK_ID", "立即購買,1.5", None),
    ("退訂連結", "https://u.tw/", None),
]


@pytest.mark.parametrize(("header", "row", "url"), CLICKS)
async def test_url_is_where_the_link_leads(
    header: str, row: str, url: str | None, path: Path
) -> None:
    """And not what stands on it."""
    (found,) = await rows_of(path, f"EMAIL,{header}\nb@x.tw,{row}\n")

    assert found.url == url


BOUNCES = [
    ("errorCode,bounceReason", "550,full", "full"),
    ("reason_code,Reason", "550,full", "full"),
    ("bounceCode,退信原因", "550,full", "full"),
    ("Message ID,Error Time,SMTP Error", "<7>,-,full", "full"),
    ("錯誤代碼,錯誤訊息", "550,full", "full"),
    ("REASON,Error", ",full", "full"),
    ("errorCode", "550", "550"),
    ("COUNTRY_CODE,Message-ID", "TW,<7>", None),
]


@pytest.mark.parametrize(("header", "row", "reason"), BOUNCES)
async def test_reason_is_in_words_if_there_are_any(
    header: str, row: str, reason: str | None, path: Path
) -> None:
    """Else it is the code, if that is one of an error."""
    (found,) = await rows_of(path, f"EMAIL,{header}\nb@x.tw,{row}\n")

    assert found.reason == reason


@pytest.mark.parametrize(
    ("content", "rule", "says"),
    [
        (b"PK\x03\x04zzzz", "not-text", "is not a CSV file but a zip archive; "),
        (b"<html><body>", "spreadsheet-file", "is not a CSV file but an HTML page; "),
        (b'{"message":"expired"}', "not-text", "is not a CSV file but JSON; "),
        (b"<Error><Code>x</Code></Error>", "not-text", "is not a CSV file but HTML or XML; "),
        (b"Access denied", "not-text", "has only one line"),
        ("連結已過期, 請重新登入".encode("big5"), "not-text", "has only one line"),
        (b"Error,the link has expired\n", "not-text", "has only one line"),
        (b"Error\r\n\r\n", "not-text", "has only one line"),
        (b"EMAIL\n\xff\xfe\xfd\n", "encoding", "cannot be decoded: line 2 has the bytes ff"),
    ],
)
async def test_unreadable_file_is_named(content: bytes, rule: str, says: str, path: Path) -> None:
    """The message names a report file and its way out, not contacts."""
    path.write_bytes(content)

    with pytest.raises(InvalidRequest) as caught:
        await count_report(path, encoding=None)
    with pytest.raises(InvalidRequest) as of_rows:
        await anext(report_rows(path, kind="open", zone=UTC, encoding=None))

    (problem,) = caught.value.problems
    assert (problem.field, problem.rule) == ("files", rule)
    assert problem.message.startswith(f"{path} {says}")
    assert "contact" not in problem.message
    assert str(of_rows.value) == str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("content", "people"),
    [
        ("EMAIL,NAME,OPENED_AT\n", 0),
        ("收件人信箱\n", 0),
        ("UID;開信時間;x\n", 0),
        ("Access denied\nRequest 7\n", None),
        ("a@x.tw\nb@x.tw\n", 2),
        ("a@x.tw\n", 1),
    ],
)
async def test_file_of_one_line_is_a_header_a_row_or_unknown(
    content: str, people: int | None, path: Path
) -> None:
    """A header without rows counts 0 addresses; a message is an error."""
    path.write_text(content, "utf-8")

    assert (await count_report(path, encoding=None)).people == people


FRAMED = [
    "開信報表\n{table}",
    "開信報表,,\n匯出時間,2026-01-05,\n\n{table}",
    "{table}合計,2,\n",
    "{table},,\n總計：2,,\n",
    "Opens of May\n{table}Grand Total,,2\n",
]


@pytest.mark.parametrize("frame", FRAMED)
async def test_title_and_total_are_no_rows(frame: str, path: Path) -> None:
    """A spreadsheet can have added them."""
    table = 'EMAIL,NAME,OPENED_AT\na@x.tw,"A\nc@x.tw,C,x",2026-01-05 10:00\nb@x.tw,Total,\n'

    first, second = await rows_of(path, frame.format(table=table))
    counts = await count_report(path, encoding=None)

    assert (first.email, first.name) == ("a@x.tw", "A\nc@x.tw,C,x")
    assert first.at is not None
    assert (second.email, second.name) == ("b@x.tw", "Total")
    assert (counts.rows, counts.people) == (2, 2)


@pytest.mark.parametrize(
    "content",
    [
        "USER,CHANNEL,TIME\n7,email,2026-01-05\n8,email,2026-01-06\n",
        "WHO,WHEN\na@x.tw,2026-01-05\nEMAIL,NAME\n",
    ],
)
async def test_row_of_words_of_headers_is_no_header(content: str, path: Path) -> None:
    """A header has more cells than the lines above it, which have no address."""
    found = await rows_of(path, content)

    assert list(found[0].values) == content.splitlines()[0].split(",")
    assert len(found) == 2


async def test_unknown_encoding_is_no_fault_of_the_file(path: Path) -> None:
    """It is the argument that is wrong."""
    path.write_bytes(b"EMAIL\n")

    with pytest.raises(InvalidRequest) as caught:
        await count_report(path, encoding="klingon")

    assert [each.field for each in caught.value.problems] == ["encoding"]
    assert str(path) not in str(caught.value)
