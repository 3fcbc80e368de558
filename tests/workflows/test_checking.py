"""Contacts are checked before anything is sent; content is reported and never raises."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import (
    ConfigurationError,
    ContactsReport,
    Finding,
    InvalidRequest,
    check_contacts,
    workflows,
)
from newsleopard_async.workflows import Event
from newsleopard_async.workflows.checking import log_remarks
from tests.clients import csv_of, files_in
from tests.plainness import assert_exactly_plain

pytestmark = pytest.mark.anyio

BAD = "EMAIL,NAME\nming@example.com,王小明\nabsent,誰\nming@example.com,王大明\n"


def written(folder: Path, content: str | bytes, name: str = "members.csv") -> Path:
    """Write a file."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


async def test_contacts_are_reported() -> None:
    """The report contains the facts and all findings."""
    report = await check_contacts(BAD)

    assert isinstance(report, ContactsReport)
    assert not report.ok
    assert (report.rows, report.unique, report.bad_rows) == (3, 1, 1)
    assert (report.columns, report.encoding) == (("EMAIL", "NAME"), "utf-8")
    assert [(each.level, each.rule) for each in report.findings] == [
        ("error", "invalid-email"),
        ("warning", "duplicate-email"),
    ]
    assert_exactly_plain(report.to_dict())
    assert "ming@" not in json.dumps(report.to_dict())


async def test_good_contacts_have_no_findings(tmp_path: Path) -> None:
    """Clean contacts have no findings."""
    report = await check_contacts(written(tmp_path, csv_of(3)))

    assert (report.ok, report.findings, report.rows) == (True, (), 3)
    assert workflows.check_contacts is check_contacts


HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty-file"),
    "blank space": (b" \r\n\t", "empty-file"),
    "header alone": (b"EMAIL,NAME\n", "no-rows"),
    "zip": (b"PK\x03\x04" + bytes(50), "not-text"),
    "binary": (bytes(range(256)) * 100, "not-text"),
    "invalid bytes": (b"EMAIL,NAME\nming@example.com,\xff\xfe\xff\n", "encoding"),
    "endless line": (b"EMAIL,NAME\n" + b"x" * (3 << 20), "not-text"),
    "endless header": (b"," * (3 << 20), "column-count"),
    "open quote": (b'EMAIL,NAME\nming@example.com,"' + b"\n" * 9, "line-break"),
    "NUL": (b"EMAIL,NAME\nming@example.com,\0A\n", "null-byte"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("form", ["path", "bytes"])
async def test_hostile_content_is_a_finding(name: str, form: str, tmp_path: Path) -> None:
    """An unreadable source is a finding, never a traceback."""
    content, rule = HOSTILE[name]
    source = written(tmp_path, content) if form == "path" else content

    report = await check_contacts(source)

    assert rule in [each.rule for each in report.errors]


@pytest.mark.parametrize(
    ("source", "options", "problem"),
    [
        (Path("there is no such file.csv"), {}, ("contacts", "readable")),
        (None, {}, ("contacts", "type")),
        (BAD, {"encoding": "klingon"}, ("encoding", "choice")),
        (BAD.encode(), {"encoding": "klingon"}, ("encoding", "choice")),
        (BAD, {"fix": "everything"}, ("fix", "choice")),
        (BAD, {"deep": None}, ("deep", "type")),
        (BAD, {"write_to": Path("no such folder", "a.csv")}, ("write_to", "folder")),
        (BAD, {"fix": "leave-out-bad-rows"}, ("left_out_to", "required")),
    ],
)
async def test_what_cannot_be_checked_is_refused(
    source: Any, options: dict[str, Any], problem: tuple[str, str]
) -> None:
    """Nothing to read, or an option that there is not, is the caller's mistake."""
    if problem == ("encoding", "choice") and isinstance(source, str):
        problem = ("encoding", "text")
    with pytest.raises(InvalidRequest) as caught:
        await check_contacts(source, **options)

    assert [(each.field, each.rule) for each in caught.value.problems] == [problem]


async def test_clean_csv_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    """The file has the CSV that would be sent, with the corrections, even with bad rows."""
    out = tmp_path / "clean.csv"
    source = written(tmp_path, "name;email\n 王小明 ;ming@example.com\n誰;absent\n".encode("big5"))

    report = await check_contacts(source, fix=["trim"], write_to=out)

    assert out.read_text(encoding="utf-8") == "EMAIL,NAME\nming@example.com,王小明\nabsent,誰\n"
    assert (report.trimmed, report.size_bytes) == (1, out.stat().st_size)
    assert [each.rule for each in report.errors] == ["invalid-email"]


async def test_unusable_contacts_are_written_nowhere(tmp_path: Path) -> None:
    """The existing file stays."""
    out = written(tmp_path, "old", "clean.csv")

    report = await check_contacts("EMAIL,EMAIL\na,b\n", write_to=out)

    assert not report.ok
    assert out.read_text(encoding="utf-8") == "old"
    assert files_in(tmp_path) == ["clean.csv"]


async def test_rows_are_left_out_beside_the_file(tmp_path: Path) -> None:
    """The report contains their number and their positions."""
    report = await check_contacts(
        written(tmp_path, BAD), fix=["leave-out-bad-rows", "drop-duplicates"]
    )

    assert (report.ok, report.left_out, report.dropped) == (True, 1, 1)
    assert report.left_out_to == tmp_path / "members.left-out.csv"
    assert {each.level for each in report.findings} == {"note"}


async def test_addresses_can_be_checked_deeper() -> None:
    """The package of the extra is needed only with ``deep``."""
    report = await check_contacts("EMAIL,NAME\nming@localhost,王小明\n", deep=True)

    assert [each.rule for each in report.errors] == ["invalid-email"]


async def test_progress_is_emitted() -> None:
    """Begin and end, and in between how far it is, in bytes and rows."""
    told: list[Event] = []
    content = csv_of(40_000).encode()

    await check_contacts(content, progress=told.append)

    assert {(each.pipeline, each.step) for each in told} == {("check_contacts", "check_contacts")}
    assert [each.state for each in told] == ["started", "waiting", "waiting", "finished"]
    assert [each.result for each in told] == [
        None,
        {"bytes": 1 << 20, "rows": 0},
        {"bytes": 1 << 20, "rows": 0},
        {"bytes": len(content), "rows": 40_000},
    ]
    assert [each.elapsed_s for each in told] == sorted(each.elapsed_s for each in told)


async def test_what_cannot_be_decoded_is_not_read_again() -> None:
    """After an unreadable file there are no further findings."""
    told: list[Event] = []

    report = await check_contacts(csv_of(40_000).encode() + b"\xff\xff", progress=told.append)

    assert [each.rule for each in report.findings] == ["encoding"]
    assert [each.state for each in told] == ["started", "waiting", "finished"]


async def test_check_that_fails_is_emitted_as_failed() -> None:
    """The error's class is in the event."""
    told: list[Event] = []
    with pytest.raises(InvalidRequest):
        await check_contacts(Path("there is no such file.csv"), progress=told.append)

    assert [(each.state, each.result) for each in told] == [
        ("started", None),
        ("failed", "InvalidRequest"),
    ]


async def test_full_disk_is_not_a_problem_of_the_contacts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the real cause."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", fail)

    with pytest.raises(ConfigurationError, match="No space left on device"):
        await check_contacts(BAD)


def test_remarks_are_logged_by_their_level(caplog: pytest.LogCaptureFixture) -> None:
    """A tolerated error is logged as a warning, like a warning."""
    caplog.set_level(logging.INFO, "newsleopard_async")

    log_remarks(
        [
            Finding(level="note", rule="separator", message="separates columns by tabs"),
            Finding(level="warning", rule="script", message="has a <script>", field="html"),
            Finding(level="error", rule="invalid-email", message="has 1 row"),
        ]
    )

    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("INFO", "contacts: separates columns by tabs (separator)"),
        ("WARNING", "html: has a <script> (script)"),
        ("WARNING", "contacts: has 1 row (invalid-email)"),
    ]
