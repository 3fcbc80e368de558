"""``newsleopard lists``: the arguments and options."""

from __future__ import annotations

from functools import partial

import click

from newsleopard_async.cli.display.terminal import safe_text, write_json
from newsleopard_async.cli.results.lists import FIRST_LISTS, lists_table, read_lists
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import json_option, profile_option
from newsleopard_async.cli.translation import translated as _

__all__ = ["lists"]


@click.command()
@click.option("--all", "show_all", is_flag=True, help="Show all lists, not only the first 50.")
@click.option(
    "--search", default="", metavar="TEXT", help="Show all lists with this text in their name."
)
@profile_option
@json_option
def lists(*, show_all: bool, search: str, profile_name: str | None, as_json: bool) -> None:
    """Show the contact lists (群組) with their codes and numbers of subscribers.

    Subscribers are the active members of a list, excluded are the others, such as unsubscribed
    ones. A dash is a number that the platform does not give. The command only reads.
    """
    session = Session(as_json=as_json, profile_name=profile_name)
    limit = None if show_all or search else FIRST_LISTS
    found = session.run(partial(read_lists, search=search, limit=limit))
    if as_json:
        write_json([each.to_dict() for each in found.lists])
    elif found.lists:
        session.console.print(lists_table(found.lists, width=session.console.width))
    else:
        text = (
            _("No list has {search!r} in its name.") if search else _("The account has no lists.")
        )
        session.errors.print(safe_text(text.format(search=search)))
    if found.has_more:
        text = _("Only the first {count} lists are shown; --all shows all.")
        session.errors.print(safe_text(text.format(count=FIRST_LISTS), "yellow"))
