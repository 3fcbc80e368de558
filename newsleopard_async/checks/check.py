"""The check of a campaign: every rule is asked once."""

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
    """Return what is wrong with a campaign or A/B test, or worth a look, all at once.

    Args:
        campaign: What is to be sent.
        columns: Columns of the contacts, EMAIL and NAME included or not; None judges no
            placeholder by its name.
        recipients: How many it goes to; None judges no A/B test by its size.
        now: Aware; None judges only what needs no clock.
    Returns: The findings, the errors first; the rules are in ``CAMPAIGN_RULES``.
    Raises:
        InvalidRequest: an argument is not what it should be.
    """
    names = columns if columns is None else _names(columns)
    raise_problems(_problems_of_arguments(campaign, names, recipients, now))
    context = context_of(campaign, columns=names, recipients=recipients, now=now)
    return CheckReport(
        findings=tuple(finding for rule in RULES for finding in rule.findings(context))
    )


def _names(columns: object) -> tuple[str, ...]:
    """Return the columns, which may come from an iterator.

    Anything else becomes a column that is no text, for the check to name it.
    """
    is_several = isinstance(columns, Iterable) and not isinstance(columns, str)
    given: Any = columns if is_several else (None,)
    return tuple(given)


def _problems_of_arguments(
    campaign: object, columns: tuple[object, ...] | None, recipients: object, now: object
) -> Iterator[Problem]:
    yield from problems_of_type("campaign", campaign, BaseMailing, "a Campaign or A/B test")
    if not all(isinstance(name, str) for name in columns or ()):
        yield Problem("columns", "type", 'must be several names, as in ["EMAIL", "NAME"]')
    if recipients is not None:
        yield from problems_of_count("recipients", recipients)
    if now is not None:
        yield from problems_of_time("now", now)
