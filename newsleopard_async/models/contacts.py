"""Contact lists and imports, as the platform describes them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar, Final, Literal, Self, get_args

import attrs

from newsleopard_async.errors import Problem
from newsleopard_async.models.codes import ImportSn, ListSn, Token
from newsleopard_async.models.validation import problems_of_line, raise_problems
from newsleopard_async.plain import PRESIGNED, Plain, Tabular, redact_url

__all__ = [
    "RESERVED_COLUMNS",
    "ContactFilter",
    "ContactList",
    "ImportResult",
    "ImportStatus",
    "UploadTicket",
]


@attrs.frozen(kw_only=True)
class ContactList(Plain):
    """A contact list (群組). None means that a value is unknown, not 0.

    Attributes:
        sn: Its code (群組代碼).
        name: Any text, even in the format of a date; empty if unknown.
        subscribed_count: Active members (有效會員數).
        excluded_count: Inactive members, such as unsubscribed ones (無效會員數).
        opened_rate_percent: Open rate (開信率), 0 to 100.
        clicked_rate_percent: Click rate (點擊率), 0 to 100.
        status: ``GENERAL``, ``PROCESSING`` while an import runs, or another word.
        type: 0 for an ordinary list, 1 for a segment that the platform fills, or another number.
        created: When it was created, UTC.
        updated: When it last changed, UTC.
    Source: GET /v1/contacts/lists; documented, except the meaning of status and type (T62).
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
        """Whether the platform fills the list, so that contacts should not be imported into it."""
        return self.type == 1


_RESERVED: Final = """
address app_host birthday campaign campaignname city country country_code cyberbiz_id
easystore_id facebook_id gender line_display_name line_uid link_text link_url mail_hash
nl_estimate_point nl_is_recipient_unique nl_subscribe_form_sn oncemode phone qdm_id
register_date reporttype s:wh s__id schedule_date shopline_id subject unsubscribe
unsubscribe_en unsubscribe_ja user waca_id
"""

RESERVED_COLUMNS: Final = frozenset(_RESERVED.split())
"""The names that the vendor's notes of 2026 reserve, in addition to EMAIL and NAME (T41)."""


def _show_url(url: str | None) -> str:
    return repr(redact_url(url)) if url else repr(url)


@attrs.frozen(kw_only=True)
class UploadTicket(Plain):
    """A ticket to upload a file of contacts; the import begins after the upload.

    ``repr`` and ``to_dict()`` hide the query of the URL, so a ticket that was read back from
    plain data cannot be used.

    Attributes:
        import_sn: Code of the import (匯入代碼).
        url: The URL for the PUT of the file. It contains its authorisation: keep it secret.
    Source: POST /v1/contacts/imports/…/file; documented.
    """

    import_sn: ImportSn
    url: str = attrs.field(repr=_show_url, metadata=PRESIGNED)


class ImportStatus(Token):
    """State of an import: the platform's word, with its meaning as properties.

    An unknown word is stored, is final, and is not a success. ``COMPLETED`` becomes ``COMPLETE``.

    Source: 狀態值; documented, finality inferred (T43, T44).
    """

    __slots__ = ()

    PROCESSING: ClassVar[ImportStatus]
    COMPLETE: ClassVar[ImportStatus]
    DUPLICATE_HEADER: ClassVar[ImportStatus]
    ERROR: ClassVar[ImportStatus]
    MISSING_REQUIRED_DATA: ClassVar[ImportStatus]

    known: ClassVar[frozenset[str]] = frozenset(
        {"PROCESSING", "COMPLETE", "DUPLICATE_HEADER", "ERROR", "MISSING_REQUIRED_DATA"}
    )

    def __new__(cls, word: str) -> Self:
        """Store the word; ``COMPLETED`` of the vendor's command line becomes ``COMPLETE``."""
        return super().__new__(cls, "COMPLETE" if word == "COMPLETED" else word)

    @property
    def is_final(self) -> bool:
        """Whether the import has ended, with or without success."""
        return self != "PROCESSING"

    @property
    def is_success(self) -> bool:
        """Whether the import has succeeded; single rows can still have been rejected."""
        return self == "COMPLETE"


ImportStatus.PROCESSING = ImportStatus("PROCESSING")


ImportStatus.COMPLETE = ImportStatus("COMPLETE")


ImportStatus.DUPLICATE_HEADER = ImportStatus("DUPLICATE_HEADER")


ImportStatus.ERROR = ImportStatus("ERROR")


ImportStatus.MISSING_REQUIRED_DATA = ImportStatus("MISSING_REQUIRED_DATA")


@attrs.frozen(kw_only=True)
class ImportResult(Tabular):
    """The progress of an import. None means that a count is unknown, not 0.

    A count below 0 becomes None. Only ``status`` shows whether the import has ended: the
    documentation's sample has full counts and a completion time while it is still processing
    (T45). The counts do not always have a fixed sum (T46).

    Attributes:
        import_sn: Code of the import (匯入代碼).
        status: Its state.
        file_count: Rows in the file (檔案筆數).
        inserted: Imported rows (新增筆數).
        duplicates: Repeated rows (重複筆數).
        errors: Rejected rows (錯誤筆數).
        created: When it was requested, UTC.
        completed: When it ended, UTC.
        error_url: URL of a CSV file of the rejected rows, or None. It gives access to personal
            data: keep it secret. ``repr`` and ``to_dict()`` hide its query.
    Source: GET /v1/contacts/imports/result/{import_sn}; documented.
    """

    import_sn: ImportSn
    status: ImportStatus
    file_count: int | None = None
    inserted: int | None = None
    duplicates: int | None = None
    errors: int | None = None
    created: datetime | None = None
    completed: datetime | None = None
    error_url: str | None = attrs.field(default=None, repr=_show_url, metadata=PRESIGNED)


Operator = Literal["EQ", "NOT_EQ", "LIKE", "NOT_LIKE"]


@attrs.frozen
class ContactFilter(Plain):
    """A condition that selects contacts of a list.

    Attributes:
        field: ``NAME``, ``MAIL_ADDRESS``, ``DOMAIN``, ``LISTSN``, or the name of a custom field.
        operator: ``EQ`` (is), ``LIKE`` (contains), ``NOT_EQ`` or ``NOT_LIKE``.
        value: The text with which the field is compared.
    Source: DELETE /v1/contacts/{list_sn}; notes 2026, the shape follows the vendor's command
    line (T63).
    """

    field: str
    operator: Operator
    value: str = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        raise_problems(
            [
                *problems_of_line("field", self.field),
                *self._problems_of_operator(),
                *problems_of_line("value", self.value),
            ]
        )

    def _problems_of_operator(self) -> Iterator[Problem]:
        if self.operator not in get_args(Operator):
            yield Problem("operator", "choice", f"must be one of {', '.join(get_args(Operator))}")

    @property
    def is_negative(self) -> bool:
        """Whether the operator selects all contacts that do not match."""
        return self.operator in ("NOT_EQ", "NOT_LIKE")
