"""``newsleopard cancel``: the arguments and options."""

from __future__ import annotations

import sys

import click

from newsleopard_async.cli.results.cancelling import CancelInput, cancel_campaign
from newsleopard_async.cli.runs.campaign_target import TargetKind, target_argument
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import (
    any_url_option,
    json_option,
    profile_option,
    yes_option,
)

__all__ = ["cancel"]


@click.command()
@target_argument
@yes_option
@any_url_option
@profile_option
@json_option
def cancel(
    target: str,
    *,
    kind: TargetKind | None,
    yes: bool,
    url: str | None,
    profile_name: str | None,
    as_json: bool,
) -> None:
    """Call off a campaign, before or while it is sent.

    TARGET is the send key of the run, a checkpoint file, or the code of the campaign (活動代碼).
    The command finds out which; an option forces it.

    If nothing was submitted yet, nothing will be. This works for a durable send of any worker;
    another run that is active must be stopped first. A campaign that is scheduled or being sent is
    paused, or else deleted; mails that are out cannot be called back. The requests have priority
    over all others of the key, and the command can be repeated.

    The exit status is 0 if it is called off, 1 if it was too late, and 3 if it is unknown whether
    something was submitted.
    """
    session = Session(as_json=as_json, profile_name=profile_name)
    sys.exit(cancel_campaign(session, CancelInput(target, kind=kind, url=url, yes=yes)))
