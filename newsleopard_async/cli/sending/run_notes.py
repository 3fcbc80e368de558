"""What an interrupted or failed send has done, and the commands that continue or stop it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from newsleopard_async.cli.cli_messages import send_message_for_command_line
from newsleopard_async.cli.display.shown_values import local_and_utc
from newsleopard_async.cli.run_commands import RunCommands
from newsleopard_async.cli.runs.campaign_target import checkpoint_at, state_at
from newsleopard_async.cli.runs.kept_sends import ResumableSend
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.errors import (
    CampaignFailed,
    InUse,
    InvalidRequest,
    NewsLeopardError,
    OutcomeUnknown,
)
from newsleopard_async.workflows import RunState, runs

__all__ = ["is_in_doubt", "notes_of", "read_run", "reword"]

_OF_PYTHON: Final = re.compile(
    r" Then run the same call again with the same send key or checkpoint\..*$"
)
"""The end of the message about a submit in doubt; the notes have the commands instead."""


async def read_run(
    session: Session, *, send_key: str | None = None, checkpoint: Path | None = None
) -> RunState | None:
    """Return the state of the run with a send key or at a checkpoint; None if it has not begun.

    Raises:
        ConfigurationError: the store cannot be used.
        ConnectionFailed: the store is unreachable.
    """
    if checkpoint is not None:
        kept = await checkpoint_at(str(checkpoint))
        return None if kept is None else await state_at(str(checkpoint), kept)
    async with session.sends() as location:
        if location.store is None or send_key is None:
            return None
        for run in await runs(location.store, keys=[send_key]):
            return run
    return None


def is_in_doubt(run: RunState) -> bool:
    """Return whether it is unknown whether the campaign was submitted."""
    return run.campaign_sn is None and (run.state == "held" or run.step == "submit")


def notes_of(
    send: ResumableSend,
    run: RunState | None,
    error: KeyboardInterrupt | NewsLeopardError,
    *,
    is_kept: bool = True,
) -> Iterator[str]:
    """Yield what was done, what was not, and the commands that help.

    Whether a campaign was submitted is never guessed: the record of the run decides.
    """
    again = send.commands("resume") if is_kept else _("the same command with the same contacts")
    if run is None:
        if not isinstance(error, (InvalidRequest, OutcomeUnknown)):
            yield _("Nothing was sent, and nothing was changed at the platform.")
    elif run.state == "running":
        # The other process sends it, so what is not done yet says nothing about the end.
        if not isinstance(error, InUse):
            yield _("another process is sending {key!r}").format(key=send.target)
    elif _is_other_run(error):
        yield from _of_other_run(run, send.commands, error, again=again)
    else:
        yield from _of_import(run)
        yield from _of_submit(run, send.commands, error, again=again)


def _is_other_run(error: BaseException) -> bool:
    """Return whether the key belongs to another campaign or to another account."""
    return not {"other-input", "other-account"}.isdisjoint(_rules_of(error))


def _rules_of(error: BaseException) -> frozenset[str]:
    problems = error.problems if isinstance(error, InvalidRequest) else ()
    return frozenset(problem.rule for problem in problems)


def _of_other_run(
    run: RunState, commands: RunCommands, error: BaseException, *, again: str
) -> Iterator[str]:
    """Yield the way out; what the run of another account has done is not this account's.

    While a submit is in doubt, the same campaign with a change must not get a key of its own.
    """
    is_own = "other-account" not in _rules_of(error)
    if is_own and is_in_doubt(run):
        yield from _of_doubt(run, commands, again=again)
        return
    if is_own and run.campaign_sn is not None:
        text = _("The campaign {campaign_sn} was accepted under this key before.")
        yield text.format(campaign_sn=run.campaign_sn)
    yield _("Is this another campaign? Then give it another name, or its own key by --send-key.")


def _of_submit(
    run: RunState, commands: RunCommands, error: BaseException, *, again: str
) -> Iterator[str]:
    if run.campaign_sn is not None:
        yield from _of_accepted(run, commands, has_failed=isinstance(error, CampaignFailed))
    elif is_in_doubt(run):
        yield from _of_doubt(run, commands, again=again)
    elif run.state != "abandoned":
        yield _("Not done: the campaign was not submitted, so no mail is sent.")
        if run.state == "checking" and run.look_again_at is not None:
            text, time = _("Continue after {time}: {command}"), local_and_utc(run.look_again_at)
            yield text.format(time=time, command=again)
        else:
            yield _("Continue: {command}").format(command=again)
        if isinstance(error, KeyboardInterrupt):
            # For example a resume of all sends in a crontab.
            text = _("To give it up, so that no later resume sends it: {command}")
            yield text.format(command=commands("cancel"))


def _of_import(run: RunState) -> Iterator[str]:
    if run.list_sn is not None:
        yield _("Done: the list {list_sn} exists.").format(list_sn=run.list_sn)
    if run.import_sn is not None:
        text = _("Done: the contacts were sent to the list (import {import_sn}).")
        yield text.format(import_sn=run.import_sn)


def _of_accepted(run: RunState, commands: RunCommands, *, has_failed: bool) -> Iterator[str]:
    text = _("Done: the campaign was accepted as {campaign_sn}.")
    yield text.format(campaign_sn=run.campaign_sn)
    if not has_failed:
        yield _("It is sent unless you stop it: {command}").format(command=commands("cancel"))
        yield _("Wait for its end: {command}").format(
            command=commands("status", options=["--wait"])
        )


def _of_doubt(run: RunState, commands: RunCommands, *, again: str) -> Iterator[str]:
    yield _(
        "It is unknown whether the campaign was submitted. Do not send it under another key or "
        "name."
    )
    if run.look_again_at is None:
        yield _("Find out, without sending anything: {command}").format(command=again)
    else:
        yield _("Find out after {time}, without sending anything: {command}").format(
            time=local_and_utc(run.look_again_at), command=again
        )
    yield _("Or look for it in the console (活動列表), and decide:")
    yield "  " + commands("resolve", "sent", options=["--campaign-sn SN"])
    yield "  " + commands("resolve", "resubmit")
    yield "  " + commands("resolve", "abandon")


def reword(error: BaseException, send: ResumableSend) -> None:
    """Replace the calls of Python in the message of a submit in doubt by commands."""
    if isinstance(error, OutcomeUnknown) and error.args:
        message = _OF_PYTHON.sub("", str(error.args[0]))
        message = send_message_for_command_line(message, send.commands, is_durable=False)
        error.args = (message, *error.args[1:])
