"""The last export of each campaign, and the distance between any two. Numbers only, no waiting.

A campaign can be exported once per period. An export makes its claim before it waits for a slot, so
a second one is refused even while the first one waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from newsleopard_async.errors import RateLimited
from newsleopard_async.models.options import RateLimits
from newsleopard_async.transport.limits.windows import Claim, SlotLog

__all__ = ["ExportedLately", "Exports", "exported_lately"]

_TIDY_AT_SIZE: Final = 16
"""The number of claims at which old ones are removed. Chosen: fewer take hardly any memory."""


class ExportedLately(RateLimited):
    """The campaign was exported within the hour, so that the platform has its files.

    Attributes:
        ago_s: Seconds since that export; 0 if it is unanswered.
    """

    def __init__(self, message: str, *, retry_after_s: float, ago_s: float) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.ago_s = ago_s


def exported_lately(period_s: float, wait_s: float) -> ExportedLately:
    """Return the error for a campaign that can be exported again only in ``wait_s``."""
    return ExportedLately(
        f"a campaign can be exported once per {period_s:g} s, and this one was exported less than "
        f"that ago; wait {wait_s:.0f} s, or use the links of get_links for its last report",
        retry_after_s=wait_s,
        ago_s=period_s - wait_s,
    )


class Exports:
    """The claims of the campaigns, and the log of all exports."""

    def __init__(self) -> None:
        self.log: SlotLog = SlotLog()
        self._claims: dict[str, tuple[Claim, ...]] = {}
        # A later client can have the documented hour as its limit.
        self._longest_s = RateLimits.documented().export_per_campaign_s
        self._tidy_at_size = _TIDY_AT_SIZE

    def __len__(self) -> int:
        return len(self._claims)

    def is_idle(self, now: float) -> bool:
        """Return whether no claim and no export counts any more."""
        self._tidy(now)
        return not self._claims and self.log.is_idle(now)

    def wait_s(self, campaign_sn: str, period_s: float, now: float) -> float:
        """Return how long the campaign cannot be exported; 0 or less if it can be exported now."""
        claims = self._claims.get(campaign_sn, ())
        return max((claim.free_at(period_s, now) - now for claim in claims), default=0.0)

    def claim(self, campaign_sn: str, period_s: float, now: float) -> Claim:
        """Claim a campaign for an export that is about to wait for its slot."""
        self._longest_s = max(self._longest_s, period_s)
        if len(self._claims) >= self._tidy_at_size:
            self._tidy(now)
            self._tidy_at_size = max(_TIDY_AT_SIZE, 2 * len(self._claims))
        self._keep(campaign_sn, lambda each: each.free_at(self._longest_s, now) > now)
        claim = Claim(campaign_sn)
        self._claims[campaign_sn] = (*self._claims.get(campaign_sn, ()), claim)
        return claim

    def restore(self, claim: Claim) -> None:
        """Remove a claim; the claims before and after it stay."""
        self._keep(claim.campaign_sn, lambda each: each is not claim)

    def _tidy(self, now: float) -> None:
        for campaign_sn in tuple(self._claims):
            self._keep(campaign_sn, lambda claim: claim.free_at(self._longest_s, now) > now)

    def _keep(self, campaign_sn: str, counts: Callable[[Claim], bool]) -> None:
        claims = tuple(filter(counts, self._claims.pop(campaign_sn, ())))
        if claims:
            self._claims[campaign_sn] = claims
