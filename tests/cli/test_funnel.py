"""The funnel is a report's summary, beside the number of mails that went out."""

from __future__ import annotations

from newsleopard_async import CampaignSn
from newsleopard_async.cli.funnel import Funnel
from newsleopard_async.models.report_summary import ReportSummary


def test_funnel_takes_over_the_summary() -> None:
    """Each number stands in its line."""
    summary = ReportSummary(
        campaign_sn=CampaignSn("c"),
        delivered=6,
        opened=5,
        clicked=4,
        bounced=3,
        unsubscribed=2,
        complained=1,
    )

    funnel = Funnel.of(summary, recipients=9)

    assert [stage.count for stage in funnel.stages] == [9, 6, 5, 4, 3, 2, 1]


def test_missing_type_counts_as_nobody() -> None:
    """The emulator makes no file of a type that nothing happened of."""
    funnel = Funnel.of(ReportSummary(campaign_sn=CampaignSn("c"), delivered=1), recipients=2)

    assert [stage.count for stage in funnel.stages] == [2, 1, 0, 0, 0, 0, 0]


def test_rates_have_their_own_base() -> None:
    """Deliveries are a share of the recipients, openings of the deliveries."""
    funnel = Funnel(
        recipients=200,
        delivered=100,
        opened=50,
        clicked=10,
        bounced=100,
        unsubscribed=1,
        complained=0,
    )

    rates = {stage.title: stage.rate_percent for stage in funnel.stages}

    assert rates["Delivered"] == 50
    assert rates["Opened"] == 50
    assert rates["Complained"] == 0


def test_rate_of_nobody_is_unknown() -> None:
    """Nothing is divided by zero."""
    nobody = Funnel(
        recipients=0, delivered=0, opened=0, clicked=0, bounced=0, unsubscribed=0, complained=0
    )

    assert {stage.rate_percent for stage in nobody.stages} == {None}
