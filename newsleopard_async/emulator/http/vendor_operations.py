"""The later endpoints, which only the vendor's notes have (T18)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from newsleopard_async.emulator.http.messages import ApiRequest, Reply, empty_reply, json_reply
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.fields import FieldCheck, Refused
from newsleopard_async.emulator.platform.mailings import Campaign
from newsleopard_async.emulator.platform.metrics import metrics_rows
from newsleopard_async.emulator.platform.notation import as_code, as_count, as_date
from newsleopard_async.emulator.switches import Switches

__all__ = ["ENDPOINTS"]


SEND_TIMES: Final = ("NOW", "SCHEDULED")
KINDS: Final = ("REGULAR", "A_B_TEST")
"""The names in the vendor's notes. The vendor's command line reads their indexes (T125)."""


def get_balance(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer GET /v1/balance (T135)."""
    del request, now
    on = account.board.on
    mails = max(0, account.campaigns.balance)
    return json_reply({"email": as_count(mails, on), "sms": as_count(0, on)})


def get_status(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer GET /v1/campaign/normal/{campaign_sn}, for A/B tests, too (T124 to T126)."""
    campaign = account.campaigns.find(request.path["campaign_sn"])
    if campaign is None:
        return _unknown_campaign(account.board.on)
    return json_reply(_status(campaign, account.board.on, now))


def pause_campaign(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer PATCH /v1/campaign/normal/{campaign_sn}, for A/B tests, too (T126, T129)."""
    campaign = account.campaigns.find(request.path["campaign_sn"])
    if campaign is None:
        return _unknown_campaign(account.board.on)
    account.campaigns.pause(campaign, now)
    return empty_reply(204)


def delete_campaigns(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer DELETE /v1/campaign/normal (T127, T128)."""
    on = account.board.on
    check = FieldCheck(on)
    body = check.body(request.body)
    check.refuse_unknown(body, "", {"campaignSnList"})
    sns = check.codes(body, "", "campaignSnList")
    check.finish()
    outcome: dict[str, list[str | int]] = {"success": [], "sendingCampaign": [], "badCampaigns": []}
    for sn in dict.fromkeys(sns):
        campaign = account.campaigns.find(sn)
        if campaign is None:
            name = "badCampaigns"
        else:
            was_deleted = account.campaigns.delete(campaign, now)
            name = "success" if was_deleted else "sendingCampaign"
        outcome[name].append(as_code(sn, on))
    if on.delete_forgets_one:
        forgotten = as_code(sns[-1], on)
        outcome = {name: [sn for sn in found if sn != forgotten] for name, found in outcome.items()}
    return json_reply(outcome)


def get_metrics(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer POST /v1/report/campaigns/metrics (T130, T131)."""
    on = account.board.on
    check = FieldCheck(on)
    body = check.body(request.body)
    check.refuse_unknown(body, "", {"campaignSns"})
    sns = check.codes(body, "", "campaignSns")
    check.finish()
    found = [account.campaigns.find(sn) for sn in dict.fromkeys(sns)]
    if None in found and on.unknown_metrics == "400":
        raise Refused(40007)
    rows = [row for item in found if item for row in metrics_rows(item, on, now)]
    return json_reply({"Metrics": rows} if on.metrics_shape == "wrapper" else rows)


def _unknown_campaign(on: Switches) -> Reply:
    if on.unknown_campaign == "40007":
        raise Refused(40007)
    return empty_reply(404)


def _status(campaign: Campaign, on: Switches, now: datetime) -> dict[str, object]:
    body = campaign.body
    is_test = body.testing_on is not None
    return {
        "sn": as_code(campaign.sn, on),
        "name": campaign.name,
        "hasContent": [True for _ in body.variants],
        "status": campaign.state(now),
        "channel": 0,
        "sendTimeType": _named(body.is_scheduled, SEND_TIMES, on),
        "type": _named(is_test, KINDS, on),
        "proportion": body.proportion if is_test else None,
        "scheduledDate": as_date(campaign.begins if body.is_scheduled else None, on, digits=3),
        "sentBeginDate": as_date(campaign.sent_begin, on, digits=3),
        "sentEndDate": as_date(campaign.ended(now), on, digits=2),
        "updateDate": as_date(campaign.updated(now), on),
    }


def _named(number: int, names: Sequence[str], on: Switches) -> str | int:
    """Return the name at an index of a table, or the index itself (T125)."""
    return names[number] if on.status_form == "text" else int(number)


def submit_once(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer POST /v1/campaign/normal/once (T122)."""
    return _reserve(account, request, is_test=False, now=now)


def submit_ab_test_once(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer POST /v1/campaign/testing/once (T122)."""
    return _reserve(account, request, is_test=True, now=now)


def _reserve(account: Account, request: ApiRequest, *, is_test: bool, now: datetime) -> Reply:
    campaign = account.campaigns.reserve(request.body, is_test=is_test, now=now)
    sn = as_code(campaign.sn, account.board.on)
    return json_reply({"sn": sn, "url": account.once.upload_url(campaign, now)})


def remove_contacts(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer DELETE /v1/contacts/{list_sn}; the contacts are removed before the answer (T63)."""
    account.removals.remove(request.body, request.path["list_sn"], now)
    return json_reply({})


def list_templates(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer GET /v1/templates (T132)."""
    del request, now
    return json_reply(account.templates.as_list())


def get_template(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer GET /v1/templates/{id} (T132)."""
    del now
    return json_reply(account.templates.as_json(request.path["id"]))


def send_event(account: Account, request: ApiRequest, now: datetime) -> Reply:
    """Answer POST /v1/automation/event (T133, T134)."""
    taken, refused = account.automation.send(request.body, now)
    return json_reply({"success": taken, "failure": refused})


ENDPOINTS: Final[Mapping[str, Callable[[Account, ApiRequest, datetime], Reply]]] = {
    endpoint.__name__: endpoint
    for endpoint in (
        get_balance,
        get_status,
        pause_campaign,
        delete_campaigns,
        get_metrics,
        submit_once,
        submit_ab_test_once,
        remove_contacts,
        list_templates,
        get_template,
        send_event,
    )
}
"""The endpoint of each operation."""
