"""The keys of profiles: in a variable, or in the keyring of the operating system."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from newsleopard_async.cli.accounts.profiles import (
    KEYRING_SERVICE,
    Profile,
    import_keyring,
    profiles_path,
    read_profiles,
)
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.errors import ConfigurationError
from newsleopard_async.transport.redact import Secret
from newsleopard_async.transport.settings import read_key

__all__ = ["delete_key", "existing_profiles", "has_key", "key_source", "store_key"]

NO_PROFILE: Final = "default"
"""The name in the keyring of the key that commands without a profile use."""


def key_source(profile: Profile) -> str:
    """Return where a profile's key is, in words."""
    if profile.api_key_variable is not None:
        return f"${profile.api_key_variable}"
    return _("the keyring") if import_keyring() else _("the keyring, which is not installed")


def has_key(profile: Profile) -> bool:
    """Return whether a profile's key is where the profile says."""
    if profile.api_key_variable is not None:
        return bool(os.environ.get(profile.api_key_variable))
    try:
        return profile.api_key() is not None
    except ConfigurationError:
        return False


def existing_profiles(name: str) -> tuple[str | None, dict[str, Profile]]:
    """Return the default and all profiles, of which one must exist.

    Raises:
        ConfigurationError: the file cannot be read, or has no such profile.
    """
    default, profiles = read_profiles()
    if name not in profiles:
        raise ConfigurationError(
            _("{path} has no profile {name}; newsleopard profile list shows all").format(
                path=profiles_path(), name=name
            )
        )
    return default, profiles


def store_key(name: str | None, read: Callable[[str], str]) -> str:
    """Store a key in the keyring, and return the name of its profile.

    Args:
        name: The profile; None for the default one, or for commands without a profile.
        read: Reads the key; it is called with the profile's name after all other checks.

    Raises:
        ConfigurationError: the profile does not exist, it reads its key elsewhere, the key cannot
            be sent, or the keyring cannot store it.
    """
    default, profiles = read_profiles() if name is None else existing_profiles(name)
    name = name or default or NO_PROFILE
    variable = profiles.get(name, Profile()).api_key_variable
    if variable is not None:
        raise ConfigurationError(
            _(
                "the profile {name} reads its key from the variable {variable}; set that, or use "
                'the keyring instead: newsleopard profile set {name} --api-key-variable ""'
            ).format(name=name, variable=variable)
        )
    keyring = import_keyring()
    if keyring is None:
        raise ConfigurationError(_no_keyring(_("the package keyring is not installed")))
    key = read_key(Secret(_not_empty(read(name)))).reveal()
    with _keyring_errors(keyring):
        keyring.set_password(KEYRING_SERVICE, name, key)
        is_stored = keyring.get_password(KEYRING_SERVICE, name) == key
    if not is_stored:
        raise ConfigurationError(_no_keyring(_("the keyring of this machine stores nothing")))
    return name


def _not_empty(key: str) -> str:
    if not key.strip():
        raise ConfigurationError(_("the key is empty; nothing was stored"))
    return key


def delete_key(name: str) -> bool:
    """Delete a profile's key from the keyring; return whether it had one.

    Raises:
        ConfigurationError: the keyring cannot be used.
    """
    keyring = import_keyring()
    if keyring is None:
        return False
    with _keyring_errors(keyring):
        if keyring.get_password(KEYRING_SERVICE, name) is None:
            return False
        keyring.delete_password(KEYRING_SERVICE, name)
    return True


@contextmanager
def _keyring_errors(keyring: Any) -> Iterator[None]:
    try:
        yield
    except keyring.errors.NoKeyringError:
        why = _("this machine has no keyring that the package can use")
    except keyring.errors.KeyringError as error:
        why = _("the keyring refused it ({kind})").format(kind=type(error).__name__)
    else:
        return
    # Raised here, because the cause can contain the key.
    raise ConfigurationError(_no_keyring(why))


def _no_keyring(reason: str) -> str:
    return _(
        "{reason}. Install one (pip install keyring), or keep the key in a variable: newsleopard "
        "profile set NAME --api-key-variable VARIABLE"
    ).format(reason=reason)
