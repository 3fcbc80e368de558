"""Several processes over shared limits, as they are seen at the server; in simulated time."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any
from unittest import mock

import anyio
import attrs
import pytest

from newsleopard_async.clock import Clock
from newsleopard_async.errors import DailyQuotaExhausted
from newsleopard_async.models.options import RateLimits
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.limits.books import apply
from newsleopard_async.transport.limits.day import DayCount
from newsleopard_async.transport.limits.limiter import Limiter
from newsleopard_async.transport.limits.queue import LimiterState
from newsleopard_async.transport.limits.quota import Change, Verdict
from newsleopard_async.transport.limits.sharing import SharedLedger

UPLINK_S = 0.150


@attrs.define
class MemoryQuota:
    """Keeps what is shared in memory; each way to it and back takes up to 2 ms."""

    clock: Clock
    kept: dict[str, Any] | None = None
    name: str = "memory"
    calls: int = 0
    is_first: bool = True

    async def update(self, change: Change) -> Verdict:
        """Apply a change."""
        self.calls += 1
        await self.clock.sleep(random.uniform(0, 0.002))
        now, wall = self.clock.monotonic(), self.clock.now()
        self.kept, verdict = apply(self.kept, change, now, wall, is_first=self.is_first)
        await self.clock.sleep(random.uniform(0, 0.002))
        return verdict

    def close(self) -> None:
        """Nothing is open."""


@attrs.define
class Fleet:
    """Processes that share a key.

    Attributes:
        jitter_s: The longest that a request takes to the server.
        answer_s: How long the server takes.
        arrivals: When a request reached the server, and of which process.
    """

    jitter_s: float
    answer_s: float
    clock: ManualClock = attrs.field(factory=ManualClock)
    quota: MemoryQuota = attrs.field(
        default=attrs.Factory(lambda self: MemoryQuota(self.clock), takes_self=True)
    )
    arrivals: list[tuple[float, int]] = attrs.field(factory=list)

    def process(self, limits: RateLimits | None = None) -> Limiter:
        """Start a process."""
        ledger = SharedLedger(self.quota, self.clock, DayCount(), has_day=True)
        state = LimiterState(self.clock, ledger=ledger)
        return Limiter(limits or RateLimits(), state, self.clock)

    async def send(self, limiter: Limiter, number: int) -> None:
        """Take a request to the server and its answer back."""
        slot = await limiter.acquire()
        await self.clock.sleep(0.001)
        slot.sent()
        await self.clock.sleep(random.uniform(0, self.jitter_s))
        self.arrivals.append((self.clock.monotonic(), number))
        await self.clock.sleep(self.answer_s)
        slot.answered()
        limiter.accepted()

    async def run(self, *requests: int) -> None:
        """Send so many requests of each process at once."""
        async with anyio.create_task_group() as tasks:
            for number, count in enumerate(requests):
                limiter = self.process()
                for _ in range(count):
                    tasks.start_soon(self.send, limiter, number)

    @property
    def violations(self) -> int:
        """How many requests arrived as the eleventh within a second."""
        times = sorted(at for at, _ in self.arrivals)
        return sum(later - at < 1 for at, later in zip(times, times[10:], strict=False))

    @property
    def use(self) -> float:
        """Which share of ten requests a second arrived."""
        times = sorted(at for at, _ in self.arrivals)
        return (len(times) - 10) / (times[-1] - times[0]) / 10

    @property
    def fairness(self) -> float:
        """Jain's index over the processes, of the first half: 1 if all had as much."""
        first = sorted(self.arrivals)[: len(self.arrivals) // 2]
        counts = Counter(number for _, number in first).values()
        processes = len({number for _, number in self.arrivals})
        return sum(counts) ** 2 / (processes * sum(count**2 for count in counts))

    @property
    def calls(self) -> float:
        """How many calls of the store a request took."""
        return self.quota.calls / len(self.arrivals)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("processes", "jitter_s", "answer_s", "least_use", "most_calls"),
    [
        pytest.param(4, 0.0, 0.0, 0.95, 1.6, id="4-quick"),
        pytest.param(4, 0.03, 0.03, 0.83, 1.6, id="4-jitter"),
        pytest.param(4, UPLINK_S, 0.1, 0.83, 1.6, id="4-slow"),
        pytest.param(4, 0.0, 1.0, 0.83, 1.6, id="4-slow-server"),
        pytest.param(16, 0.0, 0.0, 0.8, 3.0, id="16-quick"),
        pytest.param(16, 0.03, 0.03, 0.8, 3.0, id="16-jitter"),
    ],
)
async def test_processes_keep_the_limit_together_and_use_it(
    processes: int, jitter_s: float, answer_s: float, least_use: float, most_calls: float
) -> None:
    """No eleventh request within a second; little is given away, and to each its part."""
    random.seed(processes)
    fleet = Fleet(jitter_s, answer_s)

    await fleet.run(*[160 // processes] * processes)

    assert (len(fleet.arrivals), fleet.violations) == (160, 0)
    assert fleet.use >= least_use
    assert fleet.calls <= most_calls
    assert fleet.fairness >= 0.9


@pytest.mark.anyio
async def test_permit_that_is_given_back_is_no_request_of_the_day() -> None:
    """The day's last request goes to another process, which waits for it to be known."""
    fleet = Fleet(0.0, 0.0)
    limits = RateLimits(windows=((10, 1.0), (100, 86_400.0)))
    first, second = fleet.process(limits), fleet.process(limits)
    for _ in range(99):
        await fleet.send(first, 1)
    last = await first.acquire()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fleet.send, second, 2)
        await fleet.clock.sleep(2)
        last.give_back()

    assert [number for _, number in fleet.arrivals].count(2) == 1
    with pytest.raises(DailyQuotaExhausted):
        await first.acquire()


@pytest.mark.anyio
async def test_report_that_fails_beside_all_calls_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A client of the caller's may raise anything, and nobody awaits what reports."""
    fleet = Fleet(0.0, 0.0)
    limiter = fleet.process()
    slot = await limiter.acquire()

    with mock.patch.object(MemoryQuota, "update", side_effect=RuntimeError("the loop is closed")):
        slot.sent()
        await fleet.clock.sleep(1)

    assert "could not be reported" in caplog.text
    await limiter.report()
    assert fleet.quota.kept is not None
    assert fleet.quota.kept["places"][0][3] is True
