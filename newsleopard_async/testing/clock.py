"""A clock that the test holds, on asyncio and on trio.

Its rules:

- Time stands still while any task can run, and while a worker thread of anyio is busy.
- When every task is blocked, time jumps to the next timer, which fires. Then the tasks run
  until all are blocked again, before the next timer fires: even two timers of the same
  instant fire one after the other, in the order in which they were set.
- It works without ``async with``: something drives it only while timers are set.
- One event loop at a time; timers that a finished loop left behind are forgotten.

What it cannot see, and may therefore overtake: a socket whose other end is a thread or
another process, a thread started without anyio (``asyncio.to_thread``, a name look-up on
asyncio), and a real ``anyio.sleep``. Both ends of a loopback connection in one event loop
are seen. A test that looks at a waiting state, by ``anyio.wait_all_tasks_blocked``, holds
the clock with ``auto_advance=False`` and moves it by ``advance``.
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
"""Passes of asyncio's loop without a task that can run before all count as blocked.

A future may be resolved by a callback, and that one by another (a cancellation, a socket's
transport): in such a pass no task can run yet, although one soon will.
"""

BUSY_POLL_S: Final = 0.001
"""How often to look again, in real time, while a worker thread is busy."""


@attrs.define(order=True)
class _Timer:
    """Something to happen at an instant; ties go by the order of setting."""

    due_s: float
    number: int
    fire: Callable[[], object] = attrs.field(order=False)
    is_set: bool = attrs.field(default=True, order=False)


class _Timers:
    """What is to happen, by instant, and the time that has passed."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self._heap: list[_Timer] = []
        self._numbers = itertools.count()
        self._set_count = 0

    def __len__(self) -> int:
        return self._set_count

    def set(self, delay_s: float, fire: Callable[[], object]) -> _Timer:
        """Have ``fire`` called so much later."""
        timer = _Timer(self.elapsed_s + delay_s, next(self._numbers), fire)
        heapq.heappush(self._heap, timer)
        self._set_count += 1
        return timer

    def unset(self, timer: _Timer) -> None:
        """Take a timer back; one that has fired is gone already."""
        if not timer.is_set:
            return
        timer.is_set = False
        self._set_count -= 1
        if len(self._heap) > 2 * self._set_count + 64:
            self._heap = [each for each in self._heap if each.is_set]
            heapq.heapify(self._heap)

    def forget_all(self) -> None:
        """Take every timer back."""
        for timer in self._heap:
            timer.is_set = False
        self._heap, self._set_count = [], 0

    def fire_next(self, until_s: float = math.inf) -> bool:
        """Go to the next timer's instant and fire it, unless that is later than ``until_s``."""
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
        start: The wall clock's first reading; aware.
        auto_advance: False leaves all movement to ``advance``.
    """

    def __init__(self, start: datetime = START, *, auto_advance: bool = True) -> None:
        if start.tzinfo is None:
            raise ValueError("start must be an aware datetime")
        self._start = start.astimezone(UTC)
        self._auto_advance = auto_advance
        self._timers = _Timers()
        self._loop: object = None
        self._driver: _Driver | None = None

    def now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC."""
        return self._start + timedelta(seconds=self._timers.elapsed_s)

    def monotonic(self) -> float:
        """Return the virtual seconds since the clock was made."""
        return self._timers.elapsed_s

    def uptime(self) -> float:
        """Return the same as `monotonic`: this clock's machine never sleeps."""
        return self._timers.elapsed_s

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time; a duration of zero or less is one checkpoint."""
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        woken = anyio.Event()
        with self._timer(seconds, woken.set):
            await woken.wait()

    def deadline(self, seconds: float) -> AbstractContextManager[anyio.CancelScope, bool]:
        """Cancel what runs inside after ``seconds`` of virtual time."""
        return _Deadline(self._timer, seconds)

    def advance(self, seconds: float) -> None:
        """Move time by hand; timers fire in order, and tasks run when the caller awaits."""
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"time cannot move by {seconds!r} s")
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
        """Serve the running event loop, and forget what belongs to another one."""
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

    No generator makes it, so that type checkers see that it may swallow the cancellation.
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
    """What makes a clock jump on one event loop, while timers are set."""

    def start(self) -> None:
        """Begin, unless it runs already."""
        ...

    def retire(self) -> None:
        """Never fire again: the clock serves another loop now."""
        ...


class _AsyncioDriver:
    """A chain of callbacks, not a task: nothing to cancel, nothing to leave behind."""

    def __init__(self, timers: _Timers, loop: asyncio.AbstractEventLoop) -> None:
        self._timers = timers
        self._loop = loop
        self._threads = anyio.to_thread.current_default_thread_limiter()
        self._idle_passes = 0
        self._is_running = False
        self._is_retired = False

    def start(self) -> None:
        """Begin, unless it runs already."""
        if not self._is_running:
            self._is_running = True
            self._idle_passes = 0
            self._loop.call_soon(self._pass)

    def retire(self) -> None:
        """Never fire again: the clock serves another loop now."""
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
        # A task that can run is in the loop's queue. It is empty most often; to ask every task,
        # with those that nobody has collected yet, took a fifth of the time of a pipeline's test.
        if not getattr(self._loop, "_ready", True):
            return True
        waiters = (getattr(task, "_fut_waiter", None) for task in asyncio.all_tasks(self._loop))
        return all(waiter is not None and not waiter.done() for waiter in waiters)


class _TrioDriver:
    """A system task, which the run ends by itself."""

    def __init__(self, timers: _Timers) -> None:
        self._timers = timers
        self._threads = anyio.to_thread.current_default_thread_limiter()
        self._is_running = False
        self._is_retired = False

    def start(self) -> None:
        """Begin, unless it runs already."""
        import trio.lowlevel

        if not self._is_running:
            self._is_running = True
            trio.lowlevel.spawn_system_task(self._run)

    def retire(self) -> None:
        """Never fire again: the clock serves another loop now."""
        self._is_retired = True

    async def _run(self) -> None:
        import trio.testing

        while self._timers and not self._is_retired:
            # Twice, so that a test that waits for the same sees the time before the jump.
            await trio.testing.wait_all_tasks_blocked()
            await trio.testing.wait_all_tasks_blocked()
            if self._threads.borrowed_tokens:
                await trio.sleep(BUSY_POLL_S)
            else:
                self._timers.fire_next()
        self._is_running = False
