"""Downloads from presigned URLs: a file appears whole, or not at all."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from unittest import mock

import anyio
import anyio.abc
import anyio.from_thread
import httpx
import pytest

from newsleopard_async.aio import in_thread
from newsleopard_async.errors import InvalidRequest, StorageError
from newsleopard_async.files import create_private
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport import storage as module
from tests.constants import START
from tests.transport.file_storage import CSV, TARGETS, URL, get, make_storage
from tests.transport.loopback import answering, http, raw_server, serve
from tests.transport.scripted import Handler, Pieces, Scripted, answer

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("target", TARGETS)
async def test_download_goes_out_as_signed(target: str, tmp_path: Path) -> None:
    """The same for a GET, which has no body."""
    async with serve(answering(http(200, CSV))) as server:
        await get(make_storage(), server.url + target, tmp_path / "report.csv")

    [seen] = server.seen
    assert seen.line == f"GET {target} HTTP/1.1"
    assert seen.names == ["host"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://s3.example.com:443/key", "s3.example.com"),
        ("http://127.0.0.1:80/key", "127.0.0.1"),
        ("https://s3.example.com:80/key", "s3.example.com:80"),
    ],
)
async def test_host_is_the_one_that_is_signed(url: str, host: str, tmp_path: Path) -> None:
    """Signers leave the scheme's own port out of it."""
    storage = Scripted(answer(200, CSV))

    await get(make_storage(storage), url, tmp_path / "report.csv")

    [sent] = storage.sent
    assert sent.headers["host"] == host


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which an older report lies."""
    (tmp_path / "report.csv").write_bytes(b"old")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    """Return what lies in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_download_replaces_the_file(folder: Path) -> None:
    """It is as the server has it, and nothing else is left."""
    content = CSV * 20_000

    async with serve(answering(http(200, content))) as server:
        size_bytes = await get(make_storage(), f"{server.url}/r", folder / "report.csv")

    assert size_bytes == len(content)
    assert contents(folder) == {"report.csv": content}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
async def test_report_is_private(folder: Path) -> None:
    """It is personal data: also while it is written, and where an open file lay before."""
    path = folder / "report.csv"
    path.chmod(0o644)
    modes: list[int] = []

    async def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Looking())

    class Looking(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield CSV
            modes.extend(each.stat().st_mode & 0o777 for each in folder.glob(".*"))

    umask = os.umask(0)
    try:
        await get(make_storage(Scripted(handle)), URL, path)
    finally:
        os.umask(umask)

    assert modes == [0o600]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="links take a privilege there")
async def test_report_does_not_follow_links(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither at its place, nor at the place of its part."""
    other = tmp_path_factory.mktemp("other") / "mine"
    other.write_bytes(b"mine")
    (folder / "report.csv").unlink()
    (folder / "report.csv").symlink_to(other)
    (folder / ".part").symlink_to(other)
    monkeypatch.setattr(module, "part_of", lambda path: path.with_name(".part"))

    await get(make_storage(Scripted(answer(200, CSV))), URL, folder / "report.csv")

    assert other.read_bytes() == b"mine"
    assert contents(folder) == {"report.csv": CSV}
    assert not (folder / "report.csv").is_symlink()


async def test_empty_report_is_a_file() -> None:
    """A report without rows, for example of a mail without opens, is a report too."""
    async with serve(answering(http(200))) as server, anyio.TemporaryDirectory() as folder:
        assert await get(make_storage(), f"{server.url}/r", Path(folder) / "report.csv") == 0
        assert contents(Path(folder)) == {"report.csv": b""}


CUT = b"HTTP/1.1 200 X\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf of it"


def cutting(times: int) -> Handler:
    """Cut the body off so many times."""
    count = 0

    async def handle(request: httpx.Request) -> httpx.Response:
        nonlocal count
        count += 1
        is_cut = count <= times
        pieces = [b"half", httpx.ReadError("cut")] if is_cut else [CSV]
        return httpx.Response(200, stream=Pieces(*pieces))

    return handle


async def test_cut_download_leaves_nothing(folder: Path) -> None:
    """Neither a half file nor a temporary one; the old one stays."""
    transport = Scripted(cutting(times=100))

    with pytest.raises(StorageError, match="the download failed: ReadError") as caught:
        await get(make_storage(transport), URL, folder / "report.csv")

    assert caught.value.status is None
    assert len(transport.sent) == 5
    assert contents(folder) == {"report.csv": b"old"}


async def test_connection_cut_on_the_wire_is_noticed(folder: Path) -> None:
    """A file with fewer bytes than announced is not a report."""

    async def cut(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(CUT)

    async with raw_server(cut) as url:
        with pytest.raises(StorageError, match="RemoteProtocolError"):
            await get(make_storage(attempts=2), f"{url}/r", folder / "report.csv")

    assert contents(folder) == {"report.csv": b"old"}


async def test_cut_download_is_repeated_from_its_start(folder: Path) -> None:
    """The second attempt does not append to the first."""
    await get(make_storage(Scripted(cutting(times=2))), URL, folder / "report.csv")

    assert contents(folder) == {"report.csv": CSV}


@pytest.mark.parametrize(
    ("status", "attempts"),
    [
        (302, 1),
        (403, 1),
        (404, 1),
        (500, 5),
        *((status, 1) for status in (201, 202, 203, 206, 226)),
    ],
)
async def test_refused_download_leaves_nothing(status: int, attempts: int, folder: Path) -> None:
    """The storage's XML is not a report."""
    async with serve(answering(http(status, b"<Error>s3cr3t</Error>"))) as server:
        with pytest.raises(StorageError, match=f"HTTP {status}$") as caught:
            await get(make_storage(), f"{server.url}/r", folder / "report.csv")

    assert caught.value.status == status
    assert len(server.heads) == attempts
    assert contents(folder) == {"report.csv": b"old"}


ZIPPED = gzip.compress(CSV * 1_000)


async def test_compressed_report_is_a_plain_file(folder: Path) -> None:
    """A storage gives a file compressed that was put there so."""
    async with serve(answering(http(200, ZIPPED, "Content-Encoding: gzip"))) as server:
        size_bytes = await get(make_storage(), f"{server.url}/r", folder / "report.csv")

    assert size_bytes == len(CSV) * 1_000
    assert contents(folder) == {"report.csv": CSV * 1_000}


@pytest.mark.parametrize(
    ("content", "encoding", "why"),
    [
        (b"", "gzip", "its compressed body is missing"),
        (ZIPPED[:1], "gzip", "its compressed body ends too soon"),
        (ZIPPED[:-1], "gzip", "its compressed body ends too soon"),
        (ZIPPED + b"\0\0", "gzip", "its compressed body is damaged"),
        (CSV, "gzip", "its compressed body is damaged"),
        (gzip.compress(ZIPPED), "gzip, gzip", "a compression that was not requested"),
        (CSV, "br", "a compression that was not requested"),
    ],
)
async def test_part_of_a_compressed_report_is_none(
    content: bytes, encoding: str, why: str, folder: Path
) -> None:
    """Rows that are missing would be taken for people who did nothing."""
    cut = http(200, content, f"Content-Encoding: {encoding}")

    async with serve(answering(cut)) as server:
        with pytest.raises(StorageError, match=why):
            await get(make_storage(attempts=2), f"{server.url}/r", folder / "report.csv")

    assert contents(folder) == {"report.csv": b"old"}


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_report_that_ends_with_its_connection_is_none(version: str, folder: Path) -> None:
    """A server that dies amid the body ends it in the same way."""

    async def talk(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(f"HTTP/{version} 200 X\r\n\r\n".encode() + CSV)

    async with raw_server(talk) as url:
        with pytest.raises(StorageError, match="does not report the size"):
            await get(make_storage(), f"{url}/r", folder / "report.csv")

    assert contents(folder) == {"report.csv": b"old"}


async def test_compressed_report_has_an_end_of_its_own(folder: Path) -> None:
    """Then the connection may end with it."""

    async def talk(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\n\r\n" + ZIPPED)

    async with raw_server(talk) as url:
        await get(make_storage(), f"{url}/r", folder / "report.csv")

    assert contents(folder) == {"report.csv": CSV * 1_000}


class Trickle(httpx.AsyncByteStream):
    """A body of which a piece comes every ten seconds, for ever."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await self._clock.sleep(10)
            yield CSV


async def test_cancelled_download_leaves_nothing(folder: Path) -> None:
    """The temporary file is removed after any end of the download."""
    clock = ManualClock(START)

    async def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Trickle(clock))

    with clock.deadline(35) as scope:
        await get(make_storage(Scripted(handle), clock=clock), URL, folder / "report.csv")

    assert scope.cancelled_caught
    assert contents(folder) == {"report.csv": b"old"}


async def test_download_cancelled_while_writing_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while a piece is being written to disk; the body is closed as well."""
    body = Pieces(*[b"piece"] * 10)

    async def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=body)

    written: list[object] = []

    with anyio.CancelScope() as scope:

        async def cancel_amid(work: Callable[[], Any]) -> Any:
            def cancelled_work() -> Any:
                if not written:
                    anyio.from_thread.run_sync(scope.cancel)
                written.append(work())

            return await in_thread(cancelled_work)

        monkeypatch.setattr(module, "in_thread", cancel_amid)
        await get(make_storage(Scripted(handle)), URL, folder / "report.csv")

    assert scope.cancelled_caught
    # One piece, and then the removal, which gives nothing.
    assert written == [len(b"piece"), None]
    assert body.times_closed == 1
    assert contents(folder) == {"report.csv": b"old"}


async def test_download_without_end_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk is finite."""
    monkeypatch.setattr(module, "_LARGEST_DOWNLOAD_BYTES", len(CSV))

    with pytest.raises(StorageError, match="larger than any report"):
        await get(make_storage(Scripted(answer(200, CSV + b"x"))), URL, folder / "report.csv")

    assert contents(folder) == {"report.csv": b"old"}


async def test_download_of_the_largest_size_is_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound itself is allowed."""
    monkeypatch.setattr(module, "_LARGEST_DOWNLOAD_BYTES", len(CSV))

    await get(make_storage(Scripted(answer(200, CSV))), URL, folder / "report.csv")

    assert contents(folder) == {"report.csv": CSV}


@pytest.mark.parametrize(
    ("name", "rule"), [("", "file"), ("missing/report.csv", "folder"), ("report.csv/x", "folder")]
)
async def test_impossible_destination_is_refused(name: str, rule: str, folder: Path) -> None:
    """Before anything is sent."""
    transport = Scripted(answer())

    with pytest.raises(InvalidRequest) as caught:
        await get(make_storage(transport), URL, folder / name)

    assert [(problem.field, problem.rule) for problem in caught.value.problems] == [("path", rule)]
    assert transport.sent == []


def fail(*_: object, **__: object) -> None:
    """Be a disk that is full."""
    raise OSError(28, "No space left on device")


def fill_up_at(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the disk be full at a function, or at a method of an open file."""
    if "." in what:
        monkeypatch.setattr(what, fail)
        return

    def create_full(path: Path) -> mock.Mock:
        file = mock.Mock(wraps=create_private(path))
        file.configure_mock(**{f"{what}.side_effect": fail})
        return file

    monkeypatch.setattr(module, "create_private", create_full)


@pytest.mark.parametrize("what", ["os.open", "write", "flush", "os.fsync", "pathlib.Path.replace"])
async def test_full_disk_is_named(what: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the connection's fault, so nothing is repeated."""
    transport = Scripted(answer(200, CSV))

    with monkeypatch.context() as patch:
        fill_up_at(what, patch)
        with pytest.raises(StorageError, match="cannot be written: No space left"):
            await get(make_storage(transport), URL, folder / "report.csv")

    assert len(transport.sent) == 1
    assert contents(folder) == {"report.csv": b"old"}


async def test_error_of_the_connection_is_not_the_disks(folder: Path) -> None:
    """Custom transports raise OSError where httpx has errors of its own."""
    body = Pieces(b"half", ConnectionResetError("reset"))

    async def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=body)

    with pytest.raises(StorageError, match="the download failed: ConnectionResetError"):
        await get(make_storage(Scripted(handle)), URL, folder / "report.csv")


async def test_temporary_file_that_cannot_be_removed_is_not_the_news(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller hears of what went wrong first."""
    monkeypatch.setattr(Path, "unlink", fail)

    with pytest.raises(StorageError, match="HTTP 404"):
        await get(make_storage(Scripted(answer(404))), URL, folder / "report.csv")
