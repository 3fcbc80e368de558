"""``newsleopard send``: the arguments and options."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from newsleopard_async.cli.contacts.contacts_input import (
    ContactsInput,
    contacts_options,
    max_rejected_option,
    part_bytes_option,
    reuse_list_option,
    strict_option,
)
from newsleopard_async.cli.sending.campaign_input import CampaignInput, campaign_options, parsed_by
from newsleopard_async.cli.sending.campaign_send import SendChoices, carry_out
from newsleopard_async.cli.sending.friendly_times import parse_duration
from newsleopard_async.cli.sending.send_input import SendInput, prepared_send, rehearse_instead
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import json_option, profile_option, yes_option

__all__ = ["send"]


@click.command()
@campaign_options(has_lists=True)
@click.option(
    "--contacts",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The contacts to import and send to; - is the standard input.",
)
@click.option("--list-name", metavar="NAME", help="The name of a new list for the contacts.")
@reuse_list_option
@contacts_options()
@part_bytes_option
@max_rejected_option
@strict_option
@click.option(
    "--hold",
    metavar="DURATION",
    callback=parsed_by(parse_duration),
    help="Hold the campaign so long after its submit, such as 10m or 1h, while newsleopard cancel "
    "can stop it.",
)
@click.option(
    "--send-key",
    metavar="KEY",
    help="The key under which it is sent once; by default the name of the campaign.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the progress in this file, instead of under a send key.",
)
@click.option(
    "--test-to",
    multiple=True,
    metavar="ADDRESS",
    help="First send a test to this address of yours; repeatable.",
)
@click.option("--wait", is_flag=True, help="Wait until the campaign is sent.")
@click.option(
    "--rehearse",
    "rehearses",
    is_flag=True,
    help="Only show what would happen, and write the first mails into the folder rehearsal.",
)
@yes_option
@profile_option
@json_option
def send(
    *,
    campaign: CampaignInput,
    how: ContactsInput,
    hold: timedelta | None,
    test_to: tuple[str, ...],
    wait: bool,
    rehearses: bool,
    yes: bool,
    profile_name: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Import contacts, if any, and send a CAMPAIGN, once.

    CAMPAIGN is a file in TOML or JSON: name, subject, sender = "電子豹 <service@example.com>",
    html_file, schedule, or an A/B test with subject_a and subject_b, proportion and wait = "4h".
    Options replace its fields, or all of it.

    First everything is checked, and recipients, mail, times and balance are shown. Then the command
    asks. Programs use --yes.

    The same command twice sends once: a campaign is sent under a key, by default its name. So a
    campaign of each week needs a name of its own, for example with the date. After a crash, the
    same command or newsleopard resume continues where it was.
    """
    session = Session(as_json=as_json, profile_name=profile_name)
    request = SendInput(campaign=campaign, how=how, hold=hold, **given)
    if rehearses:
        others = {"--hold": hold, "--test-to": test_to, "--wait": wait}
        rehearse_instead(session, request, others=[name for name, is_on in others.items() if is_on])
        return
    choices = SendChoices(
        yes=yes, wait=wait, test_to=test_to, has_data_on_stdin=request.has_data_on_stdin
    )
    send, kept = prepared_send(session, request, yes=yes)
    carry_out(session, send, kept, choices)
