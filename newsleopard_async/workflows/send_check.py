"""Whether a campaign may go out to its contacts, by what the checks find; nothing is done here.

The rules:

- what makes the contacts unusable as a whole, and whatever the submit would refuse, refuses;
- rows that the platform would reject refuse unless `max_rejected` allows for them;
- the campaign's errors refuse, unless the check is turned off;
- warnings refuse if the caller is strict.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import attrs

from newsleopard_async.checks.at_send import problems_at_send, problems_of_once
from newsleopard_async.checks.check import check_campaign
from newsleopard_async.errors import InvalidRequest, Problem
from newsleopard_async.models import Mailing, with_lists
from newsleopard_async.models.findings import CheckReport, ContactsReport, Finding
from newsleopard_async.workflows.target import Target

__all__ = ["SendCheckResult", "Tolerance", "are_few_enough", "check_send", "recipients_of"]


@attrs.frozen(kw_only=True)
class Tolerance:
    """What the caller lets pass.

    Attributes:
        check: Whether the campaign and the rows are judged at all.
        strict: Whether warnings refuse.
        max_rejected: How many rows the platform may reject; see `are_few_enough`.
    """

    check: bool = True
    strict: bool = False
    max_rejected: float | None = 0


@attrs.frozen(kw_only=True)
class SendCheckResult:
    """What comes of the checks.

    Attributes:
        problems: What refuses; nothing may be sent unless it is empty.
        remarks: What else was found.
        campaign: What the check of the campaign found, if it was asked for.
    """

    problems: tuple[Problem, ...]
    remarks: tuple[Finding, ...]
    campaign: CheckReport = attrs.field(factory=CheckReport)


def check_send(
    campaign: Mailing,
    report: ContactsReport | None,
    *,
    target: Target | None,
    now: datetime,
    tolerance: Tolerance,
    is_once: bool = False,
) -> SendCheckResult:
    """Judge a campaign and its contacts together.

    Args:
        campaign: What is to be sent.
        report: What was found in its contacts; None where there are none.
        target: The list that they go into.
        now: Aware.
        tolerance: What the caller lets pass.
        is_once: Whether the contacts go into no list.
    """
    at_send = _problems_at_send(campaign, target, now)
    if is_once:
        at_send = [*problems_of_once(campaign, now), *_problems_of_file(report)]
    # The time of sending is looked at by both.
    known = {(each.field, each.rule) for each in at_send}
    of_campaign = CheckReport()
    if tolerance.check:
        recipients = recipients_of(campaign, report, target, is_once=is_once)
        of_campaign = _check(campaign, report, recipients, now)
    found = (
        *(report or ()),
        *(_unescaped(campaign, report) if tolerance.check else ()),
        *(each for each in of_campaign if (each.field, each.rule) not in known),
    )
    tolerated = () if report is None else _tolerated(report, tolerance)
    refused = [each for each in found if _refuses(each, tolerance) and each not in tolerated]
    return SendCheckResult(
        problems=(*(each.as_problem() for each in refused), *at_send),
        remarks=tuple(each for each in found if each not in refused),
        campaign=of_campaign,
    )


def _unescaped(campaign: Mailing, report: ContactsReport | None) -> Iterator[Finding]:
    """Yield the notes about values that the HTML takes in as they stand (T84)."""
    fields = ("html", "html_a", "html_b")
    html = "".join(getattr(campaign, field, "") for field in fields)
    for each in () if report is None else report.unescaped:
        if f"${{{each.column}}}" in html:
            yield each


def _problems_at_send(campaign: Mailing, target: Target | None, now: datetime) -> list[Problem]:
    """Return what the submit would refuse after the import."""
    found: list[Problem] = []
    if target is not None and target.list_sn is not None:
        try:
            campaign = with_lists(campaign, (*campaign.lists, target.list_sn))
        except InvalidRequest as error:
            found.extend(error.problems)
    found.extend(problems_at_send(campaign, now))
    if target is None:
        return found
    # One without a list is still to get the one that is imported into.
    return [each for each in found if (each.field, each.rule) != ("lists", "required")]


def _problems_of_file(report: ContactsReport | None) -> Iterator[Problem]:
    """Yield what refuses contacts that must go in one file."""
    for each in report or ():
        if each.rule == "large-file":
            yield Problem(
                "contacts",
                "too-large",
                "makes a file of more than the 10 MB of the vendor's guide, and contacts that are "
                "sent to once cannot be divided; use send_campaign with part_bytes=",
            )


def _check(
    campaign: Mailing, report: ContactsReport | None, recipients: int | None, now: datetime
) -> CheckReport:
    # Without a header that can be read, nothing is known of the columns.
    columns = None if report is None else report.columns or None
    return check_campaign(campaign, columns=columns, recipients=recipients, now=now)


def recipients_of(
    campaign: Mailing,
    report: ContactsReport | None,
    target: Target | None,
    *,
    is_once: bool = False,
) -> int | None:
    """Return how many it goes to; None where a list may have members that nobody here knows."""
    is_new = target is not None and target.list_sn is None and target.if_list_exists == "refuse"
    is_new = is_new or is_once
    if report is None or report.fatal_errors or not is_new or campaign.lists:
        return None
    return report.unique


def _refuses(finding: Finding, tolerance: Tolerance) -> bool:
    return finding.level == "error" or (finding.level == "warning" and tolerance.strict)


def _tolerated(report: ContactsReport, tolerance: Tolerance) -> tuple[Finding, ...]:
    """Return the errors of rows, if the platform may reject as many."""
    if tolerance.check and not are_few_enough(
        report.bad_rows, report.rows - report.dropped - report.skipped, tolerance.max_rejected
    ):
        return ()
    return tuple(each for each in report.errors if each.scope == "rows")


def are_few_enough(rejected: int, rows: int | None, max_rejected: float | None) -> bool:
    """Judge rejected rows by their number, or their share of all; None allows any."""
    if max_rejected is None:
        return True
    if 0 < max_rejected < 1:
        # As a quotient: 29 of 100 is 0.29 to the last bit, and 0.29 * 100 is less than 29.
        return rejected == 0 or rejected / (rows or rejected) <= max_rejected
    return rejected <= max_rejected
