"""What the library takes and gives: the models, and the options of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from newsleopard_async.lazy import names_from

if TYPE_CHECKING:
    from newsleopard_async.models.ab_test import (
        ABTest,
        ContentTest,
        Mailing,
        SenderTest,
        SubjectTest,
    )
    from newsleopard_async.models.account import Balance, Template
    from newsleopard_async.models.attempts import (
        ApiAttempt,
        AttemptOutcome,
        CallNext,
        OnAttempt,
        RawAnswer,
    )
    from newsleopard_async.models.automation import AutomationEvent, EventOutcome, Recipient
    from newsleopard_async.models.campaign import (
        Campaign,
        FooterLanguage,
        GoogleAnalytics,
        Sender,
        with_lists,
    )
    from newsleopard_async.models.campaign_status import (
        CampaignState,
        CampaignStatus,
        DeleteOutcome,
        OnceTicket,
    )
    from newsleopard_async.models.codes import CampaignSn, ImportSn, ListSn, check_code
    from newsleopard_async.models.contacts import (
        ContactFilter,
        ContactList,
        ImportResult,
        ImportStatus,
        UploadTicket,
    )
    from newsleopard_async.models.findings import CheckReport, ContactsReport, Finding
    from newsleopard_async.models.metrics import CampaignMetrics, ReportSummary
    from newsleopard_async.models.options import Polling, RateLimits, RetryPolicy, Timeouts, Usage
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
    "ApiAttempt",
    "AttemptOutcome",
    "AutomationEvent",
    "Balance",
    "CallNext",
    "Campaign",
    "CampaignMetrics",
    "CampaignSn",
    "CampaignState",
    "CampaignStatus",
    "CheckReport",
    "ContactFilter",
    "ContactList",
    "ContactsReport",
    "ContentTest",
    "DeleteOutcome",
    "EventOutcome",
    "Finding",
    "FooterLanguage",
    "GoogleAnalytics",
    "ImportResult",
    "ImportSn",
    "ImportStatus",
    "ListSn",
    "Mailing",
    "OnAttempt",
    "OnceTicket",
    "Polling",
    "RateLimits",
    "RawAnswer",
    "Recipient",
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
    "Template",
    "Timeouts",
    "Timezone",
    "UploadTicket",
    "Usage",
    "check_code",
    "newest_links",
    "with_lists",
]

_MODULES = {
    "models.account": ("Balance", "Template"),
    "models.attempts": ("ApiAttempt", "AttemptOutcome", "CallNext", "OnAttempt", "RawAnswer"),
    "models.automation": ("AutomationEvent", "EventOutcome", "Recipient"),
    "models.campaign_status": ("CampaignState", "CampaignStatus", "DeleteOutcome", "OnceTicket"),
    "models.metrics": ("CampaignMetrics", "ReportSummary"),
    "models.ab_test": ("ABTest", "ContentTest", "Mailing", "SenderTest", "SubjectTest"),
    "models.campaign": ("Campaign", "FooterLanguage", "GoogleAnalytics", "Sender", "with_lists"),
    "models.codes": ("CampaignSn", "ImportSn", "ListSn", "check_code"),
    "models.contacts": (
        "ContactFilter",
        "ContactList",
        "ImportResult",
        "ImportStatus",
        "UploadTicket",
    ),
    "models.findings": ("CheckReport", "ContactsReport", "Finding"),
    "models.options": ("Polling", "RateLimits", "RetryPolicy", "Timeouts", "Usage"),
    "models.reports": (
        "RejectedRow",
        "ReportLink",
        "ReportRow",
        "ReportType",
        "SentCampaign",
        "newest_links",
    ),
    "models.schedule": ("Schedule", "SendAt", "SendNow"),
    "models.timezones": ("Timezone",),
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = names_from(__name__, _MODULES)
