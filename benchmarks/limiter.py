"""Compare rate limiters at the server.

    pip install aiolimiter pyrate-limiter throttled-py
    python -m benchmarks.limiter            # about four minutes
    python -m benchmarks.limiter --quick    # about half a minute

Each run queues 200 requests together, with a limit of 10 per second. A server in a separate
process, on loopback, records when each request arrives. The server simulates the network's jitter:
it waits a random time up to the jitter before a request counts as arrived.

violations   half-open windows of 1 s, one from each arrival on, with more than 10 arrivals
use          requests after the first ten, of the ten a second that were allowed meanwhile

Ends with status 1 if ours has a violation, or uses less than 0.93 of an idle network with
a quick server. The limiters of one scenario run at the same time, in one event loop.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Final, Protocol

import attrs

from benchmarks.measuring import heading
from benchmarks.quota.figures import overfull, use
from newsleopard_async.clock import SystemClock
from newsleopard_async.models.options import RateLimits
from newsleopard_async.transport.limits.limiter import Limiter
from newsleopard_async.transport.limits.queue import RequestQueue

RATE: Final = 10
PERIOD_S: Final = 1.0
TARGET_USE: Final = 0.93
OURS: Final = "newsleopard-async"


class Turn(Protocol):
    """The facts that a limiter can use about a sent request."""

    def sent(self) -> None: ...

    def answered(self) -> None: ...


class Uninterested:
    """A limiter that ignores a request after it was sent."""

    def sent(self) -> None: ...

    def answered(self) -> None: ...


Acquire = Callable[[], Awaitable[Turn]]


def ours() -> Acquire:
    clock = SystemClock()
    limits = RateLimits(windows=((RATE, PERIOD_S),))
    return Limiter(limits, RequestQueue(clock), clock).acquire


def with_aiolimiter() -> Acquire:
    from aiolimiter import AsyncLimiter

    limiter = AsyncLimiter(RATE, PERIOD_S)

    async def acquire() -> Turn:
        await limiter.acquire()
        return Uninterested()

    return acquire


def with_pyrate_limiter() -> Acquire:
    from pyrate_limiter import Duration, Rate
    from pyrate_limiter import Limiter as Pyrate

    limiter = Pyrate(Rate(RATE, Duration.SECOND))

    async def acquire() -> Turn:
        await limiter.try_acquire_async("benchmark")
        return Uninterested()

    return acquire


def with_throttled_py() -> Acquire:
    from throttled.asyncio import RateLimiterType, Throttled, per_sec, store

    throttle = Throttled(
        using=RateLimiterType.GCRA.value,
        quota=per_sec(RATE, burst=RATE),
        store=store.MemoryStore(),
    )

    async def acquire() -> Turn:
        await throttle.limit("benchmark", timeout=600)
        return Uninterested()

    return acquire


CONTENDERS: Final[dict[str, Callable[[], Acquire]]] = {
    OURS: ours,
    "aiolimiter": with_aiolimiter,
    "pyrate-limiter": with_pyrate_limiter,
    "throttled-py": with_throttled_py,
}


@attrs.frozen
class Scenario:
    jitter_ms: int
    serving_ms: int


@attrs.frozen
class Result:
    violations: int
    use: float


def judge(arrivals: list[float]) -> Result:
    """Count the overfull windows, and how much of what was allowed was used."""
    return Result(len(overfull(arrivals)), use(arrivals))


async def request(port: int, path: str, turn: Turn, pool: list[Connection]) -> bytes:
    """Send a GET over a pooled connection, and read the answer's body."""
    reader, writer = pool.pop() if pool else await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await writer.drain()
    turn.sent()
    head = await reader.readuntil(b"\r\n\r\n")
    turn.answered()
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    pool.append((reader, writer))
    return body


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def run(port: int, name: str, scenario: Scenario, count: int) -> Result:
    acquire = CONTENDERS[name]()
    pool: list[Connection] = []
    path = f"/{name}/{scenario.jitter_ms}/{scenario.serving_ms}"

    async def call() -> None:
        turn = await acquire()
        await request(port, path, turn, pool)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(count):
            tasks.create_task(call())
    body = await request(port, f"/arrivals{path}", Uninterested(), pool)
    for _, writer in pool:
        writer.close()
    return judge(json.loads(body))


async def serve() -> None:
    """Serve until the parent closes our standard input; record each arrival."""
    arrivals: dict[str, list[float]] = defaultdict(list)

    async def answer(path: str) -> bytes:
        if path.startswith("/arrivals"):
            return json.dumps(arrivals[path.removeprefix("/arrivals")]).encode()
        jitter_ms, serving_ms = map(int, path.split("/")[-2:])
        if jitter_ms:
            await asyncio.sleep(random.uniform(0, jitter_ms / 1_000))
        arrivals[path].append(time.monotonic())
        if serving_ms:
            await asyncio.sleep(serving_ms / 1_000)
        return b""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            body = await answer(head.split()[1].decode())
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


@asynccontextmanager
async def server() -> AsyncIterator[int]:
    """Run the server in a separate process; yield its port."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.limiter", "--serve"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


def installed() -> list[str]:
    """Return the names of the contenders that can run here."""
    names = []
    for name in CONTENDERS:
        try:
            print(name, version(name))
        except PackageNotFoundError:
            print(name, "(source tree)" if name == OURS else "is not installed, and left out")
            if name != OURS:
                continue
        names.append(name)
    return names


async def compare(names: list[str], scenarios: list[Scenario], count: int) -> bool:
    """Run all, print the table, and return whether our limiter reaches its goals."""
    totals: dict[str, int] = defaultdict(int)
    kept = True
    print("\nviolations, use".ljust(26), *(name.rjust(18) for name in names))
    async with server() as port:
        for scenario in scenarios:
            results = await asyncio.gather(*(run(port, name, scenario, count) for name in names))
            cells = []
            for name, result in zip(names, results, strict=True):
                totals[name] += result.violations
                cells.append(f"{result.violations:>5}, {result.use:.3f}".rjust(18))
            label = f"jitter {scenario.jitter_ms:>3} server {scenario.serving_ms:>4} ms"
            print(label.ljust(25), *cells, flush=True)
            best = scenario == Scenario(0, 0)
            kept &= results[0].violations == 0 and (not best or results[0].use >= TARGET_USE)
    print("violations in all".ljust(25), *(str(totals[name]).rjust(18) for name in names))
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer scenarios, 60 requests each")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return 0
    jitters_ms = (0, 150) if options.quick else (0, 30, 150)
    servings_ms = (0, 1_000) if options.quick else (0, 100, 1_000)
    scenarios = [Scenario(jitter, serving) for jitter in jitters_ms for serving in servings_ms]
    count = 60 if options.quick else 200
    print(f"{heading()}\n{count} requests in each run")
    return 0 if asyncio.run(compare(installed(), scenarios, count)) else 1


if __name__ == "__main__":
    sys.exit(main())
