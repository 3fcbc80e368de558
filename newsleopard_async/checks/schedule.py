"""The time of sending, written in its zone and in UTC, so that a wrong zone is noticed.

The time is never changed (T75), because the sender has possibly announced it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from newsleopard_async.checks.at_send import problems_of_schedule
from newsleopard_async.checks.context import CheckContext, FindingDetails
from newsleopard_async.models.ab_test import BaseABTest
from newsleopard_async.models.findings import counted
from newsleopard_async.models.schedule import SendAt, on_clock, spell
from newsleopard_async.models.timezones import Timezone

__all__ = [
    "find_ambiguous_time",
    "find_far_time",
    "find_main_send",
    "find_past_time",
    "find_send_time",
    "find_short_lead",
]

FIELD: Final = "schedule.when"
LEAD: Final = timedelta(minutes=10)
"""The least time between the submit and the send. Source: recommended, T75."""

FAR: Final = timedelta(days=366)
"""A longer lead is probably a wrong year. Chosen: a yearly campaign is at most this far away."""


def find_past_time(context: CheckContext) -> Iterator[FindingDetails]:
    """Find a time that is not in the future."""
    if context.now is not None:
        for problem in problems_of_schedule(context.campaign, context.now):
            yield FindingDetails(problem.field, problem.message)


def find_short_lead(context: CheckContext) -> Iterator[FindingDetails]:
    """Find a time so early that the platform is possibly not ready."""
    lead = _lead_of(context)
    if lead is not None and timedelta(0) < lead < LEAD:
        yield FindingDetails(
            FIELD,
            f"is {_minutes(lead)} from now, and the platform can refuse it; leave at least "
            f"{_minutes(LEAD)}, or use SendNow()",
        )


def find_far_time(context: CheckContext) -> Iterator[FindingDetails]:
    """Find a time so far away that its year is probably wrong."""
    lead = _lead_of(context)
    if lead is not None and lead > FAR:
        yield FindingDetails(FIELD, f"is {lead.days:,} days from now; check the year")


def _lead_of(context: CheckContext) -> timedelta | None:
    schedule = context.campaign.schedule
    if context.now is None or not isinstance(schedule, SendAt):
        return None
    return schedule.when - context.now


def _minutes(lead: timedelta) -> str:
    whole = lead // timedelta(minutes=1)
    return counted(whole, "minute") if whole else "less than a minute"


def find_ambiguous_time(context: CheckContext) -> Iterator[FindingDetails]:
    """Find a local time that occurs twice because the clocks are set back."""
    schedule = context.campaign.schedule
    if not isinstance(schedule, SendAt):
        return
    local = on_clock(schedule.when, schedule.timezone)
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        which = "the second" if local.fold else "the first"
        yield FindingDetails(
            FIELD,
            f"occurs twice that day on the clocks of {schedule.timezone.name}, and {which} of "
            "the two is used; to choose the other, write the time in UTC",
        )


def find_send_time(context: CheckContext) -> Iterator[FindingDetails]:
    """Report the time of sending in words."""
    schedule = context.campaign.schedule
    if context.now is not None and isinstance(schedule, SendAt):
        yield FindingDetails(FIELD, f"is {spell(schedule.when, schedule.timezone)}")


def find_main_send(context: CheckContext) -> Iterator[FindingDetails]:
    """Report the time of the main send of an A/B test, which the wait after the test decides."""
    campaign = context.campaign
    if context.now is None or not isinstance(campaign, BaseABTest):
        return
    schedule = campaign.schedule
    if isinstance(schedule, SendAt):
        when = _spell_later(schedule.when, campaign.wait, schedule.timezone)
    else:
        when = f"about {_spell_later(context.now, campaign.wait, Timezone.TAIPEI)}"
    yield FindingDetails("wait", f"puts the main send at {when}")


def _spell_later(start: datetime, wait: timedelta, timezone: Timezone) -> str:
    try:
        return spell(start + wait, timezone)
    except OverflowError:
        return "a time after the year 9999; shorten it"
