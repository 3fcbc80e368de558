"""The objects that the page and the control API show: plain, frozen copies of the state.

All times are aware and in UTC. The docstrings of the classes are the descriptions in
``/_emulator/openapi.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

__all__ = [
    "AccountView",
    "BalanceView",
    "CampaignRow",
    "CampaignView",
    "ClockView",
    "ContactRow",
    "ContactView",
    "ContactsFound",
    "ExclusionRow",
    "FaultRow",
    "HealthView",
    "ImportRow",
    "ImportView",
    "ListRow",
    "LookView",
    "MailRow",
    "MailView",
    "MailsFound",
    "Moment",
    "RequestRow",
    "RequestView",
    "RequestsFound",
    "ScriptsView",
    "SwitchView",
    "TemplateView",
    "WebhookRow",
]


@attrs.frozen(kw_only=True)
class ClockView:
    """The emulator's clock.

    Attributes:
        now: The time.
        is_held: The clock is stopped.
        speed: Seconds of the emulator per second of the machine, unless the clock is held.
        is_movable: The clock can be held and moved, because it is an ``EmulatorClock``.
    """

    now: datetime
    is_held: bool
    speed: float
    is_movable: bool


@attrs.frozen(kw_only=True)
class AccountView:
    """A summary of the account.

    Attributes:
        clock: The emulator's clock.
        version: Version of the package.
        base_url: Base URL of the API.
        accepts_any_key: Any API key is accepted.
        balance: Number of mails that the account can still send.
        lists: Number of lists.
        contacts: Number of contacts.
        excluded: Number of contacts that are excluded now.
        imports: Number of imports.
        campaigns: Number of accepted campaigns.
        mails: Number of sent mails.
        requests: Number of requests.
        leaked_keys: Number of API keys that were sent to the storage; it must be 0.
    """

    clock: ClockView
    version: str
    base_url: str
    accepts_any_key: bool
    balance: int
    lists: int
    contacts: int
    excluded: int
    imports: int
    campaigns: int
    mails: int
    requests: int
    leaked_keys: int


@attrs.frozen(kw_only=True)
class MailRow:
    """A sent mail, without its HTML.

    Attributes:
        id: Id of the mail, valid as long as its campaign exists.
        to: Address of the recipient.
        name: Name of the recipient.
        subject: Subject, with the recipient's values.
        sender: Sender as ``Name <address>``.
        preheader: Preheader, with the recipient's values.
        campaign_sn: Code of the campaign.
        campaign_name: Name of the campaign.
        variant: ``A`` or ``B`` of an A/B test, else empty.
        sent_at: Time of the sending.
        events: The events of the mail up to now, each with its time: ``delivery`` or ``bounce``,
            ``open``, ``click``, ``unsubscribe``, ``complain``.
    """

    id: str
    to: str
    name: str
    subject: str
    sender: str
    preheader: str
    campaign_sn: str
    campaign_name: str
    variant: str
    sent_at: datetime
    events: Mapping[str, datetime]


@attrs.frozen(kw_only=True)
class LookView:
    """The content of a mail in one variant.

    Attributes:
        variant: ``A`` or ``B`` of an A/B test, else empty.
        is_sent: The recipient of the mail got this variant; of a campaign, it won the A/B test.
        subject: Subject; of a mail with the recipient's values.
        sender: Sender as ``Name <address>``.
        preheader: Preheader; of a mail with the recipient's values.
        html: HTML; of a mail with the recipient's values.
        unfilled: Names of the placeholders without a value.
    """

    variant: str
    is_sent: bool
    subject: str
    sender: str
    preheader: str
    html: str
    unfilled: tuple[str, ...]


@attrs.frozen(kw_only=True)
class MailView(MailRow):
    """A sent mail with its content.

    Attributes:
        html: The HTML.
        text: The content as plain text.
        headers: The headers, not encoded.
        values: The recipient's custom variables at the time of the sending.
        unfilled: Names of the placeholders without a value.
        looks: The content in each variant: two of an A/B test, else one.
    """

    html: str
    text: str
    headers: Mapping[str, str]
    values: Mapping[str, str]
    unfilled: tuple[str, ...]
    looks: tuple[LookView, ...]


@attrs.frozen(kw_only=True)
class MailsFound:
    """A page of mails.

    Attributes:
        mails: The matching mails, in order.
        total: Number of all sent mails, matching or not.
        next: The value of ``after`` for the next page; None at the end.
        why_none: The reason why no mail was sent at all; None if there are sent mails.
    """

    mails: tuple[MailRow, ...]
    total: int
    next: str | None
    why_none: str | None


@attrs.frozen(kw_only=True)
class Moment:
    """An entry of a campaign's timeline.

    Attributes:
        what: ``accepted``, ``begin``, ``decision``, ``end``, ``stop``, ``export`` or ``delete``.
        at: Time of the entry.
        is_past: The time is not in the future.
    """

    what: str
    at: datetime
    is_past: bool


@attrs.frozen(kw_only=True)
class CampaignRow:
    """A campaign, as a row of a table.

    Attributes:
        sn: Code of the campaign.
        name: Name of the campaign.
        kind: ``regular``, or the subject of its A/B test: ``subject``, ``sender`` or ``content``.
        state: The platform's token of the state.
        accepted: Time of its acceptance.
        begins: Time at which the sending begins or began.
        ended: Time of the last mail or of the stop; None before that.
        recipients: Expected number of mails, as far as it is known.
        counts: Number of events up to now: ``delivery``, ``open``, ``click``, ``bounce``,
            ``unsubscribe`` and ``complain``.
        winner: ``A`` or ``B`` after the decision of an A/B test; else None.
        is_deleted: The campaign was deleted, and the API does not return it any longer.
    """

    sn: str
    name: str
    kind: str
    state: str
    accepted: datetime
    begins: datetime
    ended: datetime | None
    recipients: int
    counts: Mapping[str, int]
    winner: str | None
    is_deleted: bool


@attrs.frozen(kw_only=True)
class CampaignView(CampaignRow):
    """A campaign with its timeline and content.

    Attributes:
        timeline: Past and planned events, in order.
        selected: Codes of the lists of its recipients.
        excluded: Codes of the excluded lists.
        is_once: The campaign has no lists, but the recipients of an uploaded file.
        charged: Number of mails that were charged to the balance.
        unfilled: Names of the placeholders without a value; empty before the sending.
        looks: The variants as they were submitted, with their placeholders.
        counts_by_variant: Number of events up to now, for each variant.
    """

    timeline: tuple[Moment, ...]
    selected: tuple[str, ...]
    excluded: tuple[str, ...]
    is_once: bool
    charged: int
    unfilled: tuple[str, ...]
    looks: tuple[LookView, ...]
    counts_by_variant: Mapping[str, Mapping[str, int]]


@attrs.frozen(kw_only=True)
class ListRow:
    """A list (群組).

    Attributes:
        sn: Code of the list.
        name: Name of the list.
        is_segment: The list fills itself: it always contains all contacts.
        is_importing: An import into the list is running.
        subscribed: Number of its contacts that are not excluded.
        excluded: Number of its contacts that are excluded.
        created: Time of its creation.
        updated: Time of the last change by an import.
    """

    sn: str
    name: str
    is_segment: bool
    is_importing: bool
    subscribed: int
    excluded: int
    created: datetime
    updated: datetime


@attrs.frozen(kw_only=True)
class ContactRow:
    """A contact.

    Attributes:
        email: The address.
        name: The NAME column.
        values: The custom variables (自訂變數).
        excluded_since: Time of its exclusion, after which it gets no mail; None if not excluded.
    """

    email: str
    name: str
    values: Mapping[str, str]
    excluded_since: datetime | None


@attrs.frozen(kw_only=True)
class ContactView(ContactRow):
    """A contact with its lists.

    Attributes:
        lists: Codes of the lists that contain the contact.
    """

    lists: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ContactsFound:
    """A page of contacts.

    Attributes:
        contacts: The matching contacts, in the order in which they were added.
        total: Number of all contacts of the list or of the account, matching or not.
        next: The value of ``after`` for the next page; None at the end.
    """

    contacts: tuple[ContactRow, ...]
    total: int
    next: str | None


@attrs.frozen(kw_only=True)
class ExclusionRow:
    """An excluded address (無效會員).

    Attributes:
        email: The address.
        since: Time of its exclusion, after which it gets no mail.
    """

    email: str
    since: datetime


@attrs.frozen(kw_only=True)
class ImportRow:
    """An import, as a row of a table.

    Attributes:
        sn: Code of the import.
        list_sn: Code of the list that gets the contacts, or None.
        status: The platform's token of the state.
        rows: Number of rows in the file; 0 while the import is PROCESSING.
        inserted: Number of rows that were accepted.
        duplicates: Number of rows that a later row with the same address replaced.
        rejected: Number of rows that were rejected.
        created: Time of the request.
        uploaded: Time of the upload, or None.
        due: Time of the end; None if the import has no file or is stuck.
        is_stuck: The import stays PROCESSING without end.
        webhook_url: URL of the webhook at the end of the import, or None.
    """

    sn: str
    list_sn: str | None
    status: str
    rows: int
    inserted: int
    duplicates: int
    rejected: int
    created: datetime
    uploaded: datetime | None
    due: datetime | None
    is_stuck: bool
    webhook_url: str | None


@attrs.frozen(kw_only=True)
class ImportView(ImportRow):
    """An import with its rejected rows.

    Attributes:
        rejected_columns: Names of the columns of the rejected rows; the last one is the reason.
        rejected_rows: The first 200 rejected rows, each with one cell per column.
    """

    rejected_columns: tuple[str, ...]
    rejected_rows: tuple[tuple[str, ...], ...]


@attrs.frozen(kw_only=True)
class RequestRow:
    """A request, as a row of a table.

    Attributes:
        id: The request id, which its answer has.
        at: Time of its arrival.
        operation: Name of the operation; ``unknown`` if no endpoint has this method and path.
        method: The HTTP method.
        path: The path, decoded.
        status: HTTP status of the answer; None before the answer, or if the connection was dropped.
        fault: Kind of the fault of this request, or None.
        duration_ms: Milliseconds of the machine from its arrival to the end of its answer; None
            before that.
    """

    id: str
    at: datetime
    operation: str
    method: str
    path: str
    status: int | None
    fault: str | None
    duration_ms: float | None


@attrs.frozen(kw_only=True)
class RequestView(RequestRow):
    """A request with its content.

    Attributes:
        query: The query; of a request to the storage without the signature.
        headers: The headers, with lower-case names and without the API key.
        body: The first 64 KB of the body, as text.
        body_bytes: Size of the whole body in bytes.
    """

    query: str
    headers: Mapping[str, str]
    body: str
    body_bytes: int


@attrs.frozen(kw_only=True)
class RequestsFound:
    """A page of requests.

    Attributes:
        requests: The matching requests, the newest first.
        total: Number of all requests, matching or not; the last 10,000 are stored.
        next: The value of ``after`` for the next page; None at the end.
    """

    requests: tuple[RequestRow, ...]
    total: int
    next: str | None


@attrs.frozen(kw_only=True)
class WebhookRow:
    """A webhook that was sent, or refused because of its host.

    Attributes:
        url: URL of the receiver.
        at: Time at which it was due.
        body: The body, as JSON.
        status: HTTP status of the receiver's answer; None without an answer.
        is_refused: The emulator is not allowed to send webhooks to this host, so nothing was sent.
    """

    url: str
    at: datetime
    body: str
    status: int | None
    is_refused: bool


@attrs.frozen(kw_only=True)
class FaultRow:
    """A fault that has not occurred yet.

    Attributes:
        operation: Name of the operation; None for any operation.
        kind: Kind of the fault.
        times: Number of requests that will have the fault.
        seconds: Duration of a ``delay`` or a ``hang``; else 0.
        status: HTTP status of an ``answer`` or a ``throttle``; else None.
    """

    operation: str | None
    kind: str
    times: int
    seconds: float
    status: int | None


@attrs.frozen(kw_only=True)
class ScriptsView:
    """Results that were set in advance.

    Attributes:
        stuck_imports: Number of the next uploads that stay PROCESSING without end.
        imports: Final states of the next uploads.
        campaigns: Final states of the next accepted campaigns.
        day_exhausted_s: Seconds until the daily quota is available again; None if no
            ``exhaust_day`` used it up.
    """

    stuck_imports: int
    imports: tuple[str, ...]
    campaigns: tuple[str, ...]
    day_exhausted_s: float | None


@attrs.frozen(kw_only=True)
class SwitchView:
    """A switch with its value and its allowed values.

    Attributes:
        name: Name of the switch.
        value: The current value.
        default: The value when the server started.
        kind: Kind of the value: ``flag``, ``whole``, ``number``, ``text``, ``word`` or ``names``.
        words: The allowed values of a ``word``; else empty.
        may_be_none: None is also an allowed value.
        says: Description of the switch.
    """

    name: str
    value: bool | int | float | str | tuple[str, ...] | None
    default: bool | int | float | str | tuple[str, ...] | None
    kind: str
    words: tuple[str, ...]
    may_be_none: bool
    says: str


@attrs.frozen(kw_only=True)
class HealthView:
    """The health of the emulator.

    Attributes:
        status: ``ok``.
        version: Version of the package.
        profile: The profile that the emulator was created with.
        now: The emulator's time.
    """

    status: str
    version: str
    profile: str
    now: datetime


@attrs.frozen(kw_only=True)
class BalanceView:
    """The balance.

    Attributes:
        balance: Number of mails that the account can still send.
    """

    balance: int


@attrs.frozen(kw_only=True)
class TemplateView:
    """A template (範本).

    Attributes:
        id: Id of the template.
        name: Name of the template.
        html: HTML of the mail.
    """

    id: str
    name: str
    html: str
