"""``newsleopard probe``: the arguments and options."""

from __future__ import annotations

import click

from newsleopard_async.cli.confirmation import confirm, require_terminal
from newsleopard_async.cli.probing.probe_report import (
    print_findings,
    print_questions,
    probe_account,
)
from newsleopard_async.cli.probing.questions import ProbeOptions
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import json_option, profile_option, yes_option
from newsleopard_async.cli.translation import translated as _

__all__ = ["probe"]


@click.command()
@click.option(
    "--campaign-sn", metavar="SN", help="A sent campaign to ask about; by default the latest one."
)
@click.option("--import-sn", metavar="SN", help="An import of the last 30 days to ask about.")
@profile_option
@yes_option
@json_option
def probe(
    *,
    campaign_sn: str | None,
    import_sn: str | None,
    profile_name: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Find out how the platform really answers, and print an emulator that answers alike.

    The documentation of the platform leaves many points open. This command asks your account a few
    questions, which only read, and prints the shapes of the answers: names of fields, types, and
    formats of times and codes. It prints no value: no name, no address, no code, no link and no
    exact number. So the output can be shown to others, for example in a bug report.

    Its last line starts an emulator with the switches that answer alike.
    """
    require_terminal(yes=yes)
    session = Session(as_json=as_json, profile_name=profile_name)
    options = ProbeOptions(campaign_sn=campaign_sn, import_sn=import_sn)
    if not yes:
        print_questions(session, options)
        confirm(_("Ask them?"))
    print_findings(session, probe_account(session, options))
