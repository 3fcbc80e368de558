"""Contacts read twice, in constant memory: how are they encoded, then what is in them.

Only rows that a later one takes the place of need a third reading.

A file is read where it stands, and must stay as it was; whatever can be read only once is put
into a file of ours first. Each piece is judged in a thread, so that the event loop goes on, and
a cancellation waits for one piece at most.
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

from newsleopard_async.aio import in_thread
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
"""Above this the platform advises a file (建議筆數 > 100)."""

_LARGEST_TEXT_BYTES: Final = 1_600_000
"""A sixth of the documented 10 MB, since JSON may write a byte in six."""


_HEAD_BYTES: Final = 65_536
"""By which the kinds of zip archives are told apart."""

_READS_XLSX: Final = "python_calamine"
_UNREAD: Final = Finding(
    level="error",
    rule="spreadsheet-file",
    message="is an Excel workbook (.xlsx), which the extra xlsx reads: pip install "
    "'newsleopard-async[xlsx]'; or save it as CSV in UTF-8",
)


class OnProgress(Protocol):
    """Told now and then how far it is."""

    async def __call__(self, *, size_bytes: int, rows: int) -> None:
        """Take note.

        Args:
            size_bytes: Bytes read so far, counted from 0 at each reading.
            rows: Rows that go out so far; 0 as long as only the encoding is looked at.
        """
        ...


@attrs.frozen(kw_only=True)
class PreparedContacts:
    """What came of it: a CSV as the platform wants it, unless the contacts are unusable.

    Attributes:
        report: What was found.
        path: The clean CSV, for as long as the context lasts, in a folder that nobody else can
            look into. If the contacts are unusable, there is nothing of use in it.
        sha256: Of the clean CSV, by which a checkpoint knows it again, whatever form the
            contacts come in.
        read_bytes: How many bytes came in.
        left_out: The rows that are left out, until they are published.
        write_to: Where the caller wants the clean CSV, too.
        parts: In which the clean CSV is imported, one after the other; none imports it whole.
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
        """Rows in the clean CSV."""
        return self.report.going

    @property
    def as_text(self) -> bool:
        """Whether the clean CSV is small enough to be imported as text."""
        # A text whose header has this in it passes for one whose line feeds were lost.
        is_plain = not any("\\n" in column for column in self.report.columns)
        return is_plain and goes_as_text(self.rows, self.report.size_bytes)

    async def publish(self) -> None:
        """Put the files where the caller wants them, once; none of unusable contacts.

        Raises:
            InvalidRequest: one cannot be written.
        """
        if self.report.fatal_errors:
            return
        if self.report.left_out_to is not None:
            await publish("left_out_to", self.left_out, self.report.left_out_to)
            # Contacts are in it.
            await in_thread(self.left_out.unlink)
        if self.write_to is not None:
            await publish("write_to", self.path, self.write_to)


def goes_as_text(rows: int, size_bytes: int) -> bool:
    """Choose between the two kinds of import: text for the small, a file for the rest."""
    return rows <= _MOST_TEXT_ROWS and size_bytes <= _LARGEST_TEXT_BYTES


class FormatDetector:
    """Looks at each piece before anything is made of it: a workbook, or text in which encoding.

    Args:
        encoding: As for `EncodingDetector`.

    Attributes:
        is_workbook: Whether it is a workbook that can be read; all of it is needed then.
    """

    def __init__(self, encoding: str | None) -> None:
        self.is_workbook: bool = False
        self._is_xlsx = False
        self._head = b""
        self._detector = EncodingDetector(encoding)

    def feed(self, piece: bytes) -> bool:
        """Take the next bytes; False where enough is known and the rest need not be read."""
        if len(self._head) < _HEAD_BYTES:
            self._head = (self._head + piece)[:_HEAD_BYTES]
            self._is_xlsx = is_xlsx(self._head)
            self.is_workbook = self._is_xlsx and find_spec(_READS_XLSX) is not None
        return self.is_workbook or self._detector.feed(piece)

    def finish(self) -> DetectedFormat:
        """Say how to read it, if it is not a workbook that can be read."""
        detected = self._detector.finish()
        return attrs.evolve(detected, findings=(_UNREAD,)) if self._is_xlsx else detected


@contextlib.asynccontextmanager
async def prepare_contacts(
    contacts: object, options: ContactsOptions, *, on_progress: OnProgress | None = None
) -> AsyncIterator[PreparedContacts]:
    """Examine contacts; what was made of them is there for as long as the context lasts.

    The caller's own files are not touched before `PreparedContacts.publish`.

    Raises:
        InvalidRequest: they cannot be read at all, or an option does not go with them.
        ConfigurationError: the temporary folder cannot be written.
    """
    source = as_source(contacts)
    # What is not there is said before anything that would go beside it.
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
    """The two readings, and the files that come of them."""

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
        """Look at each piece in a thread, as long as a further one needs to be read."""
        async with contextlib.aclosing(file.pieces()) as pieces:
            async for piece in pieces:
                await self.report_progress(piece)
                if not await in_thread(partial(feed, piece)):
                    break

    async def unpack(self, file: RegularFile) -> tuple[DetectedFormat, RegularFile]:
        """Write the sheet of a workbook as a CSV; that cannot be interrupted.

        Raises:
            InvalidRequest: an encoding was said, or the file was changed meanwhile.
        """
        from newsleopard_async.contacts.workbook import unpack

        if self.options.encoding is not None:
            raise InvalidRequest.of(
                "encoding", "text", "is for text, and a workbook has none; leave it out"
            )
        detected = await in_thread(partial(unpack, file.path, self.unpacked))
        if await RegularFile.at(file.path) != file:
            raise RegularFile.refusal(file.path, "changed")
        return detected, await RegularFile.at(self.unpacked)

    async def check(self, format_detector: FormatDetector, file: RegularFile) -> ContactsReport:
        """Judge what is in it, and write what goes out."""
        if format_detector.is_workbook:
            self.detected, file = await self.unpack(file)
        repeats: Mapping[bytes, int] | None = None
        while True:
            checker = await in_thread(partial(self._begin, format_detector, repeats))
            if checker.is_readable:
                self.size_bytes, self.comes_slowly = 0, False
                await self.read(file, partial(self._feed, checker))
            report = await in_thread(partial(self._finish, checker))
            if report is not None:
                return report
            repeats = checker.repeats

    async def divide(self, report: ContactsReport) -> tuple[Part, ...]:
        """Divide what goes out, if it is larger than a part.

        Raises:
            InvalidRequest: it cannot be divided so.
        """
        part_bytes = self.options.part_bytes
        if part_bytes is None or report.fatal_errors or report.size_bytes <= part_bytes:
            return ()
        return await in_thread(partial(split, self.clean, part_bytes))

    def _begin(
        self, format_detector: FormatDetector, repeats: Mapping[bytes, int] | None
    ) -> ContactsChecker:
        """Begin a reading; what came of the one before is nothing."""
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
        """Write what goes out of a piece; the next one is wanted in any case."""
        self.sha256.update(found.clean)
        self.rows += found.clean.count(b"\n")
        append(self.clean, found.clean)
        if found.left_out:
            append(self.left_out, found.left_out)
        return True

    def _finish(self, checker: ContactsChecker) -> ContactsReport | None:
        """Leave nothing of the contacts on the disk but what is still to be used.

        Returns: The report; None if everything is to be read once more.
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
        remark = None if self.skip is None else self.skip.finding()
        return report if remark is None else attrs.evolve(report, findings=(*report, remark))

    async def report_progress(self, piece: bytes) -> None:
        """Count a piece, and tell how far it is."""
        self.size_bytes += len(piece)
        # What is less than a piece is done before anybody could look.
        is_whole = len(piece) == PIECE_BYTES
        if self.on_progress is not None and (is_whole or self.comes_slowly):
            # The header is a line, too.
            await self.on_progress(size_bytes=self.size_bytes, rows=max(0, self.rows - 1))
        # Something small is the end, unless more comes after it.
        self.comes_slowly = not is_whole
