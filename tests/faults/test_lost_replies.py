"""If a reply is lost in any way, a request that must not be repeated is sent only once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import httpx
import pytest

from newsleopard_async import CampaignSn, ListSn, NewsLeopard, OutcomeUnknown, with_lists
from newsleopard_async.errors import NewsLeopardError
from newsleopard_async.testing import ManualClock
from tests.constants import CAMPAIGN, KEY, SUBJECT_TEST
from tests.faults.pipelines import PIPELINES
from tests.transport.loopback import Last, answering, http, serve

pytestmark = pytest.mark.anyio

Call = Callable[[NewsLeopard], Awaitable[Any]]
LISTS: Final = [ListSn("5f53d07eff19c195062524fa4697bde9")]
SN: Final = CampaignSn("a2beccbace2f753125e8092b69dfe9ac")
CALLS: Final[dict[str, Call]] = {
    "submit": lambda nl: nl.campaigns.submit(with_lists(CAMPAIGN, LISTS)),
    "submit_ab_test": lambda nl: nl.campaigns.submit_ab_test(with_lists(SUBJECT_TEST, LISTS)),
    "create_list": lambda nl: nl.contacts.create_list("會員"),
    "export": lambda nl: nl.reports.export(SN),
}
GOOD: Final = http(200, b'{"sn": "5f53d07eff19c195062524fa4697bde9"}')

LOST: Final = {
    "closed-before-any-byte": Last(),
    "reset": Last(is_reset=True),
    "closed-amid-status-line": Last(b"HTTP/1."),
    "closed-after-status-line": Last(b"HTTP/1.1 200 OK\r\n"),
    "closed-amid-headers": Last(b"HTTP/1.1 200 OK\r\nContent-Type: app"),
    "closed-amid-body": Last(GOOD[:-4]),
    "closed-amid-chunk": Last(
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{"sn": "5f53'
    ),
    "garbage-for-a-status-line": Last(b"\x16\x03\x01 no HTTP at all\r\n\r\n"),
    "500": Last(http(500)),
    "502-html": Last(http(502, b"<html>Bad Gateway</html>")),
    "503": Last(http(503)),
    "503-retry-after": Last(http(503, b"", "Retry-After: 1")),
    "504": Last(http(504, b'{"message": "Endpoint request timed out"}')),
    "408": Last(http(408)),
    "400-html": Last(http(400, b"<html>400 Bad Request - proxy</html>")),
    "403-empty": Last(http(403)),
    "403-waf": Last(http(403, b'{"code":403,"message":"blocked"}')),
    "409": Last(http(409)),
    "499": Last(http(499)),
    "302-throttle-text": Last(http(302, b'{"message":"Limit Exceeded"}')),
    "301": Last(http(301, b"", "Location: /elsewhere")),
    "303": Last(http(303, b"", "Location: /elsewhere")),
    "307": Last(http(307, b"", "Location: /elsewhere")),
    "308": Last(http(308, b"", "Location: /elsewhere")),
}
"""Ways that lose the reply to everything; an export is done by any 2xx that came whole."""

UNREADABLE: Final = {
    "200-without-code": Last(http(200, b'{"message": "ok"}')),
    "200-code-is-null": Last(http(200, b'{"sn": null}')),
    "200-code-is-empty": Last(http(200, b'{"sn": ""}')),
    "200-html": Last(http(200, b"<html>Sorry</html>")),
    "200-cut-json": Last(http(200, b'{"sn": "5f53')),
    "200-array": Last(http(200, b"[]")),
    "200-empty": Last(http(200)),
    "202-empty": Last(http(202)),
    "200-throttle-text": Last(http(200, b'{"message":"Limit Exceeded"}')),
    "202-throttle-text": Last(http(202, b"too many requests")),
    "204": Last(b"HTTP/1.1 204 No Content\r\n\r\n"),
}
"""Answers that say that something was done, and not what."""

EXCEPTIONS: Final = (
    httpx.ReadTimeout,
    httpx.WriteTimeout,
    httpx.ReadError,
    httpx.WriteError,
    httpx.CloseError,
    httpx.RemoteProtocolError,
    httpx.LocalProtocolError,
    httpx.DecodingError,
    httpx.StreamError,
    RuntimeError,
    OSError,
    anyio.BrokenResourceError,
)


async def outcome_of(call: Call, answer: Last) -> tuple[object, int]:
    """Make a call that is answered so, and then well; return its end and the POSTs."""
    async with (
        serve(answering(answer, Last(GOOD))) as server,
        NewsLeopard(KEY, base_url=server.url) as nl,
    ):
        try:
            end: object = await call(nl)
        except NewsLeopardError as error:
            end = error
    return end, sum(each.line.startswith("POST ") for each in server.seen)


@pytest.mark.parametrize("answer", LOST.values(), ids=LOST)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_lost_reply_is_unknown_and_not_repeated(call: Call, answer: Last) -> None:
    """One POST, and `OutcomeUnknown`, however the reply got lost."""
    end, posts = await outcome_of(call, answer)

    assert isinstance(end, OutcomeUnknown)
    assert end.request.startswith("POST /v1/")
    assert posts == 1


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("call", [*CALLS.values()][:3], ids=[*CALLS][:3])
async def test_success_without_a_code_is_unknown(call: Call, answer: Last) -> None:
    """A 2xx without a code says that something was done, which must not be done again."""
    end, posts = await outcome_of(call, answer)

    assert isinstance(end, OutcomeUnknown)
    assert posts == 1


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE)
async def test_export_is_done_by_any_success(answer: Last) -> None:
    """No caller needs the content of an export's answer."""
    end, posts = await outcome_of(CALLS["export"], answer)

    assert end is None
    assert posts == 1


# On trio, httpx leaves a generator of its own behind where a decoder fails, which warns.
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_answer_that_cannot_be_decoded_is_unknown(call: Call) -> None:
    """So is a body in an encoding that it is not in."""

    def answer(request: httpx.Request) -> httpx.Response:
        body = httpx.ByteStream(b"no gzip")
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=body)

    wire = httpx.MockTransport(answer)
    async with NewsLeopard(KEY, http_transport=wire, clock=ManualClock()) as nl:
        with pytest.raises(OutcomeUnknown):
            await call(nl)


class Raising(httpx.AsyncBaseTransport):
    """Takes requests, and raises."""

    def __init__(self, kind: type[Exception]) -> None:
        self.kind = kind
        self.requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Take a request."""
        self.requests += 1
        await request.aread()
        raise self.kind("x")


@pytest.mark.parametrize("kind", EXCEPTIONS)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_exception_after_the_body_is_unknown(call: Call, kind: type[Exception]) -> None:
    """Any exception of a transport that does not mean "not sent" means that the reply is lost."""
    wire = Raising(kind)

    async with NewsLeopard(KEY, http_transport=wire, clock=ManualClock()) as nl:
        with pytest.raises(OutcomeUnknown) as caught:
            await call(nl)

    assert wire.requests == 1
    assert caught.value.__cause__ is None


class Silent(httpx.AsyncBaseTransport):
    """Takes requests and never answers, with any read timeout."""

    requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Take a request."""
        self.requests += 1
        await anyio.sleep_forever()
        raise AssertionError


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_silence_is_unknown_after_submit_s(call: Call) -> None:
    """The whole attempt has one bound."""
    wire, clock = Silent(), ManualClock()

    async with NewsLeopard(KEY, http_transport=wire, clock=clock) as nl:
        with pytest.raises(OutcomeUnknown):
            await call(nl)

    assert wire.requests == 1
    assert clock.monotonic() == pytest.approx(60)


@pytest.mark.parametrize("call", [*CALLS.values()][:3], ids=[*CALLS][:3])
async def test_refused_twice_then_accepted(call: Call) -> None:
    """What the gateway refused was not done, and is sent again."""
    refusals = iter([429, 429])

    def answer(request: httpx.Request) -> httpx.Response:
        if status := next(refusals, 0):
            return httpx.Response(status, json={"message": "too many requests"})
        return httpx.Response(200, json={"sn": SN})

    wire = httpx.MockTransport(answer)
    async with NewsLeopard(KEY, http_transport=wire, clock=ManualClock()) as nl:
        assert await call(nl) == SN


async def test_stale_connection_is_not_used_for_what_must_not_be_repeated() -> None:
    """Such a request uses a new connection, so a closed one cannot lose its reply."""
    answers = answering(http(200, b'{"Lists": []}'), GOOD)

    async with serve(answers) as server, NewsLeopard(KEY, base_url=server.url) as nl:
        await nl.contacts.list_lists()
        await nl.contacts.create_list("一")
        await nl.contacts.create_list("二")
        await nl.campaigns.submit(with_lists(CAMPAIGN, LISTS))

    assert server.connections == 4


def test_every_pipeline_that_submits_is_in_the_matrix() -> None:
    """All three kinds of A/B test are there, and the plain campaign now and later."""
    assert sum(each.sends for each in PIPELINES) == 7
