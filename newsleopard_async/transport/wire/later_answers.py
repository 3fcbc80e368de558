"""Answers of the eleven endpoints of the vendor's notes, read into models.

The notes describe fields and no containers, and the vendor's own command line has other forms. Some
fields decide the next step and are required: the code and the URL of an upload, the state of a
campaign, both lists of an event. Every other field is read if possible, and is unknown otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

from newsleopard_async.models.account import Balance, Template
from newsleopard_async.models.automation import EventOutcome
from newsleopard_async.models.campaign_status import (
    CampaignState,
    CampaignStatus,
    DeleteOutcome,
    OnceTicket,
)
from newsleopard_async.models.codes import CampaignSn
from newsleopard_async.models.metrics import CampaignMetrics
from newsleopard_async.transport.settings import DEFAULT_BASE_URL
from newsleopard_async.transport.wire.answers import CAMPAIGN_CODES, Fields, decode_campaign_sn
from newsleopard_async.transport.wire.containers import holders, only, rows, values_in
from newsleopard_async.transport.wire.values import (
    Unread,
    WireError,
    code,
    count,
    instant,
    is_blank,
    number,
    object_,
    optional_name,
    optional_text,
    required_text,
    url,
)

__all__ = [
    "decode_balance",
    "decode_deleted",
    "decode_event",
    "decode_metrics",
    "decode_once_ticket",
    "decode_status",
    "decode_template",
    "decode_templates",
]

_TEMPLATE_CODES: Final = ("id", "sn", "templateId", "templateSn")
_TEMPLATE_HTML: Final = ("html", "htmlContent", "content")
"""The name of the vendor's command line first, then the names that the notes and other endpoints
use (T132)."""

_BALANCES: Final = {"email", "sms"}

_CHANNELS: Final = {0: "MAIL", 1: "SMS"}
_SEND_TIMES: Final = {0: "NOW", 1: "SCHEDULED"}
_KINDS: Final = {0: "REGULAR", 1: "A_B_TEST"}
"""The numbers of the vendor's command line and of the notes (T125)."""


def decode_balance(data: object, unread: Unread) -> Balance:
    """Read the balance; a number without an object is that of mails (T135).

    Source: GET /v1/balance; notes 2026.
    """
    if not isinstance(data, dict):
        return Balance(mails=count(data, "$"))
    path, found = next((each for each in holders(data) if each[1].keys() & _BALANCES), ("$", {}))
    if not found:
        unread.note(WireError("$", "has neither email nor sms"))
    fields = Fields(path, found, unread)
    return Balance(mails=fields.get(count, "email"), sms=fields.get(count, "sms"))


def decode_status(data: object, unread: Unread, *, requested: CampaignSn) -> CampaignStatus:
    """Read the state of a campaign.

    Args:
        data: The answer.
        unread: Collects unreadable fields.
        requested: The campaign; if the answer names another one, so does the model.

    Source: GET /v1/campaign/normal/{campaign_sn}; notes 2026, see T124 and T125.
    """
    named = requested
    for sn, path in values_in(data, CAMPAIGN_CODES, code, unread).items():
        if sn != requested:
            named = CampaignSn(sn)
            unread.note(WireError(path, "names another campaign than the requested one"))
    path, found = _with_state(data)
    fields = Fields(path, found, unread)
    return CampaignStatus(
        sn=named,
        state=CampaignState(required_text(found.get("status"), f"{path}.status").strip().upper()),
        name=fields.get(optional_name, "name") or "",
        channel=fields.get(partial(_word, words=_CHANNELS), "channel"),
        send_time=fields.get(partial(_word, words=_SEND_TIMES), "sendTimeType"),
        kind=fields.get(partial(_word, words=_KINDS), "type"),
        proportion=fields.get(count, "proportion"),
        scheduled=fields.get(instant, "scheduledDate", "scheduleDate"),
        sent_begin=fields.get(instant, "sentBeginDate", "sentStartAt"),
        sent_end=fields.get(instant, "sentEndDate", "sentEndAt"),
        updated=fields.get(instant, "updateDate"),
        has_content=fields.get(_flags, "hasContent"),
    )


def _with_state(data: object) -> tuple[str, Mapping[str, Any]]:
    """Return the object that has the state, which can be wrapped."""
    found = list(holders(data))
    having = [each for each in found if isinstance(each[1].get("status"), str)]
    # The status beside a wrapper is that of the request.
    return (having or found)[-1]


def _word(data: object, path: str, *, words: Mapping[int, str]) -> str | None:
    """Read a word that can be sent as a number, or as a number in text."""
    if is_blank(data):
        return None
    if isinstance(data, str) and not data.strip().isdecimal():
        return required_text(data, path).strip().upper()
    found = count(data, path)
    return None if found is None else words.get(found, str(found))


def _flags(data: object, path: str) -> tuple[bool, ...] | None:
    """Read one flag per version; a campaign without a test has one version."""
    if data is None:
        return None
    flags = data if isinstance(data, list) else [data]
    if not all(isinstance(each, bool) for each in flags):
        raise WireError(path, "is not an array of flags")
    return tuple(flags)


def decode_deleted(
    data: object, unread: Unread, *, requested: Sequence[CampaignSn]
) -> DeleteOutcome:
    """Read the outcome for each campaign; a code in two lists counts as not deleted (T128).

    Args:
        data: The answer.
        unread: Collects unreadable fields.
        requested: The campaigns to delete.

    Source: DELETE /v1/campaign/normal; notes 2026.
    """
    named = {name: _codes_in(data, name, unread) for name in _FATES}
    where: dict[str, str] = {}
    for name in _FATES:
        where |= dict.fromkeys(named[name], name)
    fates = {name: tuple(sn for sn in requested if where.get(sn) == name) for name in _FATES}
    return DeleteOutcome(
        deleted=fates["success"],
        still_sending=fates["sendingCampaign"],
        refused=fates["badCampaigns"],
        unmentioned=tuple(sn for sn in requested if sn not in where),
    )


_FATES: Final = ("success", "badCampaigns", "sendingCampaign")


def _codes_in(data: object, name: str, unread: Unread) -> Iterator[str]:
    """Yield the codes of an array; the notes do not describe its items."""
    for path, fields in holders(data):
        items = fields.get(name)
        if items is not None and not isinstance(items, list):
            unread.note(WireError(f"{path}.{name}", "is not an array"))
            continue
        for index, item in enumerate(items or ()):
            found = unread.read(_item_code, item, f"{path}.{name}[{index}]")
            if found is not None:
                yield found


def _item_code(data: object, path: str) -> str:
    if isinstance(data, dict):
        data = next((data[each] for each in CAMPAIGN_CODES if each in data), None)
    return code(data, path)


def decode_once_ticket(
    data: object, unread: Unread, *, base_url: str = DEFAULT_BASE_URL
) -> OnceTicket:
    """Read the URL for uploading the recipients; without it nothing can be sent (T122).

    Source: POST /v1/campaign/normal/once; notes 2026.
    """
    return OnceTicket(
        campaign_sn=decode_campaign_sn(data, unread),
        url=only(data, ("url",), partial(url, base_url=base_url), unread),
    )


def decode_metrics(data: object, unread: Unread) -> tuple[CampaignMetrics, ...]:
    """Read rows of figures; rows without a readable code are left out.

    Source: POST /v1/report/campaigns/metrics; notes 2026, see T130 and T131.
    """
    found = rows(data, ("campaignSn", "campaign_sn", "sn"), null_is_empty=True)
    return tuple(
        CampaignMetrics(
            sn=CampaignSn(sn),
            part=(fields.get(optional_text, "reportType") or "").strip().upper(),
            name=fields.get(optional_name, "name") or "",
            channel=fields.get(partial(_word, words=_CHANNELS), "channel"),
            subject=fields.get(_optional, "subject"),
            sent_begin=fields.get(instant, "sentStartAt", "sentBeginDate"),
            sent_end=fields.get(instant, "sentEndAt", "sentEndDate"),
            recipients=fields.get(count, "recipientCnt"),
            delivered=fields.get(count, "delivered"),
            bounced=fields.get(count, "bounced"),
            opened=fields.get(count, "opened"),
            clicked=fields.get(count, "clicked"),
            distinct_clicks=fields.get(count, "distinctClickCnt"),
            duplicate_clicks=fields.get(count, "duplicateClickCnt"),
            complained=fields.get(count, "complained"),
            unsubscribed=fields.get(count, "unsubscribed"),
            transactions=fields.get(count, "transactions"),
            revenue=fields.get(_amount, "transactionRevenue"),
        )
        for fields in _objects(found, unread)
        if (sn := fields.get(code, "campaignSn", "campaign_sn", "sn")) is not None
    )


def _objects(found: Sequence[tuple[str, object]], unread: Unread) -> Iterator[Fields]:
    for path, item in found:
        fields = unread.read(object_, item, path)
        if fields is not None:
            yield Fields(path, fields, unread)


def _optional(data: object, path: str) -> str | None:
    return optional_text(data, path) or None


def _amount(data: object, path: str) -> Decimal | None:
    """Read an amount of money as a decimal; a binary fraction would change its cents."""
    return None if number(data, path) is None else Decimal(str(data).strip())


def decode_templates(data: object, unread: Unread) -> tuple[Template, ...]:
    """Read the templates; those without a readable code are left out.

    Source: GET /v1/templates; notes 2026, the shape follows the vendor's command line (T132).
    """
    found = rows(data, _TEMPLATE_CODES, null_is_empty=True)
    return tuple(
        Template(
            id=sn,
            name=fields.get(optional_name, "name", "title") or "",
            html=fields.get(_optional_html, *_TEMPLATE_HTML),
        )
        for fields in _objects(found, unread)
        if (sn := fields.get(code, *_TEMPLATE_CODES)) is not None
    )


def _optional_html(data: object, path: str) -> str | None:
    if is_blank(data):
        return None
    if not isinstance(data, str):
        raise WireError(path, "is not text")
    return data


def decode_template(data: object, unread: Unread, *, requested: str) -> Template:
    """Read one template with its HTML, which is required to send it.

    Source: GET /v1/templates/{id}; notes 2026, see T132.
    """
    found_in = list(holders(data))
    having = [each for each in found_in if any(name in each[1] for name in _TEMPLATE_HTML)]
    path, found = (having or found_in)[-1]
    name, html = next(
        ((each, found[each]) for each in _TEMPLATE_HTML if not is_blank(found.get(each))),
        (_TEMPLATE_HTML[0], None),
    )
    if not isinstance(html, str):
        raise WireError(f"{path}.{name}", "is missing" if html is None else "is not text")
    fields = Fields(path, found, unread)
    return Template(
        id=fields.get(code, *_TEMPLATE_CODES) or requested,
        name=fields.get(optional_name, "name", "title") or "",
        # Unchanged: the text is cleaned when it is shown.
        html=html,
    )


def decode_event(data: object, unread: Unread) -> EventOutcome:
    """Read the outcome for each recipient; both lists are required (T134).

    Source: POST /v1/automation/event; notes 2026.
    """
    path, found = next(
        (each for each in holders(data) if "success" in each[1]), next(holders(data))
    )
    accepted, refused = found.get("success"), found.get("failure")
    if not isinstance(accepted, list) or not all(isinstance(each, str) for each in accepted):
        raise WireError(f"{path}.success", "is not an array of texts")
    if refused == []:
        refused = {}
    if not isinstance(refused, dict):
        raise WireError(f"{path}.failure", "is not an object")
    # A path is logged, so it must not contain an address.
    reasons = f"{path}.failure.…"
    return EventOutcome(
        accepted=tuple(accepted),
        refused={
            address: unread.read(optional_text, reason, reasons) or ""
            for address, reason in refused.items()
        },
    )
