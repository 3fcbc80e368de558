"""The emulator's own clock: it follows the machine's, and can be held, moved and made faster."""

from __future__ import annotations

import math
import threading
import time
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from newsleopard_async.emulator import Emulator, EmulatorClock
from newsleopard_async.emulator.platform.clock import LAST

START = datetime(2026, 1, 5, 2, tzinfo=UTC)
HOUR_S = 3_600.0


def test_it_follows_the_clock_of_the_machine() -> None:
    """By default an emulator lives at the present."""
    clock = Emulator().clock

    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)


def test_held_time_stands_still_and_the_limits_do_not() -> None:
    """A client waits by its own clock, and is not refused for ever."""
    clock = EmulatorClock(START, is_held=True)
    before_s = clock.monotonic()
    while clock.monotonic() == before_s:
        pass

    assert clock.now() == START
    assert clock.is_held


def test_advance_moves_both_readings() -> None:
    """A day later, the day's quota is back."""
    clock = EmulatorClock(START, is_held=True)
    before_s = clock.monotonic()

    clock.advance(24 * HOUR_S)

    assert clock.now() == START + timedelta(days=1)
    assert clock.monotonic() - before_s >= 24 * HOUR_S


def test_time_goes_on_from_where_it_was_held() -> None:
    """To hold and to run loses and wins no time."""
    clock = EmulatorClock(START, is_held=True)
    clock.run()
    clock.hold()
    held = clock.now()

    clock.run(speed=1_000.0)

    assert START <= held < START + timedelta(seconds=5)
    assert held <= clock.now() < held + timedelta(seconds=5_000)
    assert not clock.is_held


def test_speed_is_that_of_both_readings() -> None:
    """At a thousandfold speed the windows of the limits pass as fast."""
    clock = EmulatorClock(START, speed=1_000.0)
    began_s = time.monotonic()
    while time.monotonic() - began_s < 0.01:
        pass

    assert clock.now() - START >= timedelta(seconds=9)
    assert clock.monotonic() >= 9


def test_slow_time_does_not_slow_the_limits() -> None:
    """Otherwise a client that keeps to ten a second would be refused."""
    clock = EmulatorClock(START, speed=0.001)
    began_s, before_s = time.monotonic(), clock.monotonic()
    while time.monotonic() - began_s < 0.01:
        pass

    assert clock.monotonic() - before_s >= 0.009
    assert clock.now() - START < timedelta(seconds=1)


@pytest.mark.anyio
async def test_sleeper_notices_that_time_was_moved() -> None:
    """A task that sleeps an hour of a held clock wakes after the hour."""
    clock = EmulatorClock(START, is_held=True)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(clock.sleep, HOUR_S)
            await anyio.wait_all_tasks_blocked()

            threading.Thread(target=clock.advance, args=(HOUR_S,)).start()

    assert clock.now() == START + timedelta(hours=1)


@pytest.mark.anyio
async def test_sleep_of_nothing_is_a_checkpoint() -> None:
    """This is also true if the time is held."""
    with anyio.fail_after(10):
        await EmulatorClock(is_held=True).sleep(0)


@pytest.mark.parametrize("speed", [0.0, -1.0, math.inf, math.nan, 1e7])
def test_impossible_speed_is_refused(speed: float) -> None:
    """The error names the argument and what it may be."""
    with pytest.raises(ValueError, match="speed: must be above 0"):
        EmulatorClock(speed=speed)
    with pytest.raises(ValueError, match="speed: "):
        EmulatorClock().run(speed=speed)


@pytest.mark.parametrize("seconds", [-1.0, math.inf, math.nan, 1e12])
def test_impossible_advance_is_refused(seconds: float) -> None:
    """Time never goes back, and has an end."""
    clock = EmulatorClock(START, is_held=True)

    with pytest.raises(ValueError, match="seconds: must be from 0"):
        clock.advance(seconds)
    assert clock.now() == START


def test_time_ends_before_the_calendar_does() -> None:
    """What is due later needs a date, too."""
    clock = EmulatorClock(LAST - timedelta(days=1), speed=1_000_000.0)
    deadline_s = time.monotonic() + 10

    with pytest.raises(ValueError, match="ends at 9000-01-01"):
        clock.advance(2 * 24 * HOUR_S)
    while clock.now() < LAST and time.monotonic() < deadline_s:  # a day takes 0.1 s
        pass
    assert clock.now() == LAST


def test_start_needs_a_zone() -> None:
    """A naive time could be anybody's."""
    with pytest.raises(ValueError, match="aware"):
        EmulatorClock(datetime(2026, 1, 5))  # noqa: DTZ001 - that is the point
