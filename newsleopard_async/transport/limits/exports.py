"""The last export of each campaign, and the distance between any two. Numbers only, no waiting.

A campaign is exported once in a while; the claim is made when the export asks for its
place, so that a second one is refused even while the first one waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from newsleopard_async.errors import RateLimited
from newsleopard_async.models.options import RateLimits
from newsleopard_async.transport.limits.windows import Claim, SlotLog

__all__ = ["ExportedLately", "Exports", "exported_lately"]

_TIDY_AT_SIZE: Final = 16
"""From how many campaigns on the old ones are looked for; chosen: less is not worth it."""


class ExportedLately(RateLimited):
    """The campaign was exported within the hour, so that the platform has its files.

    Attributes:
        ago_s: Seconds since that export; 0 if it is still on its way.
    """

    def __init__(self, message: str, *, retry_after_s: float, ago_s: float) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.ago_s = ago_s


def exported_lately(period_s: float, wait_s: float) -> ExportedLately:
    """Return the error for a campaign that may be exported again only in ``wait_s``."""
    return ExportedLately(
        f"a campaign is exported once in {period_s:g} s at most, and this one may be "
        f"exported again in {wait_s:.0f} s; its last report is where get_links says",
        retry_after_s=wait_s,
        ago_s=period_s - wait_s,
    )


class Exports:
    """The claims of the campaigns, and the log of all exports."""

    def __init__(self) -> None:
        self.log: SlotLog = SlotLog()
        self._claims: dict[str, tuple[Claim, ...]] = {}
        # A client that comes later may keep the documented hour.
        self._longest_s = RateLimits.documented().export_per_campaign_s
        self._tidy_at_size = _TIDY_AT_SIZE

    def __len__(self) -> int:
        return len(self._claims)

    def is_idle(self, now: float) -> bool:
        """Say whether nothing keeps an export out any more."""
        self._tidy(now)
        return not self._claims and self.log.is_idle(now)

    def wait_s(self, campaign_sn: str, period_s: float, now: float) -> float:
        """Return how long the campaign is not to be exported; 0 or less if it may be."""
        claims = self._claims.get(campaign_sn, ())
        return max((claim.free_at(period_s, now) - now for claim in claims), default=0.0)

    def claim(self, campaign_sn: str, period_s: float, now: float) -> Claim:
        """Claim a campaign for an export that is about to ask for its place."""
        self._longest_s = max(self._longest_s, period_s)
        if len(self._claims) >= self._tidy_at_size:
            self._tidy(now)
            self._tidy_at_size = max(_TIDY_AT_SIZE, 2 * len(self._claims))
        self._keep(campaign_sn, lambda each: each.free_at(self._longest_s, now) > now)
        claim = Claim(campaign_sn)
        self._claims[campaign_sn] = (*self._claims.get(campaign_sn, ()), claim)
        return claim

    def restore(self, claim: Claim) -> None:
        """Give the campaign's export back; the claims before and after it stay."""
        self._keep(claim.campaign_sn, lambda each: each is not claim)

    def _tidy(self, now: float) -> None:
        for campaign_sn in tuple(self._claims):
            self._keep(campaign_sn, lambda claim: claim.free_at(self._longest_s, now) > now)

    def _keep(self, campaign_sn: str, counts: Callable[[Claim], bool]) -> None:
        claims = tuple(filter(counts, self._claims.pop(campaign_sn, ())))
        if claims:
            self._claims[campaign_sn] = claims
