"""How much of the day's requests is used."""

from __future__ import annotations

from datetime import datetime

import attrs

from newsleopard_async.plain import Plain

__all__ = ["Usage"]


@attrs.frozen(kw_only=True)
class Usage(Plain):
    """The day's requests as this process counts them: an estimate.

    Other processes with the same key are not seen, and the platform does not say how it
    counts. Some requests of the limit stay in hand, so that ``used`` and ``remaining`` do
    not add up to ``limit``.

    Attributes:
        used: Requests of this UTC day, those on their way included.
        limit: The day's limit, or None where the client has none.
        remaining: Requests that may still go, or None where the client has no limit.
        resets_at: When the count begins anew: the next 00:00 UTC.
    """

    used: int
    limit: int | None
    remaining: int | None
    resets_at: datetime
