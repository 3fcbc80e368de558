"""The caller's own requests: their destination, repetition and answer."""

from __future__ import annotations

import types
from typing import Any

import httpx
import pytest

from newsleopard_async import (
    APIError,
    AuthenticationError,
    ConnectionFailed,
    InvalidRequest,
    NewsLeopard,
    NotOffered,
    OutcomeUnknown,
    RateLimits,
    RawAnswer,
    RetryPolicy,
    UnexpectedResponse,
    from_plain,
)
from newsleopard_async.testing import ManualClock
from tests.constants import KEY
from tests.transport.scripted import THROTTLED, UNLIMITED, Scripted, Step, answer, json_answer

pytestmark = [pytest.mark.anyio, pytest.mark.quick]

BASE_URL = "https://api.example.com/prefix"


def make_client(transport: Scripted, limits: RateLimits = UNLIMITED) -> NewsLeopard:
    """Build a client of a scripted server, below a path."""
    return NewsLeopard(
        KEY,
        http_transport=transport,
        base_url=BASE_URL,
        clock=ManualClock(),
        rate_limits=limits,
        retry=RetryPolicy(max_attempts=3),
    )


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path",
    ["/", "/v2/x", "/v1/a%2Fb/%E9%9B%BB", "/v1/x?at=https://x/../y&q=%20//", "/v1/.well/a.b"],
)
async def test_request_goes_out_as_it_was_written(method: str, path: str) -> None:
    """Below base_url, with the key in its header and the body as JSON."""
    transport = Scripted(json_answer(200, {}))

    await make_client(transport).request(method, path, body={"名": ["值", 1.5, None]})

    [sent] = transport.sent
    assert (sent.method, sent.url) == (method, BASE_URL + path)
    assert sent.headers["x-api-key"] == KEY
    assert sent.body.decode() == '{"名":["值",1.5,null]}'


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (None, b""),
        ({}, b"{}"),
        ([1], b"[1]"),
        ((), b"[]"),
        (types.MappingProxyType({"a": 1}), b'{"a":1}'),
    ],
)
async def test_body_is_a_mapping_or_a_list(body: Any, sent: bytes) -> None:
    """Without one, nothing is sent."""
    transport = Scripted(json_answer(200, {}))

    await make_client(transport).request("POST", "/v1/x", body=body)

    assert transport.sent[0].body == sent


async def test_answer_is_status_headers_and_json() -> None:
    """The headers' names are in lower case; what may be contacts is in no repr."""
    transport = Scripted(
        answer(201, b'{"address":"may@example.com"}', {"X-Request-Id": "r1", "ETag": '"e"'})
    )

    given = await make_client(transport).request("POST", "/v1/x")

    assert (given.status, given.json) == (201, {"address": "may@example.com"})
    assert given.headers["x-request-id"] == given.request_id == "r1"
    assert given.headers["etag"] == '"e"'
    assert repr(given) == "RawAnswer(status=201)"
    assert from_plain(RawAnswer, given.to_dict()) == given


@pytest.mark.parametrize("repeat", ["never", "read"])
@pytest.mark.parametrize("status", [200, 204])
async def test_answer_without_content_has_no_json(status: int, repeat: Any) -> None:
    """A 204 is a success like any other."""
    given = await make_client(Scripted(answer(status))).request("PATCH", "/v1/x", repeat=repeat)

    assert (given.status, given.json) == (status, None)


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("", "one-slash"),
        ("v1/x", "one-slash"),
        ("?x=1", "one-slash"),
        ("https://evil.example/v1/x", "one-slash"),
        ("@evil.example/v1", "one-slash"),
        ("%2Fv1", "one-slash"),
        ("//evil.example/v1/x", "two-slashes"),
        ("/v1//x", "two-slashes"),
        ("/https://evil.example/", "two-slashes"),
        ("/v1/%2F%2fx", "two-slashes"),
        ("/%2Fx", "two-slashes"),
        ("/v1/../x", "dots"),
        ("/..", "dots"),
        ("/v1/%2e%2E/x", "dots"),
        ("/v1/%252e%252e/x", "dots"),
        ("/v1/.%2e%2Fx", "dots"),
        ("/v1/./x", "dots"),
        ("/v1/.", "dots"),
        ("/\\evil.example", "backslash"),
        ("/v1%5Cx", "backslash"),
        ("/v1/x\r\nx-api-key: 1", "control"),
        ("/v1/%0d%0ax", "control"),
        ("/v1/%00", "control"),
        ("/v1/x\x7f", "control"),
        ("/v1/x y", "characters"),
        ("/v1/電子豹", "characters"),
        ("/v1/x?q=電", "characters"),
        ("/v1/x?q=\n", "characters"),
        ("/v1/100%", "characters"),
        ("/v1/%zz", "characters"),
        ("/v1/x#y", "fragment"),
        ("/v1/x?a=1#y", "fragment"),
        ("/" + "%25" * 2_700, "too-long"),
        (b"/v1/x", "type"),
        (None, "type"),
    ],
)
async def test_path_that_leads_elsewhere_is_refused(path: Any, rule: str) -> None:
    """The key goes to the API only, and what is written is what is sent."""
    transport = Scripted(answer())

    with pytest.raises(InvalidRequest) as caught:
        await make_client(transport).request("GET", path)

    [problem] = caught.value.problems
    assert (problem.field, problem.rule) == ("path", rule)
    assert transport.sent == []


class Cyclic(list[Any]):
    """A list in itself."""

    def __init__(self) -> None:
        super().__init__([self])


DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("text", "type"),
        (b"{}", "type"),
        (7, "type"),
        ({1, 2}, "type"),
        ({"at": object()}, "json"),
        ([b"s3cr3t@example.com"], "json"),
        ({"x": float("nan")}, "json"),
        ({"x": "\ud800"}, "json"),
        ({("a",): 1}, "json"),
        (Cyclic(), "json"),
        (DEEP, "json"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_body_that_is_no_json_is_refused(body: Any, rule: str) -> None:
    """The text shows nothing of it."""
    transport = Scripted(answer())

    with pytest.raises(InvalidRequest) as caught:
        await make_client(transport).request("POST", "/v1/x", body=body)

    [problem] = caught.value.problems
    assert (problem.field, problem.rule) == ("body", rule)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__context__ is None
    assert transport.sent == []


@pytest.mark.parametrize(
    ("method", "repeat", "fields"),
    [
        ("get", "never", ["method", "path", "body"]),
        ("TRACE", "read", ["method", "path", "body"]),
        (None, "always", ["method", "path", "repeat", "body"]),
        ("GET", ["read"], ["path", "repeat", "body"]),
        ("GET", None, ["path", "repeat", "body"]),
    ],
)
async def test_every_wrong_argument_is_named(method: Any, repeat: Any, fields: list[str]) -> None:
    """All at once, and nothing is sent."""
    transport = Scripted(answer())
    body: Any = 7

    with pytest.raises(InvalidRequest) as caught:
        await make_client(transport).request(method, "v1", body=body, repeat=repeat)

    assert [problem.field for problem in caught.value.problems] == fields
    assert transport.sent == []


@pytest.mark.parametrize(
    ("repeat", "step", "error", "sent"),
    [
        ("read", httpx.ReadTimeout("x"), ConnectionFailed, 3),
        ("never", httpx.ReadTimeout("x"), OutcomeUnknown, 1),
        ("never", httpx.ConnectError("x"), ConnectionFailed, 3),
        ("never", answer(502), OutcomeUnknown, 1),
        ("read", answer(200, b"<html>"), UnexpectedResponse, 1),
        ("never", answer(200, b"<html>"), OutcomeUnknown, 1),
        ("read", answer(302), UnexpectedResponse, 1),
        ("read", json_answer(403, {"message": "Forbidden"}), AuthenticationError, 1),
        ("read", answer(404), APIError, 1),
        ("never", json_answer(400, {"code": 40007, "message": "x"}), APIError, 1),
    ],
)
async def test_own_call_is_repeated_and_judged_as_all_others(
    repeat: Any, step: Step, error: type[Exception], sent: int
) -> None:
    """Without repeat="read" it is sent at most once, because its effect is unknown."""
    transport = Scripted(step)

    with pytest.raises(error) as caught:
        await make_client(transport).request("POST", "/v1/x?y=z", body=[], repeat=repeat)

    assert type(caught.value) is error
    assert len(transport.sent) == sent


async def test_own_call_that_is_throttled_is_waited_out() -> None:
    """It goes through the limiter, and counts on the day."""
    client = make_client(Scripted(THROTTLED, json_answer(200, [])), limits=RateLimits.documented())

    given = await client.request("DELETE", "/v1/x", body={"a": [1]})

    assert given.json == []
    assert client.usage.used == 2


async def test_key_in_a_path_is_in_no_error() -> None:
    """It belongs into its header; a caller who writes it elsewhere gets no second leak."""
    client = make_client(Scripted(httpx.ReadTimeout("x")))

    with pytest.raises(OutcomeUnknown) as caught:
        await client.request("POST", f"/v1/{KEY}/x?key={KEY}")

    assert KEY not in f"{caught.value} {caught.value.request}"
    assert caught.value.request.startswith("POST ")


async def test_doubt_names_the_request_without_its_query() -> None:
    """What it asked for is the caller's."""
    client = make_client(Scripted(httpx.ReadTimeout("x")))

    with pytest.raises(OutcomeUnknown) as caught:
        await client.request("POST", "/v1/x?address=may@example.com")

    assert caught.value.request == "POST /v1/x"


async def test_doubt_about_a_get_shows_the_way_out() -> None:
    """A caller can declare that a request only reads; the default does not assume it."""
    client = make_client(Scripted(answer(404)))

    with pytest.raises(OutcomeUnknown, match='if it only reads, pass repeat="read"'):
        await client.request("GET", "/v1/x")


async def test_refusal_of_a_list_names_what_it_can() -> None:
    """The body of an own call need not be a submit's."""
    client = make_client(Scripted(json_answer(400, {"code": 40001, "message": "格式錯誤"})))

    with pytest.raises(APIError, match="40001"):
        await client.request("POST", "/v1/x", body=[{"content": 1}])


async def test_success_of_an_own_call_says_nothing_about_the_key() -> None:
    """An unknown endpoint can require another key, so Forbidden is still examined."""
    forbidden = json_answer(403, {"message": "Forbidden"})
    transport = Scripted(json_answer(200, {}), forbidden, forbidden)
    client = make_client(transport)
    await client.request("GET", "/health", repeat="read")

    with pytest.raises(AuthenticationError) as caught:
        await client.account.get_balance()

    assert not isinstance(caught.value, NotOffered)
    assert len(transport.sent) == 3
