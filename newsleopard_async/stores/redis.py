"""Redis or Valkey as the store, for several hosts, if the server loses no data.

Each call is one script. If the answer to a save was lost, the repeated save finds its own revision.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from newsleopard_async.aio import Listing
from newsleopard_async.disclosure import hides_variables
from newsleopard_async.errors import InUse, InvalidRequest, NewsLeopardError
from newsleopard_async.log import Log
from newsleopard_async.stores.protocol import Kept
from newsleopard_async.stores.redis_client import RedisClient, text_of
from newsleopard_async.stores.serialization import from_json, key_from_text, key_to_text, to_json

__all__ = ["RedisStore"]

_log: Final = Log()

_WITHIN_S: Final = 40.0
"""Chosen: how long a call is repeated while the server is away; less than the 60 s that a request
waits for its store before it is sent."""

_LOAD: Final = "return redis.call('HMGET', KEYS[1], 'revision', 'data')"

_SAVE: Final = """
local revision = redis.call('HGET', KEYS[1], 'revision') or ''
-- The same save again, because its answer was lost.
if revision == ARGV[2] then return 1 end
if revision ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'data', ARGV[3])
return 1
"""

_ABOUT: Final = """
local texts = {}
for _, section in ipairs({'persistence', 'memory'}) do
  local text = redis.pcall('INFO', section)
  if type(text) == 'string' then texts[#texts + 1] = text end
end
return table.concat(texts)
"""

_PREFIX: Final = "newsleopard:run:{"


class RedisStore:
    """Stores runs in Redis or Valkey, each in a hash ``newsleopard:run:{key}`` that never expires.

    The server must not lose data: set ``appendonly yes`` and ``maxmemory-policy noeviction``. If
    its INFO reports other settings, a warning is logged once.

    Args:
        url_or_client: ``redis://…``, ``rediss://…``, ``unix://…`` or ``valkey://…`` (the extra
            ``redis``); or a client of the package ``redis`` or ``valkey``, with a socket timeout.
            An asynchronous client runs on asyncio only.

    Raises:
        ConfigurationError: the URL cannot be used, the extra is not installed, or the client
            has no timeout.
        InvalidRequest: the argument is neither a URL nor a client.
    """

    @hides_variables
    def __init__(self, url_or_client: object) -> None:
        self._client = RedisClient.of(url_or_client)
        self._is_checked = False

    def __repr__(self) -> str:
        return f"RedisStore({self._client.host!r})"

    @hides_variables
    async def load(self, key: str) -> Kept | None:
        """Return the record that is stored under this key, or None.

        Raises:
            InvalidRequest: the record is damaged.
            ConfigurationError: the server refuses the call.
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
                f"the record of {key} in Redis at {self._client.host} is damaged; restore it from "
                "a backup",
            )
        return Kept(data, text_of(revision))

    @hides_variables
    async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        """Store the data if no other run has saved since; return its new revision.

        Raises:
            ConfigurationError: the server refuses the call, or the data is too large.
            ConnectionFailed: the server was away for 40 s; it is unknown whether it was saved.
            InUse: another run has saved under this key since.
        """
        # Created before the first try, so that a repeated save finds its own revision.
        new = secrets.token_hex(16)
        args = (revision or "", new, to_json(data, where=key))
        if not await self._client.run(_SAVE, [_name(key)], args, within_s=_WITHIN_S):
            host = self._client.host
            raise InUse(f"another run has saved {key} in Redis at {host}, or it was removed")
        await self._check_server(key)
        return new

    def keys(self) -> Listing[str]:
        """List the keys: ``await`` gives all, sorted; ``async for`` gives one after another.

        Raises:
            ConfigurationError: the server refuses the call.
            ConnectionFailed: the server was away for 40 s.
        """
        return Listing(self._keys, order=sorted)

    async def _keys(self) -> AsyncGenerator[str, None]:
        for name in await self._client.keys(f"{_PREFIX}*}}", within_s=_WITHIN_S):
            yield key_from_text(name[len(_PREFIX) : -1])

    async def aclose(self) -> None:
        """Close the connections, except of your own client; the next call opens new ones."""
        await self._client.aclose()

    async def _check_server(self, key: str) -> None:
        """Log once if the server can lose data."""
        if self._is_checked:
            return
        self._is_checked = True
        with contextlib.suppress(NewsLeopardError):
            about = text_of(await self._client.run(_ABOUT, [_name(key)], []))
            for risk in risks_of(about):
                _log.warning("Redis at %s %s", self._client.host, risk)


def risks_of(about: str) -> list[str]:
    """Return the ways in which a server can lose runs, from its INFO."""
    info = dict(re.findall(r"^(\w+):(\S*)", about, re.MULTILINE))
    risks = []
    if info.get("aof_enabled") == "0":
        risks.append("can lose the last runs when it stops; set appendonly yes")
    if info.get("maxmemory", "0") != "0" and info.get("maxmemory_policy", "").startswith("allkeys"):
        risks.append("can evict runs; set maxmemory-policy noeviction")
    return risks


def _name(key: str) -> str:
    # In braces, so that a cluster chooses the server by the key only.
    return f"{_PREFIX}{key_to_text(key)}}}"
