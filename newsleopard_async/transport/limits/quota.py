"""The messages between processes that share the limits of a key, and the store between them."""

from __future__ import annotations

from typing import Final, Literal, Protocol

import attrs

__all__ = [
    "GOOD_S",
    "LEASE_S",
    "POLL",
    "ExportClaim",
    "Fate",
    "PermitRequest",
    "QuotaReply",
    "QuotaStore",
    "QuotaUpdate",
    "RefusalReason",
    "RequestReport",
]

LEASE_S: Final = 10.0
"""How long a request without a report counts. Chosen: as long as connecting can take."""

GOOD_S: Final = 0.05
"""How late a permit can be used. Chosen: a third of the uplink's delay; the windows allow for the
whole delay already."""

POLL: Final = 2
"""The rank of a poll."""


Fate = Literal[
    "sent", "answered", "lost", "unsent", "accepted", "refused", "exported", "unexported"
]
"""The possible fates of a request."""

RefusalReason = Literal["used", "gone", "given-up", "hold"]
"""Why no request is sent: our daily count is used up ("used"), the server refuses all requests of
the day ("gone"), it refuses all requests for long ("given-up"), or it asks for a long hold."""


@attrs.frozen
class RequestReport:
    """What happened to a request.

    Attributes:
        id: The id of the permit, or of the claim for an export. A refusal has its own id, because
            it must not count twice if the reply to its report is lost.
        what: The last byte has left ("sent"), the answer began ("answered"), no answer will come
            ("lost"), the request never left ("unsent"), the answer was not a refusal ("accepted"),
            it was a refusal at the gateway ("refused"), the export was made or not ("exported",
            "unexported").
        age_s: How many seconds ago.
        daily: For a refusal: True if it is about the day, False about the second, None if unclear.
        retry_after_s: For a refusal: the wait that the server requests.
    """

    id: str
    what: Fate
    age_s: float
    daily: bool | None = None
    retry_after_s: float | None = None


@attrs.frozen
class PermitRequest:
    """A request for a permit.

    Attributes:
        id: The same id until the permit is given.
        rank: 0 for a request that stops a campaign, 1 for any other request, 2 for a poll.
        waited_s: The seconds since the first request for this permit.
        longest_hold_s: The longest hold by the server that the request waits for.
    """

    id: str
    rank: int
    waited_s: float
    longest_hold_s: float


@attrs.frozen
class ExportClaim:
    """A claim on the export of a campaign.

    Attributes:
        id: The id of this claim.
        campaign_sn: The campaign.
        period_s: The least time between two exports of the same campaign.
        every_s: The least time between any two exports, or None.
    """

    id: str
    campaign_sn: str
    period_s: float
    every_s: float | None


@attrs.frozen(kw_only=True)
class QuotaUpdate:
    """The reports and requests of a process.

    Attributes:
        windows: The sliding limits of the process.
        uplink_s: The longest time that a request takes to the server.
        allowance: How many requests per day the process sends, or None.
        has_day: Whether the daily requests are counted, and can be exhausted.
        day, seen: The ordinal of the day, and the highest count of requests that the process has
            seen on it. This count is preserved if the store loses the value.
        chance: A random number below 1, for the jitter.
        reports: The reports in their order.
        permit_request: A request for a permit, or None.
        claim: A claim on an export, or None.
    """

    windows: tuple[tuple[int, float], ...]
    uplink_s: float
    allowance: int | None
    has_day: bool
    day: int
    seen: int
    chance: float
    reports: tuple[RequestReport, ...] = ()
    permit_request: PermitRequest | None = None
    claim: ExportClaim | None = None


@attrs.frozen(kw_only=True)
class QuotaReply:
    """The reply to an update.

    Attributes:
        day, used: The ordinal of the day, and its count, including all permits.
        sent: The count of the requests that have left.
        is_gone: Whether the server seems to refuse all requests for the rest of the day.
        is_open: Whether the gate is open.
        interval_s: The time between two requests, if the server throttles below the limits.
        go_s: Seconds until the request must be sent with this permit. Below 0 if the permit was
            given earlier and the reply was lost.
        later_s: Seconds until the process must ask again.
        refused: Why no request is sent.
        refused_s: For how long, for the last two reasons.
        exported_s: Seconds until the campaign can be exported again.
    """

    day: int
    used: int
    sent: int
    is_gone: bool
    is_open: bool
    interval_s: float
    go_s: float | None = None
    later_s: float | None = None
    refused: RefusalReason | None = None
    refused_s: float = 0.0
    exported_s: float | None = None


class QuotaStore(Protocol):
    """Stores the value that processes share for the limits of one key at one origin.

    Attributes:
        name: The name of the store, for errors.
        calls: The number of calls.
    """

    name: str
    calls: int

    async def update(self, update: QuotaUpdate) -> QuotaReply:
        """Apply an update: atomically, within a bounded time, by the store's own time.

        A cancellation can lose the reply. Then the same request gets the same permit.

        Raises:
            ConnectionFailed: the store does not answer; nothing may be sent.
            ConfigurationError: the store cannot be used.
        """
        ...

    def close(self) -> None:
        """Close connections and files; other processes continue with the stored value."""
        ...
