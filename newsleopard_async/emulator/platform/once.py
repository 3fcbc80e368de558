"""Campaigns without lists, to the contacts of an uploaded file (T122, T123).

The POST creates a campaign in PREPARE and a URL. The file that is PUT there is read as an import
would read it, but its contacts do not enter the account. The upload is answered after the file has
been read, slice by slice.
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
"""The folder of the storage that accepts these uploads; no file can be fetched from it."""


@attrs.define(eq=False)
class _RecipientsFile:
    """A file that waits to be read."""

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
        """Return the URL for the upload of a campaign's recipients."""
        return self._storage.upload_url(
            f"{ONCE_FOLDER}{campaign.sn}.csv", now=now, lifetime_s=self._board.on.upload_lifetime_s
        )

    def check_upload(self, name: str) -> Campaign:
        """Return the campaign of an upload.

        Raises:
            StorageRefusal: the campaign does not exist, or accepts no more uploads.
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
        """Accept a file; one that is larger than ``max_bytes`` is not read."""
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
        """Whether a file waits to be read while no request is reading."""
        return bool(self._queue) and not self._is_reading

    def reading(self, now: Callable[[], datetime]) -> Generator[None, None, None]:
        """Read all waiting files, a few milliseconds at a time, unless another request does so."""
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
        """Return when a file has been read: it takes as long as an import of it."""
        return at + timedelta(seconds=on.import_base_s + blob.lines / on.import_rows_per_s)

    def _arrive(self, campaign: Campaign, guests: Guests, due: datetime) -> None:
        self._timeline.add(due, _RecipientsArrival(self._campaigns, campaign, guests))


@attrs.frozen(eq=False)
class _RecipientsArrival(ScheduledChange):
    """The arrival of the recipients of a campaign without lists, from a file that was read."""

    campaigns: Campaigns
    campaign: Campaign
    guests: Guests

    def apply(self, at: datetime) -> None:
        self.campaigns.receive(self.campaign, self.guests, at)


def _guests(history: BatchHistory, found: FileCheckResult) -> Guests:
    """Return the contacts of a file; a file that no import would accept has none."""
    if found.batch is None:
        return Guests()
    history.commit(found.batch)
    return Guests(
        members=found.batch.members, history=history, columns=frozenset(found.batch.names[2:])
    )
