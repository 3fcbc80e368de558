"""Send a campaign: import its contacts, if any, then submit it, once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from types import EllipsisType
from typing import Literal

import attrs

from newsleopard_async.aio import compute_in_thread
from newsleopard_async.client import NewsLeopard
from newsleopard_async.contacts.contacts_options import ContactsOptions
from newsleopard_async.contacts.preparation import PreparedContacts
from newsleopard_async.contacts.skip_list import Skip
from newsleopard_async.contacts.sources import Contacts, as_source
from newsleopard_async.errors import (
    InvalidRequest,
    Problem,
)
from newsleopard_async.files import AnyPath
from newsleopard_async.models import (
    ListSn,
    Mailing,
    Polling,
    SendAt,
    SentCampaign,
    with_lists,
)
from newsleopard_async.models.campaign import BaseMailing
from newsleopard_async.models.findings import ContactsReport, Fix
from newsleopard_async.models.validation import (
    problems_of_line,
    problems_of_max_rejected,
    problems_of_type,
    raise_problems,
)
from newsleopard_async.webhooks.receiver import Webhooks
from newsleopard_async.workflows import steps
from newsleopard_async.workflows.balance import IfTooLow, check_balance, problems_of_balance
from newsleopard_async.workflows.checking import checked_contacts, log_remarks
from newsleopard_async.workflows.checkpoint import (
    CheckpointLike,
    problems_of_same_file,
    with_checkpoint,
)
from newsleopard_async.workflows.completion import logging_accepted, poll_submitted, status_of
from newsleopard_async.workflows.fingerprint import Fingerprint
from newsleopard_async.workflows.hold import held_back, problems_of_hold
from newsleopard_async.workflows.import_completeness import check_rejected, is_complete_enough
from newsleopard_async.workflows.importing import (
    import_into,
    publish_unless_imported,
    read_again,
)
from newsleopard_async.workflows.lease import wait_s_of
from newsleopard_async.workflows.local_runner import running
from newsleopard_async.workflows.outcomes import ImportReport, SendOutcome
from newsleopard_async.workflows.pipeline import pipeline
from newsleopard_async.workflows.polling import problems_of_polling, problems_of_webhook
from newsleopard_async.workflows.progress import (
    OF_BALANCE,
    OF_CONTACTS,
    OF_EARLIER,
    OF_LIST,
    OF_WAIT,
    Events,
    Plan,
    Progress,
    of_import,
)
from newsleopard_async.workflows.reconcile import sent_earlier, submit_or_find
from newsleopard_async.workflows.runner import Runner
from newsleopard_async.workflows.send_check import (
    SendCheckResult,
    Tolerance,
    check_send,
    recipients_of,
)
from newsleopard_async.workflows.send_key import location_of
from newsleopard_async.workflows.target import IfListExists, Target, find_or_create

__all__ = [
    "WaitFor",
    "check_mailing",
    "problems_of_arguments",
    "problems_of_wait",
    "send_campaign",
    "target_of",
]

WaitFor = Literal["accepted", "sent"]


@pipeline
async def send_campaign(
    nl: NewsLeopard,
    campaign: Mailing,
    *,
    contacts: Contacts | None = None,
    list_sn: ListSn | None = None,
    list_name: str | None = None,
    if_list_exists: IfListExists = "refuse",
    max_rejected: float | None = 0,
    marker: str | EllipsisType | None = ...,
    polling: Polling | None = None,
    progress: Progress | None = None,
    send_key: str | None = None,
    wait_for_other: bool | float = False,
    checkpoint: CheckpointLike | None = None,
    check: bool = True,
    strict: bool = False,
    encoding: str | None = None,
    fix: Fix | Iterable[Fix] = (),
    left_out_to: AnyPath | None = None,
    columns: Mapping[str, str] | None = None,
    skip: Skip | None = None,
    part_bytes: int | None = None,
    wait: WaitFor = "accepted",
    hold: timedelta | None = None,
    balance: IfTooLow | None = "warn",
    webhook: Webhooks | None = None,
) -> SendOutcome:
    """Import contacts, if any are passed, then submit a campaign or an A/B test, once.

    Contacts and campaign are checked first, as by `check_contacts` and `check_campaign`. All
    their errors are raised together, before anything is sent. Warnings and notes go to the log
    ``newsleopard_async``, unless ``strict`` turns the warnings into errors.

    Imports into one list run one after the other, as with `import_contacts`.

    Args:
        nl: The client.
        campaign: The campaign; the list of the import is added to its lists.
        contacts: A path to a CSV file or a workbook, or its content; an open file; a data frame;
            an iterable, async or not, of records; or a `ContactsSource`. See `Contacts`. None
            sends to the lists as they are.
        list_sn: The list to import into.
        list_name: Or the name of a list to create.
        if_list_exists: What to do if a list of that name already exists.
        max_rejected: Rows that the platform can reject without stopping the send: a number
            of rows, a share below 1, or None for any. If the check finds more of them,
            nothing is imported either.
        marker: The text that is added to the campaign's name, to find it again if the reply
            to the submit is lost. By default it is generated. A text of your own must be in no
            other campaign's name. None adds nothing; the campaign is then found by its
            whole name, so any other campaign of that name is mistaken for it.
        polling: How the import is polled, and the campaign with ``wait="sent"``.
        progress: Called with every event; or an `EventFeed`, to loop over them.
        send_key: The name of the campaign for all its runs, in any process: the client's store
            keeps the run under it. Called again, the pipeline resumes or returns the
            same outcome, and never submits twice; the contacts can be passed in another form. A
            campaign of the last 28 days with the key's marker in its name is not sent again,
            even if the record of its run is lost.
        wait_for_other: Whether to wait for the end of another run of the send key or checkpoint,
            and then continue: True for as long as the deadline of ``polling``, an hour by default;
            a number for so many seconds. False raises `InUse`.
        checkpoint: A path, instead of a send key; run again with it, the pipeline resumes,
            and never submits twice.
        check: Whether rows and campaign are checked. Without it, only contacts that are
            unusable as a whole, and a campaign that the submit would refuse, are refused.
        strict: Whether warnings also refuse.
        encoding: The encoding of the contacts; None detects it.
        fix: The corrections to make, as for `check_contacts`.
        left_out_to: The file for rows that ``fix`` leaves out, as for `check_contacts`.
        columns: Names that replace the names of columns, as for `check_contacts`.
        skip: Addresses to leave out, as for `check_contacts`.
        part_bytes: The largest size of a part, in bytes, as for `import_contacts`.
        wait: ``sent`` waits until the campaign is sent, as `wait_for_campaign` does, through its
            schedule and the wait of an A/B test. A resumed run continues to wait. It can differ
            between runs.
        hold: How long the campaign is held after its submit, up to seven days, while
            `call_off` can stop it: ``SendNow()`` becomes a schedule. It is fixed after the
            campaign was submitted, or possibly submitted.
        balance: What to do if the account's balance does not cover the campaign, by the
            subscribers of its lists, just before the submit: ``warn`` logs both numbers, ``refuse``
            raises, None does not read the balance. An unknown balance stops nothing. The
            platform itself decides at the submit.
        webhook: Receives the platform's call when the contacts have been imported, as for
            `import_contacts`. The platform sends none when a campaign is sent.

    Raises:
        InsufficientBalance: the platform refused, or ``balance="refuse"`` did; nothing was sent.
        CampaignFailed: it was accepted, and not sent, or not all of it.
        OutcomeUnknown: the reply to the submit was lost, and the campaign is not found
            (yet); run again with the send key after `.look_again_at`.
        ImportIncomplete: too many rows were rejected, or the platform counts fewer rows in
            the file than different addresses were sent, for any ``max_rejected``; nothing
            was sent.
        ImportFailed: the import ended without success; nothing was sent.
        DeadlineExceeded: the import, or another one into the list, did not end before the deadline,
            and nothing was sent; or the campaign was accepted, and not sent before the deadline.
        InvalidRequest: an argument, the campaign or the contacts are not valid; this run sent
            nothing. The `.checkpoint` shows what an earlier run did.
        InUse: another run has the send key or the checkpoint; it sends, and this one sent nothing.
    """
    raise_problems(problems_of_arguments(campaign, max_rejected, check=check, strict=strict))
    raise_problems([*problems_of_wait(wait), *problems_of_hold(hold, campaign)])
    raise_problems([*problems_of_balance(balance), *_problems_of_options(marker, polling, webhook)])
    kept = location_of(nl, send_key, checkpoint)
    raise_problems(problems_of_same_file("left_out_to", left_out_to, kept))
    wait_s = wait_s_of(wait_for_other, polling)
    target = target_of(contacts, list_sn, list_name, if_list_exists)
    tolerance = Tolerance(check=check, strict=strict, max_rejected=max_rejected)
    options = ContactsOptions(
        encoding=encoding,
        fix=fix,
        left_out_to=left_out_to,
        check_rows=check,
        columns=columns,
        skip=skip,
        part_bytes=part_bytes,
    )
    # As in `import_contacts`: error reports must not show addresses.
    del skip
    plan = _plan(contacts, part_bytes, balance, wait, finds_earlier=None not in (send_key, marker))
    polling = polling or Polling()
    events = Events("send_campaign", progress, nl.clock, plan)
    async with contextlib.AsyncExitStack() as stack:
        accepted = stack.enter_context(logging_accepted())
        found = None
        of_contacts = await stack.enter_async_context(contextlib.AsyncExitStack())
        if contacts is not None:
            contacts = as_source(contacts)
            found = await of_contacts.enter_async_context(
                checked_contacts(events, contacts, options)
            )
        of_rows = None if found is None else found.report
        check_now = partial(
            check_mailing, campaign, of_rows, target, tolerance=tolerance, hold=hold
        )
        if found is not None and found.report.fatal_errors:
            # Unusable contacts have no fingerprint, but the checkpoint shows the run.
            problems = (await check_now(now=nl.clock.now())).problems
            raise await with_checkpoint(InvalidRequest(problems), kept)
        fingerprint = _fingerprint_of(
            campaign, found, target, marker=marker, part_bytes=part_bytes, hold=hold
        )
        run = await stack.enter_async_context(
            running(nl, events, fingerprint=fingerprint, checkpoint=kept, wait_s=wait_s)
        )
        # A campaign that was submitted, or possibly submitted, is looked up and not checked again.
        is_new = not run.has(steps.submit)
        if is_new:
            check_result = await check_now(now=nl.clock.now())
            raise_problems(check_result.problems)
            log_remarks(check_result.remarks)
        if (earlier := await sent_earlier(run, marker)) is not None:
            return await _of_earlier(run, earlier, wait)
        report, most = None, None
        if found is not None and target is not None:
            most = recipients_of(campaign, found.report, target)
            await publish_unless_imported(run, found)
            joined = await find_or_create(run, target, polling)
            campaign = with_lists(campaign, (*campaign.lists, joined))
            report = await _import(
                run, found, joined, polling, max_rejected, is_new=is_new, webhook=webhook
            )
        if is_new and balance is not None:
            await check_balance(run, campaign, balance, most=most)
        campaign = await held_back(run, campaign, hold)
        accepted.campaign_sn = campaign_sn = await submit_or_find(run, campaign, marker)
        request_id = run.request_id(steps.submit)
        outcome = SendOutcome(campaign_sn=campaign_sn, import_report=report, request_id=request_id)
        if wait == "accepted":
            return outcome
        # The wait can take days, and the contacts must not stay on the disk so long.
        await of_contacts.aclose()
        status = await poll_submitted(run, campaign, campaign_sn, polling)
        return attrs.evolve(outcome, status=status)


def _plan(
    contacts: Contacts | None,
    part_bytes: int | None,
    balance: IfTooLow | None,
    wait: WaitFor,
    *,
    finds_earlier: bool,
) -> Plan:
    imports = (*OF_LIST, *of_import(in_parts=part_bytes is not None))
    return (
        *(() if contacts is None else OF_CONTACTS),
        *(OF_EARLIER if finds_earlier else ()),
        *(() if contacts is None else imports),
        *(() if balance is None else OF_BALANCE),
        ("hold_until", "submit"),
        *(OF_WAIT if wait == "sent" else ()),
    )


async def _of_earlier(run: Runner, earlier: SentCampaign, wait: WaitFor) -> SendOutcome:
    """Return the outcome of a campaign that an earlier run without a record has sent."""
    if not run.has(steps.submit):
        await run.record_result(steps.submit, earlier.sn)
    return SendOutcome(
        campaign_sn=earlier.sn,
        request_id=run.request_id(steps.find_earlier),
        status=status_of(earlier) if wait == "sent" else None,
    )


async def _import(
    run: Runner,
    found: PreparedContacts,
    list_sn: ListSn,
    polling: Polling,
    max_rejected: float | None,
    *,
    is_new: bool,
    webhook: Webhooks | None,
) -> ImportReport:
    """Import the contacts; before the submit, check that enough rows were imported.

    Raises:
        ImportIncomplete: too many rows were rejected.
    """
    was_kept = run.has(steps.get_import)
    report = await import_into(run, found, list_sn, polling, checks_count=is_new, webhook=webhook)
    if is_new:
        if was_kept and not is_complete_enough(report, max_rejected):
            report = await read_again(run, report, polling)
        check_rejected(run, report, max_rejected)
    return report


def _fingerprint_of(
    campaign: Mailing,
    found: PreparedContacts | None,
    target: Target | None,
    *,
    marker: str | EllipsisType | None,
    part_bytes: int | None,
    hold: timedelta | None,
) -> Fingerprint:
    contacts, mark = found and found.sha256, marker is ... or marker
    into = {} if target is None else target.to_dict()
    # Only options that are used count, so that checkpoints of runs without them stay valid.
    extras: dict[str, object] = {}
    if found is not None and found.parts:
        extras["part_bytes"] = part_bytes
    if hold is not None:
        extras["hold"] = hold
    return Fingerprint.of(
        *(campaign, contacts, target, mark, *extras.values()),
        campaign=campaign,
        contacts=contacts,
        marker=mark,
        **into,
        **extras,
    )


async def check_mailing(
    campaign: Mailing,
    report: ContactsReport | None,
    target: Target | None,
    *,
    now: datetime,
    tolerance: Tolerance,
    hold: timedelta | None,
) -> SendCheckResult:
    """Check in a thread, because a mail can be long."""
    if hold is not None:
        campaign = attrs.evolve(campaign, schedule=SendAt(now + hold))
    return await compute_in_thread(
        partial(check_send, campaign, report, target=target, now=now, tolerance=tolerance)
    )


def problems_of_arguments(
    campaign: object, max_rejected: object, *, check: object, strict: object
) -> Iterator[Problem]:
    """Yield the problems of the campaign and of the tolerance."""
    yield from problems_of_type("campaign", campaign, BaseMailing, "a campaign or an A/B test")
    yield from problems_of_type("check", check, bool, "True or False")
    yield from problems_of_type("strict", strict, bool, "True or False")
    yield from problems_of_max_rejected(max_rejected)


def problems_of_wait(wait: object) -> Iterator[Problem]:
    """Yield a problem if it is not a choice of what to wait for."""
    if wait not in ("accepted", "sent"):
        yield Problem("wait", "choice", "must be 'accepted' or 'sent'")


def _problems_of_options(marker: object, polling: object, webhook: object) -> Iterator[Problem]:
    """Yield the problems that would otherwise appear only after the import."""
    if marker is not None and not isinstance(marker, EllipsisType):
        yield from problems_of_line("marker", marker)
    yield from problems_of_polling(polling)
    yield from problems_of_webhook(webhook)


def target_of(
    contacts: Contacts | None,
    list_sn: ListSn | None,
    list_name: str | None,
    if_list_exists: IfListExists,
) -> Target | None:
    """Return the list for the contacts; None without contacts.

    Raises:
        InvalidRequest: a list is named without contacts, or the list cannot be used.
    """
    if contacts is not None:
        return Target(list_sn=list_sn, list_name=list_name, if_list_exists=if_list_exists)
    if list_sn is not None or list_name is not None:
        raise InvalidRequest.of(
            "contacts",
            "required",
            "list_sn and list_name select the list for contacts, and contacts are missing; pass "
            "contacts=, or name the lists to send to in the campaign",
        )
    return None
