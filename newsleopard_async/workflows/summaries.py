"""The results of campaigns in numbers: from their metrics, or else from their report files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.endpoints.campaigns import MOST_CODES, problems_of_codes
from newsleopard_async.errors import APIError, DeadlineExceeded, InvalidRequest, NotOffered, Problem
from newsleopard_async.log import Log
from newsleopard_async.models import CampaignMetrics, CampaignSn, Polling
from newsleopard_async.models.codes import problems_of_code, unique_codes
from newsleopard_async.models.metrics import CampaignSummary
from newsleopard_async.models.validation import raise_problems
from newsleopard_async.temporary import private_folder
from newsleopard_async.workflows.campaign_steps import get_metrics
from newsleopard_async.workflows.checkpoint import CheckpointLike
from newsleopard_async.workflows.fingerprint import Fingerprint
from newsleopard_async.workflows.local_runner import running
from newsleopard_async.workflows.pipeline import pipeline
from newsleopard_async.workflows.polling import may_be_too_early, problems_of_polling
from newsleopard_async.workflows.progress import Events, Progress
from newsleopard_async.workflows.reporting import export_report
from newsleopard_async.workflows.runner import Runner
from newsleopard_async.workflows.steps import says_unknown

__all__ = ["summarize"]

_TOTAL: Final = "TOTAL"
_FIELDS: Final = (
    *("name", "recipients", "delivered", "opened", "clicked", "bounced"),
    *("unsubscribed", "complained", "sent_begin", "sent_end"),
)
"""The fields that a summary takes from the row of the whole campaign."""

_log: Final = Log()


@pipeline
async def summarize(
    nl: NewsLeopard,
    campaign_sns: Iterable[CampaignSn],
    *,
    polling: Polling | None = None,
    progress: Progress | None = None,
    checkpoint: CheckpointLike | None = None,
) -> tuple[CampaignSummary, ...]:
    """Return the results of campaigns in numbers, with one request per fifty campaigns.

    If the account has no metrics, the report of each campaign is exported and counted. That is
    slow, is possible once an hour per campaign, and puts personal data into a private folder for a
    short time.

    Args:
        nl: The client.
        campaign_sns: The campaigns; each counts once.
        polling: How the reports are polled, if they are needed.
        progress: Called with every event; or an `EventFeed`, to loop over them.
        checkpoint: A path, as for the other pipelines; no step is stored in it.
    Returns: A summary of each campaign, in the order of the codes. If the platform
        does not know a campaign, its numbers are None, and a warning is logged.

    Raises:
        InvalidRequest: no campaign is given, or a code is not valid.
        StorageError: a report file could not be downloaded.
    Source: POST /v1/report/campaigns/metrics; notes 2026
    """
    codes = unique_codes(campaign_sns)
    raise_problems([*_problems_of_codes(codes), *problems_of_polling(polling)])
    async with running(
        nl,
        Events("summarize", progress, nl.clock, (("get_metrics",),)),
        fingerprint=Fingerprint.of(codes, campaign_sns=codes),
        checkpoint=checkpoint,
    ) as run:
        try:
            rows = [row for batch in _batches(codes) for row in await _rows_of(run, batch)]
        except NotOffered as error:
            _log.info("reports are exported and counted: %s", error)
        else:
            return tuple(_summary(each, [row for row in rows if row.sn == each]) for each in codes)
        return tuple([await _from_report(nl, each, polling, progress) for each in codes])


def _problems_of_codes(codes: object) -> Iterator[Problem]:
    if not isinstance(codes, tuple) or not codes:
        yield from problems_of_codes("campaign_sns", codes)
    else:
        for place, each in enumerate(codes):
            yield from problems_of_code(f"campaign_sns[{place}]", each)


def _batches(codes: tuple[CampaignSn, ...]) -> Iterator[tuple[CampaignSn, ...]]:
    for start in range(0, len(codes), MOST_CODES):
        yield codes[start : start + MOST_CODES]


async def _rows_of(run: Runner, codes: tuple[CampaignSn, ...]) -> tuple[CampaignMetrics, ...]:
    """Request metrics; an unknown code must not hide the other campaigns.

    How the platform answers for an unknown code is not documented (T131). If it refuses all codes,
    each half is requested separately.
    """
    try:
        return await run.step(get_metrics, codes, keep=False)
    except APIError as error:
        if error.code is None or not says_unknown(error):
            raise
    if len(codes) == 1:
        return ()
    middle = len(codes) // 2
    return await _rows_of(run, codes[:middle]) + await _rows_of(run, codes[middle:])


def _summary(campaign_sn: CampaignSn, rows: list[CampaignMetrics]) -> CampaignSummary:
    """Use the row of the whole campaign; rows are never added up (T130)."""
    summary = CampaignSummary(
        campaign_sn=campaign_sn,
        parts=tuple(row for row in rows if row.part not in ("", _TOTAL)),
    )
    totals = [row for row in rows if row.part == _TOTAL] or rows
    if len(totals) == 1 and totals[0].part in ("", _TOTAL):
        return attrs.evolve(summary, **{name: getattr(totals[0], name) for name in _FIELDS})
    _log.warning(
        "campaign %s: the platform gives %s, so its numbers are unknown",
        campaign_sn,
        f"{len(rows)} rows of metrics without a total" if rows else "no metrics of it",
    )
    return summary


async def _from_report(
    nl: NewsLeopard,
    campaign_sn: CampaignSn,
    polling: Polling | None,
    progress: Progress | None,
) -> CampaignSummary:
    """Export and count the report of a campaign; the files are personal data, and are removed."""
    unknown = CampaignSummary(campaign_sn=campaign_sn, source="report")
    with private_folder() as folder:
        try:
            report = await export_report(
                nl, campaign_sn, download_to=folder, polling=polling, progress=progress
            )
            counted = await report.summary()
        except (APIError, DeadlineExceeded, InvalidRequest) as error:
            if isinstance(error, APIError) and not may_be_too_early(error):
                raise
            _log.warning("campaign %s: its numbers are unknown: %s", campaign_sn, error)
            return unknown
    return attrs.evolve(unknown, **attrs.asdict(counted, recurse=False))
