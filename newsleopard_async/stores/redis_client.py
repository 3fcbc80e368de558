"""Redis and Valkey: the one way in which the library talks to either.

A call is a script, which the server runs as one step. It is repeated while the server is away, so
each script must give the same when it is run again after its answer was lost.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import anyio
import attrs

from newsleopard_async.aio import in_thread, on_asyncio
from newsleopard_async.disclosure import hides_variables, shown
from newsleopard_async.errors import ConfigurationError, ConnectionFailed, InvalidRequest

__all__ = ["RedisClient", "text_of"]

T = TypeVar("T")

_SOCKET_S: Final = 1.0
"""Chosen: a script takes less than a millisecond, and a network far fewer than this."""

_LONGEST_WAIT_S: Final = 0.5
"""Chosen: between two attempts; a tenth of the shortest time for which a call is repeated."""

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
"""Those that all others of these packages are; what does not pass is the set-up."""


@attrs.frozen
class _RedisFailure:
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
                failure = _classify(error)
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


def _classify(error: Exception) -> _RedisFailure | None:
    """Say what a failure means; None if it is not one of a client of Redis."""
    names, text = _names_of(error), shown(str(error).partition("\n")[0])
    reason = "refused" if "refused" in text else "timeout" if "TimeoutError" in names else "other"
    if names & _WRONG_SETUP:
        # The server speaks of its protocol there.
        text += "; give a user and password that may run scripts and use newsleopard:* keys"
        return _RedisFailure(passes=False, reason=reason, text=text)
    if names & (_AWAY | _ANY):
        return _RedisFailure(passes=bool(names & _AWAY), reason=reason, text=text)
    return None


def text_of(value: Any) -> str:
    """Return text that a client gives decoded, or as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)
