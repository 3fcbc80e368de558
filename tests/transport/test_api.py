"""One request's way: retry( limit( place( send ) ) ), then read."""

from __future__ import annotations

import contextlib
from typing import Any

import anyio
import attrs
import httpx
import pytest

from newsleopard_async import __version__
from newsleopard_async.errors import (
    APIError,
    ConnectionFailed,
    InvalidRequest,
    OutcomeUnknown,
    RateLimited,
)
from newsleopard_async.models.options import RateLimits, RetryPolicy, Timeouts
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.limits.limiter import Limiter
from newsleopard_async.transport.request import Request
from tests.constants import KEY
from tests.transport.loopback import Seen, http, serve
from tests.transport.scripted import (
    EXPORT,
    IMPORT,
    LIST,
    READ,
    SUBMIT,
    THROTTLED,
    Scripted,
    Step,
    answer,
    json_answer,
    make_api,
    never,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("text", "daily"), [("too many requests", False), ("limit exceeded", None)]
)
async def test_limiter_is_notified_of_the_kind_of_refusal(
    text: str, daily: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One text is about the second; the other may be about the day."""
    told: list[tuple[object, object]] = []

    def throttled(_: object, *, daily: bool | None, retry_after_s: float | None) -> None:
        told.append((daily, retry_after_s))

    monkeypatch.setattr(Limiter, "throttled", throttled)
    api = make_api(
        Scripted(answer(429, text.encode(), {"Retry-After": "7"})),
        retry=RetryPolicy(max_attempts=1),
    )

    with pytest.raises(RateLimited):
        await api.call(READ)

    assert told == [(daily, 7.0)]


@pytest.mark.parametrize("step", [httpx.ConnectError("x"), THROTTLED])
async def test_export_that_had_no_effect_gives_its_hour_back(step: Step) -> None:
    """Neither the refused one nor the one that was not sent counts."""
    transport = Scripted(step, answer(200))
    api = make_api(transport, retry=RetryPolicy(max_attempts=1))

    with pytest.raises((ConnectionFailed, RateLimited)):
        await api.call(EXPORT)
    await api.call(EXPORT)

    assert len(transport.sent) == 2


@pytest.mark.parametrize("step", [httpx.ReadTimeout("x"), answer(500), answer(200)])
async def test_export_that_may_have_had_an_effect_keeps_its_hour(step: Step) -> None:
    """A second one is not sent, and the caller hears when it may be."""
    clock = ManualClock()
    transport = Scripted(step)
    api = make_api(transport, clock=clock)

    with contextlib.suppress(OutcomeUnknown):
        await api.call(EXPORT)
    with pytest.raises(RateLimited) as caught:
        await api.call(EXPORT)

    assert len(transport.sent) == 1
    assert caught.value.retry_after_s == pytest.approx(3600)


async def test_cancelled_request_returns_its_slot() -> None:
    """What was on its way counts for a while, and then no longer."""
    clock = ManualClock()

    async def handle(request: httpx.Request) -> httpx.Response:
        if len(transport.sent) == 1:
            await anyio.sleep_forever()
        return await json_answer(200, [])(request)

    transport = Scripted(handle)
    api = make_api(transport, clock=clock, limits=RateLimits(windows=((1, 1.0),)))
    with clock.deadline(5):
        await api.call(READ)

    await api.call(READ)

    assert len(transport.sent) == 2
    assert clock.monotonic() < 7


async def test_export_cancelled_in_flight_keeps_its_hour() -> None:
    """It may have arrived, so it counts, against the day too."""
    clock = ManualClock()

    api = make_api(Scripted(never), clock=clock)
    with clock.deadline(5):
        await api.call(EXPORT)

    with pytest.raises(RateLimited):
        await api.call(EXPORT)
    assert api.limiter.usage.used == 1


async def test_waiting_for_a_slot_costs_no_attempts() -> None:
    """After a long wait in the queue, a first failure is still retried."""
    clock = ManualClock()
    good = json_answer(200, [])
    transport = Scripted(good, answer(503), good)
    api = make_api(transport, clock=clock, limits=RateLimits(windows=((1, 200.0),)))
    await api.call(READ)

    await api.call(READ)

    assert len(transport.sent) == 3


async def test_read_ends_within_the_sum_of_the_timeouts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Including the wait for a connection, with any behaviour of the server."""
    monkeypatch.setattr("newsleopard_async.transport.pools._CONNECTIONS", 1)
    clock = ManualClock()

    times = Timeouts(connect_s=1, read_s=2, write_s=4, pool_s=8)
    api = make_api(Scripted(never), clock=clock, timeouts=times, retry=RetryPolicy(max_attempts=1))
    ended_at: list[float] = []

    async def read() -> None:
        with pytest.raises(ConnectionFailed):
            await api.call(READ)
        ended_at.append(clock.monotonic())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        tasks.start_soon(read)

    assert ended_at == [7, 14]
    assert max(ended_at) <= 1 + 2 + 4 + 8


async def test_submit_ends_within_its_bound() -> None:
    """Neither sooner, since its answer is worth waiting for, nor later."""
    clock = ManualClock()

    transport = Scripted(never)
    api = make_api(transport, clock=clock, timeouts=Timeouts(submit_s=45))

    with pytest.raises(OutcomeUnknown, match="no whole answer within 45 s"):
        await api.call(SUBMIT)

    assert clock.monotonic() == 45
    assert transport.sent[0].extensions["timeout"] == {
        "connect": 10.0,
        "read": 45,
        "write": 45,
        "pool": 30.0,
    }


@pytest.mark.parametrize("request_", [READ, IMPORT, LIST, EXPORT, SUBMIT], ids=str)
async def test_request_goes_out_with_its_three_headers(request_: Request[Any]) -> None:
    """Key, content type and what is accepted, also without a body (T10); nothing compressed."""

    async def handle(seen: Seen) -> bytes:
        return http(404)

    async with serve(handle) as server:
        api = make_api(None, base_url=f"{server.url}/edm")
        with pytest.raises((APIError, OutcomeUnknown)):
            await api.call(attrs.evolve(request_, query=(("page", "0"),)))
        await api.pools.aclose()

    [seen] = server.seen
    assert seen.line == f"{request_.method} /edm{request_.path}?page=0 HTTP/1.1"
    assert seen.header("x-api-key") == KEY
    assert seen.header("content-type") == "application/json"
    assert seen.header("accept") == "application/json"
    assert seen.header("user-agent").startswith("newsleopard-async")
    assert "accept-encoding" not in seen.names
    assert "cookie" not in seen.names


async def test_body_is_compact_utf_8() -> None:
    """Chinese stays Chinese: escapes would double the size of a text import."""
    transport = Scripted(json_answer(200, {"sn": "x"}))

    await make_api(transport).call(LIST)

    assert transport.sent[0].body == '{"name":"週年慶"}'.encode()


async def test_text_that_is_none_is_refused() -> None:
    """Half a surrogate pair has no UTF-8; the error says so and shows no text."""
    transport = Scripted(json_answer(200, {"sn": "x"}))

    with pytest.raises(InvalidRequest, match="surrogate") as caught:
        await make_api(transport).call(attrs.evolve(LIST, body={"name": "secret \ud800"}))

    assert caught.value.__context__ is None
    assert transport.sent == []


async def test_user_agent_names_the_version() -> None:
    """The platform's owner can tell who calls."""
    transport = Scripted(json_answer(200, []))

    await make_api(transport).call(READ)

    assert transport.sent[0].headers["user-agent"] == f"newsleopard-async/{__version__}"
