"""Contacts are imported into a list, or an error gives the reason."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from newsleopard_async import (
    APIError,
    ConnectionFailed,
    DeadlineExceeded,
    ImportFailed,
    ImportIncomplete,
    ImportResult,
    ImportSn,
    InvalidRequest,
    ListSn,
    OutcomeUnknown,
    Polling,
    ServerError,
    StorageError,
    UnexpectedResponse,
    workflows,
)
from newsleopard_async.emulator import Switches
from newsleopard_async.endpoints import contacts
from newsleopard_async.models.findings import Fix
from newsleopard_async.workflows import steps
from tests.clients import Bench, Reply, connected, csv_of, refused, scripted

pytestmark = pytest.mark.anyio

FORMS: dict[str, Callable[[Path, str], Any]] = {
    "path": lambda folder, csv: _write(folder / "會員.csv", csv),
    "bytes": lambda folder, csv: csv.encode(),
    "text": lambda folder, csv: csv,
}


def _write(path: Path, csv: str) -> Path:
    path.write_text(csv, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("rows", "operation"), [(100, "importTextToList"), (101, "upload")])
async def test_contacts_are_in_the_new_list(
    form: str, rows: int, operation: str, tmp_path: Path
) -> None:
    """Up to 100 rows go as text, more as a file; both are imported into the named list."""
    async with connected() as bench:
        contacts = FORMS[form](tmp_path, csv_of(rows))
        report = await workflows.import_contacts(bench.nl, contacts, list_name="會員")

    [made] = bench.emulator.lists
    assert (report.list_sn, made.name, len(made.members)) == (made.sn, "會員", rows)
    assert (report.result.import_sn, report.result.inserted) == (report.import_sn, rows)
    assert report.rejected_count == 0
    assert bench.wire.count("importTextToList") == (operation == "importTextToList")
    assert bench.emulator.count("upload") == (operation == "upload")


async def test_columns_of_other_names_are_imported() -> None:
    """The columns are renamed as the caller requested."""
    columns = {"信箱": "EMAIL", "姓名": "NAME"}
    async with connected() as bench:
        contacts = csv_of(3).replace("EMAIL,NAME", "信箱,姓名")
        await workflows.import_contacts(bench.nl, contacts, list_name="會員", columns=columns)

    assert len(bench.emulator.contacts) == 3


async def test_list_that_is_named_by_code_is_used() -> None:
    """The list is looked up once, and no page after it is requested."""
    async with connected() as bench:
        for number in range(150):
            await bench.nl.contacts.create_list(f"another {number}")
        sn = await bench.make_list(0)  # the newest one comes first
        report = await workflows.import_contacts(bench.nl, csv_of(3), list_sn=sn)

    assert report.list_sn == sn
    assert len(bench.emulator.lists[-1].members) == 3
    assert bench.emulator.count("list_lists") == 1


UNREADABLE = {
    "not-there": (200, b'{"Lists": []}'),
    "not-offered": (404, b""),
    "not-documented": (200, b'{"strange": 1}'),
}


@pytest.mark.parametrize(("status", "body"), UNREADABLE.values(), ids=UNREADABLE)
async def test_code_that_is_not_seen_is_imported_into_with_a_warning(
    status: int, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A new list can be listed late; the platform imports nothing if it does not exist (T51)."""
    async with connected() as bench:
        sn = await bench.make_list(0)
        bench.emulator.fail("list_lists", status=status, body=body, times=5)
        await workflows.import_contacts(bench.nl, csv_of(3), list_sn=sn)

    assert len(bench.emulator.lists[0].members) == 3
    assert f"{sn} was not found among your lists" in caplog.text


async def test_search_for_a_code_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without an end neither block an import nor use up the daily quota."""
    monkeypatch.setattr(steps, "_LONGEST_SEARCH_S", 1.0)
    pages = [Reply({"Lists": [{"sn": f"list-{number}"}]}) for number in range(10)]
    ends = {"status": "COMPLETE", "fileCnt": 1, "errCnt": 0}
    async with scripted(*pages, Reply({"import_sn": "i"}), Reply(ends)) as script:
        await workflows.import_contacts(script.nl, csv_of(1), list_sn=ListSn("s"))

        assert script.clock.monotonic() < 2


async def test_list_that_is_listed_late_is_imported_into() -> None:
    """The caller who created it seconds ago knows its code (T53)."""
    async with connected(switches=Switches(list_delay_s=60)) as bench:
        sn = await bench.nl.contacts.create_list("會員")
        report = await workflows.import_contacts(bench.nl, csv_of(3), list_sn=sn)

    assert report.result.status.is_success


async def test_list_that_is_listed_late_is_not_created_again() -> None:
    """A second pipeline with its name finds it before and after it is listed (T53)."""
    async with connected(switches=Switches(list_delay_s=60)) as bench:
        for _ in range(2):
            await workflows.import_contacts(
                bench.nl, csv_of(3), list_name="會員", if_list_exists="reuse"
            )
        with pytest.raises(InvalidRequest, match="already"):
            await workflows.import_contacts(bench.nl, csv_of(3), list_name="會員")
        await bench.clock.sleep(200)
        await workflows.import_contacts(
            bench.nl, csv_of(3), list_name="會員", if_list_exists="reuse"
        )

    assert bench.emulator.count("create_list") == 1


async def test_list_is_not_read_after_its_import_has_begun(tmp_path: Path) -> None:
    """A resumed run requests no pages of lists."""
    store = tmp_path / "run.json"
    async with connected() as bench:
        sn = await bench.make_list(0)
        for deadline_s in (1, 100):
            with contextlib.suppress(DeadlineExceeded):
                await workflows.import_contacts(
                    bench.nl,
                    csv_of(3),
                    list_sn=sn,
                    checkpoint=store,
                    polling=Polling(deadline_s=deadline_s),
                )

    assert bench.emulator.count("list_lists") == 1
    assert len(bench.emulator.lists[0].members) == 3


async def test_lists_that_cannot_be_read_end_the_import() -> None:
    """A server error or an exhausted quota is raised as for any read."""
    async with connected() as bench:
        sn = await bench.make_list(0)
        bench.emulator.fail("list_lists", status=500, times=5)
        with pytest.raises(ServerError):
            await workflows.import_contacts(bench.nl, csv_of(3), list_sn=sn)

    assert bench.emulator.imports == ()


async def test_list_that_appears_late_after_a_lost_reply_is_made_once(tmp_path: Path) -> None:
    """Within two minutes no second list is created, even if the call is repeated (T53)."""
    async with connected(switches=Switches(list_delay_s=110)) as bench:
        bench.emulator.lose_reply_to("create_list")
        for _ in range(3):
            with pytest.raises(OutcomeUnknown):
                await workflows.import_contacts(
                    bench.nl, csv_of(3), list_name="會員", checkpoint=tmp_path / "kept"
                )
            await bench.clock.sleep(35)
        await bench.clock.sleep(10)
        report = await workflows.import_contacts(
            bench.nl, csv_of(3), list_name="會員", checkpoint=tmp_path / "kept"
        )

    assert [each.sn for each in bench.emulator.lists] == [report.list_sn]
    assert bench.emulator.count("create_list") == 1


STATES = {
    "DUPLICATE_HEADER": "標頭重複",
    "ERROR": "匯入失敗",
    "MISSING_REQUIRED_DATA": "缺少需要的檔案",
    "STRANGE": "not documented",
}


@pytest.mark.parametrize("status", STATES)
async def test_every_final_state_ends_the_wait(status: str) -> None:
    """All states but PROCESSING are final, and all but COMPLETE a failure (T44)."""
    async with connected() as bench:
        bench.emulator.script_import(status)
        with pytest.raises(ImportFailed, match=STATES[status]) as caught:
            await workflows.import_contacts(bench.nl, csv_of(101), list_name="會員")
        elapsed_s = bench.clock.monotonic()

    assert not isinstance(caught.value, ImportIncomplete)
    result = caught.value.result
    assert result is not None
    assert (result.status, status in str(caught.value)) == (status, True)
    assert elapsed_s < 30


COLUMNS = {
    "none": ("", "console .匯入失敗.$"),
    "one": (",COMPANY", "匯入失敗.; .* set up: COMPANY$"),
    "many": (
        ",A,B,C,D,E,F,G,phone,Gender",
        "set up: A, B, C, D, E and 2 more; .* rename them: phone, Gender$",
    ),
    "long": ("," + "X" * 99, f": {'X' * 59}…$"),
}


@pytest.mark.parametrize(("header", "said"), COLUMNS.values(), ids=COLUMNS)
async def test_error_names_columns_that_may_have_to_be_set_up(header: str, said: str) -> None:
    """The error names some suspicious or reserved columns, and counts the others (T40, T41)."""
    contacts = f"EMAIL,NAME{header}\nuser@example.com,會員{header}\n"
    async with connected() as bench:
        bench.emulator.script_import("ERROR")
        with pytest.raises(ImportFailed, match=said):
            await workflows.import_contacts(bench.nl, contacts, list_name="會員")


async def test_strict_refuses_warnings(tmp_path: Path) -> None:
    """Warnings, for example of a reserved name, and rows that the platform would reject (T41)."""
    contacts = "EMAIL,NAME,phone\nuser@example.com,會員,1\nabsent,會員,2\n"
    async with connected() as bench:
        expected = [("contacts", "invalid-email"), ("contacts", "reserved-header")]
        with pytest.raises(InvalidRequest) as caught:
            await workflows.import_contacts(
                bench.nl, contacts, list_name="會員", strict=True, checkpoint=tmp_path / "kept"
            )
        assert bench.wire.all_requests == 0
        await workflows.import_contacts(bench.nl, csv_of(3), list_name="會員", strict=True)

    assert [(each.field, each.rule) for each in caught.value.problems] == expected


async def test_strict_of_another_kind_is_refused() -> None:
    """It is True or False."""
    async with scripted() as script, refused(script.wire, ("strict", "type")):
        await workflows.import_contacts(
            script.nl,
            csv_of(1),
            list_name="會員",
            strict="no",  # type: ignore[arg-type]  # what is tested
        )


def says(bench: Bench, **counts: Any) -> None:
    """The next poll of an import shows it complete, with these counts."""
    body = json.dumps({"status": "COMPLETE", **counts}).encode()
    bench.emulator.fail("get_import", status=200, body=body)


async def test_end_of_another_import_is_not_believed() -> None:
    """Its final state says nothing about the contacts of this import (T42)."""
    async with connected() as bench:
        says(bench, import_sn="another")
        with pytest.raises(UnexpectedResponse, match="another import"):
            await workflows.import_contacts(bench.nl, csv_of(5), list_name="會員")


FULL = {"fileCnt": 5, "insertCnt": 5, "duplicateCnt": 0, "errCnt": 0}
"""The counts of an import of five rows without errors."""
TOO_FEW = {
    "fewer": {"fileCnt": 4},
    "none": {"fileCnt": 0, "insertCnt": 0},
    "as-text": {"fileCnt": "4"},
    "and-no-others": {"fileCnt": 4, "insertCnt": None, "duplicateCnt": None, "errCnt": None},
    "less-the-rejected-ones": {"fileCnt": 3, "insertCnt": 3, "errCnt": 2},
}


@pytest.mark.parametrize("counts", TOO_FEW.values(), ids=TOO_FEW)
async def test_fewer_rows_than_addresses_are_no_complete_import(
    counts: dict[str, Any], tmp_path: Path
) -> None:
    """Contacts that the platform does not count are lost; the next run repeats the import."""
    checkpoint = tmp_path / "checkpoint.json"
    async with connected() as bench:
        says(bench, **(FULL | counts))
        with pytest.raises(ImportIncomplete, match="5 different addresses were sent") as caught:
            await workflows.import_contacts(
                bench.nl, csv_of(5), list_name="會員", checkpoint=checkpoint
            )
        report = await workflows.import_contacts(
            bench.nl, csv_of(5), list_name="會員", checkpoint=checkpoint
        )

    assert caught.value.report.result == caught.value.result
    assert (report.result.file_count, bench.wire.count("importTextToList")) == (5, 2)
    assert len(bench.emulator.lists) == 1


ENOUGH = {
    "inserted-says-nothing": {"insertCnt": 0},
    "no-sum": {"insertCnt": 1, "duplicateCnt": 2},
    "more-than-sent": {"fileCnt": 6},
}


@pytest.mark.parametrize("counts", ENOUGH.values(), ids=ENOUGH)
async def test_counts_that_prove_no_loss_are_taken(
    counts: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Only the rows of the file are compared, because an update possibly counts nowhere (T46)."""
    async with connected() as bench:
        says(bench, **(FULL | counts))
        report = await workflows.import_contacts(bench.nl, csv_of(5), list_name="會員")

    assert report.result.status.is_success
    assert "does not report" not in caplog.text


UNKNOWN = {
    "file": ({"fileCnt": None}, "how many rows the file has"),
    "rejected": ({"errCnt": None}, "how many rows it rejected"),
    "below-zero": ({"errCnt": -1}, "how many rows it rejected"),
    "all-below-zero": (dict.fromkeys(FULL, -1), "how many rows the file has"),
}


@pytest.mark.parametrize(("counts", "what"), UNKNOWN.values(), ids=UNKNOWN)
async def test_counts_that_are_not_given_are_warned_of_once(
    counts: dict[str, Any], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Missing contacts cannot be noticed then; that is not a reason to stop."""
    async with connected() as bench:
        says(bench, **(FULL | counts))
        report = await workflows.import_contacts(bench.nl, csv_of(5), list_name="會員")

    assert report.rejected_count == 0
    [warning] = [each for each in caplog.messages if "does not report" in each]
    assert what in warning
    assert "5 different addresses" in warning


@pytest.mark.parametrize("fix", [(), ("drop-duplicates",)])
async def test_addresses_are_compared_each_once(fix: tuple[Fix, ...]) -> None:
    """It is unknown whether repetitions and bad rows count (T47)."""
    rows = csv_of(2) + "USER0@example.com,會員\nabsent,誰\n,誰\n"
    async with connected() as bench:
        says(bench, **(FULL | {"fileCnt": 2}))
        report = await workflows.import_contacts(bench.nl, rows, list_name="會員", fix=fix)

    assert report.result.file_count == 2


NOT_KNOWN = {
    "empty-400": (400, b""),
    "missing": (404, b""),
    "page": (404, b"<html>404 Not Found</html>"),
    "gone": (410, b""),
    "code": (400, b'{"code": "40007", "message": "invalid sn"}'),
    "other-name": (400, b'{"errorCode": 40007}'),
    "code-404": (404, b'{"code": "40404"}'),
}
"""The ways in which the platform can refuse an unknown import (T50)."""


@pytest.mark.parametrize(
    ("status", "body"), [*NOT_KNOWN.values(), (403, b'{"code": "40303"}')], ids=str
)
async def test_import_that_is_not_known_yet_gets_a_grace(status: int, body: bytes) -> None:
    """Any refusal right after the upload is not final."""
    async with connected() as bench:
        bench.emulator.fail("get_import", status=status, body=body, times=4)
        report = await workflows.import_contacts(bench.nl, csv_of(101), list_name="會員")

    assert report.result.status.is_success
    assert bench.emulator.count("get_import") == 5


@pytest.mark.parametrize(("status", "body"), NOT_KNOWN.values(), ids=NOT_KNOWN)
async def test_import_that_stays_unknown_has_failed(status: int, body: bytes) -> None:
    """After the grace period the refusal is raised."""
    said = str(json.loads(body).popitem()[1]) if body.startswith(b"{") else f"HTTP {status}"
    async with connected() as bench:
        bench.emulator.fail("get_import", status=status, body=body, times=99)
        with pytest.raises(ImportFailed, match=f"does not know it: .*{said}") as caught:
            await workflows.import_contacts(bench.nl, csv_of(101), list_name="會員")
        elapsed_s = bench.clock.monotonic()

    assert caught.value.result is None
    assert 60 <= elapsed_s < 90


async def test_import_that_stays_refused_otherwise_is_the_refusal() -> None:
    """A refusal for another reason does not mean "unknown", so nothing is imported again."""
    async with connected() as bench:
        bench.emulator.fail("get_import", status=403, body=b'{"code": "40303"}', times=99)
        with pytest.raises(APIError, match="40303"):
            await workflows.import_contacts(bench.nl, csv_of(101), list_name="會員")
        elapsed_s = bench.clock.monotonic()

    assert 60 <= elapsed_s < 90


async def test_other_refusals_of_the_poll_are_raised() -> None:
    """A refused key or a failing server says nothing about the import."""
    async with connected() as bench:
        import_sn = await bench.nl.contacts.import_text(csv_of(1))
        bench.emulator.fail("get_import", status=500, times=5)
        with pytest.raises(ServerError):
            await workflows.wait_for_import(bench.nl, import_sn)


async def test_import_that_never_ends_reaches_the_deadline() -> None:
    """The wait ends at the deadline, with the last result; the job continues."""
    async with connected() as bench:
        bench.emulator.stick_import()
        with pytest.raises(DeadlineExceeded, match="within 100 s") as caught:
            await workflows.import_contacts(
                bench.nl, csv_of(101), list_name="會員", polling=Polling(deadline_s=100)
            )
        elapsed_s = bench.clock.monotonic()

    assert isinstance(caught.value.last, ImportResult)
    assert caught.value.last.status == "PROCESSING"
    assert elapsed_s == pytest.approx(100)


async def test_wait_for_import_accepts_one_begun_elsewhere() -> None:
    """The code of an import is sufficient to wait for it."""
    async with connected() as bench:
        import_sn = await bench.nl.contacts.import_text(csv_of(7))
        result = await workflows.wait_for_import(bench.nl, import_sn)

    assert (result.import_sn, result.inserted) == (import_sn, 7)


async def test_bad_code_of_an_import_is_refused() -> None:
    """A code that is not valid in a path is refused before anything is sent."""
    async with scripted() as script, refused(script.wire, ("import_sn", "code")):
        await workflows.wait_for_import(script.nl, ImportSn("a/b"))


async def test_other_refusal_of_the_storage_asks_for_no_ticket() -> None:
    """Only an expired URL is replaced by a fresh one."""
    async with connected() as bench:
        bench.emulator.fail("upload", status=403, body=b"<Error>AccessDenied</Error>")
        with pytest.raises(StorageError) as caught:
            await workflows.import_contacts(bench.nl, csv_of(101), list_name="會員")

    assert not caught.value.expired
    assert bench.emulator.count("start_file_import") == 1


async def test_name_that_exists_is_refused() -> None:
    """An existing list of the name is not filled by accident."""
    async with connected() as bench:
        sn = await bench.make_list(0)
        with pytest.raises(InvalidRequest, match=sn) as caught:
            await workflows.import_contacts(bench.nl, csv_of(1), list_name="會員")

    assert [(each.field, each.rule) for each in caught.value.problems] == [("list_name", "exists")]
    assert bench.emulator.contacts == {}


async def test_name_that_exists_is_reused_on_request() -> None:
    """The list with exactly that name is used, not one that only looks the same."""
    async with connected() as bench:
        await bench.make_list(0, "會員 ")
        sn = await bench.make_list(2)
        report = await workflows.import_contacts(
            bench.nl, csv_of(5), list_name="會員", if_list_exists="reuse"
        )

    assert report.list_sn == sn
    assert [len(each.members) for each in bench.emulator.lists] == [0, 5]


async def test_name_that_is_new_is_created_though_reuse_is_allowed() -> None:
    """The choice "reuse" also creates a list that does not exist."""
    async with connected() as bench:
        report = await workflows.import_contacts(
            bench.nl, csv_of(1), list_name="會員", if_list_exists="reuse"
        )

    assert [each.sn for each in bench.emulator.lists] == [report.list_sn]


async def test_lists_without_end_are_no_reason_to_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """If not all pages could be read, the list possibly exists."""
    monkeypatch.setattr(contacts, "_MOST_PAGES", 1)
    async with connected() as bench:
        await bench.make_list(0, name="another")
        with pytest.raises(UnexpectedResponse, match="no end"):
            await workflows.import_contacts(bench.nl, csv_of(1), list_name="會員")

    assert bench.emulator.count("create_list") == 1


UNUSABLE = {
    "ambiguous": [{"sn": "a", "name": "會員"}, {"sn": "b", "name": "會員"}],
    "segment": [{"sn": "a", "name": "會員", "type": 1}],
    "alike": [{"sn": "a", "name": "會員 "}],
}


@pytest.mark.parametrize("rule", UNUSABLE)
async def test_list_that_cannot_be_reused_is_refused(rule: str) -> None:
    """Two lists of the name, a segment and a similar name are refused (T53, T62)."""
    async with scripted(Reply({"Lists": UNUSABLE[rule]}), Reply([])) as script:
        with pytest.raises(InvalidRequest) as caught:
            await workflows.import_contacts(
                script.nl, csv_of(1), list_name="會員", if_list_exists="reuse"
            )

    assert [(each.field, each.rule) for each in caught.value.problems] == [("list_name", rule)]


@pytest.mark.parametrize("fault", ["lose_reply_to", "cut_body", "garbage"])
async def test_lost_reply_to_create_is_looked_up(fault: str) -> None:
    """A list that was possibly created is searched for, and not created again."""
    async with connected() as bench:
        getattr(bench.emulator, fault)("create_list")
        report = await workflows.import_contacts(bench.nl, csv_of(3), list_name="會員")

    [made] = bench.emulator.lists
    assert (made.sn, len(made.members)) == (report.list_sn, 3)
    assert bench.emulator.count("create_list") == 1


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("會員 ", "會員"),
        ("\u3000A\u200b", "A"),
        ("ＶＩＰ 2027", "VIP 2027"),
        ("A & <B>", "A &amp; &lt;B&gt;"),
    ],
)
async def test_list_is_found_though_its_name_was_kept_in_another_form(name: str, kept: str) -> None:
    """After a lost reply, a list with a similar name is the created one; there is no second one."""
    nothing = [Reply({"Lists": []}), Reply({"Lists": []})]
    others = {"sn": "list-2", "name": f"{kept}!"}
    made = [Reply({"Lists": [{"sn": "list-1", "name": kept}, others]}), Reply({"Lists": []})]
    ends = {"status": "COMPLETE", "fileCnt": 1, "errCnt": 0}
    async with scripted(
        *nothing, httpx.ReadError("lost"), *made, Reply({"import_sn": "i"}), Reply(ends)
    ) as script:
        report = await workflows.import_contacts(script.nl, csv_of(1), list_name=name)

    assert report.list_sn == "list-1"


async def test_list_that_is_not_there_after_a_lost_reply_is_an_open_question() -> None:
    """It can still be created: the error is raised, and no second list is requested."""
    async with connected() as bench:
        bench.emulator.drop_request("create_list")
        with pytest.raises(OutcomeUnknown, match="create_list"):
            await workflows.import_contacts(bench.nl, csv_of(3), list_name="會員")

    assert bench.emulator.count("create_list") == 1
    assert bench.emulator.lists == ()


async def test_create_that_was_not_sent_is_sent() -> None:
    """A request that never left is simply sent again."""
    async with connected() as bench:
        bench.emulator.not_sent("create_list", times=2)
        await workflows.import_contacts(bench.nl, csv_of(3), list_name="會員")

    assert len(bench.emulator.lists) == 1


@pytest.mark.parametrize("operation", ["start_file_import", "upload", "get_import", "list_lists"])
@pytest.mark.parametrize("fault", ["lose_reply_to", "not_sent", "fail", "cut_body"])
async def test_import_survives_a_fault_of_every_step(operation: str, fault: str) -> None:
    """Repeatable requests are repeated, and the contacts are imported once."""
    async with connected() as bench:
        getattr(bench.emulator, fault)(operation)
        report = await workflows.import_contacts(bench.nl, csv_of(101), list_name="會員")

    assert report.result.inserted == 101
    assert len(bench.emulator.lists) == 1


async def test_unreachable_platform_is_reported() -> None:
    """A platform that cannot be reached is a failed connection, after the retries."""
    async with connected() as bench:
        bench.emulator.not_sent("list_lists", times=99)
        with pytest.raises(ConnectionFailed):
            await workflows.import_contacts(bench.nl, csv_of(1), list_name="會員")


TARGETS: list[tuple[dict[str, Any], tuple[str, str]]] = [
    ({}, ("list_sn", "target")),
    ({"list_sn": "a", "list_name": "b"}, ("list_sn", "target")),
    ({"list_sn": ""}, ("list_sn", "required")),
    ({"list_sn": "a/b"}, ("list_sn", "code")),
    ({"list_sn": "file"}, ("list_sn", "reserved")),
    ({"list_name": ""}, ("list_name", "required")),
    ({"list_name": " "}, ("list_name", "required")),
    ({"list_name": "a\nb"}, ("list_name", "one-line")),
    ({"list_name": 5}, ("list_name", "type")),
    ({"list_name": "a", "if_list_exists": "replace"}, ("if_list_exists", "choice")),
]


@pytest.mark.parametrize(("target", "problem"), TARGETS)
async def test_bad_target_is_refused(target: dict[str, Any], problem: tuple[str, str]) -> None:
    """The list must be unambiguous before anything is sent."""
    async with scripted() as script, refused(script.wire, problem):
        await workflows.import_contacts(script.nl, csv_of(1), **target)


@pytest.mark.parametrize(
    ("contacts", "rule"),
    [
        (b"", "empty-file"),
        ("EMAIL\na@example.com\n", "header-order"),
        ('EMAIL,NAME\na@example.com,"\nA"\n', "line-break"),
        (b"EMAIL,NAME\na@example.com,\xff\n", "encoding"),
        (Path("there is no such file.csv"), "readable"),
    ],
)
async def test_bad_contacts_make_no_list(contacts: Any, rule: str) -> None:
    """Contacts are checked to their last row before the list is created."""
    async with scripted() as script, refused(script.wire, ("contacts", rule)):
        await workflows.import_contacts(script.nl, contacts, list_name="會員")


async def test_file_that_vanishes_after_the_check_is_imported_all_the_same(tmp_path: Path) -> None:
    """The checked contacts are sent, even if the file changes in the meantime."""
    file = _write(tmp_path / "會員.csv", csv_of(101))

    async def vanish(event: workflows.Event) -> None:
        if event.step == "create_list":
            file.unlink(missing_ok=True)

    async with connected() as bench:
        await workflows.import_contacts(bench.nl, file, list_name="會員", progress=vanish)

    assert len(bench.emulator.contacts) == 101


async def test_list_whose_name_has_hidden_characters_is_found() -> None:
    """It is not created a second time."""
    name = "會\u200b員 👩\u200d👧"
    async with connected() as bench:
        there = await bench.nl.contacts.create_list(name)

        report = await workflows.import_contacts(
            bench.nl, csv_of(3), list_name=name, if_list_exists="reuse"
        )

    assert report.list_sn == there


async def test_state_that_steers_a_terminal_is_shown_written_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the error, in the events, in the checkpoint and in the log."""
    caplog.set_level(0)
    events: list[str] = []
    async with connected() as bench:
        bench.emulator.script_import("ERR\x1b[2J\u202e\nfake")

        with pytest.raises(ImportFailed) as caught:
            await workflows.import_contacts(
                bench.nl,
                csv_of(3),
                list_name="x",
                progress=lambda event: events.append(f"{event} {event.to_dict()}"),
                checkpoint=tmp_path / "checkpoint",
            )

    said = [str(caught.value), repr(caught.value.result), *events, caplog.text.replace("\n", "")]
    said.append((tmp_path / "checkpoint").read_text().replace("\n", ""))
    assert "ERR\\x1b[2J\\u202e\\nfake" in said[0]
    assert not any(set("\x1b\u202e\n") & set(each) for each in said)
