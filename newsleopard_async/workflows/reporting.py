"""Export a report: read the links → export → poll the links → download."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.errors import (
    CampaignNotReportable,
    DeadlineExceeded,
    NewsLeopardError,
    Problem,
)
from newsleopard_async.files import PATH_TYPES, AnyPath, as_path
from newsleopard_async.models import CampaignSn, Polling, ReportLink
from newsleopard_async.models.validation import problems_of_type, raise_problems
from newsleopard_async.webhooks.receiver import ExpectedWebhook, Webhooks
from newsleopard_async.workflows import steps
from newsleopard_async.workflows.advice import advice_for_campaign
from newsleopard_async.workflows.campaign_steps import get_status
from newsleopard_async.workflows.checkpoint import CheckpointLike
from newsleopard_async.workflows.fingerprint import Fingerprint
from newsleopard_async.workflows.local_runner import running
from newsleopard_async.workflows.outcomes import CampaignReport, ReportState
from newsleopard_async.workflows.pipeline import pipeline
from newsleopard_async.workflows.polling import (
    GOES_ON,
    excusing,
    expecting,
    poll,
    problems_of_polling,
    problems_of_webhook,
    registering,
)
from newsleopard_async.workflows.progress import Events, Plan, Progress
from newsleopard_async.workflows.runner import Runner

__all__ = ["ReportCompletion", "export_report", "wait_for_report"]

States = tuple[ReportState, ...]

_EXPORT_PERIOD: Final = timedelta(hours=1)
"""How often a campaign can be exported. Source: 呼叫頻率最多1次/1小時; documented (T111)."""


@pipeline
async def export_report(
    nl: NewsLeopard,
    campaign_sn: CampaignSn,
    *,
    download_to: AnyPath | None = None,
    polling: Polling | None = None,
    progress: Progress | None = None,
    checkpoint: CheckpointLike | None = None,
    webhook: Webhooks | None = None,
) -> CampaignReport:
    """Export a campaign's report, wait until it is complete, and download it.

    If the campaign was exported within the last hour, or nothing new has happened since, the
    outcome is the last report with ``unchanged``. Within the hour it is returned immediately,
    unless that export is so recent that its files can still be incomplete.

    If the first read of the links is refused, no file exists yet, and the export decides. After
    the export, a refusal means "not ready" for `Polling.settle_s`; later it is raised.

    Args:
        nl: The client.
        campaign_sn: A campaign whose sending is complete.
        download_to: A folder for the files, created if it is missing; None downloads nothing.
        polling: How the report is polled.
        progress: Called with every event; or an `EventFeed`, to loop over them.
        checkpoint: A path; run again with it, the export resumes.
        webhook: Receives the platform's call when the report is ready. The links are polled
            then, and once more, because two polls must show the same files.

    Raises:
        CampaignNotReportable: the campaign is unknown, belongs to another account, or has a state
            without reports; by the code 40303 of the export, or of the links for longer than
            `Polling.settle_s` after it. If the account can read states of campaigns, the message
            contains the state.
        APIError: the platform refused the same in another way.
        DeadlineExceeded: it was not ready before the deadline; that is not a failure. An hour after
            the export, the next run begins another one.
        StorageError: a file could not be downloaded.
        InvalidRequest: the folder cannot be created; nothing was sent.
        InUse: another run is using the checkpoint.
    """
    raise_problems(
        [
            *problems_of_polling(polling),
            *_problems_of_folder(download_to),
            *problems_of_webhook(webhook),
        ]
    )
    folder = None if download_to is None else as_path(download_to)
    async with running(
        nl,
        Events("export_report", progress, nl.clock, _plan(downloads=folder is not None)),
        fingerprint=Fingerprint.of(
            campaign_sn, folder, campaign_sn=campaign_sn, download_to=folder
        ),
        checkpoint=checkpoint,
    ) as run:
        if folder is not None:
            # Before the export, because an export is possible only once an hour.
            folder = await steps.make_folder(folder)
        try:
            with expecting(webhook, run, steps.export_report) as expected:
                report = await _report(run, campaign_sn, polling or Polling(), expected)
            report = attrs.evolve(report, request_id=run.request_id(steps.export_report))
        except CampaignNotReportable as refusal:
            raise await _explained(run, campaign_sn, refusal) from None
        if folder is None:
            return report
        download = steps.DownloadFiles(campaign_sn=campaign_sn, folder=folder)
        return attrs.evolve(report, files=await run.step(steps.download_files, download))


_OF_FILES: Final[Plan] = (("get_report_state",),)


def _plan(*, downloads: bool) -> Plan:
    downloading: Plan = (("download_files",),) if downloads else ()
    return (*_OF_FILES, ("export_report",), *_OF_FILES, *downloading)


async def _report(
    run: Runner, campaign_sn: CampaignSn, polling: Polling, webhook: ExpectedWebhook | None
) -> CampaignReport:
    """Begin an export, and poll it."""
    before = await _read_before(run, campaign_sn)
    ago_s, doubt = await _export(run, campaign_sn, webhook)
    if ago_s is not None:
        # The other export has another webhook, or none.
        webhook = None
    try:
        return await _poll_report(
            run, campaign_sn, before, polling, ago_s=ago_s, doubt=doubt, webhook=webhook
        )
    except DeadlineExceeded:
        began = run.done_at(steps.export_report)
        if began is not None and run.now() >= began + _EXPORT_PERIOD:
            # The export produced nothing within its hour, so a later run can begin another.
            await run.forget(steps.export_report)
        raise


async def _explained(
    run: Runner, campaign_sn: CampaignSn, refusal: CampaignNotReportable
) -> CampaignNotReportable:
    """Add the state of the campaign to a refusal, if the state can be read."""
    try:
        status = await run.step(excusing(get_status, lambda _: True), campaign_sn, keep=False)
    except NewsLeopardError:
        # If the state cannot be read, the refusal is raised unchanged.
        status = None
    if status is None or status.state.is_success:
        return refusal
    what = (
        f"it ended as {status.state}: {advice_for_campaign(status.state)}"
        if status.state.is_final
        else f"its state is {status.state}; call again when it is COMPLETE, which "
        "wait_for_campaign waits for"
    )
    return CampaignNotReportable(
        f"{refusal}; {what}", status=refusal.status, code=refusal.code, message=refusal.message
    ).with_answer_of(refusal)


async def _read_before(run: Runner, campaign_sn: CampaignSn) -> States:
    """Read the files that exist before the export; a refusal counts as no files.

    How the platform answers before the first export is not documented (T117). The answer to the
    export itself decides whether a report is possible.
    """
    step = steps.get_report_state
    if run.has(step):
        return await run.step(step, campaign_sn)
    before = await run.step(excusing(step), campaign_sn, keep=False) or ()
    await run.record_result(step, before)
    return before


async def _export(
    run: Runner, campaign_sn: CampaignSn, webhook: ExpectedWebhook | None
) -> tuple[float | None, str]:
    """Begin the export; a later run begins it again if it is unknown whether it has begun.

    That is harmless: the platform ignores a second export within the hour.

    Returns: How many seconds ago another export began, if it prevents this one; and
        the reason if it is unknown whether this one began.
    """
    step = steps.export_report
    if run.has(step) and await run.step(step, campaign_sn) is True:
        return None, ""
    # Only an export that has begun is stored. If another result were stored and then removed, a run
    # that stops between the two would leave a checkpoint that exports nothing.
    try:
        began = await run.step(registering(step, webhook), campaign_sn, keep=False)
    except NewsLeopardError:
        # Nothing was exported, and the files can be different at the next run.
        with contextlib.suppress(Exception):
            await run.forget(steps.get_report_state)
        raise
    if isinstance(began, str):
        return None, f"it is unknown whether its export has begun: {began}"
    if began is True:
        await run.record_result(step, began)
        return None, ""
    return began, ""


@pipeline
async def wait_for_report(
    nl: NewsLeopard,
    campaign_sn: CampaignSn,
    *,
    before: Iterable[ReportLink] = (),
    polling: Polling | None = None,
    progress: Progress | None = None,
    checkpoint: CheckpointLike | None = None,
) -> CampaignReport:
    """Wait for a report whose export was begun elsewhere.

    Args:
        nl: The client.
        campaign_sn: The campaign.
        before: The links before the export.
        polling: How the report is polled.
        progress: Called with every event; or an `EventFeed`, to loop over them.
        checkpoint: A path, as for the other pipelines.

    Raises:
        APIError: its links are refused for longer than `Polling.settle_s`; with the code 40303
            it is `CampaignNotReportable`.
        DeadlineExceeded: it was not ready before the deadline; that is not a failure.
    """
    raise_problems(problems_of_polling(polling))
    states = tuple(ReportState(type=link.type, created=link.created) for link in before)
    async with running(
        nl,
        Events("wait_for_report", progress, nl.clock, _OF_FILES),
        fingerprint=Fingerprint.of(campaign_sn, campaign_sn=campaign_sn),
        checkpoint=checkpoint,
    ) as run:
        return await _poll_report(run, campaign_sn, states, polling or Polling())


async def _poll_report(
    run: Runner,
    campaign_sn: CampaignSn,
    before: States,
    polling: Polling,
    *,
    ago_s: float | None = None,
    doubt: str = "",
    webhook: ExpectedWebhook | None = None,
) -> CampaignReport:
    """Poll the files until the report is complete; if it already is, do not poll."""
    completion = ReportCompletion(frozenset(before), polling.settle_s)
    states = before
    if ago_s is None or not completion.join(states, run.now(), ago_s, polling.first_s):
        states = await poll(
            run,
            steps.get_report_state,
            campaign_sn,
            is_done=completion.is_done,
            polling=polling,
            what=f"the report of campaign {campaign_sn}",
            excused_s=completion.settle_s,
            late=doubt or GOES_ON,
            webhook=webhook,
        )
    unchanged = frozenset(before).issuperset(states)
    return CampaignReport(campaign_sn=campaign_sn, unchanged=unchanged, available=states)


_SKEW: Final = timedelta(minutes=1)
"""By how much the platform's clock can be behind ours. Chosen: synchronised clocks differ by less
than a minute. If they differ by more, the files are polled as if they were older."""


@attrs.define
class ReportCompletion:
    """Decides whether a report is complete, from one poll of its files after another.

    It is complete if at least one file is new and two polls show the same files; or if
    files exist and no new file came for `settle_s`. The second case is valid, because the platform
    creates a new file only if something new has happened.

    Attributes:
        before: The files before the export.
        settle_s: How long no new file must come, in seconds.
        changed: Whether a new file was found.
    """

    before: frozenset[ReportState]
    settle_s: float
    changed: bool = False
    _last: frozenset[ReportState] | None = None

    def is_done(self, states: States, elapsed_s: float) -> bool:
        """Return whether the report is complete, ``elapsed_s`` after the first poll."""
        now, last = frozenset(states), self._last
        self._last = now
        self.changed = bool(now - self.before)
        if self.changed:
            return now == last
        return bool(now) and elapsed_s >= self.settle_s

    def join(self, states: States, now: datetime, ago_s: float, stands_still_s: float) -> bool:
        """Continue an export that began earlier; return whether its report is complete.

        Args:
            states: The present files.
            now: The time of these files.
            ago_s: How many seconds before that the export began.
            stands_still_s: For how long no file must have come; this replaces the second poll.
        """
        began = now - timedelta(seconds=ago_s) - _SKEW
        ages_s = {each: (now - each.created).total_seconds() for each in states if each.created}
        self.before = frozenset(
            each for each in states if each.created is None or each.created < began
        )
        self.settle_s = max(0.0, self.settle_s - ago_s)
        if frozenset(states) - self.before:
            return min(ages_s.values()) >= stands_still_s
        return bool(states) and self.settle_s == 0


def _problems_of_folder(download_to: object) -> Iterator[Problem]:
    if download_to is not None:
        yield from problems_of_type("download_to", download_to, PATH_TYPES, "a path, or None")
