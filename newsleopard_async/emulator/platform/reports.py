"""Report exports and their files (T04, T110 to T119).

An export creates a file for each type that has events. A type without new events since its last
file keeps this file and its date.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import islice
from typing import Final

import attrs

from newsleopard_async.emulator.platform.blobs import BlobWriter
from newsleopard_async.emulator.platform.csvfile import NEEDS_QUOTES, write_row
from newsleopard_async.emulator.platform.fields import Refused
from newsleopard_async.emulator.platform.mailings import Campaign
from newsleopard_async.emulator.platform.notation import as_date
from newsleopard_async.emulator.platform.storage import FileContent, Storage, Writing
from newsleopard_async.emulator.platform.waves import EVENT_TYPES, PART, Wave
from newsleopard_async.emulator.platform.webhooks import Payload, Webhooks
from newsleopard_async.emulator.switches import SwitchBoard

__all__ = ["Export", "ReportFile", "Reports", "invalid_state"]

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "delivery": ("EMAIL", "NAME", "DELIVERED_AT"),
    "open": ("EMAIL", "NAME", "OPENED_AT"),
    "click": ("EMAIL", "NAME", "CLICKED_AT", "URL"),
    "bounce": ("EMAIL", "NAME", "BOUNCED_AT", "REASON"),
    "unsubscribe": ("EMAIL", "NAME", "UNSUBSCRIBED_AT"),
    "complain": ("EMAIL", "NAME", "COMPLAINED_AT"),
}
"""Chosen: the columns of the emulator's files; the platform's are not documented (T119)."""

BOUNCE_REASON: Final = "550 5.1.1 user unknown"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLIS: Final = [f".{number:03d}Z" for number in range(1_000)]
_HREF: Final = re.compile(r"""href\s*=\s*["'](https?://[^"'\s]+)""", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class Export:
    """An export that took effect.

    Attributes:
        at: When it was requested.
        delay_s: Seconds until the file of the first type is ready.
        stagger_s: Seconds between the files of two types.
        revision: The number of reactions at that time; later ones do not change its files.
    """

    at: datetime
    delay_s: float
    stagger_s: float
    revision: int = 0

    def ready(self, kind: str) -> datetime:
        """Return when the file of a type is ready."""
        return self.at + timedelta(seconds=self.delay_s + self.stagger_s * EVENT_TYPES.index(kind))


@attrs.frozen(kw_only=True)
class ReportFile:
    """A file of one type.

    Attributes:
        campaign_sn: The code of the campaign.
        kind: One of the six types.
        created: When it was created; it has the events until then.
        rows: The number of events.
        waves: The mails, as they were at that instant.
        revision: The number of reactions at that instant.
    """

    campaign_sn: str
    kind: str
    created: datetime
    rows: int
    waves: tuple[Wave, ...] = attrs.field(repr=False)
    revision: int = 0

    @property
    def name(self) -> str:
        """The name of the file in the storage."""
        stamp = f"{self.created:%Y%m%dT%H%M%S}"
        return f"reports/{self.campaign_sn}/{stamp}-{self.kind}.csv"


class Reports:
    """The exports of each campaign."""

    def __init__(self, *, storage: Storage, webhooks: Webhooks, board: SwitchBoard) -> None:
        self.exports: dict[str, list[Export]] = {}
        self._storage = storage
        self._webhooks = webhooks
        self._board = board
        self._last: datetime | None = None

    def export(self, campaign: Campaign, webhook_url: str | None, now: datetime) -> bool:
        """Start an export; return False if it has no effect, because it is too early (T111).

        Raises:
            Refused: with 40303, if a switch refuses such an export.
        """
        on = self._board.on
        earlier = self.exports.setdefault(campaign.sn, [])
        if earlier and _is_within(now, earlier[-1].at, on.export_per_campaign_s):
            if on.export_repeat_is_40303:
                raise invalid_state()
            return False
        made = Export(
            at=now,
            delay_s=on.report_delay_s,
            stagger_s=on.report_stagger_s,
            revision=len(campaign.past),
        )
        earlier.append(made)
        self._last = now
        if webhook_url is not None:
            self._webhooks.schedule(
                webhook_url, made.ready(EVENT_TYPES[-1]), _ReportPayload(self, campaign)
            )
        return True

    def is_too_many(self, now: datetime) -> bool:
        """Return whether an export of any campaign is too early after the last one."""
        every_s = self._board.on.export_every_s
        return (
            every_s is not None and self._last is not None and _is_within(now, self._last, every_s)
        )

    def files(self, campaign: Campaign, now: datetime) -> Iterator[ReportFile]:
        """Yield the newest file of each type that has one (T113, T116)."""
        for kind in EVENT_TYPES:
            newest = None
            for export in self.exports.get(campaign.sn, ()):
                if export.ready(kind) <= now:
                    made = _file(campaign, kind, export)
                    newest = made if _is_new(made, newest, campaign) else newest
            if newest is not None:
                yield newest

    def as_json(self, campaign: Campaign, now: datetime) -> object:
        """Return the links in the format of the API (T114, T115)."""
        links = [self._link(campaign, file, now) for file in self.files(campaign, now)]
        on = self._board.on
        if on.reports_as_array:
            return links
        if on.links_shape == "documented":
            return {"Reports": links}
        first = links[0] if links else {}
        return first if on.links_shape == "object" else {"link": first.get("link", "")}

    def _link(self, campaign: Campaign, file: ReportFile, now: datetime) -> dict[str, object]:
        on = self._board.on
        name = file.name.removesuffix("v") if on.odd_links else file.name
        content = _ReportContent(campaign, file, on.report_encoding)
        self._storage.offer(name, content, form=on.report_encoding)
        url = self._storage.download_url(name, now=now, lifetime_s=on.download_lifetime_s)
        return {
            "reportType": file.kind,
            "link": f":{url}" if on.odd_links else url,
            "createdDate": as_date(file.created, on, digits=3),
        }


def invalid_state() -> Refused:
    """Build the refusal for a campaign that has no report (T04)."""
    return Refused(40303, status=403, message="bad operation with invalid user state")


def _is_within(now: datetime, before: datetime, seconds: float) -> bool:
    return now - before < timedelta(seconds=seconds)


@attrs.frozen(eq=False)
class _ReportPayload(Payload):
    """The body of a webhook about an export."""

    reports: Reports
    campaign: Campaign

    def written(self, now: datetime) -> object:
        return self.reports.as_json(self.campaign, now)


@attrs.frozen(eq=False)
class _ReportContent(FileContent):
    """The content of a report file, in an encoding."""

    campaign: Campaign
    file: ReportFile
    encoding: str

    def writing(self) -> Writing:
        return write_report(self.campaign, self.file, self.encoding)


def _file(campaign: Campaign, kind: str, export: Export) -> ReportFile:
    """Return the file of a type from an export."""
    ready = export.ready(kind)
    revision = max(export.revision, campaign.revision(ready))
    waves = campaign.waves_of(revision)
    return ReportFile(
        campaign_sn=campaign.sn,
        kind=kind,
        created=ready,
        rows=sum(wave.count(kind, ready) for wave in waves),
        waves=tuple(waves),
        revision=revision,
    )


def _is_new(made: ReportFile, before: ReportFile | None, campaign: Campaign) -> bool:
    """Return whether a file has rows that the file before lacks."""
    if before is None or not made.rows:
        return made.rows > 0
    between = campaign.past[before.revision : made.revision]
    return made.rows > before.rows or any(made.kind in each.changed for each in between)


def write_report(campaign: Campaign, file: ReportFile, encoding: str) -> Writing:
    """Write a report file, a slice at a time; its times are in UTC and ascending."""
    writer = BlobWriter()
    encoder = codecs.getincrementalencoder(encoding)(errors="replace")
    writer.write(encoder.encode(write_row(COLUMNS[file.kind])))
    for text in _texts(campaign, file):
        yield
        writer.write(encoder.encode(text))
    return writer.close()


def _texts(campaign: Campaign, file: ReportFile) -> Iterator[str]:
    """Yield the rows, many at a time."""
    endings = [_ending(campaign, file.kind, wave.variant) for wave in file.waves]
    if len(file.waves) == 1:
        [wave], [ending] = file.waves, endings
        begin_ms = _begin_ms(wave)
        for times, places in wave.parts(file.kind, file.created):
            yield "".join(_rows(wave, [begin_ms + each for each in times], places, ending))
        return
    events = merge(*(_events(wave, number, file) for number, wave in enumerate(file.waves)))
    while part := list(islice(events, PART)):
        rows = [""] * len(part)
        for number, wave in enumerate(file.waves):
            mine = [index for index, event in enumerate(part) if event[1] == number]
            times, places = ([part[index][item] for index in mine] for item in (0, 2))
            for index, row in zip(mine, _rows(wave, times, places, endings[number]), strict=True):
                rows[index] = row
        yield "".join(rows)


def _events(wave: Wave, number: int, file: ReportFile) -> Iterator[tuple[int, int, int]]:
    begin_ms = _begin_ms(wave)
    for times, places in wave.parts(file.kind, file.created):
        for after_ms, place in zip(times, places, strict=True):
            yield begin_ms + after_ms, number, place


def _begin_ms(wave: Wave) -> int:
    return (wave.begin - EPOCH) // timedelta(milliseconds=1)


def _rows(wave: Wave, times: Sequence[int], places: Sequence[int], ending: str) -> Iterator[str]:
    """Return rows of one wave; times are milliseconds since 1970."""
    emails, names = wave.recipients.emails_and_names(places)
    if NEEDS_QUOTES.search("".join(emails)) or NEEDS_QUOTES.search("".join(names)):
        emails = [write_row([email])[:-1] for email in emails]
        names = [write_row([name])[:-1] for name in names]
    seconds = {
        each: (EPOCH + timedelta(seconds=each)).isoformat()[:19]
        for each in {time // 1000 for time in times}
    }
    return (
        f"{email},{name},{seconds[time // 1000]}{_MILLIS[time % 1000]}{ending}"
        for email, name, time in zip(emails, names, times, strict=True)
    )


def _ending(campaign: Campaign, kind: str, variant: int) -> str:
    """Return the text after the time in each row."""
    return (
        "".join(f",{write_row([field])[:-1]}" for field in _extra(campaign, kind, variant)) + "\n"
    )


def _extra(campaign: Campaign, kind: str, variant: int) -> list[str]:
    if kind == "bounce":
        return [BOUNCE_REASON]
    if kind == "click":
        found = _HREF.search(campaign.body.variants[variant].html)
        return [found[1] if found else "https://example.com/"]
    return []
