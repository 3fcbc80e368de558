"""What became of a campaign's mails, as the platform counts it."""

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


@attrs.frozen(kw_only=True)
class ReportSummary(Tabular):
    """How many addresses each report file lists, each counted once, whatever its case.

    A number is None where the platform gave no file of that type: probably it happened to
    nobody, but the platform does not say so (T116). It is None, too, where the file has rows and
    in them not one address that is recognised (T119). A rate is in percent, and None where it
    would rest on a number that is not known, or be a share of nothing. The two halves of an
    A/B test are one here, since the files do not tell them apart.

    Attributes:
        campaign_sn: The campaign.
        delivered: Addresses whose server took the mail (到達).
        opened: Addresses that opened it (開信).
        clicked: Addresses that followed a link (點擊).
        bounced: Addresses that could not be reached (退信).
        unsubscribed: Addresses that want no further mail (取消訂閱).
        complained: Addresses that reported it as spam (抱怨).
        events: Rows of each file by its type; one address may have several.
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
        """The delivered, of the delivered and bounced."""
        return _percent(self.delivered, self._sent)

    @property
    def bounced_rate_percent(self) -> float | None:
        """The bounced, of the delivered and bounced."""
        return _percent(self.bounced, self._sent)

    @property
    def opened_rate_percent(self) -> float | None:
        """Those who opened, of the delivered."""
        return _percent(self.opened, self.delivered)

    @property
    def clicked_rate_percent(self) -> float | None:
        """Those who clicked, of the delivered."""
        return _percent(self.clicked, self.delivered)

    @property
    def click_to_open_rate_percent(self) -> float | None:
        """Those who clicked, of those who opened."""
        return _percent(self.clicked, self.opened)

    @property
    def unsubscribed_rate_percent(self) -> float | None:
        """Those who unsubscribed, of the delivered."""
        return _percent(self.unsubscribed, self.delivered)

    @property
    def complained_rate_percent(self) -> float | None:
        """Those who complained, of the delivered."""
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
    """What became of a campaign: as the platform counts it, or as its report files have it.

    A number is None if it is not known. Rates are as in `ReportSummary`. Whether the platform
    counts people or events is not documented (T131); the report files are counted by people.

    Attributes:
        name: Name of the campaign; empty if it is not known.
        recipients: Contacts that it goes to.
        sent_begin: When sending began, UTC.
        sent_end: When sending ended, UTC.
        parts: The platform's rows of the parts of an A/B test. Never add them up.
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
        # Of a campaign that was stopped this is how far it had come.
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


def _line(title: str, number: int | None, rate_percent: float | None, of: str) -> str:
    """Write a line of the table; what is not known is a dash."""
    shown = "" if not title else "–" if number is None else f"{number:,}"
    rate = "–" if rate_percent is None else f"{rate_percent:.1f} %"
    return f"{title:<12} {shown:>11} {rate:>8} of {of}"
