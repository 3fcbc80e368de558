"""What a caller may tune, as plain values, and the count of the day; durations are in seconds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import attrs

from newsleopard_async.errors import InvalidRequest, Problem
from newsleopard_async.plain import Plain

__all__ = ["Polling", "RateLimits", "RetryPolicy", "Timeouts", "Usage"]

DAY_S: Final = 86_400.0
"""A limit over this period counts by UTC day; over any other, by a sliding window."""


def _is_positive(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) and value > 0


def _check_positive(options: object, *names: str) -> None:
    """Refuse durations and counts that are not finite and above zero, all at once."""
    problems = [
        Problem(name, "positive", f"must be a finite number above 0, not {value!r}")
        for name in names
        if not _is_positive(value := getattr(options, name))
    ]
    if problems:
        raise InvalidRequest(problems)


@attrs.frozen(kw_only=True)
class Timeouts:
    """How long each wait may last.

    One attempt at an API request takes at most the sum of the first four, however slowly its
    answer comes. An upload or a download may take any time, as long as it moves: at least
    2,048 bytes a second within each `storage_write_s` or `storage_read_s`.

    Attributes:
        connect_s: To connect, TLS included.
        read_s: Between two pieces of an answer.
        write_s: For one piece of a request to leave.
        pool_s: For a connection to become free.
        submit_s: The whole of an attempt that must not be repeated.
        storage_read_s: For the head of an answer of the file storage to come once the request
            has left; then for enough of its body.
        storage_write_s: For enough of an upload to leave.
    """

    connect_s: float = 10.0
    read_s: float = 30.0
    write_s: float = 30.0
    pool_s: float = 30.0
    submit_s: float = 60.0
    storage_read_s: float = 120.0
    storage_write_s: float = 120.0

    def __attrs_post_init__(self) -> None:
        _check_positive(self, *attrs.fields_dict(Timeouts))


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How a request that may be repeated is repeated: exponential backoff, full jitter.

    Attributes:
        max_attempts: Attempts in all; 1 never repeats. Those that the gateway refused are
            waited out by the limiter and not counted.
        max_total_s: No attempt begins later than this after the first, the wait for its turn
            apart.
        base_s: Upper bound of the first wait; it doubles with every further one.
        cap_s: Upper bound of any wait.
        retry_after_cap_s: Longest ``Retry-After`` that is waited for; above it the call
            raises ``RateLimited`` at once.
    """

    max_attempts: int = 5
    max_total_s: float = 120.0
    base_s: float = 0.5
    cap_s: float = 20.0
    retry_after_cap_s: float = 60.0

    def __attrs_post_init__(self) -> None:
        _check_positive(self, *attrs.fields_dict(RetryPolicy))


def _as_windows(windows: Iterable[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    return tuple((int(count), float(period_s)) for count, period_s in windows)


@attrs.frozen
class RateLimits:
    """How many requests may reach the platform, and how fast.

    Attributes:
        windows: Pairs of (requests, period in seconds); every request counts against each.
        uplink_s: The longest that a request may be on its way to the server. It bounds how
            far two arrivals can move together; a larger value is safer and slower.
        export_per_campaign_s: Exports of one campaign nearer than this are refused locally.
        export_every_s: Exports of any campaign keep this distance, and are waited for.
    """

    windows: tuple[tuple[int, float], ...] = attrs.field(
        default=((10, 1.0), (10_000, DAY_S)),
        converter=_as_windows,
    )
    uplink_s: float = attrs.field(default=0.150, kw_only=True)
    export_per_campaign_s: float = attrs.field(default=3_600.0, kw_only=True)
    export_every_s: float | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        problems = [
            Problem("windows", "positive", f"{count} in {period_s} s is no limit")
            for count, period_s in self.windows
            if count < 1 or not (math.isfinite(period_s) and period_s > 0)
        ]
        if problems:
            raise InvalidRequest(problems)

    @classmethod
    def documented(cls) -> RateLimits:
        """10 requests a second and 10,000 a day. Source: 速率限制; documented."""
        return cls()

    @classmethod
    def vendor_2026(cls) -> RateLimits:
        """2 a second, 300,000 a day, an export every 10 s. Source: the vendor's notes of 2026."""
        return cls(windows=((2, 1.0), (300_000, DAY_S)), export_every_s=10.0)


@attrs.frozen(kw_only=True)
class Polling(Plain):
    """How a job at the server is watched: ever slower, with jitter, and never for ever.

    Attributes:
        first_s: Wait before the second look.
        factor: Each wait is so many times the last.
        max_s: Longest wait between two looks; every wait is that long until a webhook comes.
        jitter: Share by which each wait varies, up and down.
        deadline_s: When to stop looking, even while a look is on its way; the job itself goes
            on. The last look begins at the deadline, and has 5 s, or a tenth of it if less.
        grace_s: How long a refused look at an import means that the server does not know it yet.
        settle_s: How long a report that does not change is watched before it is taken as
            the newest there is; and how long a refused look at its links means "not ready".
    """

    first_s: float = 5.0
    factor: float = 1.5
    max_s: float = 60.0
    jitter: float = 0.1
    deadline_s: float = 3_600.0
    grace_s: float = 60.0
    settle_s: float = 300.0

    def __attrs_post_init__(self) -> None:
        _check_positive(self, "first_s", "factor", "max_s", "deadline_s", "grace_s", "settle_s")
        if self.factor < 1:
            # Ever faster, until the day's quota is gone.
            raise InvalidRequest.of("factor", "range", "must be at least 1")
        if not 0 <= self.jitter < 1:
            raise InvalidRequest.of("jitter", "share", "must be at least 0 and below 1")


@attrs.frozen(kw_only=True)
class Usage(Plain):
    """The day's requests of all who share the limits, as this process last saw them: an estimate.

    The platform does not say how it counts. Some requests of the limit stay in hand, so that
    ``used`` and ``remaining`` do not add up to ``limit``.

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
