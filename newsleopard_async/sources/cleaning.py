"""Contacts from anywhere made one clean CSV file, or a refusal that names everything."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

import attrs

from newsleopard_async.checks.contacts.examiner import Fix
from newsleopard_async.models.findings import ContactsReport
from newsleopard_async.models.rules import refuse
from newsleopard_async.sources.contacts import Contacts
from newsleopard_async.sources.examining import (
    Examination,
    OnProgress,
    examined,
    faults_of_file,
)
from newsleopard_async.sources.options import Options

__all__ = ["CleanContacts", "clean_contacts", "goes_as_text"]

_MOST_TEXT_ROWS: Final = 100
"""Above this the platform advises a file (建議筆數 > 100)."""

_LARGEST_TEXT_BYTES: Final = 1_600_000
"""A sixth of the documented 10 MB, since JSON may write a byte in six."""


@attrs.frozen(kw_only=True)
class CleanContacts:
    """A CSV as the platform wants it.

    Attributes:
        path: Where it is, in a folder that nobody else can look into.
        rows: Rows in it.
        as_text: Whether it is small enough to be imported as text.
        sha256: Of its content, by which a checkpoint knows it again, whatever form the
            contacts come in.
        report: What was found in what came in.
    """

    path: Path
    rows: int
    as_text: bool
    sha256: str
    report: ContactsReport

    @classmethod
    def of(cls, found: Examination) -> CleanContacts:
        """Take over what was examined, and has no fault as a whole."""
        report = found.report
        rows = report.rows - report.dropped - report.left_out
        # A text whose header has this in it passes for one whose line feeds were lost.
        is_plain = not any("\\n" in column for column in report.columns)
        return cls(
            path=found.path,
            rows=rows,
            as_text=is_plain and goes_as_text(rows, report.size_bytes),
            sha256=found.sha256,
            report=report,
        )


def goes_as_text(rows: int, size_bytes: int) -> bool:
    """Choose between the two kinds of import: text for the small, a file for the rest."""
    return rows <= _MOST_TEXT_ROWS and size_bytes <= _LARGEST_TEXT_BYTES


@contextlib.asynccontextmanager
async def clean_contacts(
    contacts: Contacts,
    *,
    encoding: str | None = None,
    fix: Fix | Iterable[Fix] = (),
    judge: bool = True,
    left_out_to: os.PathLike[str] | None = None,
    deep: bool = False,
    on_progress: OnProgress | None = None,
) -> AsyncIterator[CleanContacts]:
    """Give contacts as a clean CSV file, for as long as the context lasts.

    What is wrong with single rows is in the report, and no reason to refuse.

    Args:
        contacts: Whatever they come in.
        encoding: What they are encoded in; None finds it out.
        fix: What is to be made good.
        judge: Whether rows are judged at all.
        left_out_to: The file for rows that are left out; by default beside a path.
        deep: Whether addresses are judged by email-validator as well.
        on_progress: Told now and then how far it is.

    Raises:
        InvalidRequest: they cannot be read, or not be used as a whole; nothing is left behind.
        ConfigurationError: the temporary folder cannot be written, or email-validator is missing.
    """
    options = Options(encoding=encoding, fix=fix, judge=judge, deep=deep, left_out_to=left_out_to)
    async with examined(contacts, options, on_progress=on_progress) as found:
        refuse(each.as_problem() for each in faults_of_file(found.report))
        yield CleanContacts.of(found)
