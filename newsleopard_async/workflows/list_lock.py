"""One import at a time into a list.

It is not documented in which order the platform processes imports that overlap, nor which row of a
contact wins (T48). So the pipelines of one key import into a list one after the other: each holds
the lock from before the upload until its import has ended. Imports into other lists do not wait.

- First come, first served. A pipeline that is cancelled, or waits for too long, leaves the queue.
- A pipeline acquires its checkpoint before this lock, and no pipeline with this lock waits for a
  checkpoint. So a deadlock is impossible.
- The search for a list by its name, and its creation, are also locked: two pipelines that find no
  list at the same time would create two.
- The lock ends with the pipeline. If the pipeline ends before its import, at a deadline or by a
  cancellation, the next import can overlap with it.
- The queue is for one event loop. If the clients share the rate limits with other processes of this
  host, a locked file excludes those processes. The lock of the file ends with its process. Among
  processes it is not first come, first served.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

import anyio

from newsleopard_async.client import NewsLeopard
from newsleopard_async.errors import DeadlineExceeded
from newsleopard_async.files import make_private_folder, state_folder
from newsleopard_async.locks import FileLock
from newsleopard_async.transport.limits.queue import RequestQueue
from newsleopard_async.transport.limits.scope import HOST_SCOPES

__all__ = ["list_lock"]

_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 2.0
"""How often to check whether another process has ended. Chosen: an import takes seconds, so 0.1 s
finds a short one soon; 2 s later costs at most one lock attempt per 2 s."""

_Queue = deque[anyio.Event]
"""The pipelines that want the lock; the first one has it."""

_queues: Final[WeakKeyDictionary[RequestQueue, dict[str, _Queue]]] = WeakKeyDictionary()
"""The queues, by the request queue that the clients of a key share on an event loop, and by the
locked subject. Event loops in several threads share only the outer dict, and its lookup is atomic.
"""


@contextlib.asynccontextmanager
async def list_lock(
    nl: NewsLeopard, what: str, *, within_s: float, on_wait: Callable[[], Awaitable[None]]
) -> AsyncIterator[None]:
    """Acquire the lock of a subject for the pipelines of this key.

    Args:
        nl: The client.
        what: The locked subject in a few words, also for the error: ``imports into the list …``.
        within_s: How long to wait, in seconds.
        on_wait: Called if another pipeline has the lock.

    Raises:
        DeadlineExceeded: the lock did not become free before the deadline.
    """
    requests = nl._api.limiter.queue  # noqa: SLF001 - no public name says which clients share a key
    until_s = nl.clock.monotonic() + within_s
    queues = _queues.setdefault(requests, {})
    queue = queues.setdefault(what, deque())
    mine = anyio.Event()
    queue.append(mine)
    try:
        if queue[0] is not mine:
            await on_wait()
            with nl.clock.deadline(within_s):
                await mine.wait()
        if queue[0] is not mine:
            raise _too_late(what, within_s)
        lock = await _lock_on_host(nl, what, until_s, on_wait)
        try:
            yield
        finally:
            if lock is not None:
                lock.release()
    finally:
        queue.remove(mine)
        if queue:
            queue[0].set()
        else:
            del queues[what]


async def _lock_on_host(
    nl: NewsLeopard, what: str, until_s: float, on_wait: Callable[[], Awaitable[None]]
) -> FileLock | None:
    """Acquire the lock among the processes of this host; None if processes share nothing.

    Raises:
        DeadlineExceeded: the lock did not become free before the deadline.
    """
    path = _file_of_lock(nl, what)
    if path is None:
        return None
    began_s, wait_s = nl.clock.monotonic(), _FIRST_WAIT_S
    while (lock := FileLock.acquire(path)) is None:
        if wait_s == _FIRST_WAIT_S:
            await on_wait()
        if nl.clock.monotonic() >= until_s:
            raise _too_late(what, until_s - began_s)
        await nl.clock.sleep(wait_s)
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
    return lock


def _file_of_lock(nl: NewsLeopard, what: str) -> Path | None:
    """Return the file of the lock; None if processes share nothing or no file can be created."""
    api = nl._api  # noqa: SLF001 - as in `list_lock`
    if api.quota not in HOST_SCOPES:
        return None
    name = hashlib.sha256(f"{api.account} {what}".encode()).hexdigest()[:32]
    try:
        folder = state_folder() / "turns"
        make_private_folder(folder)
    except OSError:
        # The missing folder was logged when the limits could not be shared.
        return None
    return folder / name


def _too_late(what: str, within_s: float) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"other {what} did not end within {within_s:g} s, so this run imported nothing; "
        "run it again when they have ended"
    )
