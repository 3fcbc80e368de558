"""The client of Redis and Valkey for the stores and the shared limit state.

A call is a script, which the server runs as one step. The call is repeated while the server is
away, so a script must return the same result if it runs again after its answer was lost.
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
"""Chosen: a script takes less than a millisecond, and a network far less than a second."""

_LONGEST_WAIT_S: Final = 0.5
"""Chosen: between two tries; a tenth of the 5 s for which a call is repeated at least."""

_SCHEMES: Final = {
    "redis": "redis",
    "rediss": "rediss",
    "unix": "unix",
    "valkey": "redis",
    "valkeys": "rediss",
}
"""The schemes of URLs, with the names of redis-py."""

_WRONG_SETUP: Final = frozenset({"AuthenticationError", "AuthorizationError", "NoPermissionError"})
_AWAY: Final = frozenset(
    {
        *("ClusterDownError", "ConnectionError", "OSError", "ReadOnlyError", "TimeoutError"),
        *("RedisClusterException", "TryAgainError", "ValkeyClusterException"),
    }
)
"""Errors of redis-py and valkey-py that pass; a replica accepts writes after the fail-over.

The names of the classes, so that neither package must be imported.
"""

_ANY: Final = frozenset({"RedisError", "ValkeyError"})
"""The base classes of all errors of these packages; the others report a wrong set-up."""


@attrs.frozen
class _RedisFailure:
    """A call that failed: whether the fault passes, its reason, and the text of the client."""

    passes: bool
    reason: str
    text: str


class RedisClient:
    """Runs scripts on a server, with a URL or the caller's client.

    With a URL or a blocking client it runs on asyncio and trio, with an asynchronous client on
    asyncio only.

    Attributes:
        host: The host of the server, for messages.
    """

    def __init__(self, client: Any, host: str, *, is_own: bool) -> None:
        self._client = client
        self._is_own = is_own
        self._is_async = inspect.iscoroutinefunction(client.execute_command)
        self.host = host

    @classmethod
    @hides_variables
    def of(cls, source: object) -> RedisClient:
        """Return the client for a URL (``redis:``, ``rediss:``, ``unix:``, ``valkey:``) or client.

        Raises:
            ConfigurationError: the URL cannot be used, the extra is not installed, or the client
                has no timeout.
            InvalidRequest: the argument is neither a URL nor a client.
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
            # A thread that waits without a timeout could not be stopped.
            raise ConfigurationError(
                "the Redis client waits without limit for a server that does not answer; create it "
                "with socket_timeout=5, socket_connect_timeout=5"
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
        """Run a script and return its answer, as text or bytes, depending on the client.

        Args:
            script: The script, in Lua; it can run again after its answer was lost.
            keys: The keys that the script uses.
            args: Its other arguments.
            within_s: Seconds for which the call is repeated while the server is away.

        Raises:
            ConfigurationError: the server refuses the script or the password.
            ConnectionFailed: the server was away all the time; the script possibly ran.
        """
        digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        arguments = (len(keys), *keys, *args)

        def block() -> Any:
            try:
                return self._client.evalsha(digest, *arguments)
            except Exception as error:
                if "NoScriptError" not in _names_of(error):
                    raise
            return self._client.eval(script, *arguments)

        async def wait() -> Any:
            try:
                return await self._client.evalsha(digest, *arguments)
            except Exception as error:
                if "NoScriptError" not in _names_of(error):
                    raise
            return await self._client.eval(script, *arguments)

        return await self._repeat(block, wait, within_s=within_s)

    async def keys(self, pattern: str, *, within_s: float) -> set[str]:
        """Return the keys that match a pattern, from all servers of a cluster."""

        def block() -> set[str]:
            return {text_of(key) for key in self._client.scan_iter(match=pattern, count=1_000)}

        async def wait() -> set[str]:
            found = self._client.scan_iter(match=pattern, count=1_000)
            return {text_of(key) async for key in found}

        return await self._repeat(block, wait, within_s=within_s)

    async def aclose(self) -> None:
        """Close the connections, except of the caller's own client."""
        await in_thread(self.close)

    def close(self) -> None:
        """Close the connections, as `aclose`; this blocks."""
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
            # Raised outside of the handler: the frames of the client contain the password.
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
    """Create a blocking client with short timeouts that repeats nothing itself."""
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
        # This does not connect, but raises if a setting does not exist.
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError):
        pass  # Raised below: the cause can contain the password.
    else:
        return client, parts.hostname or parts.path
    raise ConfigurationError(
        f"the URL of Redis at {parts.hostname} has a wrong port or setting; correct it, as in "
        "redis://host:6379/0"
    )


def _names_of(error: BaseException) -> set[str]:
    return {each.__name__ for each in type(error).__mro__}


def _classify(error: Exception) -> _RedisFailure | None:
    """Classify an error; None if it is not an error of a Redis client."""
    names, text = _names_of(error), shown(str(error).partition("\n")[0])
    reason = "refused" if "refused" in text else "timeout" if "TimeoutError" in names else "other"
    if names & _WRONG_SETUP:
        # The text of the server is about its protocol.
        text += "; give a user and password that may run scripts and use newsleopard:* keys"
        return _RedisFailure(passes=False, reason=reason, text=text)
    if names & (_AWAY | _ANY):
        return _RedisFailure(passes=bool(names & _AWAY), reason=reason, text=text)
    return None


def text_of(value: Any) -> str:
    """Return the text of an answer, which can be bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)
