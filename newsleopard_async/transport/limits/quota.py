"""What processes that share the limits of a key tell each other, and who keeps it for them."""

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
"""How long a request counts of which nothing is heard. Chosen: as long as connecting may take."""

GOOD_S: Final = 0.05
"""How late a permit may be used. Chosen: a third of the uplink's delay, which is safe besides."""

POLL: Final = 2
"""The rank of a poll."""


Fate = Literal[
    "sent", "answered", "lost", "unsent", "accepted", "refused", "exported", "unexported"
]
"""What may become of a request."""

RefusalReason = Literal["used", "gone", "given-up", "hold"]
"""Why no request goes: the day is used, or gone; the server refuses everything for long; or it asks
for a long hold."""


@attrs.frozen
class RequestReport:
    """What became of a request.

    Attributes:
        id: Of its permit; of its claim, for exports; its own, for a refusal, which must not count
            twice if the reply to its report is lost.
        what: That its last byte has left, that its answer began, that none will come, that it
            never left; that the answer was no refusal or was one at the gateway; that an export
            was made, or was not.
        age_s: How long ago.
        daily: Of a refusal: True if it is about the day, False about the second, None if either.
        retry_after_s: Of a refusal.
    """

    id: str
    what: Fate
    age_s: float
    daily: bool | None = None
    retry_after_s: float | None = None


@attrs.frozen
class PermitRequest:
    """A permit that is asked for.

    Attributes:
        id: The same as long as it is asked for.
        rank: 0 for what stops a campaign, 1 for any request, 2 for a poll.
        waited_s: Since when it has been asked for.
        longest_hold_s: Holds of the server's that are longer are not waited for.
    """

    id: str
    rank: int
    waited_s: float
    longest_hold_s: float


@attrs.frozen
class ExportClaim:
    """A campaign that is to be exported.

    Attributes:
        id: Of this claim.
        campaign_sn: The campaign.
        period_s: How long after an export there is no other one of the same campaign.
        every_s: The least distance between any two exports, or None.
    """

    id: str
    campaign_sn: str
    period_s: float
    every_s: float | None


@attrs.frozen(kw_only=True)
class QuotaUpdate:
    """What a process reports, and what it asks for.

    Attributes:
        windows: The sliding limits that it goes by.
        uplink_s: The longest that a request may be on its way.
        allowance: How many requests of a day it may send, or None.
        has_day: Whether the day is counted, and may be found to be used up.
        day, seen: The day by its ordinal, and the highest count of requests sent on it that it has
            seen, which outlives what is kept.
        chance: A random number below 1, for the jitter.
        reports: In their order.
        permit_request: A request for a permit, or None.
        claim: An export, or None.
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
    """What comes of an update.

    Attributes:
        day, used: The day by its ordinal, and its count, with the permits that are given.
        sent: Without those.
        is_gone: Whether the server seems to refuse everything for the rest of the day.
        is_open: Whether the gate is open.
        interval_s: The distance that requests keep, if the server throttles below the limits.
        go_s: In how many seconds the permit is to be used. Below 0 if it was given earlier, and the
            reply was lost.
        later_s: In how many seconds to ask again.
        refused: Why no request goes.
        refused_s: For how long, of the last two.
        exported_s: For how long the campaign cannot be exported again.
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
    """Keeps what processes share of the limits of one key at one origin.

    Attributes:
        name: What keeps it, for an error.
        calls: How often it was asked.
    """

    name: str
    calls: int

    async def update(self, update: QuotaUpdate) -> QuotaReply:
        """Apply an update: atomically, within a bounded time, by the store's own time.

        A cancellation may lose the reply. The same request gets the same permit then.

        Raises:
            ConnectionFailed: it does not answer; nothing may be sent.
            ConfigurationError: it cannot be used.
        """
        ...

    def close(self) -> None:
        """Let go of what is open; others go on with what is kept."""
        ...
