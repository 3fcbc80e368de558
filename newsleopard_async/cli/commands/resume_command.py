"""``newsleopard resume``: the arguments and options."""

from __future__ import annotations

import sys

import click

from newsleopard_async.cli.completion_values import complete_target
from newsleopard_async.cli.sending.resumed_sends import resume_all, resume_one
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import json_option, profile_option
from newsleopard_async.cli.translation import translated as _

__all__ = ["resume"]


@click.command()
@click.argument("target", metavar="[KEY|FILE]", required=False, shell_complete=complete_target)
@click.option("--wait", is_flag=True, help="Wait until the campaign is sent.")
@profile_option
@json_option
def resume(target: str | None, *, wait: bool, profile_name: str | None, as_json: bool) -> None:
    """Continue a send that was interrupted, in any shell, without a question.

    KEY is its send key, and FILE its checkpoint. What newsleopard send was given is kept until the
    campaign is accepted. What was done is not repeated, and nothing is sent twice.

    Without an argument, all sends of the account with a send key are continued that are due: for
    cron. The exit status is then that of the first send that failed.
    """
    session = Session(as_json=as_json, profile_name=profile_name)
    if target is not None:
        resume_one(session, target, wait=wait)
        return
    if wait:
        raise click.UsageError(_("--wait needs a KEY"))
    sys.exit(resume_all(session))
