"""Who shares the limits of a key: this event loop, the processes of this host, or several hosts."""

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
    """A client of redis-py, or of Valkey's package of the same form."""

    def register_script(self, script: Any) -> Any:
        """Prepare a script."""
        ...


Quota: TypeAlias = str | AnyRedis | None
"""Who shares the limits: ``"auto"``, ``"host"``, the URL of a Redis or a client of it, or None."""

_VARIABLE: Final = "NEWSLEOPARD_QUOTA"
HOST_SCOPES: Final = ("auto", "host")
"""Those in which the processes of a host share the limits."""

_SCHEMES: Final = ("redis", "rediss", "unix", "valkey", "valkeys")

_log: Final = Log()


def check_quota(given: Quota, clock: Clock, *, is_ours: bool) -> Quota:
    """Return who shares the limits, as a client was told or the environment says.

    Args:
        given: By the caller.
        clock: The client's.
        is_ours: Whether our own connections carry its requests.

    Raises:
        ConfigurationError: it is nothing that is known, or goes with no other clock.
    """
    named = os.environ.get(_VARIABLE, "").strip()
    if named not in ("", "auto", "process"):
        raise ConfigurationError(f"{_VARIABLE} must be process or auto, and is {named!r}")
    if given == "auto":
        is_real = isinstance(clock, SystemClock) and is_ours
        return "auto" if is_real and named != "process" else None
    if given is None or (given == "host" and isinstance(clock, SystemClock)):
        return given
    if given == "host":
        raise ConfigurationError(
            "quota='host' goes with the system's clock only, which all processes have"
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
    """The limits of a key at an origin, and who shares them.

    Attributes:
        quota: As `check_quota` gave it.
        digest: Of origin and key.
        host: Of the origin.
    """

    quota: Quota = attrs.field(
        repr=False, eq=lambda quota: quota if isinstance(quota, str) else id(quota)
    )
    digest: str
    host: str

    @classmethod
    def of(cls, quota: Quota, origin: str, key: str) -> Scope:
        """Name the limits; only a hash of the key is kept."""
        digest = hashlib.sha256(f"newsleopard {origin} {key}".encode()).hexdigest()[:32]
        return cls(quota, digest, urlsplit(origin).hostname or "")

    @property
    def has_day(self) -> bool:
        """Whether day and exports are shared: an emulator begins anew, and a file would not."""
        return self.quota not in HOST_SCOPES or not is_loopback(self.host)

    def open_store(self, clock: Clock) -> QuotaStore | None:
        """Open what keeps the shared limits; None if they are those of this event loop.

        Raises:
            ConfigurationError: it cannot be used.
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
            why = f"no file can be kept in {_place()}: {error.strerror}"
        if self.quota == "host":
            raise ConfigurationError(f"the limits cannot be shared on this host: {why}")
        _warn(why)
        return None


_warned: Final[set[str]] = set()
"""What was said already: each event loop of a process finds it anew."""


def _warn(why: str) -> None:
    if why in _warned:
        return
    _warned.add(why)
    _log.warning(
        "other processes with this key do not keep its limits together with this one: %s. "
        "Set %s=process if there are none",
        why,
        _VARIABLE,
    )


def _place() -> str:
    try:
        return str(state_folder() / "quota")
    except OSError:
        return "the user's folders"
