"""What became of a campaign's mails, as the platform counts it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import attrs

from newsleopard_async.models.codes import CampaignSn
from newsleopard_async.plain import Plain

__all__ = ["CampaignMetrics"]


@attrs.frozen(kw_only=True)
class CampaignMetrics(Plain):
    """One row of figures: of a whole campaign, or of a part of an A/B test.

    Rows of one campaign are never to be added up: ``TOTAL`` has the sum (T130). A missing count
    is None: unknown, not 0. Whether the counts of events are of people or of events is not
    documented (T131).

    Attributes:
        sn: Code of the campaign (活動代碼).
        part: ``TOTAL``, ``TEST_A``, ``TEST_B``, ``WINNING``, or another word; empty if the
            server gave none.
        name: Name of the campaign; empty if the server gave none.
        channel: ``MAIL``, ``SMS``, or another word.
        subject: Subject line.
        sent_begin: When sending began, UTC.
        sent_end: When sending ended, UTC.
        recipients: Contacts that it goes to.
        delivered: Mails that arrived (到達).
        bounced: Mails that did not (退信).
        opened: Opens (開信).
        clicked: Clicks (點擊).
        distinct_clicks: Clicks without repetitions.
        duplicate_clicks: Repeated clicks.
        complained: Complaints (抱怨).
        unsubscribed: Unsubscriptions (取消訂閱).
        transactions: Orders that Google Analytics counts.
        revenue: Their value, in the currency of the shop.
    Source: POST /v1/report/campaigns/metrics; notes 2026.
    """

    sn: CampaignSn
    part: str = ""
    name: str = ""
    channel: str | None = None
    subject: str | None = None
    sent_begin: datetime | None = None
    sent_end: datetime | None = None
    recipients: int | None = None
    delivered: int | None = None
    bounced: int | None = None
    opened: int | None = None
    clicked: int | None = None
    distinct_clicks: int | None = None
    duplicate_clicks: int | None = None
    complained: int | None = None
    unsubscribed: int | None = None
    transactions: int | None = None
    revenue: Decimal | None = None
