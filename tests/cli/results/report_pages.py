"""Content of report pages for tests: a campaign, an A/B test, and what can be missing."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from newsleopard_async import CampaignMetrics, CampaignSn
from newsleopard_async.cli.results.campaign_facts import CampaignFacts
from newsleopard_async.cli.results.report_page.activity import ReaderActivity
from newsleopard_async.cli.results.report_page.report_html import ReportData
from newsleopard_async.models.metrics import ReportSummary

__all__ = ["AB_TEST", "BEGAN", "CAMPAIGN_DATA", "NOTHING", "SN", "at_hour"]

SN = CampaignSn("a2beccbace2f753125e8092b69dfe9ac")
BEGAN = datetime(2026, 1, 5, 2, tzinfo=UTC)


def at_hour(hour: float) -> int:
    """Return the minute that is so many hours after the begin."""
    return int((BEGAN + timedelta(hours=hour)).timestamp()) // 60


def _activity() -> ReaderActivity:
    opens = Counter({at_hour(hour): 4_000 // (hour + 1) for hour in range(60)})
    clicks = Counter({at_hour(hour): 900 // (hour + 1) for hour in range(60)})
    activity = ReaderActivity(BEGAN, opens, clicks, has_opens=True, has_clicks=True)
    for number in range(30):
        activity.add_click("https://shop.example.com/sale?uid=7", f"reader{number}@example.com")
    activity.add_click("https://shop.example.com/for/reader1", "reader1@example.com")
    return activity


CAMPAIGN_DATA = ReportData(
    facts=CampaignFacts(
        campaign_sn=SN,
        name="週年慶 [nl-a0a762b1846b]",
        subject="${NAME}，您的專屬優惠",
        sent_begin=BEGAN,
        sent_end=BEGAN + timedelta(minutes=5),
        recipients=20_000,
        has_metrics=True,
    ),
    summary=ReportSummary(
        campaign_sn=SN,
        delivered=19_600,
        opened=6_900,
        clicked=1_400,
        bounced=400,
        unsubscribed=70,
        complained=14,
    ),
    activity=_activity(),
    made_at=BEGAN + timedelta(days=3),
)


def _part(part: str, subject: str, opened: int) -> CampaignMetrics:
    counts: dict[str, Any] = {"recipients": 5_000, "delivered": 4_900, "bounced": 100}
    return CampaignMetrics(
        sn=SN, part=part, subject=subject, opened=opened, clicked=300, unsubscribed=9, **counts
    )


AB_TEST = attrs.evolve(
    CAMPAIGN_DATA,
    facts=attrs.evolve(
        CAMPAIGN_DATA.facts,
        name="春季新品上市 A/B 主旨測試 " * 3,
        subject=None,
        parts=(
            _part("TEST_A", "這週六，請您喝今年的春茶", 1_700),
            _part("TEST_B", "${NAME}，留了兩個位子給您", 1_500),
            _part("WINNING", "這週六，請您喝今年的春茶", 1_600),
        ),
    ),
)

NOTHING = ReportData(
    facts=CampaignFacts(campaign_sn=SN),
    summary=ReportSummary(campaign_sn=SN, delivered=3),
    activity=ReaderActivity(None),
    made_at=BEGAN,
)
"""Three recipients on an account without metrics, and no file but that of the deliveries."""
