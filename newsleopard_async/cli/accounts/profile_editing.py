"""Changes the file of profiles, and keeps its comments if its form is the usual one.

A change edits lines: it replaces or adds ``name = value`` below the table of the profile. The
result is parsed again. If it does not have the wanted values, because the file uses another form of
TOML such as inline tables, the whole file is written anew, without comments.
"""

from __future__ import annotations

import contextlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from newsleopard_async.cli.accounts.profiles import profiles_path, read_profiles
from newsleopard_async.cli.translation import reason_of
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.errors import ConfigurationError
from newsleopard_async.files import make_private_folder, write_durably

__all__ = ["PROFILE_NAME", "Setting", "change_profiles", "edited"]

PROFILE_NAME: Final = re.compile(r"\w[\w.-]*")
"""Names that need no quotes in a shell, also 中文."""

Setting = str | bool | None
"""The new value of a setting; None removes it."""

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def change_profiles(
    name: str, settings: Mapping[str, Setting] | None, *, default: str | None
) -> bool:
    """Change a profile and write the file, completely or not at all; only this user can read it.

    Args:
        name: The profile; it is created if it is new.
        settings: Its new settings; None removes the profile.
        default: The name of the default profile; None for no default.
    Returns: Whether all comments were kept.

    Raises:
        ConfigurationError: the file cannot be read or written.
    """
    read_profiles()  # refuses a file that a change would make worse
    path = profiles_path().resolve()
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        content = ""
    content, has_comments = edited(content, name, settings, default=default)
    try:
        make_private_folder(path.parent)
        write_durably(path, content.encode())
    except OSError as error:
        message = _("{path} cannot be written: {reason}")
        raise ConfigurationError(message.format(path=path, reason=reason_of(error))) from None
    return has_comments


def edited(
    content: str, name: str, settings: Mapping[str, Setting] | None, *, default: str | None
) -> tuple[str, bool]:
    """Return the new content of the file, and whether its comments were kept."""
    wanted = _wanted(tomllib.loads(content), name, settings, default)
    lines = content.splitlines()
    _set_default(lines, default)
    if settings is None:
        _remove_table(lines, name)
    else:
        _set_values(lines, name, settings)
    new = "".join(f"{line}\n" for line in lines).lstrip("\n")
    with contextlib.suppress(tomllib.TOMLDecodeError):
        if tomllib.loads(new) == wanted:
            return new, True
    return _written_anew(wanted), "#" not in content


def _wanted(
    found: dict[str, Any],
    name: str,
    settings: Mapping[str, Setting] | None,
    default: str | None,
) -> dict[str, Any]:
    """Return the data that the file must have after the change."""
    profiles = dict(found.get("profiles", {}))
    if settings is None:
        del profiles[name]
    else:
        merged = {**profiles.get(name, {}), **settings}
        profiles[name] = {key: value for key, value in merged.items() if value is not None}
    wanted: dict[str, Any] = {} if default is None else {"default": default}
    return wanted | ({"profiles": profiles} if profiles else {})


def _set_default(lines: list[str], default: str | None) -> None:
    for at in _head(lines):
        if "default" in _parsed(lines[at]):
            lines[at : at + 1] = [] if default is None else [f"default = {_as_toml(default)}"]
            return
    if default is not None:
        lines[:0] = [f"default = {_as_toml(default)}", ""]


def _head(lines: list[str]) -> range:
    """Return the lines before the first table."""
    return range(next((at for at, line in enumerate(lines) if _is_header(line)), len(lines)))


def _table(lines: list[str], name: str) -> range | None:
    """Return the lines of a profile's table, with its header; None if it has none."""
    headers = [at for at, line in enumerate(lines) if _is_header(line)]
    for at, end in pairwise([*headers, len(lines)]):
        if _parsed(lines[at]) == {"profiles": {name: {}}}:
            return range(at, end)
    return None


def _remove_table(lines: list[str], name: str) -> None:
    found = _table(lines, name)
    if found is not None:
        del lines[found.start : found.stop]


def _set_values(lines: list[str], name: str, settings: Mapping[str, Setting]) -> None:
    found = _table(lines, name)
    if found is None:
        if lines and lines[-1].strip():
            lines.append("")
        lines.append(f"[profiles.{_as_key(name)}]")
        found = range(len(lines) - 1, len(lines))
    for key, value in settings.items():
        new = [] if value is None else [f"{_as_key(key)} = {_as_toml(value)}"]
        at, end = _place(lines, found, key)
        lines[at:end] = new
        found = range(found.start, found.stop + len(new) - (end - at))


def _place(lines: list[str], table: range, key: str) -> tuple[int, int]:
    """Return the lines to replace: the line of a key, or none after the last line with a value."""
    last = table.start
    for at in table[1:]:
        line = _parsed(lines[at])
        if key in line:
            return at, at + 1
        if line:
            last = at
    return last + 1, last + 1


def _is_header(line: str) -> bool:
    return line.lstrip().startswith("[")


def _parsed(line: str) -> dict[str, Any]:
    """Parse one line; a line that is only a part of a value is empty."""
    try:
        return tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return {}


def _written_anew(data: Mapping[str, Any]) -> str:
    return "".join(f"{line}\n" for line in _lines_of(data)).lstrip("\n")


def _lines_of(data: Mapping[str, Any]) -> Iterator[str]:
    if "default" in data:
        yield f"default = {_as_toml(data['default'])}"
    for name, settings in data.get("profiles", {}).items():
        yield ""
        yield f"[profiles.{_as_key(name)}]"
        for key, value in settings.items():
            yield f"{_as_key(key)} = {_as_toml(value)}"


def _as_key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _as_toml(name)


def _as_toml(value: str | bool) -> str:
    # A text of JSON is a text of TOML, except for this character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
