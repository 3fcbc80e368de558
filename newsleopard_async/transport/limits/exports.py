"""The last export of each campaign, and the distance between any two. Numbers only, no waiting.

A campaign is exported once in a while; the claim is made when the export asks for its
place, so that a second one is refused even while the first one waits.
"""

from __future__ import annotations

from newsleopard_async.errors import RateLimited
from newsleopard_async.transport.limits.windows import Claim, SlotLog

__all__ = ["ExportedLately", "Exports"]


class ExportedLately(RateLimited):
    """The campaign was exported within the hour, so that the platform has its files.

    Attributes:
        ago_s: Seconds since that export; 0 if it is still on its way.
    """

    def __init__(self, message: str, *, retry_after_s: float, ago_s: float) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.ago_s = ago_s


class Exports:
    """The last export of each campaign, and the distance between any two. Numbers only, no waiting.

    A campaign is exported once in a while; the claim is made when the export asks for its
    place, so that a second one is refused even while the first one waits.
    """

    def __init__(self) -> None:
        self.log: SlotLog = SlotLog()
        self._claims: dict[str, Claim] = {}
        self._longest_s = 0.0

    def __len__(self) -> int:
        return len(self._claims)

    def wait_s(self, campaign_sn: str, period_s: float, now: float) -> float:
        """Return how long the campaign is not to be exported; 0 or less if it may be."""
        claim = self._claims.get(campaign_sn)
        return 0.0 if claim is None else claim.free_at(period_s, now) - now

    def claim(self, campaign_sn: str, period_s: float, now: float) -> Claim:
        """Claim a campaign for an export that is about to ask for its place."""
        self._longest_s = max(self._longest_s, period_s)
        self._claims = {
            sn: claim
            for sn, claim in self._claims.items()
            if claim.free_at(self._longest_s, now) > now
        }
        claim = Claim(campaign_sn, self._claims.get(campaign_sn))
        self._claims[campaign_sn] = claim
        return claim

    def restore(self, claim: Claim) -> None:
        """Give the campaign's export back."""
        if self._claims.get(claim.campaign_sn) is not claim:
            return
        if claim.previous is None:
            del self._claims[claim.campaign_sn]
        else:
            self._claims[claim.campaign_sn] = claim.previous
