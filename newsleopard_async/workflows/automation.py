"""Trigger an automation script for contacts: batches of 100, each at most once (T133).

A second event may send a second mail, and no endpoint reports which scripts have begun. So a
batch that may have taken effect stops the run, and a person decides. Checkpoints and events have
counts alone; the addresses that were refused are in the result of the run, and in a file if one is
named.
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
    """Begin or end an automation script for contacts, 100 in a request, each at most once.

    Contacts are checked first, and nothing is sent if a row is wrong: a malformed address, one
    that is given twice, or a value of 100 characters or more.

    Args:
        nl: The client.
        workflow: Code of the script, from the console.
        contacts: As for `send_campaign`: EMAIL becomes the address, NAME the name, and every other
            column a variable. At most 99,900.
        event: What happens to the script.
        progress: Called with every event; a batch is a part.
        send_key: Names the event for all runs of it, as for `send_campaign`; called again, the
            pipeline goes on with the first batch that was not sent. What is kept are counts, and no
            address. There is no marker by which an event could be found again.
        wait_for_other: As for `send_campaign`; True waits for an hour.
        checkpoint: A path, in the place of a send key.
        encoding: What the contacts are encoded in; None finds it out.
        fix: What to put right on the way, as for `check_contacts`.
        left_out_to: The file for rows that ``fix`` leaves out, as for `check_contacts`.
        columns: Names to use in the place of the file's or the records' own, as for
            `check_contacts`.
        skip: Addresses to leave out, as for `check_contacts`.
        strict: Whether warnings refuse, too.
        refused_to: A CSV file for the addresses that the platform refuses, with its reasons. Each
            batch adds to it before the batch counts as done, so that a run that goes on loses
            none. Only its owner can read it.

    Raises:
        OutcomeUnknown: it is not known whether the event of a batch took effect. The message has
            its rows, counted below the header without those that are left out, and says what
            `Checkpoint.resolve` does.
        NotOffered: this account or platform has no such endpoint.
        InvalidRequest: something is wrong with what was given; this run sent nothing.
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
    # As in `import_contacts`: what holds addresses is shown without them.
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
            given = EventBatch(
                workflow=workflow, event=event, path=found.path, batch=batches[0], refused_to=into
            )
            return await _send(run, given, batches)


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
    """Return what keeps a new run from adding to a file."""
    if path is None or not path.exists():
        return []
    return [
        Problem("refused_to", "exists", f"{path} is there already; name a new file, or remove it")
    ]


async def _checked_batches(
    found: PreparedContacts, kept: RunLocation | None, *, strict: bool
) -> tuple[RecipientBatch, ...]:
    """Divide contacts into batches, unless something is wrong with them.

    Raises:
        InvalidRequest: something is; all of it at once.
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
    _log.info("requests that %d contacts take of the day's limit: %d", report.going, len(batches))
    return batches


async def _send(
    run: Runner, given: EventBatch, batches: Sequence[RecipientBatch]
) -> AutomationOutcome:
    """Send batch by batch; what an earlier run has done counts as it was noted."""
    accepted = refused = 0
    reasons: dict[str, str] = {}
    for number, batch in enumerate(batches, start=1):
        step = send_event.of_part(number, len(batches))
        try:
            result = await _send_one(run, step, attrs.evolve(given, batch=batch))
        except OutcomeUnknown as unknown:
            raise _in_doubt(unknown, number, batches) from None
        if isinstance(result, EventOutcome):
            reasons |= result.refused
        counts = EventCounts.of(result)
        accepted, refused = accepted + counts.accepted, refused + counts.refused
    rows = sum(batch.rows for batch in batches)
    unknown_rows = max(0, rows - accepted - refused)
    if unknown_rows:
        _log.warning("the platform does not say what became of %d contacts", unknown_rows)
    return AutomationOutcome(
        accepted=accepted,
        refused=refused,
        unknown=unknown_rows,
        requests=len(batches),
        reasons=reasons,
        refused_to=given.refused_to,
    )


async def _send_one(
    run: Runner, step: Step[EventBatch, EventOutcome | EventCounts | None], given: EventBatch
) -> EventOutcome | EventCounts | None:
    """Send a batch, unless the run that had begun it has found out what became of it."""
    try:
        return await run.step(step, given)
    except OutcomeUnknown:
        if await run.has_news(step):
            return await _send_one(run, step, given)
        raise


def _in_doubt(
    unknown: OutcomeUnknown, number: int, batches: Sequence[RecipientBatch]
) -> OutcomeUnknown:
    # Of an earlier run's event nothing but that is known.
    answered = f": {answer_of(unknown)}" if unknown.status is not None else ""
    return OutcomeUnknown(
        f"It is not known whether the event for {batches[number - 1]} (batch {number} of "
        f"{len(batches)}) took effect{answered}. It was not repeated; the batches before are done, "
        "and those after were not sent. Look at the script in the console (自動化). If it took "
        'effect: await error.checkpoint.resolve("sent"). If it did not: '
        'await error.checkpoint.resolve("resubmit"). '
        "Then run the same call again with the same send key or checkpoint",
        request=unknown.request,
        status=unknown.status,
        excerpt=unknown.excerpt,
    ).with_answer_of(unknown)
