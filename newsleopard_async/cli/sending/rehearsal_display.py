"""``newsleopard rehearse``: runs a campaign against an emulator in this process, and shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import click
from rich.text import Text

from newsleopard_async.cli.cli_messages import for_command_line
from newsleopard_async.cli.contacts.contacts_check import findings_table
from newsleopard_async.cli.contacts.streams import open_contacts
from newsleopard_async.cli.display.pipeline_display import detail_of
from newsleopard_async.cli.display.shown_values import duration_text
from newsleopard_async.cli.display.tables import FactsTable
from newsleopard_async.cli.display.terminal import safe_text, write_json
from newsleopard_async.cli.library_messages import in_users_language
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import joined, ngettext
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.models import Mailing
from newsleopard_async.workflows import Event

if TYPE_CHECKING:
    from newsleopard_async.rehearsal import Rehearsal

__all__ = ["RehearsalInput", "run_rehearsal"]


@attrs.frozen(kw_only=True)
class RehearsalInput:
    """A rehearsal as it is on the command line.

    Attributes:
        campaign: The campaign or the A/B test.
        contacts: The contacts; ``-`` is the standard input.
        folder: The folder for the mails.
        mails: How many mails are rendered.
        opens: Whether the first mail is opened in a browser.
        options: The other arguments of `rehearse`.
    """

    campaign: Mailing
    contacts: Path
    folder: Path
    mails: int
    opens: bool
    options: Mapping[str, Any]


def run_rehearsal(session: Session, given: RehearsalInput) -> bool:
    """Rehearse a campaign, print what would happen, and return whether it would be sent.

    Raises:
        InvalidRequest: an argument cannot be used.
    """
    with open_contacts(given.contacts) as (contacts, _title):
        found = anyio.run(partial(_rehearse, session, given, contacts))
    if session.as_json:
        write_json(found.to_dict())
    else:
        _print(session, found)
    paths = [mail.path for mail in found.mails if mail.path is not None]
    if given.opens and paths:
        click.launch(str(paths[0].resolve()))
    return found.ok


async def _rehearse(session: Session, given: RehearsalInput, contacts: Any) -> Rehearsal:
    # Loaded when it is used, because it loads the emulator, and the help loads this module.
    from newsleopard_async.rehearsal import rehearse

    # One line for all steps: a line "Submit the campaign" would frighten a person.
    with (
        session.step_display() as steps,
        steps.step(_("Rehearse the campaign")) as line,
    ):

        def show(event: Event) -> None:
            if event.step == "check_contacts" and event.state == "waiting":
                line.detail = detail_of(event.step, event.result)[0]

        return await rehearse(
            given.campaign,
            contacts,
            folder=given.folder,
            mails=given.mails,
            profile=session.profile.rate_limits,
            progress=show,
            **given.options,
        )


def _print(session: Session, found: Rehearsal) -> None:
    console = session.console
    table = FactsTable()
    for name, value in _facts(found):
        table.add_row(name, safe_text(value))
    paths = [safe_text(str(mail.path)) for mail in found.mails if mail.path is not None]
    if paths:
        table.add_row(_("Mail pages"), Text("\n").join(paths))
    console.print(table)
    findings = (*found.contacts, *found.campaign)
    if findings:
        console.print(findings_table(findings, width=console.width))
    if found.assumed:
        console.print(_("Assumed, because it is not documented:"), style="dim")
        for sentence in found.assumed:
            console.print(safe_text(f"- {in_users_language(sentence)}", "dim"))
    if found.ok:
        console.print(_("It would be sent. Nothing has left this machine."), style="green")
    else:
        console.print(_("It would not be sent. Nothing has left this machine."), style="red")


def _facts(found: Rehearsal) -> Iterator[tuple[str, str]]:
    yield _("Campaign"), found.name
    if found.problem is not None:
        yield _("Problem"), in_users_language(for_command_line(found.problem))
    yield _("Contacts"), _contacts_text(found)
    if found.requests:
        text = _("{requests:,}, of which {quota:,} count for the quota of {limit:,} a day")
        yield (
            _("Requests"),
            text.format(
                requests=found.requests_total, quota=found.quota_used, limit=found.quota_limit
            ),
        )
    if found.rejected:
        counts = joined(f"{name}: {count:,}" for name, count in found.rejected_for.items())
        text = _("{text} ({detail})").format(text=_rows(found.rejected), detail=counts)
        yield _("Rejected"), text
    if found.duplicates:
        yield _("Repeated"), _rows(found.duplicates)
    if found.goes_out_at is not None:
        yield from _facts_of_mails(found, found.goes_out_at)
    if found.unfilled:
        yield _("Not replaced"), joined(f"${{{name}}}" for name in found.unfilled)


def _contacts_text(found: Rehearsal) -> str:
    unique = found.contacts.unique
    text = ngettext("{unique:,} different address", "{unique:,} different addresses", unique)
    return joined((_rows(found.contacts.rows), text.format(unique=unique)))


def _rows(rows: int) -> str:
    return ngettext("{rows:,} row", "{rows:,} rows", rows).format(rows=rows)


def _facts_of_mails(found: Rehearsal, goes_out_at: datetime) -> Iterator[tuple[str, str]]:
    yield _("Recipients"), f"{found.recipients:,}"
    need = found.balance_needed
    text = ngettext("{mails:,} mail is needed", "{mails:,} mails are needed", need)
    yield _("Balance"), text.format(mails=need)
    yield _("Goes out"), _both_times(found, goes_out_at)
    if (test := found.test) is not None:
        yield (
            _("A/B test"),
            _("{a:,} get A, {b:,} get B; {rest:,} get the winner at {time}").format(
                a=test.a, b=test.b, rest=test.rest, time=_both_times(found, test.rest_goes_out_at)
            ),
        )
    if found.sent_by is not None:
        yield _("All out by"), _both_times(found, found.sent_by)
    if found.duration is not None:
        text = _("{duration}, report included")
        yield _("Whole job"), text.format(duration=duration_text(found.duration))


def _both_times(found: Rehearsal, when: datetime) -> str:
    local = found.local(when)
    return f"{local:%Y-%m-%d %H:%M} {found.timezone} ({when:%Y-%m-%d %H:%M} UTC)"
