"""``newsleopard doctor``: the arguments and options."""

from __future__ import annotations

import sys

import click

from newsleopard_async.cli.doctor.doctor_report import examine
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import json_option, profile_option

__all__ = ["doctor"]


@click.command()
@profile_option
@json_option
def doctor(*, profile_name: str | None, as_json: bool) -> None:
    """Find out why a command fails: try the set-up part by part.

    The checks are: Python and the package, the profile, the key, the keyring, temporary files, the
    store of runs, the rate limits, the proxy, DNS, the connection, TLS, an answer of the platform,
    the clock, and the key at the platform. Each result has what to do. At most two requests are
    sent to the API, and they only read. The key is not shown, except for its length and its last
    two characters.

    The exit status is 0 if all is well, else that of the first failure.
    """
    sys.exit(examine(Session(as_json=as_json, profile_name=profile_name)))
