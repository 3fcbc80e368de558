"""What the library takes and gives: the models, and the options of a client."""

from __future__ import annotations

from newsleopard_async.models.ab_test import (
    ABTest,
    ContentTest,
    Mailing,
    SenderTest,
    SubjectTest,
)
from newsleopard_async.models.campaign import Campaign
from newsleopard_async.models.codes import CampaignSn, ImportSn, ListSn, check_code
from newsleopard_async.models.contacts import ContactList
from newsleopard_async.models.findings import CheckReport, ContactsReport, Finding
from newsleopard_async.models.imports import ImportResult, ImportStatus, UploadTicket
from newsleopard_async.models.mailing import FooterLanguage, GoogleAnalytics, with_lists
from newsleopard_async.models.options import Polling, RateLimits, RetryPolicy, Timeouts
from newsleopard_async.models.report_rows import RejectedRow, ReportRow
from newsleopard_async.models.report_summary import ReportSummary
from newsleopard_async.models.reports import ReportLink, ReportType, SentCampaign, newest_links
from newsleopard_async.models.schedule import Schedule, SendAt, SendNow
from newsleopard_async.models.sender import Sender
from newsleopard_async.models.timezones import Timezone
from newsleopard_async.models.usage import Usage

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
