"""The numbers of a campaign: the platform's metrics, and summaries of its report files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal

import attrs

from newsleopard_async.models.codes import CampaignSn
from newsleopard_async.plain import Plain, Tabular

__all__ = ["CampaignMetrics", "CampaignSummary", "ReportSummary"]


@attrs.frozen(kw_only=True)
class CampaignMetrics(Plain):
    """One row of metrics, for a whole campaign or a part of an A/B test.

    Never add up the rows of one campaign: ``TOTAL`` has the sum (T130). None means that a count is
    unknown, not 0. The platform does not document whether it counts people or events (T131).

    Attributes:
        sn: Code of the campaign (活動代碼).
        part: ``TOTAL``, ``TEST_A``, ``TEST_B``, ``WINNING``, or another word; empty if unknown.
        name: Name of the campaign; empty if unknown.
        channel: ``MAIL``, ``SMS``, or another word.
        subject: Subject line.
        sent_begin: When sending began, UTC.
        sent_end: When sending ended, UTC.
        recipients: Number of recipients.
        delivered: Delivered mails (到達).
        bounced: Bounced mails (退信).
        opened: Opens (開信).
        clicked: Clicks (點擊).
        distinct_clicks: Clicks without repetitions.
        duplicate_clicks: Repeated clicks.
        complained: Complaints (抱怨).
        unsubscribed: Unsubscriptions (取消訂閱).
        transactions: Orders that Google Analytics counts.
        revenue: The value of these orders, in the currency of the shop.
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


@attrs.frozen(kw_only=True)
class ReportSummary(Tabular):
    """The number of different addresses in each report file, without case.

    A number is None if the platform has no file of that type. Probably no such event happened, but
    the platform does not document this (T116). A number is also None if the file has rows, but no
    recognisable address (T119). A rate is in percent, and None if one of its numbers is None or its
    base is 0. The two halves of an A/B test are counted together, because the files do not
    distinguish them.

    Attributes:
        campaign_sn: The campaign.
        delivered: Addresses for which the server accepted the mail (到達).
        opened: Addresses that opened the mail (開信).
        clicked: Addresses that followed a link (點擊).
        bounced: Addresses that could not be reached (退信).
        unsubscribed: Addresses that unsubscribed (取消訂閱).
        complained: Addresses that reported the mail as spam (抱怨).
        events: Number of rows of each file by its type; an address can have several rows.
    Source: the report files; that they list everything is inferred (T113, T116).
    """

    campaign_sn: CampaignSn
    delivered: int | None = None
    opened: int | None = None
    clicked: int | None = None
    bounced: int | None = None
    unsubscribed: int | None = None
    complained: int | None = None
    events: Mapping[str, int] = attrs.field(factory=dict, hash=False)

    @property
    def delivered_rate_percent(self) -> float | None:
        """Delivered mails, in percent of delivered and bounced mails."""
        return _percent(self.delivered, self._sent)

    @property
    def bounced_rate_percent(self) -> float | None:
        """Bounced mails, in percent of delivered and bounced mails."""
        return _percent(self.bounced, self._sent)

    @property
    def opened_rate_percent(self) -> float | None:
        """Opened mails, in percent of delivered mails."""
        return _percent(self.opened, self.delivered)

    @property
    def clicked_rate_percent(self) -> float | None:
        """Clicked mails, in percent of delivered mails."""
        return _percent(self.clicked, self.delivered)

    @property
    def click_to_open_rate_percent(self) -> float | None:
        """Clicked mails, in percent of opened mails."""
        return _percent(self.clicked, self.opened)

    @property
    def unsubscribed_rate_percent(self) -> float | None:
        """Unsubscriptions, in percent of delivered mails."""
        return _percent(self.unsubscribed, self.delivered)

    @property
    def complained_rate_percent(self) -> float | None:
        """Complaints, in percent of delivered mails."""
        return _percent(self.complained, self.delivered)

    def __html_rows__(self) -> Iterator[tuple[str, object]]:
        yield from super().__html_rows__()
        for name in vars(ReportSummary):
            if name.endswith("_rate_percent"):
                yield name, getattr(self, name)

    @property
    def _sent(self) -> int | None:
        known = self.delivered is not None and self.bounced is not None
        return (self.delivered or 0) + (self.bounced or 0) if known else None

    def __str__(self) -> str:
        sent, got = "delivered and bounced", "delivered"
        lines = (
            _line("delivered", self.delivered, self.delivered_rate_percent, sent),
            _line("opened", self.opened, self.opened_rate_percent, got),
            _line("clicked", self.clicked, self.clicked_rate_percent, got),
            _line("", self.clicked, self.click_to_open_rate_percent, "opened"),
            _line("bounced", self.bounced, self.bounced_rate_percent, sent),
            _line("unsubscribed", self.unsubscribed, self.unsubscribed_rate_percent, got),
            _line("complained", self.complained, self.complained_rate_percent, got),
        )
        return "\n".join(lines)


@attrs.frozen(kw_only=True)
class CampaignSummary(ReportSummary):
    """The numbers of a campaign, from the platform's metrics or from its report files.

    A number is None if it is unknown. Rates are as in `ReportSummary`. The platform does not
    document whether its metrics count people or events (T131). The report files are counted by
    people.

    Attributes:
        name: Name of the campaign; empty if unknown.
        recipients: Number of recipients.
        sent_begin: When sending began, UTC.
        sent_end: When sending ended, UTC.
        parts: The platform's rows for the parts of an A/B test. Never add them up.
        source: ``metrics``, or ``report`` if the account has no metrics.
    Source: POST /v1/report/campaigns/metrics; notes 2026 (T130, T131)
    """

    name: str = ""
    recipients: int | None = None
    sent_begin: datetime | None = None
    sent_end: datetime | None = None
    parts: tuple[CampaignMetrics, ...] = ()
    source: Literal["metrics", "report"] = "metrics"

    def __str__(self) -> str:
        # For a stopped campaign, this rate shows its progress.
        rate_percent = _percent(self._sent, self.recipients)
        return "\n".join(
            (
                *([self.name] if self.name else ()),
                _line("recipients", self.recipients, rate_percent, "them delivered or bounced"),
                super().__str__(),
            )
        )


def _percent(part: int | None, base: int | None) -> float | None:
    return None if part is None or not base else 100 * part / base


def _line(title: str, number: int | None, rate_percent: float | None, base: str) -> str:
    """Return a line of the table, with a dash for an unknown number."""
    shown = "" if not title else "–" if number is None else f"{number:,}"
    rate = "–" if rate_percent is None else f"{rate_percent:.1f} %"
    return f"{title:<12} {shown:>11} {rate:>8} of {base}"
