"""Check contacts before anything is sent, alone or as the first step of a pipeline."""

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
from newsleopard_async.workflows.progress import OF_CONTACTS, Events, Progress

__all__ = ["check_contacts", "checked_contacts", "log_remarks"]

_log: Final = Log()


class _CheckStep:
    """The step, for its events."""

    name: Final = "check_contacts"
    part: Final = 1
    parts: Final = 1
    serves: Final = None


_CHECK: Final = _CheckStep()


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
    """Read contacts, and say everything that is wrong with them or worth a look.

    Nothing is sent, and the event loop is not held up: they are read in threads, piece by
    piece, in constant memory but for a key of each address. Whatever their content is, it is
    reported and not raised.

    Args:
        source: A path to a CSV file or a workbook, or its content; an open file; a data frame;
            an iterable, async or not, of records; or a `ContactsSource`. See `Contacts`. What
            can be read only once is used up.
        encoding: What it is encoded in, by any name that Python knows; Big5 is read as its
            superset CP950. None finds it out, and the report says what it took.
        fix: What to put right in what goes out. ``trim`` removes blanks, invisible characters
            and a spreadsheet's apostrophe around cells; ``fill-rows`` adds the empty cells that
            a row lacks at its end, and removes empty ones that it has too many;
            ``drop-duplicates`` keeps the last row of each address, as the platform is assumed to
            do, and ``drop-later-duplicates`` the first; ``leave-out-bad-rows`` puts the rows
            that the platform would not take into a file. What is dropped, left out or trimmed
            is counted in the report.
        left_out_to: That file: the rows as they came, with their LINE and the REASON. Beside
            ``members.csv`` it is ``members.left-out.csv`` by default; where no path is given,
            it must be named. It appears whole, replacing an older one, and only if a row is
            left out.
        write_to: A file for the CSV as it would go out: UTF-8, ``EMAIL,NAME`` first. It
            appears whole, unless the contacts cannot be used at all.
        deep: Whether to judge addresses by email-validator, too, which the extra ``check``
            brings.
        columns: Names to use in the place of the file's or the records' own, such as
            ``{"電子郵件": "EMAIL", "姓名": "NAME"}``.
        skip: Addresses to leave out, such as those that unsubscribed elsewhere: a path to a CSV
            with a column EMAIL, or with one address a line; or an iterable of addresses, async
            or not. The report counts their rows.
        progress: Called with events of the step ``check_contacts``, the ``bytes`` read and the
            ``rows`` seen in their results. Everything is read twice, and a third time if
            ``drop-duplicates`` finds any.
    Returns: The findings, and what the contacts are: their number, their columns, their encoding.

    Raises:
        InvalidRequest: nothing can be read, an argument is wrong, a file cannot be written, or
            what is read was changed meanwhile.
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
    # `progress` may log, and reporters of errors print the frames that run.
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
    """Examine contacts as a step; what comes of them lasts as long as the context.

    Raises:
        InvalidRequest: nothing can be read, or an option does not go with it.
        ConfigurationError: what is needed is missing.
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
    """Log what keeps nothing from going on, a line each; no contact is in a finding."""
    for each in remarks:
        level = logging.INFO if each.level == "note" else logging.WARNING
        _log.log(level, "%s: %s (%s)", each.field, each.message, each.rule)
