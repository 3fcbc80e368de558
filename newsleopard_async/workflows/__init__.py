"""Pipelines over the endpoints: check and import contacts, send a campaign, export its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from newsleopard_async.lazy import names_from

if TYPE_CHECKING:
    from newsleopard_async.models.metrics import CampaignSummary
    from newsleopard_async.stores.protocol import Store
    from newsleopard_async.workflows.automation import trigger_automation
    from newsleopard_async.workflows.calling_off import call_off
    from newsleopard_async.workflows.campaign_test import send_test
    from newsleopard_async.workflows.checking import check_contacts
    from newsleopard_async.workflows.checkpoint import Checkpoint
    from newsleopard_async.workflows.completion import wait_for_campaign
    from newsleopard_async.workflows.feed import EventFeed, PipelineRun, events
    from newsleopard_async.workflows.importing import import_contacts, wait_for_import
    from newsleopard_async.workflows.once import send_once
    from newsleopard_async.workflows.outcomes import (
        AutomationOutcome,
        CalledOff,
        CampaignReport,
        ImportReport,
        OnceOutcome,
        ReportFile,
        ReportState,
        SendOutcome,
    )
    from newsleopard_async.workflows.progress import Event, Progress
    from newsleopard_async.workflows.reconcile import find_campaign
    from newsleopard_async.workflows.rejected import rejected_rows
    from newsleopard_async.workflows.reporting import export_report, wait_for_report
    from newsleopard_async.workflows.resuming import (
        ResumedRun,
        RunState,
        resolve,
        resume_due,
        runs,
    )
    from newsleopard_async.workflows.sending import send_campaign
    from newsleopard_async.workflows.summaries import summarize

__all__ = [
    "AutomationOutcome",
    "CalledOff",
    "CampaignReport",
    "CampaignSummary",
    "Checkpoint",
    "Event",
    "EventFeed",
    "ImportReport",
    "OnceOutcome",
    "PipelineRun",
    "Progress",
    "ReportFile",
    "ReportState",
    "ResumedRun",
    "RunState",
    "SendOutcome",
    "Store",
    "call_off",
    "check_contacts",
    "events",
    "export_report",
    "find_campaign",
    "import_contacts",
    "rejected_rows",
    "resolve",
    "resume_due",
    "runs",
    "send_campaign",
    "send_once",
    "send_test",
    "summarize",
    "trigger_automation",
    "wait_for_campaign",
    "wait_for_import",
    "wait_for_report",
]

_MODULES = {
    "models.metrics": ("CampaignSummary",),
    "stores.protocol": ("Store",),
    "workflows.automation": ("trigger_automation",),
    "workflows.calling_off": ("call_off",),
    "workflows.checking": ("check_contacts",),
    "workflows.checkpoint": ("Checkpoint",),
    "workflows.completion": ("wait_for_campaign",),
    "workflows.feed": ("EventFeed", "PipelineRun", "events"),
    "workflows.importing": ("import_contacts", "wait_for_import"),
    "workflows.once": ("send_once",),
    "workflows.outcomes": (
        "AutomationOutcome",
        "CalledOff",
        "CampaignReport",
        "ImportReport",
        "OnceOutcome",
        "ReportFile",
        "ReportState",
        "SendOutcome",
    ),
    "workflows.progress": ("Event", "Progress"),
    "workflows.reconcile": ("find_campaign",),
    "workflows.rejected": ("rejected_rows",),
    "workflows.reporting": ("export_report", "wait_for_report"),
    "workflows.resuming": ("ResumedRun", "RunState", "resolve", "resume_due", "runs"),
    "workflows.sending": ("send_campaign",),
    "workflows.summaries": ("summarize",),
    "workflows.campaign_test": ("send_test",),
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = names_from(__name__, _MODULES)
