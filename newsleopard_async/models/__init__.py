"""What the library takes and gives: the models, and the options of a client."""

from __future__ import annotations

from newsleopard_async.models.ab_test import (
    ABTest,
    ContentTest,
    Mailing,
    SenderTest,
    SubjectTest,
)
from newsleopard_async.models.campaign import (
    Campaign,
    FooterLanguage,
    GoogleAnalytics,
    Sender,
    with_lists,
)
from newsleopard_async.models.codes import CampaignSn, ImportSn, ListSn, check_code
from newsleopard_async.models.contacts import ContactList, ImportResult, ImportStatus, UploadTicket
from newsleopard_async.models.findings import CheckReport, ContactsReport, Finding
from newsleopard_async.models.options import Polling, RateLimits, RetryPolicy, Timeouts, Usage
from newsleopard_async.models.report_summary import ReportSummary
from newsleopard_async.models.reports import (
    RejectedRow,
    ReportLink,
    ReportRow,
    ReportType,
    SentCampaign,
    newest_links,
)
from newsleopard_async.models.schedule import Schedule, SendAt, SendNow
from newsleopard_async.models.timezones import Timezone

__all__ = [
    "ABTest",
    "Campaign",
    "CampaignSn",
    "CheckReport",
    "ContactList",
    "ContactsReport",
    "ContentTest",
    "Finding",
    "FooterLanguage",
    "GoogleAnalytics",
    "ImportResult",
    "ImportSn",
    "ImportStatus",
    "ListSn",
    "Mailing",
    "Polling",
    "RateLimits",
    "RejectedRow",
    "ReportLink",
    "ReportRow",
    "ReportSummary",
    "ReportType",
    "RetryPolicy",
    "Schedule",
    "SendAt",
    "SendNow",
    "Sender",
    "SenderTest",
    "SentCampaign",
    "SubjectTest",
    "Timeouts",
    "Timezone",
    "UploadTicket",
    "Usage",
    "check_code",
    "newest_links",
    "with_lists",
]
