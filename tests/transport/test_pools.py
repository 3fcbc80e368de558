"""The connections: three pools, proxies, places."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
import traceback
from collections import Counter
from collections.abc import Awaitable
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel
import attrs
import httpx
import pytest

from newsleopard_async import NewsLeopard
from newsleopard_async.clock import SystemClock
from newsleopard_async.errors import (
    ConfigurationError,
    ConnectionFailed,
    NewsLeopardError,
    OutcomeUnknown,
)
from newsleopard_async.models.options import RateLimits, Timeouts
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.api import Api
from newsleopard_async.transport.pools import Pools, Purpose
from newsleopard_async.transport.request import Request
from newsleopard_async.transport.urls import is_loopback, proxy_for, proxy_variable, split_url
from tests.constants import KEY
from tests.observers import RecordingObserver
from tests.transport.loopback import Seen, http, raw_server, serve
from tests.transport.scripted import IMPORT, LIST, READ, SUBMIT, Scripted, json_answer, make_api


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"])
def test_loopback_is_known(host: str) -> None:
    """What never leaves the machine."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "localhost.example", "10.0.0.1", "::", "api"])  # noqa: S104 - is not bound to
def test_everything_else_is_no_loopback(host: str) -> None:
    """Names are not resolved: they could lead anywhere."""
    assert not is_loopback(host)


@pytest.mark.parametrize("url", ["https://[", "https://h:port", "https://h\x00", "https://h:99999"])
def test_unreadable_url_is_none(url: str) -> None:
    """Neither the standard library's errors nor httpx's go further."""
    assert split_url(url) is None


@pytest.mark.parametrize(
    ("variables", "scheme", "host", "expected"),
    [
        ({}, "https", "api.example", None),
        ({"https_proxy": "http://p:1"}, "https", "api.example", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "https", "api.example", "http://p:1"),
        ({"https_proxy": "http://p:1"}, "http", "api.example", None),
        ({"http_proxy": "http://p:1"}, "https", "api.example", None),
        ({"all_proxy": "http://a:1"}, "https", "api.example", "http://a:1"),
        ({"all_proxy": "http://a:1", "https_proxy": "http://p:1"}, "https", "x", "http://p:1"),
        ({"https_proxy": "p:3128"}, "https", "api.example", "http://p:3128"),
        ({"https_proxy": ""}, "https", "api.example", None),
        ({"https_proxy": "http://p:1", "no_proxy": "api.example"}, "https", "api.example", None),
        ({"https_proxy": "http://p:1", "no_proxy": ".example"}, "https", "api.example", None),
        ({"https_proxy": "http://p:1", "no_proxy": "*"}, "https", "api.example", None),
        ({"https_proxy": "http://p:1"}, "https", "localhost", None),
        ({"all_proxy": "http://p:1"}, "http", "127.0.0.1", None),
        ({"all_proxy": "http://p:1"}, "http", "::1", None),
    ],
)
def test_proxy_is_the_environments(
    variables: dict[str, str],
    scheme: str,
    host: str,
    expected: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the standard library reads it, and never for this very machine."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert proxy_for(scheme, host) == expected


BAD_PROXIES = [
    "http://user:pa55@[bad",
    "http://user:pa55@p:port",
    "ftp://user:pa55@p:1",
    "socks5://user:pa55@p:1",
    "http://user:pa55@p\x7f:1",
]


@pytest.mark.anyio
@pytest.mark.parametrize("proxy", BAD_PROXIES)
async def test_bad_proxy_is_named_without_its_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The set-up is wrong, and the message shows nothing of it, nor does a reporter of errors."""
    monkeypatch.setenv("https_proxy", proxy)
    api = make_api(None)

    with pytest.raises(ConfigurationError, match="proxy") as caught:
        await api.call(LIST)

    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in report.stack if frame.filename != __file__]
    assert "pa55" not in "".join(str(frame.locals) for frame in frames)
    assert "pa55" not in repr(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.anyio
async def test_bad_certificates_are_the_set_ups_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not there is no lost reply."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent/ca.pem")

    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        await make_api(None).call(LIST)


@pytest.mark.anyio
async def test_refused_set_up_gives_an_export_its_hour_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was never sent counts as nothing."""
    api = make_api(None)
    monkeypatch.setenv("https_proxy", "ftp://p:1")

    for _ in range(2):
        with pytest.raises(ConfigurationError):
            await api.call(LIST)

    assert api.limiter.usage.used == 0


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("proxy", "way_out"),
    [
        ("socks5://p:1", "pip install 'httpx[socks]'"),
        ("ftp://p:1", "http://host:port"),
        ("http://p:port", "http://host:port"),
    ],
)
async def test_bad_proxy_is_named_with_the_way_out(
    proxy: str, way_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the variable; nothing is stored or tried again."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    observer = RecordingObserver()

    with pytest.raises(ConfigurationError, match="ALL_PROXY") as caught:
        await make_api(None).call(SUBMIT, observer=observer)

    assert way_out in str(caught.value)
    assert observer.told == []


def test_proxy_of_the_system_is_named_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS and Windows, it need not come from a variable."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    assert proxy_variable("https") == "the system's setting"


class _Foreign:
    """A transport of another package, or of none."""

    async def handle_async_request(self, request: object) -> object:
        """Answer in another package's objects."""
        raise NotImplementedError


@pytest.mark.parametrize(
    ("transport", "expected"),
    [
        (httpx.AsyncClient(), "httpx.AsyncClient, which is a client"),
        (httpx.Client(), "httpx.Client, which is a client"),
        (httpx.HTTPTransport(), "HTTPTransport, which is synchronous"),
        (httpx.AsyncHTTPTransport, "AsyncHTTPTransport, which is a class"),
        (_Foreign(), "_Foreign, which does not derive"),
        (object(), "not builtins.object"),
        ("http://proxy:1", "not builtins.str"),
    ],
)
def test_wrong_transport_is_refused_at_construction(transport: Any, expected: str) -> None:
    """Each request would fail, and a submit would look as if it had been sent."""
    with pytest.raises(ConfigurationError) as caught:
        NewsLeopard(KEY, http_transport=transport)

    assert expected in str(caught.value).replace("_transports.default.", "")


@pytest.mark.parametrize(
    "transport",
    [
        None,
        httpx.AsyncHTTPTransport(),
        httpx.MockTransport(lambda _: httpx.Response(200)),
        Scripted(),
    ],
)
def test_transport_of_httpx_is_taken(transport: Any) -> None:
    """With any implementation."""
    NewsLeopard(KEY, http_transport=transport)


@pytest.mark.anyio
async def test_transport_of_the_caller_reads_the_body_of_a_request() -> None:
    """In each of the ways in which httpx's own requests give it."""
    bodies: list[bytes] = []

    async def handle(request: httpx.Request) -> httpx.Response:
        bodies.extend((request.content, request.read(), await request.aread()))
        return httpx.Response(200, json={"sn": "x"})

    async with NewsLeopard(KEY, http_transport=httpx.MockTransport(handle)) as nl:
        await nl.contacts.create_list("會員")

    assert {json.loads(body)["name"] for body in bodies} == {"會員"}
    assert len(bodies) == 3


async def hello(seen: Seen) -> bytes:
    """Answer with the content that the client requested."""
    return http(200, b'{"sn":"x"}' if seen.line.startswith("POST") else b"[]")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("asked", "connections"), [((SUBMIT, LIST), [1, 2, 3, 4, 5, 6]), ((READ,), [1, 1, 1])]
)
async def test_submit_has_a_new_connection_and_reads_share_one(
    asked: Any, connections: list[int]
) -> None:
    """A stale connection would make an honest failure look like a lost reply."""
    async with serve(hello) as server:
        api = make_api(None, base_url=server.url, clock=SystemClock())
        for request in asked * 3:
            await api.call(request)
        await api.pools.aclose()

    assert [seen.connection for seen in server.seen] == connections


@pytest.mark.anyio
async def test_pools_are_opened_when_first_used() -> None:
    """Each purpose has its own, and each is one."""
    pools = Pools()

    opened = [pools.transport(purpose, "https", "h") for purpose in (*Purpose, *Purpose)]
    await pools.aclose()

    assert len({id(transport) for transport in opened}) == 3
    assert opened[:3] == opened[3:]


@pytest.mark.anyio
async def test_custom_transport_carries_everything_and_stays_open() -> None:
    """It is the caller's."""
    custom = Scripted(json_answer(200, []))
    pools = Pools(custom)

    carried = {pools.transport(purpose, "https", "h") for purpose in Purpose}
    await pools.aclose()

    assert carried == {custom}
    assert not custom.is_closed


@pytest.mark.anyio
async def test_custom_transport_needs_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the traffic goes is then the caller's affair."""
    monkeypatch.setenv("https_proxy", BAD_PROXIES[0])
    custom = Scripted(json_answer(200, []))

    await make_api(custom).call(READ)

    assert len(custom.sent) == 1


@pytest.mark.anyio
async def test_one_pool_that_fails_to_close_does_not_keep_the_others_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Closing never fails: there is nothing left to do about it."""
    pools = Pools()
    closed: list[httpx.AsyncHTTPTransport] = []

    async def close(transport: httpx.AsyncHTTPTransport) -> None:
        closed.append(transport)
        raise OSError

    for purpose in Purpose:
        pools.transport(purpose, "https", "h")
    with monkeypatch.context() as patch:
        patch.setattr(httpx.AsyncHTTPTransport, "aclose", close)
        await pools.aclose()

    assert len(closed) == 3


@pytest.mark.anyio
async def test_closed_client_is_refused() -> None:
    """The message says what to do."""
    api = make_api(Scripted(json_answer(200, [])))
    await api.pools.aclose()
    await api.pools.aclose()

    with pytest.raises(ConfigurationError, match="closed; make a new one"):
        await api.call(READ)


@pytest.mark.anyio
@pytest.mark.parametrize("is_custom", [True, False])
async def test_client_closed_meanwhile_is_not_opened_again(*, is_custom: bool) -> None:
    """A request that waits in the queue while the client is closed opens no connection."""
    pools = Pools(Scripted() if is_custom else None)
    pools.check_usable()
    await pools.aclose()

    with pytest.raises(ConfigurationError, match="closed"):
        pools.transport(Purpose.API, "https", "h")


@pytest.mark.parametrize("backends", [("asyncio", "asyncio"), ("asyncio", "trio")])
def test_other_event_loop_is_refused(backends: tuple[str, str]) -> None:
    """Connections belong to the loop that opened them; sharing them hangs."""
    api = make_api(Scripted(json_answer(200, [])))
    first, second = backends
    anyio.run(api.call, READ, backend=first)

    with pytest.raises(ConfigurationError, match="another event loop"):
        anyio.run(api.call, READ, backend=second)


@pytest.mark.anyio
async def test_place_that_does_not_come_free_in_time_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing was sent, and calling again is safe."""
    monkeypatch.setattr("newsleopard_async.transport.pools._CONNECTIONS", 1)
    clock = ManualClock()

    async def slow(request: httpx.Request) -> httpx.Response:
        await clock.sleep(90)
        return await json_answer(200, {"sn": "x"})(request)

    transport = Scripted(slow)
    api = make_api(transport, clock=clock, timeouts=Timeouts(submit_s=100))
    failures: list[ConnectionFailed] = []

    async def second() -> None:
        try:
            await api.call(SUBMIT)
        except ConnectionFailed as error:
            failures.append(error)

    api = with_one_attempt(api)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(api.call, SUBMIT)
        await clock.sleep(1)
        tasks.start_soon(second)

    assert len(transport.sent) == 1
    assert "no connection became free in 30 s" in str(failures[0])


def with_one_attempt(api: Api) -> Api:
    """Turn repetition off."""
    return attrs.evolve(api, retry=attrs.evolve(api.retry, max_attempts=1))


class Crowd:
    """A server that answers only once so many requests are there at the same time."""

    def __init__(self) -> None:
        self.wanted = 0
        self._waiting = 0
        self.is_full = anyio.Event()

    def want(self, count: int) -> None:
        """Answer once ``count`` requests wait together."""
        self.wanted, self._waiting = count, 0
        self.is_full = anyio.Event()

    async def handle(self, seen: Seen) -> bytes:
        """Wait for the others."""
        self._waiting += 1
        if self._waiting == self.wanted:
            self.is_full.set()
        await self.is_full.wait()
        return await hello(seen)


CROWD = 100
"""As many connections as a pool has."""


async def call_together(api: Api, request: Request[Any], crowd: Crowd, count: int = CROWD) -> None:
    """Use every connection of a pool at once."""
    crowd.want(count)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for _ in range(count):
                tasks.start_soon(api.call, request)


@pytest.mark.slow
@pytest.mark.anyio
async def test_requests_cancelled_while_they_wait_cost_no_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that is handed on to someone who has just left is not lost.

    httpcore's own queue would lose it (its issue 1093).
    """
    monkeypatch.setattr("newsleopard_async.transport.pools._CONNECTIONS", 20)
    crowd = Crowd()
    crowd.want(20)
    leaving: list[anyio.CancelScope] = []

    async def call() -> None:
        with anyio.CancelScope() as scope:
            leaving.append(scope)
            await api.call(LIST)

    async with serve(crowd.handle) as server:
        api = make_api(None, base_url=server.url, clock=SystemClock())
        async with anyio.create_task_group() as tasks:
            for _ in range(120):
                tasks.start_soon(call)
            await crowd.is_full.wait()
            for scope in leaving[20:]:
                scope.cancel()
                await anyio.lowlevel.checkpoint()
        await call_together(api, LIST, crowd, 20)
        await api.pools.aclose()


@pytest.mark.slow
@pytest.mark.anyio
async def test_requests_cancelled_at_every_stage_cost_the_pool_nothing() -> None:
    """While connecting, sending and waiting: each gives its place back."""
    crowd = Crowd()

    async def cancelled_after(steps: int) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(api.call, READ)
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()

    async with serve(crowd.handle) as server:
        api = make_api(None, base_url=server.url, clock=SystemClock())
        async with anyio.create_task_group() as tasks:
            for number in range(CROWD + 50):
                tasks.start_soon(cancelled_after, number % 60)
        await call_together(api, READ, crowd)
        await api.pools.aclose()


@pytest.mark.slow
@pytest.mark.asyncio
async def test_natively_cancelled_requests_cost_the_pool_nothing() -> None:
    """The same for asyncio's own cancellation."""
    crowd = Crowd()

    async with serve(crowd.handle) as server:
        api = make_api(None, base_url=server.url, clock=SystemClock())
        calls = [asyncio.create_task(api.call(READ)) for _ in range(CROWD + 50)]
        for number, call in enumerate(calls):
            if number % 5 == 0:
                await asyncio.sleep(0)
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await call_together(api, READ, crowd)
        await api.pools.aclose()


class Silent:
    """A server that takes requests and answers none; it counts its open connections."""

    def __init__(self) -> None:
        self.seen = 0
        self.open = 0

    async def talk(self, stream: anyio.abc.SocketStream) -> None:
        """Listen to the end of the connection."""
        self.open += 1
        try:
            async with stream:
                with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                    while True:
                        await stream.receive()
                        self.seen += 1
        finally:
            self.open -= 1


async def failure_of(call: Awaitable[Any], failures: list[type[Exception]]) -> None:
    """Note what a call ends with."""
    try:
        await call
    except NewsLeopardError as error:
        failures.append(type(error))


CALLS = (READ, IMPORT, LIST, SUBMIT)


@pytest.mark.anyio
async def test_client_closed_under_calls_leaves_no_connection() -> None:
    """They end immediately; only the outcome of requests that must not be repeated is unknown."""
    server = Silent()
    failures: list[type[Exception]] = []

    async with raw_server(server.talk) as url:
        api = make_api(None, base_url=url, clock=SystemClock())
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                for request in CALLS:
                    tasks.start_soon(failure_of, api.call(request), failures)
                while server.seen < len(CALLS):  # noqa: ASYNC110 - a socket sets no event
                    await anyio.sleep(0.001)
                await api.pools.aclose()
            while server.open:  # noqa: ASYNC110 - a socket sets no event
                await anyio.sleep(0.001)

    assert Counter(failures) == {ConfigurationError: 2, OutcomeUnknown: 2}


@pytest.mark.anyio
async def test_client_closed_while_it_connects_leaves_no_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A later connection would never be closed. Nothing was sent."""
    from httpcore._backends.auto import AutoBackend

    server = Silent()
    failures: list[type[Exception]] = []
    connecting = anyio.Event()
    really_connect = AutoBackend.connect_tcp

    async def connect(*args: Any, **options: Any) -> Any:
        connecting.set()
        await anyio.sleep(0.05)
        return await really_connect(*args, **options)

    monkeypatch.setattr(AutoBackend, "connect_tcp", connect)
    async with raw_server(server.talk) as url:
        api = make_api(None, base_url=url, clock=SystemClock())
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                for request in CALLS:
                    tasks.start_soon(failure_of, api.call(request), failures)
                await connecting.wait()
                await api.pools.aclose()
        await anyio.sleep(0.1)

    assert failures == [ConfigurationError] * len(CALLS)
    assert (server.open, server.seen) == (0, 0)


@pytest.mark.anyio
async def test_calls_that_wait_end_when_the_client_is_closed() -> None:
    """For their turn, and between two attempts: they would wait for nothing."""
    clock = ManualClock(auto_advance=False)
    failures: list[type[Exception]] = []
    api = make_api(
        Scripted(json_answer(503, {})), clock=clock, limits=RateLimits(windows=((1, 60.0),))
    )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(failure_of, api.call(READ), failures)
        tasks.start_soon(failure_of, api.call(READ), failures)
        await anyio.wait_all_tasks_blocked()
        await api.pools.aclose()

    assert failures == [ConfigurationError] * 2


async def open_connection(pools: Pools) -> None:
    """Take a connection, as a call does."""
    async with pools.connection(Purpose.API, SystemClock(), within_s=5):
        pools.transport(Purpose.API, "https", "api.example")


@pytest.mark.anyio
async def test_certificates_are_loaded_once_and_beside_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They take as long as many requests, and all of a loop would wait."""
    threads: list[int] = []

    def load() -> ssl.SSLContext:
        threads.append(threading.get_ident())
        return ssl.create_default_context()

    monkeypatch.setattr("newsleopard_async.transport.pools._tls_context", load)
    pools = Pools()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(open_connection, pools)
        tasks.start_soon(open_connection, pools)
    await pools.aclose()

    assert len(threads) == 1
    assert threading.get_ident() not in threads


@pytest.mark.anyio
async def test_certificates_are_loaded_although_no_thread_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The caller's own work can take all threads, for as long as it likes."""
    monkeypatch.setattr("newsleopard_async.transport.pools._LOADING_S", 0.05)
    threads = anyio.to_thread.current_default_thread_limiter()
    borrowers = [object() for _ in range(int(threads.available_tokens))]
    for borrower in borrowers:
        threads.acquire_on_behalf_of_nowait(borrower)
    pools = Pools()
    try:
        with anyio.fail_after(5):
            await open_connection(pools)
    finally:
        for borrower in borrowers:
            threads.release_on_behalf_of(borrower)
    await pools.aclose()


@pytest.mark.anyio
async def test_wait_for_the_certificates_ends_when_the_client_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As every other wait does."""
    may_load = threading.Event()
    monkeypatch.setattr("newsleopard_async.transport.pools._LOADING_S", 60.0)
    monkeypatch.setattr("newsleopard_async.transport.pools._tls_context", may_load.wait)
    pools = Pools()
    failures: list[type[Exception]] = []

    async def call() -> None:
        try:
            await open_connection(pools)
        except ConfigurationError as error:
            failures.append(type(error))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            await pools.aclose()
    may_load.set()

    assert failures == [ConfigurationError]


@pytest.mark.asyncio
async def test_certificates_are_loaded_after_all_tasks_were_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Programs do that when they are stopped, and can still pause a campaign then."""
    may_load = threading.Event()

    def load() -> ssl.SSLContext:
        may_load.wait()
        return ssl.create_default_context()

    monkeypatch.setattr("newsleopard_async.transport.pools._tls_context", load)
    pools = Pools()
    call = asyncio.ensure_future(open_connection(pools))
    await anyio.wait_all_tasks_blocked()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.wait([call])
    may_load.set()

    await open_connection(pools)
    await pools.aclose()
