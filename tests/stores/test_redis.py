"""Redis and Valkey as stores, and the client that other shared state uses, too."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
import redis
import redis.asyncio

from newsleopard_async import ConfigurationError, ConnectionFailed, InUse, InvalidRequest
from newsleopard_async.stores import RedisStore, redis_client
from newsleopard_async.stores.protocol import keys_of
from newsleopard_async.stores.redis import risks_of
from newsleopard_async.stores.redis_client import RedisClient
from tests.servers import Server, start_redis

ECHO = "return ARGV[1]"


@contextlib.contextmanager
def opened(url: str) -> Iterator[RedisStore]:
    """Open a store, and close its connections."""
    store = RedisStore(url)
    try:
        yield store
    finally:
        store._client._client.close()


@pytest.fixture(scope="module")
def locked_redis() -> Iterator[Server]:
    """Run a server that wants a password, and has a user who may do nothing."""
    guest = ("--user", "guest", "on", "nopass", "~*", "-@all")
    with start_redis("--requirepass", "secret", *guest) as server:
        yield server


# URLs and clients


@pytest.mark.asyncio
async def test_asynchronous_client_of_the_caller_is_used(redis_url: str) -> None:
    """Its connections are the caller's to close."""
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        store = RedisStore(client)
        await client.script_flush()
        first = await store.save("週年慶", {"state": 1}, None)
        with pytest.raises(InUse):
            await store.save("週年慶", {"state": 2}, None)
        await store.save("週年慶", {"state": 2}, first)
        await store.aclose()

        kept = await store.load("週年慶")

        assert kept is not None
        assert kept.data == {"state": 2}
        assert await keys_of(store) == ("週年慶",)
        await client.set("newsleopard:run:{a}", "something else")
        with pytest.raises(ConfigurationError, match="WRONGTYPE"):
            await store.load("a")


@pytest.mark.quick
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_asynchronous_client_is_refused_on_trio(redis_url: str) -> None:
    """It is asyncio's; a URL runs on both."""
    client = RedisClient.of(redis.asyncio.Redis.from_url(redis_url))

    with pytest.raises(ConfigurationError, match="on trio give a URL"):
        await client.run(ECHO, [], ["a"])


@pytest.mark.anyio
@pytest.mark.parametrize("scheme", ["valkey", "unix"])
async def test_other_forms_of_a_url_are_taken(scheme: str, redis: Server, redis_url: str) -> None:
    """Valkey's own, and a socket of this host."""
    path = redis.folder / "socket"
    given = f"unix://{path}" if scheme == "unix" else redis_url.replace("redis://", "valkey://")
    with opened(given) as store:
        await store.save("a", {}, None)

    assert repr(store) == f"RedisStore({str(path) if scheme == 'unix' else '127.0.0.1'!r})"
    with opened(redis_url) as other:
        assert await keys_of(other) == ("a",)


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:6379", "http://me:secret@host", "redis://[me:secret@host"),
        *("redis://me:secret@host:port", "redis://me:secret@host?no_such_setting=secret"),
    ],
)
def test_url_that_cannot_be_used_is_refused(url: str) -> None:
    """The error keeps the password to itself."""
    with pytest.raises(ConfigurationError, match="the URL of Redis") as caught:
        RedisStore(url)

    assert "secret" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "redis", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'newsleopard-async\[redis\]'"):
        RedisStore("redis://localhost")


@pytest.mark.parametrize("source", [None, 7, b"redis://localhost", {}])
def test_what_is_no_client_is_refused(source: object) -> None:
    """Nothing but a URL, or a client of the two packages."""
    with pytest.raises(InvalidRequest) as caught:
        RedisStore(source)

    assert [(each.field, each.rule) for each in caught.value.problems] == [("redis", "type")]


def test_client_that_waits_for_ever_is_refused() -> None:
    """A thread that waits for a silent server cannot be stopped."""
    with pytest.raises(ConfigurationError, match="socket_timeout=5"):
        RedisStore(redis.Redis(socket_timeout=None))


# What is in a hash


@pytest.mark.anyio
async def test_hash_can_be_read_by_people_and_never_expires(redis_url: str) -> None:
    """A key is a hash, with the data as JSON."""
    with opened(redis_url) as store, redis.Redis.from_url(redis_url) as client:
        await store.save("週年慶", {"名": "值"}, None)

        [name] = client.keys()
        kept = client.hgetall(name)
        assert client.ttl(name) == -1

    assert name.decode() == "newsleopard:run:{週年慶}"
    assert '"名": "值"' in kept[b"data"].decode()


@pytest.mark.anyio
@pytest.mark.parametrize("change", [{"data": "{"}, {"revision": None}, {"data": None}])
async def test_damaged_hash_is_refused(change: dict[str, str | None], redis_url: str) -> None:
    """It is not taken for nothing: a run would begin anew."""
    with opened(redis_url) as store, redis.Redis.from_url(redis_url) as client:
        await store.save("a", {}, None)
        [name] = client.keys()
        for field, value in change.items():
            if value is None:
                client.hdel(name, field)
            else:
                client.hset(name, field, value)

        with pytest.raises(InvalidRequest, match=r"record of a in Redis at 127\.0\.0\.1 is"):
            await store.load("a")


@pytest.mark.anyio
async def test_something_else_under_the_name_is_refused(redis_url: str) -> None:
    """It is not overwritten."""
    with opened(redis_url) as store, redis.Redis.from_url(redis_url) as client:
        client.set("newsleopard:run:{a}", "b")

        with pytest.raises(ConfigurationError, match="WRONGTYPE"):
            await store.save("a", {}, None)

        assert client.get("newsleopard:run:{a}") == b"b"


@pytest.mark.parametrize(
    ("about", "faults"),
    [
        ("", ()),
        ("aof_enabled:1\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n", ()),
        ("aof_enabled:1\r\nmaxmemory:1\r\nmaxmemory_policy:noeviction\r\n", ()),
        ("# Persistence\r\naof_enabled:0\r\n", ("appendonly yes",)),
        (
            "aof_enabled:0\r\nmaxmemory:9\r\nmaxmemory_policy:allkeys-lru\r\n",
            ("appendonly yes", "noeviction"),
        ),
    ],
)
def test_server_says_whether_it_may_lose_runs(about: str, faults: tuple[str, ...]) -> None:
    """By its own settings; a server that does not show them is believed."""
    found = risks_of(about)

    assert len(found) == len(faults)
    assert all(each in text for each, text in zip(faults, found, strict=True))


@pytest.mark.anyio
async def test_server_that_may_lose_runs_is_logged_once(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A reader of the log can correct the settings in time."""
    caplog.set_level(logging.WARNING, "newsleopard_async")
    with opened(redis_url) as store:
        for key in ("a", "b"):
            await store.save(key, {}, None)

    [line] = caplog.messages
    assert line.startswith("Redis at 127.0.0.1 can lose the last runs when it stops")


# What is repeated, and what is given up


@pytest.mark.anyio
@pytest.mark.parametrize("is_first", [True, False])
async def test_save_whose_answer_was_lost_finds_its_own(
    redis_url: str, *, is_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is repeated, and does not count as a save of another run."""
    with opened(redis_url) as store:
        seen = None if is_first else await store.save("a", {"state": 1}, None)
        client = store._client._client
        evaluate, lost = client.eval, [redis.ConnectionError("Connection closed by server.")]

        def lose(*arguments: Any) -> Any:
            done = evaluate(*arguments)
            if lost:
                raise lost.pop()
            return done

        def forget(*_: object) -> Any:
            raise redis.exceptions.NoScriptError

        monkeypatch.setattr(client, "eval", lose)
        monkeypatch.setattr(client, "evalsha", forget)
        revision = await store.save("a", {"state": 2}, seen)

        assert not lost
        kept = await store.load("a")
        assert kept is not None
        assert (kept.data, kept.revision) == ({"state": 2}, revision)


@pytest.mark.anyio
async def test_server_that_is_restarted_is_waited_for(redis: Server, redis_url: str) -> None:
    """Its scripts and connections are lost; its data depends on its settings."""
    with opened(redis_url) as store:
        await store.save("a", {}, None)

        async with anyio.create_task_group() as tasks:
            with redis.away():
                tasks.start_soon(store.save, "b", {}, None)
                await anyio.sleep(0.1)

        assert await store.load("b") is not None


@pytest.mark.anyio
async def test_server_that_stays_away_is_reported(redis: Server, redis_url: str) -> None:
    """Within a bounded time, and with its host."""
    client = RedisClient.of(redis_url)
    with redis.away(), pytest.raises(ConnectionFailed, match=r"for 0\.1 s: .*refused") as caught:
        await client.run(ECHO, [], ["a"], within_s=0.1)

    assert (caught.value.host, caught.value.reason) == ("127.0.0.1", "refused")
    await client.aclose()


@pytest.mark.anyio
async def test_server_that_says_nothing_is_given_up(redis: Server, redis_url: str) -> None:
    """It takes the script, and is silent; once it wakes all goes on."""
    client = RedisClient.of(redis_url)
    assert await client.run(ECHO, [], ["a"]) == b"a"
    began = time.monotonic()
    with redis.frozen(), pytest.raises(ConnectionFailed) as caught:
        await client.run(ECHO, [], ["a"], within_s=0.1)

    assert time.monotonic() - began < 4
    assert caught.value.reason == "timeout"
    assert await client.run(ECHO, [], ["a"]) == b"a"
    await client.aclose()


@pytest.mark.slow
@pytest.mark.asyncio
async def test_asynchronous_client_is_bounded_too(redis: Server, redis_url: str) -> None:
    """Though the caller's client would wait longer, or for ever."""
    from redis.asyncio import Redis

    async with Redis.from_url(redis_url, socket_timeout=None) as own:
        client = RedisClient.of(own)
        assert await client.run(ECHO, [], ["a"]) == b"a"
        with redis.frozen(), pytest.raises(ConnectionFailed):
            await client.run(ECHO, [], ["a"], within_s=0.1)

        assert await client.run(ECHO, [], ["a"]) == b"a"


@pytest.mark.anyio
@pytest.mark.parametrize("user", ["", ":wrong@", "guest:x@"])
async def test_wrong_setup_is_not_repeated(user: str, locked_redis: Server) -> None:
    """It would be as wrong the next time."""
    url = f"redis://{user}127.0.0.1:{locked_redis.port}"
    says = "give a user and password that may run scripts"
    with opened(url) as store, pytest.raises(ConfigurationError, match=says):
        await store.load("a")


@pytest.mark.anyio
async def test_password_is_taken_from_the_url(locked_redis: Server) -> None:
    """And is shown nowhere."""
    with opened(f"redis://:secret@127.0.0.1:{locked_redis.port}") as store:
        assert await store.load("a") is None
        assert "secret" not in repr(store)


@pytest.mark.anyio
async def test_fault_of_a_script_is_no_outage(redis_url: str) -> None:
    """It is said at once, with the server's words."""
    client = RedisClient.of(redis_url)
    with pytest.raises(ConfigurationError, match="boom"):
        await client.run("return redis.error_reply('ERR boom')", [], [])
    await client.aclose()


def test_other_errors_of_a_client_are_its_own(redis_url: str) -> None:
    """As one of a program that is wrong."""

    class Broken(redis.Redis):
        """A client with a fault."""

        def evalsha(self, *_: object) -> Any:
            """Fail."""
            raise LookupError("a fault")

    with Broken.from_url(redis_url, socket_timeout=1.0) as own:
        client = RedisClient.of(own)
        with pytest.raises(LookupError):
            anyio.run(client.run, ECHO, [], ["a"])


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (redis.exceptions.ReadOnlyError("x"), True),
        (redis.exceptions.BusyLoadingError("x"), True),
        (redis.exceptions.MasterDownError("x"), True),
        (redis.exceptions.ClusterDownError("x"), True),
        (redis.exceptions.RedisClusterException("x"), True),
        (redis.exceptions.TimeoutError("x"), True),
        (TimeoutError("x"), True),
        (redis.exceptions.OutOfMemoryError("x"), False),
        (redis.exceptions.AuthenticationError("x"), False),
        (redis.exceptions.NoPermissionError("x"), False),
        (redis.exceptions.DataError("x"), False),
    ],
)
def test_failures_that_pass_are_told_from_those_that_stay(
    error: Exception, *, passes: bool
) -> None:
    """After a fail-over a replica becomes the primary; a wrong password stays wrong."""
    failure = redis_client._classify(error)

    assert failure is not None
    assert failure.passes == passes
