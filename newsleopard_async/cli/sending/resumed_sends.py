"""``newsleopard resume``: continues one send, or all sends that are due."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import attrs
from rich.table import Table

from newsleopard_async import InUse, InvalidRequest, NewsLeopard, workflows
from newsleopard_async.cli.cli_messages import send_message_for_command_line
from newsleopard_async.cli.display.pipeline_display import PipelineDisplay
from newsleopard_async.cli.display.step_display import StepDisplay, StepLineState
from newsleopard_async.cli.display.tables import headed_table
from newsleopard_async.cli.display.terminal import safe_text, write_json
from newsleopard_async.cli.failures import CommandFailure, ExitStatus, failure_of
from newsleopard_async.cli.library_messages import in_users_language
from newsleopard_async.cli.runs.kept_sends import KeptSends, ResumableSend
from newsleopard_async.cli.sending.campaign_send import (
    explain,
    forget_accepted,
    refuse_changed_contacts,
    send_or_continue,
)
from newsleopard_async.cli.sending.run_notes import read_run
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import ngettext
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.workflows import ResumedRun, RunState

__all__ = ["resume_all", "resume_one"]


def resume_one(session: Session, target: str, *, wait: bool) -> None:
    """Continue the send with a key or a checkpoint, by what it was given.

    Raises: as `send_or_continue`.
        InvalidRequest: the send does not exist, or another program has begun it.
        InUse: another process is sending it.
    """
    kept = KeptSends()
    kept.sweep()
    send = kept.find(session.profile.name, target)
    if send is None:
        _without_kept_send(session, kept, target)
        return
    run = anyio.run(partial(read_run, session, **send.place))
    if run is not None and run.state == "running":
        raise InUse(_("another process is sending {key!r}").format(key=target))
    send_or_continue(session, send, kept, wait=wait)


def _without_kept_send(session: Session, kept: KeptSends, target: str) -> None:
    """Say that a send is over; raise if it is not, or does not exist.

    Raises:
        InvalidRequest: nothing is known that could continue it.
    """
    run = anyio.run(partial(read_run, session, send_key=target))
    if run is None:
        run = anyio.run(partial(read_run, session, checkpoint=Path(target).absolute()))
    if run is None:
        message = _(
            "no send with the key or the checkpoint {target!r} can be continued; newsleopard runs "
            "shows all"
        )
        raise InvalidRequest.of("KEY", "missing", message.format(target=target))
    if run.state == "abandoned":
        message = _(
            "the run {target!r} was given up; to send it after all, run newsleopard send with "
            "another --send-key"
        )
        raise InvalidRequest.of("KEY", "abandoned", message.format(target=target))
    if run.campaign_sn is None and (profile := kept.profile_of(target)) is not None:
        raise _of_other_profile(target, profile)
    if run.campaign_sn is None:
        message = _(
            "the run {target!r} is {state}, and newsleopard send has not kept its campaign: it was "
            "begun by a program or by newsleopard import. Run that again with the same arguments"
        )
        text = message.format(target=target, state=_(run.state))
        raise InvalidRequest.of("KEY", "not-kept", text)
    text = _("There is nothing to continue: the campaign {campaign_sn} was accepted.")
    if session.as_json:
        write_json({"campaign_sn": run.campaign_sn, "run": run.to_dict()})
    else:
        session.console.print(safe_text(text.format(campaign_sn=run.campaign_sn)))


def _of_other_profile(target: str, profile: str) -> InvalidRequest:
    message = _("the send {target!r} was begun with the profile {profile}; add --profile {profile}")
    if not profile:
        message = _(
            "the send {target!r} was begun without a profile; leave out --profile and the variable "
            "NEWSLEOPARD_PROFILE"
        )
    text = message.format(target=target, profile=profile)
    return InvalidRequest.of("KEY", "other-profile", text)


@attrs.define
class _DueRuns:
    """Gives the arguments of the runs that are due, and remembers those that have none."""

    session: Session
    kept: KeptSends
    steps: StepDisplay
    sends: dict[str, ResumableSend] = attrs.field(factory=dict)
    left: list[RunState] = attrs.field(factory=list)
    current: ResumableSend | None = None
    display: PipelineDisplay | None = None

    def __call__(self, run: RunState) -> Mapping[str, Any] | None:
        """Return the arguments of a run; None leaves it to the program that began it."""
        self.end()
        # By the key only, because the file of another run's checkpoint can have the same name.
        send = self.kept.get(self.session.profile.name, run.send_key)
        if send is None:
            self.left.append(run)
            return None
        refuse_changed_contacts(send, run)
        self.sends[run.send_key] = self.current = send
        # The table has the error of a run, so the warning of the library about it is not shown.
        self.session.shown_findings.add(f"{run.send_key!r} ended")
        if self.session.errors.is_terminal or not self.session.as_json:
            self.session.errors.print(safe_text(run.send_key, "bold"))
        self.display = PipelineDisplay(self.steps)
        return {**send.arguments(), "progress": self.display}

    def end(self, state: StepLineState = "done") -> None:
        """End the line of the run before."""
        if self.display is not None:
            self.display.end(state)
        self.current = None


def resume_all(session: Session) -> ExitStatus:
    """Continue all sends of the account that are due, and print how each ended.

    Returns: The status of the first send that failed.

    Raises:
        ConfigurationError: the store, or the folder of the sends, cannot be used.
        ConnectionFailed: the store is unreachable.
    """
    kept = KeptSends()
    kept.sweep()
    with session.step_display() as steps:
        due = _DueRuns(session, kept, steps)
        try:
            resumed = session.run(partial(_resume, due))
        except KeyboardInterrupt as interrupt:
            if (send := due.current) is not None:
                due.end("failed")
                explain(session, send, kept, interrupt)
            raise
        finally:
            due.end()
            for send in due.sends.values():
                forget_accepted(session, send, kept)
    failures = [_failure_of(each, due) for each in resumed]
    not_due = anyio.run(_not_due, session, {run.send_key for run in due.left})
    if session.as_json:
        write_json(_as_data(resumed, failures, due.left, not_due))
    else:
        _print(session, resumed, failures, due.left, not_due)
    return next((failure.status for failure in failures if failure is not None), ExitStatus.DONE)


def _failure_of(resumed: ResumedRun, due: _DueRuns) -> CommandFailure | None:
    """Return how a run failed, with commands instead of calls; None if it is done."""
    if resumed.error is None:
        return None
    failure = failure_of(resumed.error)
    commands = due.sends[resumed.run.send_key].commands
    message = send_message_for_command_line(failure.message, commands, is_durable=False)
    return attrs.evolve(failure, message=message)


async def _not_due(session: Session, left: Collection[str]) -> list[RunState]:
    """Return the runs that are not finished, except those that programs continue."""
    async with session.sends() as location:
        found = [] if location.store is None else await workflows.runs(location.store)
    return [
        run
        for run in found
        if run.state not in ("done", "abandoned", "running") and run.send_key not in left
    ]


async def _resume(due: _DueRuns, nl: NewsLeopard) -> tuple[ResumedRun, ...]:
    return await workflows.resume_due(nl, nl.store, due)


def _as_data(
    resumed: Sequence[ResumedRun],
    failures: Sequence[CommandFailure | None],
    left: Sequence[RunState],
    not_due: Sequence[RunState],
) -> dict[str, Any]:
    return {
        "resumed": [
            {
                "send_key": each.run.send_key,
                "was": each.run.state,
                "outcome": None if each.outcome is None else each.outcome.to_dict(),
                "error": None if failure is None else failure.to_dict(),
            }
            for each, failure in zip(resumed, failures, strict=True)
        ],
        "left": [run.to_dict() for run in left],
        "not_due": [run.to_dict() for run in not_due],
    }


def _print(
    session: Session,
    resumed: Sequence[ResumedRun],
    failures: Sequence[CommandFailure | None],
    left: Sequence[RunState],
    not_due: Sequence[RunState],
) -> None:
    if resumed:
        session.console.print(_table(resumed, failures))
    else:
        session.console.print(_("No send is due."))
    if left:
        text = ngettext(
            "{count} run is due that a program has begun; that program continues it.",
            "{count} runs are due that programs have begun; those programs continue them.",
            len(left),
        )
        session.console.print(safe_text(text.format(count=len(left)), "yellow"))
    if not_due:
        text = ngettext(
            "{count} send is not finished, and not due: newsleopard runs",
            "{count} sends are not finished, and not due: newsleopard runs",
            len(not_due),
        )
        session.console.print(safe_text(text.format(count=len(not_due)), "yellow"))


def _table(resumed: Sequence[ResumedRun], failures: Sequence[CommandFailure | None]) -> Table:
    table = headed_table()
    table.add_column(_("Key"), overflow="fold")
    table.add_column(_("Was"), no_wrap=True)
    table.add_column(_("Now"), overflow="fold")
    for each, failure in zip(resumed, failures, strict=True):
        if failure is None:
            sn = getattr(each.outcome, "campaign_sn", None)
            # The code has a line of its own, in which it can be copied whole.
            now = safe_text(_("accepted: {campaign_sn}").format(campaign_sn=f"\n{sn}"), "green")
        else:
            now = safe_text(
                _("{title}: {message}").format(
                    title=failure.title, message=in_users_language(failure.message)
                ),
                "red",
            )
        table.add_row(safe_text(each.run.send_key), _(each.run.state), now)
    return table
