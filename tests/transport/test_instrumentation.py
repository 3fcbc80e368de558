"""Other libraries' logs and spans of our requests show neither the key nor a presigned URL."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from newsleopard_async import NewsLeopard, NewsLeopardError, ReportLink, RetryPolicy, UploadTicket
from newsleopard_async.models import ImportSn, ReportType
from tests.constants import KEY
from tests.transport.loopback import Loopback, Seen, http, serve
from tests.transport.scripted import Scripted

pytestmark = pytest.mark.anyio

SECRET = "S1GNATURE"
CSV = b"EMAIL,NAME\nvictim@example.com,V\n"
SECRETS = (KEY, SECRET, "victim")


async def echo(seen: Seen) -> bytes:
    """Show all that is secret in the headers."""
    away = f"Location: https://s3.example.com/x?Signature={SECRET}"
    status = 307 if "/redirect" in seen.line else 200
    body = b"[]" if "/v1/" in seen.line else CSV
    return http(status, body, away, f"X-Echo: {KEY}", f"X-Victim: {CSV[11:29].decode()}")


async def use(url: str, folder: Path, **options: Any) -> None:
    """Make a request of each kind."""
    target = f"{url}/x?Signature={SECRET}"
    away = f"{url}/redirect?Signature={SECRET}"
    link, moved = (ReportLink(type=ReportType("open"), url=each) for each in (target, away))
    ticket = UploadTicket(import_sn=ImportSn("i"), url=target)
    async with NewsLeopard(KEY, base_url=url, retry=RetryPolicy(max_attempts=1), **options) as nl:
        await nl.contacts.list_lists()
        await nl.contacts.upload(ticket, CSV)
        await nl.reports.download(link, folder / "open.csv")
        with pytest.raises(NewsLeopardError):
            await nl.reports.download(moved, folder / "moved.csv")


def shown(record: logging.LogRecord) -> str:
    """Return all that a handler may print of a record."""
    return f"{record.getMessage()} {record.__dict__}"


async def test_no_logger_shows_a_header(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With DEBUG for all of them; the events are still there."""
    caplog.set_level(1)

    async with serve(echo) as server:
        await use(server.url, tmp_path)

    assert "receive_response_headers.complete" in caplog.text
    assert not [text for text in map(shown, caplog.records) if any(s in text for s in SECRETS)]


async def test_no_logger_shows_a_broken_answer(caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be parsed stands in the error that httpcore logs."""
    caplog.set_level(1)

    async def broken(seen: Seen) -> bytes:
        return f"HTTP/1.1 200 X\r\nX-Echo {KEY}\r\n\r\n".encode()

    once = RetryPolicy(max_attempts=1)
    async with serve(broken) as server, NewsLeopard(KEY, base_url=server.url, retry=once) as nl:
        with pytest.raises(NewsLeopardError):
            await nl.contacts.list_lists()

    assert "receive_response_headers.failed" in caplog.text
    assert KEY not in caplog.text


async def test_transport_of_the_callers_logs_no_header(caplog: pytest.LogCaptureFixture) -> None:
    """The logs of any transport show no header of our requests."""
    caplog.set_level(1)
    told = RuntimeError(KEY)

    async def tell(request: httpx.Request) -> httpx.Response:
        for name in ("httpx", "hpack.hpack"):
            log = logging.getLogger(name)
            log.info("Request: %s", request.headers["x-api-key"], exc_info=told)
        return httpx.Response(200, json=[])

    async with NewsLeopard(KEY, http_transport=Scripted(tell)) as nl:
        await nl.contacts.list_lists()

    assert [record.getMessage() for record in caplog.records if record.name == "hpack.hpack"]
    assert KEY not in caplog.text


async def test_other_clients_log_as_they_did(caplog: pytest.LogCaptureFixture) -> None:
    """Only what is sent by us is kept out."""
    caplog.set_level(1)

    async with serve(echo) as server, httpx.AsyncClient() as other:
        await other.get(f"{server.url}/v1/other")

    assert f"X-Echo', b'{KEY}" in caplog.text
    assert "HTTP Request: GET" in caplog.text


@pytest.fixture
def spans() -> Iterator[Any]:
    """Switch the real instrumentation of httpx on, and keep its spans."""
    instrumentation = pytest.importorskip("opentelemetry.instrumentation.httpx")
    trace = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    exporter = memory.InMemorySpanExporter()
    provider = trace.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    instrumentor = instrumentation.HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    yield exporter
    instrumentor.uninstrument()


def traced(server: Loopback) -> list[str]:
    """Return the request lines that came with the header of a trace."""
    return [seen.line for seen in server.seen if "traceparent" in seen.names]


async def test_opentelemetry_sees_no_request_of_ours(tmp_path: Path, spans: Any) -> None:
    """No presigned URL and no key in a span, and no header that was not signed."""
    async with serve(echo) as server, httpx.AsyncClient() as other:
        await use(server.url, tmp_path)
        assert spans.get_finished_spans() == ()
        assert traced(server) == []

        await other.get(f"{server.url}/v1/other")
        assert len(spans.get_finished_spans()) >= 1
        assert traced(server) == ["GET /v1/other HTTP/1.1"]
