"""Campaigns to an uploaded file, whose contacts are not kept (T122, T123).

The POST makes a campaign in PREPARE and a URL; what is PUT there is read as an import would be,
stored nowhere, and sent to. The upload is answered once the file is read, slice by slice.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Final

import attrs

from newsleopard_async.emulator.platform.addressbook import AddressBook, Guests
from newsleopard_async.emulator.platform.batches import BatchHistory
from newsleopard_async.emulator.platform.blobs import Blob
from newsleopard_async.emulator.platform.campaigns import Campaigns
from newsleopard_async.emulator.platform.csvimport import FileCheck, FileCheckResult, check_file
from newsleopard_async.emulator.platform.mailings import Campaign
from newsleopard_async.emulator.platform.storage import Storage, StorageRefusal
from newsleopard_async.emulator.platform.timeline import ScheduledChange, Timeline
from newsleopard_async.emulator.switches import SwitchBoard, Switches

__all__ = ["ONCE_FOLDER", "Once"]

ONCE_FOLDER: Final = "once/"
"""Where in the storage its files are to be PUT; nothing is kept there."""


@attrs.define(eq=False)
class _RecipientsFile:
    """A file that is to be read."""

    AFRESH: ClassVar[Mapping[str, object]] = {"reading": None}

    campaign: Campaign
    blob: Blob
    on: Switches
    at: datetime
    history: BatchHistory = attrs.field(factory=BatchHistory)
    reading: FileCheck | None = None


class Once:
    """The uploads of all campaigns without lists."""

    AFRESH: ClassVar[Mapping[str, object]] = {"_is_reading": False}

    def __init__(
        self,
        *,
        book: AddressBook,
        campaigns: Campaigns,
        storage: Storage,
        timeline: Timeline,
        board: SwitchBoard,
    ) -> None:
        self._book = book
        self._campaigns = campaigns
        self._storage = storage
        self._timeline = timeline
        self._board = board
        self._queue: list[_RecipientsFile] = []
        self._is_reading = False

    def upload_url(self, campaign: Campaign, now: datetime) -> str:
        """Return where the recipients of a campaign are to be PUT."""
        return self._storage.upload_url(
            f"{ONCE_FOLDER}{campaign.sn}.csv", now=now, lifetime_s=self._board.on.upload_lifetime_s
        )

    def check_upload(self, name: str) -> Campaign:
        """Find the campaign that an upload is for.

        Raises:
            StorageRefusal: there is none, or it takes no upload any more.
        """
        sn = name.removeprefix(ONCE_FOLDER).removesuffix(".csv")
        campaign = self._campaigns.all.get(sn)
        if campaign is None or not campaign.is_once:
            raise StorageRefusal(404, "NoSuchKey", "The specified key does not exist.")
        is_refused = campaign.uploads and self._board.on.second_once_upload == "refused"
        if is_refused or campaign.is_stopped:
            raise StorageRefusal(403, "AccessDenied", "Access Denied")
        return campaign

    def upload(
        self, campaign: Campaign, blob: Blob, now: datetime, *, max_bytes: int | None = None
    ) -> None:
        """Take a file; one that is larger than ``max_bytes`` is not read."""
        on = self._board.on
        if campaign.uploads and on.second_once_upload == "ignored":
            return
        campaign.uploads += 1
        if max_bytes is not None and blob.size > max_bytes:
            self._arrive(campaign, Guests(), self._due(blob, on, now))
            return
        self._queue.append(_RecipientsFile(campaign, blob, on, now))

    @property
    def has_unread(self) -> bool:
        """Whether a file waits to be read, and no request is reading it."""
        return bool(self._queue) and not self._is_reading

    def reading(self, now: Callable[[], datetime]) -> Generator[None, None, None]:
        """Read all files that wait, a few milliseconds at a time, unless another request does."""
        if self._is_reading:
            return
        self._is_reading = True
        try:
            while self._queue:
                self._read_on(self._queue[0], now)
                yield
        finally:
            self._is_reading = False

    def _read_on(self, upload: _RecipientsFile, now: Callable[[], datetime]) -> None:
        if upload.reading is None:
            upload.history = BatchHistory()
            upload.reading = check_file(
                upload.blob,
                book=self._book,
                columns=self._book.columns,
                switches=upload.on,
                history=upload.history,
            )
        try:
            next(upload.reading)
        except StopIteration as done:
            self._queue.remove(upload)
            due = max(self._due(upload.blob, upload.on, upload.at), now())
            self._arrive(upload.campaign, _guests(upload.history, done.value), due)

    def _due(self, blob: Blob, on: Switches, at: datetime) -> datetime:
        """Return when a file has been read: what an import of it would take."""
        return at + timedelta(seconds=on.import_base_s + blob.lines / on.import_rows_per_s)

    def _arrive(self, campaign: Campaign, guests: Guests, due: datetime) -> None:
        self._timeline.add(due, _RecipientsArrival(self._campaigns, campaign, guests))


@attrs.frozen(eq=False)
class _RecipientsArrival(ScheduledChange):
    """The recipients of a campaign without lists, once their file has been read."""

    campaigns: Campaigns
    campaign: Campaign
    guests: Guests

    def apply(self, at: datetime) -> None:
        self.campaigns.receive(self.campaign, self.guests, at)


def _guests(history: BatchHistory, found: FileCheckResult) -> Guests:
    """Return the contacts of a file; of one that no import would take there are none."""
    if found.batch is None:
        return Guests()
    history.commit(found.batch)
    return Guests(
        members=found.batch.members, history=history, columns=frozenset(found.batch.names[2:])
    )
