"""Import contacts: list → upload (or text) → wait until the platform has taken them in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.contacts.contacts_options import ContactsOptions
from newsleopard_async.contacts.preparation import PreparedContacts
from newsleopard_async.contacts.skip_list import Skip
from newsleopard_async.contacts.sources import Contacts, as_source
from newsleopard_async.errors import APIError, ImportFailed, InvalidRequest
from newsleopard_async.files import AnyPath
from newsleopard_async.log import Log
from newsleopard_async.models import ImportResult, ImportSn, ListSn, Polling
from newsleopard_async.models.findings import ContactsReport, Finding, Fix
from newsleopard_async.models.validation import problems_of_type, raise_problems
from newsleopard_async.webhooks.receiver import ExpectedWebhook, Webhooks
from newsleopard_async.workflows import steps
from newsleopard_async.workflows.checking import checked_contacts, log_remarks
from newsleopard_async.workflows.checkpoint import (
    CheckpointLike,
    problems_of_same_file,
    with_checkpoint,
)
from newsleopard_async.workflows.fingerprint import Fingerprint
from newsleopard_async.workflows.import_completeness import (
    check_row_count,
    check_status,
    text_of_part,
)
from newsleopard_async.workflows.local_runner import running
from newsleopard_async.workflows.outcomes import ImportReport
from newsleopard_async.workflows.pipeline import pipeline
from newsleopard_async.workflows.polling import (
    excusing,
    expecting,
    poll,
    problems_of_polling,
    problems_of_webhook,
    registering,
)
from newsleopard_async.workflows.progress import OF_CONTACTS, OF_LIST, Events, Progress, of_import
from newsleopard_async.workflows.runner import Runner, Step
from newsleopard_async.workflows.target import (
    IfListExists,
    Target,
    find_or_create,
    may_have_imported,
)

__all__ = [
    "import_contacts",
    "import_into",
    "publish_unless_imported",
    "read_again",
    "wait_for_import",
]

Look = Step[ImportSn, ImportResult]

_log: Final = Log()


@pipeline
async def import_contacts(
    nl: NewsLeopard,
    contacts: Contacts,
    *,
    list_sn: ListSn | None = None,
    list_name: str | None = None,
    if_list_exists: IfListExists = "refuse",
    polling: Polling | None = None,
    progress: Progress | None = None,
    checkpoint: CheckpointLike | None = None,
    encoding: str | None = None,
    fix: Fix | Iterable[Fix] = (),
    left_out_to: AnyPath | None = None,
    columns: Mapping[str, str] | None = None,
    skip: Skip | None = None,
    part_bytes: int | None = None,
    strict: bool = False,
    webhook: Webhooks | None = None,
) -> ImportReport:
    """Import contacts into a list and wait until they are in.

    Imports into one list take turns, also those of `send_campaign`: one waits until those that
    were begun before it, by pipelines of the same key on this event loop, have ended.

    They are checked first. What makes them unusable as a whole is refused; rows that the
    platform will not take, and whatever is worth a look, go to the log ``newsleopard_async``,
    unless ``strict`` refuses them.
    Up to 100 rows go as text, more as a file.

    Args:
        nl: The client.
        contacts: A path to a CSV file or a workbook, or its content; an open file; a data frame;
            an iterable, async or not, of records; or a `ContactsSource`. See `Contacts`.
        list_sn: The list to import into.
        list_name: Or the name of a list to create.
        if_list_exists: What to do where a list of that name is there already.
        polling: How the import is watched.
        progress: Called with every event; or an `EventFeed`, to loop over them.
        checkpoint: A path; run again with it, the import goes on where it was. The
            same contacts may then come in another form.
        encoding: What the contacts are encoded in; None finds it out.
        fix: What to put right on the way, as for `check_contacts`.
        left_out_to: The file for rows that ``fix`` leaves out, as for `check_contacts`.
        columns: Names to use in the place of the file's or the records' own, as for
            `check_contacts`.
        skip: Addresses to leave out, as for `check_contacts`.
        part_bytes: The largest size of a part, in bytes. Contacts that are larger than that are
            imported in several parts, one after the other, each with the header; the vendor's
            guide takes files of up to 10 MB. Once a part was begun, it must stay the same.
        strict: Whether warnings refuse, and rows that the platform will not take.
        webhook: Receives the platform's call when a file has been imported: the import is then
            looked at once, and not from time to time. What goes as text has no webhook.

    Raises:
        ImportFailed: the import ended without success. If it ended as ERROR, the message names
            columns that may have to be set up in the console, or that the platform reserves.
        ImportIncomplete: the platform counts fewer rows in the file than different addresses
            were sent; run again with the checkpoint, it is imported anew. Rows that it says
            it rejected do not raise; they are in the report.
        OutcomeUnknown: whether the list was created is not known yet; run again with the
            checkpoint, from `.look_again_at` on.
        DeadlineExceeded: it was not done in time, and goes on at the platform; or other imports
            into the list did not end in time, and this one was not begun.
        InvalidRequest: the contacts or the list cannot be used; nothing was imported.
        InUse: another run is using the checkpoint.
    """
    target = Target(list_sn=list_sn, list_name=list_name, if_list_exists=if_list_exists)
    raise_problems(
        [
            *problems_of_polling(polling),
            *problems_of_same_file("left_out_to", left_out_to, checkpoint),
            *problems_of_type("strict", strict, bool, "True or False"),
            *problems_of_webhook(webhook),
        ]
    )
    options = ContactsOptions(
        encoding=encoding,
        fix=fix,
        left_out_to=left_out_to,
        columns=columns,
        skip=skip,
        part_bytes=part_bytes,
    )
    plan = (*OF_CONTACTS, *OF_LIST, *of_import(in_parts=part_bytes is not None))
    events = Events("import_contacts", progress, nl.clock, plan)
    # Whoever reports a log line prints the variables of the frames that run: a source is shown
    # without its content.
    contacts = as_source(contacts)
    del skip
    async with checked_contacts(events, contacts, options) as found:
        if faults := _faults(found.report, strict=strict):
            error = InvalidRequest(each.as_problem() for each in faults)
            raise await with_checkpoint(error, checkpoint)
        log_remarks(found.report)
        divided = {"part_bytes": part_bytes} if found.parts else {}
        fingerprint = Fingerprint.of(
            *(found.sha256, target, *divided.values()),
            contacts=found.sha256,
            **target.to_dict(),
            **divided,
        )
        async with running(nl, events, fingerprint=fingerprint, checkpoint=checkpoint) as run:
            await publish_unless_imported(run, found)
            joined = await find_or_create(run, target, polling or Polling())
            return await import_into(run, found, joined, polling or Polling(), webhook=webhook)


def _faults(report: ContactsReport, *, strict: bool) -> tuple[Finding, ...]:
    """Return what refuses contacts."""
    return (*report.errors, *report.warnings) if strict else report.fatal_errors


async def publish_unless_imported(run: Runner, found: PreparedContacts) -> None:
    """Write the file of rows that are left out, as long as it is of this import.

    What was imported before has its file; somebody may have corrected rows in it since.
    """
    if not may_have_imported(run):
        await found.publish()


async def import_into(
    run: Runner,
    clean: PreparedContacts,
    list_sn: ListSn,
    polling: Polling,
    *,
    judges: bool = True,
    webhook: Webhooks | None = None,
) -> ImportReport:
    """Import clean contacts into a list, wait, and judge what the platform says it took.

    What the platform does with several imports at a time is not documented (T48). So parts are
    imported one after the other, and other imports into the list are waited for; but not by a
    run whose own imports have ended.

    Args:
        run: Carries it.
        clean: The contacts.
        list_sn: The list.
        polling: How the import is watched.
        judges: Whether the result decides anything; not after the submit.
        webhook: Receives the platform's call when a file has been imported.

    Raises:
        ImportFailed: the import ended without success.
        ImportIncomplete: the platform counts fewer rows than addresses were sent.
        DeadlineExceeded: it did not end in time, or another import into the list did not.
    """
    parts = len(clean.parts) or 1
    how = steps.import_text if clean.as_text and not clean.parts else steps.upload_file
    async with contextlib.AsyncExitStack() as stack:
        if not run.has(steps.get_import.of_part(parts, parts)):
            await stack.enter_async_context(
                run.list_lock(
                    how.of_part(1, parts),
                    f"imports into the list {list_sn}",
                    within_s=polling.deadline_s,
                )
            )
        # A text import has no webhook (T25).
        called = None if how is steps.import_text else webhook
        return await _import_all(run, clean, how, list_sn, polling, judges=judges, webhook=called)


async def _import_all(
    run: Runner,
    clean: PreparedContacts,
    how: Step[steps.ImportFile, ImportSn],
    list_sn: ListSn,
    polling: Polling,
    *,
    judges: bool,
    webhook: Webhooks | None,
) -> ImportReport:
    whole = steps.ImportFile(path=clean.path, list_sn=list_sn, columns=clean.report.columns)
    if not clean.parts:
        sent = clean.report.unique if judges else 0
        return await _import_one(run, how, whole, polling, sent=sent, webhook=webhook)
    reports: list[ImportReport] = []
    for number, part in enumerate(clean.parts, start=1):
        report = await _import_one(
            run,
            how.of_part(number, len(clean.parts)),
            attrs.evolve(whole, part=part),
            polling,
            sent=part.addresses if judges else 0,
            webhook=webhook,
        )
        reports.append(report)
    total = ImportReport.of_parts(list_sn, [each.result for each in reports])
    return attrs.evolve(total, request_id=reports[-1].request_id)


async def _import_one(
    run: Runner,
    how: Step[steps.ImportFile, ImportSn],
    given: steps.ImportFile,
    polling: Polling,
    *,
    sent: int,
    webhook: Webhooks | None,
) -> ImportReport:
    look = steps.get_import.of_part(how.part, how.parts)
    with expecting(webhook, run, how) as expected:
        import_sn = await run.step(registering(how, expected), given)
        try:
            result = await poll_import(
                run, import_sn, polling, look=look, columns=given.columns, webhook=expected
            )
            report = ImportReport(
                list_sn=given.list_sn,
                import_sn=import_sn,
                result=result,
                request_id=run.request_id(how),
            )
            check_row_count(run, report, sent=sent, of=look)
        except ImportFailed:
            # An import may be repeated, and by then what made it fail may have been mended.
            await run.forget(look)
            await run.forget(how)
            raise
    return report


async def read_again(run: Runner, report: ImportReport, polling: Polling) -> ImportReport:
    """Wait for an import's end anew, if the platform still knows it.

    What was kept may have been wrong, and must not refuse each later run.
    """
    if not report.parts:
        result = await _read_again(run, report.import_sn, report.result, polling, steps.get_import)
        return attrs.evolve(report, result=result)
    results = [
        await _read_again(
            run, part.import_sn, part, polling, steps.get_import.of_part(number, len(report.parts))
        )
        for number, part in enumerate(report.parts, start=1)
    ]
    total = ImportReport.of_parts(report.list_sn, results)
    return attrs.evolve(total, request_id=report.request_id)


async def _read_again(
    run: Runner, import_sn: ImportSn, kept: ImportResult, polling: Polling, look: Look
) -> ImportResult:
    if await run.step(excusing(look, steps.says_unknown), import_sn, keep=False) is None:
        return kept
    await run.forget(look)
    return await poll_import(run, import_sn, polling, look=look)


@pipeline
async def wait_for_import(
    nl: NewsLeopard,
    import_sn: ImportSn,
    *,
    polling: Polling | None = None,
    progress: Progress | None = None,
    checkpoint: CheckpointLike | None = None,
) -> ImportResult:
    """Wait until an import has ended with success.

    Raises:
        ImportFailed: it ended without.
        DeadlineExceeded: it had not ended in time.
    """
    raise_problems(problems_of_polling(polling))
    async with running(
        nl,
        Events("wait_for_import", progress, nl.clock, (("get_import",),)),
        fingerprint=Fingerprint.of(import_sn, import_sn=import_sn),
        checkpoint=checkpoint,
    ) as run:
        return await poll_import(run, import_sn, polling or Polling())


async def poll_import(
    run: Runner,
    import_sn: ImportSn,
    polling: Polling,
    *,
    look: Look = steps.get_import,
    columns: tuple[str, ...] = (),
    webhook: ExpectedWebhook | None = None,
) -> ImportResult:
    """Look until the state is final; every state but PROCESSING is.

    Right after the upload the platform may not know its own code yet, however it says so.

    Args:
        run: Carries it.
        import_sn: The import.
        polling: How it is watched.
        look: The look at it.
        columns: The header that was sent, if it is known; an error names what may be at fault.
        webhook: What the platform may call when it has ended.
    """
    what = f"import {import_sn}{text_of_part(look)}"
    if run.has(look):
        # The platform forgets an import after 30 days; the end of this one was kept.
        kept = await run.step(look, import_sn)
        check_status(run, what, kept, of=look)
        return kept
    try:
        result = await poll(
            run,
            look,
            import_sn,
            is_done=lambda result, _: result.status.is_final,
            polling=polling,
            what=what,
            excused_s=polling.grace_s,
            webhook=webhook,
        )
    except APIError as error:
        if not steps.says_unknown(error):
            raise
        failed = ImportFailed(f"{what}: the platform does not know it: {error}", result=None)
        raise failed.with_answer_of(error) from None
    check_status(run, what, result, of=look, columns=columns)
    await run.record_result(look, result)
    return result
