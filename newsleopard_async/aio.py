"""What must not be left half done runs to its end, whatever cancels its caller.

That is a request that must not be repeated, and whatever is done in a thread: a thread
cannot be stopped, and would go on writing, or hold what it opened, behind our back.

On trio a shielded scope is enough. On asyncio it is not: `asyncio.timeout` and
`Task.cancel` cancel the task itself, past any scope of anyio. There the work gets a task
of its own, which its caller awaits to the end, however often it is cancelled meanwhile.
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
    """Run ``work`` to its end; then let a cancellation of the caller go on.

    Whoever is cancelled already does not begin. A cancellation goes before whatever
    ``work`` gave, an error too: on asyncio it strikes only once, and would be lost if the
    caller handled that error. The error is then the cancellation's context.

    Args:
        work: What must not be interrupted; it bounds its own time.
        when_cancelled: Called with the result if the caller was cancelled meanwhile, since
            the caller will not see it.
        withdraw: Called when the caller is cancelled, at once: ``work`` may come to an early
            end by itself if it has not begun with what must not be interrupted.
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
    """Let a cancellation strike that was held up: asyncio's own, or that of a scope."""
    if cancellation is not None:
        raise cancellation
    await anyio.lowlevel.checkpoint_if_cancelled()


def cancel_requests() -> int:
    """Count the cancellations of this task that asyncio itself has been asked for; 0 on trio."""
    if not on_asyncio():
        return 0
    task: asyncio.Task[object] = sys.modules["asyncio"].current_task()
    return task.cancelling()


def is_cancelled() -> bool:
    """Return whether this task is being cancelled, by a scope or by asyncio itself.

    If it is not, a cancellation that reaches it comes from something else that it awaited.
    """
    return anyio.current_effective_deadline() == -math.inf or cancel_requests() > 0


async def propagate_cancellation(requests: int) -> None:
    """Let a cancellation go on that a callback has swallowed.

    Those of scopes strike again by themselves. One of asyncio's own strikes once.

    Args:
        requests: What `cancel_requests` gave before.
    """
    await anyio.lowlevel.checkpoint_if_cancelled()
    if cancel_requests() > requests:
        raise anyio.get_cancelled_exc_class()


async def in_thread(work: Callable[[], T], *, undo: Callable[[T], object] | None = None) -> T:
    """Run blocking work in a thread; a cancellation goes on when it has ended.

    Args:
        work: What to do.
        undo: Called with the result if the caller was cancelled meanwhile, since nobody
            else will see it.
    """
    # In an object without a repr: what asyncio shows of slow callbacks, and the frames of the
    # thread, would show the work's arguments and its result, which may be contacts.
    result: _ThreadResult[T] = _ThreadResult()

    def run() -> None:
        result.value = work()

    await run_to_completion(
        functools.partial(anyio.to_thread.run_sync, run),
        when_cancelled=lambda _: None if undo is None else undo(result.value),
    )
    return result.value


class _ThreadResult(Generic[T]):
    """What a thread gave."""

    __slots__ = ("value",)

    value: T


class ThreadWork(Generic[T]):
    """Blocking work that has begun in a thread, and whose result is wanted later.

    Attributes:
        ended: Set when the thread has ended.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self.ended = anyio.Event()
        self._work = work
        self._result: _ThreadResult[T] = _ThreadResult()
        self._error: Exception | None = None
        start_in_background(self._run)

    async def _run(self) -> None:
        try:
            self._result.value = await in_thread(self._work)
        except Exception as error:  # noqa: BLE001 - `get` raises it
            self._error = error
        finally:
            self.ended.set()

    async def get(self) -> T:
        """Wait for the result; a cancellation does not wait for the thread to end."""
        await self.ended.wait()
        if self._error is not None:
            raise self._error
        return self._result.value


class Listing(Generic[T]):
    """Items that come one after another with ``async for``, or all at once with ``await``.

    Each use begins anew.
    """

    def __init__(
        self,
        begin: Callable[[], AsyncGenerator[T, None]],
        *,
        order: Callable[[list[T]], Iterable[T]] = iter,
    ) -> None:
        """Take what gives the items.

        Args:
            begin: An async generator function.
            order: Puts the items in order if all are asked for at once.
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
    """Open a file that no cancellation leaves open; read and write it with `in_thread`."""
    file = await in_thread(open_it, undo=lambda file: file.close())
    try:
        yield file
    finally:
        with anyio.CancelScope(shield=True):
            await in_thread(file.close)


def from_any_thread(function: Callable[[], object]) -> Callable[[], None]:
    """Return what any thread may call, so that this event loop soon calls ``function``.

    If the loop has ended by then, nothing happens.
    """
    if on_asyncio():
        import asyncio

        soon: Callable[[Callable[[], object]], object]
        soon = asyncio.get_running_loop().call_soon_threadsafe
    else:
        import trio

        soon = trio.lowlevel.current_trio_token().run_sync_soon

    def call() -> None:
        # So both refuse what comes after the end of their loop.
        with contextlib.suppress(RuntimeError):
            soon(function)

    return call


def start_in_background(work: Callable[[], Awaitable[None]]) -> None:
    """Begin work that nobody awaits: it ends soon by itself, and raises nothing.

    If the event loop ends before, the work is cancelled.
    """
    if on_asyncio():
        import asyncio

        task = asyncio.ensure_future(work())
        _beside.add(task)
        task.add_done_callback(_beside.discard)
    else:
        import trio

        trio.lowlevel.spawn_system_task(work)


_beside: Final[set[asyncio.Future[None]]] = set()
"""What runs beside its caller: an event loop of asyncio itself does not keep it."""


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
        # Not shielded: the first cancellation is to be heard, of whichever kind.
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
    """Run ``work`` shielded on trio, beside a task that hears of a cancellation."""
    ended: list[T] = []
    failed: list[BaseException] = []

    async def watch() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            # At the end of the work, which it does not touch any more, too.
            withdraw()

    # A cancellation that was held up strikes again when the caller next looks.
    with contextlib.suppress(anyio.get_cancelled_exc_class()):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            with anyio.CancelScope(shield=True):
                try:
                    ended.append(await work())
                except BaseException as error:  # noqa: BLE001 - raised below, in no group
                    failed.append(error)
            tasks.cancel_scope.cancel()
    if failed:
        raise failed[0]
    return ended[0]
