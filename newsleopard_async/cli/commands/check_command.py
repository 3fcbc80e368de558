"""``newsleopard check``: the arguments and options."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from newsleopard_async.cli.contacts.contacts_check import CheckInput, run_check
from newsleopard_async.cli.contacts.contacts_input import (
    ContactsInput,
    contacts_options,
    strict_option,
)
from newsleopard_async.cli.failures import ExitStatus
from newsleopard_async.cli.sending.campaign_file import build_campaign
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import json_option
from newsleopard_async.cli.translation import translated as _

__all__ = ["check"]


@click.command()
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--campaign",
    "campaign_file",
    metavar="CAMPAIGN",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Check this campaign file too, together with the contacts.",
)
@contacts_options()
@click.option(
    "--write-to",
    type=click.Path(path_type=Path),
    help="Write the CSV there that would be uploaded.",
)
@click.option("--deep", is_flag=True, help="Check addresses with email-validator as well.")
@strict_option
@json_option
@click.pass_context
def check(
    context: click.Context,
    path: Path | None,
    *,
    campaign_file: Path | None,
    how: ContactsInput,
    write_to: Path | None,
    deep: bool,
    strict: bool,
    as_json: bool,
) -> None:
    """Check a FILE of contacts or a campaign; nothing is sent.

    FILE can also be a pipe, and - is the standard input. The exit status is 0 if the contacts can
    be sent to, and 1 if they cannot.
    """
    if path is None and campaign_file is None:
        raise click.UsageError(_("name a FILE of contacts, or a campaign by --campaign"), context)
    session = Session(as_json=as_json)
    sender = None if campaign_file is None else session.profile.sender
    given = CheckInput(
        contacts=path,
        campaign=None
        if campaign_file is None
        else build_campaign(campaign_file, {}, sender=sender),
        options={**how.arguments(), "write_to": write_to, "deep": deep},
        strict=strict,
    )
    sys.exit(ExitStatus.DONE if run_check(session, given) else ExitStatus.REFUSED)
