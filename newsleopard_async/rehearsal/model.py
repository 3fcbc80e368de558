"""What a rehearsal shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs

from newsleopard_async.models import Timezone
from newsleopard_async.models.findings import CheckReport, ContactsReport
from newsleopard_async.models.reports import RejectedRow
from newsleopard_async.plain import Plain, to_plain
from newsleopard_async.rehearsal.summary import summarize

__all__ = ["Rehearsal", "RehearsedMail", "RehearsedTest"]


@attrs.frozen(kw_only=True)
class RehearsedMail(Plain):
    """One mail as its reader would get it. It is personal data, and no repr shows it.

    Attributes:
        to: The recipient's address.
        name: The recipient's name.
        sender: Whom it comes from, as ``Name <address>``.
        subject: With the recipient's values filled in.
        html: With the recipient's values filled in.
        sent_at: When it would go out, UTC.
        variant: ``A`` or ``B`` of a test, else empty.
        path: The file that shows it, where a folder was given.
    """

    to: str = attrs.field(repr=False)
    name: str = attrs.field(repr=False)
    sender: str
    subject: str = attrs.field(repr=False)
    html: str = attrs.field(repr=False)
    sent_at: datetime
    variant: str = ""
    path: Path | None = None


@attrs.frozen(kw_only=True)
class RehearsedTest(Plain):
    """How an A/B test would go.

    Attributes:
        a: Mails of variant A.
        b: Mails of variant B.
        rest: Mails that wait for the winner.
        rest_goes_out_at: When they go out, UTC.
        winner: ``A`` or ``B``; drawn by chance here, since no reader has seen it.
    """

    a: int
    b: int
    rest: int
    rest_goes_out_at: datetime
    winner: str


@attrs.frozen(kw_only=True)
class Rehearsal(Plain):
    """What would happen; ``print`` shows it.

    Attributes:
        ok: Whether ``send_campaign`` with the same arguments would send it.
        contacts: What the check of the contacts found.
        campaign: What the check of the campaign found.
        problem: What the run stumbled over, or how many warnings ``strict`` makes errors, in a
            sentence; else None.
        name: The campaign's own name.
        began: When the rehearsal began, on its own clock, UTC.
        requests: The requests of the whole job, report included, by their names in the
            emulator's log; ``upload`` and ``download`` go to the file storage.
        quota_used: The most requests of any day (UTC) that count against the day's limit.
        quota_limit: The day's limit.
        recipients: Mails that would go out.
        duplicates: Rows that a later row of the same address would replace.
        rejected: Rows that would be refused.
        rejected_for: How many of them for which reason.
        rejected_rows: The first twenty of them.
        goes_out_at: When the first mail goes out, UTC; None where none does.
        is_scheduled: Whether that is the campaign's own time, and not as soon as may be.
        timezone: The zone that is sent along, by its IANA name.
        sent_by: When the last mail is out, UTC.
        accepted_after: How long it takes until the platform has accepted the campaign.
        duration: The whole job on the platform's clock, until the report is there.
        test: How the A/B test goes; None for a campaign without one.
        mails: The first mails, filled with real rows.
        unfilled: Names between ``${`` and ``}`` that stay as they are in every mail.
        assumed: What the emulator assumes about the platform, as far as it matters here.
    """

    ok: bool
    contacts: ContactsReport
    campaign: CheckReport
    problem: str | None = None
    name: str
    began: datetime
    requests: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    quota_used: int = 0
    quota_limit: int
    recipients: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejected_for: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    rejected_rows: tuple[RejectedRow, ...] = ()
    goes_out_at: datetime | None = None
    is_scheduled: bool
    timezone: str
    sent_by: datetime | None = None
    accepted_after: timedelta | None = None
    duration: timedelta | None = None
    test: RehearsedTest | None = None
    mails: tuple[RehearsedMail, ...] = ()
    unfilled: tuple[str, ...] = ()
    assumed: tuple[str, ...] = attrs.field(default=(), repr=False)

    @property
    def requests_total(self) -> int:
        """All requests, to the API and to the file storage."""
        return sum(self.requests.values())

    @property
    def goes_out_local(self) -> datetime | None:
        """When the first mail goes out, on the clocks of ``timezone``."""
        return self.local(self.goes_out_at)

    def local(self, when: datetime | None) -> datetime | None:
        """Put an instant on the clocks of ``timezone``."""
        return None if when is None else when.astimezone(Timezone.of(self.timezone).zone)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-safe data; the mails in it are personal data."""
        local = self.goes_out_local
        return {
            **to_plain(self),
            "contacts": self.contacts.to_dict(),
            "campaign": self.campaign.to_dict(),
            "requests_total": self.requests_total,
            "goes_out_local": None if local is None else local.isoformat(),
        }

    def __str__(self) -> str:
        return summarize(self)
