"""At the server: no sliding window ever holds more arrivals than the limit allows."""

from __future__ import annotations

from itertools import pairwise

import anyio
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsleopard_async.models.options import RateLimits
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.limits.limiter import Limiter
from newsleopard_async.transport.limits.queue import RequestQueue

pytestmark = pytest.mark.slow

UPLINK_S = 0.150


@attrs.frozen
class Trip:
    """One request's way, in seconds.

    Attributes:
        pause_s: After the one before asked for its slot.
        writing_s: From the slot to the last byte.
        uplink_s: From there to the server.
        serving_s: From there to the answer; None if no answer comes.
        is_traced: Whether the transport says when the last byte left.
        is_abandoned: Whether it is given up before anything is sent.
    """

    pause_s: float
    writing_s: float
    uplink_s: float
    serving_s: float | None
    is_traced: bool
    is_abandoned: bool


TRIPS = st.builds(
    Trip,
    pause_s=st.sampled_from([0.0, 0.0, 0.01, 0.3, 1.0]) | st.floats(0, 2),
    writing_s=st.just(0.0) | st.floats(0, 0.5),
    uplink_s=st.sampled_from([0.0, UPLINK_S]) | st.floats(0, UPLINK_S),
    serving_s=st.none() | st.sampled_from([0.0, 0.1, 1.0]) | st.floats(0, 3),
    is_traced=st.booleans(),
    is_abandoned=st.sampled_from([False, False, False, True]),
)


async def travel(clock: ManualClock, limiter: Limiter, trip: Trip, arrivals: list[float]) -> None:
    """Take a request to the server and its answer back."""
    slot = await limiter.acquire()
    await clock.sleep(trip.writing_s)
    if trip.is_abandoned:
        slot.give_back()
        return
    if trip.is_traced:
        slot.sent()
    await clock.sleep(trip.uplink_s)
    arrivals.append(clock.monotonic())
    await clock.sleep(1.0 if trip.serving_s is None else trip.serving_s)
    if trip.serving_s is None:
        slot.lost()
    else:
        slot.answered()


async def arrive(limits: RateLimits, trips: list[Trip]) -> list[float]:
    """Send requests on their way; return when they reached the server."""
    clock = ManualClock()
    limiter = Limiter(limits, RequestQueue(clock), clock)
    arrivals: list[float] = []
    async with anyio.create_task_group() as tasks:
        for trip in trips:
            await clock.sleep(trip.pause_s)
            tasks.start_soon(travel, clock, limiter, trip, arrivals)
    return sorted(arrivals)


def fullest_window(arrivals: list[float], period_s: float) -> int:
    """Return the largest number of arrivals in any half-open window of the period."""
    return max(
        (sum(begin <= at < begin + period_s for at in arrivals) for begin in arrivals), default=0
    )


@pytest.mark.anyio
@given(trips=st.lists(TRIPS, max_size=25), count=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
async def test_no_window_at_the_server_holds_more_than_the_limit(
    trips: list[Trip], count: int
) -> None:
    """With any pauses, and any jitter up to the uplink's bound and the server's time."""
    limits = RateLimits(windows=((count, 1), (count + 2, 3)), uplink_s=UPLINK_S)

    arrivals = await arrive(limits, trips)

    assert len(arrivals) == sum(not trip.is_abandoned for trip in trips)
    assert fullest_window(arrivals, 1) <= count
    assert fullest_window(arrivals, 3) <= count + 2


@pytest.mark.anyio
async def test_queued_requests_use_what_the_limit_allows() -> None:
    """With an idle network and a quick server, nothing but the margin is given away."""
    trip = Trip(0.0, 0.0, 0.0, 0.0, is_traced=True, is_abandoned=False)

    arrivals = await arrive(RateLimits(windows=((10, 1),)), [trip] * 200)

    assert arrivals[-1] == pytest.approx(19 * 1.005)
    assert max(later - earlier for earlier, later in pairwise(arrivals)) < 1.01
