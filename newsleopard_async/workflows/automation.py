"""Trigger an automation script for contacts, 100 per request, each at most once (T133).

A second event can send a second mail, and no endpoint reports for whom a script has begun. So the
run stops at a batch whose outcome is unknown, and a person decides. Checkpoints and events contain
only counts. The refused addresses are in the outcome, and in a file if the caller names one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from newsleopard_async.aio import in_thread
from newsleopard_async.client import NewsLeopard
from newsleopard_async.contacts.contacts_options import ContactsOptions, check_output
from newsleopard_async.contacts.preparation import PreparedContacts
from newsleopard_async.contacts.recipients import RecipientBatch, divide
from newsleopard_async.contacts.skip_list import Skip
from newsleopard_async.contacts.sources import Contacts, PathSource, as_source
from newsleopard_async.errors import InvalidRequest, OutcomeUnknown, Problem
from newsleopard_async.files import PATH_TYPES, AnyPath, as_path
from newsleopard_async.log import Log
from newsleopard_async.models import AutomationEvent, EventOutcome
from newsleopard_async.models.findings import Fix
from newsleopard_async.models.validation import problems_of_line, problems_of_type, raise_problems
from newsleopard_async.workflows.campaign_steps import EventBatch, send_event
from newsleopard_async.workflows.checking import checked_contacts, log_remarks
from newsleopard_async.workflows.checkpoint import (
    CheckpointLike,
    RunLocation,
    problems_of_same_file,
    with_checkpoint,
)
from newsleopard_async.workflows.fingerprint import Fingerprint
from newsleopard_async.workflows.lease import wait_s_of
from newsleopard_async.workflows.local_runner import running
from newsleopard_async.workflows.outcomes import AutomationOutcome, EventCounts
from newsleopard_async.workflows.pipeline import pipeline
from newsleopard_async.workflows.progress import OF_CONTACTS, Events, Progress
from newsleopard_async.workflows.runner import Runner, Step
from newsleopard_async.workflows.send_key import location_of
from newsleopard_async.workflows.steps import answer_of

__all__ = ["trigger_automation"]

_log: Final = Log()


@pipeline
async def trigger_automation(
    nl: NewsLeopard,
    workflow: str,
    contacts: Contacts,
    *,
    event: AutomationEvent = AutomationEvent.TRIGGER,
    progress: Progress | None = None,
    send_key: str | None = None,
    wait_for_other: bool | float = False,
    checkpoint: CheckpointLike | None = None,
    encoding: str | None = None,
    fix: Fix | Iterable[Fix] = (),
    left_out_to: AnyPath | None = None,
    columns: Mapping[str, str] | None = None,
    skip: Skip | None = None,
    strict: bool = False,
    refused_to: AnyPath | None = None,
) -> AutomationOutcome:
    """Begin or end an automation script for contacts, 100 per request, each at most once.

    Contacts are checked first. Nothing is sent if a row has a malformed address, a repeated
    address, or a value of 100 characters or more.

    Args:
        nl: The client.
        workflow: Code of the script, from the console.
        contacts: As for `send_campaign`: EMAIL becomes the address, NAME the name, and every other
            column a variable. At most 99,900.
        event: Whether the script begins or ends.
        progress: Called with every event; a batch is a part.
        send_key: The name of the event for all its runs, as for `send_campaign`. Called again, the
            pipeline resumes at the first batch that was not sent. The store contains only counts
            and no address. An event has no marker, so it cannot be found at the platform.
        wait_for_other: As for `send_campaign`; True waits for an hour.
        checkpoint: A path, instead of a send key.
        encoding: The encoding of the contacts; None detects it.
        fix: The corrections to make, as for `check_contacts`.
        left_out_to: The file for rows that ``fix`` leaves out, as for `check_contacts`.
        columns: Names that replace the names of columns, as for `check_contacts`.
        skip: Addresses to leave out, as for `check_contacts`.
        strict: Whether warnings also refuse.
        refused_to: A CSV file for the addresses that the platform refuses, with its reasons. Each
            batch is added before it counts as done, so a resumed run loses none. Only the owner
            of the file can read it.

    Raises:
        OutcomeUnknown: whether the event of a batch took effect is unknown. The message names its
            rows, counted below the header without the rows that are left out, and the ways to
            `Checkpoint.resolve`.
        NotOffered: this account or platform has no such endpoint.
        InvalidRequest: an argument or the contacts are not valid; this run sent nothing.
        InUse: another run has the send key or the checkpoint.
    Source: POST /v1/automation/event; notes 2026 (T133, T134).
    """
    raise_problems(_problems(workflow, event, strict, refused_to))
    kept, wait_s = location_of(nl, send_key, checkpoint), wait_s_of(wait_for_other, None)
    for name, path in (("left_out_to", left_out_to), ("refused_to", refused_to)):
        raise_problems(problems_of_same_file(name, path, kept))
    options = ContactsOptions(
        encoding=encoding, fix=fix, left_out_to=left_out_to, columns=columns, skip=skip
    )
    contacts = as_source(contacts)
    # As in `import_contacts`: error reports must not show addresses.
    del skip
    into = None if refused_to is None else as_path(refused_to).absolute()
    if into is not None:
        others = (contacts.path,) if isinstance(contacts, PathSource) else ()
        await check_output("refused_to", into, options.left_out_to, *others)
    events = Events("trigger_automation", progress, nl.clock, (*OF_CONTACTS, ("send_event",)))
    async with checked_contacts(events, contacts, options) as found:
        batches = await _checked_batches(found, kept, strict=strict)
        fingerprint = Fingerprint.of(
            *(workflow, event.value, found.sha256),
            workflow=workflow,
            event=event.value,
            contacts=found.sha256,
        )
        async with running(
            nl, events, fingerprint=fingerprint, checkpoint=kept, wait_s=wait_s
        ) as run:
            if not run.has(send_event):
                await found.publish()
                raise_problems(await in_thread(partial(_problems_of_file, into)))
            event_batch = EventBatch(
                workflow=workflow, event=event, path=found.path, batch=batches[0], refused_to=into
            )
            return await _send(run, event_batch, batches)


def _problems(
    workflow: object, event: object, strict: object, refused_to: object
) -> Iterator[Problem]:
    yield from problems_of_line("workflow", workflow)
    yield from problems_of_type(
        "event", event, AutomationEvent, "AutomationEvent.TRIGGER or .TERMINATE"
    )
    yield from problems_of_type("strict", strict, bool, "True or False")
    if refused_to is not None:
        yield from problems_of_type("refused_to", refused_to, PATH_TYPES, "a path")


def _problems_of_file(path: Path | None) -> list[Problem]:
    """Return a problem if a new run would add to an existing file."""
    if path is None or not path.exists():
        return []
    return [
        Problem("refused_to", "exists", f"{path} already exists; name a new file, or remove it")
    ]


async def _checked_batches(
    found: PreparedContacts, kept: RunLocation | None, *, strict: bool
) -> tuple[RecipientBatch, ...]:
    """Divide contacts into batches.

    Raises:
        InvalidRequest: lists all problems of the contacts.
    """
    report = found.report
    problems = [
        each.as_problem() for each in (*report.errors, *(report.warnings if strict else ()))
    ]
    batches: tuple[RecipientBatch, ...] = ()
    if not report.errors:
        try:
            batches = await in_thread(partial(divide, found.path))
        except InvalidRequest as error:
            problems.extend(error.problems)
    if problems:
        raise await with_checkpoint(InvalidRequest(problems), kept)
    log_remarks(report)
    _log.info("%d contacts take %d requests of the daily quota", report.going, len(batches))
    return batches


async def _send(
    run: Runner, event_batch: EventBatch, batches: Sequence[RecipientBatch]
) -> AutomationOutcome:
    """Send all batches; a batch of an earlier run counts with its stored result."""
    accepted = refused = 0
    reasons: dict[str, str] = {}
    for number, batch in enumerate(batches, start=1):
        step = send_event.of_part(number, len(batches))
        try:
            result = await _send_one(run, step, attrs.evolve(event_batch, batch=batch))
        except OutcomeUnknown as unknown:
            raise _in_doubt(unknown, number, batches) from None
        if isinstance(result, EventOutcome):
            reasons |= result.refused
        counts = EventCounts.of(result)
        accepted, refused = accepted + counts.accepted, refused + counts.refused
    rows = sum(batch.rows for batch in batches)
    unknown_rows = max(0, rows - accepted - refused)
    if unknown_rows:
        _log.warning("the platform does not report the outcome of %d contacts", unknown_rows)
    return AutomationOutcome(
        accepted=accepted,
        refused=refused,
        unknown=unknown_rows,
        requests=len(batches),
        reasons=reasons,
        refused_to=event_batch.refused_to,
    )


async def _send_one(
    run: Runner, step: Step[EventBatch, EventOutcome | EventCounts | None], event_batch: EventBatch
) -> EventOutcome | EventCounts | None:
    """Send a batch, unless the run that had begun it has found out its outcome."""
    try:
        return await run.step(step, event_batch)
    except OutcomeUnknown:
        if await run.has_outcome(step):
            return await _send_one(run, step, event_batch)
        raise


def _in_doubt(
    unknown: OutcomeUnknown, number: int, batches: Sequence[RecipientBatch]
) -> OutcomeUnknown:
    # An earlier run's intent has no answer.
    answered = f": {answer_of(unknown)}" if unknown.status is not None else ""
    return OutcomeUnknown(
        f"It is unknown whether the event for {batches[number - 1]} (batch {number} of "
        f"{len(batches)}) took effect{answered}. It was not repeated. The batches before it are "
        "done, and the batches after it were not sent. Check the script in the console (自動化). "
        'If the event took effect: await error.checkpoint.resolve("sent"). If it did not: '
        'await error.checkpoint.resolve("resubmit"). '
        "Then run the same call again with the same send key or checkpoint",
        request=unknown.request,
        status=unknown.status,
        excerpt=unknown.excerpt,
    ).with_answer_of(unknown)
