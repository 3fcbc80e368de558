"""Hold a campaign back after its submit, so that it can be taken back.

The platform has no way to accept a campaign and keep it. So the campaign gets a schedule at the
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
"""Chosen: a hold leaves time to think again. What is sent much later has a date of its own."""

_log: Final = Log()


def problems_of_hold(hold: object, campaign: Mailing) -> Iterator[Problem]:
    """Yield what is wrong with how long a campaign is to be held back."""
    if hold is None:
        return
    if not isinstance(hold, timedelta):
        yield wrong_type("hold", hold, "a timedelta, such as timedelta(minutes=10), or None")
    elif not timedelta(0) < hold <= _LONGEST_HOLD:
        yield Problem(
            "hold",
            "range",
            f"must be above 0 and at most {_LONGEST_HOLD.days} days; for a later time, give the "
            "campaign a schedule, as in SendAt(…)",
        )
    if isinstance(campaign.schedule, SendAt):
        yield Problem(
            "hold",
            "schedule",
            "goes with SendNow() only, and the campaign has a schedule of its own; call_off stops "
            "it until that time, so leave hold out",
        )


async def held_back(run: Runner, campaign: Mailing, hold: timedelta | None) -> Mailing:
    """Give a campaign the time until which it is held back; a submit that was tried keeps its own.

    A run that goes on looks for a held campaign by that time, so that it is stored before.
    """
    if hold is None:
        return campaign
    if not run.has(submit) and run.has(hold_until):
        await run.forget(hold_until)
    until = await run.step(hold_until, hold)
    if not run.has(submit):
        _log.info(
            "%r is held back until %s UTC; call_off stops it until then",
            campaign.name,
            f"{until:%Y-%m-%d %H:%M:%S}",
        )
    return attrs.evolve(campaign, schedule=SendAt(until))
