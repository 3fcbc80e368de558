"""Checks of the set-up: Python, the profile, the key and the keyring. They send nothing."""

from __future__ import annotations

import os
import platform
import tempfile
from importlib.util import find_spec
from shutil import disk_usage
from typing import Final

from newsleopard_async.cli.accounts.profiles import import_keyring, profiles_path
from newsleopard_async.cli.doctor.diagnosis import (
    Diagnosis,
    Examination,
    in_daemon,
    passed,
    skipped,
    warned,
)
from newsleopard_async.cli.translation import ngettext
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.temporary import private_folder
from newsleopard_async.transport.redact import Secret
from newsleopard_async.transport.settings import KEY_VARIABLES, read_base_url, read_key
from newsleopard_async.version import __version__

__all__ = [
    "check_key",
    "check_keyring",
    "check_profile",
    "check_python",
    "check_temporary_folder",
]

_EXTRAS: Final = {
    "check": ("email_validator",),
    "cli": ("click", "platformdirs", "rich"),
    "dbos": ("dbos",),
    "emulator": ("jinja2", "starlette", "uvicorn"),
    "otel": ("opentelemetry",),
    "redis": ("redis",),
    "sql": ("psycopg", "sqlalchemy"),
    "xlsx": ("python_calamine",),
}
"""The extras of the package, and the modules of each."""

_TELLING_CHARACTERS: Final = 16
"""Chosen: of a key of this length, the last two characters are not enough to find the rest."""

_ENOUGH_BYTES: Final = 500_000_000
"""Chosen: a million contacts with some columns take 100 MB, and a run can store them twice."""


async def check_python(_examination: Examination) -> Diagnosis:
    """Name the versions and the extras."""
    extras = [name for name, modules in _EXTRAS.items() if all(map(find_spec, modules))]
    return passed(
        _("newsleopard-async {version}, Python {python}, {system}; extras: {extras}").format(
            version=__version__,
            python=platform.python_version(),
            system=platform.system(),
            extras=", ".join(extras),
        )
    )


async def check_profile(examination: Examination) -> Diagnosis:
    """Find the profile and the URL of the API."""
    profile = examination.session.profile
    examination.base_url = read_base_url(profile.base_url, allow_http=profile.allow_http)
    if not profile.name:
        text = _("no profile; the API is {url}")
    else:
        text = _("profile {name} of {path}; the API is {url}")
    return passed(text.format(name=profile.name, path=profiles_path(), url=examination.base_url))


async def check_key(examination: Examination) -> Diagnosis:
    """Find the key, and show no more of it than a person needs to recognise it."""
    profile = examination.session.profile
    found = await in_daemon(profile.api_key)  # a keyring can ask its user first
    examination.key = read_key(None if found is None else Secret(found))
    key = examination.key.reveal()
    source = _source(profile.api_key_variable, is_given=found is not None)
    text = ngettext(
        "{count} character, from {source}", "{count} characters, from {source}", len(key)
    )
    if len(key) >= _TELLING_CHARACTERS:
        text = _("{count} characters, the last two are {end}, from {source}")
    return passed(text.format(source=source, count=len(key), end=key[-2:]))


def _source(variable: str | None, *, is_given: bool) -> str:
    if variable is None and is_given:
        return _("the keyring")
    names = KEY_VARIABLES if variable is None else (variable,)
    return "$" + next(name for name in names if os.environ.get(name, "").strip())


async def check_keyring(_examination: Examination) -> Diagnosis:
    """Name the keyring of this machine; only profiles without a variable need one."""
    keyring = import_keyring()
    if keyring is None:
        return skipped(_("the package keyring is not installed; keys come from variables"))
    backend = await in_daemon(lambda: type(keyring.get_keyring()).__module__)
    if "fail" in backend or "null" in backend:
        return warned(
            _("this machine has no keyring that the package can use"),
            _("Keep keys in variables: newsleopard profile set NAME --api-key-variable VARIABLE"),
        )
    return passed(backend)


async def check_temporary_folder(_examination: Examination) -> Diagnosis:
    """Create and remove a private folder, as each run with contacts does."""
    with private_folder() as folder:
        (folder / "doctor").write_bytes(b"")
        free = disk_usage(folder).free
    where = tempfile.gettempdir()
    found = _("{folder}: {count:,} MB are free").format(folder=where, count=free // 1_000_000)
    if free < _ENOUGH_BYTES:
        return warned(found, _("Free some space, or name another folder in TMPDIR."))
    return passed(found)
