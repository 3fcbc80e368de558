"""Counts the opens and clicks of a report by time and by link, without keeping contacts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import attrs

from newsleopard_async.models import ReportType
from newsleopard_async.workflows import CampaignReport

__all__ = ["LinkClicks", "ReaderActivity", "TimeBucket", "read_activity"]

HOURS: Final = 48
"""Hours that are shown one by one. Chosen: most readers react within two days."""
_FEWEST_HOURS: Final = 12
"""Chosen: with fewer columns, a chart looks complete while readers still react."""
_ROUND_HOURS: Final = 6
"""Chosen: the axis has a label every 6 hours, and ends with one."""
_MOST_DAYS: Final = 28
"""Days after the hours that are shown one by one; chosen: a month in all, as columns on a phone."""
_MOST_LINKS: Final = 5_000
"""Different links that are counted. Chosen: a mail has fewer than 100; more means that each reader
has a link of their own, and then only its host is counted."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PERSONAL: Final = re.compile(r"@|%40", re.IGNORECASE)


@attrs.frozen
class TimeBucket:
    """The events of an hour or a day.

    Attributes:
        number: The number of the hour or day after the begin, from 0.
        opens: Opened mails; a reader can open several times.
        clicks: Clicks; a reader can click several times.
        is_rest: Whether all later events are in it, too.
    """

    number: int
    opens: int
    clicks: int
    is_rest: bool = False


@attrs.define
class LinkClicks:
    """The clicks on one link.

    Attributes:
        address: The URL without its query, which often names a reader.
        clicks: The number of clicks.
        readers: Hashes of the addresses of the readers; 0 for a row without an address.
    """

    address: str
    clicks: int = 0
    readers: set[int] = attrs.field(factory=set, repr=False)

    @property
    def people(self) -> int | None:
        """The number of readers who followed it; None if the rows have no addresses."""
        return None if self.readers == {0} else len(self.readers - {0})


@attrs.define
class ReaderActivity:
    """The opens, clicks and links of a campaign.

    Attributes:
        began: When the sending began; if that is unknown, the first known event; None without any.
        opens: The number of opens in each minute after 1970.
        clicks: The number of clicks in each minute.
        untimed: The number of opens and clicks without a readable time.
        links: The links by address.
        has_opens: Whether the report has a file of opens.
        has_clicks: Whether the report has a file of clicks.
    """

    began: datetime | None
    opens: Counter[int] = attrs.field(factory=Counter)
    clicks: Counter[int] = attrs.field(factory=Counter)
    untimed: int = 0
    links: dict[str, LinkClicks] = attrs.field(factory=dict)
    has_opens: bool = False
    has_clicks: bool = False

    def hours(self) -> tuple[TimeBucket, ...]:
        """Return the first hours; empty without a time."""
        if not (self.opens or self.clicks):
            return ()
        opens, clicks = self._by(60, self.opens), self._by(60, self.clicks)
        last = max([*opens, *clicks])
        count = -(-(last + 1) // _ROUND_HOURS) * _ROUND_HOURS
        count = min(HOURS, max(_FEWEST_HOURS, count))
        return tuple(TimeBucket(each, opens[each], clicks[each]) for each in range(count))

    def days(self) -> tuple[TimeBucket, ...]:
        """Return the days after the hours, from the third on; empty if nothing happened there."""
        opens, clicks = self._by(1_440, self.opens), self._by(1_440, self.clicks)
        first, last = HOURS // 24, max([*opens, *clicks], default=0)
        if last < first:
            return ()
        end = min(last, first + _MOST_DAYS - 1)
        days = [TimeBucket(each, opens[each], clicks[each]) for each in range(first, end + 1)]
        if last > end:
            days[-1] = TimeBucket(
                end,
                sum(count for day, count in opens.items() if day >= end),
                sum(count for day, count in clicks.items() if day >= end),
                is_rest=True,
            )
        return tuple(days)

    def _by(self, minutes: int, events: Counter[int]) -> Counter[int]:
        """Count events by their distance from the begin; earlier ones count at the begin."""
        assert self.began is not None
        begin = _minute(self.began)
        counts: Counter[int] = Counter()
        for minute, count in events.items():
            counts[max(0, minute - begin) // minutes] += count
        return counts

    def top_links(self, count: int) -> tuple[LinkClicks, ...]:
        """Return the links with the most readers.

        A link that one person followed can contain what is known of that person, so only its host
        is shown.
        """
        shown: dict[str, LinkClicks] = {}
        for link in self.links.values():
            is_shared = (link.people or 0) > 1
            address = link.address if is_shared else f"{_host_of(link.address)}/…"
            together = shown.setdefault(address, LinkClicks(address))
            together.clicks += link.clicks
            together.readers |= link.readers
        ranked = sorted(
            shown.values(), key=lambda each: (-(each.people or 0), -each.clicks, each.address)
        )
        return tuple(ranked[:count])

    def add_click(self, url: str | None, email: str) -> None:
        """Count a click on a link."""
        address = _address_of(url)
        if address is None:
            return
        if address not in self.links and len(self.links) >= _MOST_LINKS:
            address = f"{_host_of(address)}/…"
        link = self.links.setdefault(address, LinkClicks(address))
        link.clicks += 1
        link.readers.add(hash(email.casefold()) if email else 0)


def _minute(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(minutes=1)


def _address_of(url: str | None) -> str | None:
    """Return a URL without its query, and without parts that look like an address of a person."""
    if not url:
        return None
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    if not parts.hostname:
        return None
    path = "/".join("…" if _PERSONAL.search(each) else each for each in parts.path.split("/"))
    return parts.hostname + path.rstrip("/")


def _host_of(address: str) -> str:
    return address.partition("/")[0]


async def read_activity(report: CampaignReport, began: datetime | None) -> ReaderActivity:
    """Read the files of opens and clicks.

    Args:
        report: The report, whose files were downloaded.
        began: When the sending began; None: at the first delivery, or else at the first event.

    Raises:
        InvalidRequest: as `CampaignReport.rows`.
    """
    kinds = {str(each.type) for each in report.files}
    activity = ReaderActivity(
        began, has_opens=ReportType.OPEN in kinds, has_clicks=ReportType.CLICK in kinds
    )
    for kind, events in (("open", activity.opens), ("click", activity.clicks)):
        async with aclosing(report.rows(kind)) as rows:
            async for row in rows:
                if row.at is None:
                    activity.untimed += 1
                else:
                    events[_minute(row.at)] += 1
                if kind == "click":
                    activity.add_click(row.url, row.email)
    if began is None:
        activity.began = await _first_delivery(report) or _first_event(activity)
    return activity


async def _first_delivery(report: CampaignReport) -> datetime | None:
    first: datetime | None = None
    async with aclosing(report.rows("delivery")) as rows:
        async for row in rows:
            if row.at is not None and (first is None or row.at < first):
                first = row.at
    return first


def _first_event(activity: ReaderActivity) -> datetime | None:
    minutes: Iterator[int] = iter((*activity.opens, *activity.clicks))
    first = min(minutes, default=None)
    return None if first is None else _EPOCH + timedelta(minutes=first)
