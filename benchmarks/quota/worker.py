"""One process of the fleet: it sends its requests on a signal, and reports their outcomes.

    python -m benchmarks.quota.worker SPEC    # SPEC is the JSON of a `Job`

It prints a line when it is ready, begins at a line on its standard input, and ends with a line of
JSON, a `Report`. It ends immediately if the standard input is closed.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import anyio.to_thread
import attrs

from benchmarks.quota.server import WARM_UP
from newsleopard_async import NewsLeopard, RateLimits
from newsleopard_async.models import ImportSn

__all__ = ["HOST", "Job", "Report"]

HOST: Final = "quota.invalid"
"""The API's host; found on loopback. For a host named as loopback the file has no daily count."""

KEY: Final = "benchmark-of-the-shared-quota"

PYRATE: Final = "pyrate:"
"""The prefix of the URL of a Redis that pyrate-limiter uses."""


@attrs.frozen(kw_only=True)
class Job:
    """The job of a process.

    Attributes:
        index: The number of the process in the fleet, and of the pages that it requests. port: The
        port of the server. quota: The argument of `NewsLeopard`; None omits it. requests: The
        number of requests. polls: The number of polls in addition to the requests. loops: The
        number of tasks that send in sequence; 0 has a task for each request. day: The daily limit
        of requests, instead of 10,000.
        cancel_after_s: When every second call that has not ended is cancelled.
        on_trio: Whether it runs on trio.
        most_s: The longest time of the job.
    """

    index: int
    port: int
    quota: str | None
    requests: int
    polls: int = 0
    loops: int = 0
    day: int | None = None
    cancel_after_s: float | None = None
    on_trio: bool = False
    most_s: float = 300.0


@attrs.frozen(kw_only=True)
class Report:
    """The result of a job.

    Attributes:
        ended: The number of calls by their end: "ok", "cancelled", or the class of their error.
        messages: One message of each class of errors.
        logged: The messages at WARNING or above, each with its number. calls: The calls of the
        quota's store, or None. took_s: The time from the beginning to the end.
    """

    ended: dict[str, int]
    messages: dict[str, str]
    logged: dict[str, int]
    calls: int | None
    took_s: float


Send = Callable[[], Awaitable[object]]


def store_calls(nl: NewsLeopard) -> int | None:
    """Return how often the store of the shared quota was called by this process."""
    state: Any = nl._api.limiter.queue.state
    return getattr(getattr(state, "store", None), "calls", None)


@attrs.define
class _Worker:
    job: Job
    nl: NewsLeopard
    turn: Callable[[], Awaitable[object]] | None
    ended: Counter[str] = attrs.field(factory=Counter)
    messages: dict[str, str] = attrs.field(factory=dict)
    _waiting: dict[anyio.CancelScope, None] = attrs.field(factory=dict)

    async def run(self) -> None:
        job = self.job
        async with anyio.create_task_group() as tasks:
            tasks.cancel_scope.deadline = anyio.current_time() + job.most_s
            for _ in range(job.loops):
                tasks.start_soon(self._loop, job.requests // job.loops)
            for _ in range(0 if job.loops else job.requests):
                tasks.start_soon(self._call, self._list)
            for _ in range(job.polls):
                tasks.start_soon(self._call, self._poll)
            if job.cancel_after_s is not None:
                await anyio.sleep(job.cancel_after_s)
                for scope in list(self._waiting)[::2]:
                    scope.cancel()

    async def _loop(self, count: int) -> None:
        for _ in range(count):
            await self._call(self._list)

    async def _list(self) -> object:
        if self.turn is not None:
            await self.turn()
        return await self.nl.contacts.list_lists(page=self.job.index)

    async def _poll(self) -> object:
        return await self.nl.contacts.get_import(ImportSn(f"page={self.job.index}"))

    async def _call(self, send: Send) -> None:
        end = "cancelled"
        with anyio.CancelScope() as scope:
            self._waiting[scope] = None
            try:
                await send()
                end = "ok"
            except Exception as error:  # noqa: BLE001 - each is counted
                end = type(error).__name__
                self.messages[end] = str(error)[:300]
            finally:
                del self._waiting[scope]
        self.ended[end] += 1


async def _work(job: Job) -> Report:
    logged: Counter[str] = Counter()
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: logged.update((record.getMessage()[:200],))  # type: ignore[method-assign]  # it is all that one does
    logging.getLogger().addHandler(handler)
    options: dict[str, Any] = {}
    turn = calls = None
    if job.day is not None:
        options["rate_limits"] = RateLimits(windows=((10, 1.0), (job.day, 86_400.0)))
    if job.quota is not None and job.quota.startswith(PYRATE):
        turn, calls = await _pyrate(job.quota.removeprefix(PYRATE))
        options["rate_limits"] = RateLimits(windows=())
    elif job.quota is not None:
        options["quota"] = job.quota
    url = f"http://{HOST}:{job.port}"
    # The first call loads code for half a second, which would delay the fleet.
    async with NewsLeopard(KEY, base_url=url + WARM_UP, allow_http=True, quota=None) as first:
        await first.contacts.list_lists()
    async with NewsLeopard(KEY, base_url=url, allow_http=True, **options) as nl:
        print("ready", flush=True)
        await anyio.to_thread.run_sync(sys.stdin.readline)
        threading.Thread(target=_end_with_input, daemon=True).start()
        began_at, before = time.monotonic(), store_calls(nl)
        worker = _Worker(job, nl, turn)
        await worker.run()
        return Report(
            ended=dict(worker.ended),
            messages=worker.messages,
            logged=dict(logged),
            calls=calls() if calls else _difference(store_calls(nl), before),
            took_s=time.monotonic() - began_at,
        )


def _difference(after: int | None, before: int | None) -> int | None:
    return None if after is None or before is None else after - before


async def _pyrate(url: str) -> tuple[Callable[[], Awaitable[object]], Callable[[], int]]:
    """Limit with pyrate-limiter on Redis; its calls are the sent commands."""
    from pyrate_limiter import Limiter, Rate, RedisBucket
    from redis.asyncio import Redis

    class Counted(Redis):
        async def execute_command(self, *args: Any, **options: Any) -> Any:
            sent.append(args[0])
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py has none

    sent: list[str] = []
    client = Counted.from_url(url)
    limiter = Limiter(await RedisBucket.init([Rate(10, 1_000)], client, KEY))
    return lambda: limiter.try_acquire_async("benchmark"), lambda: len(sent)


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(3)


def _find_on_loopback() -> None:
    """Resolve the API's host to loopback."""
    find = socket.getaddrinfo

    def found(host: Any, *args: Any, **options: Any) -> Any:
        named = host.decode() if isinstance(host, bytes) else host
        return find("127.0.0.1" if named == HOST else host, *args, **options)

    socket.getaddrinfo = found


def main() -> None:
    """Do a job, and print the report."""
    _find_on_loopback()
    job = Job(**json.loads(sys.argv[1]))
    report = anyio.run(_work, job, backend="trio" if job.on_trio else "asyncio")
    print(json.dumps(attrs.asdict(report)), flush=True)
    # The thread still reads the standard input.
    os._exit(0)


if __name__ == "__main__":
    main()
