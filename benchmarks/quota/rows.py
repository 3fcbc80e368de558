"""The rows of the table: what a fleet does, what happens meanwhile, and what is wanted of it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, Protocol

import attrs

from benchmarks.quota.backends import ALONE, BACKENDS, HOST, PYRATE_ON_REDIS, REDIS, Backend

__all__ = ["Fleet", "Row", "rows"]

D_MS: Final = 150
"""The longest delay on the way to the server that the limits reckon with by default."""

SHARED: Final = (HOST, REDIS)


class Fleet(Protocol):
    """What an event may act upon."""

    @property
    def backend(self) -> Backend: ...

    @property
    def processes(self) -> Sequence[asyncio.subprocess.Process]: ...


Event = Callable[[Fleet], Awaitable[None]]


@attrs.frozen(kw_only=True)
class Row:
    """A fleet of processes with one key.

    Attributes:
        backend: Where its quota is kept.
        title: What happens.
        jitter_ms: The longest time that a request is on its way.
        serving_ms: From the arrival to the answer.
        demand: The requests of each process.
        loops: So many tasks of a process send one after the other; 0 sends all at once.
        polls: Of each process, beside its requests.
        day: The requests of a day.
        cancel_after_s: When every second call is cancelled.
        refuse: How many of the first requests the gateway refuses.
        event: What happens meanwhile.
        fakes_clock: Whether the event moves the wall clock.
        unlike: Processes that are not like the others, and left out of the fairness.
        wanted_use: Below it the row fails; None if it says nothing.
        wanted_calls: Of the store for each request that arrived; above it the row fails.
        wanted_jain: As ``wanted_use``.
        wanted_ends: How the calls must end, in number; None: all "ok", apart from the cancelled.
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
        """Whether it is ours to keep: shared, and by our own limiter."""
        return self.backend in SHARED


def rows(*, quick: bool) -> Iterator[Row]:
    """Yield the rows of the table; those of the quick one take a minute."""
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
