"""The key and presigned URLs are in no error, no log, no repr, and no frame of a traceback."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from newsleopard_async import NewsLeopard, transport
from newsleopard_async.errors import (
    ConfigurationError,
    InvalidRequest,
    NewsLeopardError,
    RateLimited,
    StorageError,
)
from newsleopard_async.transport.body import BytesBody, open_body
from newsleopard_async.transport.presigned import Presigned
from newsleopard_async.transport.request import Request
from tests.constants import KEY
from tests.transport.file_storage import CSV, SIGNED, URL, get, make_storage
from tests.transport.loopback import Seen, answering, http, serve
from tests.transport.scripted import (
    EXPORT,
    IMPORT,
    LIST,
    READ,
    SUBMIT,
    Pieces,
    Scripted,
    answer,
    make_api,
)

pytestmark = pytest.mark.anyio


def shown_by_a_reporter(error: BaseException) -> str:
    """Return what a reporter of errors prints: everything but the tests' own frames."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = [str(error), repr(error), str(error.args), str(vars(error))]
    chain: list[traceback.TracebackException] = [report]
    while chain:
        link = chain.pop()
        shown.append(str(link))
        shown += [str(f.locals) for f in link.stack if "tests" not in Path(f.filename).parts]
        chain += [each for each in (link.__cause__, link.__context__) if each]
    return "\n".join(shown)


class Echo(httpx.AsyncBaseTransport):
    """A transport that shows the key wherever it can."""

    def __init__(self, status: int, error: Exception | None = None) -> None:
        self._status = status
        self._error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Fail with the key in hand."""
        key = request.headers["x-api-key"]
        logging.getLogger("newsleopard_async").debug("asked")
        if isinstance(self._error, NewsLeopardError):
            raise self._error
        if self._error is not None:
            raise self._error from RuntimeError(key)
        return httpx.Response(
            self._status,
            headers={"x-amzn-requestid": key, "server": key, "via": f"1.1 {key.upper()}"},
            stream=Pieces(f'{{"message":"{key}"}}'.encode()),
        )


@pytest.mark.parametrize("request_", [READ, IMPORT, LIST, SUBMIT], ids=str)
@pytest.mark.parametrize(
    "transport",
    [
        *(Echo(status) for status in (200, 302, 400, 403, 408, 429, 500)),
        Echo(0, httpx.ConnectError(KEY)),
        Echo(0, httpx.LocalProtocolError(KEY)),
        Echo(0, RuntimeError(KEY)),
        Echo(0, InvalidRequest.of("source", "unchanged", "changed")),
    ],
)
async def test_key_is_in_no_error(
    request_: Request[Any], transport: Echo, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in message, arguments, attributes and causes, nor in the frames of a traceback."""
    caplog.set_level(0)

    with pytest.raises(NewsLeopardError) as caught:
        await make_api(transport).call(request_)

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert KEY not in shown_by_a_reporter(caught.value)
    assert KEY not in caplog.text
    assert KEY not in str([vars(record) for record in caplog.records])


@pytest.mark.parametrize("make", [lambda _: 404, lambda url: url], ids=["refused", "unreachable"])
async def test_key_is_in_no_log_and_no_error_of_a_real_request(
    make: Callable[[str], object], caplog: pytest.LogCaptureFixture
) -> None:
    """Httpx and httpcore log at DEBUG, and their frames hold the headers."""
    caplog.set_level(0)

    async def handle(seen: Seen) -> bytes | None:
        return http(404) if make(server.url) == 404 else None

    async with serve(handle) as server:
        api = make_api(None, base_url=server.url)
        requests: list[Request[Any]] = [READ, SUBMIT]
        for request in requests:
            with pytest.raises(NewsLeopardError) as caught:
                await api.call(request)
            assert KEY not in shown_by_a_reporter(caught.value)
        await api.pools.aclose()

    assert "send_request_headers" in caplog.text
    assert KEY not in caplog.text


async def test_key_is_in_no_error_of_the_limiter() -> None:
    """The limiter knows the key by its hash."""
    api = make_api(Scripted(answer(200)))
    await api.call(EXPORT)

    with pytest.raises(RateLimited) as caught:
        await api.call(EXPORT)

    assert KEY not in shown_by_a_reporter(caught.value)


async def test_key_is_in_no_repr() -> None:
    """Printing a client shows nothing of the key."""
    api = make_api(Scripted(answer(200)))

    assert KEY not in f"{api!r} {api} {api.limiter!r} {vars(api.limiter)}"


async def test_key_is_in_no_error_of_the_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error on the way to the connection has frames, too."""
    monkeypatch.setenv("https_proxy", "ftp://x")

    with pytest.raises(ConfigurationError) as caught:
        await make_api(None).call(SUBMIT)

    assert KEY not in shown_by_a_reporter(caught.value)


@pytest.mark.parametrize(
    "step", [answer(403, SIGNED.encode()), httpx.ReadError(URL), answer(302), answer(500)]
)
async def test_presigned_query_is_in_no_error(step: Any, tmp_path: Path) -> None:
    """Not in the message, nor in anything that a reporter of errors prints."""
    for call in (
        make_storage(Scripted(step)).put(URL, BytesBody(CSV)),
        make_storage(Scripted(step)).get(URL, tmp_path / "report.csv"),
    ):
        with pytest.raises(StorageError) as caught:
            await call
        assert "s3cr3t" not in shown_by_a_reporter(caught.value)


async def test_presigned_query_is_in_no_other_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for what is found out in the middle of an upload, or before it."""
    source = tmp_path / "members.csv"
    source.write_bytes(CSV)
    body = await open_body(source)
    source.write_bytes(CSV * 2)
    bad, closed = make_storage(), make_storage()
    await closed.pools.aclose()
    monkeypatch.setenv("https_proxy", "ftp://x")

    for storage, url, error in (
        (make_storage(Scripted(answer())), URL, InvalidRequest),
        (bad, URL, ConfigurationError),
        (bad, f"ftp://x?{SIGNED}", StorageError),
        (bad, f"https://[x?{SIGNED}", StorageError),
        (closed, URL, ConfigurationError),
    ):
        with pytest.raises(error) as caught:
            await storage.put(url, body)
        assert "s3cr3t" not in shown_by_a_reporter(caught.value)


async def test_presigned_query_is_in_no_log(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """With any library that logs, at any level."""
    caplog.set_level(0)

    async with serve(answering(http(500), http(200, CSV))) as server:
        storage = make_storage()
        await storage.put(f"{server.url}/key?{SIGNED}", BytesBody(CSV))
        await get(storage, f"{server.url}/key?{SIGNED}", tmp_path / "report.csv")

    assert "send_request_headers" in caplog.text
    assert "upload (PUT 127.0.0.1): HTTP 500 in" in caplog.text
    assert "s3cr3t" not in caplog.text
    assert "s3cr3t" not in str([vars(record) for record in caplog.records])


def test_repr_shows_no_url() -> None:
    """Neither of the storage, nor of a parsed URL."""
    assert "s3cr3t" not in repr(make_storage())
    assert "s3cr3t" not in repr(Presigned.parse(URL))


async def test_failing_import_of_the_transport_does_not_show_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is loaded with the first client, when the key is there already."""
    monkeypatch.delattr(transport, "api", raising=False)
    monkeypatch.setitem(sys.modules, "newsleopard_async.transport.api", None)

    with pytest.raises(ImportError) as caught:
        NewsLeopard(KEY)

    assert KEY not in shown_by_a_reporter(caught.value)
