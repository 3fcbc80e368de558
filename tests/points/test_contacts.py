"""Contacts and what a file of them may be: T19 to T41."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import (
    ImportFailed,
    InsufficientBalance,
    InvalidRequest,
    StorageError,
    check_contacts,
    with_lists,
    workflows,
)
from newsleopard_async.emulator import Emulator
from newsleopard_async.endpoints.contacts import Contacts
from tests.clients import Bench, connected, csv_of
from tests.constants import CAMPAIGN
from tests.contacts.books import book
from tests.emulator.api import BODY, make, rows
from tests.points.cells import point
from tests.points.means import (
    CSV,
    DAY_S,
    codes_of,
    contact_rules,
    field_errors,
    imported,
    platform,
    switched,
    uploaded,
)

EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


FILE_PATH = "/v1/contacts/imports/file"


TEXT_PATH = "/v1/contacts/imports/text"


def operations(bench: Bench) -> list[str]:
    """Return the requests to the platform in order, repetitions once."""
    return list(dict.fromkeys(each.operation for each in bench.emulator.requests))


@point
async def test_t19_client() -> None:
    """Nothing is deleted by the twelve endpoints, and an import leaves other lists alone."""
    removing = [name for name in dir(Contacts) if "delete" in name or "remove" in name]
    assert removing == ["remove_contacts"]  # of the notes (T63); no pipeline calls it
    async with connected() as bench:
        for name in "ab":
            await workflows.import_contacts(bench.nl, CSV, list_name=name)
        assert [list(each.members) for each in bench.emulator.lists] == [["a@example.com"]] * 2
        assert {each.method for each in bench.wire.sent} == {"GET", "POST"}


@point
async def test_t19_emulator() -> None:
    """Each address has one contact, which can be in several lists."""
    async with platform() as (api, clock):
        for _ in range(2):
            await api.import_text(CSV, await api.create_list())
        clock.advance(60)

    assert list(api.emulator.contacts) == ["a@example.com"]
    assert [list(each.members) for each in api.emulator.lists] == [["a@example.com"]] * 2


@point
async def test_t20_client() -> None:
    """The pipelines require a list; the endpoints take None."""
    async with connected() as bench:
        with pytest.raises(InvalidRequest, match="list_sn"):
            await workflows.import_contacts(bench.nl, CSV)
        with pytest.raises(InvalidRequest, match="list_sn"):
            await workflows.send_campaign(bench.nl, CAMPAIGN, contacts=CSV)
        await bench.nl.contacts.import_text(CSV, None)
        await bench.nl.contacts.start_file_import(None)
        assert [each.path for each in bench.wire.sent] == [TEXT_PATH, FILE_PATH]


@point
async def test_t20_emulator() -> None:
    """Contacts of an import without a list are in none."""
    async with platform() as (api, clock):
        await api.create_list()
        await api.import_text(CSV)
        clock.advance(60)

    assert len(api.emulator.contacts) == 1
    assert not api.emulator.lists[0].members


@point
async def test_t21_client() -> None:
    """POST, PUT of the raw bytes, then polls; the POST alone imports nothing."""
    async with connected() as bench:
        await workflows.import_contacts(bench.nl, csv_of(101), list_name="會員")
        assert operations(bench)[-3:] == ["start_file_import", "upload", "get_import"]
        [upload] = [each for each in bench.emulator.requests if each.operation == "upload"]
        assert upload.method == "PUT"
        ticket = await bench.nl.contacts.start_file_import()
        await bench.clock.sleep(DAY_S)
        assert not (await bench.nl.contacts.get_import(ticket.import_sn)).status.is_final

    assert len(bench.emulator.contacts) == 101


@point
async def test_t21_emulator() -> None:
    """The import begins with the PUT, and a multipart POST is refused."""
    async with platform() as (api, clock):
        ticket = (await api.post(FILE_PATH, {})).json()
        clock.advance(600)
        assert (await api.result(ticket["import_sn"]))["status"] == "PROCESSING"
        await api.put(ticket["url"], CSV)
        clock.advance(60)
        assert (await api.result(ticket["import_sn"]))["status"] == "COMPLETE"
        multipart = await api.post(FILE_PATH, files={"file": ("a.csv", CSV)})

    assert (multipart.status_code, multipart.content) == (415, b"")


@point
async def test_t22_client(tmp_path: Path) -> None:
    """An upload has its length and nothing more; any 2xx will do; an expired URL is replaced."""
    async with connected() as bench:
        bench.emulator.fail("upload", 204, processed=True)
        await workflows.import_contacts(bench.nl, csv_of(101), list_name="a")
        [upload] = [each for each in bench.emulator.requests if each.operation == "upload"]
        assert upload.headers.keys() == {"host", "content-length"}

        bench.emulator.fail("upload", 403, body=EXPIRED, times=2)
        report = await workflows.import_contacts(bench.nl, csv_of(101), list_name="b")
        assert report.import_sn == bench.emulator.imports[-1].sn
        assert bench.emulator.count("start_file_import") == 1 + 3
        bench.emulator.fail("upload", 403, body=EXPIRED, times=3)
        with pytest.raises(StorageError) as caught:
            await workflows.import_contacts(bench.nl, csv_of(101), list_name="c")
        assert caught.value.expired

        sn = await bench.send()
        await bench.nl.reports.export(sn)
        await bench.clock.sleep(60)
        [link, *_] = await bench.nl.reports.get_links(sn)
        bench.emulator.fail("download", 206, processed=True)
        with pytest.raises(StorageError):
            await bench.nl.reports.download(link, tmp_path / "report.csv")
        bench.emulator.cut_body("download", times=9)
        with pytest.raises(StorageError):
            await bench.nl.reports.download(link, tmp_path / "report.csv")
        assert list(tmp_path.iterdir()) == []


@point
@pytest.mark.parametrize(
    ("switches", "wait_s", "content", "status"),
    [
        ({}, 899, CSV, 200),
        ({}, 901, CSV, 403),
        ({}, 1, CSV + "B", 403),
        ({"upload_lifetime_s": 5}, 6, CSV, 403),
        ({"upload_reuse": "any"}, 1, CSV + "B", 200),
        ({"upload_reuse": "refused"}, 1, CSV, 403),
    ],
)
async def test_t22_emulator(
    switches: dict[str, Any], wait_s: float, content: str, status: int
) -> None:
    """A URL is good for 15 minutes, and takes the same bytes again and no other."""
    async with platform(**switches) as (api, clock):
        ticket = (await api.post(FILE_PATH, {})).json()
        assert (await api.put(ticket["url"], CSV)).status_code == 200
        clock.advance(wait_s)
        assert (await api.put(ticket["url"], content)).status_code == status


@point
async def test_t23_client() -> None:
    """Polling begins after the upload; for 60 s a 400 without content means "not known yet"."""
    async with connected() as bench:
        bench.emulator.fail("get_import", 400, times=3)
        await workflows.import_contacts(bench.nl, csv_of(101), list_name="a")
        bench.emulator.fail("get_import", 400, times=99)
        began_s = bench.clock.monotonic()
        with pytest.raises(ImportFailed) as caught:
            await workflows.import_contacts(bench.nl, csv_of(101), list_name="b")
        assert caught.value.result is None
        assert 60 <= bench.clock.monotonic() - began_s <= 130
        order = [each.operation for each in bench.emulator.requests]
        assert order.index("upload") < order.index("get_import")


@point
async def test_t23_emulator() -> None:
    """Before its upload an import is PROCESSING with zero counts, or unknown by a switch."""
    async with platform() as (api, _):
        ticket = (await api.post(FILE_PATH, {})).json()
        sn = ticket["import_sn"]
        result = await api.result(sn)
        counts = [result[name] for name in ("fileCnt", "insertCnt", "duplicateCnt", "errCnt")]
        assert (result["status"], counts) == ("PROCESSING", [0] * 4)
        api.emulator.switch(unstarted_import_is_400=True)
        before = await api.get(f"/v1/contacts/imports/result/{sn}")
        await api.put(ticket["url"], CSV)
        after = await api.get(f"/v1/contacts/imports/result/{sn}")

    assert (before.status_code, before.content, after.status_code) == (400, b"", 200)


@point
async def test_t24_client() -> None:
    """A text import is JSON with the one field ``contacts``."""
    async with connected() as bench:
        await bench.nl.contacts.import_text(CSV)
        assert bench.wire.sent[0].json == {"contacts": CSV}


@point
async def test_t24_emulator() -> None:
    """A missing ``contacts``, or a body that is not JSON, is 40001."""
    values = [json.dumps({"contacts": value}) for value in ("", None, [CSV])]
    async with platform() as (api, _):
        for content in ("{}", '{"csvText": "x"}', CSV, "", "[]", '"x"', *values):
            assert field_errors(await api.post(TEXT_PATH, content=content))


@point
def test_t25_client() -> None:
    """A text import has no argument for a webhook; the two others have one."""
    assert not [
        name for name in inspect.signature(Contacts.import_text).parameters if "hook" in name
    ]
    assert "webhook_url" in inspect.signature(Contacts.start_file_import).parameters


@point
async def test_t25_emulator() -> None:
    """A webhook of a text import is an unknown field, which is ignored without ``strict``."""
    body = {"contacts": CSV, "webhookUrl": "http://localhost/hook"}
    async with platform() as (api, clock):
        assert list(field_errors(await api.post(TEXT_PATH, body))) == ["webhookUrl"]
        api.emulator.switch(strict=False)
        assert (await api.post(TEXT_PATH, body)).status_code == 200
        clock.advance(60)
        await api.emulator.deliver_webhooks()

    assert api.emulator.webhooks == ()


@point
async def test_t26_client() -> None:
    """Without a webhook the body is ``{}``; with one it has its URL."""
    async with connected() as bench:
        await bench.nl.contacts.start_file_import()
        await bench.nl.contacts.start_file_import(webhook_url="https://example.com/hook")
        sn = await bench.send()
        await bench.nl.reports.export(sn)
        bodies = [each.json for each in bench.wire.sent]

    assert bodies[:2] == [{}, {"webhookUrl": "https://example.com/hook"}]
    assert bodies[-1] == {}


@point
async def test_t26_emulator() -> None:
    """``{}`` and an absent body are the same."""
    async with platform() as (api, _):
        answers = [await api.post(FILE_PATH, {}), await api.post(FILE_PATH)]

    assert [each.status_code for each in answers] == [200, 200]


@point
async def test_t27_client() -> None:
    """Nothing is checked; the refusal arrives as its code, and mentions free accounts."""
    async with switched(free_plan=True) as bench:
        ready = with_lists(CAMPAIGN, [await bench.make_list(60)])
        with pytest.raises(InsufficientBalance, match="50 mails") as caught:
            await bench.nl.campaigns.submit(ready)

    assert (caught.value.code, caught.value.recipients) == (40012, 60)


@point
async def test_t27_emulator() -> None:
    """``free_plan`` refuses above 50 mails in any 24 hours, with 40012."""
    async with platform(free_plan=True) as (api, clock):
        list_sn = await api.filled_list(30)
        answers = []
        for _ in range(3):
            answers.append(codes_of(await api.submit(BODY, list_sn)))
            clock.advance(43_201)

    assert answers == [(200, None), (400, 40012), (200, None)]


@point
async def test_t28_client() -> None:
    """A body above 10,000,000 bytes is refused; the pipelines use text up to 1,600,000 bytes."""
    async with connected() as bench:
        with pytest.raises(InvalidRequest):
            await bench.nl.contacts.import_text("EMAIL,NAME\n" + "a@example.com,甲\n" * 600_000)
        for size, operation in ((1_500_000, "import_text"), (1_700_000, "start_file_import")):
            lines = (f"u{number}@example.com,{'x' * (size // 20)}\n" for number in range(20))
            contacts = "EMAIL,NAME\n" + "".join(lines)
            await workflows.import_contacts(bench.nl, contacts, list_name=f"{size}")
            assert bench.emulator.count(operation) == 1


@point
async def test_t28_emulator() -> None:
    """The whole body is measured; its size and the code are switches."""
    for switches, code in (({}, 40010), ({"text_import_too_large_code": 40001}, 40001)):
        async with platform(text_import_max_bytes=200, **switches) as (api, _):
            assert (await api.post(TEXT_PATH, {"contacts": CSV})).status_code == 200
            for size, answer in ((200, (200, None)), (201, (400, code))):
                blanks = await api.post(TEXT_PATH, content=b'{"contacts": "x"}'.ljust(size))
                assert codes_of(blanks) == answer
    assert make()[0].switches.text_import_max_bytes == 10_000_000


@point
@pytest.mark.parametrize(("count", "operation"), [(100, "import_text"), (101, "start_file_import")])
async def test_t29_client(count: int, operation: str) -> None:
    """The pipelines use text up to 100 rows, and a file above."""
    async with connected() as bench:
        await workflows.import_contacts(bench.nl, csv_of(count), list_name="會員")

        assert bench.emulator.count(operation) == 1
        assert bench.emulator.count("import_text") + bench.emulator.count("upload") == 1


@point
async def test_t29_emulator() -> None:
    """Both ways take any number of rows."""
    async with platform() as (api, clock):
        await api.import_text(rows(500))
        clock.advance(60)
        result, _ = await imported(rows(1))

    assert (len(api.emulator.contacts), result["insertCnt"]) == (500, 1)


@point
async def test_t30_client() -> None:
    """The pipelines send CSV, also from a workbook; ``upload`` sends any bytes as they are."""
    workbook = book([["EMAIL", "NAME"], ["a@example.com", "甲"]])
    assert await uploaded(workbook) == "EMAIL,NAME\na@example.com,甲\n".encode()
    assert "spreadsheet-file" in await contact_rules(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    )

    async with connected() as bench:
        ticket = await bench.nl.contacts.start_file_import()
        await bench.nl.contacts.upload(ticket, workbook)
        [job] = bench.emulator.imports
        assert job.blob is not None
        assert b"".join(job.blob.read_chunks()) == workbook


@point
async def test_t30_emulator() -> None:
    """A file that is not CSV in UTF-8 ends in ERROR, and so does one above a limit."""
    for content in (book([["EMAIL", "NAME"]]), "EMAIL,NAME\na@b.cc,甲\n".encode("cp950")):
        assert (await imported(content))[0]["status"] == "ERROR"
    for most, status in ((len(CSV), "COMPLETE"), (len(CSV) - 1, "ERROR")):
        assert (await imported(CSV, file_max_bytes=most))[0]["status"] == status
    assert Emulator(profile="vendor-2026").switches.file_max_bytes == 10_000_000


@point
async def test_t31_client() -> None:
    """The two columns go first, in upper case; without them nothing is sent."""
    assert await uploaded("name,City,email\n甲,台北,a@example.com\n") == (
        "EMAIL,NAME,City\na@example.com,甲,台北\n".encode()
    )
    assert "header-order" in await contact_rules("NAME,CITY\n甲,台北\n")
    async with connected() as bench:
        for text in ("NAME,EMAIL\nx,a@b.cc", "EMAIL\na@b.cc", "email,name\na@b.cc,x"):
            with pytest.raises(InvalidRequest):
                await bench.nl.contacts.import_text(text)
        assert bench.wire.all_requests == 0


@point
@pytest.mark.parametrize(
    ("header", "strict", "status"),
    [
        ("EMAIL,NAME", True, "COMPLETE"),
        ("NAME,EMAIL", True, "MISSING_REQUIRED_DATA"),
        ("EMAIL", True, "MISSING_REQUIRED_DATA"),
        ("email,name", True, "MISSING_REQUIRED_DATA"),
        ("email,name", False, "COMPLETE"),
    ],
)
async def test_t31_emulator(header: str, strict: bool, status: str) -> None:
    """A header without EMAIL,NAME is missing data; without ``strict`` case does not matter."""
    assert (await imported(f"{header}\n", strict=strict))[0]["status"] == status


@point
@pytest.mark.parametrize("names", ["CITY,city", "CITY, City ", "CITY,name"])
async def test_t32_client(names: str) -> None:
    """Names are compared without case and blanks around them, and a repetition is refused."""
    async with connected() as bench:
        with pytest.raises(InvalidRequest) as caught:
            await workflows.import_contacts(
                bench.nl, f"EMAIL,NAME,{names}\na@example.com,A,1,2\n", list_name="會員"
            )
        assert "duplicate-header" in {each.rule for each in caught.value.problems}
        assert bench.wire.all_requests == 0


@point
@pytest.mark.parametrize("names", ["CITY,city", "CITY, City ", "CITY,name"])
async def test_t32_emulator(names: str) -> None:
    """Names are compared without case and blanks around them."""
    result, _ = await imported(f"EMAIL,NAME,{names}\na@example.com,A,1,2\n")

    assert result["status"] == "DUPLICATE_HEADER"


@point
async def test_t33_client() -> None:
    """The column NAME is always sent; a name that shows nothing is a warning."""
    contacts = "EMAIL,NAME\na@example.com,\nb@example.com,NULL\n"

    assert await contact_rules(contacts) >= {"empty-name", "null-word"}
    assert await uploaded(contacts) == contacts.encode()


@point
async def test_t33_emulator() -> None:
    """A row without NAME is taken, one without EMAIL rejected."""
    result, emulator = await imported("EMAIL,NAME\na@example.com,\n,甲\n")

    assert (result["insertCnt"], result["errCnt"]) == (1, 1)
    assert emulator.contacts["a@example.com"].name == ""


@point
async def test_t34_client() -> None:
    """The client sends line feeds for any input; ``import_text`` refuses carriage returns."""
    for count in (2, 101):
        sent = await uploaded(csv_of(count).replace("\n", "\r\n"))
        assert sent == csv_of(count).encode()
    async with connected() as bench:
        with pytest.raises(InvalidRequest):
            await bench.nl.contacts.import_text(CSV.replace("\n", "\r\n"))


@point
async def test_t34_emulator() -> None:
    """A carriage return before a line feed is dropped, and blank lines at the end are ignored."""
    result, emulator = await imported("EMAIL,NAME\r\na@example.com,A\r\n\n\r\n\n")

    assert (result["fileCnt"], result["insertCnt"]) == (1, 1)
    assert emulator.contacts["a@example.com"].name == "A"


@point
async def test_t35_client() -> None:
    """Values are quoted where needed; line breaks inside and open quotes are refused."""
    header = "EMAIL,NAME,MEMO\n"
    quoted = header + 'a@example.com,"A, B","x ""y"""\n'
    assert await uploaded(quoted) == quoted.encode()
    assert "line-break" in await contact_rules(header + 'a@example.com,A,"x\ny"\n')
    assert "formula" in await contact_rules(header + "a@example.com,A,=1+1\n")
    assert (
        await uploaded(header + "a@example.com,A,=1+1\n")
        == (header + "a@example.com,A,=1+1\n").encode()
    )
    unclosed = header + 'a@example.com,A,"x\nb@example.com,B,y\nc@example.com,C,"z\n'
    report = await check_contacts(unclosed)
    assert not report.ok


@point
async def test_t35_emulator() -> None:
    """Quotes are those of RFC 4180, and a row with another number of cells is rejected."""
    result, emulator = await imported(
        'EMAIL,NAME\na@example.com,"A, ""B"""\nb@example.com\nc@example.com,C,D\n'
    )

    assert (result["insertCnt"], result["errCnt"]) == (1, 2)
    assert emulator.contacts["a@example.com"].name == 'A, "B"'


@point
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp950"])
async def test_t36_client(encoding: str) -> None:
    """The client sends UTF-8 without a mark for any input."""
    text = "EMAIL,NAME\na@example.com,王小明\nb@example.com,陳大文\n"

    assert await uploaded(text.encode(encoding)) == text.encode()


@point
async def test_t36_emulator() -> None:
    """A byte order mark is removed, or spoils the header by a switch."""
    for spoils, status in ((False, "COMPLETE"), (True, "MISSING_REQUIRED_DATA")):
        result, _ = await imported(b"\xef\xbb\xbf" + CSV.encode(), bom_spoils_header=spoils)
        assert result["status"] == status


@point
async def test_t37_client() -> None:
    """Imports are repeated; addresses are compared in lower case and sent as they are written."""
    contacts = "EMAIL,NAME\nA@Example.com,甲\n"
    assert await uploaded(contacts) == contacts.encode()
    assert "duplicate-email" in await contact_rules(contacts + "a@example.com,乙\n")
    async with connected() as bench:
        bench.emulator.lose_reply_to("import_text")
        await bench.nl.contacts.import_text(CSV)
        assert bench.emulator.count("import_text") == 2


@point
async def test_t37_emulator() -> None:
    """An absent column keeps a value, a blank cell replaces it; the address's case is ignored."""
    async with platform() as (api, clock):
        await api.import_text("EMAIL,NAME,CITY,SIZE\na@b.cc,x,台北,L\n")
        await api.import_text("EMAIL,NAME,SIZE\n A@B.cc,y,\n")
        clock.advance(60)

    [contact] = api.emulator.contacts.values()
    assert (contact.name, dict(contact.values)) == ("y", {"city": "台北", "size": ""})


@point
async def test_t38_client() -> None:
    """Every row is sent except the addresses of ``skip=``, which are counted."""
    contacts = "EMAIL,NAME\na@example.com,A\nb@example.com,B\n"
    assert await uploaded(contacts) == contacts.encode()
    assert await uploaded(contacts, skip=["B@example.com"]) == b"EMAIL,NAME\na@example.com,A\n"
    report = await check_contacts(contacts, skip=["b@example.com"])

    assert report.skipped == 1


@point
async def test_t38_emulator() -> None:
    """An excluded contact stays excluded after any import."""
    async with platform() as (api, clock):
        list_sn = await api.filled_list(1)
        api.emulator.exclude("u0@example.com")
        await api.import_text(rows(1), list_sn)
        clock.advance(60)

        assert codes_of(await api.submit(BODY, list_sn)) == (400, 40013)
    assert api.emulator.excluded == {"u0@example.com"}


@point
async def test_t39_client() -> None:
    """Mixed columns and lost zeros are warnings; earlier imports are not remembered."""
    mixed = "EMAIL,NAME,X\n" + "".join(f"u{n}@example.com,A,{n}\n" for n in range(20))

    assert "mixed-type" in await contact_rules(mixed + "z@example.com,A,many\n")
    assert "leading-zero" in await contact_rules("EMAIL,NAME,TEL\na@example.com,A,0912345678\n")
    assert "mixed-type" not in await contact_rules("EMAIL,NAME,X\na@example.com,A,many\n")


@point
@pytest.mark.parametrize(
    ("first", "second", "errors"),
    [("1", "two", 1), ("2026-01-05", "soon", 1), ("L", "7", 0), ("", "two", 0), ("1", "", 0)],
)
async def test_t39_emulator(first: str, second: str, errors: int) -> None:
    """The type of a column is read off the first import that has values."""
    async with platform() as (api, clock):
        await api.import_text(f"EMAIL,NAME,X\na@b.cc,A,{first}\n")
        sn = await api.import_text(f"EMAIL,NAME,X\nb@b.cc,A,{second}\n")
        clock.advance(60)

        assert (await api.result(sn))["errCnt"] == errors


@point
@pytest.mark.parametrize("count", [3, 101])
async def test_t40_client(count: int) -> None:
    """Any column is sent; after ERROR the columns that possibly need a set-up are named."""
    contacts = "EMAIL,NAME,SIZE\n" + "".join(f"u{n}@example.com,A,L\n" for n in range(count))
    async with switched(predefined_columns=("CITY",)) as bench:
        with pytest.raises(ImportFailed, match="SIZE"):
            await workflows.import_contacts(bench.nl, contacts, list_name="會員")
        bench.emulator.switch(predefined_columns=None)
        await workflows.import_contacts(bench.nl, contacts, list_name="另")

    assert set(bench.emulator.contacts["u0@example.com"].values) == {"size"}


@point
@pytest.mark.parametrize(
    ("known", "status"), [(None, "COMPLETE"), (("size",), "COMPLETE"), (("CITY",), "ERROR")]
)
async def test_t40_emulator(known: tuple[str, ...] | None, status: str) -> None:
    """New columns are created, or only those of a switch are taken."""
    result, emulator = await imported(
        "EMAIL,NAME,SIZE\na@example.com,A,L\n", predefined_columns=known
    )

    assert result["status"] == status
    assert len(emulator.contacts) == (status == "COMPLETE")


RESERVED = "EMAIL,NAME,PHONE\na@example.com,A,x\n"


@point
async def test_t41_client() -> None:
    """A reserved name is a warning, which ``strict=True`` makes an error of."""
    assert "reserved-header" in await contact_rules(RESERVED)
    async with connected() as bench:
        await workflows.import_contacts(bench.nl, RESERVED, list_name="a")
        sent = bench.wire.all_requests
        with pytest.raises(InvalidRequest, match="PHONE"):
            await workflows.import_contacts(bench.nl, RESERVED, list_name="b", strict=True)
        with pytest.raises(InvalidRequest, match="PHONE"):
            await workflows.send_campaign(
                bench.nl, CAMPAIGN, contacts=RESERVED, list_name="b", strict=True
            )
        assert bench.wire.all_requests == sent


@point
async def test_t41_emulator() -> None:
    """Any name is taken, unless reserved ones are errors."""
    for switches, status in (({}, "COMPLETE"), ({"reserved_columns_are_errors": True}, "ERROR")):
        assert (await imported(RESERVED, **switches))[0]["status"] == status
    emulator = Emulator(profile="vendor-2026")
    assert emulator.switches.reserved_columns_are_errors
