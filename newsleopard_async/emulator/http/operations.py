"""The twelve endpoints: a request that passed the gateway in, an answer out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from newsleopard_async.emulator.http.messages import Call, Reply, empty, json_reply, refusal
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.addressbook import ContactList
from newsleopard_async.emulator.platform.blobs import BlobWriter
from newsleopard_async.emulator.platform.campaigns import Campaign
from newsleopard_async.emulator.platform.fields import FieldCheck, Refused
from newsleopard_async.emulator.platform.notation import (
    as_centis,
    as_millis,
    as_seconds,
    parse_instant,
)
from newsleopard_async.emulator.platform.reports import invalid_state

__all__ = ["ENDPOINTS", "answer"]

LATEST_CAMPAIGNS: Final = 10
MAX_DIGITS: Final = 9

Endpoint = Callable[[Account, Call, datetime], Reply]


def answer(operation: str, account: Account, call: Call) -> Reply:
    """Answer a request at the clock's present."""
    with account.lock:
        now = account.settle()
        try:
            if call.headers.get("content-type", "").lower().startswith("multipart/"):
                return empty(415)
            return ENDPOINTS[operation](account, call, now)
        except Refused as refused:
            return refusal(refused, account.board.on)


def list_campaigns(account: Account, call: Call, now: datetime) -> Reply:
    """Answer GET /v1/report/campaigns (T101 to T108)."""
    on = account.board.on
    span = _read_span(call.query, refuse_bad=on.bad_dates_are_40020)
    done = account.campaigns.complete(now)
    if span is None:
        done = done[:LATEST_CAMPAIGNS]
    else:
        done = [item for item in done if span[0] <= _begin_of(item) <= span[1]]
    rows = [_sent_campaign(item) for item in done]
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


def _sent_campaign(campaign: Campaign) -> dict[str, object]:
    assert campaign.sent_end is not None  # only complete ones are listed
    return {
        "sn": campaign.sn,
        "name": campaign.name,
        "sentBeginDate": as_millis(_begin_of(campaign)),
        "sentEndDate": as_centis(campaign.sent_end),
    }


def export_report(account: Account, call: Call, now: datetime) -> Reply:
    """Answer POST /v1/report/{campaign_sn}/export."""
    campaign = _reportable(account, call, now)
    url = _read_webhook(account, call)
    if account.reports.is_too_many(now):
        return json_reply(
            {"message": account.board.on.second_limit_message},
            status=account.board.on.limit_status,
        )
    account.reports.export(campaign, url, now)
    if account.board.on.export_returns_sn:
        return json_reply({"export_sn": account.codes.import_sn()})
    return empty(200)


def get_links(account: Account, call: Call, now: datetime) -> Reply:
    """Answer GET /v1/report/{campaign_sn}/link."""
    return json_reply(account.reports.as_json(_reportable(account, call, now), now))


def _reportable(account: Account, call: Call, now: datetime) -> Campaign:
    campaign = account.campaigns.all.get(call.path["campaign_sn"])
    if campaign is None:
        raise invalid_state()
    if account.board.on.unfinished_is_40303 and campaign.state(now) != "COMPLETE":
        raise invalid_state()
    return campaign


def start_file_import(account: Account, call: Call, now: datetime) -> Reply:
    """Answer POST /v1/contacts/imports[/{list_sn}]/file."""
    url = _read_webhook(account, call)
    list_sn = call.path.get("list_sn")
    if list_sn is not None and list_sn not in account.book.lists:
        return empty(500)
    job = account.imports.create(list_sn, url, now)
    return json_reply({"import_sn": job.sn, "url": account.imports.upload_url(job, now)})


def import_text(account: Account, call: Call, now: datetime) -> Reply:
    """Answer POST /v1/contacts/imports[/{list_sn}]/text."""
    on = account.board.on
    list_sn = call.path.get("list_sn")
    if list_sn is not None and on.missing_accept_is_500 and "accept" not in call.headers:
        return empty(500)
    if len(call.body) > on.text_import_max_bytes:
        raise Refused(on.text_import_too_large_code)
    check = FieldCheck(on)
    body = check.body(call.body)
    check.known(body, "", {"contacts"})
    contacts = check.text(body, "", "contacts")
    check.finish()
    if list_sn is not None and list_sn not in account.book.lists:
        return empty(500)
    job = account.imports.create(list_sn, None, now)
    account.imports.upload(job, BlobWriter.of(contacts.encode()), now)
    return json_reply({"import_sn": job.sn})


def get_import(account: Account, call: Call, now: datetime) -> Reply:
    """Answer GET /v1/contacts/imports/result/{import_sn}."""
    found = account.imports.as_json(call.path["import_sn"], now)
    return empty(400) if found is None else json_reply(found)


def create_list(account: Account, call: Call, now: datetime) -> Reply:
    """Answer POST /v1/contacts/lists/insert."""
    check = FieldCheck(account.board.on)
    body = check.body(call.body)
    check.known(body, "", {"name"})
    name = check.text(body, "", "name")
    check.finish()
    made = account.book.create_list(account.codes.sn(), name, now)
    return json_reply({"sn": made.sn})


def list_lists(account: Account, call: Call, now: datetime) -> Reply:
    """Answer GET /v1/contacts/lists: newest first, pages from 0 (T54 to T62)."""
    on = account.board.on
    check = FieldCheck(on)
    size = _read_digits(check, call.query, "size", default=on.default_page_size, low=1)
    page = _read_digits(check, call.query, "page", default=0, low=0)
    check.finish()
    newest_first = list(account.book.lists.values())[::-1]
    rows = [_list_row(account, item, now) for item in newest_first[page * size : (page + 1) * size]]
    return json_reply(rows if on.lists_as_array else {"Lists": rows})


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


def _list_row(account: Account, item: ContactList, now: datetime) -> dict[str, Any]:
    on = account.board.on
    subscribed, excluded = account.book.count(item.sn, now)
    opened, clicked = _rates(account, item.sn, now)
    row = {
        "clickedRate": clicked,
        "createDate": as_seconds(item.created),
        "excludeCnt": excluded,
        "name": item.name,
        "openedRate": opened,
        "sn": item.sn,
        "status": "PROCESSING" if account.imports.is_filling(item.sn) else "GENERAL",
        "subscribedCnt": subscribed if on.counts_as_numbers else str(subscribed),
        "type": 0,
        "updateDate": as_seconds(item.updated),
    }
    return {**row, "segVersion": -1} if on.lists_as_array else row


def _rates(account: Account, list_sn: str, now: datetime) -> tuple[float, float]:
    """Return the share of opened and clicked mails of campaigns to a list, percent (T61)."""
    sent = [item for item in account.campaigns.all.values() if list_sn in item.body.selected]
    delivered = sum(item.count("delivery", now) for item in sent)
    if not delivered:
        return 0, 0
    opened = sum(item.count("open", now) for item in sent)
    clicked = sum(item.count("click", now) for item in sent)
    return round(100 * opened / delivered, 4), round(100 * clicked / delivered, 4)


def submit_campaign(account: Account, call: Call, now: datetime) -> Reply:
    """Answer POST /v1/campaign/normal/submit."""
    return json_reply({"sn": account.campaigns.submit(call.body, is_test=False, now=now).sn})


def submit_ab_test(account: Account, call: Call, now: datetime) -> Reply:
    """Answer POST /v1/campaign/testing/submit."""
    return json_reply({"sn": account.campaigns.submit(call.body, is_test=True, now=now).sn})


def _read_webhook(account: Account, call: Call) -> str | None:
    check = FieldCheck(account.board.on)
    body = check.body(call.body, may_be_absent=True)
    check.known(body, "", {"webhookUrl"})
    url = check.webhook_url(body)
    check.finish()
    return url


ENDPOINTS: Final[Mapping[str, Endpoint]] = {
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
}
"""What answers each operation."""
