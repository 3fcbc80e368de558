"""The stage: the real pipeline against an emulator, on a clock that is held.

The contacts are read twice: by the check, and to find the lines of rejected rows.
"""

from __future__ import annotations

import contextlib
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import anyio.lowlevel
import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.clock import SystemClock
from newsleopard_async.contacts.contacts_options import ContactsOptions
from newsleopard_async.contacts.preparation import FormatDetector
from newsleopard_async.contacts.sources import (
    BytesSource,
    Contacts,
    PathSource,
    TextSource,
    as_source,
)
from newsleopard_async.contacts.spool import spool
from newsleopard_async.emulator import Campaign as AcceptedCampaign
from newsleopard_async.emulator import Emulator, Mail, Profile
from newsleopard_async.errors import NewsLeopardError
from newsleopard_async.models import (
    CampaignSn,
    ImportSn,
    ListSn,
    Mailing,
    Polling,
    RateLimits,
    Sender,
    SenderTest,
    with_lists,
)
from newsleopard_async.models.findings import ContactsReport
from newsleopard_async.models.reports import RejectedRow
from newsleopard_async.testing import ManualClock
from newsleopard_async.workflows import export_report, rejected_rows, send_campaign
from newsleopard_async.workflows.checking import checked_contacts
from newsleopard_async.workflows.outcomes import ImportReport
from newsleopard_async.workflows.progress import OF_CONTACTS, Events, Progress

__all__ = ["RereadableContacts", "Stage", "check_rereadable", "make_rereadable"]

KEY: Final = "rehearsal"
BASE_URL: Final = "https://api.rehearsal.invalid"
STORAGE_URL: Final = "https://storage.rehearsal.invalid"
"""Reserved names: if a request left the process by mistake, no server would receive it."""

LIST_NAME: Final = "rehearsal"
BALANCE: Final = 1_000_000_000
"""Chosen: more mails than any list, so the balance never ends a rehearsal."""

OF_STORAGE: Final = frozenset({"upload", "download"})
"""Operations that do not count against the daily quota."""

READING: Final = timedelta(days=1)
"""The time from the last mail to the export. Chosen: after a day there are opens and clicks."""

ROUNDING_S: Final = 0.001
"""Chosen: far more than the rounding error of seconds as floats."""

MOST_ROWS: Final = 20
"""How many rejected rows are shown. Chosen: 20 rows show each usual mistake, and are few contacts.
"""


@attrs.frozen(kw_only=True)
class RereadableContacts:
    """Contacts that can be read more than once, and their options.

    Attributes:
        contacts: The source.
        options: The caller's options; the file of rows that are left out is in the scratch folder.
        scratch: A private folder.
    """

    contacts: Path | bytes | str
    options: ContactsOptions
    scratch: Path

    @property
    def clean(self) -> Path:
        """The CSV to send; it exists after the check, if the contacts can be used."""
        return self.scratch / "contacts.csv"


async def make_rereadable(
    contacts: Contacts, options: ContactsOptions, scratch: Path
) -> RereadableContacts:
    """Copy contacts that can be read only once into the scratch folder.

    Raises:
        InvalidRequest: they are not a source of contacts, or the options do not fit them.
    """
    options = attrs.evolve(options, left_out_to=scratch / "left-out.csv")
    source = as_source(contacts)
    fitted = await options.fitted(source)
    match source:
        case PathSource(path=again) | BytesSource(content=again) | TextSource(text=again):
            return RereadableContacts(contacts=again, options=options, scratch=scratch)
        case _:
            format_detector = FormatDetector(fitted.encoding)
            file = await spool(source, scratch / "spooled", format_detector.feed)
            return RereadableContacts(contacts=file.path, options=fitted, scratch=scratch)


async def check_rereadable(
    rereadable: RereadableContacts, progress: Progress | None
) -> ContactsReport:
    """Check the contacts and write the CSV to send; the file of left-out rows is not kept."""
    options = attrs.evolve(rereadable.options, write_to=rereadable.clean)
    events = Events("check_contacts", progress, SystemClock(), OF_CONTACTS)
    async with checked_contacts(events, as_source(rereadable.contacts), options) as found:
        await found.publish()
        return attrs.evolve(found.report, left_out_to=None)


class StageClock(ManualClock):
    """A clock for one pipeline; its time does not depend on other tasks of the event loop.

    Only one task sleeps on it, so its time can jump immediately. If a task waits for an event with
    a deadline, for example for a slot under the limits, the rule of the base class applies: time
    moves when all tasks are blocked.
    """

    async def sleep(self, seconds: float) -> None:
        """Move the time; a deadline that passes is raised."""
        if seconds > 0:
            self.advance(seconds)
        await anyio.lowlevel.checkpoint()


@attrs.define
class Stage:
    """An emulator with a client, and the results of a run.

    Attributes:
        emulator: The platform.
        clock: The clock of the platform and of the client.
        is_vendor: Whether the limits of the vendor's notes apply, and not the documented ones.
        polling: How jobs are polled.
        progress: Called with every event; or an `EventFeed`, to loop over them.
        imported: The import, after it is done.
        rejected_rows: The first rejected rows.
        rejected_for: The number of rejected rows by reason.
        accepted_after: How long it took until the campaign was accepted.
        duration: How long it took until the report was ready.
        problem: The error that ended the run.
    """

    emulator: Emulator
    clock: StageClock
    is_vendor: bool
    polling: Polling | None
    progress: Progress | None
    imported: ImportReport | None = None
    rejected_rows: tuple[RejectedRow, ...] = ()
    rejected_for: Mapping[str, int] = attrs.field(factory=dict)
    accepted_after: timedelta | None = None
    duration: timedelta | None = None
    problem: str | None = None

    @classmethod
    def at(
        cls,
        now: datetime,
        profile: Profile,
        campaign: Mailing,
        *,
        polling: Polling | None,
        progress: Progress | None,
    ) -> Stage:
        """Build a platform that accepts every sender and every content."""
        clock = StageClock(start=now)
        emulator = Emulator(
            api_keys=(KEY,),
            profile=profile,
            clock=clock,
            balance=BALANCE,
            base_url=BASE_URL,
            storage_url=STORAGE_URL,
        )
        emulator.switch(
            verified_senders=tuple(sender.address for sender in _senders_of(campaign)),
            denied_domains=(),
            # This text is in no mail.
            invalid_content_marker=secrets.token_hex(),
        )
        is_vendor = profile == "vendor-2026"
        return cls(emulator, clock, is_vendor, polling=polling, progress=progress)

    async def run(self, campaign: Mailing, rereadable: RereadableContacts) -> None:
        """Send the campaign, move the time, and fetch the report; a problem ends the run."""
        async with NewsLeopard(
            KEY,
            base_url=BASE_URL,
            http_transport=self.emulator.transport(),
            rate_limits=RateLimits.vendor_2026() if self.is_vendor else None,
            clock=self.clock,
        ) as nl:
            try:
                campaign_sn = await self._send(nl, campaign, rereadable)
                if await self._goes_out():
                    await self._report(nl, campaign_sn, rereadable.scratch / "report")
            except NewsLeopardError as error:
                self.problem = f"{type(error).__name__}: {error}"

    async def _send(
        self, nl: NewsLeopard, campaign: Mailing, rereadable: RereadableContacts
    ) -> CampaignSn:
        try:
            outcome = await send_campaign(
                nl,
                # The emulator has only the list of the import.
                with_lists(attrs.evolve(campaign, exclude_lists=()), ()),
                contacts=rereadable.clean,
                list_name=LIST_NAME,
                # The result is shown even if the checks found errors.
                check=False,
                max_rejected=None,
                part_bytes=rereadable.options.part_bytes,
                polling=self.polling,
                progress=self.progress,
            )
        except NewsLeopardError:
            # Rejected rows can be the reason.
            self.imported = await self._find_import(nl)
            await self._read_rejected(nl, rereadable)
            raise
        self.accepted_after = timedelta(seconds=self.clock.monotonic())
        self.imported = outcome.import_report
        await self._read_rejected(nl, rereadable)
        return outcome.campaign_sn

    async def _find_import(self, nl: NewsLeopard) -> ImportReport | None:
        """Return the import of a pipeline that failed after it."""
        for job in self.emulator.imports:
            if job.status == "COMPLETE" and job.list_sn is not None:
                result = await nl.contacts.get_import(ImportSn(job.sn))
                return ImportReport(
                    list_sn=ListSn(job.list_sn), import_sn=result.import_sn, result=result
                )
        return None

    async def _read_rejected(self, nl: NewsLeopard, rereadable: RereadableContacts) -> None:
        if self.imported is None or not self.imported.rejected_count:
            return
        # Lines refer to the caller's contacts, not to the CSV that is sent.
        rejected_of_import = rejected_rows(
            nl,
            self.imported,
            contacts=rereadable.contacts,
            contacts_encoding=rereadable.options.encoding,
            contacts_columns=rereadable.options.columns,
        )
        rows: list[RejectedRow] = []
        reasons = Counter[str]()
        async with contextlib.aclosing(rejected_of_import) as rejected:
            async for row in rejected:
                reasons[row.reason or ""] += 1
                if len(rows) < MOST_ROWS:
                    rows.append(row)
        self.rejected_rows, self.rejected_for = tuple(rows), dict(reasons.most_common())

    async def _goes_out(self) -> bool:
        """Move the time to the end of the last mail; return whether mails are sent."""
        campaign = self.accepted
        assert campaign is not None
        await self._until(campaign.begins)
        waves = self.emulator.campaigns[0].waves
        if campaign.failed is None and campaign.sent_end is None:
            # A test: the rest is sent after the wait.
            await self._until(max(wave.end for wave in waves))
            await self._until(campaign.begins + campaign.body.wait)
            _ = self.emulator.campaigns  # reading it processes all events that are due
        if campaign.failed is not None:
            self.problem = _explain_failure(campaign.failed)
            return False
        assert campaign.sent_end is not None
        await self._until(campaign.sent_end)
        return True

    async def _report(self, nl: NewsLeopard, campaign_sn: CampaignSn, folder: Path) -> None:
        await self.clock.sleep(READING.total_seconds())
        await export_report(
            nl,
            campaign_sn,
            download_to=folder,
            polling=self.polling,
            progress=self.progress,
        )
        self.duration = timedelta(seconds=self.clock.monotonic())

    async def _until(self, instant: datetime) -> None:
        left_s = (instant - self.clock.now()).total_seconds()
        # A clock with seconds as floats could otherwise stop slightly too early.
        await self.clock.sleep(left_s + ROUNDING_S)

    @property
    def accepted(self) -> AcceptedCampaign | None:
        """The campaign at the platform, at the present time of the clock."""
        return next(iter(self.emulator.campaigns), None)

    @property
    def requests(self) -> Mapping[str, int]:
        """The number of requests by their names in the emulator, in order of the first of each."""
        return dict(Counter(each.operation for each in self.emulator.requests))

    @property
    def quota_used(self) -> int:
        """The most requests of one day that count."""
        days = Counter(
            each.at.date() for each in self.emulator.requests if each.operation not in OF_STORAGE
        )
        return max(days.values(), default=0)

    @property
    def quota_limit(self) -> int:
        """The daily quota."""
        return self.emulator.switches.requests_per_day or 0

    def first_mails(self, count: int) -> tuple[Mail, ...]:
        """Return the first mails, for each variant of a test."""
        campaign = self.accepted
        waves = () if campaign is None else campaign.waves[: len(campaign.body.variants)]
        outbox, start = self.emulator.outbox, 0
        found: list[Mail] = []
        for wave in waves:
            size = len(wave.recipients)
            found += outbox[start : start + min(count, size)]
            start += size
        return tuple(found)


def _senders_of(campaign: Mailing) -> Iterable[Sender]:
    if isinstance(campaign, SenderTest):
        return campaign.sender_a, campaign.sender_b
    return (campaign.sender,)


def _explain_failure(state: str) -> str:
    reasons = {
        "EMPTY_RECIPIENT": "no recipient is left; check the lists and the rejected rows",
        "INSUFFICIENT_RECIPIENT_FOR_TESTING": (
            "the test's share of the recipients is too small for two halves; "
            "raise proportion, or send without a test"
        ),
    }
    return f"the campaign would be accepted and end as {state}: {reasons.get(state, 'unsent')}"
