"""The options of a client, and its usage of the daily quota; durations are in seconds."""

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
"""A limit with this period counts by UTC day; any other period is a sliding window."""


def _is_positive(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) and value > 0


def _check_positive(options: object, *names: str) -> None:
    """Check that all durations and counts are finite and above 0."""
    problems = [
        Problem(name, "positive", f"must be a finite number above 0, not {value!r}")
        for name in names
        if not _is_positive(value := getattr(options, name))
    ]
    if problems:
        raise InvalidRequest(problems)


@attrs.frozen(kw_only=True)
class Timeouts:
    """The longest duration of each wait.

    One attempt at an API request takes at most the sum of the first four, even if its answer is
    slow. An upload or download has no total limit, but must move at least 2,048 bytes per second
    within each `storage_write_s` or `storage_read_s`.

    Attributes:
        connect_s: Time to connect, including TLS.
        read_s: Time between two pieces of an answer.
        write_s: Time to send one piece of a request.
        pool_s: Time until a connection is free.
        submit_s: Time of a whole attempt at a request that must not be repeated.
        storage_read_s: Time from the sent request to the head of the file storage's answer; after
            that, the period in which enough of the body must arrive.
        storage_write_s: The period in which enough of an upload must be sent.
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
    """The retries of a request that can be repeated: exponential backoff with full jitter.

    Attributes:
        max_attempts: Number of attempts; 1 never repeats. Attempts that the gateway refused are
            not counted, because the limiter waits for them.
        max_total_s: Time after the first attempt in which another attempt can begin, without the
            wait for its slot.
        base_s: Upper bound of the first wait; it doubles with each further wait.
        cap_s: Upper bound of any wait.
        retry_after_cap_s: Longest ``Retry-After`` that the call waits for; above it, the call
            raises ``RateLimited`` immediately.
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
    """The rate limits that a client observes.

    Attributes:
        windows: Pairs of (requests, period in seconds); every request counts in each window.
        uplink_s: The longest time that a request needs to reach the server. Two requests can arrive
            closer together by this time; a larger value is safer and slower.
        export_per_campaign_s: Least time between two exports of one campaign; an earlier export is
            refused locally.
        export_every_s: Least time between any two exports; an earlier export waits.
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
            Problem(
                "windows",
                "positive",
                f"has {count} requests in {period_s} s; both must be finite and above 0",
            )
            for count, period_s in self.windows
            if count < 1 or not (math.isfinite(period_s) and period_s > 0)
        ]
        if problems:
            raise InvalidRequest(problems)

    @classmethod
    def documented(cls) -> RateLimits:
        """Return 10 requests per second and 10,000 per day. Source: 速率限制; documented."""
        return cls()

    @classmethod
    def vendor_2026(cls) -> RateLimits:
        """Return 2 requests per second, 300,000 per day, and 10 s between exports.

        Source: the vendor's notes of 2026.
        """
        return cls(windows=((2, 1.0), (300_000, DAY_S)), export_every_s=10.0)


@attrs.frozen(kw_only=True)
class Polling(Plain):
    """The polls of a job at the server, with growing waits, jitter and a deadline.

    Attributes:
        first_s: Wait before the second poll.
        factor: The factor by which each wait is longer than the last.
        max_s: Longest wait between two polls; with a webhook, every wait until it arrives.
        jitter: Share by which each wait varies, up and down.
        deadline_s: Time after which polling stops, even during a poll; the job itself continues.
            The last poll begins at the deadline, and has 5 s, or a tenth of the deadline if less.
        grace_s: Time in which a refused poll of an import means that the server does not know the
            import yet.
        settle_s: Time in which a report must not change before it counts as the newest; also the
            time in which a refused poll of its links means "not ready".
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
            # A smaller factor would poll faster and faster, until the daily quota is exhausted.
            raise InvalidRequest.of("factor", "range", "must be at least 1")
        if not 0 <= self.jitter < 1:
            raise InvalidRequest.of("jitter", "share", "must be at least 0 and below 1")


@attrs.frozen(kw_only=True)
class Usage(Plain):
    """The usage of the daily quota by all clients that share the limits: this process's estimate.

    The platform does not document how it counts. Some requests of the limit are reserved, so
    ``used`` and ``remaining`` do not add up to ``limit``.

    Attributes:
        used: Requests of this UTC day, including those that are being sent.
        limit: The daily quota, or None if the client has no daily limit.
        remaining: Requests that can still be sent, or None if the client has no daily limit.
        resets_at: When the count restarts: the next 00:00 UTC.
    """

    used: int
    limit: int | None
    remaining: int | None
    resets_at: datetime
