"""Reads what a report does not contain: the name of a campaign, its subject, times and parts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from newsleopard_async import APIError, CampaignSn, NewsLeopard
from newsleopard_async.models import CampaignMetrics, SentCampaign
from newsleopard_async.models.metrics import ReportSummary

__all__ = ["CampaignFacts", "find_sent", "read_facts", "total_of", "with_known_zeros"]

_LOOKS_BACK: Final = timedelta(days=28)
"""How far a campaign is searched for if it is not among the latest ten. Chosen: with a day after
now it is a month, so one request."""


@attrs.frozen(kw_only=True)
class CampaignFacts:
    """What the platform says about a campaign, beside its report. None means unknown.

    Attributes:
        campaign_sn: Its code.
        name: Its name; empty if unknown.
        subject: Its subject line.
        sent_begin: When sending began, UTC.
        sent_end: When sending ended, UTC.
        recipients: The number of recipients.
        total: The platform's numbers of the whole campaign.
        parts: The numbers of the parts of an A/B test.
        has_metrics: Whether the account has metrics; without, parts and recipients are unknown.
    """

    campaign_sn: CampaignSn
    name: str = ""
    subject: str | None = None
    sent_begin: datetime | None = None
    sent_end: datetime | None = None
    recipients: int | None = None
    total: CampaignMetrics | None = None
    parts: tuple[CampaignMetrics, ...] = ()
    has_metrics: bool = False

    @property
    def title(self) -> str:
        """The name of the campaign, or else its code."""
        return self.name or self.campaign_sn


async def read_facts(nl: NewsLeopard, campaign_sn: CampaignSn) -> CampaignFacts:
    """Read the facts from the metrics, or else from the list of sent campaigns.

    A refusal leaves facts unknown, because the report is more important.
    """
    facts = CampaignFacts(campaign_sn=campaign_sn)
    try:
        rows = await nl.reports.get_metrics([campaign_sn])
    except APIError:
        pass
    else:
        facts = _of_metrics(facts, [row for row in rows if row.sn == campaign_sn])
    if facts.name and facts.sent_begin is not None:
        return facts
    try:
        found = await find_sent(nl, campaign_sn)
    except APIError:
        return facts
    if found is None:
        return facts
    return attrs.evolve(
        facts,
        name=facts.name or found.name,
        sent_begin=facts.sent_begin or found.sent_begin,
        sent_end=facts.sent_end or found.sent_end,
    )


def _of_metrics(facts: CampaignFacts, rows: list[CampaignMetrics]) -> CampaignFacts:
    facts = attrs.evolve(
        facts,
        has_metrics=True,
        parts=tuple(row for row in rows if row.part in ("TEST_A", "TEST_B", "WINNING")),
    )
    total = total_of(rows)
    if total is None:
        return facts
    return attrs.evolve(
        facts,
        name=total.name,
        # An A/B test has a subject for each part.
        subject=None if facts.parts else total.subject,
        sent_begin=total.sent_begin,
        sent_end=total.sent_end,
        recipients=total.recipients,
        total=total,
    )


def with_known_zeros(summary: ReportSummary, facts: CampaignFacts) -> ReportSummary:
    """Return the numbers of a report with 0 for a type without a file, if the metrics say 0."""
    if facts.total is None:
        return summary
    zeros: dict[str, Any] = {
        name: 0
        for name in ("delivered", "opened", "clicked", "bounced", "unsubscribed", "complained")
        if getattr(summary, name) is None and getattr(facts.total, name) == 0
    }
    return attrs.evolve(summary, **zeros)


def total_of(rows: Sequence[CampaignMetrics]) -> CampaignMetrics | None:
    """Return the numbers of a whole campaign among those of its parts; None if there are none."""
    totals = [row for row in rows if row.part == "TOTAL"] or rows
    return totals[0] if len(totals) == 1 else None


async def find_sent(nl: NewsLeopard, campaign_sn: CampaignSn) -> SentCampaign | None:
    """Search the latest ten sent campaigns, then those of the last 28 days.

    Raises:
        APIError: the platform refuses.
    """
    now = nl.clock.now()
    for start, end in ((None, None), (now - _LOOKS_BACK, now + timedelta(days=1))):
        for found in await nl.reports.list_campaigns(start=start, end=end):
            if found.sn == campaign_sn:
                return found
    return None
