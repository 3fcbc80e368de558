"""The clock that a test holds, on asyncio and on trio."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta, timezone

import anyio
import anyio.abc
import anyio.lowlevel
import anyio.to_thread
import pytest

from newsleopard_async.clock import Clock
from newsleopard_async.testing import ManualClock

pytestmark = pytest.mark.anyio

HOUR_S = 3_600.0


async def test_sleep_of_an_hour_costs_no_real_time() -> None:
    """A long wait takes its virtual length, and milliseconds of the machine's time."""
    clock: Clock = ManualClock()
    began = time.perf_counter()

    await clock.sleep(HOUR_S)

    assert clock.monotonic() == HOUR_S
    assert time.perf_counter() - began < 1.0


async def test_wall_clock_moves_with_the_virtual_time() -> None:
    """now() is aware, in UTC, and as far on as monotonic()."""
    start = datetime(2026, 3, 1, 9, tzinfo=timezone(timedelta(hours=8)))
    clock = ManualClock(start)

    await clock.sleep(90)

    assert clock.now() == start + timedelta(seconds=90)
    assert clock.now().tzinfo is UTC


async def test_sleepers_wake_in_order_of_their_instants() -> None:
    """The order of the instants decides, not the order in which the tasks began to sleep."""
    clock = ManualClock(auto_advance=False)
    woken: list[float] = []

    async def sleeper(duration_s: float) -> None:
        await clock.sleep(duration_s)
        woken.append(duration_s)

    async with anyio.create_task_group() as tasks:
        for duration_s in (3.0, 1.0, 2.0):
            tasks.start_soon(sleeper, duration_s)
        for _ in range(3):
            await anyio.wait_all_tasks_blocked()
            clock.advance(1)

    assert woken == [1.0, 2.0, 3.0]


async def test_sleepers_of_one_instant_wake_in_order_of_setting() -> None:
    """Two timers of the same instant fire in the order in which they were set."""
    clock = ManualClock()
    order: list[int] = []

    async def sleeper(number: int) -> None:
        await clock.sleep(5)
        order.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(sleeper, number)
            await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()

    assert order == list(range(20))
    assert clock.monotonic() == 5


async def test_tasks_run_until_blocked_before_the_next_jump() -> None:
    """What a waking sets off, however many turns it takes, happens before time moves on."""
    clock = ManualClock()
    finished_at: list[float] = []

    async def worker() -> None:
        await clock.sleep(1)
        for _ in range(200):
            await anyio.lowlevel.checkpoint()
        finished_at.append(clock.monotonic())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker)
        tasks.start_soon(clock.sleep, 1.5)

    assert finished_at == [1.0]


async def test_messages_between_tasks_take_no_virtual_time() -> None:
    """A chain of hand-overs between blocked tasks is followed to its end before a jump."""
    clock = ManualClock()
    sends, receives = zip(
        *(anyio.create_memory_object_stream[int](0) for _ in range(30)), strict=True
    )
    arrived_at: list[float] = []

    async def relay(number: int) -> None:
        async with receives[number] as source, sends[number + 1] as target:
            await target.send(await source.receive())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.sleep, 1)
        for number in range(29):
            tasks.start_soon(relay, number)
        async with sends[0], receives[29]:
            await sends[0].send(1)
            await receives[29].receive()
            arrived_at.append(clock.monotonic())

    assert arrived_at == [0.0]


@pytest.mark.parametrize("duration_s", [0, -1])
async def test_sleep_of_nothing_is_a_checkpoint_without_time(duration_s: float) -> None:
    """A duration of zero or less lets others run and moves no time."""
    clock = ManualClock()
    ran: list[bool] = []

    async def other() -> None:
        ran.append(True)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        while not ran:
            await clock.sleep(duration_s)

    assert clock.monotonic() == 0.0


async def test_deadline_cancels_what_runs_past_it() -> None:
    """The scope is cancelled at the virtual deadline, and says so."""
    clock = ManualClock()

    with clock.deadline(60) as scope:
        await anyio.sleep_forever()

    assert scope.cancelled_caught
    assert clock.monotonic() == 60.0


async def test_deadline_that_is_met_leaves_no_timer() -> None:
    """A body that ends in time is not cancelled, and the clock does not wait for its deadline."""
    clock = ManualClock()

    with clock.deadline(60) as scope:
        await clock.sleep(5)
    await clock.sleep(1)

    assert not scope.cancel_called
    assert clock.monotonic() == 6.0


async def test_deadline_in_the_past_cancels_at_once() -> None:
    """No time left means cancelled at the first await."""
    clock = ManualClock()

    with clock.deadline(0) as scope:
        await anyio.sleep_forever()

    assert scope.cancelled_caught
    assert clock.monotonic() == 0.0


async def test_deadline_without_end_never_cancels() -> None:
    """An infinite deadline sets no timer, so time never jumps to it."""
    clock = ManualClock()

    with clock.deadline(float("inf")) as scope:
        await clock.sleep(HOUR_S)

    assert not scope.cancel_called
    assert clock.monotonic() == HOUR_S


async def test_deadlines_nest_and_the_nearer_one_wins() -> None:
    """An inner scope that outlives the outer one is cancelled from outside."""
    clock = ManualClock()

    with clock.deadline(1) as outer, clock.deadline(2) as inner:
        await clock.sleep(3)

    assert outer.cancelled_caught
    assert not inner.cancel_called


async def test_deadline_and_sleep_of_one_instant_go_by_order_of_setting() -> None:
    """The deadline was set before the sleep inside it, so it wins the tie."""
    clock = ManualClock()

    with clock.deadline(5) as scope:
        await clock.sleep(5)

    assert scope.cancelled_caught


async def test_cancelled_sleeper_leaves_no_timer() -> None:
    """Time does not jump to the instant of a sleeper that has gone."""
    clock = ManualClock()

    with clock.deadline(1):
        await clock.sleep(HOUR_S)
    await clock.sleep(HOUR_S * 2)

    assert clock.monotonic() == 1 + HOUR_S * 2


async def test_many_deadlines_met_do_not_pile_up() -> None:
    """Timers that were taken back are dropped, even those far in the future."""
    clock = ManualClock()

    for _ in range(1_000):
        with clock.deadline(HOUR_S):
            pass

    assert len(clock._timers._heap) < 100


async def test_busy_worker_thread_is_not_overtaken() -> None:
    """A virtual minute does not pass while a thread works for 30 real milliseconds."""
    clock = ManualClock()

    with clock.deadline(60) as scope:
        await anyio.to_thread.run_sync(time.sleep, 0.03)

    assert not scope.cancel_called
    assert clock.monotonic() == 0.0


async def test_loopback_connection_in_one_loop_is_not_overtaken() -> None:
    """Bytes between two sockets of the same event loop arrive before time jumps."""
    clock = ManualClock()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)

    async def echo(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            for _ in range(20):
                await stream.send(await stream.receive())

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, echo)
        with clock.deadline(60) as scope:
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                for _ in range(20):
                    await stream.send(b"?")
                    await stream.receive()
        tasks.cancel_scope.cancel()

    assert not scope.cancel_called


async def test_held_clock_moves_only_by_hand() -> None:
    """Without auto_advance the tasks wait until advance() passes their instant."""
    clock = ManualClock(auto_advance=False)
    woken: list[float] = []

    async def sleeper() -> None:
        await clock.sleep(10)
        woken.append(clock.monotonic())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sleeper)
        await anyio.wait_all_tasks_blocked()
        clock.advance(9)
        await anyio.wait_all_tasks_blocked()
        early = list(woken)
        clock.advance(1)

    assert early == []
    assert woken == [10.0]


async def test_advance_fires_deadlines_in_order() -> None:
    """Everything that became due is fired by one advance, the earliest first."""
    clock = ManualClock(auto_advance=False)

    with clock.deadline(2) as late, clock.deadline(1) as early:
        clock.advance(1.5)
        states = early.cancel_called, late.cancel_called
        clock.advance(1)

    assert states == (True, False)
    assert late.cancel_called


async def test_wait_for_blocked_tasks_sees_the_time_before_the_jump() -> None:
    """A test that waits until all tasks are blocked runs before the clock jumps."""
    clock = ManualClock()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.sleep, 5)
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        await anyio.wait_all_tasks_blocked()
        seen_at = clock.monotonic()

    assert seen_at == 0.0


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
async def test_advance_backwards_or_without_end_is_refused(seconds: float) -> None:
    """Time moves forward by a finite amount or not at all."""
    clock = ManualClock()

    with pytest.raises(ValueError, match="seconds: "):
        clock.advance(seconds)


async def test_naive_start_is_refused() -> None:
    """A start without a time zone is not an instant."""
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2026, 1, 1))  # noqa: DTZ001 - the naive datetime is the subject


def test_one_clock_serves_several_loops_in_turn() -> None:
    """Time goes on from loop to loop, whichever library runs them."""
    clock = ManualClock()

    for backend in ("asyncio", "trio", "asyncio"):
        anyio.run(clock.sleep, HOUR_S, backend=backend)

    assert clock.monotonic() == 3 * HOUR_S


def test_timers_of_another_loop_are_forgotten() -> None:
    """A sleeper that its loop left behind is not woken by the next loop's time."""
    clock = ManualClock()
    loop = asyncio.new_event_loop()
    abandoned = loop.create_task(clock.sleep(1))
    loop.run_until_complete(asyncio.sleep(0))

    anyio.run(clock.sleep, HOUR_S)

    assert clock.monotonic() == HOUR_S
    assert not abandoned.done()
    abandoned.cancel()
    loop.run_until_complete(asyncio.wait([abandoned]))
    loop.close()


@pytest.mark.slow
def test_asyncio_needs_no_trio() -> None:
    """On asyncio the clock works without trio, which is optional."""
    code = (
        "import sys, anyio; sys.modules['trio'] = None\n"
        "from newsleopard_async.testing import ManualClock\n"
        "anyio.run(ManualClock().sleep, 60)\n"
    )

    finished = anyio.run(anyio.run_process, [sys.executable, "-c", code])

    assert finished.returncode == 0
