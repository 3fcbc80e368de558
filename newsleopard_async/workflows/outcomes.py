"""What the pipelines give.

The id of a request says nothing about what became of it: outcomes that differ in it are equal.
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
from newsleopard_async.models.report_summary import ReportSummary
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
        list_sn: The list that the contacts are in now.
        import_sn: Code of the import; of several parts, that of the last one.
        result: The platform's final word on it; rows may have been rejected all the same. Of
            several parts it is their sum: a count is None if it is None of any part, and it was
            requested with the first and ended with the last.
        parts: What the platform says of each part, if they were imported in parts.
        request_id: The id of the request that began the import; of several parts, the last one.
    """

    list_sn: ListSn
    import_sn: ImportSn
    result: ImportResult
    parts: tuple[ImportResult, ...] = ()
    request_id: str | None = attrs.field(default=None, eq=False, metadata=LATER)

    @classmethod
    def of_parts(cls, list_sn: ListSn, results: Iterable[ImportResult]) -> ImportReport:
        """Add up what the platform says of the parts."""
        parts = tuple(results)
        first, last = parts[0], parts[-1]
        total = attrs.evolve(
            last,
            file_count=_sum(each.file_count for each in parts),
            inserted=_sum(each.inserted for each in parts),
            duplicates=_sum(each.duplicates for each in parts),
            errors=_sum(each.errors for each in parts),
            created=first.created,
            # It decides whether rows were rejected; `rejected_rows` asks each part.
            error_url=next((each.error_url for each in parts if each.error_url), None),
        )
        return cls(list_sn=list_sn, import_sn=last.import_sn, result=total, parts=parts)

    @property
    def rejected_count(self) -> int:
        """Rows that the platform did not take; 0 where it did not say."""
        return self.result.errors or 0


def _sum(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(filter(None, known))


@attrs.frozen(kw_only=True)
class SendOutcome(Tabular):
    """A campaign that the platform accepted; which is not yet sent.

    Attributes:
        campaign_sn: Its code; keep it.
        import_report: The import before it, or None if none was asked for.
        status: Its state at the end, if that was waited for; then it is sent.
        request_id: The id of the submit, to quote to the vendor; None if its reply was lost.
    """

    campaign_sn: CampaignSn
    import_report: ImportReport | None = None
    status: CampaignStatus | None = attrs.field(default=None, metadata=LATER)
    request_id: str | None = attrs.field(default=None, eq=False, metadata=LATER)


@attrs.frozen(kw_only=True)
class OnceOutcome(Tabular):
    """A campaign whose contacts were uploaded for it, and which the platform accepted.

    Attributes:
        campaign_sn: Its code; keep it.
        addresses: Different addresses that were uploaded.
        status: How it ended, if it was waited for.
        recipients: Contacts that it went to, as the platform counts them; None if it was not
            waited for, or does not say. Fewer than ``addresses`` if some were excluded, had
            unsubscribed, or were rejected.
        request_id: The id of the request that made the campaign, to quote to the vendor.
    """

    campaign_sn: CampaignSn
    addresses: int
    status: CampaignStatus | None = None
    recipients: int | None = None
    request_id: str | None = attrs.field(default=None, eq=False, metadata=LATER)


@attrs.frozen(kw_only=True)
class EventCounts(Plain):
    """For how many contacts of a batch the platform took an event, and for how many not."""

    accepted: int = 0
    refused: int = 0

    @classmethod
    def of(cls, outcome: EventOutcome | EventCounts | None) -> EventCounts:
        """Count; of a batch that a person has decided about, nothing is known."""
        if isinstance(outcome, EventOutcome):
            return cls(accepted=len(outcome.accepted), refused=len(outcome.refused))
        return outcome or cls()


@attrs.frozen(kw_only=True, repr=False)
class AutomationOutcome(HidesContact, Tabular):
    """What became of an event for many contacts.

    It takes many requests, whose ids are in the events of the run and in its checkpoint.

    Attributes:
        accepted: Contacts that the platform accepted.
        refused: Contacts that it refused.
        unknown: Contacts that its answer does not mention, or whose batch a person decided about.
        requests: Requests that it took, those of earlier runs included.
        reasons: Address to reason, in the platform's words, for those that were refused in this
            run; an earlier run's are in its own result, and in ``refused_to``.
        refused_to: The file that they were added to, if one was named.
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
    """What became of a campaign that was called off.

    Attributes:
        how: ``paused``: it stopped, and stays in the console. ``deleted``: it could not be paused,
            and is gone. ``already stopped``: there was nothing left to do. ``too late``: it has
            ended before, by itself. ``never submitted``: the checkpoint had submitted nothing, and
            will not.
        campaign_sn: Its code; None if it was never submitted.
        before: What the platform said of it at first; None if that could not be read.
        after: What the platform said at last; None if that could not be read, as of a campaign that
            was deleted. Then ``how`` says what the platform has accepted.
    """

    how: HowCalledOff
    campaign_sn: CampaignSn | None = None
    before: CampaignStatus | None = None
    after: CampaignStatus | None = None


@attrs.frozen(kw_only=True)
class ReportFile(Plain):
    """One report file on disk. It is personal data.

    Attributes:
        type: What it reports.
        path: Where it is.
        size_bytes: How large it is.
        created: When the platform made it, or None where it did not say.
    """

    type: ReportType
    path: Path
    size_bytes: int
    created: datetime | None = None


@attrs.frozen(kw_only=True)
class ReportState(Plain):
    """One file of a report, as far as telling an old one from a new one goes."""

    type: ReportType
    created: datetime | None = None


@attrs.frozen(kw_only=True)
class CampaignReport(Tabular):
    """The report of a campaign.

    Attributes:
        campaign_sn: The campaign.
        unchanged: Whether the export made nothing new, since nothing new had happened.
        available: The types of report that there are.
        files: The files, if a folder was given to download them to.
        request_id: The id of the export, to quote to the vendor; None if this run asked for none.
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
        """Go through a report file: ``async for row in report.rows("open")``.

        The files' form is not documented. A column has a meaning only if its name is a usual
        one, in English or 中文; the type decides which time is the event's, so that in a file
        of opens it is ``OPENED_AT`` or 開信時間, or a mere ``TIME`` or 時間, and never the time
        of a click. All cells stand in a row's ``values`` in any case. In a file without a
        header, only addresses are recognised. A known type without a file has no row.

        Args:
            type: ``delivery``, ``open``, ``click``, ``bounce``, ``unsubscribe``, ``complain``,
                or another that there is a file of.
            zone: The zone of times that name none; that it is UTC, as everywhere at the
                platform, is an assumption.
            encoding: The file's, where it cannot be found out.

        Raises:
            InvalidRequest: nothing was downloaded; there is no such type; the file is gone, is
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
        raise InvalidRequest.of("type", "choice", f"is none of {known}, nor is there a file of it")

    async def summary(self, *, encoding: str | None = None) -> ReportSummary:
        """Count the addresses in each file, off the event loop.

        An address takes some hundred bytes of memory while its file is counted.

        Args:
            encoding: The files', where it cannot be found out.

        Raises:
            InvalidRequest: nothing was downloaded; a file is gone, is a message and not a
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
                "the files of this report were not downloaded; give export_report a folder",
            )
        return {str(file.type): file.path for file in self.files}


async def _no_rows() -> AsyncGenerator[ReportRow, None]:
    """Give nothing; the platform makes no file of what did not happen (T116)."""
    return
    yield  # Makes it a generator.
