"""A clock that the test controls, on asyncio and on trio.

Its rules:

- Time does not move while any task can run, or while a worker thread of anyio is busy.
- When every task is blocked, time jumps to the next timer, which fires. Then the tasks run
  until all are blocked again, before the next timer fires: even two timers of the same
  instant fire one after the other, in the order in which they were set.
- It works without ``async with``, because a driver runs only while timers are set.
- It serves one event loop at a time, and drops the timers of a loop that has finished.

The clock cannot observe, and can therefore overtake: a socket with its other end in a thread or
another process, a thread started without anyio (``asyncio.to_thread``, a name look-up on
asyncio), and a real ``anyio.sleep``. It does observe a loopback connection with both ends in one
event loop. A test that inspects a waiting state, by ``anyio.wait_all_tasks_blocked``, stops the
clock with ``auto_advance=False`` and moves it by ``advance``.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final, Protocol

import anyio
import anyio.lowlevel
import anyio.to_thread
import attrs

__all__ = ["ManualClock"]

START: Final = datetime(2026, 1, 5, 2, tzinfo=UTC)

IDLE_PASSES: Final = 10
"""Passes of asyncio's loop without a runnable task after which all tasks count as blocked.

Chosen: one pass is not enough, because a callback can schedule another one that resolves a future
(a cancellation, a socket's transport); 10 passes allow for a chain of such callbacks.
"""

BUSY_POLL_S: Final = 0.001
"""Real seconds between two checks of a busy worker thread; chosen: short beside any test."""


@attrs.define(order=True)
class _Timer:
    """A function to call at an instant; at the same instant, the order of setting decides."""

    due_s: float
    number: int
    fire: Callable[[], object] = attrs.field(order=False)
    is_set: bool = attrs.field(default=True, order=False)


class _Timers:
    """The timers, by instant, and the time that has passed."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self._heap: list[_Timer] = []
        self._numbers = itertools.count()
        self._set_count = 0

    def __len__(self) -> int:
        return self._set_count

    def set(self, delay_s: float, fire: Callable[[], object]) -> _Timer:
        """Set a timer that calls ``fire`` after a delay."""
        timer = _Timer(self.elapsed_s + delay_s, next(self._numbers), fire)
        heapq.heappush(self._heap, timer)
        self._set_count += 1
        return timer

    def unset(self, timer: _Timer) -> None:
        """Remove a timer, unless it has fired."""
        if not timer.is_set:
            return
        timer.is_set = False
        self._set_count -= 1
        if len(self._heap) > 2 * self._set_count + 64:
            self._heap = [each for each in self._heap if each.is_set]
            heapq.heapify(self._heap)

    def forget_all(self) -> None:
        """Remove all timers."""
        for timer in self._heap:
            timer.is_set = False
        self._heap, self._set_count = [], 0

    def fire_next(self, until_s: float = math.inf) -> bool:
        """Move to the next timer's instant and fire it, unless it is later than ``until_s``."""
        while self._heap and not self._heap[0].is_set:
            heapq.heappop(self._heap)
        if not self._heap or self._heap[0].due_s > until_s:
            return False
        timer = self._heap[0]
        self.unset(timer)
        self.elapsed_s = max(self.elapsed_s, timer.due_s)
        timer.fire()
        return True


class ManualClock:
    """A clock whose time jumps to the next timer when every task is blocked.

    Args:
        start: The first time of the wall clock; aware.
        auto_advance: If False, only ``advance`` moves the time.
    """

    def __init__(self, start: datetime = START, *, auto_advance: bool = True) -> None:
        if start.tzinfo is None:
            raise ValueError("start: must be an aware datetime")
        self._start = start.astimezone(UTC)
        self._auto_advance = auto_advance
        self._timers = _Timers()
        self._loop: object = None
        self._driver: _Driver | None = None

    def now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC."""
        return self._start + timedelta(seconds=self._timers.elapsed_s)

    def monotonic(self) -> float:
        """Return the virtual seconds since the clock was created."""
        return self._timers.elapsed_s

    def uptime(self) -> float:
        """Return the same as `monotonic`: this clock's machine never sleeps."""
        return self._timers.elapsed_s

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time; zero seconds or less are one checkpoint."""
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        woken = anyio.Event()
        with self._timer(seconds, woken.set):
            await woken.wait()

    def deadline(self, seconds: float) -> AbstractContextManager[anyio.CancelScope, bool]:
        """Cancel the body of the context after ``seconds`` of virtual time."""
        return _Deadline(self._timer, seconds)

    def advance(self, seconds: float) -> None:
        """Move time by hand; timers fire in order, and tasks run when the caller awaits."""
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"seconds: must be finite and not negative, not {seconds!r}")
        until_s = self._timers.elapsed_s + seconds
        while self._timers.fire_next(until_s):
            pass
        self._timers.elapsed_s = until_s

    @contextmanager
    def _timer(self, seconds: float, fire: Callable[[], object]) -> Iterator[None]:
        """Keep a timer set for the body's duration, at most until it fires."""
        if not 0 < seconds < math.inf:
            yield
            return
        self._attach()
        timer = self._timers.set(seconds, fire)
        if self._driver is not None:
            self._driver.start()
        try:
            yield
        finally:
            self._timers.unset(timer)

    def _attach(self) -> None:
        """Switch to the running event loop, and drop the timers of another one."""
        loop: object = anyio.lowlevel.current_token().native_token
        if loop is self._loop:
            return
        self._timers.forget_all()
        self._loop = loop
        if not self._auto_advance:
            return
        if self._driver is not None:
            self._driver.retire()
        if isinstance(loop, asyncio.AbstractEventLoop):
            self._driver = _AsyncioDriver(self._timers, loop)
        else:
            self._driver = _TrioDriver(self._timers)


class _Deadline(AbstractContextManager[anyio.CancelScope, bool]):
    """A cancel scope with a virtual deadline.

    It is a class and not a generator, so that type checkers know that it can end a cancellation.
    """

    def __init__(
        self,
        timer: Callable[[float, Callable[[], object]], AbstractContextManager[None]],
        seconds: float,
    ) -> None:
        self._seconds = seconds
        self._scope = anyio.CancelScope()
        self._timer = timer(seconds, self._scope.cancel)

    def __enter__(self) -> anyio.CancelScope:
        self._scope.__enter__()
        self._timer.__enter__()
        if self._seconds <= 0:
            self._scope.cancel()
        return self._scope

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._timer.__exit__(None, None, None)
        return self._scope.__exit__(kind, error, traceback)


class _Driver(Protocol):
    """Fires the timers of a clock on one event loop, while timers are set."""

    def start(self) -> None:
        """Begin, unless the driver is running."""
        ...

    def retire(self) -> None:
        """Never fire again, because the clock now serves another loop."""
        ...


class _AsyncioDriver:
    """A chain of callbacks, because a task would have to be cancelled at the end."""

    def __init__(self, timers: _Timers, loop: asyncio.AbstractEventLoop) -> None:
        self._timers = timers
        self._loop = loop
        self._threads = anyio.to_thread.current_default_thread_limiter()
        self._idle_passes = 0
        self._is_running = False
        self._is_retired = False

    def start(self) -> None:
        if not self._is_running:
            self._is_running = True
            self._idle_passes = 0
            self._loop.call_soon(self._pass)

    def retire(self) -> None:
        self._is_retired = True

    def _pass(self) -> None:
        if self._is_retired or not self._timers:
            self._is_running = False
        elif self._threads.borrowed_tokens:
            self._idle_passes = 0
            self._loop.call_later(BUSY_POLL_S, self._pass)
        else:
            self._count_pass()
            self._loop.call_soon(self._pass)

    def _count_pass(self) -> None:
        self._idle_passes = self._idle_passes + 1 if self._all_blocked() else 0
        if self._idle_passes == IDLE_PASSES:
            self._idle_passes = 0
            self._timers.fire_next()

    def _all_blocked(self) -> bool:
        # A task that can run is in the loop's queue, which is empty in most passes. Checking all
        # tasks, also finished ones before garbage collection, took 20 % of a pipeline's test.
        if not getattr(self._loop, "_ready", True):
            return True
        waiters = (getattr(task, "_fut_waiter", None) for task in asyncio.all_tasks(self._loop))
        return all(waiter is not None and not waiter.done() for waiter in waiters)


class _TrioDriver:
    """A system task, which ends automatically with trio's run."""

    def __init__(self, timers: _Timers) -> None:
        self._timers = timers
        self._threads = anyio.to_thread.current_default_thread_limiter()
        self._is_running = False
        self._is_retired = False

    def start(self) -> None:
        import trio.lowlevel

        if not self._is_running:
            self._is_running = True
            trio.lowlevel.spawn_system_task(self._run)

    def retire(self) -> None:
        self._is_retired = True

    async def _run(self) -> None:
        import trio.testing

        while self._timers and not self._is_retired:
            # Twice, so that a test that waits for the same condition runs before the jump.
            await trio.testing.wait_all_tasks_blocked()
            await trio.testing.wait_all_tasks_blocked()
            if self._threads.borrowed_tokens:
                await trio.sleep(BUSY_POLL_S)
            else:
                self._timers.fire_next()
        self._is_running = False
