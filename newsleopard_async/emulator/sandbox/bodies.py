"""The bodies and queries of requests to the control API, with their limits.

The docstrings of the classes are the descriptions in ``/_emulator/openapi.json``.
"""

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
    "EmptyBody",
    "EmptyQuery",
    "ExclusionBody",
    "FaultBody",
    "ListBody",
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
"""Chosen: one leap year, longer than any wait for an answer or for the daily quota."""

MOST_ON_PAGE: Final = 500
"""Chosen: a page of 500 mails of the sample is 200 KB of JSON, and takes about 0.1 s."""

IN_PATH: Final = r"^(?!\.{1,2}$)[^/]+$"
"""The pattern of a name in a path. One or two dots are excluded, because every client removes them
from a path."""

PRINTABLE: Final = "^[ -~]*$"
"""The pattern of the value of a header."""


@attrs.frozen(kw_only=True)
class EmptyQuery:
    """A query without parameters."""


@attrs.frozen(kw_only=True)
class EmptyBody:
    """A body without fields; it can be empty."""


@attrs.frozen(kw_only=True)
class OutboxQuery:
    """A search for mails.

    Attributes:
        text: Part of the recipient's address or name, of the subject, or of the HTML; upper and
            lower case are the same.
        to: Part of the recipient's address; upper and lower case are the same.
        campaign_sn: Code of the campaign.
        variant: Variant of an A/B test, ``A`` or ``B``.
        event: Only mails with this event.
        limit: Largest number of mails in the answer.
        after: The value of ``next`` in the previous answer; the search continues there.
        is_oldest_first: The oldest mails come first, instead of the newest.
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
    """The variant of a mail to show.

    Attributes:
        variant: ``A`` or ``B`` of an A/B test; by default the variant that was sent, else the
            first one.
    """

    variant: Literal["A", "B"] | None = None


@attrs.frozen(kw_only=True)
class ContactsQuery:
    """A search for contacts.

    Attributes:
        text: Part of the address; upper and lower case are the same.
        limit: Largest number of contacts in the answer.
        after: The value of ``next`` in the previous answer; the search continues there.
    """

    text: str = limited_field("", maxLength=1_000)
    limit: int = limited_field(50, minimum=1, maximum=MOST_ON_PAGE)
    after: str | None = None


@attrs.frozen(kw_only=True)
class RequestsQuery:
    """A search for requests.

    Attributes:
        operation: Name of the operation.
        has_fault: Only requests with a fault if true, only requests without one if false.
        status: HTTP status of the answer.
        limit: Largest number of requests in the answer.
        after: The value of ``next`` in the previous answer; the search continues there.
    """

    operation: str | None = None
    has_fault: bool | None = None
    status: int | None = None
    limit: int = limited_field(50, minimum=1, maximum=MOST_ON_PAGE)
    after: str | None = None


@attrs.frozen(kw_only=True)
class FaultBody:
    """A fault of the next requests of an operation.

    Attributes:
        kind: The fault. ``answer`` sends another answer, ``throttle`` refuses the request as too
            fast.
        operation: Name of the operation, which is required. Only a ``throttle`` can be without
            it, and then applies to any operation.
        times: Number of requests that have the fault.
        seconds: Duration of a ``delay`` (required) or a ``hang`` (60 by default).
        status: HTTP status of an ``answer`` (500 by default) or a ``throttle`` (429 by default).
        body: Body of an ``answer``; empty by default.
        processed: The request takes effect; for a ``hang`` (true by default) or an ``answer``
            (false by default).
        message: Message of a ``throttle``; ``Limit Exceeded`` by default.
        retry_after: Value of the header ``Retry-After`` of a ``throttle``; without the header by
            default.
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
    """A result that is set in advance.

    Attributes:
        kind: ``stick_import``: the next imports stay PROCESSING without end. ``script_import``
            and ``script_campaign``: the next uploaded import or accepted campaign gets a state.
            ``exhaust_day``: the daily quota is used up.
        times: Number of imports that ``stick_import`` applies to; 1 by default.
        state: The platform's token of the state; required by ``script_import`` and
            ``script_campaign``.
        resets_in_s: Seconds until the daily quota is available again, for ``exhaust_day``; a day by
            default, and 0 ends it immediately.
    """

    kind: ScriptName
    times: int | None = limited_field(None, minimum=1, maximum=10_000)
    state: str | None = limited_field(None, minLength=1, maxLength=60)
    resets_in_s: float | None = limited_field(None, minimum=0, maximum=LONGEST_S)


@attrs.frozen(kw_only=True)
class AdvanceBody:
    """A move of the time: either ``seconds`` or ``until``.

    Attributes:
        seconds: Number of seconds to move forward.
        until: The new time, which must not be in the past.
    """

    seconds: float | None = limited_field(None, minimum=0, maximum=3_660 * 86_400)
    until: datetime | None = None


@attrs.frozen(kw_only=True)
class RunBody:
    """The speed of the time.

    Attributes:
        speed: Seconds of the emulator per second of the machine; the previous speed by default.
    """

    speed: float | None = limited_field(None, minimum=0.001, maximum=1_000_000)


@attrs.frozen(kw_only=True)
class ListBody:
    """A list (群組) to create.

    Attributes:
        name: Name of the list.
        is_segment: The list fills itself: at any time it contains all contacts.
    """

    name: str = limited_field(minLength=1, maxLength=200)
    is_segment: bool = False


@attrs.frozen(kw_only=True)
class BalanceBody:
    """A balance.

    Attributes:
        balance: Number of mails that the account can still send.
    """

    balance: int = limited_field(minimum=0, maximum=1_000_000_000)


@attrs.frozen(kw_only=True)
class ExclusionBody:
    """An address to exclude (無效會員): it gets no further mail.

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
    """A reader's action on the latest mail to an address.

    Attributes:
        email: The address.
        action: The action of the reader, or ``bounce``, an action of the receiving server.
        campaign_sn: Code of the campaign of the mail; any campaign by default.
    """

    email: str = limited_field(minLength=1, maxLength=320)
    action: Literal["open", "click", "bounce", "unsubscribe", "complain"]
    campaign_sn: str | None = None


@attrs.frozen(kw_only=True)
class SnapshotBody:
    """A snapshot to save.

    Attributes:
        name: Name of the snapshot; it replaces a snapshot with the same name.
    """

    name: str = limited_field(
        minLength=1,
        maxLength=100,
        pattern=IN_PATH,
        pattern_says="must not contain a slash, and must not be . or ..",
    )


@attrs.frozen(kw_only=True)
class TemplateBody:
    """A template (範本) to add.

    Attributes:
        name: Name of the template.
        html: HTML of the mail.
    """

    name: str = limited_field(minLength=1, maxLength=200)
    html: str = limited_field(maxLength=900_000)
