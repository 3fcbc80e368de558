"""``newsleopard cancel``: calls a campaign off, and says how it ended."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import anyio
import attrs
from rich.text import Text

from newsleopard_async import InUse, NewsLeopard, NewsLeopardError, OutcomeUnknown, workflows
from newsleopard_async.cli.cli_messages import send_message_for_command_line
from newsleopard_async.cli.confirmation import confirm, require_terminal
from newsleopard_async.cli.display.pipeline_display import PipelineDisplay
from newsleopard_async.cli.display.shown_values import local_and_utc
from newsleopard_async.cli.display.terminal import safe_text, write_json
from newsleopard_async.cli.failures import ExitStatus
from newsleopard_async.cli.library_messages import in_users_language
from newsleopard_async.cli.results.known_campaign import (
    campaign_table,
    read_campaign,
    read_total,
    run_table,
)
from newsleopard_async.cli.runs.campaign_target import CampaignTarget, TargetKind, opened_target
from newsleopard_async.cli.runs.kept_sends import forget_send
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import joined, ngettext
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.workflows import CalledOff

__all__ = ["CancelInput", "cancel_campaign"]


_LOOKS_EVERY_S: Final = 0.5
"""Chosen: it reads only the store of the runs, and in half a second few mails go out."""
_WAITS_S: Final = 3_600.0
"""Chosen: an import is polled for an hour, and the campaign is submitted after it."""


@attrs.frozen
class CancelInput:
    """What ``newsleopard cancel`` was given.

    Attributes:
        target: The text of the user.
        kind: What the text is; None to find out.
        url: The URL of the store; None for the profile's.
        yes: Whether it is confirmed already.
    """

    target: str
    kind: TargetKind | None = None
    url: str | None = None
    yes: bool = False


@attrs.frozen
class _Ended:
    """How a call-off ended, and how many mails are out; None if that is unknown."""

    outcome: CalledOff
    mails_out: int | None = None


def cancel_campaign(session: Session, given: CancelInput) -> ExitStatus:
    """Call a campaign off after a question, and print how it ended.

    With ``yes`` nothing is read first, because each second can be a thousand mails.

    Raises: as `opened_target` and `workflows.call_off`.
        click.UsageError: it must ask, and has no terminal.
        click.Abort: the answer is no.
    """
    require_terminal(yes=given.yes)
    if not given.yes:
        kind = anyio.run(_show, session, given)
        confirm(_("Call it off? Mails that are out cannot be called back."))
        given = attrs.evolve(given, kind=kind)
    try:
        kind, ended = anyio.run(_call_off, session, given)
    except KeyboardInterrupt as interrupt:
        note = _("The campaign is possibly still being sent. Run the same command again: {command}")
        interrupt.add_note(note.format(command=_again(session, given)))
        raise
    if kind != "code" and given.url is None:
        # What the send was given is of no more use, and contacts of a pipe must not stay.
        forget_send(session.profile.name, given.target, is_checkpoint=kind == "checkpoint")
    if session.as_json:
        write_json({**ended.outcome.to_dict(), "mails_out": ended.mails_out})
    else:
        session.console.print(_text_of(ended))
    return ExitStatus.REFUSED if ended.outcome.how == "too late" else ExitStatus.DONE


async def _show(session: Session, given: CancelInput) -> TargetKind:
    """Show on the standard error what would be called off; return what the target is."""
    async with opened_target(session, given.target, given.kind, given.url) as target:
        if target.run is not None:
            commands = session.commands(given.target, given.url)
            session.errors.print(run_table(target.run, commands))
        if target.campaign_sn is not None:
            async with session.client() as nl:
                try:
                    known = await read_campaign(nl, target.campaign_sn)
                except NewsLeopardError as error:
                    session.errors.print(safe_text(in_users_language(str(error)), "yellow"))
                else:
                    session.errors.print(campaign_table(known))
        return target.kind


async def _call_off(session: Session, given: CancelInput) -> tuple[TargetKind, _Ended]:
    """Call a campaign off; return what the target is, and how it ended."""
    async with opened_target(session, given.target, given.kind, given.url) as target:
        durable = target.durable
        if durable is not None and await durable.cancel(target.text) == "cancelled":
            return target.kind, _Ended(CalledOff(how="never submitted"))
        store = None if target.location is None else target.location.store
        async with session.client(store) as nl:
            with session.pipeline_display() as progress:
                try:
                    outcome = await _stop_when_possible(session, nl, target, progress)
                except OutcomeUnknown as error:
                    raise _explained(error, session, given) from None
            return target.kind, _Ended(outcome, await _mails_out(nl, outcome))


async def _stop_when_possible(
    session: Session, nl: NewsLeopard, target: CampaignTarget, progress: PipelineDisplay
) -> CalledOff:
    """Call a campaign off; if another process is about to submit it, do so immediately after.

    Raises: as `workflows.call_off`.
        InUse: that process has not submitted it within an hour.
    """
    until_s = nl.clock.monotonic() + _WAITS_S
    is_announced = False
    while True:
        try:
            outcome: CalledOff = await _stop(nl, target, progress)
        except InUse:
            if nl.clock.monotonic() >= until_s:
                raise
            if not is_announced:
                _announce_wait(session, target)
            is_announced = True
            await nl.clock.sleep(_LOOKS_EVERY_S)
        else:
            return outcome


def _announce_wait(session: Session, target: CampaignTarget) -> None:
    if session.as_json and not session.errors.is_terminal:
        return
    text = _(
        "Another process is sending {key}, and has not submitted it yet. It is called off as soon "
        "as it is submitted. End that process to stop it sooner; Ctrl-C ends only this wait."
    )
    session.errors.print(safe_text(text.format(key=target.text), "yellow"), soft_wrap=True)


def _stop(nl: NewsLeopard, target: CampaignTarget, progress: PipelineDisplay) -> Any:
    stop = partial(workflows.call_off, nl, progress=progress)
    match target.kind:
        case "code":
            return stop(target.campaign_sn)
        case "send_key":
            return stop(send_key=target.text)
        case "checkpoint":
            return stop(checkpoint=target.text)


def _again(session: Session, given: CancelInput) -> str:
    """Return the command that calls the same campaign off again."""
    options = [] if given.kind is None else [f"--{given.kind.replace('_', '-')}"]
    return session.commands(given.target, given.url)("cancel", options=options)


def _explained(error: OutcomeUnknown, session: Session, given: CancelInput) -> OutcomeUnknown:
    """Return an error with commands instead of calls, and with the local time."""
    commands = session.commands(given.target, given.url)
    message = send_message_for_command_line(str(error), commands, is_durable=False)
    error.args = (message, *error.args[1:])
    if error.look_again_at is not None:
        again = _("Again after {time}: {command}").format(
            time=local_and_utc(error.look_again_at), command=_again(session, given)
        )
        error.add_note(again)
    return error


async def _mails_out(nl: NewsLeopard, outcome: CalledOff) -> int | None:
    """Return how many mails are out; None if the account has no metrics."""
    before = outcome.before
    has_begun = before is None or before.sent_begin is not None or outcome.how == "too late"
    if outcome.campaign_sn is None or not has_begun:
        return 0
    try:
        total = await read_total(nl, outcome.campaign_sn)
    except NewsLeopardError:
        return None  # The call-off has succeeded; its result must be printed.
    if total is None or total.delivered is None:
        return None
    return total.delivered + (total.bounced or 0)


def _text_of(ended: _Ended) -> Text:
    outcome = ended.outcome
    text = {
        "paused": _("Stopped: no more mails of campaign {code} are sent. It stays in the console."),
        "deleted": _("Deleted: campaign {code} could not be paused, so it was deleted."),
        "already stopped": _("Campaign {code} was already stopped."),
        "too late": _("Too late: campaign {code} had already ended."),
        "never submitted": _("Nothing was submitted, and nothing will be submitted by this run."),
    }[outcome.how]
    lines = [text.format(code=outcome.campaign_sn)]
    if outcome.how != "never submitted":
        lines.append(_out_text(ended.mails_out))
    style = "bold red" if outcome.how == "too late" else "green"
    return safe_text(joined(lines, " "), style)


def _out_text(mails: int | None) -> str:
    if mails is None:
        return _("How many mails are out is unknown; the console shows it.")
    if not mails:
        return _("No mail is out.")
    return ngettext("{mails:,} mail is out.", "{mails:,} mails are out.", mails).format(mails=mails)
