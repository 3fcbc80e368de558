"""``newsleopard worker``: the arguments and options."""

from __future__ import annotations

from typing import Any

import click

from newsleopard_async.cli.runs.health import Address, read_address
from newsleopard_async.cli.runs.worker_process import WorkerOptions, run_worker
from newsleopard_async.cli.shared_options import durable_url_option, is_given, json_option
from newsleopard_async.cli.translation import translated as _

__all__ = ["worker"]


def _health(
    context: click.Context,  # noqa: ARG001 - click's signature
    parameter: click.Parameter,  # noqa: ARG001
    text: str | None,
) -> Address | None:
    try:
        return None if text is None else read_address(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.argument("app", required=False)
@durable_url_option
@click.option(
    "--slots", type=click.IntRange(min=1), help="The number of simultaneous sends.  [default: 20]"
)
@click.option(
    "--health",
    callback=_health,
    metavar="HOST:PORT",
    help="Answer /live and /ready there over HTTP; without a HOST, on this machine only.",
)
@json_option
@click.pass_context
def worker(context: click.Context, /, **options: Any) -> None:
    """Process durable sends, until SIGTERM or Ctrl-C.

    APP names a Durable as module:name, such as app:durable; or a function that returns one. Modules
    in the current folder can be imported. Without an APP, the worker processes the sends of the
    account "main" in the database at --url, with the key in NEWSLEOPARD_API_KEY. Contacts are then
    local files, which works only with SQLite.

    After SIGTERM the worker takes no more sends, waits for the answer of a submit that is being
    sent, and gives all other sends to the next worker. This takes at most 70 s, and usually no
    time. A second signal ends it immediately. NEWSLEOPARD_LOG=info logs what it does.

    The exit status is 0 if it has left, 1 if it did not leave in time, 2 if the set-up is wrong,
    and 5 if the database cannot be reached.
    """
    chosen = WorkerOptions(**options)
    if chosen.app is not None and is_given(context, "url"):
        raise click.UsageError(_("name either an APP or --url; the APP has its own URL"))
    run_worker(chosen)
