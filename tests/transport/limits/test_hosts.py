"""Processes of several hosts, which share the limits of a key by a real Redis."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import anyio
import attrs
import pytest
import redis as redis_py
import redis.asyncio as redis_asyncio

from newsleopard_async import ConfigurationError, ConnectionFailed, NewsLeopard
from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.server import running
from newsleopard_async.transport.limits import redisquota
from newsleopard_async.transport.limits.quota import QuotaUpdate, RequestReport
from newsleopard_async.transport.limits.redisquota import RedisQuota
from tests.constants import KEY
from tests.servers import Server, start_redis

pytestmark = pytest.mark.anyio

CHANGE = QuotaUpdate(
    windows=((10, 1.0),),
    uplink_s=0.15,
    allowance=9_950,
    has_day=True,
    day=0,
    seen=0,
    chance=0.5,
)


@pytest.fixture
def emulator() -> Emulator:
    """Make a platform."""
    return Emulator(api_keys=(KEY,))


@pytest.fixture
def url(emulator: Emulator) -> Iterator[str]:
    """Serve the emulator."""
    with running(emulator) as url:
        yield url


async def list_all(url: str, quota: Any, requests: int) -> int:
    """Send so many requests at once; return the day's count."""
    async with NewsLeopard(KEY, base_url=url, quota=quota) as nl:
        async with anyio.create_task_group() as tasks:
            for _ in range(requests):
                tasks.start_soon(nl.contacts.list_lists)
        return nl.usage.used


def arrivals(emulator: Emulator) -> list[float]:
    """Return when requests arrived."""
    return sorted(each.at_s for each in emulator.requests)


def test_two_event_loops_keep_the_limit_together(
    emulator: Emulator, url: str, redis_url: str
) -> None:
    """No eleventh request arrives within a second; all are counted, and the key is nowhere."""
    with ThreadPoolExecutor() as threads:
        used = [
            threads.submit(partial(anyio.run, list_all, url, redis_url, 12, backend=backend))
            for backend in ("asyncio", "trio")
        ]
    times = arrivals(emulator)

    assert max(each.result() for each in used) == 24
    assert [each.status for each in emulator.requests] == [200] * 24
    assert all(later - at >= 1 for at, later in zip(times, times[10:], strict=False))
    with redis_py.Redis.from_url(redis_url) as client:
        kept = {key: client.get(key) for key in client.scan_iter()}
    [(name, value)] = kept.items()
    assert re.fullmatch(rb"newsleopard:quota:\{[0-9a-f]{32}\.1\}", name)
    assert value is not None
    assert KEY.encode() not in name + value


async def test_refusal_of_one_holds_all(emulator: Emulator, url: str, redis_url: str) -> None:
    """While the server refuses one process, no other sends anything."""
    async with (
        NewsLeopard(KEY, base_url=url, quota=redis_url) as one,
        # By a store of its own, as another process has.
        NewsLeopard(KEY, base_url=url, quota=redis_url.replace("127.0.0.1", "localhost")) as other,
    ):
        await one.contacts.list_lists()
        emulator.throttle(message="too many requests")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.contacts.list_lists)
            # Its refusal is reported within 0.1 s.
            await anyio.sleep(0.4)
            await other.contacts.list_lists()

    times = [each.at_s for each in emulator.requests]
    assert [each.status for each in emulator.requests] == [200, 429, 200, 200]
    assert times[2] - times[1] >= 1


async def test_server_that_is_away_stops_all_and_loses_no_count(
    emulator: Emulator, url: str, redis: Server, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent without it; emptied by a restart, it is told what was counted."""
    async with NewsLeopard(KEY, base_url=url, quota=redis_url) as nl:
        for _ in range(3):
            await nl.contacts.list_lists()
        with redis.away():
            monkeypatch.setattr(redisquota, "_WITHIN_S", 0.2)
            with pytest.raises(ConnectionFailed, match="nothing was sent") as caught:
                await nl.contacts.list_lists()
        monkeypatch.undo()
        await nl.contacts.list_lists()
        used = nl.usage.used

    assert (caught.value.reason, caught.value.host) == ("refused", "127.0.0.1")
    assert len(emulator.requests) == used == 4


async def test_server_that_is_away_for_a_moment_is_waited_for(
    emulator: Emulator, url: str, redis: Server, redis_url: str
) -> None:
    """A restart of less than 5 s is not an error, and the lost value causes no burst."""
    async with NewsLeopard(KEY, base_url=url, quota=redis_url) as nl:
        await nl.contacts.list_lists()
        async with anyio.create_task_group() as tasks:
            with redis.away():
                for _ in range(10):
                    tasks.start_soon(nl.contacts.list_lists)
                await anyio.sleep(0.5)

    times = arrivals(emulator)
    assert len(times) == 11
    assert times[10] - times[0] >= 1


async def test_request_cancelled_while_the_server_hangs_is_given_back(
    emulator: Emulator, url: str, redis: Server, redis_url: str
) -> None:
    """A request for a permit that is cancelled is given back, so the count is correct."""
    async with NewsLeopard(KEY, base_url=url, quota=redis_url) as nl:
        await nl.contacts.list_lists()
        with redis.frozen(), anyio.move_on_after(0.05):
            await nl.contacts.list_lists()
        await nl.contacts.list_lists()
        used = nl.usage.used

    assert (len(emulator.requests), used) == (2, 2)


async def test_change_whose_reply_is_lost_counts_once(redis: Server, redis_url: str) -> None:
    """The server works off what it was sent while it hung, and the same is sent again."""
    quota = RedisQuota(redis_url, "0" * 32)
    await quota.update(CHANGE)
    change = attrs.evolve(CHANGE, reports=(RequestReport("a", "refused", 0.0, daily=False),))

    async with anyio.create_task_group() as tasks:
        redis.freeze()
        tasks.start_soon(quota.update, change)
        await anyio.sleep(1.2)
        redis.thaw()

    with redis_py.Redis.from_url(redis_url, decode_responses=True) as client:
        [key] = client.scan_iter()
        kept = str(client.get(key))
    quota.close()
    assert '"pace":[0,1,0]' in kept


@pytest.mark.parametrize("kind", ["redis", "text", "asyncio"])
async def test_client_of_the_users_is_used_and_stays_open(
    kind: str, redis_url: str, anyio_backend_name: str
) -> None:
    """One that blocks, on either event loop; an asynchronous one on asyncio only."""
    client: Any
    if kind == "asyncio":
        client = redis_asyncio.Redis.from_url(redis_url)
    else:
        client = redis_py.Redis.from_url(
            redis_url, socket_timeout=5, decode_responses=kind == "text"
        )
    quota = RedisQuota(client, "0" * 32)

    if kind == "asyncio" and anyio_backend_name == "trio":
        with pytest.raises(ConfigurationError, match="on trio give a URL"):
            await quota.update(CHANGE)
        return
    assert (await quota.update(CHANGE)).is_open
    quota.close()

    assert (await quota.update(CHANGE)).is_open
    await client.aclose() if kind == "asyncio" else client.close()


@pytest.mark.parametrize(
    "given",
    [
        "redis://:hush@127.0.0.1:port/0",
        "redis://:hush@[::1/0",
        "http://:hush@127.0.0.1",
        "hush",
        "",
        object(),
        redis_py.Redis(password="hush", socket_timeout=None),
    ],
    ids=["port", "host", "scheme", "word", "nothing", "object", "waits-for-ever"],
)
def test_wrong_redis_url_or_client_is_refused_without_the_password(given: Any) -> None:
    """The error says so without the password, in its text and in the variables of its frames."""
    with pytest.raises(ConfigurationError) as caught:
        NewsLeopard(KEY, quota=given)

    assert "hush" not in str(caught.value)
    frame = caught.tb.tb_next
    while frame is not None:
        assert "hush" not in repr(frame.tb_frame.f_locals)
        frame = frame.tb_next


@pytest.mark.parametrize("scheme", ["redis", "rediss", "valkey", "valkeys", "unix", "REDIS"])
def test_urls_of_redis_and_valkey_are_taken(scheme: str) -> None:
    """Nothing is connected before the client is used."""
    NewsLeopard(KEY, quota=f"{scheme}://127.0.0.1:1/0")


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a Redis URL, the client's error names the package to install."""
    monkeypatch.setitem(sys.modules, "redis", None)

    with pytest.raises(ConfigurationError, match=re.escape("newsleopard-async[redis]")):
        NewsLeopard(KEY, quota="redis://127.0.0.1:6379/0")


async def test_server_that_refuses_us_is_a_wrong_setting(emulator: Emulator, url: str) -> None:
    """A missing password is not an outage; opening the client fails."""
    with start_redis("--requirepass", "hush") as server:
        quota = f"redis://127.0.0.1:{server.port}/0"
        with pytest.raises(ConfigurationError, match=r"Redis at 127\.0\.0\.1 cannot be used"):
            await list_all(url, quota, 1)

    assert not emulator.requests
