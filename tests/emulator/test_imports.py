"""Imports: what becomes of a file, and when."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsleopard_async.emulator import Contact, Emulator, Switches
from newsleopard_async.emulator.platform import imports
from newsleopard_async.emulator.platform.addressbook import AddressBook
from newsleopard_async.emulator.platform.blobs import BlobWriter
from newsleopard_async.emulator.platform.csvfile import Block, write_row
from newsleopard_async.emulator.platform.csvimport import check_file
from tests.emulator.api import BODY, Api, HandClock, make, rows

pytestmark = pytest.mark.asyncio


async def imported(csv: str, **switches: Any) -> tuple[dict[str, Any], Emulator]:
    """Import a text into a list and return its result once it has ended."""
    emulator, clock = make(**switches)
    async with Api(emulator) as api:
        sn = await api.import_text(csv, await api.create_list())
        clock.advance(60)
        return await api.result(sn), emulator


async def test_file_is_imported_in_three_steps() -> None:
    """POST for a URL, PUT the bytes, and the import runs until its instant (T21, T23)."""
    emulator, clock = make()
    async with Api(emulator) as api:
        list_sn = await api.create_list()
        ticket = (await api.post(f"/v1/contacts/imports/{list_sn}/file", {})).json()
        before = await api.result(ticket["import_sn"])
        await api.put(ticket["url"], rows(3).encode())
        clock.advance(7.9)
        during = await api.result(ticket["import_sn"])
        clock.advance(0.2)
        after = await api.result(ticket["import_sn"])

    nothing = {"fileCnt": 0, "insertCnt": 0, "duplicateCnt": 0, "errCnt": 0}
    assert set(ticket) == {"import_sn", "url"}
    assert (
        before
        == during
        == {
            "import_sn": ticket["import_sn"],
            "status": "PROCESSING",
            **nothing,
            "createDate": "2026-01-05T02:00:00Z",
            "completedDate": None,
        }
    )
    assert after == {
        **before,
        "status": "COMPLETE",
        "fileCnt": 3,
        "insertCnt": 3,
        "completedDate": "2026-01-05T02:00:08Z",
    }
    assert list(emulator.lists[0].members) == [f"u{number}@example.com" for number in range(3)]


async def test_two_looks_at_one_instant_agree() -> None:
    """The state is a function of the clock, not of who looks at it."""
    emulator, clock = make()
    async with Api(emulator) as api:
        sn = await api.import_text("EMAIL,NAME\nx,y\n", await api.create_list())
        clock.advance(100)
        first, second = await api.result(sn), await api.result(sn)

    assert first == second


@pytest.mark.parametrize(
    ("csv", "status"),
    [
        ("EMAIL,NAME\n", "COMPLETE"),
        ("\ufeffEMAIL,NAME\na@b.cc,x", "COMPLETE"),
        ("EMAIL,NAME,年齡\na@b.cc,x,1", "COMPLETE"),
        ("x", "MISSING_REQUIRED_DATA"),
        ("NAME,EMAIL\nx,a@b.cc", "MISSING_REQUIRED_DATA"),
        ("EMAIL\na@b.cc", "MISSING_REQUIRED_DATA"),
        ("email,name\na@b.cc,x", "MISSING_REQUIRED_DATA"),
        ("EMAIL,AGE,NAME\na@b.cc,1,x", "MISSING_REQUIRED_DATA"),
        ("EMAIL,NAME,age,AGE \na@b.cc,x,1,2", "DUPLICATE_HEADER"),
        ("EMAIL,NAME,name\na@b.cc,x,y", "DUPLICATE_HEADER"),
        ("EMAIL,NAME,\na@b.cc,x,y", "ERROR"),
        ('EMAIL,NAME\n"a@b.cc,x', "ERROR"),
    ],
)
async def test_header_decides_how_an_import_ends(csv: str, status: str) -> None:
    """EMAIL and NAME come first, names are unique, and the rest is CSV (T30 to T32)."""
    result, emulator = await imported(csv)

    assert result["status"] == status
    if status != "COMPLETE":
        assert emulator.contacts == {}
        assert result["fileCnt"] == 0


async def test_rejected_rows_come_back_as_a_file_with_reasons() -> None:
    """Each bad row is counted, and its reason stands in a column of the error file (T46, T49)."""
    csv = 'EMAIL,NAME,AGE\na@b.cc,x,1\n,x,1\nno-address,x,1\na@c.cc,x\na@d.cc,"y,z",1,2\n'
    emulator, clock = make()
    async with Api(emulator) as api:
        sn = await api.import_text(csv, await api.create_list())
        clock.advance(60)
        result = await api.result(sn)
        file = await api.fetch(result["errorDownloadLink"])

    counts = {name: result[name] for name in ("fileCnt", "insertCnt", "duplicateCnt", "errCnt")}
    assert counts == {"fileCnt": 5, "insertCnt": 1, "duplicateCnt": 0, "errCnt": 4}
    assert file.text.splitlines() == [
        "EMAIL,NAME,AGE,REASON",
        ",x,1,EMPTY_EMAIL",
        "no-address,x,1,INVALID_EMAIL",
        "a@c.cc,x,WRONG_COLUMN_COUNT",
        'a@d.cc,"y,z",1,2,WRONG_COLUMN_COUNT',
    ]


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("1", "two", "NOT_A_NUMBER:extra"),
        ("0912345678", "N/A", "NOT_A_NUMBER:extra"),
        ("2026-01-05", "soon", "NOT_A_DATE:extra"),
        ("2026-01-05", "7", "NOT_A_DATE:extra"),
        ("L", "7", None),
        ("1", "", None),
        ("1", "-2.5", None),
        ("2026/1/5", "2026-12-31 23:59", None),
        ("", "anything", None),
    ],
)
async def test_type_of_a_column_is_inferred_once(
    first: str, second: str, reason: str | None
) -> None:
    """The first import decides on string, number or date; later misfits are rejected (T39)."""
    emulator, clock = make()
    async with Api(emulator) as api:
        await api.import_text(f"EMAIL,NAME,EXTRA\na@b.cc,x,{first}\n")
        sn = await api.import_text(f"EMAIL,NAME,EXTRA\nc@b.cc,x,{second}\n")
        clock.advance(60)
        result = await api.result(sn)
        errors = (await api.fetch(result["errorDownloadLink"])).text if reason else ""

    assert result["errCnt"] == (0 if reason is None else 1)
    assert (reason or "") in errors


async def test_mixed_values_of_a_first_import_are_text() -> None:
    """All values of the first import count, so that none of its rows is a misfit."""
    result, _ = await imported("EMAIL,NAME,X\na@b.cc,x,1\nc@b.cc,x,two\n")

    assert result["errCnt"] == 0


FAILED = ["ERROR", "DUPLICATE_HEADER", "MISSING_REQUIRED_DATA", "SOMETHING_NEW"]


@pytest.mark.parametrize("status", FAILED)
@pytest.mark.parametrize("shows_counts", [False, True])
async def test_any_state_can_be_scripted(status: str, shows_counts: bool) -> None:
    """The report agrees with the state: no row was read, and no contact was added (T44)."""
    emulator, clock = make(processing_shows_counts=shows_counts)
    emulator.script_import(status)
    async with Api(emulator) as api:
        sn = await api.import_text("EMAIL,NAME\na@b.cc,x\nnowhere,x\n", await api.create_list())
        during = await api.result(sn)
        clock.advance(60)
        result = await api.result(sn)

    counts = [result[name] for name in ("fileCnt", "insertCnt", "duplicateCnt", "errCnt")]
    assert (during["status"], during["insertCnt"]) == ("PROCESSING", 0)
    assert (result["status"], counts, "errorDownloadLink" in result) == (status, [0] * 4, False)
    assert (emulator.contacts, list(emulator.lists[0].members)) == ({}, [])


@pytest.mark.parametrize("word", [None, "PROCESSING"])
async def test_stuck_import_never_ends_and_holds_up_no_other(word: str | None) -> None:
    """PROCESSING is not final: the import has no completion time, and does not delay the next."""
    emulator, clock = make()
    if word is None:
        emulator.stick_import()
    else:
        emulator.script_import(word)
    async with Api(emulator) as api:
        stuck, fine = [await api.import_text(rows(1)) for _ in range(2)]
        clock.advance(20 * 86_400)
        results = [await api.result(sn) for sn in (stuck, fine)]

    assert [item["status"] for item in results] == ["PROCESSING", "COMPLETE"]
    assert [item["completedDate"] is None for item in results] == [True, False]


async def test_scripted_states_are_forgotten_with_the_faults() -> None:
    """After ``clear_faults`` imports and campaigns take their course."""
    emulator, clock = make()
    emulator.stick_import()
    emulator.script_import("ERROR")
    emulator.script_campaign("STOP")
    emulator.clear_faults()
    async with Api(emulator) as api:
        await api.submit(BODY, await api.filled_list(1))
        clock.advance(60)

    assert emulator.imports[0].status == "COMPLETE"
    assert emulator.campaigns[0].state(clock.now()) == "COMPLETE"


async def test_file_that_replaces_another_is_judged_by_itself() -> None:
    """A scripted end belongs to one upload, and not to those that follow (T22)."""
    emulator, clock = make(upload_reuse="any")
    emulator.script_import("PROCESSING")
    async with Api(emulator) as api:
        ticket = (await api.post("/v1/contacts/imports/file", {})).json()
        for content in (rows(1), rows(2)):
            await api.put(ticket["url"], content.encode())
        clock.advance(60)
        result = await api.result(ticket["import_sn"])

    assert (result["status"], result["insertCnt"]) == ("COMPLETE", 2)


@pytest.mark.parametrize("url", ["", "ftp://example.com", "example.com", 7, None])
async def test_webhook_that_is_no_url_is_a_field_error(url: object) -> None:
    """A strict server takes http and https only."""
    emulator, _ = make()
    async with Api(emulator) as api:
        answer = await api.post("/v1/contacts/imports/file", {"webhookUrl": url})

    assert answer.json() == {"code": "40001", "invalidFields": {"webhookUrl": ["InvalidUrl"]}}


EMAILS = ("a@b.cc", "A@B.cc ", "c-d@e-f.gg", "é@b.cc", "İ@b.cc", "0" * 70 + "@b.cc")
CELL = st.sampled_from(
    (*EMAILS, "a@b.cc\nc@d.ee", "x", "", " ", "1", "-2.5", "2026-01-05", "7,8", '"')
)
FILE = st.lists(st.lists(CELL, min_size=2, max_size=4), max_size=12)


def results_of(files: list[list[list[str]]]) -> list[object]:
    """Import files one after the other, and return all that came of it."""
    book, found = AddressBook(), list[object]()
    now = HandClock().now()
    target = book.create_list("list", "會員", now)
    for file in files:
        text = "".join(map(write_row, [["EMAIL", "NAME", "X"], *file]))
        steps = check_file(
            BlobWriter.of(text.encode()), book=book, columns=book.columns, switches=Switches()
        )
        try:
            while True:
                next(steps)
        except StopIteration as done:
            result = done.value
        book.columns.update(result.new_columns)
        book.commit(result.batch, list_sn="list", now=now)
        rejected = result.rejected_file.read() if result.rejected_file is not None else b""
        found.append((result.rows, result.duplicates, result.rejected, rejected))
    version = book.history.version
    numbers = target.members.numbers.order
    return [*found, book.columns, [book.contact(number, version) for number in numbers]]


@given(st.lists(FILE, min_size=1, max_size=3))
@settings(max_examples=100)
async def test_block_of_rows_is_judged_as_its_rows_are(files: list[list[list[str]]]) -> None:
    """A block of rows gets the same result as the check of each single row."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Block, "columns", lambda block, width: None)
        one_by_one = results_of(files)

    assert results_of(files) == one_by_one


async def test_others_are_answered_while_a_large_file_is_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file is checked in slices, and another request waits for only a few of them."""
    emulator, _ = make()
    slices, during = 0, list[int]()
    take = imports.Imports._check_on

    def counting(*arguments: Any) -> None:
        nonlocal slices
        slices += 1
        take(*arguments)

    monkeypatch.setattr(imports.Imports, "_check_on", counting)
    async with Api(emulator) as api, anyio.create_task_group() as tasks:
        ticket = (await api.post("/v1/contacts/imports/file", {})).json()
        tasks.start_soon(api.put, ticket["url"], rows(30_000).encode())
        while len(emulator.contacts) == 0 and slices < 50:
            before = slices
            await api.get("/v1/contacts/lists")
            during.append(slices - before)

    assert slices > 50
    assert len(during) > 2
    assert max(during) < 20


async def test_small_file_does_not_wait_for_a_large_one() -> None:
    """An upload during the check of a file gets an immediate answer; the files keep their order."""
    emulator, clock = make()
    answered = list[str]()

    async def put(name: str, url: str, content: bytes) -> None:
        await api.put(url, content)
        answered.append(name)

    async with Api(emulator) as api:
        large, small = [(await api.post("/v1/contacts/imports/file", {})).json() for _ in range(2)]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(put, "large", large["url"], rows(30_000).encode())
            await anyio.lowlevel.checkpoint()
            tasks.start_soon(put, "small", small["url"], b"EMAIL,NAME\nu0@example.com,late\n")
        clock.advance(60)
        results = [await api.result(item["import_sn"]) for item in (large, small)]

    assert answered == ["small", "large"]
    assert [result["insertCnt"] for result in results] == [30_000, 1]
    assert emulator.contacts["u0@example.com"].name == "late"


async def test_import_whose_uploader_left_is_done_all_the_same() -> None:
    """The file has arrived, so the next read checks the rest of it."""
    emulator, clock = make()
    async with Api(emulator) as api:
        list_sn = await api.create_list()
        ticket = (await api.post(f"/v1/contacts/imports/{list_sn}/file", {})).json()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(api.put, ticket["url"], rows(30_000).encode())
            while emulator._account.imports.jobs[ticket["import_sn"]].blob is None:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        clock.advance(60)
        result = await api.result(ticket["import_sn"])

    assert (result["status"], result["insertCnt"]) == ("COMPLETE", 30_000)
    assert len(emulator.lists[0].members) == 30_000


async def test_file_that_was_replaced_decides_on_no_type() -> None:
    """Columns have the types of files that count, and not of those that were replaced (T39)."""
    emulator, clock = make(upload_reuse="any")
    async with Api(emulator) as api:
        first, second = [(await api.post("/v1/contacts/imports/file", {})).json() for _ in range(2)]
        await api.put(first["url"], b"EMAIL,NAME,X\na@b.cc,x,1\n")
        await api.put(second["url"], b"EMAIL,NAME,X\nc@b.cc,x,two\n")
        await api.put(first["url"], b"EMAIL,NAME\na@b.cc,x\n")
        clock.advance(60)
        result = await api.result(second["import_sn"])

    assert (result["insertCnt"], result["errCnt"]) == (1, 0)
    assert emulator.contacts["c@b.cc"].values == {"x": "two"}


async def test_switches_of_the_upload_decide() -> None:
    """A file is judged by the switches as they stand when it arrives."""
    emulator, clock = make()
    async with Api(emulator) as api:
        sn = await api.import_text("EMAIL,NAME,PHONE\na@b.cc,x,1\n")
        emulator.switch(reserved_columns_are_errors=True)
        clock.advance(60)

    assert (await result_of(emulator, sn))["status"] == "COMPLETE"


async def result_of(emulator: Emulator, sn: str) -> dict[str, Any]:
    """Ask for a result with a client of its own."""
    async with Api(emulator) as api:
        return await api.result(sn)


async def test_contacts_are_those_of_the_moment() -> None:
    """Contacts that were read before an import do not change."""
    emulator, clock = make()
    async with Api(emulator) as api:
        await api.import_text("EMAIL,NAME,CITY\na@b.cc,x,台北\n")
        clock.advance(60)
        before = emulator.contacts
        await api.import_text("EMAIL,NAME\na@b.cc,y\nc@b.cc,z\n")
        clock.advance(60)

    assert dict(before) == {"a@b.cc": Contact("a@b.cc", "x", {"city": "台北"})}
    assert [each.name for each in emulator.contacts.values()] == ["y", "z"]
    with pytest.raises(KeyError):
        before["c@b.cc"]
