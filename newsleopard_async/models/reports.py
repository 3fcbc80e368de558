"""Sent campaigns, their report files, and the rows of files, as the platform describes them."""

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
        name: Its name; empty if unknown.
        sent_begin: When sending began, UTC (活動寄送時間).
        sent_end: When sending ended, UTC (活動寄送完成時間).
    Source: GET /v1/report/campaigns; documented.
    """

    sn: CampaignSn
    name: str = ""
    sent_begin: datetime | None = None
    sent_end: datetime | None = None


class ReportType(Token):
    """The type of a report file: 到達, 開信, 點擊, 退信, 取消訂閱, 抱怨, or another word.

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
        type: The type of its rows.
        url: The URL of the file. It is secret and soon expires: download the file soon, without the
            key. ``repr`` and ``to_dict()`` hide its query.
        created: When the file was created, UTC (報表建立日期).
    Source: GET /v1/report/{campaign_sn}/link; documented.
    """

    type: ReportType
    url: str = attrs.field(repr=lambda url: repr(redact_url(url)), metadata=PRESIGNED)
    created: datetime | None = None


def newest_links(links: Iterable[ReportLink]) -> tuple[ReportLink, ...]:
    """Return the newest link of each type, in the order in which the types first appear."""
    newest: dict[str, ReportLink] = {}
    for link in links:
        known = newest.setdefault(link.type, link)
        if (link.created or _LONG_AGO) > (known.created or _LONG_AGO):
            newest[link.type] = link
    return tuple(newest.values())


# Rows of the platform's files. They are personal data: their ``repr`` shows no contact, but their
# fields and ``to_dict()`` do.

_ADDRESS: Final = re.compile(r"\S*[@＠]\S*")
_LONGEST_SHOWN_CHARS: Final = 80
"""Characters of a reason in a ``repr``. Chosen: one line of a terminal."""


class HidesContact(abc.ABC):
    """A base for classes with contact data: their ``repr`` shows only chosen values."""

    __slots__ = ()

    @abc.abstractmethod
    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        """Yield the names and values that can be shown; rich calls this instead of ``repr``."""

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({fields})"


@attrs.frozen(kw_only=True, repr=False)
class RejectedRow(HidesContact, Plain):
    """A row of an import that the platform rejected.

    Attributes:
        line: The line in the caller's contacts, counted as in an editor: the header is line 1.
            None if unknown.
        email: The address in the file, without surrounding white space.
        reason: The platform's reason for the rejection, or None if unknown.
        values: The cells by column, without the reason.
    Source: ``errorDownloadLink``; the file's format is not documented (T49).
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
    """A row of a report file: an event of one mail.

    Attributes:
        email: The recipient's address in the file, without surrounding white space.
        name: The recipient's name; empty if the file has none.
        at: When the event happened, UTC; None if the file has no time in a known format.
        url: The URL that was clicked, or None.
        reason: The platform's reason for the bounce, or None.
        values: All cells by column, including those above.
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
    """Remove the cells of its row from a reason, because it can quote them."""
    if reason is None:
        return None
    for cell in sorted(map(str.strip, cells), key=len, reverse=True):
        # A single letter identifies no person, and occurs in many words.
        if len(cell) > 1 or not cell.isascii():
            reason = reason.replace(cell, "…")
    return _ADDRESS.sub("…", reason)[:_LONGEST_SHOWN_CHARS]
