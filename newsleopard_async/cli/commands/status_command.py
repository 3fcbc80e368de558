"""``newsleopard status``: the arguments and options."""

from __future__ import annotations

from functools import partial

import click

from newsleopard_async.cli.results.shown_status import StatusInput, show_status
from newsleopard_async.cli.runs.campaign_target import TargetKind, target_argument
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import any_url_option, json_option, profile_option
from newsleopard_async.cli.translation import translated as _

__all__ = ["status"]


@click.command()
@target_argument
@click.option("--wait", is_flag=True, help="Wait until it is sent.")
@any_url_option
@profile_option
@json_option
def status(
    target: str,
    *,
    kind: TargetKind | None,
    wait: bool,
    url: str | None,
    profile_name: str | None,
    as_json: bool,
) -> None:
    """Show the state of a campaign and of the run that sends it.

    TARGET is the send key of the run, a checkpoint file, or the code of the campaign (活動代碼).
    The command finds out which; an option forces it. It only reads.

    With --wait, the exit status is 0 when the campaign is sent, and 1 if it is not, or not all of
    it.
    """
    session = Session(as_json=as_json, profile_name=profile_name)
    given = StatusInput(target, kind=kind, url=url, wait=wait)
    try:
        session.run_async(partial(show_status, session, given))
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(_("The command only reads; the campaign is not changed."))
        raise
