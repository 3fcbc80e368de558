"""One clean CSV file, which contacts from anywhere became, and how it is to be imported."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import attrs

from newsleopard_async.models.findings import ContactsReport
from newsleopard_async.sources.examining import Examination

__all__ = ["CleanContacts", "goes_as_text"]

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
