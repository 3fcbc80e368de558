"""``newsleopard profile``: the arguments and options."""

from __future__ import annotations

import sys
from typing import Any, get_args

import click

from newsleopard_async.cli.accounts.profile_actions import (
    list_profiles,
    remove_profile,
    set_profile,
)
from newsleopard_async.cli.accounts.profile_keys import store_key
from newsleopard_async.cli.accounts.profiles import LimitsName
from newsleopard_async.cli.completion_values import complete_profile
from newsleopard_async.cli.confirmation import confirm, require_terminal
from newsleopard_async.cli.display.terminal import safe_text, write_json
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import json_option, yes_option
from newsleopard_async.cli.translation import translated as _

__all__ = ["profile"]

_NAME = click.argument("name", metavar="NAME", shell_complete=complete_profile)


@click.group()
def profile() -> None:
    """Show and change profiles: the accounts that commands can use.

    A profile has a name, and the settings of an account. It is in a file of your configuration
    folder, which never contains a key. The key is in a variable or in the keyring. Use a profile by
    --profile NAME, by the variable NEWSLEOPARD_PROFILE, or as the default.
    """


@profile.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """Show all profiles, without their keys."""
    list_profiles(Session(as_json=as_json))


@profile.command("set")
@_NAME
@click.option(
    "--base-url", metavar="URL", help="The URL of the API; by default NEWSLEOPARD_BASE_URL."
)
@click.option(
    "--allow-http/--no-allow-http",
    default=None,
    help="Allow plain http to another host; everyone on the way can then read the key.",
)
@click.option(
    "--api-key-variable",
    metavar="VARIABLE",
    help="The name of the variable that has the key; without it, the keyring has the key.",
)
@click.option("--sender", metavar="SENDER", help="The default sender: NAME <ADDRESS>.")
@click.option(
    "--store",
    metavar="URL",
    help="The store of runs: sqlite:////…, postgresql://… or redis://…; by default the files of "
    "this user.",
)
@click.option(
    "--quota",
    metavar="URL",
    help="The Redis that shares the rate limits with other hosts; by default the processes of this "
    "host share them.",
)
@click.option(
    "--rate-limits", type=click.Choice(["", *get_args(LimitsName)]), help="The limits to keep."
)
@click.option("--default", "is_default", is_flag=True, help="Use it if no profile is named.")
@json_option
def set_command(name: str, is_default: bool, as_json: bool, **given: Any) -> None:
    """Create the profile NAME, or change its settings.

    Settings that are not given stay as they are. An empty value, as in --sender "", removes a
    setting.
    """
    settings = {key: value or None for key, value in given.items() if value is not None}
    set_profile(Session(as_json=as_json), name, settings, is_default=is_default)


@profile.command("key")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=complete_profile)
@json_option
def key_command(name: str | None, as_json: bool) -> None:
    """Store the key of the profile NAME in the keyring.

    The key is asked for and not shown, or read from the standard input. Without NAME, it is the key
    of the default profile, or of commands without a profile. It needs the package keyring.
    """
    session = Session(as_json=as_json)
    stored = store_key(name, _read_key)
    if as_json:
        write_json({"profile": stored, "stored": True})
    else:
        text = _("The key of {name} is in the keyring. Try it: newsleopard doctor")
        session.console.print(safe_text(text.format(name=stored)), soft_wrap=True)


def _read_key(name: str) -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        return "" if sys.stdin is None else sys.stdin.readline()
    text: str = click.prompt(_("Key of {name}").format(name=name), hide_input=True, err=True)
    return text


@profile.command("remove")
@_NAME
@yes_option
@json_option
def remove_command(name: str, yes: bool, as_json: bool) -> None:
    """Remove the profile NAME, and its key from the keyring."""
    require_terminal(yes=yes)
    if not yes:
        question = _("Remove the profile {name}, and its key from the keyring?").format(name=name)
        confirm(question)
    remove_profile(Session(as_json=as_json), name)
