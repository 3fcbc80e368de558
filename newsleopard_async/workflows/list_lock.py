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
- Pipelines of one event loop see each other. If their clients share the rate limits with the
  processes of this host, so do those of all these: by a file that is locked for the turn, and whose
  lock goes with its process. Among several processes it is not first come, first served.
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
"""How often to look whether another process has ended. Chosen: an import takes seconds at least."""

_Queue = deque[anyio.Event]
"""Those who want to do the same; the first one does."""

_queues: Final[WeakKeyDictionary[RequestQueue, dict[str, _Queue]]] = WeakKeyDictionary()
"""By what the clients of a key at an origin share on an event loop, and by what is done. Event
loops in several threads share none of the inner ones, and a look-up in the outer one is atomic."""


@contextlib.asynccontextmanager
async def list_lock(
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
    """Wait until no other process of this host does the same; None if processes share nothing.

    Raises:
        DeadlineExceeded: others did not end in time.
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
    """Return the file that stands for what is done; None if there can be none."""
    api = nl._api  # noqa: SLF001 - as in `list_lock`
    if api.quota not in HOST_SCOPES:
        return None
    name = hashlib.sha256(f"{api.account} {what}".encode()).hexdigest()[:32]
    try:
        folder = state_folder() / "turns"
        make_private_folder(folder)
    except OSError:
        # That no file can be kept was said when the limits could not be shared.
        return None
    return folder / name


def _too_late(what: str, within_s: float) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"other {what} did not end within {within_s:g} s; "
        "nothing was imported by this run. Run it again when they have ended"
    )
