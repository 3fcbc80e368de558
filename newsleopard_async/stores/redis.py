"""Redis or Valkey as the store, and the one way in which the library talks to either.

A call is a script, which the server runs as one step. It is repeated while the server is away, so
each script must give the same when it is run again after its answer was lost.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import re
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import anyio
import attrs

from newsleopard_async.aio import Listing, in_thread, on_asyncio
from newsleopard_async.disclosure import hides_variables, shown
from newsleopard_async.errors import (
    ConfigurationError,
    ConnectionFailed,
    InUse,
    InvalidRequest,
    NewsLeopardError,
)
from newsleopard_async.log import Log
from newsleopard_async.stores.protocol import Kept
from newsleopard_async.stores.serial import from_json, key_from_text, key_to_text, to_json

__all__ = ["RedisClient", "RedisStore"]

T = TypeVar("T")

_log: Final = Log()

_SOCKET_S: Final = 1.0
"""Chosen: a script takes less than a millisecond, and a network far fewer than this."""

_WITHIN_S: Final = 40.0
"""Chosen: how long a run's record is tried while the server is away; less than the 60 s that a
request which is about to leave waits for its store."""

_LONGEST_WAIT_S: Final = 0.5

_SCHEMES: Final = {
    "redis": "redis",
    "rediss": "rediss",
    "unix": "unix",
    "valkey": "redis",
    "valkeys": "rediss",
}
"""The schemes of URLs, each as redis-py calls it."""

_WRONG_SETUP: Final = frozenset({"AuthenticationError", "AuthorizationError", "NoPermissionError"})
_AWAY: Final = frozenset(
    {
        *("ClusterDownError", "ConnectionError", "OSError", "ReadOnlyError", "TimeoutError"),
        *("RedisClusterException", "TryAgainError", "ValkeyClusterException"),
    }
)
"""Errors of redis-py and valkey-py that pass; a replica takes writes after a fail-over is through.

By their names, since they are looked at without loading either package.
"""

_ANY: Final = frozenset({"RedisError", "ValkeyError"})


@attrs.frozen
class _Failure:
    """A call that did not work: whether it may work later, why, and what the client says."""

    passes: bool
    reason: str
    text: str


class RedisClient:
    """Runs scripts on a server, by a URL or by a client of the caller's.

    By a URL, or with a client that blocks, it runs on asyncio and on trio; an asynchronous
    client of the caller's runs on asyncio.

    Attributes:
        host: Where the server is, for messages.
    """

    def __init__(self, client: Any, host: str, *, is_own: bool) -> None:
        self._client = client
        self._is_own = is_own
        self._is_async = inspect.iscoroutinefunction(client.execute_command)
        self.host = host

    @classmethod
    @hides_variables
    def of(cls, source: object) -> RedisClient:
        """Take ``redis://…``, ``rediss://…``, ``unix://…`` or ``valkey://…``, or a client.

        Raises:
            ConfigurationError: the URL cannot be used, the extra is not installed, or the client
                waits for ever.
            InvalidRequest: it is neither.
        """
        if isinstance(source, str):
            return cls(*_client_of(source), is_own=True)
        if not all(hasattr(source, name) for name in ("execute_command", "evalsha", "scan_iter")):
            raise InvalidRequest.of(
                "redis", "type", "must be a URL, or a client of the package redis or valkey"
            )
        pool: Any = getattr(source, "connection_pool", None)
        settings: Mapping[str, Any] = getattr(pool, "connection_kwargs", {})
        host = str(settings.get("host") or settings.get("path") or "redis")
        client = cls(source, host, is_own=False)
        if pool is not None and not client._is_async and not settings.get("socket_timeout"):
            # A thread that waits for it could not be stopped.
            raise ConfigurationError(
                "the Redis client waits for ever if the server says nothing; make it with "
                "socket_timeout=5, socket_connect_timeout=5"
            )
        return client

    async def run(
        self,
        script: str,
        keys: Sequence[str],
        args: Sequence[str | bytes | float],
        *,
        within_s: float = 5.0,
    ) -> Any:
        """Run a script and return its answer, in text or bytes, as the client gives it.

        Args:
            script: In Lua; it may be run again after its answer was lost.
            keys: The keys that it uses.
            args: Its other arguments.
            within_s: Seconds for which it is repeated while the server is away.

        Raises:
            ConfigurationError: the server refuses it, or the key to it.
            ConnectionFailed: the server was away all the time; it may have run.
        """
        digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        given = (len(keys), *keys, *args)

        def block() -> Any:
            try:
                return self._client.evalsha(digest, *given)
            except Exception as error:
                if "NoScriptError" not in _names_of(error):
                    raise
            return self._client.eval(script, *given)

        async def wait() -> Any:
            try:
                return await self._client.evalsha(digest, *given)
            except Exception as error:
                if "NoScriptError" not in _names_of(error):
                    raise
            return await self._client.eval(script, *given)

        return await self._repeat(block, wait, within_s=within_s)

    async def keys(self, pattern: str, *, within_s: float) -> set[str]:
        """Return the keys like a pattern, of all servers of a cluster."""

        def block() -> set[str]:
            return {text_of(key) for key in self._client.scan_iter(match=pattern, count=1_000)}

        async def wait() -> set[str]:
            found = self._client.scan_iter(match=pattern, count=1_000)
            return {text_of(key) async for key in found}

        return await self._repeat(block, wait, within_s=within_s)

    async def aclose(self) -> None:
        """Close the connections, but not those of a client of the caller's."""
        await in_thread(self.close)

    def close(self) -> None:
        """Do the same at once."""
        if self._is_own:
            self._client.close()

    async def _repeat(
        self, block: Callable[[], T], wait: Callable[[], Awaitable[T]], *, within_s: float
    ) -> T:
        if self._is_async and not on_asyncio():
            raise ConfigurationError(
                "an asynchronous client of Redis runs on asyncio only; on trio give a URL"
            )
        until, wait_s = anyio.current_time() + within_s, 0.05
        while True:
            try:
                if not self._is_async:
                    return await in_thread(block)
                with anyio.fail_after(max(_SOCKET_S, until - anyio.current_time())):
                    return await wait()
            except Exception as error:
                failure = _judged(error)
                if failure is None:
                    raise
            # Raised from here: the frames of the client hold the password.
            if not failure.passes:
                raise ConfigurationError(f"Redis at {self.host} cannot be used: {failure.text}")
            if anyio.current_time() + wait_s > until:
                raise ConnectionFailed(
                    f"Redis at {self.host} did not answer for {within_s:g} s: {failure.text}",
                    reason=failure.reason,
                    host=self.host,
                )
            await anyio.sleep(wait_s)
            wait_s = min(_LONGEST_WAIT_S, 2 * wait_s)


def _client_of(url: str) -> tuple[Any, str]:
    """Make a client that blocks, never for long, and repeats nothing by itself."""
    try:
        parts = urlsplit(url)
        scheme = _SCHEMES.get(parts.scheme)
    except ValueError:
        scheme = None
    if scheme is None:
        raise ConfigurationError(
            "the URL of Redis must begin with redis://, rediss://, unix:// or valkey://"
        )
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise ConfigurationError(
            "Redis needs its package: pip install 'newsleopard-async[redis]'"
        ) from None
    try:
        client = redis.Redis.from_url(
            f"{scheme}{url[len(parts.scheme) :]}",
            socket_timeout=_SOCKET_S,
            socket_connect_timeout=_SOCKET_S,
            retry=Retry(NoBackoff(), 0),
        )
        # Not connected; but a setting that there is not is found out.
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError):
        pass  # Raised below: the cause may show the password.
    else:
        return client, parts.hostname or parts.path
    raise ConfigurationError(f"the URL of Redis at {parts.hostname} has a wrong port or setting")


def _names_of(error: BaseException) -> set[str]:
    return {each.__name__ for each in type(error).__mro__}


def _judged(error: Exception) -> _Failure | None:
    """Say what a failure means; None if it is not one of a client of Redis."""
    names, text = _names_of(error), shown(str(error).partition("\n")[0])
    reason = "refused" if "refused" in text else "timeout" if "TimeoutError" in names else "other"
    if names & _WRONG_SETUP:
        # The server speaks of its protocol there.
        text += "; give a user and password that may run scripts and use newsleopard:* keys"
        return _Failure(passes=False, reason=reason, text=text)
    if names & (_AWAY | _ANY):
        return _Failure(passes=bool(names & _AWAY), reason=reason, text=text)
    return None


def text_of(value: Any) -> str:
    """Return text that a client gives decoded, or as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


_LOAD: Final = "return redis.call('HMGET', KEYS[1], 'revision', 'data')"

_SAVE: Final = """
local revision = redis.call('HGET', KEYS[1], 'revision') or ''
-- The same save once more, since its answer was lost.
if revision == ARGV[2] then return 1 end
if revision ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'data', ARGV[3])
return 1
"""

_ABOUT: Final = """
local told = {}
for _, section in ipairs({'persistence', 'memory'}) do
  local text = redis.pcall('INFO', section)
  if type(text) == 'string' then told[#told + 1] = text end
end
return table.concat(told)
"""

_PREFIX: Final = "newsleopard:run:{"


class RedisStore:
    """Keeps runs in Redis or Valkey, each in a hash ``newsleopard:run:{key}`` that never expires.

    The server must keep what it is given: ``appendonly yes``, and ``maxmemory-policy
    noeviction``. If it says that it does not, a warning is logged once.

    Args:
        url_or_client: ``redis://…``, ``rediss://…``, ``unix://…`` or ``valkey://…`` (the extra
            ``redis``); or a client of the package ``redis`` or ``valkey``, with a socket timeout.
            An asynchronous client runs on asyncio only.

    Raises:
        ConfigurationError: the URL cannot be used, the extra is not installed, or the client
            waits for ever.
        InvalidRequest: it is neither.
    """

    @hides_variables
    def __init__(self, url_or_client: object) -> None:
        self._client = RedisClient.of(url_or_client)
        self._is_known = False

    def __repr__(self) -> str:
        return f"RedisStore({self._client.host!r})"

    @hides_variables
    async def load(self, key: str) -> Kept | None:
        """Return what is kept under this key, or None.

        Raises:
            InvalidRequest: it is damaged.
            ConfigurationError: the server refuses it.
            ConnectionFailed: the server was away for 40 s.
        """
        revision, content = await self._client.run(_LOAD, [_name(key)], [], within_s=_WITHIN_S)
        if revision is None and content is None:
            return None
        data = None if content is None else from_json(text_of(content).encode())
        if revision is None or data is None:
            raise InvalidRequest.of(
                "store",
                "format",
                f"what is kept under {key} in Redis at {self._client.host} is damaged; put it back "
                "from a backup",
            )
        return Kept(data, text_of(revision))

    @hides_variables
    async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        """Keep the data if nothing was saved since; return its new revision.

        Raises:
            ConfigurationError: the server refuses it, or the data is too large.
            ConnectionFailed: the server was away for 40 s; whether it was saved is not known.
            InUse: another run has saved under this key since.
        """
        # Made before the first attempt, so that a second one finds its own.
        new = secrets.token_hex(16)
        args = (revision or "", new, to_json(data, where=key))
        if not await self._client.run(_SAVE, [_name(key)], args, within_s=_WITHIN_S):
            host = self._client.host
            raise InUse(f"another run has saved {key} in Redis at {host}, or it was removed")
        await self._look_at_server(key)
        return new

    def keys(self) -> Listing[str]:
        """List the keys: ``await`` gives all, sorted; ``async for`` gives one after another.

        Raises:
            ConfigurationError: the server refuses it.
            ConnectionFailed: the server was away for 40 s.
        """
        return Listing(self._keys, order=sorted)

    async def _keys(self) -> AsyncGenerator[str, None]:
        for name in await self._client.keys(f"{_PREFIX}*}}", within_s=_WITHIN_S):
            yield key_from_text(name[len(_PREFIX) : -1])

    async def aclose(self) -> None:
        """Close the connections, but not those of your client; the next call opens new ones."""
        await self._client.aclose()

    async def _look_at_server(self, key: str) -> None:
        """Log, once, that the server may lose what it is given."""
        if self._is_known:
            return
        self._is_known = True
        with contextlib.suppress(NewsLeopardError):
            about = text_of(await self._client.run(_ABOUT, [_name(key)], []))
            for fault in faults_of(about):
                _log.warning("Redis at %s %s", self._client.host, fault)


def faults_of(about: str) -> list[str]:
    """Say in which ways a server may lose runs, by its own INFO."""
    told = dict(re.findall(r"^(\w+):(\S*)", about, re.MULTILINE))
    faults = []
    if told.get("aof_enabled") == "0":
        faults.append("may forget the last runs when it stops; set appendonly yes")
    if told.get("maxmemory", "0") != "0" and told.get("maxmemory_policy", "").startswith("allkeys"):
        faults.append("may evict runs; set maxmemory-policy noeviction")
    return faults


def _name(key: str) -> str:
    # In braces, so that a cluster takes the key alone to choose the server.
    return f"{_PREFIX}{key_to_text(key)}}}"
