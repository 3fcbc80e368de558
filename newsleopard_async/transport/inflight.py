"""A request that must not be repeated runs to its answer, whatever cancels its caller.

On trio a shielded scope is enough. On asyncio it is not: `asyncio.timeout` and
`Task.cancel` cancel the task itself, past any scope of anyio. There the work gets a task
of its own, which its caller awaits to the end, however often it is cancelled meanwhile.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.lowlevel

__all__ = ["run_to_completion"]

T = TypeVar("T")


async def run_to_completion(
    work: Callable[[], Awaitable[T]], *, when_cancelled: Callable[[T], object]
) -> T:
    """Run ``work`` to its end; then let a cancellation of the caller go on.

    Whoever is cancelled already does not begin. An error of ``work`` goes before a
    cancellation.

    Args:
        work: What must not be interrupted; it bounds its own time.
        when_cancelled: Called with the result if the caller was cancelled meanwhile, since
            the caller will not see it.
    """
    await anyio.lowlevel.checkpoint_if_cancelled()
    cancellation: BaseException | None = None
    with anyio.CancelScope(shield=True):
        if _on_asyncio():
            result, cancellation = await _in_own_task(work)
        else:
            result = await work()
    if cancellation is not None:
        when_cancelled(result)
        raise cancellation
    if anyio.current_effective_deadline() == -math.inf:
        when_cancelled(result)
        await anyio.lowlevel.checkpoint_if_cancelled()
    return result


def _on_asyncio() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


async def _in_own_task(
    work: Callable[[], Awaitable[T]],
) -> tuple[T, asyncio.CancelledError | None]:
    async def run() -> T:
        return await work()

    task = asyncio.create_task(run())
    cancellation = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancellation = error
    return task.result(), cancellation
