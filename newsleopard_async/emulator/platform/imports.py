"""Imports: jobs with a state that follows from the clock (T21 to T23, T44 to T52).

A file is checked once, at its upload and after the files that were uploaded before. When the job
ends, the result takes effect. The upload waits for the check, which runs in slices, so that other
requests do not wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Final

import attrs

from newsleopard_async.emulator.platform.addressbook import AddressBook
from newsleopard_async.emulator.platform.blobs import Blob
from newsleopard_async.emulator.platform.csvimport import FileCheck, FileCheckResult, check_file
from newsleopard_async.emulator.platform.notation import Codes, as_code, as_count, as_date
from newsleopard_async.emulator.platform.storage import Storage, StorageRefusal
from newsleopard_async.emulator.platform.timeline import ScheduledChange, Timeline
from newsleopard_async.emulator.platform.webhooks import Payload, Webhooks
from newsleopard_async.emulator.switches import SwitchBoard, Switches

__all__ = ["ImportJob", "Imports"]

SUCCESSES: Final = ("COMPLETE", "COMPLETED")
"""The documented word, and the word that the vendor's command line expects (T43)."""


@attrs.define(kw_only=True)
class ImportJob:
    """One import, from its request to its result.

    Attributes:
        sn: The code of the import.
        list_sn: The list that the contacts are added to, or None.
        created: When the import was requested.
        webhook_url: The URL that gets a webhook at the end, or None.
        blob: The uploaded file; None before the upload.
        uploaded: When the file was uploaded; None before the upload.
        due: When the job ends; None before the upload, or if it is stuck.
        stuck: Whether it stays in PROCESSING for ever.
        scripted: The final state that a test set, or None.
        result: The result; None until the job has ended.
    """

    sn: str
    list_sn: str | None
    created: datetime
    webhook_url: str | None = None
    blob: Blob | None = None
    uploaded: datetime | None = None
    due: datetime | None = None
    stuck: bool = False
    scripted: str | None = None
    result: FileCheckResult | None = None

    @property
    def status(self) -> str:
        """The state, by its name in the API."""
        return "PROCESSING" if self.result is None else self.result.status

    @property
    def is_running(self) -> bool:
        """Whether a file has arrived and the job has not ended."""
        return self.blob is not None and self.result is None


@attrs.define(eq=False)
class _PendingFile:
    """A file of a job that has not ended; it waits for its check, or was checked."""

    AFRESH: ClassVar[Mapping[str, object]] = {"checking": None}

    job: ImportJob
    blob: Blob
    on: Switches
    checking: FileCheck | None = None
    found: FileCheckResult | None = None
    is_timed: bool = False

    @property
    def new_columns(self) -> Mapping[str, str]:
        """The columns that this file will add; none if its import never ends."""
        return {} if self.found is None or self.job.stuck else self.found.new_columns


class Imports:
    """All imports; they run one after the other in the order of their uploads (T48)."""

    AFRESH: ClassVar[Mapping[str, object]] = {"_is_checking": False}

    def __init__(
        self,
        *,
        book: AddressBook,
        storage: Storage,
        timeline: Timeline,
        webhooks: Webhooks,
        codes: Codes,
        board: SwitchBoard,
    ) -> None:
        self.jobs: dict[str, ImportJob] = {}
        self._board = board
        self._book = book
        self._storage = storage
        self._timeline = timeline
        self._webhooks = webhooks
        self._codes = codes
        self._busy_until: datetime | None = None
        self._to_stick = 0
        self._scripts: deque[str] = deque()
        self._queue: list[_PendingFile] = []
        self._is_checking = False

    def stick(self, times: int) -> None:
        """Keep the imports of the next uploads running for ever."""
        self._to_stick += times

    def script(self, status: str) -> None:
        """Set the final state of the next upload (T44); PROCESSING means that it never ends."""
        self._scripts.append(status)

    @property
    def to_stick(self) -> int:
        """The number of next uploads with an import that never ends."""
        return self._to_stick

    @property
    def scripts(self) -> tuple[str, ...]:
        """The final states that were set for the next uploads."""
        return tuple(self._scripts)

    def forget_scripts(self) -> None:
        """Discard the states that were set for the next uploads."""
        self._to_stick = 0
        self._scripts.clear()

    def create(self, list_sn: str | None, webhook_url: str | None, now: datetime) -> ImportJob:
        """Create an import that waits for its upload."""
        job = ImportJob(
            sn=self._codes.import_sn(), list_sn=list_sn, created=now, webhook_url=webhook_url
        )
        self.jobs[job.sn] = job
        return job

    def upload_url(self, job: ImportJob, now: datetime) -> str:
        """Return the URL for the upload of the file."""
        return self._storage.upload_url(
            f"imports/{job.sn}.csv", now=now, lifetime_s=self._board.on.upload_lifetime_s
        )

    def check_upload(self, name: str) -> ImportJob:
        """Return the import of an upload.

        Raises:
            StorageRefusal: the import does not exist, or accepts no second upload.
        """
        job = self.jobs.get(name.removeprefix("imports/").removesuffix(".csv"))
        if job is None:
            raise StorageRefusal(404, "NoSuchKey", "The specified key does not exist.")
        if job.blob is not None and self._board.on.upload_reuse == "refused":
            raise StorageRefusal(403, "AccessDenied", "Access Denied")
        return job

    def upload(
        self, job: ImportJob, blob: Blob, now: datetime, *, max_bytes: int | None = None
    ) -> None:
        """Accept a file and begin its import; a file above ``max_bytes`` will end in ERROR.

        Raises:
            StorageRefusal: another file was uploaded before.
        """
        if job.blob is not None and self._board.on.upload_reuse == "same":
            if job.blob.digest == blob.digest:
                return
            raise StorageRefusal(403, "AccessDenied", "Access Denied")
        job.blob = blob
        job.uploaded = now
        job.result = job.due = None
        job.scripted = self._scripts.popleft() if self._scripts else None
        if job.scripted is None and max_bytes is not None and blob.size > max_bytes:
            job.scripted = "ERROR"
        job.stuck = self._to_stick > 0 or job.scripted == "PROCESSING"
        self._to_stick = max(0, self._to_stick - 1)
        if not job.stuck:
            seconds = self._board.on.import_base_s + blob.lines / self._board.on.import_rows_per_s
            begin = now if self._busy_until is None else max(now, self._busy_until)
            job.due = self._busy_until = begin + timedelta(seconds=seconds)
        self._enqueue(_PendingFile(job, blob, self._board.on))

    def _enqueue(self, file: _PendingFile) -> None:
        replaced = [place for place, each in enumerate(self._queue) if each.job is file.job]
        for place in replaced:
            del self._queue[place]
            for later in self._queue[place:]:
                # It was checked with the column types of a file that no longer counts.
                later.checking = later.found = None
        self._queue.append(file)

    @property
    def has_unchecked(self) -> bool:
        """Whether a file waits for its check while no request is checking."""
        return not self._is_checking and self._next_unchecked() is not None

    def checking(self, now: Callable[[], datetime]) -> Generator[None, None, None]:
        """Check all waiting files, a few milliseconds at a time, unless another request does so."""
        if self._is_checking:
            return
        self._is_checking = True
        try:
            while (file := self._next_unchecked()) is not None:
                self._check_on(file, now)
                yield
        finally:
            self._is_checking = False

    def _next_unchecked(self) -> _PendingFile | None:
        return next((file for file in self._queue if file.found is None), None)

    def _check_on(self, file: _PendingFile, now: Callable[[], datetime]) -> None:
        if file.checking is None:
            columns = self._columns_before(file)
            file.checking = check_file(
                file.blob, book=self._book, columns=columns, switches=file.on
            )
        try:
            next(file.checking)
        except StopIteration as done:
            file.found = _as_scripted(done.value, file.job.scripted)
            if file.job.due is not None and not file.is_timed:
                file.is_timed = True
                file.job.due = max(file.job.due, now())
                self._timeline.add(file.job.due, _ImportEnd(self, file))

    def _columns_before(self, file: _PendingFile) -> dict[str, str]:
        """Return the columns after the import of the files that were uploaded before."""
        columns = dict(self._book.columns)
        for earlier in self._queue[: self._queue.index(file)]:
            columns.update(earlier.new_columns)
        return columns

    def finish(self, file: _PendingFile, at: datetime) -> None:
        """End a job and import the contacts, unless another upload has replaced its file."""
        job = file.job
        if file not in self._queue:
            return
        while file.found is None:  # checked again, because a file before it was replaced
            self._check_on(file, lambda: at)
        self._queue.remove(file)
        found = job.result = file.found
        if found.status in SUCCESSES and found.batch is not None:
            self._book.columns.update(found.new_columns)
            self._book.commit(found.batch, list_sn=job.list_sn, now=at)
        if found.rejected_file is not None:
            self._storage.keep(f"errors/{job.sn}.csv", found.rejected_file)
        if job.webhook_url is not None:
            self._webhooks.schedule(job.webhook_url, at, _ImportPayload(self, job))

    @property
    def awaits_webhook(self) -> bool:
        """Whether a running job will send a webhook."""
        return any(job.webhook_url and job.is_running and job.due for job in self.jobs.values())

    def filling(self) -> frozenset[str]:
        """Return the lists into which an import is running (T62)."""
        return frozenset(
            job.list_sn for job in self.jobs.values() if job.list_sn and job.is_running
        )

    def as_json(self, sn: str, now: datetime) -> Mapping[str, object] | None:
        """Return an import in the format of the API; None if it is unknown or too old (T50)."""
        job = self.jobs.get(sn)
        if job is None or not self._is_known(job, now):
            return None
        shown = job.result
        if job.blob is not None and shown is None and self._board.on.processing_shows_counts:
            shown = next((file.found for file in self._queue if file.job is job), None)
        return self._fields(job, shown, now)

    def _is_known(self, job: ImportJob, now: datetime) -> bool:
        on = self._board.on
        if now - job.created > timedelta(days=on.import_kept_days):
            return False
        if job.uploaded is None:
            return not (on.unstarted_import_is_400 or on.import_unknown_s)
        return now - job.uploaded >= timedelta(seconds=on.import_unknown_s)

    def result_json(self, job: ImportJob, now: datetime) -> Mapping[str, object]:
        """Return the result of a job, as its webhook has it."""
        return self._fields(job, job.result, now)

    def _fields(
        self, job: ImportJob, shown: FileCheckResult | None, now: datetime
    ) -> Mapping[str, object]:
        on = self._board.on
        found = shown or FileCheckResult(status="PROCESSING")
        # In the printed sample of a running import, completedDate equals createDate.
        completed = job.due if job.result is not None else job.created
        fields: dict[str, object] = {
            "import_sn": as_code(job.sn, on),
            "status": job.status,
            "fileCnt": as_count(found.rows, on),
            "insertCnt": as_count(found.rows - found.duplicates - found.rejected, on),
            "duplicateCnt": as_count(found.duplicates, on),
            "errCnt": as_count(found.rejected, on),
            "createDate": as_date(job.created, on),
            "completedDate": None if shown is None else as_date(completed, on),
        }
        if job.result is not None and found.rejected:
            fields["errorDownloadLink"] = self._storage.download_url(
                f"errors/{job.sn}.csv", now=now, lifetime_s=on.download_lifetime_s
            )
        return fields


@attrs.frozen(eq=False)
class _ImportEnd(ScheduledChange):
    """The end of a job."""

    imports: Imports
    file: _PendingFile

    def apply(self, at: datetime) -> None:
        self.imports.finish(self.file, at)


@attrs.frozen(eq=False)
class _ImportPayload(Payload):
    """The body of a webhook about a job."""

    imports: Imports
    job: ImportJob

    def written(self, now: datetime) -> object:
        return self.imports.result_json(self.job, now)


def _as_scripted(found: FileCheckResult, status: str | None) -> FileCheckResult:
    """Return the result with the state that a test set; a failed import has no rows."""
    if status is None or status == "PROCESSING":
        return found
    return (
        attrs.evolve(found, status=status)
        if status in SUCCESSES
        else FileCheckResult(status=status)
    )
