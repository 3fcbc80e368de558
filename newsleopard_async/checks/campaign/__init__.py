"""Campaigns and A/B tests, judged before anything is sent; pure, and without a clock.

A rule is a small function from what is asked (`asked.Asked`) to what it has found; `rules.RULES`
lists them all, each with its name, its one level and what the documentation says of it.
"""

from __future__ import annotations

from newsleopard_async.checks.campaign.check import check_campaign
from newsleopard_async.checks.campaign.rules import CAMPAIGN_RULES
from newsleopard_async.checks.campaign.sending import problems_at_send

__all__ = ["CAMPAIGN_RULES", "check_campaign", "problems_at_send"]
