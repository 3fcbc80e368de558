"""Columns of report files are recognised, and never taken for what they may not be."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest

from newsleopard_async import InvalidRequest
from newsleopard_async.downloads.report import Tally, count_report, report_rows
from newsleopard_async.models.reports import ReportRow


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


@pytest.mark.anyio
@pytest.mark.parametrize(("header", "row"), ADDRESSES)
async def test_address_is_the_recipients(header: str, row: str, path: Path) -> None:
    """By the names of its columns, the one that says most first, if the cell is an address."""
    (found,) = await rows_of(path, f"{header}\n{row}\n")
    tally = await count_report(path, encoding=None)

    assert found.email == "a@x.tw"
    assert tally.people == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    "row", ["https://x.tw/?u=b@x.tw,550 <b@x.tw> is full,a@x.tw", "mailto:b@x.tw,a@x.tw"]
)
async def test_address_without_a_header_is_known_by_its_look(row: str, path: Path) -> None:
    """It is no link or text with an address in it; no other cell means anything."""
    (found, longer) = await rows_of(path, f"{row}\n2026-01-05,-,-,a@x.tw\n")

    assert found.email == longer.email == "a@x.tw"
    assert (longer.at, longer.url, longer.reason) == (None, None, None)


@pytest.mark.anyio
async def test_address_may_stand_behind_a_name(path: Path) -> None:
    """As in a mail's own header; it is given as it stands in the file."""
    (found,) = await rows_of(path, "收件人\n王小明 <a@x.tw>\n")

    assert found.email == "王小明 <a@x.tw>"


@pytest.mark.anyio
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
async def test_rows_without_any_address_are_of_nobody_knows_whom(content: str, path: Path) -> None:
    """How many people they are of is then not known, and is not 0; the rows are counted.

    An address in a column of an unknown name may be anybody's.
    """
    (found,) = await rows_of(path, content)
    tally = await count_report(path, encoding=None)

    assert found.email == ""
    assert (tally.rows, tally.people) == (1, None)


def test_file_without_rows_is_of_nobody() -> None:
    """That is known."""
    assert Tally().people == 0


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


@pytest.mark.anyio
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


@pytest.mark.anyio
@pytest.mark.parametrize(("header", "row", "reason"), BOUNCES)
async def test_reason_is_in_words_if_there_are_any(
    header: str, row: str, reason: str | None, path: Path
) -> None:
    """Else it is the code, if that is one of an error."""
    (found,) = await rows_of(path, f"EMAIL,{header}\nb@x.tw,{row}\n")

    assert found.reason == reason


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("content", "rule", "says"),
    [
        (b"PK\x03\x04zzzz", "not-text", "is no CSV but a zip archive; download the report again"),
        (b"<html><body>", "spreadsheet-file", "is no CSV but an HTML page; download the report"),
        (b"EMAIL\n\xff\xfe\xfd\n", "encoding", "cannot be decoded: line 2 has the bytes ff"),
    ],
)
async def test_unreadable_file_is_named(content: bytes, rule: str, says: str, path: Path) -> None:
    """In words for a report, which nobody exports as they do contacts."""
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


@pytest.mark.anyio
async def test_unknown_encoding_is_no_fault_of_the_file(path: Path) -> None:
    """It is the argument that is wrong."""
    path.write_bytes(b"EMAIL\n")

    with pytest.raises(InvalidRequest) as caught:
        await count_report(path, encoding="klingon")

    assert [each.field for each in caught.value.problems] == ["encoding"]
    assert str(path) not in str(caught.value)
