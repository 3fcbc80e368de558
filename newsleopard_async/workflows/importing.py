"""Import contacts: list → upload (or text) → wait until the platform has imported them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.contacts.contacts_options import ContactsOptions
from newsleopard_async.contacts.preparation import PreparedContacts
from newsleopard_async.contacts.skip_list import Skip
from newsleopard_async.contacts.sources import Contacts, as_source
from newsleopard_async.errors import APIError, ImportFailed, InvalidRequest
from newsleopard_async.files import AnyPath
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

GetImport = Step[ImportSn, ImportResult]


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
    """Import contacts into a list and wait until the import has ended.

    Imports into one list run one after the other, including imports of `send_campaign`: each waits
    for the earlier imports by pipelines of the same key on this event loop.

    Contacts are checked first. Contacts that are unusable as a whole are refused. Rows that the
    platform would reject and other findings go to the log ``newsleopard_async``, unless ``strict``
    refuses them.
    Up to 100 rows go as text, more as a file.

    Args:
        nl: The client.
        contacts: A path to a CSV file or a workbook, or its content; an open file; a data frame;
            an iterable, async or not, of records; or a `ContactsSource`. See `Contacts`.
        list_sn: The list to import into.
        list_name: Or the name of a list to create.
        if_list_exists: What to do if a list of that name already exists.
        polling: How the import is polled.
        progress: Called with every event; or an `EventFeed`, to loop over them.
        checkpoint: A path; run again with it, the import resumes. The
            same contacts can then be passed in another form.
        encoding: The encoding of the contacts; None detects it.
        fix: The corrections to make, as for `check_contacts`.
        left_out_to: The file for rows that ``fix`` leaves out, as for `check_contacts`.
        columns: Names that replace the names of columns, as for `check_contacts`.
        skip: Addresses to leave out, as for `check_contacts`.
        part_bytes: The largest size of a part, in bytes. Larger contacts are
            imported in several parts, one after the other, each with the header; the vendor's
            guide accepts files of up to 10 MB. Do not change it after the first part has begun.
        strict: Whether warnings refuse, and rows that the platform would reject.
        webhook: Receives the platform's call when a file has been imported: the import is then
            polled once, and not periodically. An import as text has no webhook.

    Raises:
        ImportFailed: the import ended without success. If it ended as ERROR, the message names
            columns that possibly must be set up in the console, or that the platform reserves.
        ImportIncomplete: the platform counts fewer rows in the file than different addresses
            were sent. Run again with the checkpoint to repeat the import. Rows that the platform
            reports as rejected do not raise; they are in the report.
        OutcomeUnknown: it is unknown whether the list was created; run again with the
            checkpoint after `.look_again_at`.
        DeadlineExceeded: the import did not end before the deadline, and continues at the
            platform; or other imports into the list did not end, and this one was not begun.
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
    # Error reports show the variables of running frames, and a source shows no content.
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
    """Return the findings that refuse contacts."""
    return (*report.errors, *report.warnings) if strict else report.fatal_errors


async def publish_unless_imported(run: Runner, found: PreparedContacts) -> None:
    """Write the file of rows that are left out, unless this run has already imported.

    After the import the file stays as it is, because the user can have corrected rows in it.
    """
    if not may_have_imported(run):
        await found.publish()


async def import_into(
    run: Runner,
    clean: PreparedContacts,
    list_sn: ListSn,
    polling: Polling,
    *,
    checks_count: bool = True,
    webhook: Webhooks | None = None,
) -> ImportReport:
    """Import clean contacts into a list, wait, and check the counts of the platform.

    It is not documented how the platform handles several imports at a time (T48). So parts are
    imported one after the other, after all other imports into the list. A run with finished
    imports does not wait for others.

    Args:
        run: The runner of the pipeline.
        clean: The contacts.
        list_sn: The list.
        polling: How the import is polled.
        checks_count: Whether missing rows raise; after the submit they do not.
        webhook: Receives the platform's call when a file has been imported.

    Raises:
        ImportFailed: the import ended without success.
        ImportIncomplete: the platform counts fewer rows than addresses were sent.
        DeadlineExceeded: it did not end before the deadline, or another import into the list did
            not.
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
        return await _import_all(
            run, clean, how, list_sn, polling, checks_count=checks_count, webhook=called
        )


async def _import_all(
    run: Runner,
    clean: PreparedContacts,
    how: Step[steps.ImportFile, ImportSn],
    list_sn: ListSn,
    polling: Polling,
    *,
    checks_count: bool,
    webhook: Webhooks | None,
) -> ImportReport:
    whole = steps.ImportFile(path=clean.path, list_sn=list_sn, columns=clean.report.columns)
    if not clean.parts:
        sent = clean.report.unique if checks_count else 0
        return await _import_one(run, how, whole, polling, sent=sent, webhook=webhook)
    reports: list[ImportReport] = []
    for number, part in enumerate(clean.parts, start=1):
        report = await _import_one(
            run,
            how.of_part(number, len(clean.parts)),
            attrs.evolve(whole, part=part),
            polling,
            sent=part.addresses if checks_count else 0,
            webhook=webhook,
        )
        reports.append(report)
    total = ImportReport.of_parts(list_sn, [each.result for each in reports])
    return attrs.evolve(total, request_id=reports[-1].request_id)


async def _import_one(
    run: Runner,
    how: Step[steps.ImportFile, ImportSn],
    file: steps.ImportFile,
    polling: Polling,
    *,
    sent: int,
    webhook: Webhooks | None,
) -> ImportReport:
    step = steps.get_import.of_part(how.part, how.parts)
    with expecting(webhook, run, how) as expected:
        import_sn = await run.step(registering(how, expected), file)
        try:
            result = await poll_import(
                run, import_sn, polling, step=step, columns=file.columns, webhook=expected
            )
            report = ImportReport(
                list_sn=file.list_sn,
                import_sn=import_sn,
                result=result,
                request_id=run.request_id(how),
            )
            check_row_count(run, report, sent=sent, of=step)
        except ImportFailed:
            # An import can be repeated; the cause can be corrected before the next run.
            await run.forget(step)
            await run.forget(how)
            raise
    return report


async def read_again(run: Runner, report: ImportReport, polling: Polling) -> ImportReport:
    """Poll an import again, if the platform still knows it.

    The stored result can be wrong, and must not refuse every later run.
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
    run: Runner, import_sn: ImportSn, kept: ImportResult, polling: Polling, step: GetImport
) -> ImportResult:
    if await run.step(excusing(step, steps.says_unknown), import_sn, keep=False) is None:
        return kept
    await run.forget(step)
    return await poll_import(run, import_sn, polling, step=step)


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
        ImportFailed: it ended without success.
        DeadlineExceeded: it did not end before the deadline.
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
    step: GetImport = steps.get_import,
    columns: tuple[str, ...] = (),
    webhook: ExpectedWebhook | None = None,
) -> ImportResult:
    """Poll an import until its state is final; every state except PROCESSING is.

    Soon after the upload, the platform can refuse its own code in any way.

    Args:
        run: The runner of the pipeline.
        import_sn: The import.
        polling: How it is polled.
        step: The step that reads its state.
        columns: The header that was sent, if it is known; an error names suspicious columns.
        webhook: The webhook that the platform calls when the import has ended.
    """
    what = f"import {import_sn}{text_of_part(step)}"
    if run.has(step):
        # The platform deletes an import after 30 days, so its end is stored.
        kept = await run.step(step, import_sn)
        check_status(run, what, kept, of=step)
        return kept
    try:
        result = await poll(
            run,
            step,
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
    check_status(run, what, result, of=step, columns=columns)
    await run.record_result(step, result)
    return result
