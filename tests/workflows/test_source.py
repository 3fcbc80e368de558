"""Contacts as the caller has them become a file, or a clear refusal."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import InvalidRequest
from newsleopard_async.workflows import source
from newsleopard_async.workflows.source import contacts_file, csv_text, goes_as_text
from tests.support import csv_of, files_in

HEADER = b"EMAIL,NAME\n"
ROW = b"a@example.com,A\n"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let temporary files go where they can be seen."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def written(folder: Path, content: bytes) -> Path:
    """Write a CSV file."""
    path = folder / "contacts.csv"
    path.write_bytes(content)
    return path


Build = Callable[[Path, bytes], Any]
FORMS: dict[str, Build] = {
    "path": written,
    "bytes": lambda folder, content: content,
    "text": lambda folder, content: content.decode(),
}


@pytest.mark.anyio
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("rows", "as_text"), [(1, True), (100, True), (101, False)])
async def test_contacts_become_a_file(
    form: str, rows: int, as_text: bool, tmp_path: Path, temporary: Path
) -> None:
    """Every form is a file for as long as it is needed; up to 100 rows are small (T29)."""
    content = csv_of(rows).encode()

    async with contacts_file(FORMS[form](tmp_path, content)) as file:
        found = file.path.read_bytes()

    assert (found, file.as_text) == (content, as_text)
    assert files_in(temporary) == []
    assert file.path.exists() is (form == "path")


@pytest.mark.parametrize(
    ("rows", "size_bytes", "as_text"),
    [
        (1, 1, True),
        (100, 1_600_000, True),
        (101, 1_600_000, False),
        (100, 1_600_001, False),
    ],
)
def test_few_and_small_rows_go_as_text(rows: int, size_bytes: int, as_text: bool) -> None:
    """Both the number of rows and the size must be small."""
    assert goes_as_text(rows, size_bytes) is as_text


@pytest.mark.anyio
async def test_few_large_rows_go_as_a_file(tmp_path: Path) -> None:
    """What few rows hold may be too much for text, which JSON may blow up sixfold (T28)."""
    row = b'a@example.com,"' + b"x" * 100_000 + b'"\n'

    async with contacts_file(written(tmp_path, HEADER + row * 17)) as file:
        assert not file.as_text


@pytest.mark.anyio
async def test_line_breaks_in_quotes_are_no_rows(tmp_path: Path) -> None:
    """Rows are counted as CSV has them, and blank lines are none."""
    rows = b'a@example.com,"A\nB"\n\n' * 100

    async with contacts_file(written(tmp_path, HEADER + rows)) as file:
        assert file.as_text


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_text_has_line_feeds_only(ends: str) -> None:
    """The line ends of Windows become those that the platform asks for (T34)."""
    assert csv_text(f"EMAIL,NAME{ends}a@b.tw,甲{ends}".encode()) == "EMAIL,NAME\na@b.tw,甲\n"


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty"),
    "no header": (b"\n" + ROW, "required"),
    "no rows": (HEADER, "no-rows"),
    "blank rows": (HEADER + b"\n\n", "no-rows"),
    "NAME first": (b"NAME,EMAIL\nA,a@example.com\n", "order"),
    "contact first": (ROW * 2, "required"),
    "lower case": (b"email,name\n" + ROW, "upper_case"),
    "semicolons": (b"EMAIL;NAME\na@example.com;A\n", "separator"),
    "column twice": (b"EMAIL,NAME,City,CITY\na@example.com,A,B,C\n", "duplicate"),
    "byte order mark": (b"\xef\xbb\xbf" + HEADER + ROW, "byte_order_mark"),
    "UTF-16": ((HEADER + ROW).decode().encode("utf-16"), "encoding"),
    "Big5 in the header": ("EMAIL,NAME,縣市\na@example.com,A,B\n".encode("big5"), "encoding"),
    "Big5 in a row": (HEADER + ROW + "a@b.tw,會員\n".encode("big5"), "encoding"),
    "old line ends": (b"EMAIL,NAME\r" + ROW, "line_breaks"),
    "a lone carriage return": (HEADER + ROW + b"b@example.com,\rB\n", "line_breaks"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("form", ["path", "bytes"])
@pytest.mark.parametrize("name", REFUSED)
async def test_bad_contacts_are_refused(
    form: str, name: str, tmp_path: Path, temporary: Path
) -> None:
    """What the platform would fail to import is named now, and no temporary file is left."""
    content, rule = REFUSED[name]

    problems = await problems_of(FORMS[form](tmp_path, content))

    assert problems[0] == ("contacts", rule)
    assert files_in(temporary) == []


async def problems_of(contacts: Any) -> list[tuple[str, str]]:
    """Return field and rule of what is wrong."""
    with pytest.raises(InvalidRequest) as caught:
        async with contacts_file(contacts):
            pass
    return [(problem.field, problem.rule) for problem in caught.value.problems]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("contacts", "rule"),
    [
        ("members.csv", "text"),
        ("EMAIL,NAME", "text"),
        ("", "empty"),
        (HEADER.decode() + "a@example.com,\ud800\n", "encoding"),
        (None, "type"),
        ([("a@example.com", "A")], "type"),
        (Path("there is no such file.csv"), "readable"),
    ],
)
async def test_what_is_no_csv_is_refused(contacts: Any, rule: str) -> None:
    """Text of one line is rather a file's name, and is told so."""
    assert await problems_of(contacts) == [("contacts", rule)]


@pytest.mark.anyio
async def test_folder_is_refused(tmp_path: Path) -> None:
    """A folder is no CSV file."""
    assert await problems_of(tmp_path) == [("contacts", "file")]


@pytest.mark.anyio
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
async def test_what_is_no_ordinary_file_is_refused(tmp_path: Path) -> None:
    """A pipe or a socket can be read once at most, and an upload may need it twice."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(tmp_path / "socket"))

        found = [await problems_of(tmp_path / name) for name in ("pipe", "socket")]

    assert found == [[("contacts", "file")]] * 2


@pytest.mark.anyio
async def test_line_that_is_no_utf8_is_named() -> None:
    """The line is counted from 1, and its content is not shown."""
    content = HEADER + ROW + "a@b.tw,會員\n".encode("big5")
    with pytest.raises(InvalidRequest) as caught:
        async with contacts_file(content):
            pass

    assert "line 3" in str(caught.value)
    assert "a@b.tw" not in str(caught.value)


@pytest.mark.anyio
async def test_temporary_file_is_gone_after_an_error(temporary: Path) -> None:
    """Whatever happens meanwhile, the contacts do not stay on disk."""
    with pytest.raises(ZeroDivisionError):
        async with contacts_file(HEADER + ROW) as file:
            len(files_in(file.path.parent)) / 0

    assert files_in(temporary) == []


def test_limit_leaves_room_for_json() -> None:
    """The largest text fits the documented 10 MB even if JSON escapes every byte (T28)."""
    assert source._LARGEST_TEXT_BYTES * 6 < 10_000_000
