"""The file of rejected rows is downloaded after a failure of its link, or an error says why."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, cast

import pytest

from newsleopard_async import (
    APIError,
    ImportResult,
    ImportSn,
    ImportStatus,
    InvalidRequest,
    ListSn,
    StorageError,
    workflows,
)
from newsleopard_async.plain import from_plain
from newsleopard_async.workflows import ImportReport, rejected_rows
from tests.clients import Reply, connected, scripted
from tests.workflows.rejections import TRUTH, facts, rejecting, rows_of

pytestmark = pytest.mark.anyio

EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


async def test_link_that_expired_is_replaced() -> None:
    """A report can be read long after the import; its link is valid for an hour."""
    async with rejecting() as (bench, report):
        await bench.clock.sleep(7_200)
        before = bench.emulator.count("get_import")
        rows = await rows_of(bench.nl, report)

    assert facts(rows) == TRUTH
    assert bench.emulator.count("get_import") == before + 1


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_link_that_is_refused_is_replaced(status: int) -> None:
    """If the storage refuses an old link in any way, a fresh one is tried."""
    async with rejecting() as (bench, report):
        bench.emulator.fail("download", status=status, times=1 if status < 500 else 3)
        rows = await rows_of(bench.nl, report)

    assert facts(rows) == TRUTH


async def test_fresh_link_that_is_refused_is_an_error() -> None:
    """The platform's word on it is final, unless the link has expired again."""
    async with rejecting() as (bench, report):
        bench.emulator.fail("download", status=404, times=2)
        with pytest.raises(StorageError) as caught:
            await rows_of(bench.nl, report)

    assert caught.value.status == 404
    assert bench.emulator.count("download") == 2


async def test_links_that_always_expire_are_given_up() -> None:
    """The old one and three fresh ones."""
    async with rejecting() as (bench, report):
        bench.emulator.fail("download", status=403, times=9, body=EXPIRED)
        with pytest.raises(StorageError) as caught:
            await rows_of(bench.nl, report)

    assert caught.value.expired
    assert bench.emulator.count("download") == 4


async def test_storage_that_does_not_answer_is_an_error() -> None:
    """The fault is not in the link, and another link would not help."""
    async with rejecting() as (bench, report):
        before = bench.emulator.count("get_import")
        bench.emulator.drop_request("download", times=99)
        with pytest.raises(StorageError):
            await rows_of(bench.nl, report)

    assert bench.emulator.count("get_import") == before


async def test_download_that_is_cut_off_is_repeated() -> None:
    """Half a file is not a file."""
    async with rejecting() as (bench, report):
        bench.emulator.cut_body("download", times=2)
        rows = await rows_of(bench.nl, report)

    assert facts(rows) == TRUTH


async def test_report_can_be_a_stored_one_or_the_result_alone() -> None:
    """The link is shortened in plain data, so a fresh one is fetched."""
    async with rejecting() as (bench, report):
        again = from_plain(ImportReport, report.to_dict())
        rows = [await rows_of(bench.nl, each) for each in (again, again.result, report.result)]

    assert again.result.error_url is not None
    assert again.result.error_url.endswith("?…")
    assert [facts(each) for each in rows] == [TRUTH] * 3


NUMBERS = "EMAIL,NAME,POINTS\na@example.com,甲,1\nb@example.com,乙,2\nc@example.com,丙,3\n"


async def test_resumed_import_gives_its_rejected_rows(tmp_path: Path) -> None:
    """A checkpoint contains no link, and the rows of its result can still be read."""
    kept = tmp_path / "import.json"
    mixed = NUMBERS.replace("2", "two")
    async with connected() as bench:
        list_sn = await bench.nl.contacts.create_list("會員")
        await workflows.import_contacts(bench.nl, NUMBERS, list_sn=list_sn)
        for _ in range(2):
            report = await workflows.import_contacts(
                bench.nl, mixed, list_sn=list_sn, checkpoint=kept
            )
        rows = await rows_of(bench.nl, report, mixed)

    assert facts(rows) == [(3, "b@example.com", "NOT_A_NUMBER:points")]


@pytest.mark.parametrize("errors", [0, None])
async def test_nothing_rejected_asks_for_nothing(errors: int | None) -> None:
    """Without a file and a count, there are no rows."""
    result = ImportResult(import_sn=ImportSn("i"), status=ImportStatus.COMPLETE, errors=errors)
    report = ImportReport(list_sn=ListSn("l"), import_sn=ImportSn("i"), result=result)

    async with scripted() as script:
        assert await rows_of(script.nl, report) == []


async def test_count_without_a_file_is_an_error() -> None:
    """The platform is asked again, and then the error says that there is no file."""
    answer = {"status": "COMPLETE", "errCnt": 2, "errorDownloadLink": ""}
    result = ImportResult(import_sn=ImportSn("i"), status=ImportStatus.COMPLETE, errors=2)
    report = ImportReport(list_sn=ListSn("l"), import_sn=ImportSn("i"), result=result)

    async with scripted(Reply(answer)) as script:
        with pytest.raises(StorageError, match="gives no file"):
            await rows_of(script.nl, report)


async def test_import_that_is_too_old_is_reported() -> None:
    """The platform forgets it after 30 days (T50)."""
    async with rejecting() as (bench, report):
        await bench.clock.sleep(31 * 86_400)
        with pytest.raises(APIError) as caught:
            await rows_of(bench.nl, report)

    assert (caught.value.status, caught.value.code) == (400, None)


def test_arguments_of_another_kind_are_refused_at_once() -> None:
    """Before the first row is requested."""
    with pytest.raises(InvalidRequest) as caught:
        rejected_rows(cast("Any", "a client"), cast("Any", None))

    assert [(each.field, each.rule) for each in caught.value.problems] == [
        ("nl", "type"),
        ("report", "type"),
    ]


async def test_nothing_is_shown_on_the_way(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the log nor errors contain a contact or a link's query."""
    caplog.set_level(logging.DEBUG)
    async with rejecting() as (bench, report):
        await rows_of(bench.nl, report)
        bench.emulator.fail("download", status=404, times=2, body=b"absent@example.com")
        with pytest.raises(StorageError) as caught:
            await rows_of(bench.nl, report)

    texts = f"{caplog.text} {caught.value!r} {report!r}"
    assert not any(each in texts for each in ("absent", "c@example.com", "Signature", "乙"))
