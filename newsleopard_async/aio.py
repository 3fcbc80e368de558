"""Work that runs to its end, even if its caller is cancelled.

A request that must not be repeated is such work, because its outcome must be recorded. So is work
in a thread: a thread cannot be stopped, and would still write, or keep a file open.

On trio, a shielded scope is enough. On asyncio it is not, because `asyncio.timeout` and
`Task.cancel` cancel the task itself and ignore the scopes of anyio. There the work runs in a task
of its own, and its caller waits for the end, even if it is cancelled several times.
"""

from __future__ import annotations

import contextlib
import functools
import math
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterable
from typing import IO, TYPE_CHECKING, Any, Final, Generic, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

if TYPE_CHECKING:
    import asyncio

__all__ = [
    "Listing",
    "ThreadWork",
    "cancel_requests",
    "compute_in_thread",
    "from_any_thread",
    "in_thread",
    "is_cancelled",
    "on_asyncio",
    "open_file",
    "propagate_cancellation",
    "run_to_completion",
    "start_in_background",
]

T = TypeVar("T")


async def run_to_completion(
    work: Callable[[], Awaitable[T]],
    *,
    when_cancelled: Callable[[T], object],
    withdraw: Callable[[], object] | None = None,
) -> T:
    """Run ``work`` to its end; then raise a cancellation of the caller.

    A caller that is already cancelled does not begin. A cancellation replaces the result and also
    an error of ``work``: asyncio raises it only once, and it would be lost if the caller handled
    the error. The error is then the context of the cancellation.

    Args:
        work: The work that must not be interrupted; it limits its own time.
        when_cancelled: Called with the result if the caller was cancelled, because the caller
            does not receive it.
        withdraw: Called immediately when the caller is cancelled. ``work`` can then end early, if
            it has not begun the part that must not be interrupted.
    """
    await anyio.lowlevel.checkpoint_if_cancelled()
    cancellation: asyncio.CancelledError | None = None
    try:
        if on_asyncio():
            task, cancellation = await _in_own_task(work, withdraw)
            result = task.result()
        elif withdraw is None:
            with anyio.CancelScope(shield=True):
                result = await work()
        else:
            result = await _with_watcher(work, withdraw)
    except Exception:
        await _propagate(cancellation)
        raise
    if cancellation is not None or anyio.current_effective_deadline() == -math.inf:
        when_cancelled(result)
        await _propagate(cancellation)
    return result


async def _propagate(cancellation: asyncio.CancelledError | None) -> None:
    """Raise a cancellation that was delayed, of asyncio itself or of a scope."""
    if cancellation is not None:
        raise cancellation
    await anyio.lowlevel.checkpoint_if_cancelled()


def cancel_requests() -> int:
    """Return the number of pending `Task.cancel` calls of this task; 0 on trio."""
    if not on_asyncio():
        return 0
    task: asyncio.Task[object] = sys.modules["asyncio"].current_task()
    return task.cancelling()


def is_cancelled() -> bool:
    """Return whether this task is being cancelled, by a scope or by asyncio itself.

    If not, a cancellation error in this task comes from other work that it awaited.
    """
    return anyio.current_effective_deadline() == -math.inf or cancel_requests() > 0


async def propagate_cancellation(requests: int) -> None:
    """Raise a cancellation again that a callback has suppressed.

    A scope raises its cancellation again by itself. asyncio raises its own only once.

    Args:
        requests: The result of `cancel_requests` before the callback.
    """
    await anyio.lowlevel.checkpoint_if_cancelled()
    if cancel_requests() > requests:
        raise anyio.get_cancelled_exc_class()


async def in_thread(work: Callable[[], T], *, undo: Callable[[T], object] | None = None) -> T:
    """Run blocking work in a thread; a cancellation is raised after the thread has ended.

    Args:
        work: The work.
        undo: Called with the result if the caller was cancelled, because no one receives it.
    """
    # An object without a repr: asyncio's warnings of slow callbacks and the frames of the thread
    # would show the arguments and the result of the work, which can be contacts.
    result: _ThreadResult[T] = _ThreadResult()

    def run() -> None:
        result.value = work()

    await run_to_completion(
        functools.partial(anyio.to_thread.run_sync, run),
        when_cancelled=lambda _: None if undo is None else undo(result.value),
    )
    return result.value


async def compute_in_thread(work: Callable[[], T]) -> T:
    """Run a computation in a thread, one at a time in each event loop.

    Only one thread of Python runs at a time. If many threads compute, the event loop waits up to
    5 ms for each of them before it runs again. Measured with 300 pipelines: it woke up to 1.6 s
    late, and 0.1 s late with one such thread; the whole took less time.
    """
    limiter = _computing.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(1)
        _computing.set(limiter)
    async with limiter:
        return await in_thread(work)


_computing: Final = anyio.lowlevel.RunVar[anyio.CapacityLimiter]("newsleopard_async_computing")


class _ThreadResult(Generic[T]):
    """The result of a thread."""

    __slots__ = ("value",)

    value: T


class ThreadWork(Generic[T]):
    """Blocking work that runs in a thread; its result is fetched later.

    Attributes:
        ended: Set when the thread has ended.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self.ended: anyio.Event = anyio.Event()
        self._work = work
        self._result: _ThreadResult[T] = _ThreadResult()
        self._error: Exception | None = None
        # Not set by the task, which never runs if it is cancelled before it begins.
        start_in_background(self._run, when_ended=self.ended.set)

    async def _run(self) -> None:
        try:
            self._result.value = await in_thread(self._work)
        except Exception as error:  # noqa: BLE001 - `get` raises it
            self._error = error

    async def get(self) -> T:
        """Wait for the result; a cancellation does not wait for the thread to end."""
        await self.ended.wait()
        if self._error is not None:
            raise self._error
        return self._result.value


class Listing(Generic[T]):
    """Items that ``async for`` yields one by one, and ``await`` returns together.

    Each use begins from the start.
    """

    def __init__(
        self,
        begin: Callable[[], AsyncGenerator[T, None]],
        *,
        order: Callable[[list[T]], Iterable[T]] = iter,
    ) -> None:
        """Create the listing.

        Args:
            begin: An async generator function that yields the items.
            order: Sorts the items of an ``await``.
        """
        self._begin = begin
        self._order = order

    def __aiter__(self) -> AsyncIterator[T]:
        return self._begin()

    def __await__(self) -> Generator[Any, None, tuple[T, ...]]:
        return self._all().__await__()

    async def _all(self) -> tuple[T, ...]:
        async with contextlib.aclosing(self._begin()) as items:
            return tuple(self._order([item async for item in items]))


@contextlib.asynccontextmanager
async def open_file(open_it: Callable[[], IO[bytes]]) -> AsyncIterator[IO[bytes]]:
    """Open a file, and close it also after a cancellation; read and write it with `in_thread`."""
    file = await in_thread(open_it, undo=lambda file: file.close())
    try:
        yield file
    finally:
        with anyio.CancelScope(shield=True):
            await in_thread(file.close)


def from_any_thread(function: Callable[[], object]) -> Callable[[], None]:
    """Return a function that any thread can call, and that calls ``function`` on this event loop.

    It does nothing after the loop has ended.
    """
    if on_asyncio():
        import asyncio

        soon: Callable[[Callable[[], object]], object]
        soon = asyncio.get_running_loop().call_soon_threadsafe
    else:
        import trio

        soon = trio.lowlevel.current_trio_token().run_sync_soon

    def call() -> None:
        # Both libraries raise this after the end of their loop.
        with contextlib.suppress(RuntimeError):
            soon(function)

    return call


def start_in_background(
    work: Callable[[], Awaitable[None]], *, when_ended: Callable[[], object] = lambda: None
) -> None:
    """Begin work that no one awaits. It must end soon, and must not raise.

    The work is cancelled if the event loop ends before it.

    Args:
        work: The work.
        when_ended: Called at its end, even if it is cancelled before it begins.
    """
    if on_asyncio():
        import asyncio

        task = asyncio.ensure_future(work())
        _beside.add(task)
        task.add_done_callback(_beside.discard)
        task.add_done_callback(lambda _: when_ended())
    else:
        import trio

        async def run() -> None:
            try:
                await work()
            finally:
                when_ended()

        trio.lowlevel.spawn_system_task(run)


_beside: Final[set[asyncio.Future[None]]] = set()
"""The tasks of `start_in_background`; asyncio itself keeps only weak references to tasks."""


def on_asyncio() -> bool:
    """Return whether this is a task of asyncio."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


async def _in_own_task(
    work: Callable[[], Awaitable[T]], withdraw: Callable[[], object] | None
) -> tuple[asyncio.Task[T], asyncio.CancelledError | None]:
    import asyncio

    async def run() -> T:
        return await work()

    task = asyncio.create_task(run())
    cancellation = None
    try:
        # Not shielded, so that it ends at the first cancellation of any kind.
        await asyncio.wait([task])
    except asyncio.CancelledError as error:
        cancellation = error
        if withdraw is not None:
            withdraw()
    while not task.done():
        try:
            with anyio.CancelScope(shield=True):
                await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancellation = error
    return task, cancellation


async def _with_watcher(work: Callable[[], Awaitable[T]], withdraw: Callable[[], object]) -> T:
    """Run ``work`` shielded on trio, while another task waits for a cancellation."""
    ended: list[T] = []
    failed: list[BaseException] = []

    async def watch() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            # This also runs at the end of the work, where it has no effect.
            withdraw()

    # The caller's next checkpoint raises a delayed cancellation again.
    with contextlib.suppress(anyio.get_cancelled_exc_class()):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            with anyio.CancelScope(shield=True):
                try:
                    ended.append(await work())
                except BaseException as error:  # noqa: BLE001 - raised below, without a group
                    failed.append(error)
            tasks.cancel_scope.cancel()
    if failed:
        raise failed[0]
    return ended[0]
