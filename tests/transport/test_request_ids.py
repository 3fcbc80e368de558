"""The id that an answer brings is on every error that the answer leads to."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from newsleopard_async.errors import ConnectionFailed, DailyQuotaExhausted, NewsLeopardError
from newsleopard_async.models.options import RetryPolicy
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.body import BytesBody
from newsleopard_async.transport.outcome import Answer
from newsleopard_async.transport.pace import listener
from newsleopard_async.transport.redact import Secret
from newsleopard_async.transport.request import Request
from tests.constants import KEY
from tests.transport.file_storage import SIGNED, URL, get, make_storage, put
from tests.transport.scripted import (
    EXPORT,
    LIST,
    READ,
    STOP,
    SUBMIT,
    Scripted,
    answer,
    make_api,
    warnings_in,
)

pytestmark = [pytest.mark.anyio, pytest.mark.quick]

ID = "6f1e2d3c-0000-4444-8888-aaaabbbbcccc"
HEADERS = {"x-amzn-RequestId": ID, "X-Cache": "Error from cloudfront", "Set-Cookie": "a=b"}
SHOWN = {"x-amzn-requestid": ID, "x-cache": "Error from cloudfront"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-amzn-requestid": "a", "x-request-id": "b"}, "a"),
        ({"x-request-id": "b", "x-amz-request-id": "c"}, "b"),
        ({"x-amz-request-id": "c", "apigw-requestid": "d="}, "c"),
        ({"apigw-requestid": "AbC/d+e="}, "AbC/d+e="),
        ({"x-amzn-requestid": "a b", "x-request-id": "b"}, "b"),
        ({"x-request-id": "x" * 128}, "x" * 128),
        ({"x-request-id": "x" * 129}, None),
        ({"x-request-id": ""}, None),
        ({"x-request-id": "ann@example.com"}, None),
        ({"x-request-id": "ann%40example.com"}, None),
        ({"x-request-id": "https://s3/a?X-Amz-Signature=1"}, None),
        ({"x-request-id": "\x1b[2J"}, None),
        ({"x-request-id": "電子豹"}, None),
        ({"x-request-id": f"id-{KEY}"}, None),
        ({"x-request-id": KEY.upper()[:-1]}, None),
        ({"x-request-id": "0912-345-678"}, None),
        ({"x-request-id": b64encode(b"ann@example.com").decode()}, None),
        ({"x-request-id": urlsafe_b64encode(b"+886912345678").decode().strip("=")}, None),
        ({"x-request-id": "王小明".encode().hex().upper()}, None),
        ({"x-request-id": b64encode(b"https://s3/a?Signature=1").decode()}, None),
        ({"x-request-id": b64encode(b"an id of its own").decode()}, "YW4gaWQgb2YgaXRzIG93bg=="),
        ({"x-request-id": b"\0id@a.b\0".hex()}, "00696440612e6200"),
        ({}, None),
    ],
)
def test_id_is_found_and_clean(headers: Mapping[str, str], expected: str | None) -> None:
    """The gateway's own id comes first; odd texts and those with the key do not count."""
    assert Answer(200, headers=headers, secret=Secret(KEY)).request_id == expected


def test_selected_headers_say_where_an_answer_comes_from() -> None:
    """Other headers can contain anything. So can these, and then they are left out."""
    given = {
        "via": "1.1 a1b2.cloudfront.net (CloudFront)",
        "date": "Mon, 30 Nov 2026 03:45:09 GMT",
        "x-amzn-errortype": "ForbiddenException:http://internal.amazon.com/coral/",
        "x-amzn-trace-id": "Root=1-67891233-abcdef012345678912345678;Sampled=0",
        "content-type": 'text/html; charset="utf-8"',
    }
    hidden = {"location": "x", "set-cookie": "x", "server": "ann@x.example", "cf-ray": f"a-{KEY}"}

    assert Answer(200, headers={**given, **hidden}, secret=Secret(KEY)).selected_headers == given


@pytest.mark.parametrize("request_", [READ, STOP, LIST, EXPORT, SUBMIT], ids=str)
@pytest.mark.parametrize("status", [200, 302, 400, 403, 404, 408, 418, 429, 500])
async def test_every_error_of_an_answer_has_its_id(request_: Request[Any], status: int) -> None:
    """For any answer."""
    if status == 200 and request_.ignores_answer:
        return
    transport = Scripted(answer(status, b"oops", headers=HEADERS))
    api = make_api(transport, retry=RetryPolicy(max_attempts=2, base_s=1e-9))

    with pytest.raises(NewsLeopardError) as caught:
        await api.call(request_)

    assert caught.value.request_id == ID
    assert dict(caught.value.headers) == SHOWN


async def test_day_that_is_gone_has_the_id_of_the_last_refusal() -> None:
    """It is worth more than "too many requests", and is about an answer all the same."""
    api = make_api(Scripted(answer(429, headers=HEADERS)), retry=RetryPolicy(max_attempts=1))
    clock = api.clock
    api.limiter.queue.state.day.declare_gone(clock.monotonic(), clock.now())
    api.limiter.queue.state.gate.pass_one()

    with pytest.raises(DailyQuotaExhausted) as caught:
        await api.call(attrs.evolve(STOP, urgent=True))

    assert caught.value.request_id == ID


async def test_error_without_an_answer_has_no_id() -> None:
    """Nor has one that follows an answer, if the last attempt got none."""
    transport = Scripted(answer(500, headers=HEADERS), TimeoutError())

    with pytest.raises(ConnectionFailed) as caught:
        await make_api(transport, retry=RetryPolicy(max_attempts=2)).call(READ)

    assert (caught.value.request_id, caught.value.headers) == (None, {})


async def test_every_error_of_the_storage_has_its_id(tmp_path: Path) -> None:
    """Of an upload, of a download, of one that sends, and of an answer that cannot be read."""
    s3 = {"x-amz-request-id": "S3ID", "x-amz-id-2": "host="}
    odd = {**s3, "content-encoding": "br"}
    once = make_storage(Scripted(answer(500, headers=s3)))
    for call in (
        put(make_storage(Scripted(answer(403, headers=s3))), URL),
        get(make_storage(Scripted(answer(404, headers=s3))), URL, tmp_path / "a.csv"),
        get(make_storage(Scripted(answer(200, b"x", headers=odd))), URL, tmp_path / "a.csv"),
        once.put_once(URL, BytesBody(b"EMAIL,NAME\n")),
    ):
        with pytest.raises(NewsLeopardError) as caught:
            await call
        assert caught.value.request_id == "S3ID"
        assert caught.value.headers["x-amz-id-2"] == "host="


class Heard:
    """Hears of answers, and may fail at it."""

    def __init__(self, *, fails: bool = False) -> None:
        self.heard: list[tuple[str, str | None]] = []
        self._fails = fails

    def answered(self, operation: str, request_id: str | None) -> None:
        """Note it."""
        self.heard.append((operation, request_id))
        if self._fails:
            raise RuntimeError("not heard")

    async def moved(self, moved_bytes: int, total_bytes: int | None) -> None:
        """Nothing of the kind is expected."""


@pytest.mark.parametrize("fails", [False, True])
async def test_listener_is_notified_of_each_answered_attempt(fails: bool) -> None:
    """Failed or not, of API and storage; what it raises breaks nothing."""
    heard = Heard(fails=fails)
    token = listener.set(heard)
    try:
        await make_api(Scripted(answer(500), answer(200, b"[]", headers=HEADERS))).call(READ)
        await put(make_storage(Scripted(answer(200, headers={"x-amz-request-id": "S3ID"}))), URL)
        for step in (answer(400), TimeoutError()):
            with pytest.raises(NewsLeopardError):
                await make_api(Scripted(step)).call(READ)
    finally:
        listener.reset(token)

    assert heard.heard == [
        ("list_lists", None),
        ("list_lists", ID),
        ("upload", "S3ID"),
        ("list_lists", None),
    ]


async def test_what_a_cancelled_caller_will_not_see_has_its_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The line in the log is all that there is of it."""
    clock = ManualClock()

    async def slow(request: Any) -> Any:
        await clock.sleep(20)
        return await answer(200, b'{"sn": "c0de"}', headers=HEADERS)(request)

    with clock.deadline(5):
        await make_api(Scripted(slow), clock=clock).call(SUBMIT)

    assert warnings_in(caplog) == [
        f"submit_campaign was cancelled after it was sent, and was accepted: c0de (request id {ID})"
    ]


async def test_storage_that_echoes_what_was_signed_shows_nothing_of_it(tmp_path: Path) -> None:
    """Its headers are on the error without that."""
    echo = {"x-amz-request-id": SIGNED, "x-amz-id-2": f"a-{SIGNED}", "server": "AmazonS3"}

    with pytest.raises(NewsLeopardError) as caught:
        await get(make_storage(Scripted(answer(403, headers=echo))), URL, tmp_path / "open.csv")

    assert (caught.value.request_id, caught.value.headers) == (None, {"server": "AmazonS3"})
