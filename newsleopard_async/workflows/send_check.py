"""Whether a campaign can be sent to its contacts, by the findings of the checks.

The rules:

- Contacts that are unusable as a whole refuse, and so does everything that the submit would refuse.
- Rows that the platform would reject refuse, unless `max_rejected` allows them.
- Errors of the campaign refuse, unless the check is turned off.
- Warnings refuse if the caller is strict.
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
    """The errors and warnings that the caller accepts.

    Attributes:
        check: Whether the campaign and the rows are checked at all.
        strict: Whether warnings refuse.
        max_rejected: How many rows the platform can reject; see `are_few_enough`.
    """

    check: bool = True
    strict: bool = False
    max_rejected: float | None = 0


@attrs.frozen(kw_only=True)
class SendCheckResult:
    """The result of the checks.

    Attributes:
        problems: The problems that refuse; send only if it is empty.
        remarks: All other findings.
        campaign: The findings of the campaign, if it was checked.
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
    """Check a campaign and its contacts together.

    Args:
        campaign: The campaign.
        report: The findings of its contacts; None without contacts.
        target: The list for the contacts.
        now: The time; aware.
        tolerance: The errors and warnings that the caller accepts.
        is_once: Whether the contacts belong to no list.
    """
    at_send = _problems_at_send(campaign, target, now)
    if is_once:
        at_send = [*problems_of_once(campaign, now), *_problems_of_file(report)]
    # Both checks find problems of the time of sending.
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
    """Yield the notes about values that the HTML contains without escaping (T84)."""
    fields = ("html", "html_a", "html_b")
    html = "".join(getattr(campaign, field, "") for field in fields)
    for each in () if report is None else report.unescaped:
        if f"${{{each.column}}}" in html:
            yield each


def _problems_at_send(campaign: Mailing, target: Target | None, now: datetime) -> list[Problem]:
    """Return the problems for which the submit would be refused after the import."""
    found: list[Problem] = []
    if target is not None and target.list_sn is not None:
        try:
            campaign = with_lists(campaign, (*campaign.lists, target.list_sn))
        except InvalidRequest as error:
            found.extend(error.problems)
    found.extend(problems_at_send(campaign, now))
    if target is None:
        return found
    # A campaign without a list gets the list of the import.
    return [each for each in found if (each.field, each.rule) != ("lists", "required")]


def _problems_of_file(report: ContactsReport | None) -> Iterator[Problem]:
    """Yield the problems of contacts that must go in one file."""
    for each in report or ():
        if each.rule == "large-file":
            yield Problem(
                "contacts",
                "too-large",
                "makes a file of more than the 10 MB of the vendor's guide, and send_once cannot "
                "divide contacts; use send_campaign with part_bytes=",
            )


def _check(
    campaign: Mailing, report: ContactsReport | None, recipients: int | None, now: datetime
) -> CheckReport:
    # Without a readable header, the columns are unknown.
    columns = None if report is None else report.columns or None
    return check_campaign(campaign, columns=columns, recipients=recipients, now=now)


def recipients_of(
    campaign: Mailing,
    report: ContactsReport | None,
    target: Target | None,
    *,
    is_once: bool = False,
) -> int | None:
    """Return the number of recipients; None if a list has possibly other members."""
    is_new = target is not None and target.list_sn is None and target.if_list_exists == "refuse"
    is_new = is_new or is_once
    if report is None or report.fatal_errors or not is_new or campaign.lists:
        return None
    return report.unique


def _refuses(finding: Finding, tolerance: Tolerance) -> bool:
    return finding.level == "error" or (finding.level == "warning" and tolerance.strict)


def _tolerated(report: ContactsReport, tolerance: Tolerance) -> tuple[Finding, ...]:
    """Return the errors of rows, if the caller accepts so many rejected rows."""
    if tolerance.check and not are_few_enough(
        report.bad_rows, report.rows - report.dropped - report.skipped, tolerance.max_rejected
    ):
        return ()
    return tuple(each for each in report.errors if each.scope == "rows")


def are_few_enough(rejected: int, rows: int | None, max_rejected: float | None) -> bool:
    """Return whether the number of rejected rows, or their share, is accepted; None accepts all."""
    if max_rejected is None:
        return True
    if 0 < max_rejected < 1:
        # As a quotient: 29 of 100 is 0.29 to the last bit, and 0.29 * 100 is less than 29.
        return rejected == 0 or rejected / (rows or rejected) <= max_rejected
    return rejected <= max_rejected
