"""``newsleopard demo``: the arguments and options."""

from __future__ import annotations

import click

from newsleopard_async.cli.emulating.demo import (
    CONTACTS,
    LIMIT_S,
    run_demo,
    until_interrupted,
)
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.errors import DeadlineExceeded

__all__ = ["demo"]


@click.command()
@click.option(
    "--contacts",
    type=click.IntRange(1, 100_000),
    default=CONTACTS,
    show_default=True,
    help="The number of contacts to generate.",
)
@click.option("--keep", is_flag=True, help="Then serve the page with the mails, until Ctrl-C.")
@click.option("--pace", type=click.FloatRange(0.01, 1.0), default=1.0, hidden=True)
def demo(contacts: int, keep: bool, pace: float) -> None:
    """Run a whole campaign against an emulator on this machine.

    It generates and imports contacts, sends them mails and exports the report over real HTTP. No
    account is needed, nothing leaves this machine, and all files are deleted at the end.
    """
    session = Session()
    try:
        until = until_interrupted if keep else None
        run_demo(session.console, contacts, pace=pace, until=until)
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(_("The emulator is stopped and its files are deleted."))
        raise
    except TimeoutError:
        message = _("Not done after {seconds:.0f} s; try again when this machine is less busy.")
        raise DeadlineExceeded(message.format(seconds=LIMIT_S), last=None) from None
