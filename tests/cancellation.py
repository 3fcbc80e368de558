"""Cancel work at each of its awaits: it runs again for each await, and is cancelled there.

An await is counted when the work is resumed. It is then cancelled, and notices this at its next
await. What work does in tasks of its own has no such awaits; there, a test touches the trigger.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from pathlib import Path
from typing import Any, Final

import anyio
import attrs
import pytest

__all__ = [
    "Trigger",
    "Way",
    "at_some_or_all_awaits",
    "cancelled_by",
    "each_point",
    "in_every_way",
    "open_files",
    "run_once",
]

Work = Coroutine[Any, Any, Any]
_SAMPLE: Final = 2
"""Chosen: enough points for a quick test to meet each part of a pipeline."""
_MOST: Final = 20 if "CI" in os.environ else None
"""The number of points if `CI` is set, spread evenly: all of them took 45 s of the CPU."""


@attrs.define
class Trigger:
    """Counts the points at which work can be cancelled, and cancels it at one of them.

    Attributes:
        at: The index of the point; None runs the work to its end.
        cancel: The function that cancels; set when the work runs.
        passed: The number of points until now.
    """

    at: int | None = None
    cancel: Callable[[], object] = lambda: None
    passed: int = 0

    def touch(self) -> None:
        """Pass a point."""
        if self.passed == self.at:
            self.cancel()
        self.passed += 1


async def _by_scope(work: Work, trigger: Trigger) -> Any:
    with anyio.CancelScope() as scope:
        trigger.cancel = scope.cancel
        return await work


async def _by_task(work: Work, trigger: Trigger) -> Any:
    results = []

    async def run() -> None:
        results.append(await work)

    task = asyncio.ensure_future(run())
    trigger.cancel = task.cancel
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
    # A task that is cancelled in its last step is cancelled, although its work is done.
    return results[0] if results else None


async def _by_timeout(work: Work, trigger: Trigger) -> Any:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None) as timeout:
            trigger.cancel = lambda: timeout.reschedule(asyncio.get_running_loop().time())
            return await work


@attrs.frozen
class Way:
    """A way of cancelling.

    Attributes:
        backend: The event loop that supports it.
        run: Runs work, sets the trigger's `cancel`, and returns the result, or None.
    """

    name: str
    backend: str
    run: Callable[[Work, Trigger], Awaitable[Any]]

    def __str__(self) -> str:
        return self.name


_SCOPE: Final = Way("asyncio-scope", "asyncio", _by_scope)
_TASK: Final = Way("asyncio-task", "asyncio", _by_task)
_TIMEOUT: Final = Way("asyncio-timeout", "asyncio", _by_timeout)
_TRIO: Final = Way("trio-scope", "trio", _by_scope)
_WAYS: Final = (_SCOPE, _TASK, _TIMEOUT, _TRIO)
in_every_way: Final = pytest.mark.parametrize("way", _WAYS, ids=str)


def _some_or_all() -> Iterator[Any]:
    for way in _WAYS:
        yield pytest.param(way, _SAMPLE, id=f"{way}-some")
        # A timeout of asyncio cancels the task, like the way above.
        marks = pytest.mark.soak if way is _TIMEOUT else pytest.mark.matrix
        yield pytest.param(way, _MOST, id=f"{way}-all", marks=marks)


at_some_or_all_awaits: Final = pytest.mark.parametrize(("way", "most"), list(_some_or_all()))
"""Every way of cancelling: at some points in a quick test, at many or all in the matrix."""


def each_point(run: Callable[[Trigger], object], most: int | None = None) -> int:
    """Run work to its end, then again for each point; return the number of its points.

    Args:
        run: Runs it once, to be cancelled by the trigger.
        most: How many points to try, spread evenly; None tries all.
    """
    whole = Trigger()
    run(whole)
    step = 1 if most is None else max(1, whole.passed // most)
    for at in range(0, whole.passed, step):
        try:
            run(Trigger(at))
        except BaseException as error:
            error.add_note(f"cancelled at point {at} of {whole.passed}")
            raise
    return whole.passed


def run_once(way: Way, work: Callable[[], Work], trigger: Trigger) -> Any:
    """Run work in a separate event loop, cancelled at one of its awaits."""

    async def main() -> Any:
        return await cancelled_by(trigger, way, work())

    return anyio.run(main, backend=way.backend)


async def cancelled_by(trigger: Trigger, way: Way, work: Work) -> Any:
    """Run work, cancelled at one of its awaits, and fail if it leaves a task or an open file."""

    async def counted() -> Any:
        return await _counted(work, trigger.touch)

    with _leaving_nothing():
        result = await way.run(counted(), trigger)
        await anyio.wait_all_tasks_blocked()
    return result


@types.coroutine
def _counted(work: Work, on_resume: Callable[[], None]) -> Generator[Any, Any, Any]:
    """Run a coroutine as it is, and call back at each of its resumptions."""
    resume: Callable[[], Any] = lambda: work.send(None)  # noqa: E731  # rebound below
    while True:
        on_resume()
        try:
            wanted = resume()
        except StopIteration as end:
            return end.value
        try:
            value = yield wanted
        except BaseException as error:  # noqa: BLE001  # any error is passed on
            resume = lambda error=error: work.throw(error)  # type: ignore[misc]  # noqa: E731
        else:
            resume = lambda value=value: work.send(value)  # type: ignore[misc]  # noqa: E731


@contextlib.contextmanager
def _leaving_nothing() -> Iterator[None]:
    """Fail if a task runs, or a file is open, that did not exist before."""
    before = (_tasks(), open_files())
    yield
    assert (_tasks(), open_files()) == before


def _tasks() -> int:
    """Count the tasks, except the task of the clock on trio."""
    return sum("_TrioDriver" not in (task.name or "") for task in anyio.get_running_tasks())


def open_files() -> list[str]:
    """Return the names of the open files of this process, if the system lists them."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return []
    targets = []
    for each in folder.iterdir():
        with contextlib.suppress(OSError):  # opened by this function itself
            targets.append(str(each.readlink()))
    return [target for target in targets if target.startswith("/") and "/dev/" not in target]
