"""Campaigns that were sent, and their report files, as the server describes them."""

from __future__ import annotations

import abc
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import ClassVar, Final

import attrs

from newsleopard_async.models.codes import CampaignSn, Token
from newsleopard_async.plain import PRESIGNED, Plain, redact_url

__all__ = ["RejectedRow", "ReportLink", "ReportRow", "ReportType", "SentCampaign", "newest_links"]

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

    known: ClassVar[frozenset[str]] = frozenset(
        {"delivery", "open", "click", "bounce", "unsubscribe", "complain"}
    )


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


# Rows of the platform's files, read after the fact. They are personal data.
#
# Their ``repr`` shows no contact; their fields and ``to_dict()`` do.

_ADDRESS: Final = re.compile(r"\S*[@＠]\S*")
_LONGEST_SHOWN_CHARS: Final = 80


class HidesContact(abc.ABC):
    """A base for what holds contacts: it shows only what it says may be shown."""

    __slots__ = ()

    @abc.abstractmethod
    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        """Yield what may be shown; rich asks for it where others ask for the ``repr``."""

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({fields})"


@attrs.frozen(kw_only=True, repr=False)
class RejectedRow(HidesContact, Plain):
    """A row of an import that the platform did not take.

    Attributes:
        line: The line in the contacts as they were given, counted as an editor counts: the
            header is line 1. None where it is not known.
        email: The address as it stands in the file, without white space around it.
        reason: Why it was rejected, in the platform's words, or None where it does not say.
        values: The cells by column, but for the reason.
    Source: ``errorDownloadLink``; the file's form is not documented (T49).
    """

    line: int | None = None
    email: str = ""
    reason: str | None = None
    values: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        yield "line", self.line
        yield "reason", _without_contact(self.reason, (self.email, *self.values.values()))


@attrs.frozen(kw_only=True, repr=False)
class ReportRow(HidesContact, Plain):
    """A row of a report file: something that happened to one mail.

    Attributes:
        email: The recipient's address as it stands in the file, without white space around it.
        name: The recipient's name; empty where the file has none.
        at: When it happened, UTC; None where the file does not say, or not in a known form.
        url: What was clicked, or None.
        reason: Why the mail bounced, in the platform's words, or None.
        values: All cells by column, those above too.
    Source: the files behind 報表連結; their columns are not documented (T119).
    """

    email: str = ""
    name: str = ""
    at: datetime | None = None
    url: str | None = None
    reason: str | None = None
    values: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        yield "at", self.at
        yield "reason", _without_contact(self.reason, (self.email, self.name))


def _without_contact(reason: str | None, cells: Iterable[str]) -> str | None:
    """Take out of a reason what it may quote of its row."""
    if reason is None:
        return None
    for cell in sorted(map(str.strip, cells), key=len, reverse=True):
        # A single letter says nothing of anybody, and is in every word.
        if len(cell) > 1 or not cell.isascii():
            reason = reason.replace(cell, "…")
    return _ADDRESS.sub("…", reason)[:_LONGEST_SHOWN_CHARS]
