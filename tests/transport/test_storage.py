"""Uploads to presigned URLs, over a real connection."""

from __future__ import annotations

import contextlib
import ssl
import tracemalloc
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.abc
import httpx
import pytest

from newsleopard_async.errors import ConfigurationError, InvalidRequest, StorageError
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.body import BytesBody, open_body
from tests.constants import START
from tests.transport.file_storage import CSV, TARGETS, URL, get, make_storage, put
from tests.transport.loopback import answering, http, raw_server, serve
from tests.transport.scripted import Pieces, Scripted, answer, caused

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("target", TARGETS)
async def test_upload_goes_out_as_signed(target: str) -> None:
    """The URL byte for byte, one Content-Length, and no header of ours."""
    async with serve(answering(http(200))) as server:
        await put(make_storage(), server.url + target)

    [seen] = server.seen
    assert seen.line == f"PUT {target} HTTP/1.1"
    assert seen.names == ["content-length", "host"]
    assert seen.header("content-length") == str(len(CSV))
    assert seen.header("host") == server.url.removeprefix("http://")
    assert seen.body == CSV


@pytest.mark.parametrize(
    ("url", "target"),
    [("", "/"), ("?x=1", "/?x=1"), ("/key#fragment", "/key"), ("/key?x=1#f?y", "/key?x=1")],
)
async def test_target_is_what_a_server_is_meant_to_see(url: str, target: str) -> None:
    """A path is never empty, and a fragment stays here."""
    async with serve(answering(http(200))) as server:
        await put(make_storage(), server.url + url)

    assert server.heads == [f"PUT {target} HTTP/1.1"]


async def test_user_of_a_url_is_not_sent() -> None:
    """Only the query is signed."""
    async with serve(answering(http(200))) as server:
        await put(make_storage(), server.url.replace("//", "//user:pass@") + "/key")

    [seen] = server.seen
    assert seen.names == ["content-length", "host"]
    assert seen.header("host") == server.url.removeprefix("http://")


async def test_cookies_are_not_kept(tmp_path: Path) -> None:
    """The second request knows nothing of the first."""
    storage = make_storage()
    async with serve(answering(http(200, CSV, "Set-Cookie: a=b"))) as server:
        await storage.put(f"{server.url}/key", BytesBody(CSV))
        await get(storage, f"{server.url}/key", tmp_path / "report.csv")

    assert server.seen[1].names == ["host"]


async def test_proxy_gets_no_signed_part_of_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the host's name, and nothing of the URL."""
    async with serve(answering(http(502))) as server:
        monkeypatch.setenv("https_proxy", server.url)
        with pytest.raises(StorageError, match="ProxyError"):
            await put(make_storage(attempts=1), URL)

    assert server.heads == ["CONNECT s3.example.com:443 HTTP/1.1"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3.example.com/key",
        "ftp://s3.example.com/key",
        "http://s3.example.com/key",
        "http://127.0.0.1.example.com/key",
        "https:///key",
        "https://[::1/key",
        "https://s3.example.com:port/key",
        " https://s3.example.com/key",
        "https://s3.example.com/a key",
        "https://s3.example.com/key\r\nx-api-key: 1",
        "https://s3.example.com/金鑰",
    ],
)
async def test_bad_url_is_refused_before_anything_is_sent(url: str, tmp_path: Path) -> None:
    """Contacts go over https, or not off this machine."""
    transport = Scripted(answer())

    for call in (
        make_storage(transport).put(url, BytesBody(CSV)),
        make_storage(transport).get(url, tmp_path / "report.csv"),
    ):
        with pytest.raises(StorageError, match="not an https URL") as caught:
            await call
        assert caught.value.status is None
        assert caught.value.__context__ is None

    assert transport.sent == []


@pytest.mark.parametrize("failure", [http(500), http(503), http(408), http(429), None])
async def test_upload_is_repeated_from_its_start(failure: bytes | None, tmp_path: Path) -> None:
    """The whole body is sent again, on any connection."""
    source = tmp_path / "members.csv"
    source.write_bytes(CSV * 50_000)
    storage = make_storage()

    async with serve(answering(failure, failure, http(200))) as server:
        await storage.put(f"{server.url}/key", await open_body(source))
        await storage.pools.aclose()

    assert [seen.size_bytes for seen in server.seen] == [len(CSV) * 50_000] * 3


@pytest.mark.parametrize(
    ("status", "attempts"),
    [(400, 1), (403, 1), (404, 1), (301, 1), (307, 1), (304, 1), (500, 5), (501, 5), (503, 5)],
)
async def test_refused_upload_has_its_status(status: int, attempts: int) -> None:
    """Server errors after the retries, everything else at once; no redirect is followed."""
    away = "Location: http://127.0.0.1:9/elsewhere"

    async with serve(answering(http(status, b"<Error/>", away))) as server:
        with pytest.raises(StorageError, match=f"HTTP {status}") as caught:
            await put(make_storage(), f"{server.url}/key")

    assert (caught.value.status, caught.value.expired) == (status, False)
    assert len(server.heads) == attempts


@pytest.mark.parametrize(
    ("target", "status", "said", "expired"),
    [
        ("/key", 403, b"<Message>Request has expired</Message>", True),
        ("/key", 403, b"<Code>AccessDenied</Code>", False),
        ("/key?X-Amz-Date=20260105T010000Z&X-Amz-Expires=3600", 403, b"", True),
        ("/key?X-Amz-Date=20260105T010001Z&X-Amz-Expires=3600", 403, b"", False),
        ("/key?Expires=1767578400", 403, b"", True),
        ("/key?Expires=1767578401", 403, b"", False),
        ("/key?Expires=1767578400", 404, b"", False),
        ("/key?Expires=soon", 403, b"", False),
        ("/key?Expires=99999999999999999999", 403, b"", False),
        ("/key?X-Amz-Date=yesterday&X-Amz-Expires=1", 403, b"", False),
        ("/key?X-Amz-Date=20260105T010000Z", 403, b"", False),
        ("/key?X-Amz-Date=20260105T010000Z&X-Amz-Expires=99999999999999", 403, b"", False),
    ],
)
async def test_expired_url_is_distinguished_from_a_refused_one(
    target: str, status: int, said: bytes, *, expired: bool
) -> None:
    """A fresh URL helps against the one, and against the other nothing."""
    assert datetime.fromtimestamp(1_767_578_400, UTC) == START

    async with serve(answering(http(status, said))) as server:
        with pytest.raises(StorageError) as caught:
            await put(make_storage(), server.url + target)

    assert caught.value.expired is expired


async def test_untrusted_certificate_of_the_storage_is_the_set_ups_fault() -> None:
    """Nothing was sent, and trying again changes nothing."""
    untrusted = ssl.SSLCertVerificationError("x")
    untrusted.verify_message = "self-signed certificate"
    transport = Scripted(caused(httpx.ConnectError("x"), untrusted))

    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        await put(make_storage(transport), URL)

    assert len(transport.sent) == 1


async def test_connection_lost_after_the_end_of_the_url_is_expired() -> None:
    """An early 403 is lost where the connection closes with the body in flight."""
    signed = f"{START - timedelta(seconds=55):X-Amz-Date=%Y%m%dT%H%M%SZ}&X-Amz-Expires=55"

    async with serve(answering(None)) as server:
        with pytest.raises(StorageError, match="RemoteProtocolError") as caught:
            await put(make_storage(attempts=1), f"{server.url}/key?{signed}")

    assert (caught.value.status, caught.value.expired) == (None, True)


async def test_file_that_changed_is_the_callers_fault(tmp_path: Path) -> None:
    """The error is ours, nothing is repeated, and nothing was imported."""
    source = tmp_path / "members.csv"
    source.write_bytes(CSV)
    storage = make_storage()
    body = await open_body(source)
    source.write_bytes(CSV * 2)

    async with serve(answering(http(200))) as server:
        with pytest.raises(InvalidRequest) as caught:
            await storage.put(f"{server.url}/key", body)
        await storage.pools.aclose()

    assert caught.value.problems[0].rule == "unchanged"
    assert server.seen == []


class Watched:
    """A body that notes when its reading ends."""

    size_bytes = 2

    def __init__(self) -> None:
        self.ended = False

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Give two pieces."""
        try:
            yield b"1"
            yield b"2"
        finally:
            self.ended = True


async def test_early_refusal_ends_the_reading() -> None:
    """The storage can refuse a body before its end; the file is closed nevertheless."""
    body = Watched()

    class Impatient(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            assert isinstance(request.stream, httpx.AsyncByteStream)
            await anext(aiter(request.stream))
            return httpx.Response(403, stream=Pieces(b""))

    with pytest.raises(StorageError, match="HTTP 403"):
        await make_storage(Impatient()).put(URL, body)

    assert body.ended


async def test_early_refusal_on_the_wire_is_an_error(tmp_path: Path) -> None:
    """With the body in flight, the 403 arrives or is lost: an upload that failed either way."""
    source = tmp_path / "members.csv"
    source.write_bytes(CSV * 500_000)
    storage = make_storage(attempts=2)

    async def refuse(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(http(403, b"<Error/>", "Connection: close"))

    async with raw_server(refuse) as url:
        with pytest.raises(StorageError) as caught:
            await storage.put(f"{url}/key", await open_body(source))
        await storage.pools.aclose()

    assert caught.value.status in {403, None}


async def test_upload_answered_early_is_repeated_whole(tmp_path: Path) -> None:
    """A storage that says 200 before it has the file has not got it; contacts would be lost."""
    source = tmp_path / "members.csv"
    source.write_bytes(CSV * 500_000)
    storage = make_storage()
    heads: list[bytes] = []
    sizes: list[int] = []

    async def talk(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            head, _, body = (await stream.receive()).partition(b"\r\n\r\n")
            heads.append(head)
            size_bytes = len(body)
            if len(heads) < 3:
                await stream.send(http(200, b"", "Connection: close"))
            with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while size_bytes < source.stat().st_size:
                    size_bytes += len(await stream.receive())
                sizes.append(size_bytes)
                await stream.send(http(200))

    async with raw_server(talk) as url:
        await storage.put(f"{url}/key", await open_body(source))
        await storage.pools.aclose()

    assert len(heads) == 3
    assert sizes[-1] == source.stat().st_size


async def test_upload_that_is_always_answered_early_fails(tmp_path: Path) -> None:
    """The error says what is wrong."""

    class Impatient(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            assert isinstance(request.stream, httpx.AsyncByteStream)
            await anext(aiter(request.stream))
            return httpx.Response(200, stream=Pieces(b""))

    with pytest.raises(StorageError, match="HTTP 200 came before the whole of it had left"):
        await make_storage(Impatient()).put(URL, Watched())


@pytest.mark.slow
async def test_large_file_does_not_fill_the_memory(tmp_path: Path) -> None:
    """64 MiB go through a small part of that."""
    size_bytes = 64 * 1024 * 1024
    source = tmp_path / "members.csv"
    with source.open("wb") as file:
        file.truncate(size_bytes)
    storage = make_storage()

    async with serve(answering(http(200))) as server:
        tracemalloc.start()
        try:
            await storage.put(f"{server.url}/key", await open_body(source))
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        await storage.pools.aclose()

    assert server.seen[0].size_bytes == size_bytes
    assert peak_bytes < 32 * 1024 * 1024


async def test_place_that_does_not_come_free_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The storage's connections are counted, too."""
    monkeypatch.setattr("newsleopard_async.transport.pools._CONNECTIONS", 1)
    clock = ManualClock(START)

    async def slow(request: httpx.Request) -> httpx.Response:
        await clock.sleep(100)
        return httpx.Response(200, stream=Pieces(b""))

    storage = make_storage(Scripted(slow), clock=clock, attempts=1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(storage.put, URL, BytesBody(CSV))
        await clock.sleep(1)
        with pytest.raises(StorageError, match="no connection became free in 30 s"):
            await storage.put(URL, BytesBody(CSV))

    assert clock.monotonic() == 100


async def test_timeouts_are_the_storages() -> None:
    """An upload waits longer than an API request."""
    transport = Scripted(answer())

    await put(make_storage(transport), URL)

    assert transport.sent[0].extensions["timeout"] == {
        "connect": 10.0,
        "read": 120.0,
        "write": 120.0,
        "pool": 30.0,
    }
