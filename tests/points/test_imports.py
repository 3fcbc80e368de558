"""Imports and their results: T42 to T52."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import anyio
import pytest

from newsleopard_async import (
    APIError,
    DeadlineExceeded,
    ImportFailed,
    ImportIncomplete,
    ImportSn,
    ImportStatus,
    InvalidRequest,
    ListSn,
    ServerError,
    UnexpectedResponse,
    workflows,
)
from tests.clients import connected, csv_of
from tests.constants import CAMPAIGN
from tests.emulator.api import BODY, rows
from tests.points.cells import point
from tests.points.means import (
    CSV,
    DAY_S,
    SN,
    codes_of,
    contact_rules,
    error_of,
    get_import,
    import_text,
    imported,
    platform,
    result_of,
    start_file_import,
    switched,
    uploaded,
)

FILE_PATH = "/v1/contacts/imports/file"


TEXT_PATH = "/v1/contacts/imports/text"


@point
@pytest.mark.parametrize("name", ["import_sn", "importSn"])
async def test_t42_client(name: str) -> None:
    """Both names of the code are read, in each of the three answers."""
    assert await result_of(import_text, {name: SN}) == SN
    result = await result_of(get_import, {name: SN, "status": "COMPLETE"})
    ticket = await result_of(start_file_import, {name: SN, "url": "https://s.example/x"})

    assert (result.import_sn, ticket.import_sn) == (SN, SN)
    assert await result_of(import_text, {"data": {name: SN}}) == SN
    assert (await result_of(get_import, {"status": "COMPLETE"})).import_sn == SN
    for contradiction in ({name: "other"}, {"import_sn": SN, "importSn": "other"}):
        other = await result_of(get_import, {"status": "COMPLETE", **contradiction})
        assert other.import_sn == "other"


@point
async def test_t42_emulator() -> None:
    """It is ``import_sn`` in each of the three answers."""
    async with platform() as (api, _):
        ticket = (await api.post(FILE_PATH, {})).json()
        text = (await api.post(TEXT_PATH, {"contacts": CSV})).json()
        result = await api.result(text["import_sn"])

    assert (ticket.keys(), text.keys()) == ({"import_sn", "url"}, {"import_sn"})
    assert result["import_sn"] == text["import_sn"]


@point
@pytest.mark.parametrize(
    ("word", "read", "success"),
    [
        ("PROCESSING", "PROCESSING", False),
        ("COMPLETE", "COMPLETE", True),
        ("COMPLETED", "COMPLETE", True),
        ("complete", "COMPLETE", True),
        ("DUPLICATE_HEADER", "DUPLICATE_HEADER", False),
        ("SOMETHING_NEW", "SOMETHING_NEW", False),
    ],
)
async def test_t43_client(word: str, read: str, success: bool) -> None:
    """The word alone and the command line's form are read; an unknown word is not a success."""
    result = await result_of(get_import, {"import_sn": SN, "status": word})

    assert (result.status, result.status.is_success) == (read, success)
    assert result.status.is_known is (word != "SOMETHING_NEW")


@point
async def test_t43_emulator() -> None:
    """Imports end in the words of the documentation."""
    words = {
        (await imported(content))[0]["status"]
        for content in (CSV, "x", "EMAIL,NAME,a,A\n", "EMAIL,NAME,\na@b.cc,A,1\n")
    }
    async with platform() as (api, _):
        words.add((await api.result(await api.import_text(CSV)))["status"])

    assert words == ImportStatus.known


@point
@pytest.mark.parametrize("status", ["ERROR", "DUPLICATE_HEADER", "MISSING_REQUIRED_DATA", "ODD"])
async def test_t44_client(status: str) -> None:
    """Every state but PROCESSING is final, and only COMPLETE is success."""
    async with connected() as bench:
        bench.emulator.script_import(status)
        with pytest.raises(ImportFailed, match=status) as caught:
            await workflows.import_contacts(bench.nl, CSV, list_name="會員")

    assert caught.value.result is not None
    assert caught.value.result.status.is_final
    assert not ImportStatus.PROCESSING.is_final


@point
async def test_t44_emulator() -> None:
    """An import can end in any state; it imports contacts only in COMPLETE(D)."""
    for status, imported_count in (("ERROR", 0), ("ODD", 0), ("COMPLETED", 1)):
        async with platform() as (api, clock):
            api.emulator.script_import(status)
            sn = await api.import_text(CSV)
            clock.advance(60)
            result = await api.result(sn)
            assert (result["status"], result["insertCnt"]) == (status, imported_count)
            assert len(api.emulator.contacts) == imported_count


@point
async def test_t45_client(caplog: pytest.LogCaptureFixture) -> None:
    """The state alone decides; a date or count that cannot be read is None, with one log line."""
    full = {"fileCnt": 100, "insertCnt": 85, "completedDate": "2019-03-05T08:19:26Z"}
    result = await result_of(get_import, {"import_sn": SN, "status": "PROCESSING", **full})
    assert (result.file_count, result.status.is_final) == (100, False)

    caplog.set_level(logging.WARNING, "newsleopard_async")
    odd = {
        "fileCnt": "many",
        "createDate": "yesterday",
        "completedDate": [],
        "errorDownloadLink": 5,
        "errCnt": 0,
    }
    result = await result_of(get_import, {"import_sn": SN, "status": "COMPLETE", **odd})
    assert result.status.is_success
    assert [result.file_count, result.created, result.completed] == [None] * 3
    assert len(caplog.records) == 1
    assert "yesterday" not in caplog.text


@point
async def test_t45_emulator() -> None:
    """In PROCESSING, counts are zero and the completion date is missing, or as in the sample."""
    async with platform() as (api, clock):
        sn = await api.import_text(rows(3))
        plain = await api.result(sn)
        api.emulator.switch(processing_shows_counts=True)
        sample = await api.result(sn)
        now = f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"

    assert (plain["fileCnt"], plain["insertCnt"], plain["completedDate"]) == (0, 0, None)
    assert (sample["status"], sample["fileCnt"]) == ("PROCESSING", 3)
    assert sample["completedDate"] <= now


@point
async def test_t46_client(caplog: pytest.LogCaptureFixture) -> None:
    """All four counts are given; too few rows in the file stop, unknown counts are logged."""
    answer = {"import_sn": SN, "status": "COMPLETE", "fileCnt": 9, "insertCnt": 1, "errCnt": -1}
    result = await result_of(get_import, answer)
    assert (result.file_count, result.inserted, result.duplicates, result.errors) == (
        9,
        1,
        None,
        None,
    )

    async def run(counts: bytes, **options: Any) -> None:
        async with connected() as bench:
            body = b'{"status": "COMPLETE", %s}' % counts
            bench.emulator.fail("get_import", 200, body=body, times=9)
            await workflows.send_campaign(
                bench.nl, CAMPAIGN, contacts=csv_of(3), list_name="會員", **options
            )

    with pytest.raises(ImportIncomplete):
        await run(b'"fileCnt": 2, "errCnt": 0')
    with pytest.raises(ImportIncomplete):
        await run(b'"fileCnt": 3, "errCnt": 1')
    caplog.set_level(logging.WARNING, "newsleopard_async")
    for counts, warned in (
        (b'"fileCnt": 3, "errCnt": 0, "insertCnt": 0', False),
        (b'"x": 1', True),
    ):
        caplog.clear()
        with pytest.raises(APIError):  # the emulator has no contacts, so the submit is refused
            await run(counts)
        assert ("missing contacts cannot be noticed" in caplog.text) is warned
    with pytest.raises(APIError):
        await run(b'"fileCnt": 3, "errCnt": 1', max_rejected=1)


@point
async def test_t46_emulator() -> None:
    """The counts add up, and an update counts as inserted."""
    async with platform() as (api, clock):
        await api.import_text("EMAIL,NAME\na@b.cc,x\n")
        sn = await api.import_text("EMAIL,NAME\na@b.cc,y\nb@b.cc,x\nb@b.cc,z\nbad,x\n")
        clock.advance(60)
        result = await api.result(sn)

    counts = [result[name] for name in ("fileCnt", "insertCnt", "duplicateCnt", "errCnt")]
    assert counts == [4, 2, 1, 1]


@point
async def test_t47_client() -> None:
    """A repetition is a warning, and the fix keeps the last row."""
    contacts = "EMAIL,NAME\na@example.com,first\nb@example.com,B\nA@example.com,last\n"

    assert "duplicate-email" in await contact_rules(contacts)
    assert await uploaded(contacts, fix="drop-duplicates") == (
        b"EMAIL,NAME\nb@example.com,B\nA@example.com,last\n"
    )
    assert await uploaded(contacts, fix="drop-later-duplicates") == (
        b"EMAIL,NAME\na@example.com,first\nb@example.com,B\n"
    )


@point
async def test_t47_emulator() -> None:
    """The last row of an address wins; the others count as duplicates."""
    result, emulator = await imported("EMAIL,NAME\na@b.cc,first\nb@b.cc,B\nA@b.cc,last\n")

    assert (result["insertCnt"], result["duplicateCnt"]) == (2, 1)
    assert emulator.contacts["a@b.cc"].name == "last"


@point
async def test_t48_client() -> None:
    """Imports into one list take turns, those into others do not wait."""
    async with connected() as bench:
        one = await bench.nl.contacts.create_list("一")
        two = await bench.nl.contacts.create_list("二")

        async def run(contacts: str, list_sn: ListSn) -> None:
            await workflows.import_contacts(bench.nl, contacts, list_sn=list_sn)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, csv_of(101), one)
            tasks.start_soon(run, csv_of(102), one)
            tasks.start_soon(run, csv_of(103), two)

    assert {each.status for each in bench.emulator.imports} == {"COMPLETE"}
    first, second = [each for each in bench.emulator.imports if each.list_sn == one]
    [other] = [each for each in bench.emulator.imports if each.list_sn == two]
    assert first.due is not None
    assert other.created < first.due <= second.created


@point
async def test_t48_emulator() -> None:
    """Imports are done one after the other, in the order of the uploads."""
    async with platform() as (api, clock):
        first, second = [(await api.post(FILE_PATH, {})).json() for _ in range(2)]
        await api.put(second["url"], "EMAIL,NAME\na@b.cc,early\n")
        await api.put(first["url"], "EMAIL,NAME\na@b.cc,late\n")
        clock.advance(9)
        states = [(await api.result(each["import_sn"]))["status"] for each in (second, first)]
        clock.advance(60)

    assert states == ["COMPLETE", "PROCESSING"]
    assert api.emulator.contacts["a@b.cc"].name == "late"


BAD_ROW = "EMAIL,NAME\na@example.com,A\nnowhere,B\n"


@point
async def test_t49_client() -> None:
    """The link can be absent or unusable; the file needs no key, and is not a message."""
    for link in (..., None, "", "  ", "http://plain.example/x", 5):
        answer: dict[str, Any] = {"import_sn": SN, "status": "COMPLETE", "errCnt": 0}
        if link is not ...:
            answer["errorDownloadLink"] = link
        assert (await result_of(get_import, answer)).error_url is None

    lost = {"import_sn": SN, "status": "COMPLETE", "errorDownloadLink": 5}
    assert type(await error_of(get_import, lost)) is UnexpectedResponse

    async with switched(download_lifetime_s=60.0) as bench:
        report = await workflows.import_contacts(bench.nl, BAD_ROW, list_name="會員")
        await bench.clock.sleep(61)

        async def rejected() -> list[tuple[int | None, str | None]]:
            found = workflows.rejected_rows(bench.nl, report, contacts=BAD_ROW)
            return [(each.line, each.reason) async for each in found]

        assert await rejected() == [(3, "INVALID_EMAIL")]
        for message in (b'{"message": "no"}', b"<html>", b"<?xml?><Error/>", b"not found"):
            bench.emulator.fail("download", 200, body=message)
            with pytest.raises(InvalidRequest):
                await rejected()
    assert bench.emulator.leaked_keys == ()


@point
async def test_t49_emulator() -> None:
    """Without errors there is no link; each poll signs a new link to a CSV with reasons."""
    assert "errorDownloadLink" not in (await imported(CSV))[0]
    async with platform() as (api, clock):
        sn = await api.import_text(BAD_ROW)
        clock.advance(60)
        links = []
        for _ in range(2):
            links.append((await api.result(sn))["errorDownloadLink"])
            clock.advance(1)
        assert (await api.fetch(links[0])).text == "EMAIL,NAME,REASON\nnowhere,B,INVALID_EMAIL\n"

    assert links[0] != links[1]


@point
@pytest.mark.parametrize("how", ["400", "404", "40007"])
async def test_t50_client(how: str, tmp_path: Path) -> None:
    """An unknown import is an error; right after the upload it is waited for."""
    async with switched(unknown_import=how, import_unknown_s=20.0) as bench:
        with pytest.raises(APIError, match=r"unknown|invalid code"):
            await bench.nl.contacts.get_import(ImportSn(SN))
        for count in (3, 101):
            report = await workflows.import_contacts(bench.nl, csv_of(count), list_name=f"{count}")
            assert report.result.inserted == count
        bench.emulator.switch(import_unknown_s=1e6)
        with pytest.raises(ImportFailed):
            await workflows.import_contacts(bench.nl, CSV, list_name="never")

    store = tmp_path / "run.json"
    async with connected() as bench:
        options: dict[str, Any] = {"list_name": "會員", "checkpoint": store}
        first = await workflows.import_contacts(bench.nl, CSV, **options)
        await bench.clock.sleep(40 * DAY_S)
        assert await workflows.import_contacts(bench.nl, CSV, **options) == first


@point
async def test_t50_emulator() -> None:
    """An unknown or old import is a 400 without content; switches change how, and when."""
    async with platform() as (api, clock):
        path = "/v1/contacts/imports/result"
        sn = await api.import_text(CSV)
        for how, expected in (("400", (400, None)), ("404", (404, None)), ("40007", (400, 40007))):
            api.emulator.switch(unknown_import=how)
            assert codes_of(await api.get(f"{path}/{SN}")) == expected
        api.emulator.switch(unknown_import="400", import_unknown_s=20.0)
        early = await api.get(f"{path}/{sn}")
        clock.advance(21)
        known = await api.get(f"{path}/{sn}")
        clock.advance(30 * DAY_S - 22)
        old = await api.get(f"{path}/{sn}")
        clock.advance(2)
        gone = await api.get(f"{path}/{sn}")
        api.emulator.switch(import_kept_days=31)
        back = await api.get(f"{path}/{sn}")

    assert [each.status_code for each in (early, known, old, gone, back)] == [
        400,
        200,
        200,
        400,
        200,
    ]
    assert gone.content == b""


@point
async def test_t51_client(caplog: pytest.LogCaptureFixture) -> None:
    """An empty 500 is repeated once; then the error asks to check the list."""
    async with connected() as bench:
        bench.emulator.fail("import_text", 500)
        await bench.nl.contacts.import_text(CSV, await bench.nl.contacts.create_list("會員"))
        assert bench.emulator.count("import_text") == 2
        for call, operation in (
            (import_text, "import_text"),
            (lambda nl: nl.contacts.start_file_import(SN), "start_file_import"),
        ):
            before = bench.emulator.count(operation)
            with pytest.raises(ServerError, match="list_sn"):
                await call(bench.nl)
            assert bench.emulator.count(operation) == before + 2
        assert bench.emulator.count("list_lists") == 0
        caplog.set_level(logging.WARNING, "newsleopard_async")
        with pytest.raises(ServerError, match="list_sn"):
            await workflows.import_contacts(bench.nl, CSV, list_sn=ListSn(SN))
        assert bench.emulator.count("list_lists") > 0
        assert SN in caplog.text


@point
@pytest.mark.parametrize("form", ["file", "text"])
async def test_t51_emulator(form: str) -> None:
    """An import into an unknown list is a 500 without content."""
    async with platform() as (api, _):
        body = {"contacts": CSV} if form == "text" else {}
        answer = await api.post(f"/v1/contacts/imports/{SN}/{form}", body)

    assert (answer.status_code, answer.content) == (500, b"")


@point
async def test_t52_client() -> None:
    """The submit waits for COMPLETE."""
    async with connected() as bench:
        await workflows.send_campaign(bench.nl, CAMPAIGN, contacts=csv_of(3), list_name="會員")
        order = [each.operation for each in bench.emulator.requests]
        assert order[-3:] == ["get_import", "get_balance", "submit_campaign"]
        assert bench.emulator.requests[-1].status == 200
        bench.emulator.stick_import()
        with pytest.raises(DeadlineExceeded):
            await workflows.send_campaign(bench.nl, CAMPAIGN, contacts=csv_of(3), list_name="另")
        assert bench.emulator.count("submit_campaign") == 1


@point
async def test_t52_emulator() -> None:
    """Contacts arrive when the import ends; a submit before that has no recipients."""
    async with platform() as (api, clock):
        list_sn = await api.create_list()
        await api.import_text(CSV, list_sn)
        assert codes_of(await api.submit(BODY, list_sn)) == (400, 40013)
        clock.advance(60)
        assert (await api.submit(BODY, list_sn)).status_code == 200
