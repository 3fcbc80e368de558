"""``newsleopard report``: the arguments and options."""

from __future__ import annotations

from pathlib import Path

import click

from newsleopard_async.cli.completion_values import complete_target
from newsleopard_async.cli.results.campaign_report import ReportInput, show_report
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import json_option, profile_option
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.models import ReportType

__all__ = ["report"]

_TYPES = ("delivery", "open", "click", "bounce", "unsubscribe", "complain")
assert ReportType.known == {*_TYPES}


@click.command()
@click.argument("code", shell_complete=complete_target)
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Keep the files of the report there; by default they are removed.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write one page with charts, which loads nothing and has no contact data.",
)
@click.option(
    "--rows",
    type=click.Choice(_TYPES),
    help="Write the rows of this type as CSV in UTF-8.",
)
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="The file for the rows; by default the standard output (-).",
)
@profile_option
@json_option
def report(
    code: str,
    *,
    to: Path | None,
    html: Path | None,
    rows: str | None,
    csv_path: str | None,
    profile_name: str | None,
    as_json: bool,
) -> None:
    """Export the report of a campaign that was sent, and show its funnel.

    CODE is the code of the campaign (活動代碼), the send key of its run, or a checkpoint file.

    The platform needs some minutes, and exports a campaign once an hour. Within the hour the same
    report is shown again; in its first 5 minutes the command waits, because files can still come.
    The files are personal data, the funnel is not. A dash is a number that is unknown, because the
    platform has created no file for it.
    """
    if csv_path is not None and rows is None:
        raise click.UsageError(_("--csv needs --rows, which names the type of the rows"))
    given = ReportInput(code=code, to=to, html=html, rows=rows, csv=csv_path or "-")
    if given.prints_rows and as_json:
        message = _("--json and the rows cannot both be the output; name a file by --csv")
        raise click.UsageError(message)
    show_report(Session(as_json=as_json, profile_name=profile_name), given)
