"""Contact lists, as the server describes them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import attrs

from newsleopard_async.models.codes import ListSn
from newsleopard_async.plain import Plain

__all__ = ["RESERVED_COLUMNS", "ContactList"]


@attrs.frozen(kw_only=True)
class ContactList(Plain):
    """A contact list (群組). What the server leaves out is None, which means unknown, not 0.

    Attributes:
        sn: Its code (群組代碼).
        name: Any text, even one that looks like a date; empty if the server gave none.
        subscribed_count: Active members (有效會員數).
        excluded_count: Inactive members, such as unsubscribed ones (無效會員數).
        opened_rate_percent: Open rate (開信率), 0 to 100.
        clicked_rate_percent: Click rate (點擊率), 0 to 100.
        status: ``GENERAL``, ``PROCESSING`` while an import runs, or an unknown word.
        type: 0 for an ordinary list, 1 for a segment that fills itself, or unknown.
        created: When it was made, UTC.
        updated: When it last changed, UTC.
    Source: GET /v1/contacts/lists; documented, the meaning of status and type is not (T62).
    """

    sn: ListSn
    name: str = ""
    subscribed_count: int | None = None
    excluded_count: int | None = None
    opened_rate_percent: float | None = None
    clicked_rate_percent: float | None = None
    status: str = ""
    type: int | None = None
    created: datetime | None = None
    updated: datetime | None = None

    @property
    def is_segment(self) -> bool:
        """Whether the list fills itself, so that nothing should be imported into it."""
        return self.type == 1


_RESERVED: Final = """
address app_host birthday campaign campaignname city country country_code cyberbiz_id
easystore_id facebook_id gender line_display_name line_uid link_text link_url mail_hash
nl_estimate_point nl_is_recipient_unique nl_subscribe_form_sn oncemode phone qdm_id
register_date reporttype s:wh s__id schedule_date shopline_id subject unsubscribe
unsubscribe_en unsubscribe_ja user waca_id
"""

RESERVED_COLUMNS: Final = frozenset(_RESERVED.split())
"""The names that the vendor's notes of 2026 reserve, besides EMAIL and NAME (T41)."""
