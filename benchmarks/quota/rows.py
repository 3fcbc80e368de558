"""The rows of the table: the work of a fleet, the events during it, and its goals."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, Protocol

import attrs

from benchmarks.quota.backends import ALONE, BACKENDS, HOST, PYRATE_ON_REDIS, REDIS, Backend

__all__ = ["Fleet", "Row", "rows"]

D_MS: Final = 150
"""The longest network delay that the limits allow for by default."""

SHARED: Final = (HOST, REDIS)


class Fleet(Protocol):
    """The objects that an event can change."""

    @property
    def backend(self) -> Backend: ...

    @property
    def processes(self) -> Sequence[asyncio.subprocess.Process]: ...


Event = Callable[[Fleet], Awaitable[None]]


@attrs.frozen(kw_only=True)
class Row:
    """A fleet of processes with one key.

    Attributes:
        backend: The backend that shares its quota. title: The name of the event. jitter_ms: The
        longest network delay of a request. serving_ms: The time from the arrival to the answer.
        demand: The requests of each process. loops: The number of tasks of a process that send in
        sequence; 0 sends all together. polls: The polls of each process, in addition to its
        requests. day: The daily limit of requests.
        cancel_after_s: When every second call is cancelled.
        refuse: How many of the first requests the gateway refuses.
        event: An event during the run.
        fakes_clock: Whether the event moves the wall clock.
        unlike: Processes that differ from the others, and do not count for the fairness.
        wanted_use: The least use, or None without a goal. wanted_calls: The most calls of the store
        for each request that arrived. wanted_jain: The least fairness, or None without a goal.
        wanted_ends: The number of calls by their end; None: all "ok", except the cancelled ones.
    """

    backend: str
    title: str
    jitter_ms: int = 0
    serving_ms: int = 0
    demand: tuple[int, ...] = (40,) * 4
    loops: int = 0
    polls: int = 0
    day: int | None = None
    cancel_after_s: float | None = None
    refuse: int = 0
    event: Event | None = None
    fakes_clock: bool = False
    unlike: tuple[int, ...] = ()
    wanted_use: float | None = None
    wanted_calls: float | None = None
    wanted_jain: float | None = None
    wanted_ends: dict[str, int] | None = None
    may_fail: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.backend}: {self.title}"

    @property
    def is_judged(self) -> bool:
        """Whether its goals apply: the quota is shared, by our own limiter."""
        return self.backend in SHARED


def rows(*, quick: bool) -> Iterator[Row]:
    """Yield the rows of the table; the rows of the quick table take a minute."""
    if quick:
        yield from _quick()
        return
    for jitter_ms in (0, 30, D_MS):
        for serving_ms in (0, 100, 1_000):
            for backend in BACKENDS:
                yield _steady(backend, jitter_ms, serving_ms)
    for backend in SHARED:
        for jitter_ms, serving_ms in ((0, 0), (D_MS, 0), (0, 100)):
            yield _one_after_the_other(backend, jitter_ms, serving_ms)
        yield from _events(backend)
    yield Row(backend=PYRATE_ON_REDIS, title="restarted, empty", event=_restart)


def _quick() -> Iterator[Row]:
    for backend in (ALONE, PYRATE_ON_REDIS):
        yield attrs.evolve(_steady(backend, D_MS, 100), demand=(15,) * 4)
    for backend in SHARED:
        yield attrs.evolve(_steady(backend, 0, 0), demand=(20,) * 4)
        yield attrs.evolve(_steady(backend, D_MS, 100), demand=(20,) * 4)
        yield attrs.evolve(next(_events(backend)), demand=(20,) * 4)


def _steady(backend: str, jitter_ms: int, serving_ms: int) -> Row:
    return Row(
        backend=backend,
        title=f"jitter {jitter_ms} ms, answer {serving_ms} ms",
        jitter_ms=jitter_ms,
        serving_ms=serving_ms,
        wanted_use=0.95 if not jitter_ms and not serving_ms else 0.83,
        wanted_calls=1.6,
        wanted_jain=0.9,
    )


def _one_after_the_other(backend: str, jitter_ms: int, serving_ms: int) -> Row:
    row = _steady(backend, jitter_ms, serving_ms)
    return attrs.evolve(row, title=f"one after the other, {row.title}", loops=1)


def _events(backend: str) -> Iterator[Row]:
    slow = Row(backend=backend, title="", jitter_ms=30, serving_ms=100, wanted_jain=0.9)

    def row(title: str, **given: object) -> Row:
        return attrs.evolve(slow, title=title, **given)  # type: ignore[arg-type]  # attributes of it

    if backend == REDIS:
        yield row("restarted, empty", event=_restart)
    else:
        yield row("file removed", event=_remove)
    yield row("away 3 s", event=_away(3.0))
    yield row("away 8 s", event=_away(8.0), may_fail=("ConnectionFailed",))
    yield row("half cancelled", cancel_after_s=4.0)
    yield row("demand 120/10/10/10", demand=(120, 10, 10, 10))
    yield row("one killed", event=_kill, unlike=(0,))
    yield row("one stopped 5 s", event=_stop, unlike=(0,))
    yield row("16 processes", demand=(20,) * 16, wanted_use=0.8, wanted_calls=3.0)
    yield row("16 processes, one after the other", demand=(20,) * 16, loops=1, wanted_use=0.8)
    yield row("a day of 100", day=100, wanted_ends={"ok": 100, "DailyQuotaExhausted": 60})
    yield row("clock set back 1 h", event=_set_back, fakes_clock=True)
    yield row("refused 12 times", refuse=12)
    yield row("20 polls beside 20", demand=(20,) * 4, polls=20, jitter_ms=0, serving_ms=0)


def _away(for_s: float) -> Event:
    async def away(fleet: Fleet) -> None:
        await asyncio.sleep(3.0)
        await fleet.backend.away(for_s)

    return away


_restart: Final = _away(0.0)


async def _remove(fleet: Fleet) -> None:
    await asyncio.sleep(3.0)
    fleet.backend.forget()


async def _kill(fleet: Fleet) -> None:
    await asyncio.sleep(3.0)
    fleet.processes[0].kill()


async def _stop(fleet: Fleet) -> None:
    await asyncio.sleep(3.0)
    fleet.processes[0].send_signal(signal.SIGSTOP)
    await asyncio.sleep(5.0)
    fleet.processes[0].send_signal(signal.SIGCONT)


async def _set_back(fleet: Fleet) -> None:
    await asyncio.sleep(3.0)
    fleet.backend.set_clock(-3_600)
