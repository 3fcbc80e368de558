"""``newsleopard import``: the arguments and options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from newsleopard_async.cli.contacts.contacts_import import ImportInput, run_import
from newsleopard_async.cli.contacts.contacts_input import (
    contacts_options,
    part_bytes_option,
    reuse_list_option,
    strict_option,
)
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import json_option, profile_option
from newsleopard_async.cli.translation import translated as _

__all__ = ["import_contacts"]


@click.command("import")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--list-name", metavar="NAME", help="The name of a new list to import into.")
@click.option("--list", "list_sn", metavar="SN", help="The code of the list to import into.")
@reuse_list_option
@contacts_options()
@part_bytes_option
@strict_option
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the progress in this file; the same command then continues an interrupted import.",
)
@click.option(
    "--rejected-to",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the rows that the platform rejects there, as CSV with line and reason.",
)
@profile_option
@json_option
def import_contacts(*, profile_name: str | None, as_json: bool, **given: Any) -> None:
    """Import a FILE of contacts into a list, and wait for its end.

    FILE can also be a workbook or a pipe, and - is the standard input. Contacts that are in the
    list already are updated, so an import can be repeated. No mail is sent.
    """
    if (given["list_sn"] is None) == (given["list_name"] is None):
        raise click.UsageError(
            _("name the list: --list-name for a new one, or --list with the code of one")
        )
    run_import(Session(as_json=as_json, profile_name=profile_name), ImportInput(**given))
