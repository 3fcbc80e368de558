"""One attempt: any behaviour of httpx results in an outcome."""

from __future__ import annotations

import contextlib
import gzip
import inspect
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, cast

import anyio
import anyio.abc
import anyio.lowlevel
import attrs
import h11
import httpcore
import httpx
import pytest
import respx

from newsleopard_async.clock import SystemClock
from newsleopard_async.errors import InvalidRequest, NewsLeopardError
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport import answer_body
from newsleopard_async.transport.answer_body import AnswerBody, read_whole
from newsleopard_async.transport.buffered_request import Bytes
from newsleopard_async.transport.http import Exchange, perform
from newsleopard_async.transport.outcome import Answer, NotSent, Outcome, ReplyLost
from newsleopard_async.transport.pace import Windows
from tests.transport.loopback import Seen, raw_server, serve
from tests.transport.loopback import http as wire
from tests.transport.scripted import Handler, Pieces, Scripted, answer, caused, never

pytestmark = pytest.mark.anyio

NOTHING_LEFT = {
    "ConnectError",
    "ConnectTimeout",
    "InvalidURL",
    "PoolTimeout",
    "ProxyError",
    "UnsupportedProtocol",
}
"""The documented list: after these, and no others, the server cannot have the request."""


def exceptions_of(module: object) -> list[type[Exception]]:
    """Return every exception class that a package exports, and all that derive from them."""
    found = {each for each in vars(module).values() if inspect.isclass(each)}
    roots = {each for each in found if issubclass(each, Exception)}
    # h11 refuses to make one of its base class.
    return sorted(
        (roots | {sub for root in roots for sub in below(root)}) - {h11.ProtocolError}, key=str
    )


def below(cls: type[Exception]) -> set[type[Exception]]:
    """Return the classes of httpx and h11 that derive from a class."""
    direct = {sub for sub in cls.__subclasses__() if sub.__module__.split(".")[0] in OURS}
    return direct | {sub for each in direct for sub in below(each)}


OURS = ("httpx", "httpcore", "h11")
OTHERS = (
    OSError,
    ConnectionResetError,
    TimeoutError,
    RuntimeError,
    KeyError,
    ValueError,
    AssertionError,
    ssl.SSLError,
    anyio.ClosedResourceError,
    anyio.BrokenResourceError,
    anyio.EndOfStream,
)
EVERYTHING = [
    *exceptions_of(httpx),
    *exceptions_of(h11),
    *exceptions_of(httpcore),
    *OTHERS,
]


def one(cls: type[Exception]) -> Exception:
    """Make an exception of a class, with any constructor."""
    build = cast("Any", cls)
    if cls is httpx.HTTPStatusError:
        request = httpx.Request("GET", "https://x")
        return cast(
            "Exception",
            build("made", request=request, response=httpx.Response(500, request=request)),
        )
    try:
        return cast("Exception", build("made"))
    except TypeError:
        return cast("Exception", build())


def exchange(
    transport: httpx.AsyncBaseTransport, *, total_s: float | None = None, **changes: Any
) -> Exchange:
    """Build an attempt at a GET."""
    parts: dict[str, Any] = {
        "transport": transport,
        "request": httpx.Request("GET", "https://api.example.com/v1/x"),
        "clock": ManualClock(),
        "total_s": total_s,
        "read": read_whole,
    }
    return Exchange(**(parts | changes))


def stream_of(
    stream: httpx.AsyncByteStream, headers: Mapping[str, str] | None = None, *, status: int = 200
) -> Handler:
    """Script an answer with a body of one's own."""

    async def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers=headers, stream=stream)

    return handle


def test_walk_finds_the_exceptions() -> None:
    """A walk that finds nothing would prove nothing."""
    names = {cls.__name__ for cls in EVERYTHING}

    assert names > NOTHING_LEFT | {"ReadError", "StreamClosed", "CookieConflict", "DecodingError"}
    assert h11.LocalProtocolError in EVERYTHING
    assert len(EVERYTHING) > 50


@pytest.mark.parametrize("cls", EVERYTHING)
async def test_every_exception_is_one_of_two_facts(cls: type[Exception]) -> None:
    """What is not certain not to have left counts as a lost reply."""
    outcome = await perform(exchange(Scripted(one(cls))))

    is_unsent = cls.__module__.startswith("httpx") and cls.__name__ in NOTHING_LEFT
    assert isinstance(outcome, NotSent if is_unsent else ReplyLost)
    assert outcome.reason == cls.__name__


@pytest.mark.parametrize("cls", EVERYTHING)
async def test_every_exception_in_a_body_is_a_lost_reply(cls: type[Exception]) -> None:
    """Once the answer has begun, nothing is unsent any more."""
    body = Pieces(b"half of ", one(cls))

    outcome = await perform(exchange(Scripted(stream_of(body))))

    assert isinstance(outcome, ReplyLost)
    assert outcome.reason == cls.__name__
    assert body.times_closed == 1


@pytest.mark.parametrize("cls", [*OTHERS, httpx.ReadError, httpcore.ReadError, httpx.InvalidURL])
async def test_exception_at_closing_changes_nothing(cls: type[Exception]) -> None:
    """The answer was read, so a connection that fails to close changes nothing."""
    body = Pieces(b"all", error_at_close=one(cls))

    outcome = await perform(exchange(Scripted(stream_of(body))))

    assert outcome == Answer(200, b"all")


async def test_answer_brings_status_body_and_retry_after() -> None:
    """What the layers above need is kept of the answer."""
    transport = Scripted(answer(429, b"slow down", {"Retry-After": "7"}))

    outcome = await perform(exchange(transport))

    assert outcome == Answer(429, b"slow down", "7")


async def test_redirect_is_handed_back() -> None:
    """No redirect is followed: it could carry the key elsewhere."""
    transport = Scripted(answer(307, headers={"Location": "https://elsewhere.example"}))

    outcome = await perform(exchange(transport))

    assert outcome == Answer(307)
    assert len(transport.sent) == 1


PLAIN = b"EMAIL,NAME\n" + b"".join(b"user%d@example.com,N\n" % n for n in range(2_000))
ZIPPED = gzip.compress(PLAIN)


def coded(content: bytes, encoding: str, *, pieces: int = 1) -> Scripted:
    """Script an answer with a compressed body, which comes in so many pieces."""
    step = max(1, -(-len(content) // pieces))
    split = [content[at : at + step] for at in range(0, len(content), step)]
    return Scripted(stream_of(Pieces(*split), {"Content-Encoding": encoding}))


@pytest.mark.parametrize("pieces", [1, 2, 7, len(ZIPPED)])
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", "identity, gzip"])
async def test_gzip_is_decoded(encoding: str, pieces: int) -> None:
    """A server can compress an answer without a request for that."""
    outcome = await perform(exchange(coded(ZIPPED, encoding, pieces=pieces)))

    assert outcome == Answer(200, PLAIN)


async def test_members_of_a_gzip_stream_are_one_body() -> None:
    """Compressed one after the other, they make a whole (RFC 1952, 2.2)."""
    assert await perform(exchange(coded(ZIPPED * 2, "gzip", pieces=9))) == Answer(200, PLAIN * 2)


async def test_nothing_is_not_damaged() -> None:
    """Some answers have no content, although their headers describe some (T14)."""
    assert await perform(exchange(coded(b"", "gzip"))) == Answer(200, b"")


@pytest.mark.parametrize("kept", [1, 9, 10, 11, len(ZIPPED) // 2, -9, -8, -4, -1])
async def test_compressed_body_without_its_end_is_a_lost_reply(kept: int) -> None:
    """The end of a gzip stream shows that all of it is there."""
    outcome = await perform(exchange(coded(ZIPPED[:kept], "gzip")))

    assert outcome == ReplyLost("its compressed body ends too soon")


@pytest.mark.parametrize(
    "content",
    [
        b"not gzip",
        ZIPPED + b"\0\0",
        ZIPPED + b"more",
        ZIPPED[:-5] + bytes([ZIPPED[-5] ^ 1]) + ZIPPED[-4:],
        ZIPPED[:-1] + bytes([ZIPPED[-1] ^ 1]),
        b"\x1f\x8b\x08\0\0\0\0\0\0\0" + b"\xff" * 20,
    ],
    ids=["none", "padded", "followed", "checksum", "size", "deflate"],
)
async def test_damaged_gzip_is_a_lost_reply(content: bytes) -> None:
    """A body that cannot be decoded did not arrive."""
    outcome = await perform(exchange(coded(content, "gzip")))

    assert outcome == ReplyLost("its compressed body is damaged")


async def test_damaged_body_of_a_refusal_is_none() -> None:
    """The status alone says that the gateway refused."""
    body = stream_of(Pieces(b"not gzip"), {"Content-Encoding": "gzip"}, status=429)

    assert await perform(exchange(Scripted(body))) == Answer(429, b"")


def nothing_in_members() -> Iterator[bytes]:
    """Compress nothing, over and over."""
    while True:
        yield gzip.compress(b"") * 3_000


def nothing_in_blocks() -> Iterator[bytes]:
    """Compress nothing, in a stream that has no end."""
    yield gzip.compress(b"")[:10]
    while True:
        yield b"\0\0\0\xff\xff" * 3_000


@pytest.mark.parametrize("nothing", [nothing_in_members, nothing_in_blocks])
async def test_stream_of_nothing_has_an_end(nothing: Callable[[], Iterator[bytes]]) -> None:
    """It moves, and brings nothing, for as long as the server likes."""

    class Endless(httpx.AsyncByteStream):
        is_closed = False

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in nothing():
                if self.is_closed:
                    return
                yield piece

        async def aclose(self) -> None:
            self.is_closed = True

    transport = Scripted(stream_of(Endless(), {"Content-Encoding": "gzip"}))

    outcome = await perform(exchange(transport))

    assert outcome == ReplyLost("its compressed body has almost no content")


async def test_stream_that_is_flushed_often_is_decoded() -> None:
    """Each row may be flushed as it is written."""
    stream = zlib.compressobj(wbits=31)
    rows = (b"%d\n" % n for n in range(30_000))
    zipped = b"".join(stream.compress(row) + stream.flush(zlib.Z_SYNC_FLUSH) for row in rows)

    outcome = await perform(exchange(coded(zipped + stream.flush(), "gzip", pieces=100)))

    assert isinstance(outcome, Answer)


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,identity,gzip", "br", "zstd", "deflate"])
async def test_other_compression_is_passed_on_as_it_came(encoding: str) -> None:
    """It was not requested, and content that is compressed twice can be terabytes."""
    assert await perform(exchange(coded(ZIPPED, encoding))) == Answer(200, ZIPPED)


async def test_little_that_becomes_much_comes_in_pieces() -> None:
    """Neither memory nor the event loop belongs to one answer."""
    size_bytes = 48 * 1024 * 1024
    sizes: list[int] = []
    turns = 0

    async def read(answer: AnswerBody) -> bytes:
        async def take(piece: bytes) -> None:
            sizes.append(len(piece))

        await answer.pour(take)
        return b""

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    bomb = coded(gzip.compress(b"\0" * size_bytes, 9), "gzip")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count_turns)
        await perform(exchange(bomb, read=read))
        tasks.cancel_scope.cancel()

    assert sum(sizes) == size_bytes
    assert max(sizes) <= 256 * 1024
    assert turns > len(sizes) // 2


async def test_little_that_becomes_too_much_is_a_lost_reply(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The size is looked at while decoding."""
    monkeypatch.setattr(answer_body, "_LARGEST_ANSWER_BYTES", len(PLAIN) - 1)

    assert await perform(exchange(coded(ZIPPED, "gzip"))) == ReplyLost("its body is too large")


@pytest.mark.parametrize("length", ["3", "5"])
async def test_body_of_another_length_is_a_lost_reply(length: str) -> None:
    """Transports of the caller's need not notice."""
    transport = Scripted(answer(200, b"four", {"Content-Length": length}))

    lost = ReplyLost("its body does not have the announced size")
    assert await perform(exchange(transport)) == lost


@pytest.mark.parametrize(
    ("status", "length"), [(200, "4"), (200, "?"), (204, "5"), (304, "5"), (404, "5")]
)
async def test_length_counts_where_it_is_the_bodys(status: int, length: str) -> None:
    """An answer without a body may say how long it would be (RFC 9110, 8.6)."""
    transport = Scripted(answer(status, b"four", {"Content-Length": length}))

    assert await perform(exchange(transport)) == Answer(status, b"four")


async def test_body_without_end_is_a_lost_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that would fill the memory is not read to its end."""
    monkeypatch.setattr(answer_body, "_LARGEST_ANSWER_BYTES", 10)
    body = Pieces(*[b"12345"] * 3)

    outcome = await perform(exchange(Scripted(stream_of(body))))

    assert outcome == ReplyLost("its body is too large")
    assert body.times_closed == 1


async def test_body_of_the_largest_size_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound itself is allowed."""
    monkeypatch.setattr(answer_body, "_LARGEST_ANSWER_BYTES", 10)

    outcome = await perform(exchange(Scripted(stream_of(Pieces(b"12345", b"67890")))))

    assert outcome == Answer(200, b"1234567890")


class Trickle(httpx.AsyncByteStream):
    """A body of which a byte comes every second, for ever."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await self._clock.sleep(1)
            yield b"."


async def test_trickling_answer_ends_at_the_total_time() -> None:
    """Each piece comes in time, and the whole never does."""
    clock = ManualClock()

    async def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Trickle(clock))

    outcome = await perform(exchange(Scripted(handle), clock=clock, total_s=70.5))

    assert outcome == ReplyLost("no whole answer within 70.5 s", "timeout")
    assert clock.monotonic() == 70.5


async def test_silent_server_ends_at_the_total_time() -> None:
    """A transport that knows no timeouts is bounded all the same."""
    clock = ManualClock()

    outcome = await perform(exchange(Scripted(never), clock=clock, total_s=60))

    assert outcome == ReplyLost("no whole answer within 60 s", "timeout")


WINDOWS = Windows(begin_s=20, write_s=10, read_s=5)


@attrs.frozen
class Slow(httpx.AsyncByteStream):
    """A body with slow pieces and without an end."""

    clock: ManualClock
    pause_s: float
    pieces: tuple[bytes, ...]
    ends: bool = True

    def __aiter__(self) -> AsyncIterator[bytes]:
        return SlowPieces(self)


class SlowPieces(AsyncIterator[bytes]):
    def __init__(self, body: Slow) -> None:
        self._body = body
        self._left = iter(body.pieces)

    async def __anext__(self) -> bytes:
        await self._body.clock.sleep(self._body.pause_s)
        for piece in self._left:
            return piece
        if not self._body.ends:
            await anyio.sleep_forever()
        raise StopAsyncIteration


class Paced(httpx.AsyncBaseTransport):
    """Takes its time before the request, for each of its pieces, and before the answer."""

    def __init__(self, clock: ManualClock, waits_s: tuple[float, float, float], body: Slow) -> None:
        self._clock = clock
        self._waits_s = waits_s
        self._body = body

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Take the request and answer."""
        before_s, each_s, after_s = self._waits_s
        await self._clock.sleep(before_s)
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for _ in request.stream:
            await self._clock.sleep(each_s)
        await self._clock.sleep(after_s)
        return httpx.Response(200, stream=self._body)


CLOSING_S = 5
"""What a body that does not end when it is closed is given."""

ENOUGH = b"x" * 5 * 2_048


@pytest.mark.parametrize(
    ("waits_s", "answer_s", "pieces", "ends", "ended_s"),
    [
        ((21, 0, 0), 0, (), True, 20),
        ((19, 11, 0), 0, (), True, 29),
        ((19, 9, 6), 0, (), True, 19 + 2 * 9 + 5),
        ((19, 9, 4), 6, (b"x",), True, 19 + 2 * 9 + 4 + 5 + CLOSING_S),
        ((0, 0, 0), 1, (b"x",) * 100, True, 5 + CLOSING_S),
        ((0, 0, 0), 4, (*[ENOUGH] * 9, b"x"), False, 9 * 4 + 5 + CLOSING_S),
    ],
    ids=["connecting", "sending", "head", "body", "trickle", "end"],
)
async def test_each_part_of_a_transfer_must_move(
    waits_s: tuple[float, float, float],
    answer_s: float,
    pieces: tuple[bytes, ...],
    ends: bool,
    ended_s: float,
) -> None:
    """A storage that sends almost nothing does not block an upload for ever."""
    clock = ManualClock()
    transport = Paced(clock, waits_s, Slow(clock, answer_s, pieces, ends))
    request = httpx.Request("PUT", "https://x", stream=Bytes(b"x" * 300_000))

    outcome = await perform(exchange(transport, clock=clock, request=request, windows=WINDOWS))

    assert isinstance(outcome, ReplyLost)
    assert outcome.reason.startswith("too few bytes")
    assert clock.monotonic() == ended_s


async def test_slow_transfer_that_moves_is_let_be() -> None:
    """However long it takes in all; and what this side takes does not count."""
    clock = ManualClock()
    transport = Paced(clock, (19, 9, 4), Slow(clock, 4, (ENOUGH,) * 3))

    async def read(answer_body: AnswerBody) -> bytes:
        async def take(piece: bytes) -> None:
            await clock.sleep(21)

        await answer_body.pour(take)
        return b"all"

    request = httpx.Request("PUT", "https://x", stream=Slow(clock, 21, (ENOUGH * 2,) * 3))
    outcome = await perform(
        exchange(transport, clock=clock, request=request, windows=WINDOWS, read=read)
    )

    assert outcome == Answer(200, b"all")


async def test_our_own_error_leaves_a_transfer_alone() -> None:
    """It is in no group of errors."""
    ours = InvalidRequest.of("source", "unchanged", "changed")

    with pytest.raises(InvalidRequest) as caught:
        await perform(exchange(Scripted(ours), windows=WINDOWS))

    assert caught.value is ours


ENDLESS = {
    "interim": (b"", b"HTTP/1.1 102 X\r\n\r\n"),
    "head": (b"HTTP/1.1 200 X\r\n", b"A: b\r\n"),
    "body": (b"HTTP/1.1 200 X\r\nContent-Length: 10000\r\n\r\n", b"x"),
}


@pytest.mark.parametrize("how", ENDLESS)
@pytest.mark.parametrize(
    "bound", [{"total_s": 0.1}, {"windows": Windows(begin_s=1, write_s=1, read_s=0.1)}]
)
async def test_answer_on_the_wire_without_end_ends(how: str, bound: dict[str, Any]) -> None:
    """Something comes all the time, so that no wait for the next piece is long."""
    begin, more = ENDLESS[how]
    clock = ManualClock(auto_advance=False)

    async def talk(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(begin)
            with contextlib.suppress(anyio.BrokenResourceError):
                while True:
                    await stream.send(more)
                    clock.advance(0.01)

    async with raw_server(talk) as url, httpx.AsyncHTTPTransport() as transport:
        with anyio.fail_after(30):
            request = httpx.Request("GET", url, headers={"Host": "x"}, stream=Bytes(b""))
            outcome = await perform(exchange(transport, request=request, clock=clock, **bound))

    assert isinstance(outcome, ReplyLost)


class NeverCloses(Pieces):
    """A body that cannot be closed."""

    async def aclose(self) -> None:
        """Hang."""
        await anyio.sleep_forever()


async def test_connection_that_does_not_close_delays_no_caller() -> None:
    """Giving a connection back has a bound of its own."""
    clock = ManualClock()

    outcome = await perform(
        exchange(Scripted(stream_of(NeverCloses(b"all"))), clock=clock, total_s=60)
    )

    assert outcome == Answer(200, b"all")
    assert clock.monotonic() == 5


class Gone(BaseException):
    """The process is about to end."""


async def test_end_of_the_process_is_in_no_group() -> None:
    """An exception that ends the program passes the task group unchanged."""

    async def end(_: httpx.Request) -> httpx.Response:
        raise Gone

    with pytest.raises(Gone):
        await perform(exchange(Scripted(end), windows=WINDOWS))


async def test_our_own_error_passes_without_its_frames() -> None:
    """An error of the body being sent arrives as it is, and shows no frame with the URL."""
    ours = InvalidRequest.of("source", "unchanged", "changed")

    with pytest.raises(InvalidRequest) as caught:
        await perform(exchange(Scripted(ours)))

    assert caught.value is ours
    frames = [entry.frame.code.name for entry in caught.traceback]
    assert "handle_async_request" not in frames


async def test_our_own_error_in_reading_passes() -> None:
    """An error of the body's reader is not a lost reply."""

    async def refuse(_: AnswerBody) -> bytes:
        raise NewsLeopardError("refused")

    with pytest.raises(NewsLeopardError, match="refused"):
        await perform(exchange(Scripted(answer()), read=refuse))


class RequestEvents:
    """Notes what it is told."""

    def __init__(self, *, is_ours: bool = False) -> None:
        self.told: list[str] = []
        self.has_left = self.may_have_left = False
        self._is_ours = is_ours

    def handing_over(self) -> None:
        """The transport gets the request."""
        self.may_have_left = True

    def connecting(self) -> None:
        """Nothing has left yet."""
        self.may_have_left = not self._is_ours

    async def leaving(self) -> None:
        """The first byte leaves."""
        self.has_left = self.may_have_left = True
        self.told.append("leaving")

    def sent(self) -> None:
        """The body has left."""
        self.told.append("sent")

    def answered(self) -> None:
        """The head of the answer has come."""
        self.told.append("answered")


async def test_real_transport_tells_when_a_request_left_and_was_answered() -> None:
    """The limiter learns both from the transport's trace events."""
    events = RequestEvents()

    async def handle(seen: Seen) -> bytes:
        return wire(200)

    async with serve(handle) as server, httpx.AsyncHTTPTransport() as transport:
        request = httpx.Request("POST", server.url, content=b"{}")
        await perform(exchange(transport, request=request, events=events))

    assert events.told[:3] == ["leaving", "sent", "answered"]


async def test_connect_of_a_proxy_is_no_request() -> None:
    """What is said to a proxy has not reached the platform."""
    events = RequestEvents()

    async def handle(request: httpx.Request) -> httpx.Response:
        trace = request.extensions["trace"]
        for method in (b"CONNECT", b"POST"):
            about = {"request": httpcore.Request(method, "https://x")}
            await trace("http11.send_request_headers.started", about)
            await trace("http11.send_request_headers.complete", {})
            await trace("http11.send_request_body.complete", {})
            await trace("http11.receive_response_headers.complete", {})
            events.told.append(method.decode())
        raise httpx.ReadError("lost")

    await perform(exchange(Scripted(handle), events=events))

    assert events.told == ["CONNECT", "leaving", "sent", "answered", "POST"]


STARTED = "http11.send_request_headers.started"


@pytest.mark.parametrize(
    ("events", "is_ours", "is_unsent"),
    [
        ([], True, False),
        (["connection.connect_tcp.started"], True, True),
        (["connection.connect_tcp.started"], False, False),
        (["connection.connect_tcp.started", STARTED], True, False),
    ],
)
async def test_own_connection_reports_whether_a_request_left(
    events: list[str], *, is_ours: bool, is_unsent: bool
) -> None:
    """If its events report that nothing left, that is certain, with any exception."""

    async def handle(request: httpx.Request) -> httpx.Response:
        for event in events:
            await request.extensions["trace"](event, {})
        raise httpx.ReadTimeout("x")

    outcome = await perform(exchange(Scripted(handle), events=RequestEvents(is_ours=is_ours)))

    assert isinstance(outcome, NotSent) == is_unsent


async def test_transport_that_connects_again_after_a_lost_reply_has_sent() -> None:
    """Its last exception is about the second connection, and says nothing of the first."""

    async def handle(request: httpx.Request) -> httpx.Response:
        await request.extensions["trace"](STARTED, {})
        raise httpx.ConnectError("refused")

    outcome = await perform(exchange(Scripted(handle), events=RequestEvents()))

    assert isinstance(outcome, ReplyLost)


async def test_total_time_that_ends_while_connecting_is_not_sent() -> None:
    """Nothing left, so that it may be repeated."""
    clock = ManualClock()

    async def handle(request: httpx.Request) -> httpx.Response:
        await request.extensions["trace"]("connection.connect_tcp.started", {})
        await anyio.sleep_forever()
        raise AssertionError

    events = RequestEvents(is_ours=True)
    outcome = await perform(exchange(Scripted(handle), clock=clock, total_s=60, events=events))

    assert outcome == NotSent("no whole answer within 60 s", "timeout")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx.ConnectError("x"), "proxy"),
        (httpx.ProxyError("502 Bad Gateway"), "proxy"),
        (caused(httpx.ConnectError("x"), ssl.SSLError()), "tls"),
    ],
)
async def test_connection_that_fails_before_the_server_is_the_proxys(
    error: Exception, expected: str
) -> None:
    """But the handshake through it is with the server."""
    outcome = await perform(exchange(Scripted(error), is_proxied=True))

    assert isinstance(outcome, NotSent)
    assert outcome.cause == expected


async def test_refusal_at_the_gateway_needs_no_body() -> None:
    """Its status says it all, also if the connection breaks off then."""
    body = Pieces(b"half of ", httpx.ReadError("x"))

    async def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(429, headers={"Retry-After": "7"}, stream=body)

    assert await perform(exchange(Scripted(handle))) == Answer(429, b"", "7")


async def test_answer_itself_counts_where_no_event_is_fired() -> None:
    """A transport without trace events tells by its answer."""
    events = RequestEvents()

    await perform(exchange(Scripted(answer()), events=events))

    assert events.told == ["answered"]


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (httpcore.ConnectError("refused"), NotSent("ConnectError")),
        (httpcore.ReadTimeout("silence"), ReplyLost("ReadTimeout", "timeout")),
        (h11.LocalProtocolError("ours"), ReplyLost("LocalProtocolError")),
        (httpx.Response(201, json={"sn": "x"}), Answer(201, b'{"sn":"x"}')),
    ],
)
async def test_httpx_own_transport_is_called(
    effect: Exception | httpx.Response, expected: object
) -> None:
    """The edge is `AsyncHTTPTransport` itself, without a client around it."""
    with respx.mock(using="httpcore") as edge:
        route = edge.get("https://api.example.com/v1/x").mock(side_effect=[effect])
        async with httpx.AsyncHTTPTransport() as transport:
            outcome = await perform(exchange(transport))

    assert outcome == expected
    assert route.call_count == 1


class Impatient(httpx.AsyncBaseTransport):
    """A transport that answers when it has so many pieces of the request's body."""

    def __init__(self, status: int, pieces: int) -> None:
        self._status = status
        self._pieces = pieces

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Take some pieces and answer."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        if self._pieces:
            pieces = aiter(request.stream)
            for _ in range(self._pieces):
                await anext(pieces)
        return httpx.Response(self._status, stream=Pieces(b"{}"))


LARGE = b"x" * 16 * 1024 * 1024
"""More than the buffers of both ends of a connection take."""


class NotInMemory(httpx.AsyncByteStream):
    """A body that only a reader of the stream can get."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(Bytes(LARGE))


@pytest.mark.parametrize("pieces", [0, 1, 2])
async def test_success_before_the_whole_body_is_a_lost_reply(pieces: int) -> None:
    """A body that has not left was not accepted."""
    request = httpx.Request("PUT", "https://x", stream=NotInMemory())

    outcome = await perform(exchange(Impatient(200, pieces), request=request))

    assert outcome == ReplyLost("HTTP 200 came before the whole of it had left")


@pytest.mark.parametrize("status", [301, 403, 500])
async def test_early_refusal_keeps_its_status(status: int) -> None:
    """A server need not take what it does not want."""
    request = httpx.Request("PUT", "https://x", stream=NotInMemory())

    outcome = await perform(exchange(Impatient(status, 1), request=request))

    assert outcome == Answer(status, b"{}")


async def test_body_in_memory_may_be_taken_from_the_request() -> None:
    """Transports made for tests read the content, not the stream."""
    request = httpx.Request("POST", "https://x", content=b"{}")
    request.stream = Bytes(b"{}")

    assert await perform(exchange(Impatient(200, 0), request=request)) == Answer(200, b"{}")


def answers_early(content: bytes) -> Callable[[anyio.abc.SocketStream], Awaitable[None]]:
    """Answer when the beginning of a request has come, and take the rest of it."""

    async def talk(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(content)
            with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    await stream.receive()

    return talk


async def perform_at(url: str, **changes: Any) -> Outcome:
    """Send the large body over a real connection."""
    request = httpx.Request(
        "POST", url, headers={"Host": "x", "Content-Length": str(len(LARGE))}, stream=Bytes(LARGE)
    )
    async with httpx.AsyncHTTPTransport() as transport:
        return await perform(exchange(transport, request=request, clock=SystemClock(), **changes))


@pytest.mark.parametrize(
    "interim", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 X\r\nA: b\r\n\r\n" * 2]
)
async def test_success_on_the_wire_before_the_whole_body_is_a_lost_reply(interim: bytes) -> None:
    """Also if the server continues to read the rest, so that no write fails."""
    early = interim + wire(200, b"{}")

    async with raw_server(answers_early(early)) as url:
        outcome = await perform_at(url)

    assert outcome == ReplyLost("HTTP 200 came before the whole of it had left")


async def test_refusal_on_the_wire_with_the_body_in_flight_is_read() -> None:
    """The rest of the body is not sent, so that no reset takes the answer away."""
    async with raw_server(answers_early(wire(403, b"<Error/>"))) as url:
        outcome = await perform_at(url)

    assert outcome == Answer(403, b"<Error/>")


async def test_interim_answers_do_not_end_a_request() -> None:
    """A server may say that it is at work as often as it likes."""

    async def talk(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            left_bytes = len(LARGE)
            await stream.send(b"HTTP/1.1 102 X\r\n\r\n")
            left_bytes -= len((await stream.receive()).partition(b"\r\n\r\n")[2])
            await stream.send(b"HTTP/1.1 102 X\r\n\r\n" * 10_000)
            while left_bytes:
                left_bytes -= len(await stream.receive())
            await stream.send(wire(200, b"{}"))
            await anyio.sleep_forever()

    async with raw_server(talk) as url:
        assert await perform_at(url) == Answer(200, b"{}")


async def test_connection_that_breaks_amid_the_body_is_a_lost_reply() -> None:
    """A look at what came early finds nothing, and hides nothing."""

    async def talk(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()

    async with raw_server(talk) as url:
        assert isinstance(await perform_at(url), ReplyLost)


def test_repr_of_an_exchange_hides_the_request() -> None:
    """The request holds the key and the URL."""
    request = httpx.Request("GET", "https://x/?Signature=s3cret", headers={"x-api-key": "k3y"})

    shown = repr(exchange(Scripted(answer()), request=request))

    assert "s3cret" not in shown
    assert "k3y" not in shown
