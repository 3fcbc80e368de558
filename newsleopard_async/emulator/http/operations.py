"""The twelve documented endpoints: each takes a request and returns the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from newsleopard_async.emulator.http import vendor_operations
from newsleopard_async.emulator.http.messages import (
    ApiRequest,
    Reply,
    empty_reply,
    json_reply,
    refusal_reply,
)
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.addressbook import ContactList
from newsleopard_async.emulator.platform.blobs import BlobWriter
from newsleopard_async.emulator.platform.fields import FieldCheck, Refused
from newsleopard_async.emulator.platform.gateway import READS
from newsleopard_async.emulator.platform.mailings import Campaign
from newsleopard_async.emulator.platform.notation import (
    as_code,
    as_count,
    as_date,
    parse_instant,
)
from newsleopard_async.emulator.platform.reports import invalid_state
from newsleopard_async.emulator.switches import Switches

__all__ = ["ENDPOINTS", "answer"]

LATEST_CAMPAIGNS: Final = 10
"""Source: the documentation, 預設回傳最近10筆 (T102)."""

MAX_DIGITS: Final = 9
"""Chosen: page and size up to a billion, so that no product of them becomes huge."""

Endpoint = Callable[[Account, ApiRequest, datetime], Reply]


def answer(operation: str, account: Account, request: ApiRequest) -> Reply:
    """Answer a request at the clock's present."""
    held = account.lock if operation in READS else account.changing()
    with held, account.storage.at(request.storage_url):
        now = account.present()
        try:
            if request.headers.get("content-type", "").lower().startswith("multipart/"):
                return empty_reply(415)
            return ENDPOINTS[operation](account, request, now)
        except Refused as refused:
            return refusal_reply(refused, account.board.on)


def list_campaigns(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer GET /v1/report/campaigns (T101 to T108)."""
    on = account.board.on
    span = _read_span(request.query, refuse_bad=on.bad_dates_are_40020)
    done = account.campaigns.complete(now)
    if span is None:
        done = done[:LATEST_CAMPAIGNS]
    else:
        done = [item for item in done if span[0] <= _begin_of(item) <= span[1]]
    rows = [_sent_campaign(item, on) for item in done]
    if on.campaigns_shape == "wrapper":
        return json_reply({"Campaigns": rows})
    if on.campaigns_shape == "object" and rows:
        return json_reply(rows[0])
    return json_reply(rows)


def _read_span(query: Mapping[str, str], *, refuse_bad: bool) -> tuple[datetime, datetime] | None:
    texts = [query.get(name, "") for name in ("startDate", "endDate")]
    instants = [parse_instant(text) for text in texts]
    if instants[0] is not None and instants[1] is not None and instants[0] <= instants[1]:
        return instants[0], instants[1]
    if refuse_bad and all(texts):
        raise Refused(40020)
    return None


def _begin_of(campaign: Campaign) -> datetime:
    return campaign.sent_begin or campaign.begins


def _sent_campaign(campaign: Campaign, on: Switches) -> dict[str, object]:
    return {
        "sn": as_code(campaign.sn, on),
        "name": campaign.name,
        on.sent_begin_field: as_date(_begin_of(campaign), on, digits=3),
        "sentEndDate": as_date(campaign.sent_end, on, digits=2),
    }


def export_report(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer POST /v1/report/{campaign_sn}/export."""
    campaign = _reportable(account, request, now)
    url = _read_webhook(account, request)
    if account.reports.is_too_many(now):
        return json_reply(
            {"message": account.board.on.second_limit_message},
            status=account.board.on.limit_status,
        )
    account.reports.export(campaign, url, now)
    if account.board.on.export_returns_sn:
        on = account.board.on
        return json_reply({"export_sn": as_code(account.codes.import_sn(), on)})
    return empty_reply(200)


def get_links(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer GET /v1/report/{campaign_sn}/link (T04, T114 to T118)."""
    campaign = _reportable(account, request, now)
    before = account.board.on.links_before_report
    if before == "empty" or any(account.reports.files(campaign, now)):
        return json_reply(account.reports.as_json(campaign, now))
    if before == "refused":
        raise invalid_state()
    return json_reply(None) if before == "null" else empty_reply(int(before))


def _reportable(account: Account, request: ApiRequest, now: datetime) -> Campaign:
    campaign = account.campaigns.find(request.path["campaign_sn"])
    if campaign is None:
        raise invalid_state()
    if account.board.on.unfinished_is_40303 and campaign.state(now) != "COMPLETE":
        raise invalid_state()
    return campaign


def start_file_import(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer POST /v1/contacts/imports[/{list_sn}]/file."""
    url = _read_webhook(account, request)
    list_sn = request.path.get("list_sn")
    if list_sn is not None and list_sn not in account.book.lists:
        return empty_reply(500)
    job = account.imports.create(list_sn, url, now)
    sn = as_code(job.sn, account.board.on)
    return json_reply({"import_sn": sn, "url": account.imports.upload_url(job, now)})


def import_text(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer POST /v1/contacts/imports[/{list_sn}]/text."""
    on = account.board.on
    list_sn = request.path.get("list_sn")
    if list_sn is not None and on.missing_accept_is_500 and "accept" not in request.headers:
        return empty_reply(500)
    if len(request.body) > on.text_import_max_bytes:
        raise Refused(on.text_import_too_large_code)
    check = FieldCheck(on)
    body = check.body(request.body)
    check.refuse_unknown(body, "", {"contacts"})
    contacts = check.text(body, "", "contacts")
    check.finish()
    if list_sn is not None and list_sn not in account.book.lists:
        return empty_reply(500)
    job = account.imports.create(list_sn, None, now)
    account.imports.upload(job, BlobWriter.of(contacts.encode()), now)
    return json_reply({"import_sn": as_code(job.sn, on)})


def get_import(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer GET /v1/contacts/imports/result/{import_sn} (T50)."""
    found = account.imports.as_json(request.path["import_sn"], now)
    if found is not None:
        return json_reply(found)
    unknown = account.board.on.unknown_import
    if unknown == "40007":
        raise Refused(40007)
    return empty_reply(int(unknown))


def create_list(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer POST /v1/contacts/lists/insert."""
    check = FieldCheck(account.board.on)
    body = check.body(request.body)
    check.refuse_unknown(body, "", {"name"})
    name = check.text(body, "", "name")
    check.finish()
    made = account.book.create_list(account.codes.sn(), name, now)
    return json_reply({"sn": as_code(made.sn, account.board.on)})


def list_lists(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer GET /v1/contacts/lists, the newest first (T54 to T62)."""
    on = account.board.on
    check = FieldCheck(on)
    size = _read_digits(check, request.query, "size", default=on.default_page_size, low=1)
    lowest = on.first_page if on.page_before_first == "refused" else 0
    page = _read_digits(check, request.query, "page", default=on.first_page, low=lowest)
    check.finish()
    delay = timedelta(seconds=on.list_delay_s)
    shown = [item for item in account.book.lists.values() if now - item.created >= delay][::-1]
    size = min(size, on.most_lists_on_page or size)
    filling = account.imports.filling()
    lists = _page_of(shown, page, size=size, on=on)
    rows = [_list_row(account, item, now, is_filling=item.sn in filling) for item in lists]
    if on.lists_as_array:
        return json_reply(rows)
    if on.lists_wrapper is None:
        return json_reply({"Lists": rows})
    info = {"page": page, "size": size, "total": len(shown)}
    return json_reply({on.lists_wrapper: rows, "pageInfo": info})


def _page_of(
    lists: Sequence[ContactList], page: int, *, size: int, on: Switches
) -> Sequence[ContactList]:
    """Return one page; a switch sets the answer for a page before the first (T58)."""
    if page < on.first_page and on.page_before_first == "empty":
        return ()
    place = max(0, page - on.first_page)
    return lists[place * size : (place + 1) * size]


def _read_digits(
    check: FieldCheck, query: Mapping[str, str], name: str, *, default: int, low: int
) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS and int(text) >= low):
        check.refuse(name, "InvalidNumber")
        return default
    return int(text)


def _list_row(
    account: Account, item: ContactList, now: datetime, *, is_filling: bool
) -> dict[str, Any]:
    on = account.board.on
    subscribed, excluded = account.book.count(item.sn, now)
    opened, clicked = _rates(account, item.sn, now)
    row = {
        "clickedRate": clicked,
        "createDate": as_date(item.created, on),
        "excludeCnt": as_count(excluded, on),
        "name": item.name,
        "openedRate": opened,
        "sn": as_code(item.sn, on),
        "status": "PROCESSING" if is_filling else "GENERAL",
        "subscribedCnt": as_count(subscribed, on, printed_as_text=True),
        "type": 1 if item.is_segment else 0,
        "updateDate": as_date(item.updated, on),
    }
    return {**row, "segVersion": -1} if on.lists_as_array else row


def _rates(account: Account, list_sn: str, now: datetime) -> tuple[float, float]:
    """Return the percentages of opened and of clicked mails of the campaigns to a list (T61)."""
    sent = [item for item in account.campaigns.all.values() if list_sn in item.body.selected]
    delivered = sum(item.count("delivery", now) for item in sent)
    if not delivered:
        return 0, 0
    opened = sum(item.count("open", now) for item in sent)
    clicked = sum(item.count("click", now) for item in sent)
    return round(100 * opened / delivered, 4), round(100 * clicked / delivered, 4)


def submit_campaign(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer POST /v1/campaign/normal/submit."""
    return _submit(account, request, is_test=False, now=now)


def submit_ab_test(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer POST /v1/campaign/testing/submit."""
    return _submit(account, request, is_test=True, now=now)


def _submit(account: Account, request: ApiRequest, *, is_test: bool, now: datetime) -> Reply:
    on = account.board.on
    sn = as_code(account.campaigns.submit(request.body, is_test=is_test, now=now).sn, on)
    shapes: dict[str, object] = {"campaignSn": {"campaignSn": sn}, "data": {"data": {"sn": sn}}}
    return json_reply(shapes.get(on.submit_shape, {"sn": sn}))


def _read_webhook(account: Account, request: ApiRequest) -> str | None:
    check = FieldCheck(account.board.on)
    body = check.body(request.body, may_be_absent=True)
    check.refuse_unknown(body, "", {"webhookUrl"})
    url = check.webhook_url(body)
    check.finish()
    return url


ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    **{
        endpoint.__name__: endpoint
        for endpoint in (
            list_campaigns,
            export_report,
            get_links,
            start_file_import,
            import_text,
            get_import,
            create_list,
            list_lists,
            submit_campaign,
            submit_ab_test,
        )
    },
    **vendor_operations.ENDPOINTS,
}
"""The endpoint of each operation."""
