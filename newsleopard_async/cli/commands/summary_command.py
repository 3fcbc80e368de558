"""``newsleopard summary``: the arguments and options."""

from __future__ import annotations

from functools import partial

import click

from newsleopard_async import workflows
from newsleopard_async.cli.completion_values import complete_target
from newsleopard_async.cli.display.pipeline_display import DoneSteps
from newsleopard_async.cli.display.terminal import write_json
from newsleopard_async.cli.results.campaign_report import explaining_interrupt
from newsleopard_async.cli.results.summary_table import summaries_table
from newsleopard_async.cli.runs.campaign_target import code_of
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import json_option, profile_option
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.workflows import CampaignSummary

__all__ = ["summary"]


@click.command()
@click.argument("codes", metavar="CODE...", nargs=-1, required=True, shell_complete=complete_target)
@profile_option
@json_option
def summary(codes: tuple[str, ...], *, profile_name: str | None, as_json: bool) -> None:
    """Show the results of campaigns in numbers, one row each.

    CODE is the code of a campaign (活動代碼), the send key of its run, or a checkpoint file. The
    numbers are the platform's, with a row for each part of an A/B test. If the account has no such
    numbers, the reports are exported and counted; this takes minutes, and is possible once an hour
    per campaign. A dash is a number that is unknown.
    """
    session = Session(as_json=as_json, profile_name=profile_name)
    done = DoneSteps()
    with explaining_interrupt(done):
        found = session.run_async(partial(_summarize, session, codes, done))
    if as_json:
        write_json([each.to_dict() for each in found])
        return
    session.console.print(summaries_table(found, width=session.console.width))
    if any(each.source == "report" for each in found):
        text = _("Counted in the report files, where the parts of an A/B test are not separate.")
        session.console.print(text, style="dim")


async def _summarize(
    session: Session, codes: tuple[str, ...], done: DoneSteps
) -> tuple[CampaignSummary, ...]:
    campaign_sns = [await code_of(session, each) for each in codes]
    with session.pipeline_display(done) as progress:
        async with session.client() as nl:
            return await workflows.summarize(nl, campaign_sns, progress=progress)
