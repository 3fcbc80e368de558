"""The result of a rehearsal, built from the run on the stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

import attrs

from newsleopard_async.emulator import Campaign as AcceptedCampaign
from newsleopard_async.emulator import Mail
from newsleopard_async.models import Mailing, SendAt, Timezone
from newsleopard_async.models.ab_test import BaseABTest
from newsleopard_async.models.findings import ContactsReport, Finding
from newsleopard_async.rehearsal.assumptions import RehearsalFacts, assumptions
from newsleopard_async.rehearsal.model import ASSUMED, Rehearsal, RehearsedMail, RehearsedTest
from newsleopard_async.rehearsal.stage import Stage
from newsleopard_async.workflows.import_completeness import is_complete_enough
from newsleopard_async.workflows.send_check import SendCheckResult, Tolerance, check_send
from newsleopard_async.workflows.target import Target

__all__ = ["RehearsalSpec", "check_campaign_and_contacts", "result_of"]

_FILLED: Final = ("subject", "preheader", "html")
"""The names of the fields that can have placeholders begin so."""


@attrs.frozen(kw_only=True)
class RehearsalSpec:
    """The arguments of a rehearsal.

    Attributes:
        campaign: The campaign.
        began: When the rehearsal begins.
        mails: How many mails to render.
        strict: Whether a warning prevents the send.
        max_rejected: How many rejected rows do not prevent it.
    """

    campaign: Mailing
    began: datetime
    mails: int
    strict: bool
    max_rejected: float | None

    @property
    def goes_out_at(self) -> datetime:
        """The schedule, or the beginning of the rehearsal."""
        schedule = self.campaign.schedule
        return schedule.when if isinstance(schedule, SendAt) else self.began

    @property
    def wait(self) -> timedelta:
        """The time between a test and the rest of the mails."""
        return self.campaign.wait if isinstance(self.campaign, BaseABTest) else timedelta()


def check_campaign_and_contacts(spec: RehearsalSpec, contacts: ContactsReport) -> SendCheckResult:
    """Check campaign and contacts as ``send_campaign`` does."""
    target = Target(list_name=spec.campaign.name)
    tolerance = Tolerance(strict=spec.strict, max_rejected=spec.max_rejected)
    return check_send(spec.campaign, contacts, target=target, now=spec.began, tolerance=tolerance)


def result_of(
    spec: RehearsalSpec, stage: Stage, contacts: ContactsReport, check_result: SendCheckResult
) -> Rehearsal:
    """Build the result of a run."""
    problem = (
        stage.problem
        or _problem_of_rejected(spec, stage)
        or _problem_of_warnings(spec, (*contacts, *check_result.campaign))
    )
    imported = stage.imported.result if stage.imported else None
    campaign = stage.accepted
    shown = Rehearsal(
        ok=problem is None and not check_result.problems,
        contacts=contacts,
        campaign=check_result.campaign,
        problem=problem,
        name=spec.campaign.name,
        began=spec.began,
        requests=stage.requests,
        quota_used=stage.quota_used,
        quota_limit=stage.quota_limit,
        duplicates=(imported and imported.duplicates) or 0,
        rejected=(imported and imported.errors) or 0,
        rejected_for=stage.rejected_for,
        rejected_rows=stage.rejected_rows,
        is_scheduled=isinstance(spec.campaign.schedule, SendAt),
        timezone=_timezone_of(spec.campaign).zone_name,
        accepted_after=stage.accepted_after,
        duration=stage.duration,
        unfilled=campaign.unknown_placeholders if campaign else (),
        mails=tuple(map(_shown_mail, stage.first_mails(spec.mails))),
        assumed=assumptions(_facts_of(spec, stage)),
    )
    return _with_sending(shown, campaign) if campaign and campaign.waves else shown


def _problem_of_rejected(spec: RehearsalSpec, stage: Stage) -> str | None:
    report = stage.imported
    if report is None or is_complete_enough(report, spec.max_rejected):
        return None
    rows = f"{report.rejected_count:,} of {report.result.file_count:,} rows"
    return (
        f"{rows} would be refused{ASSUMED}, more than max_rejected={spec.max_rejected}; "
        "send_campaign would stop before the campaign"
    )


def _problem_of_warnings(spec: RehearsalSpec, found: Iterable[Finding]) -> str | None:
    count = sum(each.level == "warning" for each in found)
    if not (spec.strict and count):
        return None
    if count == 1:
        return "1 warning, which strict=True makes an error"
    return f"{count:,} warnings, which strict=True makes errors"


def _timezone_of(campaign: Mailing) -> Timezone:
    schedule = campaign.schedule
    return schedule.timezone if isinstance(schedule, SendAt) else Timezone.TAIPEI


def _shown_mail(mail: Mail) -> RehearsedMail:
    return RehearsedMail(
        to=mail.to,
        name=mail.name,
        sender=mail.sender,
        subject=mail.subject,
        html=mail.html,
        sent_at=mail.sent_at,
        variant=mail.variant,
        preheader=mail.preheader,
    )


def _with_sending(shown: Rehearsal, campaign: AcceptedCampaign) -> Rehearsal:
    waves = campaign.waves
    return attrs.evolve(
        shown,
        recipients=sum(len(wave.recipients) for wave in waves),
        goes_out_at=waves[0].begin,
        sent_by=campaign.sent_end,
        test=_test_of(campaign),
    )


def _test_of(campaign: AcceptedCampaign) -> RehearsedTest | None:
    if campaign.winner is None:
        return None
    a, b, *rest = campaign.waves
    return RehearsedTest(
        a=len(a.recipients),
        b=len(b.recipients),
        rest=sum(len(wave.recipients) for wave in rest),
        rest_goes_out_at=a.begin + campaign.body.wait,
        winner=campaign.winner,
    )


def _facts_of(spec: RehearsalSpec, stage: Stage) -> RehearsalFacts:
    campaign, accepted, imported = spec.campaign, stage.accepted, stage.imported
    cells = list(_cells(stage))
    return RehearsalFacts(
        on=stage.emulator.switches,
        is_vendor=stage.is_vendor,
        rows=imported is not None and bool(imported.result.file_count),
        duplicates=imported is not None and bool(imported.result.duplicates),
        rejected=imported is not None and bool(imported.rejected_count),
        columns=any(contact.values for contact in stage.emulator.contacts.values()),
        blanks="" in cells,
        markup=any(char in cell for cell in cells for char in "&<>"),
        placeholders=any("${" in text for text in _texts_of(campaign, *_FILLED)),
        preheader=any(_texts_of(campaign, "preheader")),
        unfilled=accepted is not None and bool(accepted.unknown_placeholders),
        other_lists=bool(campaign.lists or campaign.exclude_lists),
        is_scheduled=isinstance(campaign.schedule, SendAt),
        is_test=isinstance(campaign, BaseABTest),
        tracks_links=campaign.ga is not None,
        is_sent=accepted is not None and bool(accepted.waves),
    )


def _cells(stage: Stage) -> Iterator[str]:
    for contact in stage.emulator.contacts.values():
        yield contact.name
        yield from contact.values.values()


def _texts_of(campaign: Mailing, *names: str) -> Iterator[str]:
    """Yield the texts of the fields with names that begin so."""
    for field in attrs.fields(type(campaign)):
        if field.name.startswith(names) and (text := getattr(campaign, field.name)) is not None:
            yield text
