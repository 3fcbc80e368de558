"""``newsleopard rehearse``: the arguments and options."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from newsleopard_async.cli.contacts.contacts_input import (
    ContactsInput,
    contacts_options,
    max_rejected_option,
    part_bytes_option,
    strict_option,
)
from newsleopard_async.cli.failures import ExitStatus
from newsleopard_async.cli.sending.campaign_input import CampaignInput, campaign_options
from newsleopard_async.cli.sending.rehearsal_display import RehearsalInput, run_rehearsal
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import json_option, profile_option

__all__ = ["rehearse"]


@click.command()
@campaign_options()
@click.option(
    "--contacts",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The contacts to send to; - is the standard input.",
)
@contacts_options(writes=False)
@part_bytes_option
@max_rejected_option
@strict_option
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default="rehearsal",
    show_default=True,
    help="The folder for the mails, as pages; mails of an earlier rehearsal in it are removed.",
)
@click.option(
    "--mails",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="How many mails to write; for an A/B test, of each version.",
)
@click.option("--open", "opens", is_flag=True, help="Open the first mail in the browser.")
@profile_option
@json_option
def rehearse(
    *,
    campaign: CampaignInput,
    how: ContactsInput,
    contacts: Path,
    part_bytes: int | None,
    max_rejected: float | None,
    strict: bool,
    folder: Path,
    mails: int,
    opens: bool,
    profile_name: str | None,
    as_json: bool,
) -> None:
    """Show what sending a CAMPAIGN would do; nothing leaves this machine.

    The whole work runs against an emulator in this process, which needs no key: the checks, the
    import, the mails with the values of real rows, and the times. The mails are written into a
    folder.

    CAMPAIGN is a file as for newsleopard send. The exit status is 0 if the campaign would be sent,
    and 1 if it would not.
    """
    campaign.refuse_contradictions(contacts)
    session = Session(as_json=as_json, profile_name=profile_name)
    options = how.arguments()
    del options["left_out_to"]
    given = RehearsalInput(
        campaign=campaign.build(session.profile.sender),
        contacts=contacts,
        folder=folder,
        mails=mails,
        opens=opens,
        options={
            **options,
            "part_bytes": part_bytes,
            "max_rejected": max_rejected,
            "strict": strict,
        },
    )
    sys.exit(ExitStatus.DONE if run_rehearsal(session, given) else ExitStatus.REFUSED)
