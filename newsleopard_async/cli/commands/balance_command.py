"""``newsleopard balance``: the arguments and options."""

from __future__ import annotations

import click

from newsleopard_async import Balance, NewsLeopard
from newsleopard_async.cli.display.shown_values import count_text
from newsleopard_async.cli.display.tables import FactsTable
from newsleopard_async.cli.display.terminal import write_json
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.shared_options import json_option, profile_option
from newsleopard_async.cli.translation import translated as _

__all__ = ["balance"]


@click.command()
@profile_option
@json_option
def balance(*, profile_name: str | None, as_json: bool) -> None:
    """Show how many mails the account can still send (餘額).

    Other programs can use it up. The command only reads.
    """
    session = Session(as_json=as_json, profile_name=profile_name)

    async def read(nl: NewsLeopard) -> Balance:
        return await nl.account.get_balance()

    found = session.run(read)
    if as_json:
        write_json(found.to_dict())
        return
    table = FactsTable()
    table.add_row(_("Mails"), count_text(found.mails))
    table.add_row(_("Text messages"), count_text(found.sms))
    session.console.print(table)
