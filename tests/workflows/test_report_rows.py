"""Report files are read as typed rows, and counted, in any encoding and with any columns."""

from __future__ import annotations

import gc
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import pytest

from newsleopard_async import CampaignSn, InvalidRequest, ReportType, workflows
from newsleopard_async.downloads import report as report_files
from newsleopard_async.downloads.table_headers import read_header
from newsleopard_async.emulator import Switches
from newsleopard_async.models.reports import ReportRow
from newsleopard_async.plain import from_plain
from newsleopard_async.workflows import CampaignReport, ReportFile
from tests.clients import Bench, connected

pytestmark = pytest.mark.anyio

SN = CampaignSn("c")
TWO = datetime(2026, 1, 5, 2, tzinfo=UTC)
LIVELY: dict[str, Any] = {
    "bounce_share": 0.2,
    "open_share": 0.9,
    "click_share": 0.8,
    "unsubscribe_share": 0.3,
    "complain_share": 0.3,
}
"""Readers who do everything, so that each type has its file."""


def report_of(folder: Path, **contents: str | bytes) -> CampaignReport:
    """Write report files, and give the report that they are of."""
    files = []
    for kind, content in contents.items():
        path = folder / f"{kind}.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        files.append(ReportFile(type=ReportType(kind), path=path, size_bytes=len(content)))
    return CampaignReport(campaign_sn=SN, unchanged=False, files=tuple(files))


async def rows_of(report: CampaignReport, kind: str, **options: Any) -> list[ReportRow]:
    """Read a file to its end."""
    return [row async for row in report.rows(kind, **options)]


@asynccontextmanager
async def exported(
    folder: Path, *, rows: int = 50, **switches: Any
) -> AsyncIterator[tuple[Bench, CampaignReport]]:
    """Send a campaign, and download its report."""
    async with connected(switches=Switches(**switches)) as bench:
        sn = await bench.send(rows=rows)
        yield bench, await workflows.export_report(bench.nl, sn, download_to=folder)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp950"])
async def test_rows_are_the_events(encoding: str, tmp_path: Path) -> None:
    """Who, when, what and why, for every type, in every usual encoding (T119)."""
    async with exported(tmp_path, report_encoding=encoding, **LIVELY) as (bench, report):
        (campaign,) = bench.emulator.campaigns
        names = {each.email: each.name for each in bench.emulator.contacts.values()}
        for kind in ReportType.known:
            found = await rows_of(report, kind)
            created = next(file.created for file in report.files if file.type == kind)
            assert created is not None
            happened = [
                (wave.begin + timedelta(milliseconds=after_ms), wave.recipients[place])
                for wave in campaign.waves
                for times, places in wave.parts(kind, created)
                for after_ms, place in zip(times, places, strict=True)
            ]
            assert sorted(row.email for row in found) == sorted(who.email for _, who in happened)
            assert {row.name for row in found} <= set(names.values())
            assert all(names[row.email] == row.name for row in found)
            times = {who.email: at for at, who in happened}
            assert all(
                row.at is not None and abs(row.at - times[row.email]) < timedelta(milliseconds=1)
                for row in found
            )
            assert all((row.url is not None) == (kind == "click") for row in found)
            assert all((row.reason is not None) == (kind == "bounce") for row in found)


async def test_summary_counts_the_events(tmp_path: Path) -> None:
    """Each number is the emulator's own, and each rate has its base."""
    async with exported(tmp_path, rows=200, **LIVELY) as (bench, report):
        (campaign,) = bench.emulator.campaigns
        truth = {kind: campaign.count(kind, bench.clock.now()) for kind in ReportType.known}
        summary = await report.summary()

    assert (summary.campaign_sn, summary.events) == (report.campaign_sn, truth)
    assert (summary.delivered, summary.bounced) == (truth["delivery"], truth["bounce"])
    assert (summary.opened, summary.clicked) == (truth["open"], truth["click"])
    assert summary.unsubscribed == truth["unsubscribe"]
    assert summary.complained == truth["complain"]
    assert summary.delivered_rate_percent == 100 * truth["delivery"] / 200
    assert summary.bounced_rate_percent == 100 * truth["bounce"] / 200
    assert summary.opened_rate_percent == 100 * truth["open"] / truth["delivery"]
    assert summary.clicked_rate_percent == 100 * truth["click"] / truth["delivery"]
    assert summary.click_to_open_rate_percent == 100 * truth["click"] / truth["open"]
    assert summary.unsubscribed_rate_percent == 100 * truth["unsubscribe"] / truth["delivery"]
    assert summary.complained_rate_percent == 100 * truth["complain"] / truth["delivery"]


async def test_stored_report_can_be_read(tmp_path: Path) -> None:
    """The files stay at their paths for every caller."""
    report = report_of(tmp_path, open="EMAIL,OPENED_AT\na@example.com,2026-01-05T02:00:00Z\n")

    again = from_plain(CampaignReport, report.to_dict())

    assert [row.at for row in await rows_of(again, "open")] == [TWO]
    assert (await again.summary()).opened == 1


COLUMNS = [
    ("EMAIL,NAME,OPENED_AT", "a@x.tw,A,2026-01-05 02:00", ("a@x.tw", "A", TWO)),
    ("\ufeffemail;name;time", "a@x.tw;A;2026-01-05 02:00", ("a@x.tw", "A", TWO)),
    ("開信時間\t姓名\t信箱", "2026-01-05 02:00\tA\ta@x.tw", ("a@x.tw", "A", TWO)),
    ('"E-mail"," Full Name"," openDate"', 'a@x.tw,"A, B",1767578400', ("a@x.tw", "A, B", TWO)),
    ("Name,Recipient,openedAt", "A,a@x.tw,2026-01-05T02:00Z", ("a@x.tw", "A", TWO)),
    ("EMAIL_KIND,EMAIL", "work,a@x.tw", ("a@x.tw", "", None)),
    ("EMAIL,REGISTER_DATE,OPEN_TIME", "a@x.tw,2020-01-01,2026-01-05 02:00", ("a@x.tw", "", TWO)),
    ("EMAIL,BIRTHDAY_DATE", "a@x.tw,2026-01-05 02:00", ("a@x.tw", "", None)),
    ("EMAIL,FORMAT,STAT", "a@x.tw,2026-01-05,2026-01-05", ("a@x.tw", "", None)),
    ("EMAIL,TIME", "a@x.tw,soon", ("a@x.tw", "", None)),
    ("EMAIL,TIME", "a@x.tw", ("a@x.tw", "", None)),
    ("WHO,WHEN", "a@x.tw,2026-01-05", ("", "", None)),
]


@pytest.mark.parametrize(("header", "row", "expected"), COLUMNS)
async def test_columns_are_recognised(
    header: str, row: str, expected: tuple[Any, ...], tmp_path: Path
) -> None:
    """By their names in English and 中文, and by nothing else."""
    report = report_of(tmp_path, open=f"{header}\r\n{row}\r\n")

    (found,) = await rows_of(report, "open")

    assert (found.email, found.name, found.at) == expected


async def test_every_cell_is_kept(tmp_path: Path) -> None:
    """An unknown column is in the values, under its name or its position."""
    report = report_of(tmp_path, click="EMAIL,,X,X,連結,TIME\na@x.tw,1,2,3,https://x.tw/,soon,6\n")

    (row,) = await rows_of(report, "click")

    assert (row.url, row.at) == ("https://x.tw/", None)
    assert row.values == {
        "EMAIL": "a@x.tw",
        "column 2": "1",
        "X": "2",
        "column 4": "3",
        "連結": "https://x.tw/",
        "TIME": "soon",
        "column 7": "6",
    }


async def test_file_without_a_header_loses_no_row(tmp_path: Path) -> None:
    """A first row with an address in it is a row, and names no column."""
    report = report_of(tmp_path, open="1,a@x.tw\n2,b@x.tw\n")

    rows = await rows_of(report, "open")

    assert [row.email for row in rows] == ["a@x.tw", "b@x.tw"]
    assert list(rows[0].values) == ["column 1", "column 2"]


async def test_zone_of_times_can_be_passed(tmp_path: Path) -> None:
    """The zone is not documented; UTC is assumed unless the caller sets it."""
    report = report_of(tmp_path, open="EMAIL,TIME\na@x.tw,2026-01-05 10:00\n")

    (row,) = await rows_of(report, "open", zone=ZoneInfo("Asia/Taipei"))

    assert row.at == TWO


@pytest.mark.parametrize("text", ["", "\n\n", "EMAIL\n", "\ufeffEMAIL,NAME\n", "EMAIL\n , \n,,\n"])
async def test_empty_file_has_no_row(text: str, tmp_path: Path) -> None:
    """A header alone and a blank line have no rows either."""
    report = report_of(tmp_path, open=text)

    assert await rows_of(report, "open") == []
    assert (await report.summary()).opened == 0


async def test_type_without_a_file_has_no_row(tmp_path: Path) -> None:
    """The platform creates no file for no events (T116); then the count is unknown."""
    report = report_of(tmp_path, delivery="EMAIL\na@x.tw\n")

    assert await rows_of(report, "complain") == []
    assert (await report.summary()).complained is None


async def test_unknown_type_can_be_read(tmp_path: Path) -> None:
    """An undocumented type is read like the others, and counted by its name."""
    report = report_of(tmp_path, forward="EMAIL\na@x.tw\n")

    assert [row.email for row in await rows_of(report, "forward")] == ["a@x.tw"]
    assert (await report.summary()).events == {"forward": 1}


async def test_address_counts_once(tmp_path: Path) -> None:
    """Opens in any spelling count one person; a cell without an address counts none."""
    opened = "EMAIL,TIME\na@x.tw,1\n A@X.tw ,2\nb@x.tw,3\n–,4\n"
    report = report_of(tmp_path, delivery="EMAIL\na@x.tw\nb@x.tw\n", open=opened)

    summary = await report.summary()

    assert (summary.delivered, summary.opened) == (2, 2)
    assert summary.events == {"delivery": 2, "open": 4}


async def test_rows_without_any_address_are_of_an_unknown_number(tmp_path: Path) -> None:
    """No address counts; the rows are still counted (T119)."""
    report = report_of(tmp_path, open="Email Status\nopened\n", click="EMAIL\n")

    summary = await report.summary()

    assert (summary.opened, summary.clicked) == (None, 0)
    assert summary.events == {"open": 1, "click": 0}


async def test_rate_that_rests_on_nothing_is_unknown(tmp_path: Path) -> None:
    """There is no division by zero, and an unknown count is not 0."""
    files = dict.fromkeys(("delivery", "open", "bounce", "click"), "EMAIL\n")
    absent = await report_of(tmp_path, **files).summary()
    unknown = await report_of(tmp_path, open="EMAIL\na@x.tw\n").summary()

    for summary in (absent, unknown):
        rates = [name for name in dir(summary) if name.endswith("_percent")]
        assert len(rates) == 7
        assert {getattr(summary, name) for name in rates} <= {None, 0.0}
    assert absent.delivered_rate_percent is None
    assert unknown.opened_rate_percent is None
    assert unknown.click_to_open_rate_percent is None


async def test_summary_is_shown_as_a_table(tmp_path: Path) -> None:
    """Numbers and rates are aligned, each with its base."""
    delivered = "".join(f"u{number}@x.tw\n" for number in range(3_000))
    files = {"delivery": delivered, "open": "a@x.tw\nb@x.tw\n", "bounce": "c@x.tw\n"}
    report = report_of(tmp_path, **{kind: f"EMAIL\n{text}" for kind, text in files.items()})

    assert str(await report.summary()).splitlines() == [
        "delivered          3,000  100.0 % of delivered and bounced",
        "opened                 2    0.1 % of delivered",
        "clicked                –        – of delivered",
        "                                – of opened",
        "bounced                1    0.0 % of delivered and bounced",
        "unsubscribed           –        – of delivered",
        "complained             –        – of delivered",
    ]


async def test_row_shows_no_contact() -> None:
    """Neither the addresses nor the server's messages are shown."""
    row = ReportRow(
        email="ming@x.tw",
        name="王小明",
        at=TWO,
        url="https://x.tw/?who=ming@x.tw",
        reason="550 <ming@x.tw> (王小明) is unknown; see other@x.tw" + "!" * 200,
        values={"PHONE": "0912345678"},
    )

    shown = f"{row!r} {row}"

    assert "550" in shown
    assert "2026" in shown
    assert not any(each in shown for each in ("ming", "王小明", "@", "https", "0912", "!" * 99))
    assert hash(row) == hash(from_plain(ReportRow, row.to_dict()))


async def test_report_that_was_not_downloaded_is_refused() -> None:
    """The error names the argument and the pipeline."""
    report = CampaignReport(campaign_sn=SN, unchanged=False)

    with pytest.raises(InvalidRequest, match="folder to export_report") as rows:
        report.rows("open")
    with pytest.raises(InvalidRequest) as summary:
        await report.summary()

    for caught in (rows, summary):
        assert [each.field for each in caught.value.problems] == ["download_to"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"type": "opened"}, ("type", "choice")),
        ({"type": None}, ("type", "type")),
        ({"type": ["open"]}, ("type", "type")),
        ({"type": "open", "zone": "Asia/Taipei"}, ("zone", "type")),
    ],
)
def test_bad_arguments_are_refused_at_once(
    arguments: Any, problem: tuple[str, str], tmp_path: Path
) -> None:
    """Before anything is read, and not at the first row."""
    report = report_of(tmp_path, open="EMAIL\n")

    with pytest.raises(InvalidRequest) as caught:
        report.rows(**arguments)

    assert [(each.field, each.rule) for each in caught.value.problems] == [problem]


async def test_file_that_was_deleted_is_reported(tmp_path: Path) -> None:
    """A downloaded file can have been moved."""
    report = report_of(tmp_path, open="EMAIL\n")
    (tmp_path / "open.csv").unlink()

    for reading in (rows_of(report, "open"), report.summary()):
        with pytest.raises(InvalidRequest, match="cannot be read") as caught:
            await reading
        assert [each.rule for each in caught.value.problems] == ["readable"]
        assert caught.value.__cause__ is None


async def test_encoding_can_be_passed(tmp_path: Path) -> None:
    """If it cannot be detected, the error says so, and the caller can pass it."""
    report = report_of(tmp_path, open="EMAIL,NAME\na@x.tw,王小明\n".encode("utf-16-le"))

    with pytest.raises(InvalidRequest) as caught:
        await rows_of(report, "open")
    (row,) = await rows_of(report, "open", encoding="utf-16-le")
    summary = await report.summary(encoding="utf-16-le")

    assert "encoding=" in str(caught.value)
    assert "a@x" not in str(caught.value)
    assert (row.email, row.name, summary.opened) == ("a@x.tw", "王小明", 1)


async def test_file_is_read_off_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other tasks run while a large file is read and counted."""
    threads: set[int] = set()

    def noted(rows: Any) -> Any:
        threads.add(threading.get_ident())
        return read_header(rows)

    monkeypatch.setattr(report_files, "read_header", noted)
    report = report_of(tmp_path, open="EMAIL\na@x.tw\n")
    await rows_of(report, "open")
    await report.summary()

    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("how", ["break", "cancel"])
async def test_reading_that_is_given_up_closes_the_file(how: str, tmp_path: Path) -> None:
    """No file stays open after any end of the loop; an open file would be a warning here."""
    lines = "".join(f"u{number}@x.tw\n" for number in range(5_000))
    report = report_of(tmp_path, open=f"EMAIL\n{lines}")
    seen = 0

    with anyio.CancelScope() as scope:
        async with aclosing(report.rows("open")) as rows:
            async for _ in rows:
                seen += 1
                if how == "break":
                    break
                scope.cancel()

    gc.collect()
    (tmp_path / "open.csv").unlink()
    assert seen == (1 if how == "break" else 2_000)
    assert scope.cancelled_caught is (how == "cancel")
