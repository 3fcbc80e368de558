"""The funnel of a campaign."""

from __future__ import annotations

from typing import Any

from newsleopard_async import CampaignSn
from newsleopard_async.cli.results.funnel import FunnelStage, stages_of
from newsleopard_async.models.metrics import ReportSummary


def funnel(
    recipients: int | None, *counts: int, missing: int | None = 0
) -> tuple[FunnelStage, ...]:
    """Return the funnel of a report with counts in the order of the funnel's lines."""
    kinds = ("delivered", "opened", "clicked", "bounced", "unsubscribed", "complained")
    given = dict[str, Any](zip(kinds, counts, strict=False))
    summary = ReportSummary(campaign_sn=CampaignSn("c"), **given)
    return stages_of(summary, recipients=recipients, missing=missing)


def test_funnel_takes_over_the_summary() -> None:
    """Each number is in its line."""
    assert [stage.count for stage in funnel(9, 6, 5, 4, 3, 2, 1)] == [9, 6, 5, 4, 3, 2, 1]


def test_unknown_number_is_not_zero() -> None:
    """The platform does not document what a missing file means."""
    stages = {each.name: each for each in funnel(2, 1, missing=None)}

    assert (stages["opened"].count, stages["opened"].rate_percent) == (None, None)
    assert stages["delivered"].rate_percent == 50


def test_unknown_recipients_are_those_reached_or_bounced() -> None:
    """If one of the two numbers is unknown, so is the rate."""
    both = {each.name: each for each in funnel(None, 90, 9, 3, 10)}
    one = {each.name: each for each in funnel(None, 90, missing=None)}

    assert (both["delivered"].rate_percent, both["delivered"].of) == (90, "delivered and bounced")
    assert both["recipients"].rate_percent is None
    assert one["delivered"].rate_percent is None


def test_missing_type_counts_as_zero() -> None:
    """The emulator makes no file of a type that nothing happened of."""
    assert [stage.count for stage in funnel(2, 1)] == [2, 1, 0, 0, 0, 0, 0]


def test_rates_have_their_own_base() -> None:
    """Deliveries are a share of the recipients, openings of the deliveries."""
    rates = {stage.title: stage.rate_percent for stage in funnel(200, 100, 50, 10, 100, 1, 0)}

    assert rates["Delivered"] == 50
    assert rates["Opened"] == 50
    assert rates["Complained"] == 0


def test_rate_of_zero_recipients_is_unknown() -> None:
    """Nothing is divided by zero."""
    assert {stage.rate_percent for stage in funnel(0)} == {None}
