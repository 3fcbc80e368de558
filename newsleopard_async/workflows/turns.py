"""One import at a time into a list: what several at a time do to each other is not documented.

The platform says nothing about the order of imports that overlap, nor about which row of a
contact wins (T48). So pipelines of one key take turns at a list, from before the upload until
the import was seen to end. Lists do not wait for each other.

- First come, first served. A pipeline that is cancelled, or waits for too long, leaves the queue.
- A pipeline has its checkpoint before it queues, and a checkpoint is never waited for. So no
  two can wait for each other.
- A list is looked for by its name, and created, in turns too: two pipelines that find none at the
  same time would create two.
- The turn ends with the pipeline, however that ends. If it ends before its import, at a
  deadline or by a cancellation, the next import may overlap with that one.
- Pipelines of one event loop see each other. Other event loops and other processes do not.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final
from weakref import WeakKeyDictionary

import anyio

from newsleopard_async.client import NewsLeopard
from newsleopard_async.errors import DeadlineExceeded
from newsleopard_async.transport.limits.queue import LimiterState

__all__ = ["turn"]

_Queue = deque[anyio.Event]
"""Those who want to do the same; the first one does."""

_queues: Final[WeakKeyDictionary[LimiterState, dict[str, _Queue]]] = WeakKeyDictionary()
"""By what the clients of a key at an origin share on an event loop, and by what is done. Event
loops in several threads share none of the inner ones, and a look-up in the outer one is atomic."""


@contextlib.asynccontextmanager
async def turn(
    nl: NewsLeopard, what: str, *, within_s: float, on_wait: Callable[[], Awaitable[None]]
) -> AsyncIterator[None]:
    """Wait until no other pipeline of this key does the same, and let the others wait meanwhile.

    Args:
        nl: The client.
        what: What is done, in a few words for the error: ``imports into the list …``.
        within_s: How long to wait, in seconds.
        on_wait: Called once if there is somebody to wait for.

    Raises:
        DeadlineExceeded: the turn did not come in time.
    """
    state = nl._api.limiter.state  # noqa: SLF001 - no public name says which clients share a key
    queues = _queues.setdefault(state, {})
    queue = queues.setdefault(what, deque())
    mine = anyio.Event()
    queue.append(mine)
    try:
        if queue[0] is not mine:
            await on_wait()
            with nl.clock.deadline(within_s):
                await mine.wait()
        if queue[0] is not mine:
            raise DeadlineExceeded(
                f"other {what} did not end within {within_s:g} s; "
                "nothing was imported by this run. Run it again when they have ended"
            )
        yield
    finally:
        queue.remove(mine)
        if queue:
            queue[0].set()
        else:
            del queues[what]
