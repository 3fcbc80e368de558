"""The check of a campaign, which runs every rule once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from newsleopard_async.checks.context import context_of
from newsleopard_async.checks.rules import RULES
from newsleopard_async.errors import Problem
from newsleopard_async.models.ab_test import Mailing
from newsleopard_async.models.campaign import BaseMailing
from newsleopard_async.models.findings import CheckReport
from newsleopard_async.models.validation import (
    problems_of_count,
    problems_of_time,
    problems_of_type,
    raise_problems,
)

__all__ = ["check_campaign"]


def check_campaign(
    campaign: Mailing,
    *,
    columns: Iterable[str] | None = None,
    recipients: int | None = None,
    now: datetime | None = None,
) -> CheckReport:
    """Check a campaign or A/B test, and return all findings together.

    Args:
        campaign: The campaign or A/B test.
        columns: Columns of the contacts, with or without EMAIL and NAME; with None, the names
            of placeholders are not checked.
        recipients: The number of recipients; with None, the size of a test is not checked.
        now: The current time, aware; with None, times are not compared with it.
    Returns: The findings, errors first; the rules are in ``CAMPAIGN_RULES``.
    Raises:
        InvalidRequest: an argument has a wrong type or value.
    """
    names = columns if columns is None else _names(columns)
    raise_problems(_problems_of_arguments(campaign, names, recipients, now))
    context = context_of(campaign, columns=names, recipients=recipients, now=now)
    return CheckReport(
        findings=tuple(finding for rule in RULES for finding in rule.findings(context))
    )


def _names(columns: object) -> tuple[str, ...]:
    """Return the columns as a tuple.

    Any other value becomes a tuple with None, which the check of the arguments reports.
    """
    is_several = isinstance(columns, Iterable) and not isinstance(columns, str)
    names: Any = columns if is_several else (None,)
    return tuple(names)


def _problems_of_arguments(
    campaign: object, columns: tuple[object, ...] | None, recipients: object, now: object
) -> Iterator[Problem]:
    yield from problems_of_type("campaign", campaign, BaseMailing, "a Campaign or A/B test")
    if not all(isinstance(name, str) for name in columns or ()):
        yield Problem("columns", "type", 'must be a list of names, for example ["EMAIL", "NAME"]')
    if recipients is not None:
        yield from problems_of_count("recipients", recipients)
    if now is not None:
        yield from problems_of_time("now", now)
