"""The file of rejected rows is fetched, whatever became of its link, or it is said why not."""

from __future__ import annotations

import copy
import logging
import pickle
from pathlib import Path
from typing import Any

import attrs
import pytest

from newsleopard_async import (
    APIError,
    CampaignSn,
    ImportResult,
    ImportSn,
    ImportStatus,
    InvalidRequest,
    ListSn,
    StorageError,
    workflows,
)
from newsleopard_async.downloads.rows import Rereadable
from newsleopard_async.plain import from_plain
from newsleopard_async.workflows import ImportReport, SendOutcome
from tests.support import Reply, connected, scripted
from tests.workflows.rejections import CSV, TRUTH, facts, rejecting, rows_of

EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


@pytest.mark.anyio
async def test_link_that_expired_is_fetched_anew() -> None:
    """A report may be looked at long after the import; its link lives for an hour."""
    async with rejecting() as (bench, report):
        await bench.clock.sleep(7_200)
        before = bench.emulator.count("get_import")
        rows = await rows_of(report)

    assert facts(rows) == TRUTH
    assert bench.emulator.count("get_import") == before + 1


@pytest.mark.anyio
@pytest.mark.parametrize("status", [403, 404, 500])
async def test_link_that_is_refused_is_fetched_anew(status: int) -> None:
    """Whatever the storage has against an old link, a fresh one is tried."""
    async with rejecting() as (bench, report):
        bench.emulator.fail("download", status, times=1 if status < 500 else 3)
        rows = await rows_of(report)

    assert facts(rows) == TRUTH


@pytest.mark.anyio
async def test_fresh_link_that_is_refused_is_an_error() -> None:
    """The platform's word on it is final, unless the link has expired again."""
    async with rejecting() as (bench, report):
        bench.emulator.fail("download", 404, times=2)
        with pytest.raises(StorageError) as caught:
            await rows_of(report)

    assert caught.value.status == 404
    assert bench.emulator.count("download") == 2


@pytest.mark.anyio
async def test_links_that_always_expire_are_given_up() -> None:
    """The old one and three fresh ones."""
    async with rejecting() as (bench, report):
        bench.emulator.fail("download", 403, times=9, body=EXPIRED)
        with pytest.raises(StorageError) as caught:
            await rows_of(report)

    assert caught.value.expired
    assert bench.emulator.count("download") == 4


@pytest.mark.anyio
async def test_storage_that_does_not_answer_is_an_error() -> None:
    """That is no fault of the link, and another one would not help."""
    async with rejecting() as (bench, report):
        before = bench.emulator.count("get_import")
        bench.emulator.drop_request("download", times=99)
        with pytest.raises(StorageError):
            await rows_of(report)

    assert bench.emulator.count("get_import") == before


@pytest.mark.anyio
async def test_download_that_is_cut_off_is_repeated() -> None:
    """Half a file is no file."""
    async with rejecting() as (bench, report):
        bench.emulator.cut_body("download", times=2)
        rows = await rows_of(report)

    assert facts(rows) == TRUTH


@pytest.mark.anyio
async def test_stored_report_takes_a_client(tmp_path: Path) -> None:
    """Its link is cut short in plain data, and is fetched anew."""
    async with rejecting() as (bench, report):
        again = from_plain(ImportReport, report.to_dict())
        rows = await rows_of(again, bench.nl)

    assert again.result.error_url is not None
    assert again.result.error_url.endswith("?…")
    assert facts(rows) == [(None, email, reason) for _, email, reason in TRUTH]


NUMBERS = "EMAIL,NAME,POINTS\na@example.com,甲,1\nb@example.com,乙,2\nc@example.com,丙,3\n"


@pytest.mark.anyio
async def test_resumed_import_gives_its_rejected_rows(tmp_path: Path) -> None:
    """A checkpoint holds no link, and what it gives can be looked into all the same."""
    kept = tmp_path / "import.json"
    mixed = NUMBERS.replace("2", "two")
    async with connected() as bench:
        list_sn = await bench.nl.contacts.create_list("會員")
        await workflows.import_contacts(bench.nl, NUMBERS, list_sn=list_sn)
        for _ in range(2):
            report = await workflows.import_contacts(
                bench.nl, mixed, list_sn=list_sn, checkpoint=kept
            )
        rows = await rows_of(report)

    assert facts(rows) == [(3, "b@example.com", "NOT_A_NUMBER:points")]


@pytest.mark.anyio
@pytest.mark.parametrize("errors", [0, None])
async def test_nothing_rejected_asks_for_nothing(errors: int | None) -> None:
    """Where there is neither a file nor a count, there is no row."""
    result = ImportResult(import_sn=ImportSn("i"), status=ImportStatus.COMPLETE, errors=errors)
    report = ImportReport(list_sn=ListSn("l"), import_sn=ImportSn("i"), result=result)

    async with scripted() as script:
        assert await rows_of(report, script.nl) == []


@pytest.mark.anyio
async def test_count_without_a_file_is_an_error() -> None:
    """The platform is asked once more, and then it is said that there is none."""
    answer = {"import_sn": "i", "status": "COMPLETE", "errCnt": 2, "errorDownloadLink": ""}
    result = ImportResult(import_sn=ImportSn("i"), status=ImportStatus.COMPLETE, errors=2)
    report = ImportReport(list_sn=ListSn("l"), import_sn=ImportSn("i"), result=result)

    async with scripted(Reply(answer)) as script:
        with pytest.raises(StorageError, match="gives no file"):
            await rows_of(report, script.nl)


@pytest.mark.anyio
async def test_import_that_is_too_old_is_said() -> None:
    """The platform forgets it after 30 days (T50)."""
    async with rejecting() as (bench, report):
        await bench.clock.sleep(31 * 86_400)
        with pytest.raises(APIError) as caught:
            await rows_of(report)

    assert (caught.value.status, caught.value.code) == (400, None)


@pytest.mark.anyio
@pytest.mark.parametrize("nl", [None, "a client"])
async def test_report_without_a_client_is_refused_at_once(nl: Any) -> None:
    """Before the first row is asked for."""
    async with rejecting() as (_, report):
        with pytest.raises(InvalidRequest) as caught:
            from_plain(ImportReport, report.to_dict()).rejected(nl)

    assert [(each.field, each.rule) for each in caught.value.problems] == [("nl", "required")]


@pytest.mark.anyio
async def test_binding_is_no_part_of_the_data() -> None:
    """A bound report is the same report, and a copy of it is bound to nothing."""
    async with rejecting() as (_, report):
        plain = from_plain(ImportReport, report.to_dict())
        plain = attrs.evolve(plain, result=report.result)
        copies = [copy.copy(report), pickle.loads(pickle.dumps(report))]  # noqa: S301 - our own

        assert report == plain
        assert (hash(report), repr(report), report.to_dict()) == (
            hash(plain),
            repr(plain),
            plain.to_dict(),
        )
        for each in copies:
            assert each == report
            with pytest.raises(InvalidRequest):
                each.rejected()


@pytest.mark.anyio
@pytest.mark.parametrize("contacts", [CSV.encode(), CSV, [{"EMAIL": "nobody", "NAME": "乙"}]])
async def test_no_walk_through_a_report_shows_its_contacts(contacts: Any) -> None:
    """Structured loggers take attrs classes apart, and show whatever is in them."""
    async with rejecting(contacts=contacts) as (_, report):
        outcome = SendOutcome(campaign_sn=CampaignSn("c"), import_report=report)
        walks = [attrs.asdict(outcome), attrs.astuple(outcome), attrs.astuple(report)]
        bound = attrs.asdict(report)["_bound"]

    shown = f"{attrs.asdict(report)} {walks} {Rereadable(contacts)}"
    assert not any(each in shown for each in ("nobody", "乙", "\\xe4\\xb9\\x99"))
    assert repr(bound) == "<…>"
    assert not hasattr(bound, "__dict__")


@pytest.mark.anyio
async def test_no_copy_of_a_walk_holds_the_contacts() -> None:
    """What a logger hands to another process or thread is the data alone."""
    async with rejecting() as (_, report):
        walked = attrs.asdict(report)
        pickled = pickle.dumps(walked)
        copied = copy.deepcopy(walked)

    assert b"nobody" not in pickled
    assert (copied["_bound"].nl, copied["_bound"].contacts) == (None, None)


@pytest.mark.anyio
async def test_nothing_is_shown_on_the_way(caplog: pytest.LogCaptureFixture) -> None:
    """Neither log nor errors have a contact or a link's query."""
    caplog.set_level(logging.DEBUG)
    async with rejecting() as (bench, report):
        await rows_of(report)
        bench.emulator.fail("download", 404, times=2, body=b"nobody@example.com")
        with pytest.raises(StorageError) as caught:
            await rows_of(report)

    texts = f"{caplog.text} {caught.value!r} {report!r}"
    assert not any(each in texts for each in ("nobody", "c@example.com", "Signature", "乙"))
