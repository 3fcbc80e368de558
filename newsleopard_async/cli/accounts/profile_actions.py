"""``newsleopard profile``: shows profiles, changes them, and removes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.utils import parseaddr
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import attrs

from newsleopard_async.cli.accounts.profile_editing import PROFILE_NAME, Setting, change_profiles
from newsleopard_async.cli.accounts.profile_keys import (
    delete_key,
    existing_profiles,
    has_key,
    key_source,
)
from newsleopard_async.cli.accounts.profiles import Profile, profiles_path, read_profiles
from newsleopard_async.cli.display.tables import FactsTable
from newsleopard_async.cli.display.terminal import safe_text, write_json
from newsleopard_async.cli.library_messages import error_text
from newsleopard_async.cli.runs.locations import has_password, is_store_url
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.errors import ConfigurationError, InvalidRequest, Problem

__all__ = ["list_profiles", "remove_profile", "set_profile", "without_password"]

_MARK: Final = "•••"


def list_profiles(session: Session) -> None:
    """Print all profiles, without their keys.

    Raises:
        ConfigurationError: the file of profiles cannot be read.
    """
    default, profiles = read_profiles()
    described = [_described(each, is_default=each.name == default) for each in profiles.values()]
    if session.as_json:
        write_json(described)
        return
    for place, data in enumerate(described):
        if place:
            session.console.print()
        _print_profile(session, data)
    if not described:
        text = _("{path} has no profile. Create one: newsleopard profile set NAME")
        _say(session, text)


def _described(profile: Profile, *, is_default: bool) -> dict[str, Any]:
    settings = attrs.asdict(profile)
    for name in ("store", "quota"):
        settings[name] = settings[name] and without_password(settings[name])
    key = {"source": key_source(profile), "is_set": has_key(profile)}
    return {"default": is_default, **settings, "key": key}


def _print_profile(session: Session, data: Mapping[str, Any]) -> None:
    """Print the settings of a profile that are not the defaults, one below the other."""
    key = data["key"]["source"]
    rows = {
        _("key"): key if data["key"]["is_set"] else _("missing ({source})").format(source=key),
        _("base URL"): data["base_url"],
        _("plain http"): _("allowed") if data["allow_http"] else None,
        _("sender"): data["sender"],
        _("store"): data["store"],
        _("quota"): data["quota"],
        _("rate limits"): data["rate_limits"],
    }
    table = FactsTable()
    for name, value in rows.items():
        if value is not None:
            table.add_row(name, safe_text(value))
    heading = _("{name} (the default)") if data["default"] else "{name}"
    session.console.print(safe_text(heading.format(name=data["name"]), "bold"))
    session.console.print(table)


def without_password(url: str) -> str:
    """Return a URL without its password, to be shown."""
    if not has_password(url):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return _MARK
    user, at, host = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}:{_MARK}{at}{host}" if parts.password else parts.netloc
    # A query can contain the password as well.
    return urlunsplit((parts.scheme, netloc, parts.path, "", ""))


def set_profile(
    session: Session, name: str, settings: Mapping[str, Setting], *, is_default: bool
) -> None:
    """Create or change a profile; all settings are checked before.

    Raises:
        InvalidRequest: the name or a setting is wrong.
        ConfigurationError: the file cannot be read or written, or a URL is wrong.
    """
    if problems := [*_problems_of_name(name), *_problems_of(settings)]:
        raise InvalidRequest(problems)
    default, profiles = read_profiles()
    profile = attrs.evolve(profiles.get(name, Profile(name=name)), **_values(settings))
    _check_urls(profile)
    has_comments = change_profiles(name, settings, default=name if is_default else default)
    _warn(session, profile, has_comments=has_comments)
    if session.as_json:
        write_json(_described(profile, is_default=is_default or default == name))
        return
    _say(session, _("The profile {name} is saved in {path}."), name=name)
    if not has_key(profile) and profile.api_key_variable is not None:
        _say(session, _("The variable {name} is not set yet."), name=profile.api_key_variable)
    elif not has_key(profile):
        _say(session, _("It has no key yet; store it: newsleopard profile key {name}"), name=name)


def _values(settings: Mapping[str, Setting]) -> dict[str, Any]:
    """Return the values of a `Profile`; a setting that is removed has its default."""
    fields = attrs.fields_dict(Profile)
    return {key: fields[key].default if new is None else new for key, new in settings.items()}


def _problems_of_name(name: str) -> Iterator[Problem]:
    if not PROFILE_NAME.fullmatch(name):
        yield Problem("NAME", "characters", _("must have only letters, digits, '_', '-' and '.'"))


def _problems_of(settings: Mapping[str, Setting]) -> Iterator[Problem]:
    for key, value in settings.items():
        option = f"--{key.replace('_', '-')}"
        if not isinstance(value, str):
            continue
        if not value.isprintable():
            yield Problem(option, "characters", _("contains a character that cannot be shown"))
        elif key == "sender" and "@" not in parseaddr(value)[1]:
            yield Problem(option, "address", _("must be as in '電子豹 <service@example.com>'"))
        elif key == "store" and not is_store_url(value):
            yield Problem(
                option,
                "url",
                _(
                    "must be sqlite:////folder/runs.db, postgresql://user@host/database or redis://…"
                ),
            )


def _check_urls(profile: Profile) -> None:
    """Let the library check the URL of the API and of the shared limits; nothing is sent."""
    from newsleopard_async.clock import SystemClock
    from newsleopard_async.transport.limits.scope import check_quota
    from newsleopard_async.transport.settings import read_base_url

    if profile.base_url is not None:
        read_base_url(profile.base_url, allow_http=profile.allow_http)
    if profile.quota is not None:
        check_quota(profile.quota, SystemClock(), is_ours=True)


def _warn(session: Session, profile: Profile, *, has_comments: bool) -> None:
    if not has_comments:
        _warning(session, _("The file was written anew, without its comments."))
    if any(has_password(url) for url in (profile.store, profile.quota) if url):
        _warning(
            session,
            _(
                "The file has a password in it. Only you can read the file, but the history of "
                "your shell may have the password too."
            ),
        )


def remove_profile(session: Session, name: str) -> None:
    """Remove a profile, and its key from the keyring.

    Raises:
        ConfigurationError: the file cannot be read or written, or has no such profile.
    """
    default, _profiles = existing_profiles(name)
    has_comments = change_profiles(name, None, default=None if default == name else default)
    _warn(session, Profile(), has_comments=has_comments)
    try:
        had_key = delete_key(name)
    except ConfigurationError as error:
        had_key = False
        _warning(session, _("Its key may still be there: {error}").format(error=error_text(error)))
    if session.as_json:
        write_json({"removed": name, "key_deleted": had_key})
        return
    _say(session, _("The profile {name} is removed from {path}."), name=name)
    if had_key:
        _say(session, _("Its key is deleted from the keyring."))


def _warning(session: Session, text: str) -> None:
    session.errors.print(safe_text(text, "yellow"), soft_wrap=True)


def _say(session: Session, text: str, *, name: str = "") -> None:
    line = text.format(name=name, path=profiles_path())
    session.console.print(safe_text(line), soft_wrap=True)
