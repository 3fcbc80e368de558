"""The limits of a key in Redis or Valkey, for the processes of all hosts.

Each change is one call of a script, `permits.lua`, which has the rules of `permits` and the
server's own time. If the reply is lost it is called again, and gives the same: a permit that is
asked for, a claim and a refusal have ids.

While the server is away nothing is sent. If it has lost what it kept, nobody goes before every
window would be empty; the day's count comes back with what each process has seen of it.
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
"""How long to try while the server is away. Chosen: as long as for a file that another process
holds; a restart takes a second."""


class RedisQuota:
    """A key in Redis that all processes share.

    Args:
        source: A URL, or a client of the caller's.
        name: Of what is kept.

    Raises:
        ConfigurationError: it cannot be used.
    """

    @hides_variables
    def __init__(self, source: object, name: str) -> None:
        self._client = RedisClient.of(source)
        # In braces: all that a cluster may ever keep of one API key is on one server.
        self._key = f"newsleopard:quota:{{{name}}}"
        self.name: str = f"Redis at {self._client.host}, which keeps the shared limits,"
        self.calls: int = 0

    async def update(self, update: QuotaUpdate) -> QuotaReply:
        """Apply an update, by the server's time.

        Raises:
            ConfigurationError: the server refuses it.
            ConnectionFailed: the server was away for 5 s.
        """
        self.calls += 1
        given = json.dumps(attrs.asdict(update, filter=_is_given), separators=(",", ":"))
        try:
            told = await self._client.run(script(), [self._key], [given], within_s=_WITHIN_S)
        except ConnectionFailed as error:
            text = f"{self.name} did not answer for {_WITHIN_S:g} s; nothing was sent"
            raise ConnectionFailed(text, reason=error.reason, host=error.host) from None
        return QuotaReply(**json.loads(text_of(told)))

    def close(self) -> None:
        """Close our connections; others go on with what is kept."""
        self._client.close()


@cache
def script() -> str:
    """Return the script that changes what is kept."""
    return resources.files(__package__).joinpath("permits.lua").read_text(encoding="utf-8")


def _is_given(_attribute: attrs.Attribute[Any], value: object) -> bool:
    """JSON's null is true in Lua, and what is not there is not."""
    return value is not None
