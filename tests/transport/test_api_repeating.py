"""The table of repeatable requests, compared with the behaviour."""

from __future__ import annotations

from typing import Any

import attrs
import httpx
import pytest

from newsleopard_async.errors import (
    APIError,
    ConnectionFailed,
    DailyQuotaExhausted,
    NewsLeopardError,
    OutcomeUnknown,
    RateLimited,
    ServerError,
    UnexpectedResponse,
)
from newsleopard_async.models.options import RetryPolicy
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.outcome import Failure
from newsleopard_async.transport.repeating import WHAT_MAY_BE_REPEATED, Action, Kind
from newsleopard_async.transport.request import Request
from tests.constants import START
from tests.transport.scripted import (
    EXPORT,
    IMPORT,
    LIST,
    READ,
    STOP,
    SUBMIT,
    THROTTLED,
    Pieces,
    Scripted,
    Step,
    answer,
    json_answer,
    make_api,
)

pytestmark = pytest.mark.anyio

REQUESTS: dict[Kind, list[Request[Any]]] = {
    Kind.READ: [READ],
    Kind.IMPORT: [IMPORT, attrs.evolve(IMPORT, empty_500_once=False)],
    Kind.STOP: [STOP],
    Kind.CREATE: [LIST, EXPORT],
    Kind.SUBMIT: [SUBMIT],
}
"""The requests of each row that goes to the API; the storage's are tested with it."""

STEPS: dict[Failure, list[Step]] = {
    Failure.REFUSED: [
        THROTTLED,
        answer(429),
        answer(503, b"Too Many Requests"),
        json_answer(400, {"message": "limit exceeded"}),
    ],
    Failure.NOT_SENT: [httpx.ConnectError("x"), httpx.PoolTimeout("x"), httpx.ProxyError("x")],
    Failure.SERVER_ERROR: [answer(500, b"x"), answer(502), answer(503), answer(504), answer(408)],
    Failure.REPLY_LOST: [
        httpx.ReadTimeout("x"),
        httpx.WriteError("x"),
        httpx.RemoteProtocolError("x"),
        RuntimeError("x"),
    ],
}
CASES = [
    pytest.param(request, failure, step, action, id=f"{request}-{failure.name}-{number}")
    for kind, requests in REQUESTS.items()
    for request in requests
    for failure, action in WHAT_MAY_BE_REPEATED[kind].items()
    for number, step in enumerate(STEPS[failure])
]
EXPECTED: dict[tuple[Failure, Action], type[NewsLeopardError]] = {
    (Failure.REFUSED, Action.REPEAT): RateLimited,
    (Failure.NOT_SENT, Action.REPEAT): ConnectionFailed,
    (Failure.SERVER_ERROR, Action.REPEAT): ServerError,
    (Failure.SERVER_ERROR, Action.UNKNOWN): OutcomeUnknown,
    (Failure.REPLY_LOST, Action.REPEAT): ConnectionFailed,
    (Failure.REPLY_LOST, Action.UNKNOWN): OutcomeUnknown,
}

SUCCESS = {
    str(READ): json_answer(200, []),
    str(IMPORT): json_answer(200, {"import_sn": "c0de"}),
    str(STOP): answer(204),
    str(LIST): json_answer(200, {"sn": "c0de"}),
    str(EXPORT): answer(200),
    str(SUBMIT): json_answer(200, {"sn": "c0de"}),
}


@pytest.mark.parametrize(("request_", "failure", "step", "action"), CASES)
async def test_table_is_what_happens(
    request_: Request[Any], failure: Failure, step: Step, action: Action
) -> None:
    """Each cell, for each way to fail: how often it is sent, and what the caller hears."""
    transport = Scripted(step)
    clock = ManualClock()
    api = make_api(transport, clock=clock, retry=RetryPolicy(max_attempts=4))

    with pytest.raises(EXPECTED[failure, action]) as caught:
        await api.call(request_)

    if failure is not Failure.REFUSED:
        assert type(caught.value) is EXPECTED[failure, action]
    if failure is Failure.REFUSED:
        # Waited out for as long as a call may take, and tried again by the limiter's rules.
        assert 7 <= len(transport.sent) <= 10
        assert clock.monotonic() <= RetryPolicy().max_total_s + 45
    else:
        assert len(transport.sent) == (4 if action is Action.REPEAT else 1)
        assert clock.monotonic() <= RetryPolicy().max_total_s


@pytest.mark.parametrize(("request_", "failure", "step", "action"), CASES)
async def test_failure_that_passes_is_not_noticed(
    request_: Request[Any], failure: Failure, step: Step, action: Action
) -> None:
    """What may be repeated is, until it is accepted, with the same body."""
    if action is Action.UNKNOWN:
        step = httpx.ConnectError("x")
    transport = Scripted(step, step, SUCCESS[str(request_)])

    await make_api(transport).call(request_)

    assert len(transport.sent) == 3
    assert len({sent.body for sent in transport.sent}) == 1


NOT_STOPPABLE = json_answer(400, {"code": 40007, "message": "活動狀態錯誤"})


@pytest.mark.parametrize("refusal", [NOT_STOPPABLE, answer(403, b"x"), answer(404)])
@pytest.mark.parametrize("loss", [httpx.ReadTimeout("x"), answer(502), answer(408)])
async def test_stop_that_is_refused_after_a_loss_is_unknown(loss: Step, refusal: Step) -> None:
    """The lost attempt may have stopped the campaign, which is then refused a second time."""
    transport = Scripted(loss, THROTTLED, httpx.ConnectError("x"), refusal)

    with pytest.raises(OutcomeUnknown, match="whose reply was lost") as caught:
        await make_api(transport).call(STOP)

    assert "do not repeat" not in str(caught.value)
    assert len(transport.sent) == 4


@pytest.mark.parametrize("first", [THROTTLED, httpx.ConnectError("x")])
async def test_stop_that_is_refused_without_a_loss_is_refused(first: Step) -> None:
    """What was refused at the gateway or not sent had no effect."""
    with pytest.raises(APIError, match="40007"):
        await make_api(Scripted(first, NOT_STOPPABLE)).call(STOP)


@pytest.mark.parametrize("loss", [httpx.ReadTimeout("x"), answer(502)])
async def test_read_that_is_refused_after_a_loss_is_refused(loss: Step) -> None:
    """A read has no effect that could be in doubt."""
    with pytest.raises(APIError, match="40007"):
        await make_api(Scripted(loss, NOT_STOPPABLE)).call(READ)


@pytest.mark.parametrize(
    ("steps", "error", "after_loss"),
    [
        ([answer(204)], None, False),
        ([answer(502), answer(204)], None, True),
        ([httpx.ConnectError("x"), THROTTLED, answer(204)], None, False),
        ([httpx.ReadError("x"), answer(429)], RateLimited, True),
        ([httpx.ReadError("x")], ConnectionFailed, True),
    ],
)
async def test_result_says_whether_an_earlier_attempt_was_lost(
    steps: list[Step], error: type[NewsLeopardError] | None, *, after_loss: bool
) -> None:
    """A list of what was refused means less if an attempt before may have done it."""
    api = make_api(Scripted(*steps), retry=RetryPolicy(max_attempts=3, max_total_s=9))

    result = await api.result(STOP)

    assert result.after_loss is after_loss
    assert type(result.error) is (error or type(None))


async def test_refused_submit_is_repeated_until_accepted() -> None:
    """Refused at the gateway, it had no effect."""
    transport = Scripted(THROTTLED, answer(429), json_answer(200, {"sn": "c0de"}))

    assert await make_api(transport).call(SUBMIT) == "c0de"

    assert len(transport.sent) == 3


@pytest.mark.parametrize(
    ("is_grouped", "body", "attempts"), [(True, b"", 2), (True, b" \r\n", 2), (False, b"", 5)]
)
async def test_empty_500_of_a_grouped_import(
    *, is_grouped: bool, body: bytes, attempts: int
) -> None:
    """Exactly one repetition, where it may mean an unknown list (T51)."""
    transport = Scripted(answer(500, body))
    request = attrs.evolve(IMPORT, empty_500_once=is_grouped, hint="check list_sn")

    with pytest.raises(ServerError, match="check list_sn"):
        await make_api(transport).call(request)

    assert len(transport.sent) == attempts


@pytest.mark.parametrize("cut_by", [httpx.ReadError("x"), httpx.ReadTimeout("x"), OSError()])
@pytest.mark.parametrize("request_", [LIST, EXPORT, SUBMIT], ids=str)
async def test_cut_body_is_a_lost_reply(request_: Request[Any], cut_by: Exception) -> None:
    """A success with an incomplete body has no readable code."""

    async def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Pieces(b'{"sn":', cut_by))

    transport = Scripted(handle)
    with pytest.raises(OutcomeUnknown):
        await make_api(transport).call(request_)

    assert len(transport.sent) == 1


@pytest.mark.parametrize("status", [101, 301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(status: int) -> None:
    """It could lead the key, or a campaign, elsewhere."""
    transport = Scripted(answer(status, headers={"Location": "https://elsewhere.example/"}))
    api = make_api(transport)

    with pytest.raises(UnexpectedResponse):
        await api.call(READ)
    with pytest.raises(OutcomeUnknown):
        await api.call(SUBMIT)

    assert len(transport.sent) == 2


async def test_definite_refusal_is_its_class() -> None:
    """A 4xx of the application is clear, and is not repeated."""
    transport = Scripted(json_answer(400, {"code": "40013", "message": "沒有可寄送的名單"}))

    with pytest.raises(APIError, match="40013"):
        await make_api(transport).call(SUBMIT)

    assert len(transport.sent) == 1


@pytest.mark.parametrize(
    "value", ["42", "Mon, 05 Jan 2026 02:00:42 GMT", "Mon, 05 Jan 2026 10:00:42 +0800"]
)
async def test_retry_after_is_honoured(value: str) -> None:
    """In seconds or as a date, up to the cap."""
    clock = ManualClock(START)
    transport = Scripted(answer(429, headers={"Retry-After": value}), SUCCESS[str(SUBMIT)])

    await make_api(transport, clock=clock).call(SUBMIT)

    assert clock.monotonic() == pytest.approx(42)


@pytest.mark.parametrize("value", ["3600", "Mon, 05 Jan 2026 03:00:00 GMT"])
@pytest.mark.parametrize("request_", [READ, SUBMIT], ids=str)
async def test_retry_after_above_the_cap_is_the_callers(request_: Request[Any], value: str) -> None:
    """The caller gets the time of the next attempt immediately."""
    clock = ManualClock(START)
    transport = Scripted(answer(429, headers={"Retry-After": value}))

    with pytest.raises(RateLimited) as caught:
        await make_api(transport, clock=clock).call(request_)

    assert caught.value.retry_after_s == 3600
    assert len(transport.sent) == 1
    assert clock.monotonic() == 0


async def test_refusals_cost_no_attempts() -> None:
    """Nothing was processed; who stands in line with many processes is served in the end."""
    transport = Scripted(*[THROTTLED] * 5, httpx.ConnectError("x"), SUCCESS[str(READ)])

    await make_api(transport, retry=RetryPolicy(max_attempts=2)).call(READ)

    assert len(transport.sent) == 7


@pytest.mark.parametrize(
    "policy",
    [
        RetryPolicy(max_attempts=1),
        RetryPolicy(max_total_s=1e-9),
        RetryPolicy(retry_after_cap_s=6),
        RetryPolicy(max_total_s=6),
    ],
)
async def test_refusal_is_not_waited_out_beyond_the_policy(policy: RetryPolicy) -> None:
    """One attempt is one, and neither the time in all nor the longest wait is passed."""
    transport = Scripted(answer(429, headers={"Retry-After": "7"}))

    with pytest.raises(RateLimited):
        await make_api(transport, retry=policy).call(READ)

    assert len(transport.sent) == 1


async def test_day_that_is_gone_is_the_error_of_the_call_that_found_out() -> None:
    """Two minutes of refusals end with the time to come back, not with "too many requests"."""
    clock = ManualClock()

    with pytest.raises(DailyQuotaExhausted):
        await make_api(Scripted(THROTTLED), clock=clock).call(READ)

    assert 120 <= clock.monotonic() <= 165


async def test_refusal_without_a_time_says_some() -> None:
    """The longest of our own waits is a fair guess."""
    api = make_api(Scripted(THROTTLED), retry=RetryPolicy(max_attempts=1, cap_s=17))

    with pytest.raises(RateLimited) as caught:
        await api.call(READ)

    assert caught.value.retry_after_s == 17


class Hasty(httpx.AsyncBaseTransport):
    """A transport that answers before it has taken the whole of a request, so many times."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.sent = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Take the first piece, and the rest only at the end of the script."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        self.sent += 1
        self.left -= 1
        pieces = aiter(request.stream)
        await anext(pieces)
        if self.left < 0:
            async for _ in pieces:
                pass
        return httpx.Response(200, json={"sn": "c", "import_sn": "i"})


async def test_import_answered_before_it_has_left_is_repeated() -> None:
    """A body that has not left was not imported, even if the answer is a success."""
    transport = Hasty(2)

    assert await make_api(transport).call(IMPORT) == "i"

    assert transport.sent == 3


@pytest.mark.parametrize("request_", [SUBMIT, LIST], ids=str)
async def test_what_is_answered_before_it_has_left_is_unknown(request_: Request[Any]) -> None:
    """The code in such an answer may be of anything; it is not sent again either."""
    transport = Hasty(1)

    with pytest.raises(OutcomeUnknown, match="before the whole of it had left"):
        await make_api(transport).call(request_)

    assert transport.sent == 1
