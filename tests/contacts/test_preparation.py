"""Contacts in any form become one clean CSV file, or a refusal that names everything."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from newsleopard_async import InvalidRequest, check_contacts
from newsleopard_async.contacts.preparation import goes_as_text
from newsleopard_async.contacts.sources import PIECE_BYTES
from tests.clients import csv_of, files_in
from tests.contacts.examples import CSV, FORMS, ROWS, Pieces, clean_contacts, later, written

pytestmark = pytest.mark.anyio

MOST_HOPS = 10
"""To threads and back: chosen, so that a small file takes a few and no more."""

BAD = "EMAIL,NAME\nming@example.com,王小明\nnowhere,誰\nmei@example.com,李小美\n"


async def cleaned(contacts: Any, **options: Any) -> tuple[str, Any]:
    """Return the clean CSV and its report."""
    async with clean_contacts(contacts, **options) as clean:
        return clean.path.read_text(encoding="utf-8"), clean


async def problems_of(contacts: Any, **options: Any) -> list[tuple[str, str]]:
    """Return field and rule of each problem."""
    with pytest.raises(InvalidRequest) as caught:
        await cleaned(contacts, **options)
    return [(each.field, each.rule) for each in caught.value.problems]


@pytest.mark.parametrize("form", FORMS)
async def test_contacts_of_every_form_become_the_same_file(
    form: str, tmp_path: Path, temporary: Path
) -> None:
    """It exists while the context is open, and is recognised by its hash."""
    contacts = FORMS[form](tmp_path)

    content, clean = await cleaned(contacts)

    assert (content, clean.rows, clean.as_text) == (CSV, 2, True)
    assert clean.sha256 == hashlib.sha256(CSV.encode()).hexdigest()
    assert (clean.report.rows, clean.report.unique) == (2, 2)
    assert clean.report.columns == ("EMAIL", "NAME", "city")
    assert files_in(temporary) == []


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("cp950"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace(",", ";").encode(),
    ],
)
async def test_clean_csv_has_one_form(encode: Callable[[str], bytes]) -> None:
    """UTF-8 without a mark, commas and line feeds, however it comes in."""
    text = "EMAIL,NAME\nming@example.com,王小明\n"

    assert (await cleaned(encode(text)))[0] == text


async def test_open_file_stays_open(tmp_path: Path) -> None:
    """The caller closes it."""
    with written(tmp_path).open("rb") as file:
        await cleaned(file)

        assert not file.closed


@pytest.mark.parametrize(("rows", "as_text"), [(100, True), (101, False)])
async def test_up_to_a_hundred_rows_are_imported_as_text(rows: int, as_text: bool) -> None:
    """The platform advises a file for more (T29); what is dropped does not count."""
    contacts = csv_of(rows) + "USER0@example.com,again\n"

    _, clean = await cleaned(contacts, fix="drop-duplicates")

    assert (clean.rows, clean.as_text, clean.report.dropped) == (rows, as_text, 1)


@pytest.mark.parametrize(
    ("rows", "size_bytes", "as_text"),
    [
        (1, 1, True),
        (100, 1_600_000, True),
        (101, 1_600_000, False),
        (100, 1_600_001, False),
    ],
)
def test_few_and_small_rows_are_imported_as_text(rows: int, size_bytes: int, as_text: bool) -> None:
    """Both the number of rows and the size must be small, since JSON may blow it up (T28)."""
    assert goes_as_text(rows, size_bytes) is as_text


async def test_column_that_looks_like_a_lost_line_feed_goes_as_a_file() -> None:
    """A text with such a header would be refused once the list is made."""
    _, clean = await cleaned([{"email": "a@example.com", "name": "A", "C:\\new": 1}])

    assert not clean.as_text


REFUSED: dict[str, tuple[Any, list[str]]] = {
    "nothing": (b"", ["empty-file"]),
    "header alone": ("EMAIL,NAME\n", ["no-rows"]),
    "no record": ([], ["no-rows"]),
    "no header": ("\n\nming@example.com,王小明\n", ["header-order"]),
    "archive": (b"PK\x03\x04" + bytes(100), ["not-text"]),
    "not to be decoded": (b"EMAIL,NAME\nming@example.com,\xff\xff\n", ["encoding"]),
    "several faults": (
        "EMAIL,NAME,a,A,\nming@example.com,王小明,,,\n",
        ["duplicate-header", "empty-header"],
    ),
    "line break": ('EMAIL,NAME\nming@example.com,"王\n小明"\n', ["line-break"]),
    "too many columns": ("EMAIL,NAME," + ",".join(map(str, range(999))) + "\n", ["column-count"]),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_unusable_contacts_are_refused(name: str, temporary: Path) -> None:
    """All problems are reported together, and no temporary file remains."""
    contacts, rules = REFUSED[name]

    assert await problems_of(contacts) == [("contacts", rule) for rule in rules]
    assert files_in(temporary) == []


async def test_rows_that_the_platform_would_reject_are_reported() -> None:
    """They are not refused: the caller decides whether they are too many."""
    content, clean = await cleaned(BAD)

    assert content == BAD
    assert [(each.rule, each.places) for each in clean.report.errors] == [("invalid-email", (3,))]
    assert clean.report.bad_rows == 1


async def test_rows_may_be_left_unjudged() -> None:
    """Then only problems that make the whole file unusable are found."""
    _, clean = await cleaned(BAD, check_rows=False)

    assert clean.report.findings == ()
    assert clean.rows == 3


async def test_rows_are_left_out_into_a_file_beside_the_input(tmp_path: Path) -> None:
    """It has the rows as they were, with line and reason, and replaces an older one."""
    path = written(tmp_path, BAD.encode())
    beside = written(tmp_path, b"old", "members.left-out.csv")

    content, clean = await cleaned(path, fix="leave-out-bad-rows")

    assert content == BAD.replace("nowhere,誰\n", "")
    assert beside.read_text(encoding="utf-8") == (
        "EMAIL,NAME,LINE,REASON\nnowhere,誰,3,invalid-email\n"
    )
    assert (clean.rows, clean.report.left_out, clean.report.left_out_to) == (2, 1, beside)
    assert files_in(tmp_path) == ["members.csv", "members.left-out.csv", "temporary"]


async def test_no_file_is_written_if_no_row_is_left_out(tmp_path: Path) -> None:
    """Neither of good rows, nor of none at all."""
    path = written(tmp_path)
    unusable = written(tmp_path, b"EMAIL\nnowhere\n", "bad.csv")

    _, clean = await cleaned(path, fix="leave-out-bad-rows")
    problems = await problems_of(unusable, fix="leave-out-bad-rows")

    assert clean.report.left_out_to is None
    assert problems == [("contacts", "header-order")]
    assert files_in(tmp_path) == ["bad.csv", "members.csv", "temporary"]


async def test_left_out_file_must_be_named_without_a_path(tmp_path: Path) -> None:
    """Contacts that are not a path have no folder that it could be put in."""
    named = tmp_path / "bad.csv"

    problems = await problems_of(BAD, fix="leave-out-bad-rows")
    _, clean = await cleaned(BAD, fix="leave-out-bad-rows", left_out_to=named)

    assert problems == [("left_out_to", "required")]
    assert clean.report.left_out_to == named
    assert named.exists()


async def test_deep_check_refuses_further_addresses() -> None:
    """A row that email-validator refuses is a bad row."""
    contacts = "EMAIL,NAME\nming@localhost,王小明\n"

    _, clean = await cleaned(contacts)
    _, deep = await cleaned(contacts, deep=True)

    assert (clean.report.bad_rows, deep.report.bad_rows) == (0, 1)


async def test_requested_encoding_is_used() -> None:
    """It is checked by its name, and by the bytes."""
    big5 = "EMAIL,NAME\nming@example.com,王小明\n".encode("cp950")

    _, clean = await cleaned(big5, encoding="CP950")

    assert clean.report.encoding == "cp950"
    assert clean.report.warnings == ()
    assert await problems_of(big5, encoding="utf-8") == [("contacts", "encoding")]
    assert await problems_of(big5, encoding="base64") == [("encoding", "choice")]


@pytest.mark.parametrize("spooled", [False, True])
async def test_progress_of_both_readings_is_reported(spooled: bool, tmp_path: Path) -> None:
    """The bytes begin at 0 at each reading; the rows are those written so far."""
    told: list[tuple[int, int]] = []

    async def tell(*, size_bytes: int, rows: int) -> None:
        told.append((size_bytes, rows))

    content = csv_of(80_000).encode()
    pieces = [PIECE_BYTES * (number + 1) for number in range(len(content) // PIECE_BYTES)]
    contacts = Pieces((content,)) if spooled else written(tmp_path, content)

    await cleaned(contacts, on_progress=tell)

    assert [size_bytes for size_bytes, _ in told] == pieces * 2
    assert [rows for _, rows in told[: len(pieces) + 1]] == [0] * (len(pieces) + 1)
    assert 0 < told[-1][1] < 80_000


async def test_binary_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    """An archive is recognised by its first bytes, even if it is long."""
    told: list[int] = []

    async def tell(*, size_bytes: int, rows: int) -> None:
        told.append(size_bytes)

    archive = written(tmp_path, b"PK\x03\x04" + bytes(4 * PIECE_BYTES))

    assert await problems_of(archive, on_progress=tell) == [("contacts", "not-text")]
    assert told == [PIECE_BYTES]


@pytest.mark.parametrize("when", [1, 2])
async def test_file_that_changes_between_the_readings_is_refused(
    when: int, tmp_path: Path, temporary: Path
) -> None:
    """The bytes that are sent are the bytes that were checked."""
    path = written(tmp_path, csv_of(35_000).encode())
    told = 0

    async def change(*, size_bytes: int, rows: int) -> None:
        nonlocal told
        told += 1
        if told == when:
            with path.open("ab") as file:
                file.write(b"b@example.com,B\n")

    assert await problems_of(path, on_progress=change) == [("contacts", "unchanged")]
    assert files_in(temporary) == []


@pytest.mark.parametrize(
    "build", [lambda: CSV, lambda: io.BytesIO(CSV.encode()), lambda: later(ROWS)]
)
async def test_nothing_stays_after_an_error(build: Callable[[], Any], temporary: Path) -> None:
    """Even after an error, the contacts do not stay on the disk."""

    async def use() -> None:
        async with clean_contacts(build()) as clean:
            assert files_in(temporary) != []
            clean.rows / 0

    with pytest.raises(ZeroDivisionError):
        await use()

    assert files_in(temporary) == []


async def test_missing_file_is_reported_before_its_outputs(tmp_path: Path) -> None:
    """The folder of both is missing, and the caller wrote only the contacts' path."""
    path = tmp_path / "none" / "members.csv"

    assert await problems_of(path, fix="leave-out-bad-rows") == [("contacts", "readable")]


@pytest.mark.parametrize("form", ["path", "bytes", "text", "list of mappings"])
async def test_small_contacts_take_few_threads(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hop to a thread and back costs as much as examining many rows."""
    hops: list[object] = []
    run_sync = anyio.to_thread.run_sync

    async def counting(work: Callable[[], Any]) -> Any:
        hops.append(work)
        return await run_sync(work)

    monkeypatch.setattr(anyio.to_thread, "run_sync", counting)
    await cleaned(FORMS[form](tmp_path))

    assert len(hops) <= MOST_HOPS


@pytest.mark.parametrize("kind", ["path", "text", "generator"])
async def test_last_row_of_an_address_is_kept_for_every_source(kind: str, tmp_path: Path) -> None:
    """The results of the first reading are deleted: the clean CSV and the rows left out."""
    csv = "EMAIL,NAME\na@example.com,1\nnone,x\na@example.com,2\nb@example.com,3\n"
    records = [dict(zip(("EMAIL", "NAME"), row.split(","), strict=True)) for row in csv.split()[1:]]
    path = tmp_path / "members.csv"
    path.write_text(csv)
    contacts: Any = {"path": path, "text": csv, "generator": iter(records)}[kind]
    clean, left_out = tmp_path / "clean.csv", tmp_path / "bad.csv"

    report = await check_contacts(
        contacts,
        fix=("drop-duplicates", "leave-out-bad-rows"),
        write_to=clean,
        left_out_to=left_out,
    )

    assert clean.read_text() == "EMAIL,NAME\na@example.com,2\nb@example.com,3\n"
    assert left_out.read_text() == "EMAIL,NAME,LINE,REASON\nnone,x,3,invalid-email\n"
    assert (report.rows, report.dropped, report.left_out, report.unique) == (4, 1, 1, 2)
    assert report.size_bytes == len(clean.read_bytes())
