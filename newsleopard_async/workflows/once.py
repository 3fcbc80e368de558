"""Send a campaign to contacts that are uploaded for it and belong to no list.

It has no import and no file of rejected rows. So contacts are checked before anything is sent,
and afterwards they are compared with the number of recipients that the platform counts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Final

import attrs

from newsleopard_async.aio import compute_in_thread
from newsleopard_async.client import NewsLeopard
from newsleopard_async.contacts.contacts_options import ContactsOptions
from newsleopard_async.contacts.preparation import PreparedContacts
from newsleopard_async.contacts.skip_list import Skip
from newsleopard_async.contacts.sources import Contacts, as_source
from newsleopard_async.errors import InvalidRequest, NewsLeopardError, Problem
from newsleopard_async.files import AnyPath
from newsleopard_async.log import Log
from newsleopard_async.models import CampaignSn, CampaignStatus, Mailing, Polling, SentCampaign
from newsleopard_async.models.campaign import BaseMailing
from newsleopard_async.models.findings import Fix
from newsleopard_async.models.validation import (
    problems_of_max_rejected,
    problems_of_type,
    raise_problems,
)
from newsleopard_async.workflows import campaign_steps
from newsleopard_async.workflows.balance import (
    IfTooLow,
    check_balance_once,
    problems_of_balance,
)
from newsleopard_async.workflows.checking import checked_contacts, log_remarks
from newsleopard_async.workflows.checkpoint import (
    CheckpointLike,
    problems_of_same_file,
    with_checkpoint,
)
from newsleopard_async.workflows.completion import logging_accepted, poll_submitted, status_of
from newsleopard_async.workflows.fingerprint import Fingerprint
from newsleopard_async.workflows.lease import wait_s_of
from newsleopard_async.workflows.local_runner import running
from newsleopard_async.workflows.outcomes import OnceOutcome
from newsleopard_async.workflows.pipeline import pipeline
from newsleopard_async.workflows.polling import problems_of_polling
from newsleopard_async.workflows.progress import (
    OF_BALANCE,
    OF_CONTACTS,
    OF_EARLIER,
    OF_WAIT,
    Events,
    Plan,
    Progress,
)
from newsleopard_async.workflows.reconcile import marked, sent_earlier
from newsleopard_async.workflows.runner import Runner
from newsleopard_async.workflows.send_check import SendCheckResult, Tolerance, check_send
from newsleopard_async.workflows.send_key import location_of
from newsleopard_async.workflows.sending import WaitFor, problems_of_wait
from newsleopard_async.workflows.steps import find_earlier
from newsleopard_async.workflows.uploading import is_open, prepare_and_upload

__all__ = ["send_once"]

_log: Final = Log()


@pipeline
async def send_once(
    nl: NewsLeopard,
    campaign: Mailing,
    contacts: Contacts,
    *,
    max_rejected: float | None = 0,
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
    wait: WaitFor = "accepted",
    balance: IfTooLow | None = "warn",
) -> OnceOutcome:
    """Send a campaign or an A/B test, once, to contacts that belong to no list.

    Contacts and campaign are checked first, as by `send_campaign`. Then the campaign is prepared,
    and the upload of the contacts sends it. It has no import and no file of rejected
    rows, so errors in the contacts must be found before.

    Args:
        nl: The client.
        campaign: The campaign; its ``lists`` must be empty. With a schedule, the upload must come
            before it.
        contacts: As for `send_campaign`. They go in one file, of at most 10 MB.
        max_rejected: Rows with errors that do not stop the send: a number of rows, a share below
            1, or None for any.
        polling: How the state is polled after a lost reply, for `Polling.grace_s`; and how the
            campaign is polled with ``wait="sent"``.
        progress: Called with every event; or an `EventFeed`, to loop over them.
        send_key: As for `send_campaign`. The URL of the upload is not stored.
        wait_for_other: As for `send_campaign`.
        checkpoint: A path, instead of a send key; run again with it, the pipeline resumes,
            and never uploads twice.
        check: As for `send_campaign`.
        strict: Whether warnings also refuse.
        encoding: The encoding of the contacts; None detects it.
        fix: The corrections to make, as for `check_contacts`.
        left_out_to: The file for rows that ``fix`` leaves out, as for `check_contacts`.
        columns: Names that replace the names of columns, as for `check_contacts`.
        skip: Addresses to leave out, as for `check_contacts`.
        wait: ``sent`` waits until the campaign is sent, as `wait_for_campaign` does, and compares
            the recipients that the platform counts with the addresses that were uploaded.
        balance: What to do if the account's balance does not cover the addresses, just before the
            campaign is prepared: ``warn`` logs both numbers, ``refuse`` raises, None does not
            read the balance. Fewer mails are needed if contacts are excluded or have unsubscribed.

    Raises:
        OutcomeUnknown: it was possibly prepared, or sent, and that cannot be seen (yet). The
            message names the way to find out, and to `Checkpoint.resolve`; or run again with
            the send key, after `.look_again_at`.
        NotOffered: this account or platform has no such endpoint; nothing was sent. The campaign is
            never sent to a list instead.
        StorageError: the storage refused the upload; nothing was sent.
        InsufficientBalance: the platform refused, or ``balance="refuse"`` did; nothing was sent.
        CampaignFailed: it was stopped; or it was accepted and not sent, or not all of it.
        DeadlineExceeded: it was accepted, and was not sent before the deadline.
        InvalidRequest: an argument, the campaign or the contacts are not valid; this run sent
            nothing.
        InUse: another run has the send key or the checkpoint.
    Source: POST /v1/campaign/normal/once, …/testing/once; notes 2026 (T122, T123).
    """
    raise_problems(
        _problems_of_arguments(campaign, max_rejected, check=check, strict=strict, wait=wait)
    )
    raise_problems(problems_of_balance(balance))
    raise_problems(
        [
            *problems_of_polling(polling),
            *problems_of_same_file("left_out_to", left_out_to, checkpoint),
        ]
    )
    kept, wait_s = location_of(nl, send_key, checkpoint), wait_s_of(wait_for_other, polling)
    tolerance = Tolerance(check=check, strict=strict, max_rejected=max_rejected)
    options = ContactsOptions(
        encoding=encoding,
        fix=fix,
        left_out_to=left_out_to,
        check_rows=check,
        columns=columns,
        skip=skip,
    )
    contacts = as_source(contacts)
    # As in `import_contacts`: error reports must not show addresses.
    del skip
    plan = _plan(balance, wait, finds_earlier=send_key is not None)
    events = Events("send_once", progress, nl.clock, plan)
    async with contextlib.AsyncExitStack() as stack:
        accepted = stack.enter_context(logging_accepted())
        of_contacts = await stack.enter_async_context(contextlib.AsyncExitStack())
        found = await of_contacts.enter_async_context(checked_contacts(events, contacts, options))
        check_now = partial(_check_mailing, nl, campaign, found, tolerance)
        if found.report.fatal_errors:
            raise await with_checkpoint(InvalidRequest((await check_now()).problems), kept)
        fingerprint = Fingerprint.of(
            campaign, found.sha256, campaign=campaign, contacts=found.sha256
        )
        run = await stack.enter_async_context(
            running(nl, events, fingerprint=fingerprint, checkpoint=kept, wait_s=wait_s)
        )
        # A campaign that was sent, or possibly sent, is looked up and not checked again.
        is_new = is_open(run)
        if is_new:
            check_result = await check_now()
            raise_problems(check_result.problems)
            log_remarks(check_result.remarks)
        if (earlier := await sent_earlier(run, ...)) is not None:
            return await _of_earlier(run, earlier, found.report.unique, wait)
        if is_new:
            await found.publish()
            if balance is not None:
                await check_balance_once(run, found.report.unique, balance)
        ready = marked(campaign, run.marker)
        campaign_sn = await prepare_and_upload(run, ready, found.path, polling or Polling())
        accepted.campaign_sn = campaign_sn
        outcome = OnceOutcome(
            campaign_sn=campaign_sn,
            addresses=found.report.unique,
            request_id=run.request_id(campaign_steps.submit_once),
        )
        if wait == "accepted":
            return outcome
        # The wait can take days, and the contacts must not stay on the disk so long.
        await of_contacts.aclose()
        status = await poll_submitted(run, ready, campaign_sn, polling or Polling())
        return await _compared(run, outcome, status)


async def _of_earlier(
    run: Runner, earlier: SentCampaign, addresses: int, wait: WaitFor
) -> OnceOutcome:
    """Return the outcome of a campaign that an earlier run without a record has sent."""
    if not run.has(campaign_steps.upload_once):
        await run.record_result(campaign_steps.submit_once, earlier.sn)
        await run.record_result(campaign_steps.upload_once, None)
    outcome = OnceOutcome(
        campaign_sn=earlier.sn,
        addresses=addresses,
        request_id=run.request_id(find_earlier),
    )
    return outcome if wait == "accepted" else await _compared(run, outcome, status_of(earlier))


def _plan(balance: IfTooLow | None, wait: WaitFor, *, finds_earlier: bool) -> Plan:
    return (
        *OF_CONTACTS,
        *(OF_EARLIER if finds_earlier else ()),
        *(() if balance is None else OF_BALANCE),
        ("submit_once",),
        ("upload_once",),
        *((*OF_WAIT, ("get_metrics",)) if wait == "sent" else ()),
    )


def _problems_of_arguments(
    campaign: object, max_rejected: object, *, check: object, strict: object, wait: object
) -> Iterator[Problem]:
    yield from problems_of_type("campaign", campaign, BaseMailing, "a campaign or an A/B test")
    yield from problems_of_type("check", check, bool, "True or False")
    yield from problems_of_type("strict", strict, bool, "True or False")
    yield from problems_of_max_rejected(max_rejected)
    yield from problems_of_wait(wait)


async def _check_mailing(
    nl: NewsLeopard, campaign: Mailing, found: PreparedContacts, tolerance: Tolerance
) -> SendCheckResult:
    """Check in a thread, because a mail can be long."""
    now = nl.clock.now()
    return await compute_in_thread(
        partial(
            check_send,
            campaign,
            found.report,
            target=None,
            now=now,
            tolerance=tolerance,
            is_once=True,
        )
    )


async def _compared(run: Runner, outcome: OnceOutcome, status: CampaignStatus) -> OnceOutcome:
    """Compare the recipients that the platform counts with the addresses that were uploaded."""
    recipients = await _recipients(run, outcome.campaign_sn)
    if recipients is not None and recipients < outcome.addresses:
        _log.warning(
            "campaign %s went to %d recipients, and %d addresses were uploaded; the others were "
            "excluded, had unsubscribed, or were rejected. No file of rejected rows exists",
            outcome.campaign_sn,
            recipients,
            outcome.addresses,
        )
    return attrs.evolve(outcome, status=status, recipients=recipients)


async def _recipients(run: Runner, campaign_sn: CampaignSn) -> int | None:
    """Return the recipients of a whole campaign; rows of its parts do not count (T130)."""
    try:
        rows = await run.step(campaign_steps.get_metrics, (campaign_sn,), keep=False)
    except NewsLeopardError as error:
        # The campaign is sent; an error of the count must not hide that.
        _log.info("the recipients of %s could not be compared: %s", campaign_sn, error)
        return None
    own = [each for each in rows if each.sn == campaign_sn]
    return next((each.recipients for each in own if each.part in ("", "TOTAL")), None)
