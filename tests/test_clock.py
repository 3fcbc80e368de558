"""The elapsed time is correct, even if one of the clocks stops."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Any

import pytest

from newsleopard_async.clock import Stopwatch, SystemClock
from newsleopard_async.testing import ManualClock


class Steps(ManualClock):
    """A clock whose readings a test sets separately; without ``uptime`` if that is None."""

    def __init__(self, uptime_s: float | None = 0.0) -> None:
        super().__init__()
        self.wall_s, self.monotonic_s, self.uptime_s = 0.0, 0.0, uptime_s

    def now(self) -> datetime:
        """Return the wall clock's time."""
        return super().now() + timedelta(seconds=self.wall_s)

    def monotonic(self) -> float:
        """Return what the test says."""
        return self.monotonic_s

    def uptime(self) -> Any:
        """Return what the test says."""
        return self.uptime_s


@pytest.mark.parametrize(
    ("wall_s", "monotonic_s", "uptime_s", "elapsed_s"),
    [
        pytest.param(3, 3, 3, 3, id="nothing stood still"),
        pytest.param(60, 1, 60, 60, id="suspended"),
        pytest.param(-3600, 1, 60, 60, id="suspended, and the wall clock was set back"),
        pytest.param(60, 1, 1, 60, id="a virtual machine was paused"),
        pytest.param(-3600, 7, None, 7, id="no uptime, and the wall clock was set back"),
        pytest.param(60, 1, None, 60, id="no uptime, and suspended"),
    ],
)
def test_longest_time_of_the_clocks_counts(
    wall_s: float, monotonic_s: float, uptime_s: float | None, elapsed_s: float
) -> None:
    """If the time is too long, it costs an attempt; if it is too short, a campaign."""
    clock = Steps(None if uptime_s is None else 100.0)
    watch = Stopwatch.start(clock)

    clock.wall_s, clock.monotonic_s = wall_s, monotonic_s
    clock.uptime_s = None if uptime_s is None else 100.0 + uptime_s

    assert watch.elapsed_s == elapsed_s


def test_clock_of_a_caller_needs_no_uptime() -> None:
    """It is optional: the larger step of wall clock and monotonic clock counts."""
    clock = SystemClock()

    class Plain:
        now, monotonic, sleep, deadline = clock.now, clock.monotonic, clock.sleep, clock.deadline

    assert 0 <= Stopwatch.start(Plain()).elapsed_s < 60


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32", "sunos5"])
def test_uptime_of_the_system_is_there_or_is_none(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no clock counts the sleep of the machine, no other clock replaces it."""
    monkeypatch.setattr(sys, "platform", platform)

    uptime_s = SystemClock().uptime()

    assert (uptime_s is None) == (platform == "sunos5")
    assert 0 <= Stopwatch.start(SystemClock()).elapsed_s < 60


def test_manual_clock_has_an_uptime() -> None:
    """Its machine never sleeps."""
    clock = ManualClock()
    watch = Stopwatch.start(clock)

    clock.advance(7)

    assert clock.uptime() == clock.monotonic() == watch.elapsed_s == 7
