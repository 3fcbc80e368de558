"""Answers to requests that succeeded, read into models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from newsleopard_async.models.codes import CampaignSn, ImportSn, ListSn
from newsleopard_async.models.contacts import ContactList, ImportResult, ImportStatus, UploadTicket
from newsleopard_async.models.reports import ReportLink, ReportType, SentCampaign
from newsleopard_async.transport.settings import DEFAULT_BASE_URL
from newsleopard_async.transport.wire.values import (
    WireError,
    code,
    count,
    entries,
    instant,
    link,
    number,
    object_,
    optional_text,
    required_text,
    url,
)

__all__ = [
    "decode_campaign_sn",
    "decode_import_result",
    "decode_import_sn",
    "decode_links",
    "decode_list_sn",
    "decode_lists",
    "decode_sent_campaigns",
    "decode_ticket",
]


def decode_list_sn(data: object) -> ListSn:
    """Read the code of a new list. Source: POST /v1/contacts/lists/insert; documented."""
    return ListSn(code(object_(data, "$").get("sn"), "$.sn", reserved=True))


def decode_campaign_sn(data: object) -> CampaignSn:
    """Read the code of an accepted campaign. Source: POST /v1/campaign/…/submit; documented.

    It was accepted whatever its code looks like: a strange one must raise no doubt about that.
    """
    return CampaignSn(required_text(object_(data, "$").get("sn"), "$.sn"))


def decode_import_sn(data: object) -> ImportSn:
    """Read the code of an import. Source: POST /v1/contacts/imports/…/text; documented."""
    fields = object_(data, "$")
    # Snake case among camelCase; the vendor's command line expects the latter (T42).
    name = "import_sn" if "import_sn" in fields else "importSn"
    return ImportSn(code(fields.get(name), "$.import_sn"))


def decode_ticket(data: object, base_url: str = DEFAULT_BASE_URL) -> UploadTicket:
    """Read where to upload a file. Source: POST /v1/contacts/imports/…/file; documented."""
    return UploadTicket(
        import_sn=decode_import_sn(data), url=url(object_(data, "$").get("url"), "$.url", base_url)
    )


def decode_lists(data: object) -> tuple[ContactList, ...]:
    """Read a page of lists. Source: GET /v1/contacts/lists; documented, see T54 to T62."""
    return tuple(_contact_list(fields, path) for path, fields in entries(data, "Lists"))


def _contact_list(fields: Mapping[str, Any], path: str) -> ContactList:
    return ContactList(
        sn=ListSn(code(fields.get("sn"), f"{path}.sn", reserved=True)),
        name=optional_text(fields.get("name"), f"{path}.name"),
        subscribed_count=count(fields.get("subscribedCnt"), f"{path}.subscribedCnt"),
        excluded_count=count(fields.get("excludeCnt"), f"{path}.excludeCnt"),
        opened_rate_percent=number(fields.get("openedRate"), f"{path}.openedRate"),
        clicked_rate_percent=number(fields.get("clickedRate"), f"{path}.clickedRate"),
        status=optional_text(fields.get("status"), f"{path}.status"),
        type=count(fields.get("type"), f"{path}.type"),
        created=instant(fields.get("createDate"), f"{path}.createDate"),
        updated=instant(fields.get("updateDate"), f"{path}.updateDate"),
    )


def decode_import_result(data: object, base_url: str = DEFAULT_BASE_URL) -> ImportResult:
    """Read how far an import is.

    Source: GET /v1/contacts/imports/result/{import_sn}; documented, see T43 to T49.
    """
    fields = object_(data, "$")
    return ImportResult(
        import_sn=decode_import_sn(fields),
        status=_import_status(required_text(fields.get("status"), "$.status")),
        file_count=_rows(fields.get("fileCnt"), "$.fileCnt"),
        inserted=_rows(fields.get("insertCnt"), "$.insertCnt"),
        duplicates=_rows(fields.get("duplicateCnt"), "$.duplicateCnt"),
        errors=_rows(fields.get("errCnt"), "$.errCnt"),
        created=instant(fields.get("createDate"), "$.createDate"),
        completed=instant(fields.get("completedDate"), "$.completedDate"),
        error_url=_error_url(fields.get("errorDownloadLink"), base_url),
    )


def _rows(data: object, path: str) -> int | None:
    """Return a number of rows; one below 0 counts nothing, and is unknown (T46)."""
    rows = count(data, path)
    return None if rows is None or rows < 0 else rows


def _import_status(text: str) -> ImportStatus:
    """Take the bare word: the schema prints label and word together (T43)."""
    return ImportStatus(text.rpartition("=")[2].strip())


def _error_url(data: object, base_url: str) -> str | None:
    """Read the link to the rejected rows, which may be absent, null or empty (T49)."""
    return None if data is None or data == "" else url(data, "$.errorDownloadLink", base_url)


def decode_sent_campaigns(data: object) -> tuple[SentCampaign, ...]:
    """Read finished campaigns: an array, one campaign, or an object with one array (T101).

    Source: GET /v1/report/campaigns; documented.
    """
    if not isinstance(data, dict):
        found = entries(data, "")
    elif "sn" in data:
        found = [("$", data)]
    else:
        found = entries(data, _only_array(data))
    return tuple(_sent_campaign(fields, path) for path, fields in found)


def _only_array(fields: Mapping[str, Any]) -> str:
    arrays = [name for name, value in fields.items() if isinstance(value, list)]
    if len(arrays) != 1:
        raise WireError("$", f"has no sn, and {len(arrays)} arrays where one was expected")
    return arrays[0]


def _sent_campaign(fields: Mapping[str, Any], path: str) -> SentCampaign:
    return SentCampaign(
        sn=CampaignSn(code(fields.get("sn"), f"{path}.sn")),
        name=optional_text(fields.get("name"), f"{path}.name"),
        sent_begin=instant(fields.get("sentBeginDate"), f"{path}.sentBeginDate"),
        sent_end=instant(fields.get("sentEndDate"), f"{path}.sentEndDate"),
    )


def decode_links(data: object, base_url: str = DEFAULT_BASE_URL) -> tuple[ReportLink, ...]:
    """Read the links to report files; none at all means "not ready" (T117).

    Source: GET /v1/report/{campaign_sn}/link; documented, see T114 to T116.
    """
    return tuple(_report_link(fields, path, base_url) for path, fields in entries(data, "Reports"))


def _report_link(fields: Mapping[str, Any], path: str, base_url: str) -> ReportLink:
    return ReportLink(
        type=ReportType(required_text(fields.get("reportType"), f"{path}.reportType")),
        url=link(fields.get("link"), f"{path}.link", base_url),
        created=instant(fields.get("createdDate"), f"{path}.createdDate"),
    )
