"""What the pipelines give."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import attrs

from newsleopard_async.models import CampaignSn, ImportResult, ImportSn, ListSn, ReportType
from newsleopard_async.plain import Plain

__all__ = ["CampaignReport", "ImportReport", "ReportFile", "ReportState", "SendOutcome"]


@attrs.frozen(kw_only=True)
class ImportReport(Plain):
    """A complete import.

    Attributes:
        list_sn: The list that the contacts are in now.
        import_sn: Code of the import.
        result: The platform's final word on it; rows may have been rejected all the same.
    """

    list_sn: ListSn
    import_sn: ImportSn
    result: ImportResult

    @property
    def rejected(self) -> int:
        """Rows that the platform did not take; 0 where it did not say."""
        return self.result.errors or 0


@attrs.frozen(kw_only=True)
class SendOutcome(Plain):
    """A campaign that the platform accepted; which is not yet sent.

    Attributes:
        campaign_sn: Its code; keep it.
        import_report: The import before it, or None if none was asked for.
    """

    campaign_sn: CampaignSn
    import_report: ImportReport | None = None


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
class CampaignReport(Plain):
    """The report of a campaign.

    Attributes:
        campaign_sn: The campaign.
        unchanged: Whether the export made nothing new, since nothing new had happened.
        available: The types of report that there are.
        files: The files, if a folder was given to download them to.
    """

    campaign_sn: CampaignSn
    unchanged: bool
    available: tuple[ReportState, ...] = ()
    files: tuple[ReportFile, ...] = ()
