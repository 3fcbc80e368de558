"""The checks at the time of sending that the constructor of a campaign cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from newsleopard_async.errors import Problem
from newsleopard_async.models.ab_test import Mailing
from newsleopard_async.models.campaign import BaseMailing
from newsleopard_async.models.schedule import SendAt, on_clock
from newsleopard_async.models.validation import problems_of_type

__all__ = ["problems_at_send", "problems_of_once", "problems_of_schedule"]


def problems_at_send(campaign: Mailing, now: datetime) -> tuple[Problem, ...]:
    """Return the problems that prevent a campaign or A/B test from being sent now.

    Args:
        now: The current time, aware.
    """
    if found := tuple(
        problems_of_type("campaign", campaign, BaseMailing, "a Campaign or A/B test")
    ):
        return found
    return (*_problems_of_lists(campaign), *problems_of_schedule(campaign, now))


def problems_of_once(campaign: Mailing, now: datetime) -> Iterator[Problem]:
    """Yield the problems that prevent a campaign from being sent once, to uploaded contacts.

    Args:
        now: The current time, aware.
    """
    if campaign.lists:
        yield Problem(
            "lists",
            "once",
            "must be empty, because a campaign that is sent once goes to the uploaded contacts; "
            "leave lists out, or submit the campaign",
        )
    yield from problems_of_schedule(campaign, now)


def _problems_of_lists(campaign: Mailing) -> Iterator[Problem]:
    if not campaign.lists:
        yield Problem(
            "lists",
            "required",
            "is empty; add at least one list, for example with_lists(campaign, [sn])",
        )


def problems_of_schedule(campaign: Mailing, now: datetime) -> Iterator[Problem]:
    """Yield a problem if the time of sending is not in the future."""
    schedule = campaign.schedule
    # The time is never changed silently (T75): the sender has possibly announced it.
    if isinstance(schedule, SendAt) and schedule.when <= now:
        yield Problem(
            "schedule.when",
            "future",
            f"is {_both_times(schedule)}, which is not after now, {_show(now.astimezone(UTC))} "
            "UTC; choose a later time, or SendNow()",
        )


def _both_times(schedule: SendAt) -> str:
    """Show a time in its zone and in UTC, so that a wrong zone is noticed."""
    local = on_clock(schedule.when, schedule.timezone)
    return f"{_show(local)} {schedule.timezone.name} ({_show(schedule.when)} UTC)"


def _show(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S}"
