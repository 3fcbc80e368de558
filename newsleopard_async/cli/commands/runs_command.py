"""``newsleopard runs``, ``resolve`` and ``retry``: the arguments and options."""

from __future__ import annotations

from typing import Any, get_args

import anyio
import click

from newsleopard_async.cli.completion_values import complete_send_key
from newsleopard_async.cli.runs.kept_sends import forget_send
from newsleopard_async.cli.runs.sends import STATES, CommandOptions, list_runs, show_run
from newsleopard_async.cli.runs.sends import resolve as decide
from newsleopard_async.cli.runs.sends import retry as retry_send
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import any_url_option, json_option, profile_option
from newsleopard_async.workflows.decision import Decision

__all__ = ["resolve", "retry", "runs"]

_KEY = click.argument("send_key", metavar="KEY", shell_complete=complete_send_key)


def _chosen(url: str | None, profile_name: str | None, *, as_json: bool) -> CommandOptions:
    return CommandOptions(Session(as_json=as_json, profile_name=profile_name), url)


@click.command()
@click.argument("send_key", metavar="[KEY]", required=False, shell_complete=complete_send_key)
@any_url_option
@click.option(
    "--state",
    "states",
    type=click.Choice(STATES),
    multiple=True,
    metavar="STATE",
    help=f"Show only sends in this state; repeatable. One of {', '.join(STATES)}.",
)
@profile_option
@json_option
def runs(send_key: str | None, states: tuple[str, ...], **options: Any) -> None:
    """Show all sends, or all fields of the send with one KEY.

    Sends are the durable sends of a database, and the runs with a send key of any store. Sends that
    need a person come first. The command changes nothing and blocks no worker.

    The exit status is 0; 1 if no send has this KEY; 2 if the store cannot be used; 5 if its server
    cannot be reached.
    """
    chosen = _chosen(**options)
    if send_key is None:
        anyio.run(list_runs, chosen, states)
    else:
        anyio.run(show_run, chosen, send_key)


@click.command()
@_KEY
@click.argument("decision", metavar="sent|resubmit|abandon", type=click.Choice(get_args(Decision)))
@click.option("--campaign-sn", metavar="SN", help="The code of the campaign, for sent.")
@any_url_option
@profile_option
@json_option
def resolve(send_key: str, decision: Decision, campaign_sn: str | None, **options: Any) -> None:
    """Decide about a send that is held.

    KEY is its send key, or the file of its checkpoint. Whether it was submitted is unknown. First
    check the console (活動列表). sent: the campaign exists; name its code by --campaign-sn.
    resubmit: it does not exist, so submit it. abandon: never send anything under this KEY.

    A durable send then continues automatically. The exit status is 0; 1 if there is nothing to
    decide or it is too early; 2 if the store cannot be used; 5 if its server cannot be reached.
    """
    chosen = _chosen(**options)
    is_checkpoint = anyio.run(decide, chosen, send_key, decision, campaign_sn)
    if decision == "abandon" and chosen.url is None:
        forget_send(chosen.session.profile.name, send_key, is_checkpoint=is_checkpoint)


@click.command()
@_KEY
@any_url_option
@profile_option
@json_option
def retry(send_key: str, **options: Any) -> None:
    """Begin the next attempt at a durable send now.

    This also works for a send that has failed, after you have corrected the problem in its message.
    The exit status is 0; 1 if no send has this KEY; 2 if the database cannot be used; 5 if its
    server cannot be reached.
    """
    anyio.run(retry_send, _chosen(**options), send_key)
