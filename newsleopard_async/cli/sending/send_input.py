"""Makes a resumable send of what ``newsleopard send`` was given."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import click

from newsleopard_async.cli.confirmation import require_terminal
from newsleopard_async.cli.contacts.contacts_input import ContactsInput
from newsleopard_async.cli.contacts.piped_contacts import copy_from_pipe, is_pipe
from newsleopard_async.cli.failures import ExitStatus
from newsleopard_async.cli.runs.kept_sends import KeptSends, ResumableSend
from newsleopard_async.cli.sending.campaign_input import CampaignInput
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.models.validation import raise_problems
from newsleopard_async.workflows.hold import problems_of_hold
from newsleopard_async.workflows.send_key import problems_of_send_key
from newsleopard_async.workflows.sending import target_of

__all__ = ["SendInput", "prepared_send", "rehearse_instead"]


@attrs.frozen(kw_only=True)
class SendInput:
    """A send as it is on the command line.

    Attributes:
        campaign: The campaign; its lists include the list to import into.
        contacts: The contacts; ``-`` is the standard input, None sends to lists as they are.
        how: How they are read.
        list_name: The name of a new list.
        reuse_list: Whether an existing list of that name is used.
        strict: Whether warnings refuse.
        max_rejected: How many rows the platform can reject.
        part_bytes: The largest size of a part.
        hold: How long the campaign is held.
        send_key: The send key; None for the campaign's name.
        checkpoint: The checkpoint instead of a send key.
    """

    campaign: CampaignInput
    contacts: Path | None
    how: ContactsInput
    list_name: str | None
    reuse_list: bool
    strict: bool
    max_rejected: float | None
    part_bytes: int | None
    hold: timedelta | None
    send_key: str | None
    checkpoint: Path | None

    @property
    def has_data_on_stdin(self) -> bool:
        """Whether the standard input is read, so that it cannot answer a question."""
        return self.campaign.html == "-" or str(self.contacts) == "-"


def prepared_send(
    session: Session, given: SendInput, *, yes: bool
) -> tuple[ResumableSend, KeptSends]:
    """Return a send that can be resumed; contacts from a pipe are copied.

    Raises:
        click.UsageError: options contradict each other, or the command must ask and cannot.
        InvalidRequest: the campaign is not valid, or the contacts cannot be read.
        ConfigurationError: this user has no folder for the run, or for contacts from a pipe.
    """
    _refuse_contradictions(given)
    require_terminal(yes=yes, has_data_on_stdin=given.has_data_on_stdin)
    send = _send_without_copy(session, given)
    kept = KeptSends()
    kept.sweep()
    if send.checkpoint is None and session.profile.store is None:
        # The run would be beside it, and the pipeline would refuse that only after the question.
        kept.require()
    if given.contacts is not None and is_pipe(given.contacts):
        copy = kept.path_for_copy()
        copy_from_pipe(session, given.contacts, copy)
        send = attrs.evolve(send, contacts=copy, is_piped=True)
    return send, kept


def _refuse_contradictions(given: SendInput) -> None:
    given.campaign.refuse_contradictions(given.contacts)
    if given.send_key is not None and given.checkpoint is not None:
        raise _not_together("--send-key", "--checkpoint")
    has_no_file = given.how.left_out_to is None and is_pipe(given.contacts)
    if has_no_file and "leave-out-bad-rows" in given.how.fix:
        raise click.UsageError(
            _("name a file for the rows of a pipe that are left out: --left-out-to")
        )


def _not_together(first: str, second: str) -> click.UsageError:
    message = _("{first} and {second} cannot be combined")
    return click.UsageError(message.format(first=first, second=second))


def _send_without_copy(session: Session, given: SendInput) -> ResumableSend:
    campaign = given.campaign.build(session.profile.sender)
    list_sn = None
    if given.contacts is not None and given.list_name is None:
        # Without a name for a new list, the one list is the list to import into.
        if len(campaign.lists) != 1:
            raise click.UsageError(
                _("name the list for the contacts: --list-name for a new one, or one --list")
            )
        [list_sn], campaign = campaign.lists, attrs.evolve(campaign, lists=())
    send_key = given.send_key
    if send_key is None and given.checkpoint is None:
        send_key = unicodedata.normalize("NFC", campaign.name.strip())
    send = ResumableSend(
        campaign=campaign,
        profile=session.profile.name,
        send_key=send_key,
        checkpoint=_absolute(given.checkpoint),
        contacts=_absolute(given.contacts),
        list_sn=list_sn,
        list_name=given.list_name,
        reuse_list=given.reuse_list,
        encoding=given.how.encoding,
        columns=given.how.columns,
        skip=_absolute(given.how.skip),
        fix=given.how.fix,
        left_out_to=_absolute(given.how.left_out_to),
        strict=given.strict,
        max_rejected=given.max_rejected,
        part_bytes=given.part_bytes,
        hold=given.hold,
    )
    _check_arguments(send, has_own_key=given.send_key is not None)
    return send


def _absolute(path: Path | None) -> Path | None:
    """Return a path that means the same in another folder."""
    return None if path is None else path.absolute()


def _check_arguments(send: ResumableSend, *, has_own_key: bool) -> None:
    """Refuse what the pipeline would refuse only after the question."""
    of_key = problems_of_send_key(send.send_key, send.checkpoint)
    if not has_own_key:
        # The key is the campaign's name, and its user knows of no key.
        of_key = (attrs.evolve(problem, field="name") for problem in of_key)
    arguments = send.arguments()
    target_of(*(arguments[each] for each in ("contacts", "list_sn", "list_name", "if_list_exists")))
    raise_problems([*problems_of_hold(send.hold, send.campaign), *of_key])


def rehearse_instead(session: Session, given: SendInput, *, others: Sequence[str]) -> None:
    """Rehearse a send, and end the command with the status of the rehearsal.

    Args:
        session: The session.
        given: The send.
        others: The options of the command that a rehearsal does not have.

    Raises:
        click.UsageError: contacts are missing, or such an option is given.
        InvalidRequest: an argument cannot be used.
    """
    from newsleopard_async.cli.sending.rehearsal_display import RehearsalInput, run_rehearsal

    _refuse_contradictions(given)
    if given.contacts is None:
        raise click.UsageError(_("a rehearsal needs --contacts"))
    for option in others:
        raise _not_together("--rehearse", option)
    options: dict[str, Any] = given.how.arguments()
    del options["left_out_to"]
    campaign = given.campaign.build(session.profile.sender)
    rehearsal = RehearsalInput(
        campaign=attrs.evolve(campaign, lists=(), exclude_lists=()),
        contacts=given.contacts,
        folder=Path("rehearsal"),
        mails=3,
        opens=False,
        options={
            **options,
            "strict": given.strict,
            "max_rejected": given.max_rejected,
            "part_bytes": given.part_bytes,
        },
    )
    sys.exit(ExitStatus.DONE if run_rehearsal(session, rehearsal) else ExitStatus.REFUSED)
