"""The scope of a key's limits: this event loop, the processes of this host, or several hosts."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import urlsplit

import attrs

from newsleopard_async.clock import Clock, SystemClock
from newsleopard_async.errors import ConfigurationError
from newsleopard_async.files import state_folder
from newsleopard_async.log import Log
from newsleopard_async.transport.limits.quota import QuotaStore
from newsleopard_async.transport.urls import is_loopback

__all__ = ["HOST_SCOPES", "AnyRedis", "Quota", "Scope", "check_quota"]


class AnyRedis(Protocol):
    """A client of redis-py, or of Valkey's package, which has the same interface."""

    def register_script(self, script: Any) -> Any:
        """Prepare a script."""
        ...


Quota: TypeAlias = str | AnyRedis | None
"""How the limits are shared: ``"auto"``, ``"host"``, the URL of a Redis or a client of it, or
None."""

_VARIABLE: Final = "NEWSLEOPARD_QUOTA"
HOST_SCOPES: Final = ("auto", "host")
"""The values with which the processes of a host share the limits."""

_SCHEMES: Final = ("redis", "rediss", "unix", "valkey", "valkeys")

_log: Final = Log()


def check_quota(given: Quota, clock: Clock, *, is_ours: bool) -> Quota:
    """Return how the limits are shared, from the argument of a client and the environment.

    Args:
        given: The client's argument.
        clock: The client's clock.
        is_ours: Whether the client uses our own connections.

    Raises:
        ConfigurationError: the value is unknown, or needs the system's clock.
    """
    named = os.environ.get(_VARIABLE, "").strip()
    if named not in ("", "auto", "process"):
        raise ConfigurationError(f"{_VARIABLE} is {named!r}; set it to process or auto")
    if given == "auto":
        is_real = isinstance(clock, SystemClock) and is_ours
        return "auto" if is_real and named != "process" else None
    if given is None or (given == "host" and isinstance(clock, SystemClock)):
        return given
    if given == "host":
        raise ConfigurationError(
            "quota='host' needs the system's clock, which all processes share; leave clock= out"
        )
    is_url = isinstance(given, str) and given.partition(":")[0].lower() in _SCHEMES
    if not is_url and not hasattr(given, "register_script"):
        raise ConfigurationError(
            "quota must be 'auto', 'host', None, the URL of a Redis such as "
            "redis://127.0.0.1:6379/0, or a client of redis-py"
        )
    from newsleopard_async.transport.limits.redisquota import RedisQuota

    RedisQuota(given, "").close()
    return given


@attrs.frozen
class Scope:
    """The limits of a key at an origin, and how they are shared.

    Attributes:
        quota: The result of `check_quota`.
        digest: A hash of origin and key.
        host: The host of the origin.
    """

    quota: Quota = attrs.field(
        repr=False, eq=lambda quota: quota if isinstance(quota, str) else id(quota)
    )
    digest: str
    host: str

    @classmethod
    def of(cls, quota: Quota, origin: str, key: str) -> Scope:
        """Return the scope; only a hash of the key is stored."""
        digest = hashlib.sha256(f"newsleopard {origin} {key}".encode()).hexdigest()[:32]
        return cls(quota, digest, urlsplit(origin).hostname or "")

    @property
    def has_day(self) -> bool:
        """Whether day and exports are shared: a new emulator begins at zero, a file does not."""
        return self.quota not in HOST_SCOPES or not is_loopback(self.host)

    def open_store(self, clock: Clock) -> QuotaStore | None:
        """Open the store of the shared limits; return None if they are not shared.

        Raises:
            ConfigurationError: the store cannot be used.
        """
        if self.quota is None:
            return None
        from newsleopard_async.transport.limits.permits import FORM

        name = f"{self.digest}.{FORM}"
        if self.quota not in HOST_SCOPES:
            from newsleopard_async.transport.limits.redisquota import RedisQuota

            return RedisQuota(self.quota, name)
        from newsleopard_async.transport.limits.hostfile import HostFile

        try:
            return HostFile(state_folder() / "quota", name, clock)
        except OSError as error:
            why = f"no file can be stored in {_folder()}: {error.strerror}"
        if self.quota == "host":
            raise ConfigurationError(
                f"the limits cannot be shared on this host: {why}; share them by Redis, or leave "
                "quota= out"
            )
        _warn(why)
        return None


_warned: Final[set[str]] = set()
"""The reasons that were logged already, because each event loop of a process finds them."""


def _warn(why: str) -> None:
    if why in _warned:
        return
    _warned.add(why)
    _log.warning(
        "this process cannot share the limits of its key with other processes: %s. "
        "If no other process uses the key, set %s=process",
        why,
        _VARIABLE,
    )


def _folder() -> str:
    try:
        return str(state_folder() / "quota")
    except OSError:
        return "the user's folders"
