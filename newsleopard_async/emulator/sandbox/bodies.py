"""What may be asked of the control API: bodies and queries, with their limits."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import attrs

from newsleopard_async.emulator.platform.faults import FaultKind
from newsleopard_async.emulator.sandbox.json_codec import limited_field

__all__ = [
    "MOST_ON_PAGE",
    "AdvanceBody",
    "BalanceBody",
    "ContactsQuery",
    "ExclusionBody",
    "FaultBody",
    "ListBody",
    "NoBody",
    "NoQuery",
    "OutboxQuery",
    "ReaderBody",
    "RequestsQuery",
    "RunBody",
    "ScriptBody",
    "ScriptName",
    "SnapshotBody",
    "TemplateBody",
    "VariantQuery",
]

ScriptName = Literal["stick_import", "script_import", "script_campaign", "exhaust_day"]
Event = Literal["delivery", "bounce", "open", "click", "unsubscribe", "complain"]

LONGEST_S: Final = 366 * 86_400
"""Chosen: a year is longer than any wait for an answer, or for the day's quota."""

MOST_ON_PAGE: Final = 500
"""Chosen: a page of so many mails of the sample is 200 KB of JSON, and takes about 0.1 s."""

IN_PATH: Final = r"^(?!\.{1,2}$)[^/]+$"
"""What a part of a path may be; every client takes one or two dots out of it."""

PRINTABLE: Final = "^[ -~]*$"
"""What a header may hold."""


@attrs.frozen(kw_only=True)
class NoQuery:
    """Nothing is asked for by a query."""


@attrs.frozen(kw_only=True)
class NoBody:
    """A change that needs to know nothing; the body may be empty."""


@attrs.frozen(kw_only=True)
class OutboxQuery:
    """Which mails are looked for.

    Attributes:
        text: Part of the recipient's address or name, of the subject, or of the HTML; in any case.
        to: Part of the recipient's address, in any case.
        campaign_sn: The campaign.
        variant: ``A`` or ``B``.
        event: Mails of which this is known by now.
        limit: How many to return.
        after: Where to go on: ``next`` of the answer before.
        is_oldest_first: The oldest come first, instead of the newest.
    """

    text: str = limited_field("", maxLength=1_000)
    to: str = limited_field("", maxLength=1_000)
    campaign_sn: str | None = None
    variant: Literal["A", "B"] | None = None
    event: Event | None = None
    limit: int = limited_field(50, minimum=1, maximum=MOST_ON_PAGE)
    after: str | None = None
    is_oldest_first: bool = False


@attrs.frozen(kw_only=True)
class VariantQuery:
    """How a mail is looked at.

    Attributes:
        variant: ``A`` or ``B`` of a test; by default the one that was sent, or the first.
    """

    variant: Literal["A", "B"] | None = None


@attrs.frozen(kw_only=True)
class ContactsQuery:
    """Which contacts are looked for.

    Attributes:
        text: Part of the address, in any case.
        limit: How many to return.
        after: Where to go on: ``next`` of the answer before.
    """

    text: str = limited_field("", maxLength=1_000)
    limit: int = limited_field(50, minimum=1, maximum=MOST_ON_PAGE)
    after: str | None = None


@attrs.frozen(kw_only=True)
class RequestsQuery:
    """Which requests are looked for.

    Attributes:
        operation: The operation's name.
        has_fault: Only those that something was made to go wrong with, or only the others.
        status: What was answered.
        limit: How many to return.
        after: Where to go on: ``next`` of the answer before.
    """

    operation: str | None = None
    has_fault: bool | None = None
    status: int | None = None
    limit: int = limited_field(50, minimum=1, maximum=MOST_ON_PAGE)
    after: str | None = None


@attrs.frozen(kw_only=True)
class FaultBody:
    """Something that is to go wrong with the next requests of an operation.

    Attributes:
        kind: What goes wrong. ``answer`` answers something else, ``throttle`` refuses as if the
            requests came too fast.
        operation: Whose requests; a ``throttle`` may leave it out, and means those of any.
        times: How many requests.
        seconds: How long, of a ``delay`` (which needs it) or a ``hang`` (60 by default).
        status: Of an ``answer`` (500 by default) or a ``throttle`` (429 by default).
        body: Of an ``answer``; empty by default.
        processed: The request takes effect: of a ``hang`` (true by default) or an ``answer`` (false
            by default).
        message: Of a ``throttle``; ``Limit Exceeded`` by default.
        retry_after: The header of that name, of a ``throttle``; none by default.
    """

    kind: FaultKind
    operation: str | None = None
    times: int = limited_field(1, minimum=1, maximum=10_000)
    seconds: float | None = limited_field(None, minimum=0, maximum=LONGEST_S)
    status: int | None = limited_field(None, minimum=200, maximum=599)
    body: str | None = limited_field(None, maxLength=100_000)
    processed: bool | None = None
    message: str | None = limited_field(None, maxLength=1_000)
    retry_after: int | float | str | None = limited_field(None, maxLength=100, pattern=PRINTABLE)


@attrs.frozen(kw_only=True)
class ScriptBody:
    """A state that is decided beforehand.

    Attributes:
        kind: What is decided: the next imports stay PROCESSING for ever, the next import or
            accepted campaign comes to a state, or the day's quota is used up.
        times: How many imports stick; 1 by default.
        state: The state's token, of ``script_import`` and ``script_campaign``, which need it.
        resets_in_s: When the day's quota is back; a day by default, and 0 gives it back at once.
    """

    kind: ScriptName
    times: int | None = limited_field(None, minimum=1, maximum=10_000)
    state: str | None = limited_field(None, minLength=1, maxLength=60)
    resets_in_s: float | None = limited_field(None, minimum=0, maximum=LONGEST_S)


@attrs.frozen(kw_only=True)
class AdvanceBody:
    """How far the time moves; one of both.

    Attributes:
        seconds: By so much.
        until: To this instant, which is not in the past.
    """

    seconds: float | None = limited_field(None, minimum=0, maximum=3_660 * 86_400)
    until: datetime | None = None


@attrs.frozen(kw_only=True)
class RunBody:
    """How fast the time passes.

    Attributes:
        speed: Seconds in one second of the machine; as before by default.
    """

    speed: float | None = limited_field(None, minimum=0.001, maximum=1_000_000)


@attrs.frozen(kw_only=True)
class ListBody:
    """A list (群組) to make.

    Attributes:
        name: Its name.
        is_segment: It fills itself: it holds every contact at each look.
    """

    name: str = limited_field(minLength=1, maxLength=200)
    is_segment: bool = False


@attrs.frozen(kw_only=True)
class BalanceBody:
    """A balance.

    Attributes:
        balance: Mails that the account may still send.
    """

    balance: int = limited_field(minimum=0, maximum=1_000_000_000)


@attrs.frozen(kw_only=True)
class ExclusionBody:
    """An address (無效會員) that gets no mail from now on.

    Attributes:
        email: The address.
    """

    email: str = limited_field(
        minLength=3,
        maxLength=320,
        pattern="^[^@]+@[^@]+$",
        pattern_says="must be an address, such as ming@example.com",
    )


@attrs.frozen(kw_only=True)
class ReaderBody:
    """What becomes of the latest mail to an address, now.

    Attributes:
        email: The address.
        action: What its reader does; ``bounce`` is what its server does.
        campaign_sn: Of which campaign; the latest of any by default.
    """

    email: str = limited_field(minLength=1, maxLength=320)
    action: Literal["open", "click", "bounce", "unsubscribe", "complain"]
    campaign_sn: str | None = None


@attrs.frozen(kw_only=True)
class SnapshotBody:
    """A state to put aside.

    Attributes:
        name: What it is called; one of the same name is replaced.
    """

    name: str = limited_field(
        minLength=1,
        maxLength=100,
        pattern=IN_PATH,
        pattern_says="must be without a slash, and not . or ..",
    )


@attrs.frozen(kw_only=True)
class TemplateBody:
    """A template (範本) to add.

    Attributes:
        name: What it is called.
        html: The mail.
    """

    name: str = limited_field(minLength=1, maxLength=200)
    html: str = limited_field(maxLength=900_000)
