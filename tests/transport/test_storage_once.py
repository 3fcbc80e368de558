"""The PUT that sends a campaign: once, and in doubt unless the answer is clear (T123)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from datetime import timedelta

import attrs
import httpx
import pytest

from newsleopard_async.errors import (
    ConfigurationError,
    InvalidRequest,
    OutcomeUnknown,
    StorageError,
)
from newsleopard_async.models.options import Timeouts
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.body import BytesBody
from newsleopard_async.transport.pools import Purpose
from tests.constants import START
from tests.observers import RecordingObserver
from tests.transport.file_storage import CSV, TARGETS, URL, make_storage
from tests.transport.loopback import answering, http, serve
from tests.transport.scripted import Pieces, Scripted, Step, answer, errors_in, warnings_in

pytestmark = [pytest.mark.anyio, pytest.mark.quick]

BODY = BytesBody(CSV)


def xml(code: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>\n') -> bytes:
    """Write an error as the storage does, which echoes the access key."""
    error = f"<Error><Code>{code}</Code><AWSAccessKeyId>AKIAS3CR3T</AWSAccessKeyId></Error>"
    return (head + error).encode()


@pytest.mark.parametrize("target", TARGETS[:2])
async def test_upload_that_sends_goes_out_as_signed_and_once(target: str) -> None:
    """On a fresh connection, the URL byte for byte, and no header of ours."""
    storage, observer = make_storage(), RecordingObserver()

    async with serve(answering(http(200))) as server:
        await storage.put_once(server.url + target, BODY, observer=observer)
        await storage.pools.aclose()

    [seen] = server.seen
    assert seen.line == f"PUT {target} HTTP/1.1"
    assert seen.names == ["content-length", "host"]
    assert seen.body == CSV
    assert observer.told == ["on_sending", "on_accepted None"]


async def test_each_upload_has_a_connection_of_its_own() -> None:
    """No stale one can make an honest failure look like a lost reply."""
    storage = make_storage()

    async with serve(answering(http(200))) as server:
        for _ in range(2):
            await storage.put_once(f"{server.url}/key", BODY)
        await storage.pools.aclose()

    assert server.connections == 2


@pytest.mark.parametrize("not_sent", [httpx.ConnectError("x"), httpx.ConnectTimeout("x")])
async def test_what_was_not_sent_is_repeated(not_sent: Exception) -> None:
    """Nothing left, so nothing was sent to contacts; the observer is notified of each attempt."""
    transport, observer = Scripted(not_sent, not_sent, answer(200)), RecordingObserver()

    await make_storage(transport).put_once(URL, BODY, observer=observer)

    assert [sent.body for sent in transport.sent] == [CSV] * 3
    assert observer.told == [
        *("on_sending", "on_failed StorageError") * 2,
        *("on_sending", "on_accepted None"),
    ]


async def test_upload_that_cannot_be_sent_ends_as_a_storage_error() -> None:
    """After the retries; nothing was made of it."""
    transport = Scripted(httpx.ConnectError("x"))

    with pytest.raises(StorageError, match="ConnectError") as caught:
        await make_storage(transport, attempts=3).put_once(URL, BODY)

    assert (caught.value.status, caught.value.expired) == (None, False)
    assert len(transport.sent) == 3


@pytest.mark.parametrize(
    "body",
    [
        xml("AccessDenied"),
        xml("SignatureDoesNotMatch", ""),
        xml("XAmzContentSHA256Mismatch", "\ufeff<?xml version='1.0'?>"),
        b"<Error xmlns='x'>\n <Message>m</Message>\n <Code>EntityTooLarge</Code>\n</Error>",
        b"<s3:Error><s3:Code>IncompleteBody</s3:Code></s3:Error>",
        xml("SlowDown"),
    ],
)
@pytest.mark.parametrize("status", [400, 403, 404, 409, 429])
async def test_refusal_of_the_storage_is_clear(status: int, body: bytes) -> None:
    """A 4xx in its own form: nothing was made, nothing is repeated, and the caller may."""
    transport, observer = Scripted(answer(status, body)), RecordingObserver()

    with pytest.raises(StorageError, match=f"HTTP {status}") as caught:
        await make_storage(transport).put_once(URL, BODY, observer=observer)

    assert (caught.value.status, caught.value.expired) == (status, False)
    assert observer.told == ["on_sending", "on_failed StorageError"]
    assert len(transport.sent) == 1


async def test_refusal_of_an_expired_url_has_its_cause() -> None:
    """Only a new campaign has a new URL, and the old one sends nothing."""
    transport = Scripted(answer(403, xml("ExpiredToken")))

    with pytest.raises(StorageError) as caught:
        await make_storage(transport).put_once(URL, BODY)

    assert caught.value.expired


DOUBTFUL: list[Step] = [
    httpx.ReadTimeout("x"),
    httpx.WriteError("x"),
    httpx.RemoteProtocolError("x"),
    RuntimeError("x"),
    answer(500, xml("InternalError")),
    answer(503, xml("SlowDown")),
    answer(307),
    answer(408, xml("AccessDenied")),
    answer(400, xml("RequestTimeout")),
    answer(400, xml("RequestTimeoutException")),
    answer(400, b'{"code": 40007}'),
    answer(403),
    answer(403, b"<html><code>Forbidden</code><Code>AccessDenied</Code></html>"),
    answer(404, b"&lt;Error&gt;&lt;Code&gt;NoSuchKey&lt;/Code&gt;&lt;/Error&gt;"),
    answer(400, b"<Error><Message>m</Message></Error>"),
    answer(429),
    answer(429, b"Too Many Requests"),
]


@pytest.mark.parametrize("step", DOUBTFUL)
async def test_everything_else_is_unknown_and_never_repeated(step: Step) -> None:
    """The object may be there, and then the campaign is sent."""
    transport, observer = Scripted(step), RecordingObserver()

    with pytest.raises(OutcomeUnknown, match="do not upload again, look the campaign up") as caught:
        await make_storage(transport).put_once(URL, BODY, observer=observer)

    assert len(transport.sent) == 1
    assert observer.told == ["on_sending", "on_failed OutcomeUnknown"]
    assert caught.value.request == "PUT to the file storage"
    assert "AKIA" not in caught.value.excerpt
    assert "AKIA" not in str(caught.value)


async def test_doubt_has_status_and_code() -> None:
    """Of the storage's answer only the code is shown: the rest echoes keys."""
    transport = Scripted(answer(500, xml("InternalError")))

    with pytest.raises(OutcomeUnknown, match=r"HTTP 500 \(InternalError\)") as caught:
        await make_storage(transport).put_once(URL, BODY)

    assert (caught.value.status, caught.value.excerpt) == (500, "InternalError")


async def test_success_before_all_has_left_is_unknown() -> None:
    """A body that has not left was not accepted."""

    class Hasty(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=Pieces())

    with pytest.raises(OutcomeUnknown, match="before the whole of it had left"):
        await make_storage(Hasty()).put_once(URL, BODY)


@pytest.mark.parametrize("after_s", [-1, 0])
async def test_url_whose_time_is_over_is_not_sent(after_s: float) -> None:
    """The refusal would be clear, but a clock that is wrong must not send either."""
    begun = START + timedelta(seconds=after_s - 900)
    url = f"{URL}&X-Amz-Date={begun:%Y%m%dT%H%M%SZ}&X-Amz-Expires=900"
    transport, observer = Scripted(answer(200)), RecordingObserver()

    with pytest.raises(StorageError, match="not sent") as caught:
        await make_storage(transport).put_once(url, BODY, observer=observer)

    assert caught.value.expired
    assert transport.sent == []
    assert observer.told == []


async def test_url_whose_time_ends_between_two_attempts_is_not_sent_again() -> None:
    """Each attempt looks anew."""
    clock = ManualClock(START)
    url = f"{URL}&X-Amz-Date={START:%Y%m%dT%H%M%SZ}&X-Amz-Expires=90"

    async def late(request: httpx.Request) -> httpx.Response:
        await clock.sleep(91)
        raise httpx.ConnectError("x")

    transport = Scripted(late)

    with pytest.raises(StorageError, match="not sent") as caught:
        await make_storage(transport, clock=clock).put_once(url, BODY)

    assert caught.value.expired
    assert len(transport.sent) == 1


@pytest.mark.parametrize("url", ["http://s3.example.com/key", "https://s3.example.com/key?…"])
async def test_bad_url_is_refused_before_anything_is_sent(url: str) -> None:
    """Contacts are sent over https, or to this machine; a ticket from plain data has no URL."""
    transport = Scripted(answer())

    with pytest.raises(StorageError, match=r"read back from plain data"):
        await make_storage(transport).put_once(url, BODY)

    assert transport.sent == []


async def test_pool_that_is_full_sends_nothing() -> None:
    """It is repeated, and then says what was waited for; the observer hears of nothing."""
    clock, observer, transport = ManualClock(START), RecordingObserver(), Scripted()
    storage = make_storage(transport, clock=clock, attempts=2)

    async with contextlib.AsyncExitStack() as taken:
        for _ in range(100):
            connection = storage.pools.connection(Purpose.STORAGE, clock, within_s=1)
            assert await taken.enter_async_context(connection)
        with pytest.raises(StorageError, match="no connection became free"):
            await storage.put_once(URL, BODY, observer=observer)

    assert (observer.told, transport.sent) == ([], [])


@attrs.frozen
class Unsteady:
    """A file that is changed while it is read."""

    size_bytes: int = 4

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Give half of it."""
        yield b"EM"
        raise InvalidRequest.of("source", "unchanged", "it changed; call again")


async def test_file_that_changes_meanwhile_is_unknown() -> None:
    """How much of it has left is not known, and "call again" is not for this upload."""
    with pytest.raises(OutcomeUnknown, match="has changed") as caught:
        await make_storage(Scripted(answer(200))).put_once(URL, Unsteady())

    assert "call again" not in str(caught.value)


async def test_observer_that_is_too_slow_keeps_it_from_leaving() -> None:
    """What it was to store may be stored, but nothing is sent."""
    clock = ManualClock(START)
    transport, hooked = Scripted(answer(200)), RecordingObserver()

    async def hook(said: str) -> None:
        if said == "on_sending":
            await clock.sleep(10_000)

    hooked.hook = hook

    with pytest.raises(ConfigurationError, match="store did not answer"):
        await make_storage(transport, clock=clock).put_once(URL, BODY, observer=hooked)

    assert transport.sent == []


def answered_after(clock: ManualClock, after_s: float) -> Step:
    """Script an answer that takes its time."""

    async def handle(request: httpx.Request) -> httpx.Response:
        await clock.sleep(after_s)
        return httpx.Response(200)

    return handle


async def test_cancelled_upload_runs_to_its_answer(caplog: pytest.LogCaptureFixture) -> None:
    """What became of it reaches the observer and the log, and then the cancellation goes on."""
    clock, observer = ManualClock(START), RecordingObserver()
    storage = make_storage(Scripted(answered_after(clock, 20)), clock=clock)

    with clock.deadline(5) as scope:
        await storage.put_once(URL, BODY, observer=observer)

    assert scope.cancelled_caught
    assert clock.monotonic() == 20
    assert observer.told == ["on_sending", "on_accepted None"]
    assert warnings_in(caplog) == ["upload_once was cancelled after it was sent, and was accepted"]
    assert errors_in(caplog) == []


async def test_cancelled_upload_ends_at_its_bound() -> None:
    """A cancelled caller waits for submit_s at most, even if the upload makes progress."""
    clock, observer = ManualClock(START), RecordingObserver()
    storage = attrs.evolve(
        make_storage(Scripted(answered_after(clock, 500)), clock=clock),
        timeouts=Timeouts(submit_s=30, storage_read_s=1000),
    )
    with clock.deadline(5) as scope:
        await storage.put_once(URL, BODY, observer=observer)

    assert scope.cancelled_caught
    assert clock.monotonic() == 35
    assert observer.told == ["on_sending", "on_failed OutcomeUnknown"]


async def test_upload_that_is_not_cancelled_has_no_bound_but_its_progress() -> None:
    """A large file takes as long as it takes; without progress it ends, in doubt."""
    clock = ManualClock(START)
    slow = Scripted(answered_after(clock, 100))
    storage = attrs.evolve(
        make_storage(slow, clock=clock), timeouts=Timeouts(submit_s=5, storage_read_s=120)
    )

    await storage.put_once(URL, BODY)
    with pytest.raises(OutcomeUnknown, match="too few bytes"):
        await attrs.evolve(storage, timeouts=Timeouts(storage_read_s=50)).put_once(URL, BODY)

    assert len(slow.sent) == 2
