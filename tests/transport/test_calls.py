"""What is logged of a call: a line for each attempt, and what makes it wait."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import anyio
import attrs
import httpx
import pytest

from newsleopard_async.errors import NewsLeopardError, RateLimited
from newsleopard_async.models.options import RateLimits, RetryPolicy
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.request import Request
from tests.constants import KEY
from tests.transport.file_storage import URL, get, make_storage, put
from tests.transport.scripted import (
    READ,
    SUBMIT,
    Scripted,
    answer,
    json_answer,
    make_api,
    never,
)

pytestmark = pytest.mark.anyio

ID = {"x-amzn-RequestId": "6f1e-42"}


@pytest.fixture(autouse=True)
def _at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "newsleopard_async")


def lines(caplog: pytest.LogCaptureFixture, level: int = logging.DEBUG) -> list[str]:
    """Return the library's lines of a level."""
    return [record.getMessage() for record in records(caplog, level)]


def records(
    caplog: pytest.LogCaptureFixture, level: int = logging.DEBUG
) -> list[logging.LogRecord]:
    """Return the library's records of a level."""
    return [
        record
        for record in caplog.records
        if record.name == "newsleopard_async" and record.levelno == level
    ]


def extra(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a JSON logger takes from a record."""
    found = {name: value for name, value in vars(record).items() if name.startswith("nl_")}
    assert json.loads(json.dumps(found)) == found
    return found


async def test_attempt_is_one_line_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    """Operation, method, path, status, time, number, wait and request id; and as fields."""
    clock = ManualClock()

    async def slow(request: httpx.Request) -> httpx.Response:
        await clock.sleep(0.25)
        return httpx.Response(200, headers=ID, json=[])

    limits = RateLimits(windows=((1, 2.0),), uplink_s=0.5)
    api = make_api(Scripted(slow), clock=clock, limits=limits)
    await api.call(READ)

    await api.call(attrs.evolve(READ, query=(("name", "ann@example.com"),)))

    assert lines(caplog) == [
        "list_lists (GET /r): HTTP 200 in 250 ms; attempt 1, waited 0.00 s, request id 6f1e-42",
        "list_lists (GET /r): HTTP 200 in 250 ms; attempt 1, waited 2.01 s, request id 6f1e-42",
    ]
    assert extra(records(caplog)[1]) == {
        "nl_operation": "list_lists",
        "nl_method": "GET",
        "nl_path": "/r",
        "nl_host": "api.example.com",
        "nl_status": 200,
        "nl_request_id": "6f1e-42",
        "nl_attempt": 1,
        "nl_duration_ms": 250.0,
        "nl_waited_s": 2.01,
    }


@pytest.mark.parametrize(
    ("path", "raw", "shown"),
    [
        ("/v1/campaign/5f53d07eff19c195062524fa/status", False, None),
        ("/v1/campaign/ann%40example.com/status", False, "•••"),
        (f"/v1/campaign/{KEY}/status", False, "•••"),
        ("/v1/campaign/5f53d07eff19c195062524fa/status", True, "•••"),
        ("/v1/things?to=ann@example.com", True, "/v1/things"),
    ],
)
async def test_path_is_shown_as_far_as_it_tells_nothing(
    path: str, raw: bool, shown: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """An odd code can be an address or the key, and the caller's own path can be anything."""
    request = attrs.evolve(READ, path=path, raw=raw)

    await make_api(Scripted(json_answer(200, []))).call(request)

    assert extra(records(caplog)[0])["nl_path"] == (shown or path)


async def test_retry_is_one_line_at_info(caplog: pytest.LogCaptureFixture) -> None:
    """It says why, and how long the wait before it is."""
    transport = Scripted(
        answer(503, headers={**ID, "retry-after": "2"}),
        httpx.ReadTimeout("x"),
        httpx.ConnectError("x"),
        json_answer(200, []),
    )
    await make_api(transport, retry=RetryPolicy(base_s=1e-9)).call(READ)

    again = "list_lists is tried again in 0.00 s, after"
    assert lines(caplog, logging.INFO) == [
        "list_lists is tried again in 2.00 s, after attempt 1: HTTP 503",
        f"{again} attempt 2: reply lost (ReadTimeout; timeout)",
        f"{again} attempt 3: not sent (ConnectError; other)",
    ]
    assert [line.partition(": ")[2].partition(" in ")[0] for line in lines(caplog)] == [
        "HTTP 503",
        "reply lost (ReadTimeout; timeout)",
        "not sent (ConnectError; other)",
        "HTTP 200",
    ]
    first, second, _ = map(extra, records(caplog, logging.INFO))
    assert (first["nl_failure"], first["nl_status"]) == ("server_error", 503)
    assert (first["nl_delay_s"], first["nl_request_id"]) == (2.0, "6f1e-42")
    assert (second["nl_failure"], second["nl_reason"]) == ("reply_lost", "timeout")


async def test_burst_of_refusals_is_one_line_at_info(caplog: pytest.LogCaptureFixture) -> None:
    """Each probe that is refused is news, and so is the first answer after them."""
    clock = ManualClock()
    refused = 20

    async def refuse(request: httpx.Request) -> httpx.Response:
        await clock.sleep(0.1)
        if len(transport.sent) <= refused + 1:
            return httpx.Response(429, json={"message": "Limit Exceeded"}, headers=ID)
        return httpx.Response(200, json=[])

    transport = Scripted(refuse)
    api = make_api(transport, clock=clock)
    async with anyio.create_task_group() as tasks:
        for _ in range(refused):
            tasks.start_soon(api.call, READ)

    said = lines(caplog, logging.INFO)
    assert [re.sub(r"\d\.\d s", "… s", line) for line in said] == [
        'the platform refused list_lists (HTTP 429 "limit exceeded"); no request is sent for … s',
        'the platform refused list_lists (HTTP 429 "limit exceeded"); no request is sent for … s',
        "the platform accepts requests again",
    ]
    found = extra(records(caplog, logging.INFO)[0])
    assert (found["nl_failure"], found["nl_request_id"]) == ("refused", "6f1e-42")
    assert 1 <= found["nl_delay_s"] <= 1.5


async def test_day_that_counts_as_gone_is_said_once_with_the_refusal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After two minutes of refused probes."""
    api = make_api(Scripted(answer(429, b"Limit Exceeded")))
    for _ in range(5):
        with pytest.raises(RateLimited):
            await api.call(READ)

    gone = [line for line in lines(caplog, logging.INFO) if "counts as exhausted" in line]
    assert len(gone) == 1


async def test_storage_is_named_by_its_host_alone(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Its path and query are a presigned URL."""
    transport = Scripted(answer(500), answer(200, headers={"x-amz-request-id": "S3"}))

    await put(make_storage(transport), URL)
    with pytest.raises(NewsLeopardError):
        await get(make_storage(Scripted(answer(404))), URL, tmp_path / "report.csv")

    assert [line.partition(" ms")[0] for line in lines(caplog)] == [
        "upload (PUT s3.example.com): HTTP 500 in 0",
        "upload (PUT s3.example.com): HTTP 200 in 0",
        "download (GET s3.example.com): HTTP 404 in 0",
    ]
    assert all("nl_path" not in extra(each) for each in records(caplog))


@pytest.mark.parametrize("request_", [READ, SUBMIT], ids=str)
async def test_attempt_that_was_cancelled_is_a_line_too(
    request_: Request[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A request that must not be repeated continues, so its line contains its answer."""
    clock = ManualClock()

    async def slow(request: httpx.Request) -> httpx.Response:
        await clock.sleep(20)
        return await json_answer(200, {"sn": "c"})(request)

    with clock.deadline(5):
        await make_api(Scripted(slow), clock=clock).call(request_)

    [line], [record] = lines(caplog), records(caplog)
    if request_ is READ:
        assert line == "list_lists (GET /r): cancelled in 5000 ms; attempt 1, waited 0.00 s"
        assert extra(record)["nl_failure"] == "cancelled"
    else:
        assert line.startswith("submit_campaign (POST /s): HTTP 200 in 20000 ms")


async def test_attempt_that_a_file_stops_names_no_file(caplog: pytest.LogCaptureFixture) -> None:
    """The error itself says which file it is; the log does not."""

    class Changed:
        size_bytes = 3

        async def pieces(self) -> Any:
            raise FileNotFoundError("/home/ann/members.csv")
            yield b""

    storage = make_storage(Scripted(answer(200)), attempts=1)
    with pytest.raises(NewsLeopardError):
        await storage.put(URL, Changed())
    assert "members" not in caplog.text


async def test_no_connection_in_time_is_a_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt that got none never left, and has waited for all its time."""
    monkeypatch.setattr("newsleopard_async.transport.pools._CONNECTIONS", 1)
    clock = ManualClock()

    api = make_api(Scripted(never), clock=clock, retry=RetryPolicy(max_attempts=1))

    async def fail() -> None:
        with pytest.raises(NewsLeopardError):
            await api.call(READ)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fail)
        tasks.start_soon(fail)

    assert any("not sent (no connection became free in 30 s; timeout)" in e for e in lines(caplog))


async def test_no_line_is_built_for_a_log_that_is_off(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the level at WARNING a call costs what it cost."""
    caplog.set_level(logging.WARNING, "newsleopard_async")

    def fail(*_: object) -> None:
        pytest.fail("was computed")

    monkeypatch.setattr("newsleopard_async.transport.calls.fields_of", fail)
    clock = ManualClock()

    api = make_api(Scripted(answer(503), json_answer(200, []), never), clock=clock)
    await api.call(READ)
    with clock.deadline(5):
        await api.call(READ)

    assert lines(caplog) + lines(caplog, logging.INFO) == []
