"""Files are read outside of the event loop, and must not change meanwhile."""

from __future__ import annotations

import gzip
import io
import os
import socket
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiofiles
import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from newsleopard_async import InvalidRequest, check_contacts
from newsleopard_async.contacts.sources import (
    PIECE_BYTES,
    BinaryFileSource,
    PathSource,
    RegularFile,
)
from newsleopard_async.files import FileIdentity
from tests.contacts.examples import CSV, read, refusal_of, written

LARGE = b"x" * (2 * PIECE_BYTES + 5)


@pytest.mark.anyio
@pytest.mark.parametrize("content", [b"", b"EMAIL", LARGE])
async def test_file_is_read_in_pieces(content: bytes, tmp_path: Path) -> None:
    """A path, bytes and an open file give the same bytes."""
    path = written(tmp_path, content)
    with path.open("rb") as file:
        found = [await read(form) for form in (path, content, file)]

    assert found == [content] * 3


@pytest.mark.anyio
async def test_text_is_encoded_piece_by_piece() -> None:
    """Text of any length is UTF-8, however it is cut."""
    text = "王小明\n" * PIECE_BYTES

    assert await read(text) == text.encode()


@pytest.mark.anyio
async def test_open_file_is_read_from_its_position_and_stays_open(tmp_path: Path) -> None:
    """The caller can continue to use it, and closes it."""
    with written(tmp_path, b"skip" + CSV.encode()).open("rb") as file:
        file.seek(4)
        found = await read(file)

        assert (found, file.closed, file.tell()) == (CSV.encode(), False, len(found) + 4)


@pytest.mark.anyio
async def test_file_that_returns_short_reads_is_read_to_its_end() -> None:
    """A pipe gives what it has."""

    class Slow:
        def __init__(self) -> None:
            self.left = [b"", b"EMAIL", b",NAME\n", b""]

        def read(self, size: int, /) -> bytes:
            return self.left.pop(0)

    assert await read(Slow()) == b"EMAIL,NAME\n"


class Giving:
    """An open file that gives something else."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def read(self, size: int, /) -> Any:
        """Give it, or raise it."""
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


class Promise:
    """An awaitable that is not a coroutine."""

    def __await__(self) -> Any:
        yield from ()


def closed(folder: Path) -> Any:
    """Open a file and close it."""
    with written(folder).open("rb") as file:
        return file


def for_writing(folder: Path) -> Any:
    """Open a file for writing."""
    return tempfile.TemporaryFile("wb", buffering=0)


def as_text(folder: Path) -> Any:
    """Open a file as text with another encoding than its own."""
    return io.TextIOWrapper(io.BytesIO("會員".encode("big5")), encoding="utf-8")


OPEN: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "closed": (closed, "readable", "it is closed, or not open for reading"),
    "for writing": (for_writing, "readable", "it is closed, or not open for reading"),
    "broken": (lambda _: Giving(OSError(5, "Input/output error")), "readable", "Input/output"),
    "broken in its own words": (
        lambda _: Giving(OSError(5, "ming@example.com")),
        "readable",
        "Input/output",
    ),
    "broken without a number": (
        lambda _: Giving(OSError("ming@example.com")),
        "readable",
        "OSError",
    ),
    "cut short": (
        lambda _: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(CSV.encode())[:-9])),
        "readable",
        "EOFError",
    ),
    "damaged": (lambda _: Giving(zlib.error("ming@example.com")), "readable", "error"),
    "not decoded": (
        lambda _: Giving(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "ming@example.com")),
        "readable",
        "UnicodeDecodeError",
    ),
    "without a key": (lambda _: Giving(KeyError("ming@example.com")), "readable", "KeyError"),
    "at no end": (lambda _: Giving(StopIteration()), "readable", "StopIteration"),
    "broken without a word": (lambda _: Giving(ConnectionError()), "readable", "ConnectionError"),
    "text mode": (as_text, "type", "is a file in text mode; open it with mode='rb'"),
    "promising nothing": (lambda _: Giving(Promise()), "type", "not NoneType"),
    "not ready": (lambda _: Giving(None), "type", "must return bytes, not NoneType"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", OPEN)
async def test_open_file_that_cannot_be_read_is_refused(name: str, tmp_path: Path) -> None:
    """The message names the problem and the way out."""
    build, rule, says = OPEN[name]
    file = build(tmp_path)

    found, message = await refusal_of(file)
    getattr(file, "close", lambda: None)()

    assert found == rule
    assert says in message
    assert "example.com" not in message


@pytest.mark.anyio
async def test_temporary_file_that_is_in_memory_is_read() -> None:
    """The files in which many frameworks store uploads are read."""
    with tempfile.SpooledTemporaryFile() as file:
        file.write(CSV.encode())
        file.seek(0)
        assert await read(file) == CSV.encode()


@pytest.mark.asyncio
async def test_upload_of_a_form_is_read() -> None:
    """The uploads of FastAPI and Starlette are contacts without conversion."""

    async def handle(request: Request) -> PlainTextResponse:
        async with request.form() as form:
            upload = form["members"]
            assert isinstance(upload, UploadFile)
            report = await check_contacts(upload)
        return PlainTextResponse(f"{report.rows}")

    app = Starlette(routes=[Route("/", handle, methods=["POST"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
        response = await http.post("/", files={"members": ("members.csv", CSV.encode())})

    assert response.text == "2"


@pytest.mark.asyncio
async def test_file_of_aiofiles_is_read(tmp_path: Path) -> None:
    """Its reading is awaited, and it stays open."""
    async with aiofiles.open(written(tmp_path), "rb") as file:
        assert await read(file) == CSV.encode()
        assert not file.closed
    async with aiofiles.open(written(tmp_path), encoding="utf-8") as file:
        assert (await refusal_of(file))[1].startswith("is a file in text mode")


@pytest.mark.anyio
async def test_file_of_anyio_is_read(tmp_path: Path) -> None:
    """A file that is read in anyio's threads is awaited, too."""
    async with await anyio.open_file(written(tmp_path, LARGE), "rb") as file:
        assert await read(file) == LARGE


@pytest.mark.anyio
async def test_async_file_that_cannot_be_read_is_refused() -> None:
    """The type of its error is named, because its text can contain contacts."""

    class Later:
        async def read(self, size: int, /) -> bytes:
            raise LookupError("ming@example.com")

    rule, message = await refusal_of(Later())

    assert rule == "readable"
    assert message.startswith("is an open file that cannot be read: LookupError;")


class Pipe:
    """An open file that returns the available bytes, or waits for all of them."""

    def __init__(self, *given: bytes, at_end: Any = b"") -> None:
        self.given = [*given, b""]
        self.at_end = at_end

    def read1(self, size: int, /) -> bytes:
        """Give what is there."""
        return self.given.pop(0)

    def read(self, size: int, /) -> Any:
        """Wait for all of it, which must not be before the end."""
        assert not size or not self.given
        return self.at_end if size else b""


@pytest.mark.anyio
async def test_available_bytes_of_an_open_file_are_passed_on() -> None:
    """A pipe is not waited for until there is a MiB."""
    source = BinaryFileSource(Pipe(b"EMAIL", b",NAME\n"))

    assert [piece async for piece in source.csv_pieces()] == [b"EMAIL", b",NAME\n"]


@pytest.mark.anyio
async def test_open_file_that_has_nothing_yet_is_not_at_its_end() -> None:
    """The later bytes of a non-blocking pipe must not be lost."""
    rule, message = await refusal_of(Pipe(b"EMAIL,NAME\n", at_end=None))

    assert rule == "type"
    assert "not NoneType" in message


@pytest.mark.anyio
async def test_open_file_without_support_of_read1_is_read() -> None:
    """Some files have a method that they do not support."""

    class Whole(io.BufferedIOBase):
        content = io.BytesIO(CSV.encode())

        def read(self, size: int | None = -1, /) -> bytes:
            return self.content.read(size)

    assert await read(Whole()) == CSV.encode()


@pytest.mark.anyio
async def test_error_of_a_foreign_file_keeps_the_contacts_to_itself() -> None:
    """The error of a caller's file can contain contacts."""
    error = UnicodeDecodeError("utf-8", "王小明".encode("big5"), 0, 1, "invalid start byte")
    with pytest.raises(InvalidRequest) as caught:
        await read(Giving(error))

    assert caught.value.__context__ is None


@pytest.mark.anyio
async def test_path_without_a_file_is_refused(tmp_path: Path) -> None:
    """A missing file, a folder, and an impossible file name are refused."""
    found = [await refusal_of(path) for path in (tmp_path / "none.csv", tmp_path, Path("a\0b"))]

    assert [rule for rule, _ in found] == ["readable", "file", "readable"]
    assert "none.csv cannot be read" in found[0][1]
    assert "is a folder" in found[1][1]


@pytest.mark.anyio
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
async def test_path_that_is_not_a_regular_file_is_refused(tmp_path: Path) -> None:
    """A pipe or a socket can be read only once, and opening it can block without limit."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(tmp_path / "socket"))

        found = [await refusal_of(tmp_path / name) for name in ("pipe", "socket")]

    assert [rule for rule, _ in found] == ["file", "file"]
    assert "open it with mode='rb'" in found[0][1]


@pytest.mark.anyio
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
async def test_file_that_may_not_be_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the reason of the system."""
    path = written(tmp_path)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)

    rule, message = await refusal_of(path)
    assert rule == "readable"
    assert message.startswith(f"{path} cannot be read: Permission denied;")


@pytest.mark.anyio
async def test_file_that_changes_is_refused(tmp_path: Path) -> None:
    """A file that changed is named, and no part of it is used."""
    path = written(tmp_path, LARGE)
    file = await RegularFile.at(path)

    async def read_it() -> None:
        async for _ in file.pieces():
            os.truncate(path, PIECE_BYTES)

    with pytest.raises(InvalidRequest, match="changed while it was read") as caught:
        await read_it()

    assert caught.value.problems[0].rule == "unchanged"


@pytest.mark.anyio
@pytest.mark.parametrize("size_bytes", [0, 5, 4 * PIECE_BYTES])
async def test_file_of_another_size_than_reported_is_refused(
    size_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files whose size is unknown, such as files in /proc, are read to their end."""
    said = FileIdentity(device=1, inode=1, size_bytes=size_bytes, modified_ns=0)
    monkeypatch.setattr(FileIdentity, "of", lambda _: said)

    rule, message = await refusal_of(written(tmp_path, LARGE))

    assert rule == "file"
    assert "open it with mode='rb'" in message


@pytest.mark.anyio
@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps an open file")
async def test_file_that_vanishes_is_refused(tmp_path: Path) -> None:
    """A file that is deleted meanwhile is refused."""
    path = written(tmp_path, LARGE)

    async def read_it() -> None:
        async for _ in PathSource(path).csv_pieces():
            path.unlink(missing_ok=True)

    with pytest.raises(InvalidRequest, match="cannot be read"):
        await read_it()
