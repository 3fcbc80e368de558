"""Contacts that are imported in parts are complete, and have one report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import (
    Campaign,
    ImportFailed,
    ImportIncomplete,
    ImportResult,
    InvalidRequest,
    ListSn,
    from_plain,
    workflows,
)
from newsleopard_async.workflows import Event, ImportReport, SendOutcome
from tests.clients import Bench, connected, csv_of
from tests.constants import CAMPAIGN

pytestmark = pytest.mark.anyio

ROWS = 120
CSV = csv_of(ROWS)
THIRD = len(CSV) // 2
"""So large that there are two parts and a small rest."""


async def import_parts(bench: Bench, contacts: Any = CSV, **options: Any) -> ImportReport:
    """Import contacts in three parts."""
    return await workflows.import_contacts(
        bench.nl, contacts, **{"list_name": "會員", "part_bytes": THIRD, **options}
    )


async def test_parts_are_imported_one_after_the_other() -> None:
    """Each part has its own step and its own end; the report adds them up."""
    events: list[Event] = []
    async with connected() as bench:
        report = await import_parts(bench, progress=events.append)
        jobs = bench.emulator.imports

    assert len(bench.emulator.contacts) == ROWS
    assert [each.import_sn for each in report.parts] == [job.sn for job in jobs]
    assert sum(each.file_count or 0 for each in report.parts) == report.result.file_count == ROWS
    assert report.import_sn == report.result.import_sn == report.parts[-1].import_sn
    assert report.result.created == report.parts[0].created
    assert report.result.completed == report.parts[-1].completed
    times = [each for part in report.parts for each in (part.created, part.completed) if each]
    assert times == sorted(times)
    assert len(times) == 6
    of_parts = [
        (each.part, each.parts)
        for each in events
        if (each.step, each.state) == ("upload_file", "finished")
    ]
    assert of_parts == [(1, 3), (2, 3), (3, 3)]
    assert from_plain(ImportReport, report.to_dict()).parts[1].file_count == (
        report.parts[1].file_count
    )


@pytest.mark.parametrize("part_bytes", [None, len(CSV.encode()), 10_000_000])
async def test_contacts_that_fit_into_one_part_are_not_divided(part_bytes: int | None) -> None:
    """Nothing is different then."""
    async with connected() as bench:
        report = await import_parts(bench, part_bytes=part_bytes)

    assert report.parts == ()
    assert bench.emulator.count("upload") == 1


async def test_few_rows_go_in_parts_as_well() -> None:
    """Also contacts that would otherwise go as text."""
    async with connected() as bench:
        report = await import_parts(bench, csv_of(3), part_bytes=60)

    assert (len(report.parts), len(bench.emulator.contacts)) == (3, 3)


async def test_contacts_that_cannot_be_divided_are_refused_before_anything_is_sent() -> None:
    """Nothing was created or imported."""
    async with connected() as bench:
        with pytest.raises(InvalidRequest, match="part_bytes: is too small"):
            await import_parts(bench, part_bytes=20)

    assert bench.emulator.requests == ()


def fail_second_import(bench: Bench, status: str, **counts: Any) -> Any:
    """Set the state of the second import that is polled."""
    seen: list[str] = []

    def progress(event: Event) -> None:
        if event.step == "upload_file" and event.state == "finished":
            seen.append(event.step)
            if len(seen) == 2:
                body = {"status": status, **counts}
                bench.emulator.fail("get_import", status=200, body=json.dumps(body).encode())

    return progress


@pytest.mark.parametrize(
    ("status", "counts", "error", "says"),
    [
        ("ERROR", {}, ImportFailed, r"\(part 2 of 3\) ended as ERROR"),
        ("COMPLETE", {"fileCnt": 9}, ImportIncomplete, r"9 rows in import .* \(part 2 of 3\)"),
    ],
)
async def test_part_that_fails_is_named_and_made_again(
    status: str, counts: dict[str, Any], error: type[Exception], says: str, tmp_path: Path
) -> None:
    """The parts before it stay finished."""
    kept = tmp_path / "checkpoint.json"
    async with connected() as bench:
        progress = fail_second_import(bench, status, **counts)
        with pytest.raises(error, match=says):
            await import_parts(bench, checkpoint=kept, progress=progress)
        before = bench.emulator.count("upload")
        report = await import_parts(bench, checkpoint=kept)

    assert (before, bench.emulator.count("upload")) == (2, 4)
    assert (len(report.parts), len(bench.emulator.contacts)) == (3, ROWS)


@pytest.mark.parametrize("other", [THIRD - 500, None])
async def test_other_parts_are_refused_once_one_was_begun(
    other: int | None, tmp_path: Path
) -> None:
    """The error names the argument; the same value resumes, with contacts in any form."""
    kept = tmp_path / "checkpoint.json"
    async with connected() as bench:
        with pytest.raises(ImportFailed):
            await import_parts(bench, checkpoint=kept, progress=fail_second_import(bench, "ERROR"))
        with pytest.raises(InvalidRequest, match="part_bytes differs"):
            await import_parts(bench, checkpoint=kept, part_bytes=other)
        report = await import_parts(bench, CSV.encode("utf-16"), checkpoint=kept)

    assert len(report.parts) == 3


async def test_file_that_was_too_large_resumes_in_parts(tmp_path: Path) -> None:
    """The list that was created for it is used; the error names the way out."""
    kept = tmp_path / "checkpoint.json"
    async with connected() as bench:
        body = json.dumps({"code": "40010", "message": "檔案大小超過限制"}).encode()
        bench.emulator.fail("start_file_import", status=400, body=body)
        with pytest.raises(Exception, match="part_bytes="):
            await import_parts(bench, checkpoint=kept, part_bytes=None)
        report = await import_parts(bench, checkpoint=kept)

    assert len(report.parts) == 3
    assert len(bench.emulator.lists) == 1


async def test_checkpoint_with_a_step_of_an_impossible_part_is_refused(tmp_path: Path) -> None:
    """The step of an unknown pipeline would not be read, and so would be repeated."""
    async with connected() as bench:
        with pytest.raises(ImportFailed) as caught:
            await import_parts(bench, progress=fail_second_import(bench, "ERROR"))
    checkpoint = caught.value.checkpoint
    assert checkpoint is not None
    record = checkpoint.records["upload_file"]

    for key, is_good in {
        "upload_file.2": True,
        "get_import.200": True,
        "upload_file.1": False,
        "upload_file.02": False,
        "upload_file.1000": False,
        "submit.2": False,
        "upload_file.2.2": False,
    }.items():
        checkpoint.records = {"upload_file": record, key: record}
        if is_good:
            assert key in workflows.Checkpoint.read(checkpoint.to_dict()).records
        else:
            with pytest.raises(InvalidRequest, match="damaged"):
                workflows.Checkpoint.read(checkpoint.to_dict())


async def send_parts(bench: Bench, contacts: Any, **options: Any) -> SendOutcome:
    """Send to contacts that are imported in parts."""
    campaign: Campaign = CAMPAIGN
    return await workflows.send_campaign(
        bench.nl,
        campaign,
        contacts=contacts,
        **{"list_name": "會員", "part_bytes": THIRD, **options},
    )


BAD = CSV.replace("user3@", "user3 ").replace("user99@", "user99 ")


async def test_rejected_rows_of_all_parts_are_counted_and_found() -> None:
    """Rows are found by their lines in the caller's contacts, even if two are identical."""
    csv = BAD.replace("user99 example.com,會員99", "user3 example.com,會員3")
    async with connected() as bench:
        outcome = await send_parts(bench, csv, check=False, max_rejected=2)
        report = outcome.import_report
        assert report is not None
        rows = [row async for row in workflows.rejected_rows(bench.nl, report, contacts=csv)]

    assert report.rejected_count == 2
    assert [row.line for row in rows] == [5, 101]


async def test_too_many_rejected_rows_of_all_parts_stop_the_send(tmp_path: Path) -> None:
    """Each part is read again by the next run, and then counts."""
    kept = tmp_path / "checkpoint.json"
    options: dict[str, Any] = {"check": False, "checkpoint": kept}
    async with connected() as bench:
        for _ in range(2):
            with pytest.raises(ImportIncomplete, match="2 of 120 rows were rejected"):
                await send_parts(bench, BAD, max_rejected=1, **options)
            assert bench.emulator.submitted == 0
        outcome = await send_parts(bench, BAD, max_rejected=2, **options)
        again = await send_parts(bench, BAD, max_rejected=2, **options)

    assert bench.emulator.count("upload") == 3
    assert outcome.campaign_sn == again.campaign_sn
    assert outcome.import_report is not None
    assert len(outcome.import_report.parts) == 3


async def test_parts_that_the_platform_forgot_count_as_they_were(tmp_path: Path) -> None:
    """An import that the platform has deleted cannot be read again."""
    kept = tmp_path / "checkpoint.json"
    options: dict[str, Any] = {"check": False, "checkpoint": kept, "max_rejected": 1}
    async with connected() as bench:
        for _ in range(2):
            with pytest.raises(ImportIncomplete, match="2 of 120 rows were rejected"):
                await send_parts(bench, BAD, **options)
            bench.clock.advance(40 * 86_400)

    assert bench.emulator.submitted == 0


def test_unknown_count_of_one_part_is_unknown_in_all() -> None:
    """No sum is invented; rejected rows are still noticed."""
    parts = [
        {"import_sn": "a", "status": "COMPLETE", "inserted": 1, "error_url": "https://a.example/x"},
        {"import_sn": "b", "status": "COMPLETE", "inserted": 2, "errors": 0},
    ]
    results = [from_plain(ImportResult, part) for part in parts]

    report = ImportReport.of_parts(ListSn("a"), results)

    assert (report.result.inserted, report.result.errors) == (3, None)
    assert report.result.error_url == "https://a.example/x"
