"""The outcomes of the pipelines.

Outcomes that differ only in the id of a request are equal, because the id is not part of the
result.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Literal, TypeAlias

import attrs

from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models import (
    CampaignSn,
    CampaignStatus,
    EventOutcome,
    ImportResult,
    ImportSn,
    ListSn,
    ReportType,
)
from newsleopard_async.models.metrics import ReportSummary
from newsleopard_async.models.reports import HidesContact, ReportRow
from newsleopard_async.models.validation import problems_of_type, raise_problems
from newsleopard_async.plain import LATER, Plain, Tabular

__all__ = [
    "AutomationOutcome",
    "CalledOff",
    "CampaignReport",
    "EventCounts",
    "HowCalledOff",
    "ImportReport",
    "OnceOutcome",
    "ReportFile",
    "ReportState",
    "SendOutcome",
]


@attrs.frozen(kw_only=True)
class ImportReport(Tabular):
    """A complete import.

    Attributes:
        list_sn: The list that contains the contacts now.
        import_sn: Code of the import; for several parts, the code of the last one.
        result: The platform's final result; rows can still have been rejected. For
            several parts it is their sum: a count is None if it is None for any part; the import
            was requested with the first part and ended with the last.
        parts: The platform's result of each part, if contacts were imported in parts.
        request_id: The id of the request that began the import; for several parts, the last one.
    """

    list_sn: ListSn
    import_sn: ImportSn
    result: ImportResult
    parts: tuple[ImportResult, ...] = ()
    request_id: str | None = attrs.field(default=None, eq=False, metadata=LATER)

    @classmethod
    def of_parts(cls, list_sn: ListSn, results: Iterable[ImportResult]) -> ImportReport:
        """Add up the platform's results of the parts."""
        parts = tuple(results)
        first, last = parts[0], parts[-1]
        total = attrs.evolve(
            last,
            file_count=_sum(each.file_count for each in parts),
            inserted=_sum(each.inserted for each in parts),
            duplicates=_sum(each.duplicates for each in parts),
            errors=_sum(each.errors for each in parts),
            created=first.created,
            # It shows whether rows were rejected; `rejected_rows` reads it from each part.
            error_url=next((each.error_url for each in parts if each.error_url), None),
        )
        return cls(list_sn=list_sn, import_sn=last.import_sn, result=total, parts=parts)

    @property
    def rejected_count(self) -> int:
        """The number of rows that the platform rejected; 0 if the platform did not report it."""
        return self.result.errors or 0


def _sum(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(filter(None, known))


@attrs.frozen(kw_only=True)
class SendOutcome(Tabular):
    """A campaign that the platform accepted, but has not necessarily sent.

    Attributes:
        campaign_sn: Its code; store it.
        import_report: The import before it, or None without contacts.
        status: Its state at the end with ``wait="sent"``; then it is sent.
        request_id: The id of the submit, to quote to the vendor; None if its reply was lost.
    """

    campaign_sn: CampaignSn
    import_report: ImportReport | None = None
    status: CampaignStatus | None = attrs.field(default=None, metadata=LATER)
    request_id: str | None = attrs.field(default=None, eq=False, metadata=LATER)


@attrs.frozen(kw_only=True)
class OnceOutcome(Tabular):
    """A campaign that the platform accepted, with contacts that were uploaded for it.

    Attributes:
        campaign_sn: Its code; store it.
        addresses: The number of different addresses that were uploaded.
        status: How it ended, with ``wait="sent"``.
        recipients: The number of recipients that the platform counts; None without
            ``wait="sent"``, or if the platform does not report it. It is smaller than ``addresses``
            if contacts were excluded, had unsubscribed, or were rejected.
        request_id: The id of the request that created the campaign, to quote to the vendor.
    """

    campaign_sn: CampaignSn
    addresses: int
    status: CampaignStatus | None = None
    recipients: int | None = None
    request_id: str | None = attrs.field(default=None, eq=False, metadata=LATER)


@attrs.frozen(kw_only=True)
class EventCounts(Plain):
    """For how many contacts of a batch the platform accepted an event, and refused it."""

    accepted: int = 0
    refused: int = 0

    @classmethod
    def of(cls, outcome: EventOutcome | EventCounts | None) -> EventCounts:
        """Count; a batch that a person has decided about has no counts."""
        if isinstance(outcome, EventOutcome):
            return cls(accepted=len(outcome.accepted), refused=len(outcome.refused))
        return outcome or cls()


@attrs.frozen(kw_only=True, repr=False)
class AutomationOutcome(HidesContact, Tabular):
    """The outcome of an event for many contacts.

    The ids of its requests are in the events of the run and in its checkpoint.

    Attributes:
        accepted: Contacts that the platform accepted.
        refused: Contacts that it refused.
        unknown: Contacts that its answer does not mention, or in a batch that a person decided
            about.
        requests: The number of requests, including earlier runs.
        reasons: Address to reason, in the platform's words, for the contacts that were refused in
            this run. Earlier runs reported theirs in their own outcome, and in ``refused_to``.
        refused_to: The file with the refused addresses, if one was named.
    """

    accepted: int
    refused: int
    unknown: int
    requests: int
    reasons: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    refused_to: Path | None = None

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        for name in ("accepted", "refused", "unknown", "requests"):
            yield name, getattr(self, name)


HowCalledOff: TypeAlias = Literal[
    "paused", "deleted", "already stopped", "too late", "never submitted"
]


@attrs.frozen(kw_only=True)
class CalledOff(Tabular):
    """The outcome of a call-off.

    Attributes:
        how: ``paused``: it stopped, and stays in the console. ``deleted``: it could not be paused,
            and is deleted. ``already stopped``: it was stopped before. ``too late``: it had
            already ended. ``never submitted``: the checkpoint had submitted nothing, and
            will not.
        campaign_sn: Its code; None if it was never submitted.
        before: The platform's first answer about its state; None if that could not be read.
        after: The last answer; None if that could not be read, for example after the campaign
            was deleted. Then ``how`` names the request that the platform has accepted.
    """

    how: HowCalledOff
    campaign_sn: CampaignSn | None = None
    before: CampaignStatus | None = None
    after: CampaignStatus | None = None


@attrs.frozen(kw_only=True)
class ReportFile(Plain):
    """One report file on disk. It is personal data.

    Attributes:
        type: The type of the report.
        path: The path of the file.
        size_bytes: The size of the file.
        created: When the platform created it, or None if the platform did not report it.
    """

    type: ReportType
    path: Path
    size_bytes: int
    created: datetime | None = None


@attrs.frozen(kw_only=True)
class ReportState(Plain):
    """The facts that distinguish an old report file from a new one."""

    type: ReportType
    created: datetime | None = None


@attrs.frozen(kw_only=True)
class CampaignReport(Tabular):
    """The report of a campaign.

    Attributes:
        campaign_sn: The campaign.
        unchanged: Whether the export created no new file, because nothing new had happened.
        available: The types of report that exist.
        files: The files, if a folder was passed to download them to.
        request_id: The id of the export, to quote to the vendor; None if this run did not export.
    """

    campaign_sn: CampaignSn
    unchanged: bool
    available: tuple[ReportState, ...] = ()
    files: tuple[ReportFile, ...] = ()
    request_id: str | None = attrs.field(default=None, eq=False, metadata=LATER)

    def rows(
        self,
        type: ReportType | str,  # noqa: A002 - as it is called everywhere
        *,
        zone: tzinfo = UTC,
        encoding: str | None = None,
    ) -> AsyncGenerator[ReportRow, None]:
        """Read a report file row by row: ``async for row in report.rows("open")``.

        The format of the files is not documented. A column is recognised only by a usual
        name, in English or 中文. The type decides which column is the time of the event: in a file
        of opens it is ``OPENED_AT`` or 開信時間, or just ``TIME`` or 時間, and never the time
        of a click. A row's ``values`` always contain all cells. In a file without a
        header, only addresses are recognised. A known type without a file has no rows.

        Args:
            type: ``delivery``, ``open``, ``click``, ``bounce``, ``unsubscribe``, ``complain``,
                or another type that has a file.
            zone: The zone of times without a zone. It is an assumption that it is UTC, as
                everywhere else at the platform.
            encoding: The encoding of the file, if it cannot be detected.

        Raises:
            InvalidRequest: nothing was downloaded; the type is unknown; the file was deleted, is
                a message and not a report, or is not text in a known encoding.
        """
        raise_problems(
            [
                *problems_of_type("type", type, str, "a type of report, as text"),
                *problems_of_type("zone", zone, tzinfo, "a zone, as ZoneInfo('Asia/Taipei')"),
            ]
        )
        paths = self._paths()
        if type in paths:
            from newsleopard_async.downloads import report

            return report.report_rows(paths[type], kind=type, zone=zone, encoding=encoding)
        if type in ReportType.known:
            return _no_rows()
        known = ", ".join(sorted(ReportType.known))
        raise InvalidRequest.of("type", "choice", f"must be one of {known}, or have a file")

    async def summary(self, *, encoding: str | None = None) -> ReportSummary:
        """Count the addresses in each file, outside the event loop.

        One address takes some hundred bytes of memory while its file is counted.

        Args:
            encoding: The encoding of the files, if it cannot be detected.

        Raises:
            InvalidRequest: nothing was downloaded; a file was deleted, is a message and not a
                report, or is not text in a known encoding.
        """
        from newsleopard_async.downloads import report

        addresses: dict[str, int | None] = {}
        events: dict[str, int] = {}
        for kind, path in self._paths().items():
            counts = await report.count_report(path, encoding=encoding)
            addresses[kind], events[kind] = counts.people, counts.rows
        return ReportSummary(
            campaign_sn=self.campaign_sn,
            delivered=addresses.get(ReportType.DELIVERY),
            opened=addresses.get(ReportType.OPEN),
            clicked=addresses.get(ReportType.CLICK),
            bounced=addresses.get(ReportType.BOUNCE),
            unsubscribed=addresses.get(ReportType.UNSUBSCRIBE),
            complained=addresses.get(ReportType.COMPLAIN),
            events=events,
        )

    def _paths(self) -> dict[str, Path]:
        if not self.files:
            raise InvalidRequest.of(
                "download_to",
                "required",
                "the files of this report were not downloaded; pass a folder to export_report",
            )
        return {str(file.type): file.path for file in self.files}


async def _no_rows() -> AsyncGenerator[ReportRow, None]:
    """Yield nothing; the platform creates no file if nothing happened (T116)."""
    return
    yield  # Makes it a generator.
