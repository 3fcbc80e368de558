"""What OpenTelemetry is told of a call: names, attempts, how it ended, and metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import attrs
import httpx
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from newsleopard_async.errors import NewsLeopardError
from newsleopard_async.models.options import RateLimits, RetryPolicy
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.request import Request
from tests.telemetry import collected
from tests.transport.file_storage import SIGNED, URL, get, make_storage, put
from tests.transport.scripted import READ, SUBMIT, Scripted, Step, answer, make_api

pytestmark = pytest.mark.anyio

ID = {"x-amzn-RequestId": "6f1e-42"}
CALL = "newsleopard.call.list_lists"


async def test_call_is_a_client_span_with_an_event_for_each_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Names follow the conventions for HTTP; the query, possibly an address, is left out."""
    script = Scripted(answer(503), httpx.ConnectTimeout("late"), answer(200, b"[]", ID))
    with collected(monkeypatch) as seen:
        api = make_api(script, clock=ManualClock())
        await api.call(attrs.evolve(READ, query=(("name", "ann@example.com"),)))

    span = seen.span(CALL)
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.request.resend_count": 2,
        "http.response.status_code": 200,
        "newsleopard.operation": "list_lists",
        "newsleopard.request_id": "6f1e-42",
        "server.address": "api.example.com",
        "server.port": 443,
        "url.full": "https://api.example.com/r",
        "url.scheme": "https",
    }
    attempts = [(each.name, dict(each.attributes or {})) for each in span.events]
    assert [name for name, _ in attempts] == ["newsleopard.attempt"] * 3
    assert [
        (about.get("http.request.resend_count"), about.get("error.type")) for _, about in attempts
    ] == [(None, "503"), (1, "timeout"), (2, None)]
    assert "ann@" not in str(seen)


@pytest.mark.parametrize(
    ("request_", "reply", "error_type", "status"),
    [
        (SUBMIT, answer(503), "OutcomeUnknown", 503),
        (READ, answer(200, b"<html>"), "UnexpectedResponse", 200),
        (READ, answer(404, b'{"code":"40007"}'), "APIError", 404),
        (READ, httpx.ConnectError("refused"), "ConnectionFailed", None),
    ],
)
async def test_failed_call_names_the_error_that_its_caller_gets(
    request_: Request[Any],
    reply: Step,
    error_type: str,
    status: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has the class of the error, and the status of the answer."""
    with collected(monkeypatch) as seen:
        api = make_api(Scripted(reply), clock=ManualClock(), retry=RetryPolicy(max_attempts=1))
        with pytest.raises(NewsLeopardError):
            await api.call(request_)

    [span] = seen.spans
    about = dict(span.attributes or {})
    assert (about["error.type"], about.get("http.response.status_code")) == (error_type, status)
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None


async def test_cancelled_call_ends_its_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancellation is not an error of the call; its attempt was cut off."""
    with collected(monkeypatch) as seen, anyio.CancelScope() as scope:

        async def never(request: httpx.Request) -> httpx.Response:
            scope.cancel()
            await anyio.sleep_forever()
            raise AssertionError

        await make_api(Scripted(never), clock=ManualClock()).call(READ)

    span = seen.span(CALL)
    assert (span.attributes or {})["newsleopard.cancelled"] is True
    assert span.status.status_code is StatusCode.UNSET
    [attempt] = span.events
    assert (attempt.attributes or {})["error.type"] == "cancelled"


async def test_files_are_spans_without_their_urls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the storage there is the host: all else of a presigned URL may be worth something."""
    with collected(monkeypatch) as seen:
        await put(make_storage(Scripted(answer(200))), URL)
        with pytest.raises(NewsLeopardError):
            await get(make_storage(Scripted(answer(403))), URL, tmp_path / "open.csv")

    assert seen.names == ["newsleopard.call.upload", "newsleopard.call.download"]
    uploaded, refused = (dict(each.attributes or {}) for each in seen.spans)
    assert uploaded["http.request.method"] == "PUT"
    assert "url.full" not in uploaded
    assert refused["error.type"] == "403"
    assert SIGNED not in str(seen)


async def test_metrics_count_time_waits_retries_and_the_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What an operator watches: how long, how often again, how long in the queue, what is left."""
    clock = ManualClock()
    limits = RateLimits(windows=((1, 2.0), (100, 86_400.0)), uplink_s=0.5)
    with collected(monkeypatch) as seen:
        api = make_api(Scripted(answer(503), answer(200, b"[]")), clock=clock, limits=limits)
        await api.call(READ)
        metrics = seen.metrics()

    assert [
        (about["http.response.status_code"], about.get("error.type"))
        for about, _ in metrics["http.client.request.duration"]
    ] == [(503, "503"), (200, None)]
    [(about, retries)] = metrics["newsleopard.client.retries"]
    assert (about["newsleopard.operation"], retries) == ("list_lists", 1)
    [(_, waited_s)] = metrics["newsleopard.client.queue.duration"]
    assert waited_s > 1
    [(_, used)] = metrics["newsleopard.client.day.used"]
    [(_, remaining)] = metrics["newsleopard.client.day.remaining"]
    assert used == 2
    assert remaining == 98


async def test_day_without_a_limit_has_nothing_left_to_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client without a limit for the day counts all the same."""
    with collected(monkeypatch) as seen:
        limits = RateLimits(windows=((10, 1.0),))
        await make_api(Scripted(answer(200, b"[]")), clock=ManualClock(), limits=limits).call(READ)
        metrics = seen.metrics()

    assert "newsleopard.client.day.used" in metrics
    assert "newsleopard.client.day.remaining" not in metrics
