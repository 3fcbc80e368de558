"""``newsleopard timezones``: the arguments and options."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click

from newsleopard_async.cli.display.terminal import safe_text, write_json
from newsleopard_async.cli.failures import ExitStatus
from newsleopard_async.cli.results.zones import find_zones, zones_table
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import json_option
from newsleopard_async.cli.translation import translated as _

__all__ = ["timezones"]


@click.command(context_settings={"ignore_unknown_options": True})  # an offset such as -5
@click.argument("search", metavar="[SEARCH]", required=False, default="")
@json_option
def timezones(search: str, *, as_json: bool) -> None:
    """Show the platform's time zones with their offsets from UTC now.

    SEARCH is a part of a name, such as taipei; an offset, such as +8; or a code, such as 21. A code
    is not an offset: 8 is SYDNEY. No key is needed, and nothing is sent.

    The exit status is 0, or 1 if no zone is found.
    """
    session = Session(as_json=as_json)
    found = find_zones(search, datetime.now(UTC))
    if as_json:
        write_json([each.to_dict() for each in found])
    elif found:
        session.console.print(zones_table(found, width=session.console.width))
        session.console.print(_("A code is not an offset: 8 is SYDNEY, not UTC+8."), style="dim")
    else:
        message = _("The platform lists no zone for {search!r}.").format(search=search)
        session.errors.print(safe_text(message, "red"))
    if not found:
        sys.exit(ExitStatus.REFUSED)
