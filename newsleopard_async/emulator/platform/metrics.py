"""The figures of campaigns, counted as their report files are (T130, T131)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from newsleopard_async.emulator.platform.mailings import Campaign
from newsleopard_async.emulator.platform.notation import as_code, as_count, as_date
from newsleopard_async.emulator.platform.waves import Wave
from newsleopard_async.emulator.switches import Switches

__all__ = ["metrics_rows"]

FIGURES: Final = {
    "delivered": "delivery",
    "bounced": "bounce",
    "opened": "open",
    "clicked": "click",
    "distinctClickCnt": "click",
    "complained": "complain",
    "unsubscribed": "unsubscribe",
}
"""Each figure, and the type of report with as many rows; no reader clicks twice."""

# Chosen: one order per 10 clicks, at 990 each, so that a test can calculate the orders.
CLICKS_OF_AN_ORDER: Final = 10
WORTH_OF_AN_ORDER: Final = 990  # as above


def metrics_rows(campaign: Campaign, on: Switches, now: datetime) -> list[dict[str, object]]:
    """Return the row of a campaign; an A/B test also has a row for each of its three parts."""
    winner = "AB".index(campaign.winner) if campaign.winner else None
    variants: dict[str, int | None] = {"TOTAL": winner or 0}
    if campaign.body.testing_on is not None:
        variants |= {"TEST_A": 0, "TEST_B": 1, "WINNING": winner}
    return [_row(campaign, part, variant, on, now) for part, variant in variants.items()]


def _row(
    campaign: Campaign, part: str, variant: int | None, on: Switches, now: datetime
) -> dict[str, object]:
    waves = [wave for wave in campaign.waves if part in {"TOTAL", wave.part}]
    subject = None if variant is None else campaign.body.variants[variant].subject
    begin = min((wave.begin for wave in waves), default=None)
    end = campaign.ended(now) if part == "TOTAL" else _end(campaign, waves, now)
    counts = {
        name: as_count(sum(wave.count(kind, now) for wave in waves), on)
        for name, kind in FIGURES.items()
    }
    orders = sum(wave.count("click", now) // CLICKS_OF_AN_ORDER for wave in waves)
    is_shop = campaign.body.has_ecommerce
    return {
        "campaignSn": as_code(campaign.sn, on),
        "name": campaign.name,
        "channel": "MAIL",
        "subject": subject,
        "sentStartAt": as_date(begin, on, digits=3),
        "sentEndAt": as_date(end, on, digits=2),
        "reportType": part,
        "recipientCnt": as_count(sum(len(wave.recipients) for wave in waves), on),
        **counts,
        "duplicateClickCnt": as_count(0, on),
        "transactions": as_count(orders, on) if is_shop else None,
        "transactionRevenue": orders * WORTH_OF_AN_ORDER if is_shop else None,
    }


def _end(campaign: Campaign, waves: Sequence[Wave], now: datetime) -> datetime | None:
    """Return when the last mail of a part was sent, or the campaign was stopped."""
    ends = [wave.end for wave in waves]
    if campaign.sent_end is not None:
        ends = [min(end, campaign.sent_end) for end in ends]
    end = max(ends, default=None)
    return end if end is not None and end <= now else None
