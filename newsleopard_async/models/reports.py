"""Campaigns that were sent, and their report files, as the server describes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import ClassVar

import attrs

from newsleopard_async.models.codes import CampaignSn
from newsleopard_async.models.tokens import Token
from newsleopard_async.plain import PRESIGNED, Plain, redact_url

__all__ = ["ReportLink", "ReportType", "SentCampaign", "newest_links"]

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@attrs.frozen(kw_only=True)
class SentCampaign(Plain):
    """A campaign whose sending has ended (已寄送完成).

    Attributes:
        sn: Its code (活動代碼).
        name: Its name; empty if the server gave none.
        sent_begin: When sending began, UTC (活動寄送時間).
        sent_end: When sending ended, UTC (活動寄送完成時間).
    Source: GET /v1/report/campaigns; documented.
    """

    sn: CampaignSn
    name: str = ""
    sent_begin: datetime | None = None
    sent_end: datetime | None = None


class ReportType(Token):
    """What a report file lists: 到達, 開信, 點擊, 退信, 取消訂閱, 抱怨, or an unknown word.

    Source: 報表種類分類; documented.
    """

    __slots__ = ()

    DELIVERY: ClassVar[ReportType]
    OPEN: ClassVar[ReportType]
    CLICK: ClassVar[ReportType]
    BOUNCE: ClassVar[ReportType]
    UNSUBSCRIBE: ClassVar[ReportType]
    COMPLAIN: ClassVar[ReportType]

    known = frozenset({"delivery", "open", "click", "bounce", "unsubscribe", "complain"})


ReportType.DELIVERY = ReportType("delivery")
ReportType.OPEN = ReportType("open")
ReportType.CLICK = ReportType("click")
ReportType.BOUNCE = ReportType("bounce")
ReportType.UNSUBSCRIBE = ReportType("unsubscribe")
ReportType.COMPLAIN = ReportType("complain")


@attrs.frozen(kw_only=True)
class ReportLink(Plain):
    """A report file of a campaign, ready for download.

    Attributes:
        type: What it lists.
        url: Where it is. Secret and short-lived: fetch it soon, without the key; ``repr``
            and ``to_dict()`` hide its query.
        created: When the file was made, UTC (報表建立日期).
    Source: GET /v1/report/{campaign_sn}/link; documented.
    """

    type: ReportType
    url: str = attrs.field(repr=lambda url: repr(redact_url(url)), metadata=PRESIGNED)
    created: datetime | None = None


def newest_links(links: Iterable[ReportLink]) -> tuple[ReportLink, ...]:
    """Return one link for each type, the newest, in the order of their first appearance."""
    newest: dict[str, ReportLink] = {}
    for link in links:
        known = newest.setdefault(link.type, link)
        if (link.created or _LONG_AGO) > (known.created or _LONG_AGO):
            newest[link.type] = link
    return tuple(newest.values())
