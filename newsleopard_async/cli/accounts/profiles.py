"""Profiles: the accounts that a command can use, in a TOML file of the user's configuration.

::

    default = "shop"

    [profiles.shop]
    base_url = "https://api.newsleopard.com"  # by default NEWSLEOPARD_BASE_URL
    api_key_variable = "SHOP_KEY"             # without it, the key is in the keyring
    sender = "電子豹 <service@example.com>"
    store = "postgresql://host/newsleopard"   # by default files of this user
    quota = "redis://host"                    # by default a file of this host
    rate_limits = "vendor-2026"               # by default "documented"

The file never contains a key. With a profile, the key comes only from its variable or from the
keyring under its name, so that the key of another account is never used by mistake.
"""

from __future__ import annotations

import os
import pkgutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import attrs
from platformdirs import user_config_path

from newsleopard_async.cli.translation import reason_of
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.errors import ConfigurationError
from newsleopard_async.models import RateLimits

__all__ = [
    "KEYRING_SERVICE",
    "PROFILE_VARIABLE",
    "LimitsName",
    "Profile",
    "chosen_profile",
    "import_keyring",
    "profiles_path",
    "read_profiles",
]

PROFILE_VARIABLE: Final = "NEWSLEOPARD_PROFILE"
KEYRING_SERVICE: Final = "newsleopard-async"
"""The name under which the keyring keeps our keys; the user name is the profile's name."""

LimitsName = Literal["documented", "vendor-2026"]
_LIMITS: Final[Mapping[str, Any]] = {
    "documented": RateLimits.documented,
    "vendor-2026": RateLimits.vendor_2026,
}


@attrs.frozen(kw_only=True)
class Profile:
    """An account and its settings.

    Attributes:
        name: Its name; empty if the user has no profile, and the environment decides.
        base_url: The URL of the API; None for the client's default.
        allow_http: Whether plain http to another host is allowed.
        api_key_variable: The variable that has the key; None: the keyring has it.
        sender: The default sender, as ``name <address>``.
        store: The URL of the store of runs; None for the files of this user.
        quota: The URL of the Redis that shares the limits; None for the file of this host.
        rate_limits: The name of the limits.
    """

    name: str = ""
    base_url: str | None = None
    allow_http: bool = False
    api_key_variable: str | None = None
    sender: str | None = None
    store: str | None = None
    quota: str | None = None
    rate_limits: LimitsName = "documented"

    @property
    def limits(self) -> RateLimits:
        """The rate limits that requests keep."""
        limits: RateLimits = _LIMITS[self.rate_limits]()
        return limits

    def api_key(self) -> str | None:
        """Return the key; None lets the client read its own variables.

        Raises:
            ConfigurationError: the profile has no key.
        """
        # Loaded when it is used, because it loads httpx.
        from newsleopard_async.transport.settings import KEY_VARIABLES

        if self.api_key_variable is not None:
            key = os.environ.get(self.api_key_variable)
            if not key:
                message = _(
                    "the profile {name} reads its key from {variable}, which is not set; set it"
                )
                raise ConfigurationError(
                    message.format(name=self.name, variable=self.api_key_variable)
                )
            return key
        if not self.name and any(map(os.environ.get, KEY_VARIABLES)):
            return None
        key = _key_of_keyring(self.name or "default")
        if key is None and self.name:
            message = _(
                "the profile {name} has no key; store it: newsleopard profile key {name}, or name "
                "a variable: newsleopard profile set {name} --api-key-variable NAME"
            )
            raise ConfigurationError(message.format(name=self.name))
        return key


def profiles_path() -> Path:
    """Return the path of the file of profiles; it may be missing."""
    return user_config_path("newsleopard-async", appauthor=False, roaming=True) / "config.toml"


def chosen_profile(name: str | None) -> Profile:
    """Return the profile that a command uses.

    Args:
        name: The value of ``--profile``; None for the default of the file, if there is one.

    Raises:
        ConfigurationError: the file cannot be read, or has no such profile.
    """
    default, profiles = read_profiles()
    name = name or default
    if name is None:
        return Profile()
    if name not in profiles:
        known = ", ".join(profiles) or _("none")
        message = _(
            "{path} has no profile {name!r}; it has {known}. Create it: newsleopard "
            "profile set {name}"
        )
        raise ConfigurationError(message.format(name=name, path=profiles_path(), known=known))
    return profiles[name]


def read_profiles() -> tuple[str | None, dict[str, Profile]]:
    """Read the file: the name of the default profile, and all profiles.

    Raises:
        ConfigurationError: the file cannot be read, or has an unknown name or a wrong value.
    """
    path = profiles_path()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None, {}
    except OSError as error:
        message = _("{path} cannot be read: {reason}")
        raise ConfigurationError(message.format(path=path, reason=reason_of(error))) from None
    except ValueError as error:
        message = _("{path} is not TOML in UTF-8: {reason}; correct it")
        raise ConfigurationError(message.format(path=path, reason=error)) from None
    if unknown := sorted(found.keys() - {"default", "profiles"}):
        message = _("{path} has the unknown name {name}; it may have default and [profiles.NAME]")
        raise ConfigurationError(message.format(path=path, name=unknown[0]))
    default = found.get("default")
    if not isinstance(default, str | None):
        message = _("{path}: default must be the name of a profile in quotes: default = {example}")
        raise ConfigurationError(message.format(path=path, example='"shop"'))
    profiles = _table(found.get("profiles", {}), "profiles", path)
    return default, {
        name: _profile_of(name, _table(values, f"profiles.{name}", path), path)
        for name, values in profiles.items()
    }


def _table(value: object, name: str, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        message = _("{path}: {name} must be a table; write each setting below [profiles.NAME]")
        raise ConfigurationError(message.format(path=path, name=name))
    return value


def _profile_of(name: str, values: Mapping[str, Any], path: Path) -> Profile:
    types = {
        field.name: bool if field.name == "allow_http" else str for field in attrs.fields(Profile)
    }
    del types["name"]
    for key, value in values.items():
        if key not in types:
            message = _("{path}: [profiles.{name}] has the unknown name {key}; it may have {names}")
            if "key" in key:
                message += _(". A key is never in this file")
            raise ConfigurationError(
                message.format(path=path, name=name, key=key, names=", ".join(types))
            )
        if not isinstance(value, types[key]):
            message = _("{path}: {key} of [profiles.{name}] must be a text in quotes")
            if types[key] is bool:
                message = _("{path}: {key} of [profiles.{name}] must be true or false")
            raise ConfigurationError(message.format(path=path, key=key, name=name))
    if values.get("rate_limits", "documented") not in _LIMITS:
        message = _("{path}: rate_limits of [profiles.{name}] must be one of {names}")
        raise ConfigurationError(message.format(path=path, name=name, names=", ".join(_LIMITS)))
    return Profile(name=name, **values)


def _key_of_keyring(name: str) -> str | None:
    keyring = import_keyring()
    if keyring is None:
        return None
    try:
        key: str | None = keyring.get_password(KEYRING_SERVICE, name)
    except keyring.errors.KeyringError as error:
        message = _("the keyring cannot be read: {kind}; unlock it, or name a variable for the key")
        raise ConfigurationError(message.format(kind=type(error).__name__)) from None
    return key


def import_keyring() -> Any:
    """Return the library ``keyring``; None if it is not installed."""
    try:
        # It is not declared: users install it if they want it.
        pkgutil.resolve_name("keyring.errors")
        return pkgutil.resolve_name("keyring")
    except ModuleNotFoundError:
        return None
