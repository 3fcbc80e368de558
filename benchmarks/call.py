"""The cost of a call: the CPU of `list_lists`, compared with httpx, aiohttp and openai.

    python -m benchmarks.call [--lists 20] [--calls 300] [--rounds 5]

Each gets the same page of lists from a server in a separate process on the loopback, over one open
connection, and parses it: httpx and aiohttp into JSON values, openai into its own classes, we into
models. They alternate in one process; each figure is the median of the rounds. The CPU time of
other processes does not count.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from multiprocessing.connection import Connection
from typing import Any, Final

import aiohttp
import httpx
import openai

import newsleopard_async
from benchmarks.measuring import heading
from newsleopard_async import NewsLeopard, RateLimits

CONTENDERS: Final = (httpx, aiohttp, openai, newsleopard_async)
KEY: Final = "benchmark-key"
PATH: Final = "/v1/contacts/lists?size=100&page=0"
WARM_UP_CALLS: Final = 100
_LIST: Final = {
    "name": "會員",
    "subscribedCnt": 1200,
    "excludeCnt": 3,
    "openedRate": 21.5,
    "clickedRate": 3.25,
    "status": "GENERAL",
    "type": 0,
    "createDate": "2026-01-05T02:00:00.090Z",
    "updateDate": "2026-02-05T02:00:00.123Z",
}
_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: keep-alive\r\n"
    b"Date: Mon, 05 Jan 2026 02:00:00 GMT\r\n"
    b"x-amzn-RequestId: 6f1e2d3c-0000-4444-8888-0123456789ab\r\n"
)


class _Server(asyncio.Protocol):
    """Gives one answer to every request; none of them has a body."""

    def __init__(self, lists: int) -> None:
        body = json.dumps({"Lists": [_LIST | {"sn": f"{n:032x}"} for n in range(lists)]}).encode()
        self._answer = _HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            self._transport.write(self._answer)


async def _serve(told: Connection, lists: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Server(lists), "127.0.0.1", 0)
    told.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def serve(told: Connection, lists: int) -> None:
    """Serve a page of this number of lists without end, and send the port to the parent."""
    asyncio.run(_serve(told, lists))


Way = Callable[[], Awaitable[int]]
"""A function that calls once, and returns the number of lists."""


async def ways_to(url: str, stack: AsyncExitStack) -> dict[str, Way]:
    """Return the call of each contender."""
    unlimited = RateLimits(windows=((1_000_000, 1.0),))
    nl = await stack.enter_async_context(
        NewsLeopard(KEY, base_url=url, quota=None, rate_limits=unlimited)
    )
    by_httpx = await stack.enter_async_context(httpx.AsyncClient(headers={"x-api-key": KEY}))
    by_aiohttp = await stack.enter_async_context(aiohttp.ClientSession(headers={"x-api-key": KEY}))
    by_openai = await stack.enter_async_context(openai.AsyncOpenAI(api_key=KEY, base_url=url))

    async def call_httpx() -> int:
        return len((await by_httpx.get(url + PATH)).json()["Lists"])

    async def call_aiohttp() -> int:
        async with by_aiohttp.get(url + PATH) as answer:
            return len((await answer.json())["Lists"])

    async def call_openai() -> int:
        return len((await by_openai.get(PATH, cast_to=dict[str, Any]))["Lists"])

    async def call_us() -> int:
        return len(await nl.contacts.list_lists())

    return {
        httpx.__name__: call_httpx,
        aiohttp.__name__: call_aiohttp,
        openai.__name__: call_openai,
        newsleopard_async.__name__: call_us,
    }


async def cpu_us(way: Way, calls: int) -> float:
    """Return the CPU time of a call, in microseconds."""
    gc.collect()
    began_s = time.process_time()
    for _ in range(calls):
        await way()
    return (time.process_time() - began_s) / calls * 1e6


async def measure(url: str, *, calls: int, rounds: int) -> None:
    async with AsyncExitStack() as stack:
        ways = await ways_to(url, stack)
        for way in ways.values():
            await cpu_us(way, WARM_UP_CALLS)
        took = [
            {name: await cpu_us(way, calls) for name, way in ways.items()} for _ in range(rounds)
        ]
    for each in CONTENDERS:
        us = statistics.median(round_[each.__name__] for round_ in took)
        share = statistics.median(round_[each.__name__] / round_["httpx"] for round_ in took)
        print(f"{each.__name__:18}{each.__version__:12}{us:7.0f} µs {share:6.2f} × httpx")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lists", type=int, default=20)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(heading())
    print(f"{given.lists} lists in each answer, {given.calls} calls, {given.rounds} rounds\n")
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there, given.lists), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}"
    try:
        asyncio.run(measure(url, calls=given.calls, rounds=given.rounds))
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
