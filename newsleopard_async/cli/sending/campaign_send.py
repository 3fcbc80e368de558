"""``newsleopard send``: shows what would be sent, asks, sends it once, and shows the outcome."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import anyio
import attrs

from newsleopard_async import (
    ConfigurationError,
    ContactsReport,
    InUse,
    InvalidRequest,
    NewsLeopard,
    NewsLeopardError,
    check_contacts,
    workflows,
)
from newsleopard_async.aio import in_thread
from newsleopard_async.cli.cli_messages import for_command_line
from newsleopard_async.cli.confirmation import confirm
from newsleopard_async.cli.display.output_streams import OutputFailed
from newsleopard_async.cli.display.pipeline_display import DoneSteps
from newsleopard_async.cli.library_messages import in_users_language
from newsleopard_async.cli.results.shown_status import wait_until_sent
from newsleopard_async.cli.runs.kept_sends import KeptSends, ResumableSend
from newsleopard_async.cli.sending.run_notes import is_in_doubt, notes_of, read_run, reword
from newsleopard_async.cli.sending.send_preview import SendPreview, preview_of, print_preview
from newsleopard_async.cli.sending.send_result import print_result
from newsleopard_async.cli.sending.sent_tests import send_tests
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import ngettext
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.log import NAME
from newsleopard_async.models.validation import raise_problems
from newsleopard_async.workflows import Event, RunState, SendOutcome

__all__ = [
    "SendChoices",
    "carry_out",
    "explain",
    "explaining",
    "forget_accepted",
    "refuse_changed_contacts",
    "send_or_continue",
]


@attrs.frozen(kw_only=True)
class SendChoices:
    """How a send is carried out.

    Attributes:
        yes: Whether it is confirmed already.
        wait: Whether the command waits until the campaign is sent.
        test_to: The addresses that get a test before the question.
        has_data_on_stdin: Whether the standard input is read as contacts or as a body.
    """

    yes: bool = False
    wait: bool = False
    test_to: tuple[str, ...] = attrs.field(default=(), repr=False)
    has_data_on_stdin: bool = False


def carry_out(session: Session, send: ResumableSend, kept: KeptSends, choices: SendChoices) -> None:
    """Show what would be sent, ask, and send it; an earlier run of its key is continued.

    Args:
        session: The session.
        send: What the command was given.
        kept: Where that is kept until the campaign is accepted.
        choices: How it is carried out.

    Raises: as `send_campaign`, with notes about what was done and how to continue.
        InvalidRequest: as above, or the contacts have changed since they were shown.
        click.Abort: the answer is no.
    """
    try:
        _ask_and_send(session, send, kept, choices)
    finally:
        kept.release(send)


def _ask_and_send(
    session: Session, send: ResumableSend, kept: KeptSends, choices: SendChoices
) -> None:
    preview = None
    with explaining(session, send, kept):
        run = anyio.run(partial(read_run, session, **send.place))
        if run is not None and run.state == "running":
            raise InUse(_("another process is sending {key!r}").format(key=send.target))
        if can_send(run):
            send = attrs.evolve(send, confirmed_contacts=send.identity())
            preview = _show_preview(session, send, run)
            session.shown_findings.update(
                for_command_line(each.message) for each in preview.checked.remarks
            )
    if preview is not None:
        _test_and_ask(session, preview, choices)
    send_or_continue(session, send, kept, wait=choices.wait)


def can_send(run: RunState | None) -> bool:
    """Return whether a run can submit its campaign; otherwise it only looks it up."""
    if run is None:
        return True
    is_over = run.campaign_sn is not None or run.state in {"abandoned", "done", "unreadable"}
    return not (is_over or is_in_doubt(run))


@contextmanager
def explaining(session: Session, send: ResumableSend, kept: KeptSends) -> Iterator[None]:
    """Add to an error, or to Ctrl-C, what was done, what was not, and how to continue."""
    try:
        yield
    except (KeyboardInterrupt, NewsLeopardError) as error:
        explain(session, send, kept, error)
        raise


def explain(
    session: Session,
    send: ResumableSend,
    kept: KeptSends,
    error: KeyboardInterrupt | NewsLeopardError,
) -> None:
    """Add to an error what its run has done, what it has not, and how to continue."""
    reword(error, send)
    forget_accepted(session, send, kept)
    try:
        run = anyio.run(partial(read_run, session, **send.place))
    except NewsLeopardError as failed:
        reason = in_users_language(str(failed))
        error.add_note(_("The state of the run cannot be read: {reason}").format(reason=reason))
    else:
        for note in notes_of(send, run, error, is_kept=kept.has(send)):
            error.add_note(note)


def _show_preview(session: Session, send: ResumableSend, run: RunState | None) -> SendPreview:
    """Check everything and show it; raise if it cannot be sent."""
    report = None
    if send.contacts is not None:
        report = anyio.run(_check, session, send, send.contacts)
    preview: SendPreview = session.run(partial(preview_of, send=send, contacts=report, run=run))
    if session.errors.is_terminal or not session.as_json:
        print_preview(session.errors, preview)
    raise_problems(preview.checked.problems)
    refuse_changed_contacts(send, run)
    return preview


def refuse_changed_contacts(send: ResumableSend, run: RunState | None) -> None:
    """Refuse contacts that a person has not seen; later, the record of the run itself does so.

    Raises:
        InvalidRequest: they have changed, and the run has not imported anything.
    """
    if run is not None and (run.list_sn or run.import_sn or run.campaign_sn or is_in_doubt(run)):
        return
    if send.confirmed_contacts is not None and send.identity() != send.confirmed_contacts:
        message = _(
            "have changed since they were checked; run newsleopard send again, which shows them"
        )
        raise InvalidRequest.of("contacts", "changed", message)


async def _check(session: Session, send: ResumableSend, contacts: Path) -> ContactsReport:
    with session.pipeline_display() as display:
        return await check_contacts(contacts, progress=display, **send.about_contacts())


def _test_and_ask(session: Session, preview: SendPreview, choices: SendChoices) -> None:
    """Send the tests, then ask; return only if the answer is yes.

    Raises: as `send_tests`.
        click.Abort: the answer is no.
    """
    if choices.test_to:
        send_tests(session, preview.send.campaign, choices.test_to)
    if choices.yes:
        return
    recipients = preview.recipients
    question = _("Send it?")
    if recipients is not None:
        text = ngettext(
            "Send it to {recipients:,} recipient?",
            "Send it to {recipients:,} recipients?",
            recipients,
        )
        question = text.format(recipients=recipients)
    done = _("Only the test was sent.") if choices.test_to else ""
    confirm(question, has_data_on_stdin=choices.has_data_on_stdin, done=done)


def send_or_continue(
    session: Session,
    send: ResumableSend,
    kept: KeptSends,
    *,
    wait: bool = False,
) -> None:
    """Send a campaign, or continue its run, and print the outcome.

    Args:
        session: The session.
        send: What the command was given.
        kept: Where that is kept until the campaign is accepted.
        wait: Whether to wait until the campaign is sent.

    Raises: as `carry_out`.
    """
    done = DoneSteps()
    with explaining(session, send, kept):
        before = anyio.run(partial(read_run, session, **send.place))
        refuse_changed_contacts(send, before)
        outcome = session.run(partial(_send, session, send, kept, done))
        forget_accepted(session, send, kept)
        if wait:
            outcome = session.run(partial(_wait, session, outcome))
    # A run in doubt submits nothing: its outcome is a campaign that was found.
    was_sent = before is not None and (before.campaign_sn is not None or is_in_doubt(before))
    is_again = was_sent or done.results.get("find_earlier") is not None
    try:
        print_result(session, send, outcome, done.results, is_again=is_again)
    except OutputFailed as failed:
        text = _("Done: the campaign was accepted as {campaign_sn}.")
        failed.add_note(text.format(campaign_sn=outcome.campaign_sn))
        raise


def forget_accepted(session: Session, send: ResumableSend, kept: KeptSends) -> None:
    """Remove a kept send if the record of its run has the campaign.

    With a full disk the record has only the intent to submit; then a later resume finds the
    campaign. A store that fails now must not hide the outcome.
    """
    with suppress(NewsLeopardError):
        run = anyio.run(partial(read_run, session, **send.place))
        if run is not None and run.campaign_sn is not None:
            kept.remove(send)


async def _send(
    session: Session, send: ResumableSend, kept: KeptSends, done: DoneSteps, nl: NewsLeopard
) -> SendOutcome:
    with session.pipeline_display() as display:
        is_kept = False

        async def show(event: Event) -> None:
            nonlocal is_kept
            if not is_kept and event.step != "check_contacts":
                # Now the run has its lock, and its record accepts this input.
                is_kept = True
                await in_thread(partial(_keep, kept, send))
            done(event)
            display(event)

        return await workflows.send_campaign(nl, **send.arguments(), **send.place, progress=show)


def _keep(kept: KeptSends, send: ResumableSend) -> None:
    """Keep what a send was given; if that fails, the send goes on, and says what cannot be done."""
    try:
        kept.add(send)
    except ConfigurationError as error:
        text = _(
            "newsleopard resume cannot continue this send, only the same command can: {reason}"
        )
        logging.getLogger(NAME).warning("%s", text.format(reason=error))


async def _wait(session: Session, outcome: SendOutcome, nl: NewsLeopard) -> SendOutcome:
    status = await wait_until_sent(session, nl, outcome.campaign_sn)
    return attrs.evolve(outcome, status=status)
