"""Campaigns and A/B tests, judged before anything is sent; pure, and without a clock.

A rule is a small function from what is asked (`context.Asked`) to what it has found; `rules.RULES`
lists them all, each with its name, its one level and what the documentation says of it.
"""

from __future__ import annotations

from newsleopard_async.checks.at_send import problems_at_send
from newsleopard_async.checks.check import check_campaign
from newsleopard_async.checks.rules import CAMPAIGN_RULES

__all__ = ["CAMPAIGN_RULES", "check_campaign", "problems_at_send"]
