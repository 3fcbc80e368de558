"""Check contacts before anything is sent, separately or as the first step of a pipeline."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

from newsleopard_async.clock import SystemClock
from newsleopard_async.contacts.contacts_options import ContactsOptions
from newsleopard_async.contacts.preparation import PreparedContacts, prepare_contacts
from newsleopard_async.contacts.skip_list import Skip
from newsleopard_async.contacts.sources import Contacts, as_source
from newsleopard_async.files import AnyPath
from newsleopard_async.log import Log
from newsleopard_async.models.findings import ContactsReport, Finding, Fix
from newsleopard_async.workflows.pipeline import pipeline
from newsleopard_async.workflows.progress import OF_CONTACTS, Events, EventStep, Progress

__all__ = ["check_contacts", "checked_contacts", "log_remarks"]

_log: Final = Log()


_CHECK: Final = EventStep("check_contacts")
"""The step that events of the check show."""


@pipeline
async def check_contacts(
    source: Contacts,
    *,
    encoding: str | None = None,
    fix: Fix | Iterable[Fix] = (),
    left_out_to: AnyPath | None = None,
    write_to: AnyPath | None = None,
    deep: bool = False,
    columns: Mapping[str, str] | None = None,
    skip: Skip | None = None,
    progress: Progress | None = None,
) -> ContactsReport:
    """Check contacts, and return every finding.

    Nothing is sent, and the event loop is not blocked: threads read the contacts in pieces. Memory
    is constant, except for a key of each address. Content is reported and never raises.

    Args:
        source: A path to a CSV file or a workbook, or its content; an open file; a data frame;
            an iterable, async or not, of records; or a `ContactsSource`. See `Contacts`. A source
            that can be read only once is used up.
        encoding: The encoding, by any name that Python supports; Big5 is read as its superset
            CP950. None detects it, and the report contains the result.
        fix: The corrections to make. ``trim`` removes blanks, invisible characters
            and a spreadsheet's apostrophe around cells; ``fill-rows`` adds empty cells at the end
            of a short row, and removes surplus empty cells;
            ``drop-duplicates`` keeps the last row of each address, as the platform is assumed to
            do, and ``drop-later-duplicates`` the first; ``leave-out-bad-rows`` moves the rows
            that the platform would reject into a file. The report counts the rows that are
            dropped, left out or trimmed.
        left_out_to: The file for ``leave-out-bad-rows``: the original rows with their LINE and
            REASON. Next to ``members.csv``, the default is ``members.left-out.csv``; without a
            path as source, name it here. It is written in one piece, replaces an older file,
            and is written only if a row is left out.
        write_to: A file for the CSV that would be sent: UTF-8, ``EMAIL,NAME`` first. It
            is written in one piece, unless the contacts cannot be used at all.
        deep: Whether to check addresses with email-validator as well, which the extra ``check``
            installs.
        columns: Names that replace the names of columns, such as
            ``{"電子郵件": "EMAIL", "姓名": "NAME"}``.
        skip: Addresses to leave out, for example those that unsubscribed elsewhere: a path to a
            CSV file with a column EMAIL, or with one address per line; or an iterable of addresses,
            async or not. The report counts their rows.
        progress: Called with events of the step ``check_contacts``; their results are the
            ``bytes`` and ``rows`` that were read. Everything is read twice, and a third time if
            ``drop-duplicates`` finds any.
    Returns: The findings, and the number, the columns and the encoding of the contacts.

    Raises:
        InvalidRequest: the source cannot be read or changes during the check, an argument is
            not valid, or a file cannot be written.
        ConfigurationError: email-validator is missing, or the temporary folder cannot be used.
    """
    options = ContactsOptions(
        encoding=encoding,
        fix=fix,
        deep=deep,
        left_out_to=left_out_to,
        write_to=write_to,
        columns=columns,
        skip=skip,
    )
    # `progress` can log, and error reports show the variables of the running frames.
    del skip
    source = as_source(source)
    events = Events("check_contacts", progress, SystemClock(), OF_CONTACTS)
    async with checked_contacts(events, source, options) as found:
        await found.publish()
        return found.report


@contextlib.asynccontextmanager
async def checked_contacts(
    events: Events, contacts: Contacts, options: ContactsOptions
) -> AsyncIterator[PreparedContacts]:
    """Check contacts as a step; the result can be used only inside the context.

    Raises:
        InvalidRequest: the source cannot be read, or an option does not fit it.
        ConfigurationError: a required package or folder is missing.
    """

    async def on_progress(*, size_bytes: int, rows: int) -> None:
        await events.emit(_CHECK, "waiting", _how_far(size_bytes, rows))

    async with contextlib.AsyncExitStack() as stack:
        async with events.begin(_CHECK):
            found = await stack.enter_async_context(
                prepare_contacts(contacts, options, on_progress=on_progress)
            )
        await events.emit(_CHECK, "finished", _how_far(found.read_bytes, found.report.rows))
        yield found


def _how_far(size_bytes: int, rows: int) -> dict[str, int]:
    return {"bytes": size_bytes, "rows": rows}


def log_remarks(remarks: Iterable[Finding]) -> None:
    """Log the findings that do not refuse, one line each; a finding contains no contact."""
    for each in remarks:
        level = logging.INFO if each.level == "note" else logging.WARNING
        _log.log(level, "%s: %s (%s)", each.field, each.message, each.rule)
