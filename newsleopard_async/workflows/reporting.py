"""Export a report: links before → export → watch the links → download."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.errors import Problem
from newsleopard_async.files import PATH_TYPES, AnyPath, as_path
from newsleopard_async.models import CampaignSn, Polling, ReportLink
from newsleopard_async.models.validation import problems_of_type, refuse
from newsleopard_async.workflows import steps
from newsleopard_async.workflows.checkpoint import CheckpointLike, hash_of
from newsleopard_async.workflows.events import Events, Progress
from newsleopard_async.workflows.local import running
from newsleopard_async.workflows.outcomes import CampaignReport, ReportState
from newsleopard_async.workflows.polling import problems_of_polling, watch
from newsleopard_async.workflows.runner import Runner

__all__ = ["ReportJudge", "export_report", "wait_for_report"]

States = tuple[ReportState, ...]


async def export_report(
    nl: NewsLeopard,
    campaign_sn: CampaignSn,
    *,
    download_to: AnyPath | None = None,
    polling: Polling | None = None,
    progress: Progress | None = None,
    checkpoint: CheckpointLike | None = None,
) -> CampaignReport:
    """Export a campaign's report, wait until it is there, and download it.

    Where the campaign was exported within the last hour, or nothing new has happened since,
    the report is the last one, and says so.

    Args:
        nl: The client.
        campaign_sn: A campaign whose sending is complete.
        download_to: A folder for the files, made if need be; None downloads nothing.
        polling: How the report is watched.
        progress: Called with every event.
        checkpoint: A path or a store; run again with it, the export goes on where it was.

    Raises:
        CampaignNotReportable: unknown, not yours, or not in a state for it.
        DeadlineExceeded: it was not ready in time; that is not a failure.
        StorageError: a file could not be downloaded.
        InvalidRequest: the folder cannot be made; nothing was sent.
        InUse: another run is using the checkpoint.
    """
    refuse([*problems_of_polling(polling), *_problems_of_folder(download_to)])
    folder = None if download_to is None else as_path(download_to)
    async with running(
        nl,
        Events("export_report", progress, nl.clock),
        input_hash=hash_of(campaign_sn, folder),
        checkpoint=checkpoint,
    ) as run:
        if folder is not None:
            # Before the export, which can be had once an hour.
            await steps.make_folder(folder)
        before = await run.step(steps.get_report_state, campaign_sn)
        await _export(run, campaign_sn)
        report = await _watch_report(run, campaign_sn, before, polling or Polling())
        if folder is None:
            return report
        given = steps.DownloadFiles(campaign_sn=campaign_sn, folder=folder)
        return attrs.evolve(report, files=await run.step(steps.download_files, given))


async def _export(run: Runner, campaign_sn: CampaignSn) -> None:
    """Begin the export; one that is not known to have begun is begun again by a later run.

    That is harmless: the platform ignores a second export within the hour.
    """
    if not await run.step(steps.export_report, campaign_sn):
        await run.forget(steps.export_report)


async def wait_for_report(
    nl: NewsLeopard,
    campaign_sn: CampaignSn,
    *,
    before: Iterable[ReportLink] = (),
    polling: Polling | None = None,
    progress: Progress | None = None,
    checkpoint: CheckpointLike | None = None,
) -> CampaignReport:
    """Wait until an export that was begun elsewhere is there.

    Args:
        nl: The client.
        campaign_sn: The campaign.
        before: The links as they were before the export.
        polling: How the report is watched.
        progress: Called with every event.
        checkpoint: A path or a store, as for the other pipelines.

    Raises:
        DeadlineExceeded: it was not ready in time; that is not a failure.
    """
    refuse(problems_of_polling(polling))
    states = tuple(ReportState(type=link.type, created=link.created) for link in before)
    async with running(
        nl,
        Events("wait_for_report", progress, nl.clock),
        input_hash=hash_of(campaign_sn),
        checkpoint=checkpoint,
    ) as run:
        return await _watch_report(run, campaign_sn, states, polling or Polling())


async def _watch_report(
    run: Runner, campaign_sn: CampaignSn, before: States, polling: Polling
) -> CampaignReport:
    judge = ReportJudge(frozenset(before), polling.settle_s)
    states = await watch(
        run,
        steps.get_report_state,
        campaign_sn,
        is_done=judge.is_done,
        polling=polling,
        what=f"the report of campaign {campaign_sn}",
    )
    return CampaignReport(campaign_sn=campaign_sn, unchanged=not judge.changed, available=states)


@attrs.define
class ReportJudge:
    """Says when a report is complete, from one look at its files after another.

    It is complete when at least one file is new and two looks saw the same; or when there
    are files and nothing new came for `settle_s`, which is a valid end: the platform makes
    a new file only where something new has happened.

    Attributes:
        before: The files before the export.
        settle_s: How long nothing new must come, in seconds.
        changed: Whether something new was seen.
    """

    before: frozenset[ReportState]
    settle_s: float
    changed: bool = False
    _last: frozenset[ReportState] | None = None

    def is_done(self, states: States, elapsed_s: float) -> bool:
        """Judge a look, ``elapsed_s`` after the first."""
        now, last = frozenset(states), self._last
        self._last = now
        self.changed = bool(now - self.before)
        if self.changed:
            return now == last
        return bool(now) and elapsed_s >= self.settle_s


def _problems_of_folder(download_to: object) -> Iterator[Problem]:
    if download_to is not None:
        yield from problems_of_type("download_to", download_to, PATH_TYPES, "a path, or None")
