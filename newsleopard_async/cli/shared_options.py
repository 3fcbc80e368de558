"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import click
from click.core import ParameterSource

from newsleopard_async.cli.accounts.profiles import PROFILE_VARIABLE
from newsleopard_async.cli.completion_values import complete_profile
from newsleopard_async.cli.runs.locations import URL_VARIABLE, has_password
from newsleopard_async.cli.translation import translated as _

__all__ = [
    "OptionDecorator",
    "any_url_option",
    "durable_url_option",
    "is_given",
    "json_option",
    "profile_option",
    "yes_option",
]

F = TypeVar("F", bound=Callable[..., Any])


class OptionDecorator(Protocol):
    """What ``click.option`` returns: it adds the option to a command."""

    def __call__(self, function: F, /) -> F:
        """Add the option."""
        ...


json_option: OptionDecorator = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the result as JSON; an error is JSON on the standard error.",
)

profile_option: OptionDecorator = click.option(
    "--profile",
    "profile_name",
    envvar=PROFILE_VARIABLE,
    show_envvar=True,
    metavar="NAME",
    shell_complete=complete_profile,
    help="The account to use: the name of a profile.",
)

yes_option: OptionDecorator = click.option(
    "--yes", "-y", is_flag=True, help="Do not ask; for programs."
)


def is_given(context: click.Context, name: str) -> bool:
    """Return whether an option is on the command line, and not in a variable."""
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _warn_of_password(
    context: click.Context,
    parameter: click.Parameter,  # noqa: ARG001 - click's signature
    url: str | None,
) -> str | None:
    """Warn about a password that all users of this host can see."""
    if url and is_given(context, "url") and has_password(url):
        warning = _("All users of this host can see the password in --url; set {name} instead.")
        click.secho(warning.format(name=URL_VARIABLE), fg="yellow", err=True)
    return url or None


durable_url_option: OptionDecorator = click.option(
    "--url",
    envvar=URL_VARIABLE,
    show_envvar=True,
    metavar="URL",
    callback=_warn_of_password,
    help="The database of the sends: sqlite:////folder/sends.db, or "
    "postgresql://user@host/database.",
)

any_url_option: OptionDecorator = click.option(
    "--url",
    envvar=URL_VARIABLE,
    show_envvar=True,
    metavar="URL",
    callback=_warn_of_password,
    help="The store of the sends: sqlite:////…, postgresql://… or redis://…; by default the "
    "profile's, or the files of this user.",
)
