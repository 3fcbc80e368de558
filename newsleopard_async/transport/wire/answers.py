"""Answers to requests that succeeded, read into models.

Codes, the state of an import, the URL of an upload and the link of a report decide the next step.
An answer without one of them is an error. Every other field is read if possible, and is unknown
otherwise, because it must not stop a campaign half-way.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import attrs

from newsleopard_async.disclosure import shown
from newsleopard_async.models.codes import CampaignSn, ImportSn, ListSn
from newsleopard_async.models.contacts import ContactList, ImportResult, ImportStatus, UploadTicket
from newsleopard_async.models.reports import ReportLink, ReportType, SentCampaign
from newsleopard_async.transport.settings import DEFAULT_BASE_URL
from newsleopard_async.transport.wire.containers import (
    Row,
    holders,
    only,
    rows,
    shown_name,
    values_in,
)
from newsleopard_async.transport.wire.values import (
    Unread,
    WireError,
    code,
    count,
    instant,
    is_blank,
    link,
    number,
    optional_name,
    optional_text,
    required_text,
    text_or_digits,
    url,
    whole,
)

__all__ = [
    "CAMPAIGN_CODES",
    "Fields",
    "Wanted",
    "decode_campaign_sn",
    "decode_import_result",
    "decode_import_sn",
    "decode_links",
    "decode_list_sn",
    "decode_lists",
    "decode_sent_campaigns",
    "decode_ticket",
]

T = TypeVar("T")

Wanted = Callable[[str], bool]
"""Returns whether a name is the one that the caller searches for."""

_LIST_CODES: Final = ("sn", "listSn", "list_sn")
CAMPAIGN_CODES: Final = ("sn", "campaignSn", "campaign_sn")
_IMPORT_CODES: Final = ("import_sn", "importSn")
"""The documented name first; then the names of the vendor's notes and command line, and of the
documented paths (T42, T64, T109). The code of an import is never ``sn``, which can be its
list's."""

_list_code: Final = partial(code, reserved=True)


@attrs.frozen
class Fields:
    """The fields of one object that decide nothing."""

    path: str
    data: Mapping[str, Any]
    unread: Unread

    def get(self, reader: Callable[[object, str], T], *names: str) -> T | None:
        """Read the first of these fields that exists; return None if it cannot be read."""
        name = names[0]
        if len(names) > 1:
            name = next((each for each in names if self.data.get(each) is not None), name)
        try:
            return reader(self.data.get(name), name)
        except WireError as error:
            # The whole path is built only here: a page of lists has a thousand fields.
            self.unread.note(WireError(f"{self.path}.{error.path}", error.problem))
            return None


def decode_list_sn(data: object, unread: Unread) -> ListSn:
    """Read the code of a new list. Source: POST /v1/contacts/lists/insert; documented."""
    return ListSn(only(data, _LIST_CODES, _list_code, unread))


def decode_campaign_sn(data: object, unread: Unread) -> CampaignSn:
    """Read the code of an accepted campaign. Source: POST /v1/campaign/…/submit; documented.

    Any code is read, because the campaign was accepted: an odd code must not put that in doubt.
    """
    return CampaignSn(only(data, CAMPAIGN_CODES, _any_code, unread))


def _any_code(data: object, path: str) -> str:
    return required_text(text_or_digits(data), path)


def decode_import_sn(data: object, unread: Unread) -> ImportSn:
    """Read the code of an import. Source: POST /v1/contacts/imports/…/text; documented."""
    return ImportSn(only(data, _IMPORT_CODES, code, unread))


def decode_ticket(
    data: object, unread: Unread, *, base_url: str = DEFAULT_BASE_URL
) -> UploadTicket:
    """Read the URL for uploading a file. Source: POST /v1/contacts/imports/…/file; documented."""
    return UploadTicket(
        import_sn=decode_import_sn(data, unread),
        url=only(data, ("url",), partial(url, base_url=base_url), unread),
    )


def decode_lists(
    data: object, unread: Unread, *, wanted: Wanted | None = None, null_is_empty: bool = False
) -> tuple[ContactList, ...]:
    """Read a page of lists. Source: GET /v1/contacts/lists; documented, see T54 to T62.

    A row without a readable code is left out. If it can be the wanted one, it is an error, because
    the list would be created a second time. Null instead of a page is an error, unless it comes
    after the last page.
    """
    found = rows(data, _LIST_CODES[:1], wrapper="Lists", null_is_empty=null_is_empty)
    return tuple(
        ContactList(
            sn=ListSn(sn),
            name=fields.get(optional_name, "name") or "",
            subscribed_count=fields.get(count, "subscribedCnt"),
            excluded_count=fields.get(count, "excludeCnt"),
            opened_rate_percent=fields.get(number, "openedRate"),
            clicked_rate_percent=fields.get(number, "clickedRate"),
            status=fields.get(optional_text, "status") or "",
            type=fields.get(whole, "type"),
            created=fields.get(instant, "createDate"),
            updated=fields.get(instant, "updateDate"),
        )
        for sn, fields in _with_codes(found, _LIST_CODES[:1], _list_code, unread, wanted)
    )


def decode_sent_campaigns(
    data: object, unread: Unread, *, wanted: Wanted | None = None
) -> tuple[SentCampaign, ...]:
    """Read finished campaigns: an array, one campaign, or an object with one array (T101).

    A row without a readable code is left out. If it can be the wanted one, it is an error, because
    a program that misses a sent campaign sends it again.

    Source: GET /v1/report/campaigns; documented, ``sentStartAt`` is in the notes (T109).
    """
    found = rows(data, CAMPAIGN_CODES)
    return tuple(
        SentCampaign(
            sn=CampaignSn(sn),
            name=fields.get(optional_name, "name") or "",
            sent_begin=fields.get(instant, "sentBeginDate", "sentStartAt"),
            sent_end=fields.get(instant, "sentEndDate"),
        )
        for sn, fields in _with_codes(found, CAMPAIGN_CODES, code, unread, wanted)
    )


def _with_codes(
    found: Sequence[Row],
    names: Sequence[str],
    reader: Callable[[object, str], str],
    unread: Unread,
    wanted: Wanted | None,
) -> Iterator[tuple[str, Fields]]:
    """Yield the rows with a code.

    If no row has a code, or if the wanted row possibly has none, that is an error.
    """
    if wanted is not None and found and not any("name" in _as_fields(item) for _, item in found):
        # The name can be in another field, so "not found" would be a guess.
        raise WireError(f"{found[0][0]}.name", "is missing, and no other row has one")
    has_codes = not found
    for path, item in found:
        fields = Fields(path, _as_fields(item), unread)
        sn = fields.get(reader, *names)
        name = fields.data.get("name")
        is_doubtful = sn is None or not isinstance(name, str)
        if wanted is not None and is_doubtful and _may_be(name, wanted):
            raise WireError(path, "cannot be read, but is possibly the row that was searched for")
        if sn is not None:
            has_codes = True
            yield sn, fields
    if not has_codes:
        raise WireError(f"{found[0][0]}.{names[0]}", "is not a code, and no other row has one")


def _as_fields(item: object) -> Mapping[str, Any]:
    return item if isinstance(item, dict) else {}


def _may_be(name: object, wanted: Wanted) -> bool:
    """Return whether a name can be the wanted one; an unreadable name always can."""
    if is_blank(name):
        return False
    text = text_or_digits(name)
    return wanted(shown(text)) if isinstance(text, str) else True


def decode_import_result(
    data: object, unread: Unread, *, requested: ImportSn, base_url: str = DEFAULT_BASE_URL
) -> ImportResult:
    """Read the progress of an import.

    Args:
        data: The answer.
        unread: Collects unreadable fields.
        requested: The import; if the answer names another one, so does the result.
        base_url: The URL of the API.

    Source: GET /v1/contacts/imports/result/{import_sn}; documented, see T43 to T49.
    """
    named = requested
    for sn, path in values_in(data, _IMPORT_CODES, code, unread).items():
        if _bare(sn) != _bare(requested):
            named = ImportSn(sn)
            unread.note(WireError(path, "names another import than the requested one"))
    path, fields = _import_fields(data)
    status = _import_status(required_text(fields.get("status"), f"{path}.status"))
    given = Fields(path, fields, unread)
    result = ImportResult(
        import_sn=named,
        status=status,
        file_count=given.get(count, "fileCnt"),
        inserted=given.get(count, "insertCnt"),
        duplicates=given.get(count, "duplicateCnt"),
        errors=given.get(count, "errCnt"),
        created=given.get(instant, "createDate"),
        completed=given.get(instant, "completedDate"),
        error_url=given.get(partial(_error_url, base_url=base_url), "errorDownloadLink"),
    )
    has_link = not is_blank(fields.get("errorDownloadLink"))
    if status.is_success and result.errors is None and has_link and result.error_url is None:
        # Without the count, only the link shows that rows were rejected.
        raise WireError(
            f"{path}.errorDownloadLink",
            "cannot be used, and errCnt does not say how many rows it has",
        )
    return result


def _bare(sn: str) -> str:
    """Return the part of a UUID that identifies it, without case and hyphens."""
    return "".join(filter(str.isalnum, sn)).lower()


def _import_fields(data: object) -> tuple[str, Mapping[str, Any]]:
    """Return the object with the import's state; the status beside a wrapper is the request's."""
    found = [each for each in holders(data) if each[1].get("status") is not None]
    known = [each for each in found if _import_status(each[1]["status"]).is_known]
    if len({_import_status(fields["status"]) for _, fields in known}) > 1:
        raise WireError("$", f"has different states in {' and '.join(path for path, _ in known)}")
    path, chosen = (known or found or list(holders(data)))[-1]
    merged: dict[str, Any] = {}
    for _, fields in holders(data):
        merged |= fields
    return path, {**merged, **chosen}


def _import_status(data: object) -> ImportStatus:
    """Return the state without its label: the schema prints label and word together (T43)."""
    words = [each.strip() for each in str(data).split("=")]
    known = {each for each in map(ImportStatus, map(str.upper, words)) if each.is_known}
    if len(known) > 1:
        return ImportStatus(str(data))  # an unknown state, which never counts as success
    return known.pop() if known else ImportStatus(words[-1])


def _error_url(data: object, path: str, *, base_url: str) -> str | None:
    """Read the link to the rejected rows, which can be absent, null or empty (T49)."""
    return None if is_blank(data) else link(data, path, base_url)


def decode_links(
    data: object, unread: Unread, *, base_url: str = DEFAULT_BASE_URL
) -> tuple[ReportLink, ...]:
    """Read the links to report files; if none has a link, the report is not ready (T117).

    Source: GET /v1/report/{campaign_sn}/link; documented, see T114 to T116.
    """
    found = rows(
        # In the notes, the answer is only the URL.
        {"link": data} if isinstance(data, str) else data,
        ("link", "reportType"),
        wrapper="Reports",
        null_is_empty=True,
    )
    given = [Fields(path, item, unread) for path, item in found if isinstance(item, dict)]
    ready = [fields for fields in given if _has_link(fields)]
    untyped = itertools.count(1)
    return tuple(
        ReportLink(
            type=_report_type(fields.get(required_text, "reportType"), untyped),
            url=link(fields.data["link"], f"{fields.path}.link", base_url),
            created=fields.get(instant, "createdDate"),
        )
        for fields in ready
    )


def _has_link(fields: Fields) -> bool:
    """Return whether a row has its link; a URL in another field is an error, not "not ready"."""
    if not is_blank(fields.data.get("link")):
        return True
    for name, value in fields.data.items():
        if isinstance(value, str) and value.strip().lower().startswith(("https://", "http://")):
            raise WireError(f"{fields.path}.link", f"is missing, but {shown_name(name)} has a URL")
    return False


def _report_type(word: str | None, untyped: Iterator[int]) -> ReportType:
    """Return the type; each file without one gets its own: only the newest of a type counts."""
    if word is not None:
        return ReportType(word)
    number = next(untyped)
    return ReportType("unknown" if number == 1 else f"unknown-{number}")
