"""Contacts are read twice, in constant memory: first to detect the encoding, then to check them.

A third reading is needed only to drop rows with an address that a later row repeats.

A file is read in place, and must not change meanwhile. A source that can be read only once is
first written into a private file. Each piece is checked in a thread, so it does not block the
event loop, and a cancellation waits for one piece at most.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

import attrs

from newsleopard_async.aio import compute_in_thread, in_thread
from newsleopard_async.contacts.contacts_options import ContactsOptions, publish
from newsleopard_async.contacts.csv.detection import DetectedFormat, EncodingDetector
from newsleopard_async.contacts.csv.magic import is_xlsx
from newsleopard_async.contacts.parts import Part, split
from newsleopard_async.contacts.rules.checker import CheckedPiece, ContactsChecker
from newsleopard_async.contacts.skip_list import SkipList, read_skip
from newsleopard_async.contacts.sources import PIECE_BYTES, PathSource, RegularFile, as_source
from newsleopard_async.contacts.spool import spool
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models.findings import ContactsReport, Finding
from newsleopard_async.temporary import append, private_folder

__all__ = ["FormatDetector", "OnProgress", "PreparedContacts", "goes_as_text", "prepare_contacts"]

_MOST_TEXT_ROWS: Final = 100
"""Source: for more rows the platform's documentation advises a file (建議筆數 > 100)."""

_LARGEST_TEXT_BYTES: Final = 1_600_000
"""A sixth of the documented 10 MB, because JSON can need six bytes for one."""


_HEAD_BYTES: Final = 65_536
"""The first bytes that distinguish types of zip archives. Chosen: the names of their first files
are in them."""

_READS_XLSX: Final = "python_calamine"
_UNREAD: Final = Finding(
    level="error",
    rule="spreadsheet-file",
    message="is an Excel workbook (.xlsx), which the extra xlsx reads: pip install "
    "'newsleopard-async[xlsx]'; or save it as CSV in UTF-8",
)


class OnProgress(Protocol):
    """Receives the progress of the preparation."""

    async def __call__(self, *, size_bytes: int, rows: int) -> None:
        """Handle the progress.

        Args:
            size_bytes: Bytes read so far, counted from 0 at each reading.
            rows: Rows written to the clean CSV so far; 0 while the encoding is detected.
        """
        ...


@attrs.frozen(kw_only=True)
class PreparedContacts:
    """The checked contacts: a CSV in the platform's format, unless the contacts are unusable.

    Attributes:
        report: The report of the check.
        path: The clean CSV, while the context is open, in a folder that no other user can read.
            If the contacts are unusable, its content is meaningless.
        sha256: The hash of the clean CSV, by which a checkpoint recognises the same contacts, even
            if they come from another type of source.
        read_bytes: The number of bytes that were read.
        left_out: The file of the rows that are left out, until it is published.
        write_to: The caller's path for a copy of the clean CSV.
        parts: The parts in which the clean CSV is imported; empty if it is imported as a whole.
    """

    report: ContactsReport
    path: Path
    sha256: str
    read_bytes: int
    left_out: Path
    write_to: Path | None
    parts: tuple[Part, ...] = ()

    @property
    def rows(self) -> int:
        """The number of rows in the clean CSV."""
        return self.report.going

    @property
    def as_text(self) -> bool:
        """Whether the clean CSV is small enough to be imported as text."""
        # A header that contains these characters is treated as text whose line feeds were lost.
        is_plain = not any("\\n" in column for column in self.report.columns)
        return is_plain and goes_as_text(self.rows, self.report.size_bytes)

    async def publish(self) -> None:
        """Copy the files to the caller's paths, unless the contacts are unusable.

        Raises:
            InvalidRequest: a file cannot be written.
        """
        if self.report.fatal_errors:
            return
        if self.report.left_out_to is not None:
            await publish("left_out_to", self.left_out, self.report.left_out_to)
            # The file contains contacts, so it is deleted as early as possible.
            await in_thread(self.left_out.unlink)
        if self.write_to is not None:
            await publish("write_to", self.path, self.write_to)


def goes_as_text(rows: int, size_bytes: int) -> bool:
    """Return whether contacts are imported as text; larger ones are imported as a file."""
    return rows <= _MOST_TEXT_ROWS and size_bytes <= _LARGEST_TEXT_BYTES


class FormatDetector:
    """Detects whether a file is a workbook, or the encoding of its text.

    Args:
        encoding: As for `EncodingDetector`.

    Attributes:
        is_workbook: Whether the file is a workbook that can be read; all of it is needed then.
    """

    def __init__(self, encoding: str | None) -> None:
        self.is_workbook: bool = False
        self._is_xlsx = False
        self._head = b""
        self._detector = EncodingDetector(encoding)

    def feed(self, piece: bytes) -> bool:
        """Read the next bytes; return False if the rest need not be read."""
        if len(self._head) < _HEAD_BYTES:
            self._head = (self._head + piece)[:_HEAD_BYTES]
            self._is_xlsx = is_xlsx(self._head)
            self.is_workbook = self._is_xlsx and find_spec(_READS_XLSX) is not None
        return self.is_workbook or self._detector.feed(piece)

    def finish(self) -> DetectedFormat:
        """Return how to read the file, if it is not a workbook that can be read."""
        detected = self._detector.finish()
        return attrs.evolve(detected, findings=(_UNREAD,)) if self._is_xlsx else detected


@contextlib.asynccontextmanager
async def prepare_contacts(
    contacts: object, options: ContactsOptions, *, on_progress: OnProgress | None = None
) -> AsyncIterator[PreparedContacts]:
    """Check contacts, and write the clean CSV into a folder that exists while the context is open.

    The caller's own files are not changed before `PreparedContacts.publish`.

    Raises:
        InvalidRequest: the contacts cannot be read, or an option does not fit them.
        ConfigurationError: the temporary folder cannot be written.
    """
    source = as_source(contacts)
    # A missing file is reported before a problem of an output that would be written beside it.
    file = await RegularFile.at(source.path) if isinstance(source, PathSource) else None
    options = await options.fitted(source)
    skip = None if options.skip is None else await read_skip(options.skip)
    with private_folder() as folder:
        preparation = _Preparation(
            folder=folder, options=options, skip=skip, on_progress=on_progress
        )
        format_detector = FormatDetector(options.encoding)
        if file is None:
            file = await spool(
                source,
                preparation.raw,
                format_detector.feed,
                on_piece=preparation.report_progress,
            )
        else:
            await preparation.read(file, format_detector.feed)
        report = await preparation.check(format_detector, file)
        yield PreparedContacts(
            report=report,
            path=preparation.clean,
            sha256=preparation.sha256.hexdigest(),
            read_bytes=preparation.size_bytes,
            left_out=preparation.left_out,
            write_to=options.write_to,
            parts=await preparation.divide(report),
        )


@attrs.define(kw_only=True)
class _Preparation:
    """The readings of the contacts, and the files that they write."""

    folder: Path
    options: ContactsOptions
    skip: SkipList | None
    on_progress: OnProgress | None
    sha256: Any = attrs.field(factory=hashlib.sha256)
    detected: DetectedFormat | None = None
    size_bytes: int = 0
    rows: int = 0
    comes_slowly: bool = False

    @property
    def clean(self) -> Path:
        return self.folder / "contacts.csv"

    @property
    def raw(self) -> Path:
        return self.folder / "raw"

    @property
    def unpacked(self) -> Path:
        return self.folder / "unpacked.csv"

    @property
    def left_out(self) -> Path:
        return self.folder / "left-out.csv"

    async def read(self, file: RegularFile, feed: Callable[[bytes], bool]) -> None:
        """Pass each piece to `feed` in a thread, until `feed` returns False."""
        async with contextlib.aclosing(file.pieces()) as pieces:
            async for piece in pieces:
                await self.report_progress(piece)
                if not await compute_in_thread(partial(feed, piece)):
                    break

    async def unpack(self, file: RegularFile) -> tuple[DetectedFormat, RegularFile]:
        """Write the sheet of a workbook as a CSV; this cannot be interrupted.

        Raises:
            InvalidRequest: the caller passed an encoding, or the file changed meanwhile.
        """
        from newsleopard_async.contacts.workbook import unpack

        if self.options.encoding is not None:
            raise InvalidRequest.of(
                "encoding", "text", "is for text, and a workbook has none; remove it"
            )
        detected = await in_thread(partial(unpack, file.path, self.unpacked))
        if await RegularFile.at(file.path) != file:
            raise RegularFile.refusal(file.path, "changed")
        return detected, await RegularFile.at(self.unpacked)

    async def check(self, format_detector: FormatDetector, file: RegularFile) -> ContactsReport:
        """Check the rows, and write the clean CSV."""
        if format_detector.is_workbook:
            self.detected, file = await self.unpack(file)
        repeats: Mapping[bytes, int] | None = None
        while True:
            checker = await compute_in_thread(partial(self._begin, format_detector, repeats))
            if checker.is_readable:
                self.size_bytes, self.comes_slowly = 0, False
                await self.read(file, partial(self._feed, checker))
            report = await compute_in_thread(partial(self._finish, checker))
            if report is not None:
                return report
            repeats = checker.repeats

    async def divide(self, report: ContactsReport) -> tuple[Part, ...]:
        """Divide the clean CSV if it is larger than a part.

        Raises:
            InvalidRequest: it cannot be divided into parts of this size.
        """
        part_bytes = self.options.part_bytes
        if part_bytes is None or report.fatal_errors or report.size_bytes <= part_bytes:
            return ()
        return await in_thread(partial(split, self.clean, part_bytes))

    def _begin(
        self, format_detector: FormatDetector, repeats: Mapping[bytes, int] | None
    ) -> ContactsChecker:
        """Begin a reading, and delete the results of the previous one."""
        options = self.options
        self.detected = self.detected or format_detector.finish()
        self.sha256, self.rows = hashlib.sha256(), 0
        self.clean.unlink(missing_ok=True)
        self.left_out.unlink(missing_ok=True)
        return ContactsChecker(
            self.detected,
            fix=options.fix,
            check_rows=options.checks_rows,
            deep=options.deep,
            columns=options.columns,
            repeats=repeats,
            part_bytes=options.part_bytes,
            skip=self.skip.keys if self.skip else frozenset(),
        )

    def _feed(self, checker: ContactsChecker, piece: bytes) -> bool:
        return self._write(checker.feed(piece))

    def _write(self, found: CheckedPiece) -> bool:
        """Write the checked piece; return True, since the next piece is always needed."""
        self.sha256.update(found.clean)
        self.rows += found.clean.count(b"\n")
        append(self.clean, found.clean)
        if found.left_out:
            append(self.left_out, found.left_out)
        return True

    def _finish(self, checker: ContactsChecker) -> ContactsReport | None:
        """End a reading, and delete all files with contacts that are not needed any more.

        Returns: The report; None if the contacts must be read again.
        """
        self._write(checker.finish())
        if checker.repeats:
            return None
        report = self._with_skip(checker.report())
        self.raw.unlink(missing_ok=True)
        self.unpacked.unlink(missing_ok=True)
        if report.left_out and not report.fatal_errors:
            return attrs.evolve(report, left_out_to=self.options.left_out_to)
        self.left_out.unlink(missing_ok=True)
        return report

    def _with_skip(self, report: ContactsReport) -> ContactsReport:
        finding = None if self.skip is None else self.skip.finding()
        return report if finding is None else attrs.evolve(report, findings=(*report, finding))

    async def report_progress(self, piece: bytes) -> None:
        """Count a piece, and report the progress."""
        self.size_bytes += len(piece)
        # A source of less than one piece is read so fast that no progress is reported.
        is_whole = len(piece) == PIECE_BYTES
        if self.on_progress is not None and (is_whole or self.comes_slowly):
            # One of the lines is the header.
            await self.on_progress(size_bytes=self.size_bytes, rows=max(0, self.rows - 1))
        # A small piece is the last one, except from a slow source.
        self.comes_slowly = not is_whole
