"""報表: sent campaigns and their report files."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final

import attrs

from newsleopard_async.disclosure import hides_variables
from newsleopard_async.endpoints.campaigns import problems_of_codes
from newsleopard_async.endpoints.contacts import webhook_body
from newsleopard_async.errors import InvalidRequest, Problem
from newsleopard_async.files import AnyPath, as_path
from newsleopard_async.log import Log
from newsleopard_async.models import CampaignMetrics, CampaignSn, ReportLink, SentCampaign
from newsleopard_async.models.codes import check_code, unique_codes
from newsleopard_async.models.validation import problems_of_time, raise_problems
from newsleopard_async.transport.api import Api
from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.request import Request, decode_nothing, path
from newsleopard_async.transport.storage import Storage
from newsleopard_async.transport.wire import answers, later_answers, requests

__all__ = ["Reports"]

_log: Final = Log()


@attrs.frozen
class Reports:
    """Sent campaigns (查詢活動代碼) and their reports (報表)."""

    _api: Api
    _storage: Storage

    @hides_variables
    async def list_campaigns(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        wanted: Callable[[str], bool] | None = None,
    ) -> tuple[SentCampaign, ...]:
        """Return campaigns whose sending is complete.

        Campaigns outside the range are also returned. One warning in the log counts them, because
        the platform possibly ignored the range and left out other campaigns.

        Args:
            start: Begin of the range, aware.
            end: End of the range, aware. Without both, the platform returns the latest ten
                campaigns.
            wanted: Returns whether the caller searches for a campaign of this name. A campaign
                with an unreadable code is left out and logged, but a wanted one raises an error.

        Raises:
            InvalidRequest: only one date, which the platform ignores silently; a naive date; or an
                end before the start.
            UnexpectedResponse: the answer, or the wanted campaign in it, cannot be read.
        Source: GET /v1/report/campaigns; documented, except which instant the range means
        """
        found = await self._api.call(
            Request(
                name="list_campaigns",
                method="GET",
                path="/v1/report/campaigns",
                kind=Kind.READ,
                query=_range(start, end),
                decode=functools.partial(answers.decode_sent_campaigns, wanted=wanted),
            )
        )
        if start is not None and end is not None:
            _warn_of_others(found, start, end)
        return found

    @hides_variables
    async def export(self, campaign_sn: CampaignSn, *, webhook_url: str | None = None) -> None:
        """Begin the export of a campaign's report files (匯出報表).

        Not repeatable within the hour: a second export of the same campaign is not sent.

        Args:
            campaign_sn: A campaign whose sending is complete.
            webhook_url: The URL that the platform calls when the files are ready; only a hint.

        Raises:
            RateLimited: exported within the last hour; the links have that export's files.
            OutcomeUnknown: the reply was lost; continue with the links.
            CampaignNotReportable: unknown, not yours, or not in a state for it.
        Source: POST /v1/report/{campaign_sn}/export; documented
        """
        check_code("campaign_sn", campaign_sn)
        await self._api.call(
            Request(
                name="export_report",
                method="POST",
                path=path("/v1/report/{sn}/export", sn=campaign_sn),
                kind=Kind.CREATE,
                body=webhook_body(webhook_url),
                decode=decode_nothing,
                ignores_answer=True,
                export_of=campaign_sn,
                look_for="at its report links",
            )
        )

    @hides_variables
    async def get_links(self, campaign_sn: CampaignSn) -> tuple[ReportLink, ...]:
        """Return the report files of the last export (查詢報表連結); none means "not ready".

        Raises:
            CampaignNotReportable: unknown, not yours, or not in a state for it.
        Source: GET /v1/report/{campaign_sn}/link; documented
        """
        check_code("campaign_sn", campaign_sn)
        return await self._api.call(
            Request(
                name="get_links",
                method="GET",
                path=path("/v1/report/{sn}/link", sn=campaign_sn),
                kind=Kind.READ,
                polite=True,
                decode=functools.partial(answers.decode_links, base_url=self._api.base_url),
            )
        )

    @hides_variables
    async def get_metrics(self, campaign_sns: Iterable[CampaignSn]) -> tuple[CampaignMetrics, ...]:
        """Return the metrics of campaigns; an A/B test has several rows.

        Never add up rows: ``TOTAL`` has the sum. A campaign that the platform does not know has no
        row. The metrics contain no contacts, and no hourly limit is documented.

        Args:
            campaign_sns: 1 to 50 codes.

        Raises:
            NotOffered: this account or platform has no such endpoint; export the report.
        Source: POST /v1/report/campaigns/metrics; notes 2026 (T130, T131)
        """
        codes = unique_codes(campaign_sns)
        raise_problems(problems_of_codes("campaign_sns", codes))
        return await self._api.call(
            Request(
                name="get_metrics",
                method="POST",
                path="/v1/report/campaigns/metrics",
                kind=Kind.READ,
                later=True,
                instead="export the report of each campaign",
                body={"campaignSns": list(codes)},
                decode=later_answers.decode_metrics,
            )
        )

    @hides_variables
    async def download(self, link: ReportLink, path: AnyPath) -> int:
        """Download a report file unchanged, and return its size in bytes.

        Only a complete file is written. It contains personal data.

        Args:
            link: A link from `get_links`; it soon expires.
            path: The file to write; an existing one is replaced.

        Raises:
            StorageError: refused, cut off, or too large; if it is `.expired`, get new links.
            InvalidRequest: `path` is a folder, or its folder does not exist.
        """
        return await self._storage.get(link.url, as_path(path))


def _range(start: datetime | None, end: datetime | None) -> tuple[tuple[str, str], ...]:
    """Check a range of dates; the platform silently ignores a single date (T103)."""
    if start is None and end is None:
        return ()
    raise_problems([*_problems_of_date("start", start), *_problems_of_date("end", end)])
    assert start is not None
    assert end is not None
    if end < start:
        raise InvalidRequest.of(
            "end", "order", "must not be before start; exchange the two, or correct one"
        )
    return (
        ("startDate", requests.format_query_date(start)),
        ("endDate", requests.format_query_date(end)),
    )


def _warn_of_others(found: tuple[SentCampaign, ...], start: datetime, end: datetime) -> None:
    """Warn about campaigns outside the requested range (T104)."""
    others = sum(_is_outside(each, start, end) for each in found)
    if others:
        _log.warning(
            "list_campaigns: %d of %d campaigns were sent before %s or after %s, outside the "
            "requested range; the platform possibly ignored the range, so check whether campaigns "
            "are missing",
            others,
            len(found),
            start.isoformat(),
            end.isoformat(),
        )


def _is_outside(campaign: SentCampaign, start: datetime, end: datetime) -> bool:
    """Return whether begin and end are outside a range; the one that counts is unknown (T106)."""
    begun, ended = campaign.sent_begin, campaign.sent_end
    return (begun is not None and begun > end) or (ended is not None and ended < start)


def _problems_of_date(field: str, value: object) -> Iterator[Problem]:
    if value is None:
        yield Problem(
            field,
            "required",
            "is missing; pass both dates or none, because the platform ignores a single date",
        )
    else:
        yield from problems_of_time(field, value)
