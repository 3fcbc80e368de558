"""The limits of a key in Redis or Valkey, for the processes of all hosts.

Each change is one call of a script, `permits.lua`. It has the rules of `permits`, and uses the time
of the server. If the reply is lost, the script is called again with the same result, because permit
requests, claims and refusals have ids.

While the server is unreachable, no request is sent. If it has lost the value, no request is sent
before all windows are empty. The daily count is restored from the counts that the processes know.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any, Final

import attrs

from newsleopard_async.disclosure import hides_variables
from newsleopard_async.errors import ConnectionFailed
from newsleopard_async.stores.redis_client import RedisClient, text_of
from newsleopard_async.transport.limits.quota import QuotaReply, QuotaUpdate

__all__ = ["RedisQuota", "script"]

_WITHIN_S: Final = 5.0
"""How long to try while the server is unreachable. Chosen: five times the time of a restart, and
the same as for a locked file."""


class RedisQuota:
    """A key in Redis that all processes share.

    Args:
        source: A URL, or the caller's client.
        name: The name of the stored value.

    Raises:
        ConfigurationError: the source cannot be used.
    """

    @hides_variables
    def __init__(self, source: object, name: str) -> None:
        self._client = RedisClient.of(source)
        # The braces make a cluster store all values of one API key on one server.
        self._key = f"newsleopard:quota:{{{name}}}"
        self.name: str = f"Redis at {self._client.host}, which stores the shared limits,"
        self.calls: int = 0

    async def update(self, update: QuotaUpdate) -> QuotaReply:
        """Apply an update, by the server's time.

        Raises:
            ConfigurationError: the server refuses the script.
            ConnectionFailed: the server was unreachable for 5 s.
        """
        self.calls += 1
        argument = json.dumps(attrs.asdict(update, filter=_is_set), separators=(",", ":"))
        try:
            reply = await self._client.run(script(), [self._key], [argument], within_s=_WITHIN_S)
        except ConnectionFailed as error:
            text = f"{self.name} did not answer for {_WITHIN_S:g} s; nothing was sent"
            raise ConnectionFailed(text, reason=error.reason, host=error.host) from None
        return QuotaReply(**json.loads(text_of(reply)))

    def close(self) -> None:
        """Close our connections; other processes continue with the stored value."""
        self._client.close()


@cache
def script() -> str:
    """Return the script that applies an update."""
    return resources.files(__package__).joinpath("permits.lua").read_text(encoding="utf-8")


def _is_set(_attribute: attrs.Attribute[Any], value: object) -> bool:
    """Leave None out: Lua's cjson decodes null as a true value."""
    return value is not None
