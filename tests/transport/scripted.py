"""A transport that answers by a script, and requests to send through it."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import attrs
import httpx
import pytest

from newsleopard_async.clock import Clock
from newsleopard_async.models.attempts import OnAttempt
from newsleopard_async.models.options import RateLimits, RetryPolicy, Timeouts
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.api import Api
from newsleopard_async.transport.pools import Pools
from newsleopard_async.transport.redact import Secret
from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.request import Request
from newsleopard_async.transport.wire import answers
from tests.constants import KEY

__all__ = [
    "EXPORT",
    "IMPORT",
    "LIST",
    "READ",
    "STOP",
    "SUBMIT",
    "THROTTLED",
    "UNLIMITED",
    "Pieces",
    "Scripted",
    "Step",
    "answer",
    "caused",
    "errors_in",
    "json_answer",
    "make_api",
    "never",
    "warnings_in",
]

UNLIMITED = RateLimits(windows=())

READ = Request(
    name="list_lists", method="GET", path="/r", decode=answers.decode_lists, kind=Kind.READ
)
IMPORT = Request(
    name="import_text",
    method="POST",
    path="/i",
    decode=answers.decode_import_sn,
    kind=Kind.IMPORT,
    body={"contacts": "EMAIL,NAME"},
    empty_500_once=True,
)
STOP: Request[None] = Request(
    name="pause_campaign",
    method="PATCH",
    path="/p",
    decode=lambda *_: None,
    kind=Kind.STOP,
    ignores_answer=True,
)
LIST = Request(
    name="create_list",
    method="POST",
    path="/c",
    decode=answers.decode_list_sn,
    kind=Kind.CREATE,
    body={"name": "週年慶"},
)
EXPORT: Request[None] = Request(
    name="export_report",
    method="POST",
    path="/e",
    decode=lambda *_: None,
    kind=Kind.CREATE,
    body={},
    ignores_answer=True,
    export_of="campaign",
)
SUBMIT = Request(
    name="submit_campaign",
    method="POST",
    path="/s",
    decode=answers.decode_campaign_sn,
    kind=Kind.SUBMIT,
    body={"form": {}},
)

Handler = Callable[[httpx.Request], Awaitable[httpx.Response]]
Step = Exception | Handler


class Pieces(httpx.AsyncByteStream):
    """A body that comes in pieces; an exception among them is raised in its place.

    Attributes:
        error_at_close: Raised when the body is closed.
    """

    def __init__(self, *pieces: bytes | Exception, error_at_close: Exception | None = None) -> None:
        self._pieces = pieces
        self.error_at_close = error_at_close
        self.times_closed = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def aclose(self) -> None:
        """Count the closing, and fail at it if that is the script."""
        self.times_closed += 1
        if self.error_at_close is not None:
            raise self.error_at_close


def caused(error: Exception, *causes: Exception) -> Exception:
    """Chain exceptions as ``raise … from …`` does."""
    effect = error
    for cause in causes:
        effect.__cause__ = cause
        effect = cause
    return error


def answer(status: int = 200, body: bytes = b"", headers: dict[str, str] | None = None) -> Handler:
    """Script an answer."""

    async def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers=headers, stream=Pieces(body))

    return handle


def json_answer(status: int, content: Any) -> Handler:
    """Script an answer in JSON."""
    return answer(status, json.dumps(content, ensure_ascii=False).encode())


async def never(request: httpx.Request) -> httpx.Response:
    """Take a request and give no answer."""
    await anyio.sleep_forever()
    raise AssertionError


THROTTLED = json_answer(429, {"message": "Limit Exceeded"})


@attrs.frozen
class Sent:
    """A request as it left."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    extensions: dict[str, Any]


class Scripted(httpx.AsyncBaseTransport):
    """Takes a step of the script for each request; the last one holds for ever.

    Attributes:
        sent: Every request that reached it.
    """

    def __init__(self, *steps: Step) -> None:
        self._steps = steps
        self.sent: list[Sent] = []
        self.is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Note the request and do what the script says."""
        stream = request.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        body = b"".join([piece async for piece in stream])
        self.sent.append(
            Sent(
                request.method,
                str(request.url),
                dict(request.headers),
                body,
                dict(request.extensions),
            )
        )
        step = self._steps[min(len(self.sent), len(self._steps)) - 1]
        if isinstance(step, Exception):
            raise step
        return await step(request)

    async def aclose(self) -> None:
        """Note that it was closed, which is not the client's to do."""
        self.is_closed = True


def make_api(
    transport: httpx.AsyncBaseTransport | None,
    *,
    clock: Clock | None = None,
    base_url: str = "https://api.example.com",
    limits: RateLimits = UNLIMITED,
    retry: RetryPolicy | None = None,
    timeouts: Timeouts | None = None,
    on_attempt: OnAttempt | None = None,
) -> Api:
    """Build the part under test; it has no rate limits unless asked for."""
    return Api(
        base_url=base_url,
        key=Secret(KEY),
        pools=Pools(transport),
        limits=limits,
        clock=clock or ManualClock(),
        retry=retry or RetryPolicy(),
        timeouts=timeouts or Timeouts(),
        on_attempt=on_attempt,
    )


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the library's warnings."""
    return _said(caplog, logging.WARNING)


def errors_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the library's errors."""
    return _said(caplog, logging.ERROR)


def _said(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "newsleopard_async" and record.levelno == level
    ]
