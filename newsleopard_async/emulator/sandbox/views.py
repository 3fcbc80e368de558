"""What the page and the control API show: plain, frozen, and complete in itself.

A time is aware and in UTC. An unknown code raises LookupError where it is looked up.
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
    """The emulator's time.

    Attributes:
        now: What it is.
        is_held: It stands still.
        speed: Seconds that pass in one second of the machine, unless it is held.
        is_movable: It can be held and moved; not if the emulator was given a clock of another kind.
    """

    now: datetime
    is_held: bool
    speed: float
    is_movable: bool


@attrs.frozen(kw_only=True)
class AccountView:
    """The account at a glance.

    Attributes:
        clock: Its time.
        version: Version of the package.
        base_url: Where the API is.
        accepts_any_key: Every API key is good.
        balance: Mails that it may still send.
        lists: How many lists there are.
        contacts: How many contacts.
        excluded: How many contacts are excluded by now.
        imports: How many imports were asked for.
        campaigns: How many campaigns were accepted.
        mails: How many mails have gone out by now.
        requests: How many requests have arrived.
        leaked_keys: How many API keys were sent to the storage; there should be none.
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
    """One mail that went out, without its HTML.

    Attributes:
        id: Names the mail as long as its campaign is there.
        to: The recipient's address.
        name: The recipient's name.
        subject: With the recipient's values filled in.
        sender: ``Name <address>``.
        preheader: With the recipient's values filled in.
        campaign_sn: The campaign's code.
        campaign_name: Its name.
        variant: ``A`` or ``B`` of a test, else empty.
        sent_at: When it went out.
        events: What became of it by now: ``delivery`` or ``bounce``, ``open``, ``click``,
            ``unsubscribe``, ``complain``, each with its time.
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
    """A mail as one variant looks to its recipient.

    Attributes:
        variant: ``A`` or ``B`` of a test, else empty.
        is_sent: It is the one that the recipient got.
        subject: With the recipient's values filled in.
        sender: ``Name <address>``.
        preheader: With the recipient's values filled in.
        html: With the recipient's values filled in.
        unfilled: Names of the unfilled placeholders.
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
    """One mail, whole.

    Attributes:
        html: The body.
        text: The same as plain text.
        headers: As the mail would have them.
        values: The recipient's custom variables, as they were at the sending.
        unfilled: Names of the unfilled placeholders.
        looks: What it looks like; both variants of an A/B test.
    """

    html: str
    text: str
    headers: Mapping[str, str]
    values: Mapping[str, str]
    unfilled: tuple[str, ...]
    looks: tuple[LookView, ...]


@attrs.frozen(kw_only=True)
class MailsFound:
    """Some mails.

    Attributes:
        mails: Those that were looked for, in order.
        total: How many have gone out in all.
        next: Where to go on, if there may be more; None at the end.
        why_none: Why no mail has gone out at all; None if one has.
    """

    mails: tuple[MailRow, ...]
    total: int
    next: str | None
    why_none: str | None


@attrs.frozen(kw_only=True)
class Moment:
    """Something on a campaign's timeline.

    Attributes:
        what: ``accepted``, ``begin``, ``decision``, ``end``, ``stop``, ``export`` or ``delete``.
        at: When.
        is_past: It has happened.
    """

    what: str
    at: datetime
    is_past: bool


@attrs.frozen(kw_only=True)
class CampaignRow:
    """A campaign in short.

    Attributes:
        sn: Its code.
        name: Its name.
        kind: ``regular``, or what it tests: ``subject``, ``sender`` or ``content``.
        state: The state's token.
        accepted: When it was accepted.
        begins: When it is, or was, to be sent.
        ended: When the last mail went out, or it was stopped; None before that.
        recipients: Mails that it is to have, as far as that is known.
        counts: Events by now: ``delivery``, ``open``, ``click``, ``bounce``, ``unsubscribe`` and
            ``complain``.
        winner: ``A`` or ``B``, once a test is decided.
        is_deleted: It was deleted; the API knows it no longer.
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
    """A campaign, whole.

    Attributes:
        timeline: What happened, and what is planned, in order.
        selected: Codes of the lists that it goes to.
        excluded: Codes of the lists that it leaves out.
        is_once: It has no lists, and goes to the contacts of an uploaded file.
        charged: Mails taken off the balance.
        unfilled: Names of the unfilled placeholders; empty before the sending.
        looks: The variants as they were submitted, with their placeholders.
        counts_by_variant: The events of each variant by now.
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
        sn: Its code.
        name: Its name.
        is_segment: It fills itself with every contact.
        is_importing: An import into it is running.
        subscribed: Members who are not excluded.
        excluded: Members who are.
        created: When it was made.
        updated: When an import last changed it.
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
        excluded_since: From when on it gets no mail; None if it does.
    """

    email: str
    name: str
    values: Mapping[str, str]
    excluded_since: datetime | None


@attrs.frozen(kw_only=True)
class ContactView(ContactRow):
    """A contact, and where it is.

    Attributes:
        lists: Codes of the lists that it is in.
    """

    lists: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ContactsFound:
    """Some contacts.

    Attributes:
        contacts: Those that were looked for, in the order in which they came.
        total: How many there are in all, in the list that was asked for or in the account.
        next: Where to go on, if there may be more; None at the end.
    """

    contacts: tuple[ContactRow, ...]
    total: int
    next: str | None


@attrs.frozen(kw_only=True)
class ExclusionRow:
    """An excluded address (無效會員).

    Attributes:
        email: The address.
        since: From when on it gets no mail.
    """

    email: str
    since: datetime


@attrs.frozen(kw_only=True)
class ImportRow:
    """An import in short.

    Attributes:
        sn: Its code.
        list_sn: The list that it goes into, or None.
        status: The state's token.
        rows: Rows in the file; 0 while it is PROCESSING.
        inserted: Rows that were taken.
        duplicates: Rows that a later row of the same address replaced.
        rejected: Rows that were rejected.
        created: When it was asked for.
        uploaded: When the file came, or None.
        due: When it ends, or ended; None if it has no file or is stuck.
        is_stuck: It stays PROCESSING for ever.
        webhook_url: Where its webhook goes, or None.
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
    """An import, and the rows that it rejected.

    Attributes:
        rejected_columns: The columns of the rejected rows; the last one is the reason.
        rejected_rows: The first of them, up to 200, each with as many cells as there are columns.
    """

    rejected_columns: tuple[str, ...]
    rejected_rows: tuple[tuple[str, ...], ...]


@attrs.frozen(kw_only=True)
class RequestRow:
    """A request in short.

    Attributes:
        id: The id that its answer has.
        at: When it arrived.
        operation: Its name; ``unknown`` where there is no endpoint for method and path.
        method: The HTTP method.
        path: The path, decoded.
        status: What was answered; None while nothing is, or if the connection was dropped.
        fault: What was made to go wrong, or None.
        duration_ms: From its arrival to the end of its answer, in milliseconds of the machine;
            None while it is under way.
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
    """A request, whole.

    Attributes:
        query: The query, of storage without its signature.
        headers: With lower-case names, and without the key.
        body: The first 64 KB, as text.
        body_bytes: How much came.
    """

    query: str
    headers: Mapping[str, str]
    body: str
    body_bytes: int


@attrs.frozen(kw_only=True)
class RequestsFound:
    """Some requests.

    Attributes:
        requests: Those that were looked for, the newest first.
        total: How many have arrived in all; the last 10,000 are kept.
        next: Where to go on, if there may be more; None at the end.
    """

    requests: tuple[RequestRow, ...]
    total: int
    next: str | None


@attrs.frozen(kw_only=True)
class WebhookRow:
    """A webhook that was tried, or refused for its host.

    Attributes:
        url: Where to.
        at: When it was due.
        body: The JSON.
        status: What the receiver answered; None if no answer came, or none was asked for.
        is_refused: The host is not one that webhooks may go to.
    """

    url: str
    at: datetime
    body: str
    status: int | None
    is_refused: bool


@attrs.frozen(kw_only=True)
class FaultRow:
    """A fault that has not happened yet.

    Attributes:
        operation: Whose request it happens to; None for a request of any operation.
        kind: What goes wrong.
        times: To how many requests.
        seconds: How long, of a delay or a silence.
        status: What is answered instead, of an answer or a throttle.
    """

    operation: str | None
    kind: str
    times: int
    seconds: float
    status: int | None


@attrs.frozen(kw_only=True)
class ScriptsView:
    """States that were decided beforehand.

    Attributes:
        stuck_imports: How many of the next uploads stay PROCESSING for ever.
        imports: The states to which the next uploads come.
        campaigns: The states to which the next accepted campaigns come.
        day_exhausted_s: Until the quota of the day is back; None if it is not used up by a fault.
    """

    stuck_imports: int
    imports: tuple[str, ...]
    campaigns: tuple[str, ...]
    day_exhausted_s: float | None


@attrs.frozen(kw_only=True)
class SwitchView:
    """A switch, how it stands, and what it may be.

    Attributes:
        name: Its name.
        value: How it stands.
        default: How it stood at the start.
        kind: ``flag``, ``whole``, ``number``, ``text``, ``word`` or ``names``.
        words: What a switch of words may be.
        may_be_none: None is a value, too.
        says: What it does.
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
    """That the emulator answers, and which one it is.

    Attributes:
        status: ``ok``.
        version: Version of the package.
        profile: The profile that it was made with.
        now: Its time.
    """

    status: str
    version: str
    profile: str
    now: datetime


@attrs.frozen(kw_only=True)
class BalanceView:
    """The balance.

    Attributes:
        balance: Mails that the account may still send.
    """

    balance: int


@attrs.frozen(kw_only=True)
class TemplateView:
    """A template (範本).

    Attributes:
        id: Its code.
        name: What it is called.
        html: The mail.
    """

    id: str
    name: str
    html: str
