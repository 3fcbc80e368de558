"""The in-process transport behaves as httpx's own at the points that a client can notice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import h11
import httpx
import pytest

from newsleopard_async.emulator import Emulator
from tests.emulator.api import Api, make

pytestmark = pytest.mark.anyio

LISTS = "https://api.newsleopard.com/v1/contacts/lists"
KEY = {"x-api-key": "test-key"}


class Pieces:
    """A body of so many pieces, which knows how many are left."""

    def __init__(self, size: int, count: int) -> None:
        self.size, self.left = size, count

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return b"x" * self.size


async def send(emulator: Emulator, request: httpx.Request) -> httpx.Response:
    """Send one request and read its answer."""
    answer = await emulator.transport().handle_async_request(request)
    await answer.aread()
    return answer


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/v1/contacts/lists",
        "http://api.newsleopard.com/v1/contacts/lists",
        "https://api.newsleopard.com:444/v1/contacts/lists",
    ],
)
async def test_other_host_cannot_be_reached(url: str) -> None:
    """A request to any host except the API and its storage is a connection error."""
    emulator, _ = make()

    with pytest.raises(httpx.ConnectError):
        await send(emulator, httpx.Request("GET", url, headers=KEY))

    assert emulator.requests == ()


async def test_address_can_be_chosen() -> None:
    """API and storage may be anywhere, and presigned URLs follow."""
    emulator = Emulator(base_url="http://api.test:81", storage_url="https://files.test")
    async with Api(emulator) as api:
        ticket = (await api.post("/v1/contacts/imports/file", {})).json()
        answer = await api.put(ticket["url"], b"x")

    assert ticket["url"].startswith("https://files.test/")
    assert answer.status_code == 200


async def test_trace_tells_the_steps_in_their_order() -> None:
    """The events are those of httpx's own transport."""
    emulator, _ = make()
    events: list[tuple[str, Any]] = []

    async def trace(name: str, info: dict[str, Any]) -> None:
        events.append((name, info))

    await send(emulator, httpx.Request("GET", LISTS, headers=KEY, extensions={"trace": trace}))

    assert [name for name, _ in events] == [
        "http11.send_request_headers.started",
        "http11.send_request_headers.complete",
        "http11.send_request_body.started",
        "http11.send_request_body.complete",
        "http11.receive_response_headers.started",
        "http11.receive_response_headers.complete",
    ]
    assert events[-1][1]["return_value"][:3] == (b"HTTP/1.1", 200, b"OK")


async def test_body_is_reported_sent_before_the_answer_is_waited_for() -> None:
    """A limiter can rely on the moment at which the request was on its way."""
    emulator, clock = make()
    emulator.latency_s = 2
    emulator.delay("list_lists", seconds=1)
    moments: dict[str, float] = {}

    async def trace(name: str, info: dict[str, Any]) -> None:
        del info
        moments[name.removeprefix("http11.")] = clock.elapsed_s

    await send(emulator, httpx.Request("GET", LISTS, headers=KEY, extensions={"trace": trace}))

    assert moments["send_request_body.complete"] == 0
    assert moments["receive_response_headers.complete"] == 3
    assert emulator.requests[0].at_s == 1


async def test_failed_answer_is_traced() -> None:
    """The step that failed says with what."""
    emulator, _ = make()
    emulator.lose_reply_to("list_lists")
    events: list[tuple[str, Any]] = []

    async def trace(name: str, info: dict[str, Any]) -> None:
        events.append((name, info))

    with pytest.raises(httpx.RemoteProtocolError) as raised:
        await send(emulator, httpx.Request("GET", LISTS, headers=KEY, extensions={"trace": trace}))

    assert events[-1] == (
        "http11.receive_response_headers.failed",
        {"exception": raised.value},
    )


async def test_latency_counts_against_the_read_timeout() -> None:
    """A slow way is as bad as a slow server."""
    emulator, clock = make()
    emulator.latency_s = 10
    extensions = {"timeout": {"read": 7.0}}
    request = httpx.Request("GET", LISTS, headers=KEY, extensions=extensions)

    with pytest.raises(httpx.ReadTimeout):
        await emulator.transport().handle_async_request(request)

    assert clock.elapsed_s == 7
    assert emulator.count("list_lists") == 1


async def test_delay_and_latency_use_up_one_timeout() -> None:
    """The client's patience is one for all that happens after its request."""
    emulator, clock = make()
    emulator.latency_s = 2
    emulator.delay("list_lists", seconds=4)
    extensions = {"timeout": {"read": 5.5}}
    request = httpx.Request("GET", LISTS, headers=KEY, extensions=extensions)

    with pytest.raises(httpx.ReadTimeout):
        await emulator.transport().handle_async_request(request)

    assert clock.elapsed_s == 5.5


async def test_timeout_comes_before_any_status() -> None:
    """A reply that is too late is a timeout, regardless of its status."""
    emulator, clock = make()
    emulator.latency_s = 0.1
    emulator.hang("list_lists")
    extensions = {"timeout": {"read": 30.0}}
    request = httpx.Request("GET", LISTS, headers=KEY, extensions=extensions)

    with pytest.raises(httpx.ReadTimeout):
        await emulator.transport().handle_async_request(request)

    assert clock.elapsed_s == pytest.approx(30)


@pytest.mark.parametrize(("announced", "words"), [("2", "Too much"), ("4", "Too little")])
async def test_body_of_another_length_than_announced_fails_as_h11_does(
    announced: str, words: str
) -> None:
    """The client's own mistake is a bare h11 error, as over a socket."""
    emulator, _ = make()
    async with Api(emulator) as api:
        ticket = (await api.post("/v1/contacts/imports/file", {})).json()
        with pytest.raises(h11.LocalProtocolError, match=words):
            await api.put(ticket["url"], Pieces(3, 1), headers={"Content-Length": announced})

    assert emulator.imports[0].blob is None


async def test_exception_of_the_body_reaches_the_caller() -> None:
    """An exception of the client's own stream is raised unchanged, and nothing is uploaded."""

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        raise OSError("the file is gone")

    emulator, _ = make()
    async with Api(emulator) as api:
        ticket = (await api.post("/v1/contacts/imports/file", {})).json()
        with pytest.raises(OSError, match="the file is gone"):
            await api.put(ticket["url"], body(), headers={"Content-Length": "100001"})

    assert emulator.imports[0].blob is None


async def test_body_is_taken_as_the_server_reads_it() -> None:
    """A large body is not gathered up before the server sees its head."""
    body = Pieces(65_536, 100)
    emulator, _ = make()
    async with Api(emulator) as api:
        answer = await api.put(
            f"{emulator.storage_url}/_storage/imports/x.csv",
            body,
            headers={"Content-Length": str(100 * 65_536)},
        )

    assert answer.status_code == 403
    assert body.left > 97


async def test_answer_comes_in_pieces() -> None:
    """A client can read a download in pieces, which need little memory."""
    emulator, clock = make()
    async with Api(emulator) as api:
        sn = await api.import_text("EMAIL,NAME\n" + "bad,x\n" * 50_000)
        clock.advance(60)
        link = (await api.result(sn))["errorDownloadLink"]
        answer = await emulator.transport().handle_async_request(httpx.Request("GET", link))
        sizes = [len(piece) async for piece in answer.aiter_raw()]

    assert len(sizes) > 5
    assert sum(sizes) == int(answer.headers["content-length"])


async def test_request_can_be_cancelled_before_and_after_its_effect() -> None:
    """There is a moment for cancellation before the request is sent, and one after its effect."""
    emulator, _ = make()
    emulator.delay("create_list", seconds=0.0)
    url = f"{emulator.base_url}/v1/contacts/lists/insert"
    request = httpx.Request("POST", url, headers=KEY, json={"name": "x"})

    with anyio.CancelScope() as scope:
        scope.cancel()
        await send(emulator, request)

    assert scope.cancelled_caught
    assert emulator.requests == ()


async def test_answer_says_http_1_1() -> None:
    """Version and reason are where httpx puts them."""
    emulator, _ = make()

    answer = await send(emulator, httpx.Request("GET", LISTS, headers=KEY))

    assert answer.http_version == "HTTP/1.1"
    assert answer.reason_phrase == "OK"
