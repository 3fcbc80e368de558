"""Hold a campaign after its submit, so that it can still be called off.

The platform cannot accept a campaign and hold it. So the campaign gets a schedule at the
moment of its submit, and until then it can be stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import attrs

from newsleopard_async.errors import Problem
from newsleopard_async.log import Log
from newsleopard_async.models import Mailing, SendAt
from newsleopard_async.models.validation import wrong_type
from newsleopard_async.workflows.campaign_steps import hold_until
from newsleopard_async.workflows.runner import Runner
from newsleopard_async.workflows.steps import submit

__all__ = ["held_back", "problems_of_hold"]

_LONGEST_HOLD: Final = timedelta(days=7)
"""Chosen: 7 days are enough to reconsider. A later send should have a schedule of its own."""

_log: Final = Log()


def problems_of_hold(hold: object, campaign: Mailing) -> Iterator[Problem]:
    """Yield the problems of the time for which a campaign is held."""
    if hold is None:
        return
    if not isinstance(hold, timedelta):
        yield wrong_type("hold", hold, "a timedelta, such as timedelta(minutes=10), or None")
    elif not timedelta(0) < hold <= _LONGEST_HOLD:
        yield Problem(
            "hold",
            "range",
            f"must be above 0 and at most {_LONGEST_HOLD.days} days; for a later time, use "
            "schedule=SendAt(…) of the campaign",
        )
    if isinstance(campaign.schedule, SendAt):
        yield Problem(
            "hold",
            "schedule",
            "works only with SendNow(), and the campaign has a schedule; leave hold out, because "
            "call_off can stop the campaign until that time",
        )


async def held_back(run: Runner, campaign: Mailing, hold: timedelta | None) -> Mailing:
    """Schedule a campaign for the end of its hold; after a submit attempt the time is fixed.

    The time is stored before the submit, because a resumed run searches for the campaign by it.
    """
    if hold is None:
        return campaign
    if not run.has(submit) and run.has(hold_until):
        await run.forget(hold_until)
    until = await run.step(hold_until, hold)
    if not run.has(submit):
        _log.info(
            "%r is held until %s UTC; until then call_off can stop it",
            campaign.name,
            f"{until:%Y-%m-%d %H:%M:%S}",
        )
    return attrs.evolve(campaign, schedule=SendAt(until))
