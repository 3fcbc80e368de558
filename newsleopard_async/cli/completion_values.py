"""Values that a shell completes: names of profiles, and the send keys of this user's runs.

A shell calls this at each press of the tab key. So no value needs a network, an unreadable file
means no values, and reading ends after a moment.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import Final

import anyio
import click
from click.shell_completion import CompletionItem

from newsleopard_async.cli.accounts.profiles import chosen_profile, read_profiles
from newsleopard_async.errors import NewsLeopardError

__all__ = ["complete_file", "complete_profile", "complete_send_key", "complete_target"]

_WITHIN_S: Final = 0.5
"""Chosen: a person waits so long for a completion; a thousand runs are read in a tenth of it."""

_MOST_KEYS: Final = 200
"""Chosen: more values fill a screen, which a person cannot scan."""

_SPECIAL: Final = re.compile(r"([^\w@%+=:,./-])")


def complete_profile(_context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of profiles that begin with a text."""
    try:
        _default, profiles = read_profiles()
    except NewsLeopardError:
        return []
    return [name for name in profiles if name.startswith(incomplete)]


def complete_send_key(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the send keys that begin with a text, of the runs in this user's files."""
    if context.params.get("url"):
        return []
    try:
        if chosen_profile(context.params.get("profile_name")).store is not None:
            return []
        found = anyio.run(_keys)
    except (NewsLeopardError, OSError):
        return []
    return [_as_word(key) for key in found if key.startswith(incomplete) and key.isprintable()]


def complete_file(
    _context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Let the shell complete a file, for an option that also has another meaning."""
    return [CompletionItem(incomplete, type="file")]


def complete_target(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the send keys that begin with a text; the shell adds files."""
    keys = complete_send_key(context, parameter, incomplete)
    # First, because the script for bash drops what came before a file.
    return complete_file(context, parameter, incomplete) + list(map(CompletionItem, keys))


async def _keys() -> list[str]:
    from newsleopard_async.stores import FileStore

    keys: list[str] = []
    with anyio.move_on_after(_WITHIN_S):
        async for key in FileStore().keys():
            keys.append(key)  # noqa: PERF401 - what was read in time counts
    return sorted(keys)[:_MOST_KEYS]


def _as_word(key: str) -> str:
    """Return a key as one word of the shell; bash does not quote it itself, zsh and fish do."""
    is_bash = "bash_complete" in os.environ.values()
    if not is_bash or _has_open_quote(os.environ.get("COMP_WORDS", "")):
        return key
    # Two, because the script's `read` removes one.
    return _SPECIAL.sub(r"\\\\\1", key)


def _has_open_quote(line: str) -> bool:
    try:
        shlex.split(line)
    except ValueError:
        return True
    return False
