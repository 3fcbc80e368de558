"""The faults of the storage during an upload or a download, and their outcomes."""

from __future__ import annotations

import hashlib
import os
import ssl
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import anyio
import httpx
import pytest

from newsleopard_async import InvalidRequest, StorageError
from tests.storage.client import (
    API_KEY,
    ForwardClock,
    Readdressed,
    a_client,
    a_link,
    a_ticket,
    names_in,
)
from tests.storage.wire import Drop, Reply, WireServer, error_xml

pytestmark = pytest.mark.anyio

CONTENT = os.urandom(3_000_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
EXPIRED = error_xml("AccessDenied", "Request has expired")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Write a file of several pieces."""
    path = tmp_path / "contacts.csv"
    path.write_bytes(CONTENT)
    return path


def open_files(path: Path) -> int:
    """Count this process's open descriptors of a file; 0 where the system does not tell."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return 0
    return sum(link.exists() and link.samefile(path) for link in folder.iterdir())


PASSING = [
    Reply(400, error_xml("RequestTimeout")),
    Reply(400, error_xml("IncompleteBody")),
    Reply(409, error_xml("OperationAborted")),
    Reply(403, error_xml("SlowDown")),
    Reply(400, error_xml("\n  ThrottlingException\n")),
    Reply(400, b'<Error xmlns="http://s3.example/doc/"><Code>RequestTimeout</Code></Error>'),
    Reply(400, b'<e:Error xmlns:e="urn:e"><e:Code e:n="1">RequestTimeout</e:Code></e:Error>'),
    Reply(400, b"<pre>&lt;Error&gt;&lt;Code&gt;RequestTimeout&lt;/Code&gt;</pre>"),
    Reply(400, b"<error><code>requesttimeout</code></error>"),
    Reply(400, error_xml("RequestTimeout"), headers=(("Retry-After", "3"),)),
]
"""Refusals by a 4xx that say of themselves that they pass."""

FINAL = [
    Reply(400),
    Reply(409),
    Reply(403, error_xml("RequestTimeTooSkewed")),
    Reply(400, error_xml("MyRequestTimeout")),
    Reply(400, error_xml("InvalidArgument", "RequestTimeout", echo="RequestTimeout")),
    Reply(400, b"RequestTimeout"),
]
"""Refusals that a new URL does not solve, even if they mention it."""


@pytest.mark.parametrize(
    "fault",
    [
        *PASSING,
        Reply(503, error_xml("SlowDown")),
        Reply(500, error_xml("InternalError")),
        Reply(503, after_bytes=100_000),
        Reply(429, headers=(("Retry-After", "3"),)),
        Drop(0),
        Drop(1_000_000),
        Drop(len(CONTENT)),
    ],
    ids=repr,
)
async def test_failed_upload_is_repeated_from_the_start(
    wire: WireServer, source: Path, fault: Reply | Drop
) -> None:
    """After a 5xx or a lost connection the whole file goes again, to the same URL."""
    wire.script.extend([fault, fault])

    async with a_client() as nl:
        await nl.contacts.upload(a_ticket(wire.url()), source)

    assert len(wire.requests) == 3
    assert wire.requests[-1].body_sha256 == DIGEST
    assert {request.target for request in wire.requests} == {wire.requests[0].target}
    assert {dict(request.headers)["content-length"] for request in wire.requests} == {"3000000"}
    assert API_KEY not in repr(wire.requests)


@pytest.mark.parametrize("after_bytes", [0, 100_000, 2_900_000])
async def test_early_refusal_with_the_body_in_flight_is_an_error(
    wire: WireServer, source: Path, after_bytes: int
) -> None:
    """A 403 followed by a reset can be lost; the call raises an error in both cases."""
    wire.script.extend(
        [Reply(403, error_xml("SignatureDoesNotMatch"), after_bytes=after_bytes)] * 5
    )

    async with a_client() as nl:
        with pytest.raises(StorageError) as caught:
            await nl.contacts.upload(a_ticket(wire.url()), source)

    assert caught.value.status in {403, None}
    assert not caught.value.expired
    assert 1 <= len(wire.requests) <= 5


async def test_connection_lost_after_the_lifetime_means_expired(
    wire: WireServer, source: Path
) -> None:
    """If the refusal was lost, the URL's own time shows whether a new URL helps."""
    clock = ForwardClock()
    signed = clock.now() - timedelta(minutes=10)
    url = wire.url(f"/b/k?X-Amz-Date={signed:%Y%m%dT%H%M%SZ}&X-Amz-Expires=300")
    wire.script.extend([Drop(1_000)] * 5)

    async with a_client(clock=clock) as nl:
        with pytest.raises(StorageError) as caught:
            await nl.contacts.upload(a_ticket(url), source)

    assert caught.value.expired
    assert caught.value.status is None


async def test_url_that_has_expired_is_not_repeated(wire: WireServer, source: Path) -> None:
    """After a lost connection, an expired URL is not tried again."""
    clock = ForwardClock()
    signed = clock.now() - timedelta(minutes=10)
    url = wire.url(f"/b/k?X-Amz-Date={signed:%Y%m%dT%H%M%SZ}&X-Amz-Expires=300")
    wire.script.extend([Drop(1_000)] * 5)

    async with a_client(clock=clock) as nl:
        with pytest.raises(StorageError):
            await nl.contacts.upload(a_ticket(url), source)

    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, EXPIRED),
        (403, error_xml("AccessDenied", "Request has expired.")),
        (400, error_xml("ExpiredToken", "The provided token has expired.")),
        (403, error_xml("ExpiredToken", "The security token included in the request is expired")),
    ],
)
async def test_answer_that_says_expired_is_expired(
    wire: WireServer, status: int, body: bytes
) -> None:
    """An outlived URL and an outlived session token both call for a fresh ticket."""
    wire.script.append(Reply(status, body))

    async with a_client() as nl:
        with pytest.raises(StorageError) as caught:
            await nl.contacts.upload(a_ticket(wire.url()), b"EMAIL\n")

    assert caught.value.expired
    assert len(wire.requests) == 1


async def test_storage_that_keeps_giving_up_has_its_status(
    wire: WireServer, tmp_path: Path
) -> None:
    """After the last attempt the error reports the last answer."""
    wire.script.extend([Reply(400, error_xml("RequestTimeout"))] * 10)

    async with a_client() as nl:
        with pytest.raises(StorageError) as of_upload:
            await nl.contacts.upload(a_ticket(wire.url()), b"EMAIL\n")
        with pytest.raises(StorageError) as of_download:
            await nl.reports.download(a_link(wire.url()), tmp_path / "report.csv")

    assert of_upload.value.status == of_download.value.status == 400
    assert len(wire.requests) == 10


async def test_echo_of_the_word_expired_is_not_expired(wire: WireServer) -> None:
    """A wrong signature to a key named "expired" is a wrong signature."""
    body = error_xml("SignatureDoesNotMatch", "They differ.", echo="PUT /b/expired-members.csv")
    wire.script.append(Reply(403, body))

    async with a_client() as nl:
        with pytest.raises(StorageError) as caught:
            await nl.contacts.upload(a_ticket(wire.url()), b"EMAIL\n")

    assert not caught.value.expired


@pytest.mark.parametrize("status", [301, 307, 400, 404, 409, 412])
async def test_refusal_is_final(wire: WireServer, status: int) -> None:
    """A redirect is not followed and a 4xx is not repeated."""
    elsewhere = (("Location", wire.url("/elsewhere")),)
    wire.script.append(Reply(status, headers=elsewhere))

    async with a_client() as nl:
        with pytest.raises(StorageError) as caught:
            await nl.contacts.upload(a_ticket(wire.url()), b"EMAIL\n")

    assert caught.value.status == status
    assert len(wire.requests) == 1


async def test_cut_download_is_repeated_and_whole(wire: WireServer, tmp_path: Path) -> None:
    """A body shorter than its length is fetched again; the file is that of the last time."""
    destination = tmp_path / "report.csv"
    wire.script.extend(
        [
            Reply(body=CONTENT[:1_000_000], length=len(CONTENT)),
            Reply(body=CONTENT, after_bytes=0, length=len(CONTENT) + 1),
            Reply(body=CONTENT),
        ]
    )

    async with a_client() as nl:
        size_bytes = await nl.reports.download(a_link(wire.url()), destination)

    assert size_bytes == len(CONTENT)
    assert destination.read_bytes() == CONTENT
    assert names_in(tmp_path) == ["report.csv"]


@pytest.mark.parametrize("fault", PASSING, ids=repr)
async def test_download_that_storage_gave_up_is_repeated(
    wire: WireServer, tmp_path: Path, fault: Reply
) -> None:
    """A fault that passes is not a refusal, with any status."""
    destination = tmp_path / "report.csv"
    wire.script.extend([fault, fault, Reply(body=b"EMAIL\n")])

    async with a_client() as nl:
        await nl.reports.download(a_link(wire.url()), destination)

    assert destination.read_bytes() == b"EMAIL\n"
    assert len(wire.requests) == 3


@pytest.mark.parametrize("fault", FINAL, ids=repr)
async def test_refusal_that_does_not_pass_is_final(
    wire: WireServer, tmp_path: Path, fault: Reply
) -> None:
    """Only the code counts, by its whole name, and not what a message mentions."""
    wire.script.extend([fault] * 2)

    async with a_client() as nl:
        with pytest.raises(StorageError) as of_upload:
            await nl.contacts.upload(a_ticket(wire.url()), b"EMAIL\n")
        with pytest.raises(StorageError) as of_download:
            await nl.reports.download(a_link(wire.url()), tmp_path / "report.csv")

    assert of_upload.value.status == of_download.value.status == fault.status
    assert len(wire.requests) == 2


async def test_failed_download_leaves_the_old_file(wire: WireServer, tmp_path: Path) -> None:
    """The old file stays until a complete new file replaces it."""
    destination = tmp_path / "report.csv"
    destination.write_bytes(b"of yesterday")
    wire.script.extend([Reply(body=b"half", length=1_000)] * 5)

    async with a_client() as nl:
        with pytest.raises(StorageError):
            await nl.reports.download(a_link(wire.url()), destination)

    assert destination.read_bytes() == b"of yesterday"
    assert names_in(tmp_path) == ["report.csv"]


@pytest.mark.parametrize("max_attempts", [1, 5])
@pytest.mark.parametrize("change", ["grows", "shrinks", "is replaced", "vanishes"])
async def test_file_that_changes_during_the_upload(
    source: Path, wire: WireServer, change: str, max_attempts: int
) -> None:
    """The caller is told that the file changed, and the storage gets nothing whole."""
    if sys.platform == "win32" and change in {"is replaced", "vanishes"}:
        pytest.skip("Windows protects open files")
    changing = _ChangesOnce(wire.port, lambda: _change(source, change))

    async with changing, a_client(http_transport=changing, max_attempts=max_attempts) as nl:
        with pytest.raises(InvalidRequest, match="changed during the upload"):
            await nl.contacts.upload(a_ticket(wire.url()), source)

    whole = [request for request in wire.requests if request.body_bytes == len(CONTENT)]
    assert [request.body_sha256 for request in whole] in ([], [DIGEST])


def _change(path: Path, how: str) -> None:
    if how == "grows":
        with path.open("ab") as file:
            file.write(CONTENT)
    elif how == "shrinks":
        os.truncate(path, 1_500_000)
    elif how == "is replaced":
        other = path.with_suffix(".new")
        other.write_bytes(b"x" * len(CONTENT))
        other.replace(path)
    else:
        path.unlink()


class _ChangesOnce(Readdressed):
    """Does something when the first piece of the first body has gone."""

    def __init__(self, port: int, act: object) -> None:
        super().__init__(port)
        self._act = act

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request whose body is interrupted after its first piece."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        request.stream = _Interrupted(request.stream, self._act)
        return await super().handle_async_request(request)


class _Interrupted(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, act: object) -> None:
        self._stream, self._act = stream, act

    async def __aiter__(self) -> AsyncIterator[bytes]:
        act = self._act
        async for piece in self._stream:
            yield piece
            if callable(act):
                act()
                act = None


async def test_lost_connection_leaves_no_open_file(wire: WireServer, source: Path) -> None:
    """Once the upload has failed, nothing holds the file open."""
    wire.script.extend([Drop(100_000)] * 2)

    async with a_client(max_attempts=2) as nl:
        with pytest.raises(StorageError):
            await nl.contacts.upload(a_ticket(wire.url()), source)

        assert open_files(source) == 0


async def test_cancelled_upload_leaves_no_open_file(wire: WireServer, source: Path) -> None:
    """A cancellation with the body in flight closes the file at once."""
    async with a_client(http_transport=_Stalls()) as nl, anyio.create_task_group() as tasks:
        tasks.start_soon(nl.contacts.upload, a_ticket(wire.url()), source)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()

    assert open_files(source) == 0


class _Stalls(httpx.AsyncBaseTransport):
    """Takes the first piece of a body and no more."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Wait for ever in the middle of the body."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for _ in request.stream:
            await anyio.sleep_forever()
        raise AssertionError("the body had no piece")


@pytest.mark.parametrize("target", ["/b/k k?s=1", "/b/名單.csv?s=1", "/b/k\n?s=1"])
async def test_url_that_no_request_can_carry_is_refused(wire: WireServer, target: str) -> None:
    """A URL with bytes that HTTP does not allow is refused before anything is sent."""
    async with a_client() as nl:
        with pytest.raises(StorageError, match="URL"):
            await nl.contacts.upload(a_ticket(wire.url(target)), b"EMAIL\n")

    assert wire.requests == []


async def test_download_into_a_folder_that_cannot_be_written(
    wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that refuses the finished file is an error of ours, not a bare OSError."""

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)

    async with a_client() as nl:
        with pytest.raises(StorageError, match="Permission denied"):
            await nl.reports.download(a_link(wire.url()), tmp_path / "report.csv")

    assert names_in(tmp_path) == []


async def test_broken_tls_of_a_download_is_no_fault_of_the_disk(tmp_path: Path) -> None:
    """TLS's errors are OSErrors; the download is fetched again all the same."""
    broken = _BreaksTLSOnce()

    async with a_client(http_transport=broken) as nl:
        await nl.reports.download(a_link("https://s3.test/b/k"), tmp_path / "report.csv")

    assert broken.count == 2
    assert (tmp_path / "report.csv").read_bytes() == CONTENT


class _BreaksTLSOnce(httpx.AsyncBaseTransport):
    """Answers, the first time with a record that does not decrypt."""

    def __init__(self) -> None:
        self.count = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self.count += 1
        return httpx.Response(200, stream=_Content(is_broken=self.count == 1))


class _Content(httpx.AsyncByteStream):
    def __init__(self, *, is_broken: bool) -> None:
        self._is_broken = is_broken

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._is_broken:
            yield CONTENT[:1_000]
            raise ssl.SSLError(1, "[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC]")
        yield CONTENT
